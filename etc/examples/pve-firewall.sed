# Turns lines of Proxmox VE's own firewall log into such as ulogd writes, for the source of pve-firewall.conf. Only
# lines of packets that the host's chain dropped or rejected by its policy come out:
#
#   0 6 PVEFW-HOST-IN 24/Nov/2026:10:31:12 +0100 policy DROP: IN=vmbr0 PHYSIN=eno1 MAC=... SRC=... SYN
#   Nov 24 10:31:12 pve policy DROP: IN=vmbr0 OUT= PHYSIN=eno1 MAC=... SRC=... SYN URGP=0

/^0 [0-7] PVEFW-HOST-IN [0-9]{2}\/[A-Z][a-z]{2}\/[0-9]{4}:[0-9:]{8} [-+][0-9]{4} policy (DROP|REJECT): IN=[^ ]+ /!d
s/^0 [0-7] PVEFW-HOST-IN ([0-9]+)\/([A-Za-z]+)\/[0-9]+:([0-9:]+) [-+][0-9]+ (policy [A-Z]+: IN=[^ ]+) /\2 \1 \3 pve \4 OUT= /
s/ *mark=[0-9]+ *$//
/ PROTO=TCP .* URGP=[0-9]+ *$/!s/( PROTO=TCP .* WINDOW=.*[^ ]) *$/\1 URGP=0/
p
