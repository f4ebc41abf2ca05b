#!/bin/bash
# The recipes of etc/examples for logs of others: lines as Proxmox VE and UniFi OS write them knock; lines of accepted
# packets, of other chains and of strangers' text don't.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/recipe.sh
. "$(dirname "$0")/recipes/recipe.sh"

# pve_line FROM PORT PROTO [CHAIN [POLICY]]
pve_line() {
    local head
    head="0 6 ${4:-PVEFW-HOST-IN} $(LC_ALL=C date '+%d/%b/%Y:%H:%M:%S %z') policy ${5:-DROP}: IN=vmbr0 PHYSIN=enp2s0"
    head+=" MAC=ae:b7:cd:26:7f:d2:54:5e:96:4b:2c:cf:08:00 SRC=$1 DST=$GATE4 LEN=60 TOS=0x00 PREC=0x00 TTL=128 ID=6"
    if [ "$3" = udp ]; then
        echo "$head PROTO=UDP SPT=1024 DPT=$2 LEN=9"
    else
        echo "$head DF PROTO=TCP SPT=1024 DPT=$2 SEQ=1541087331 ACK=0 WINDOW=29200 SYN "
    fi
}

# unifi_line FROM PORT PROTO [PREFIX [HOST]]
unifi_line() {
    local head
    head="$(LC_ALL=C date '+%b %e %H:%M:%S') UDM-Pro ${4-[WAN_LOCAL-D-2147483647] DESCR=\"[WAN_LOCAL]Block All Traffic\" }"
    head+="IN=eth8 OUT= MAC=ae:b7:cd:26:7f:d2:54:5e:96:4b:2c:cf:08:00 SRC=$1 DST=$GATE4 LEN=40 TOS=00 PREC=0x00 TTL=244"
    if [ "$3" = udp ]; then
        echo "$head ID=0 DF PROTO=UDP SPT=1024 DPT=$2 LEN=9 MARK=1a0000 "
    else
        echo "$head ID=4 PROTO=TCP SPT=1024 DPT=$2 SEQ=2064539362 ACK=0 WINDOW=1024 SYN URGP=0 MARK=1a0000 "
    fi
}

# knock_by LINE FROM [WORD...]: a knock's lines, made by the function LINE.
knock_by() {
    local line=$1 from=$2 step
    shift 2
    for step in "${STEPS[@]}"; do
        case $step in
        *:udp) "$line" "$from" "${step%:*}" udp "$@" ;;
        *) "$line" "$from" "$step" tcp "$@" ;;
        esac
    done >>"$LOG"
}

# opens LINE FROM [WORD...]: such a knock opens.
opens() {
    knock_by "$@"
    says "door ssh: opened for $2,"
}

# While tail looks for the new file, what is in it isn't lost: it reads that from its start.
recipe_hosts
LOG=$WORK/foreign.log
: >"$LOG"
chmod 644 "$LOG" "$RECIPES/pve-firewall.sed"
sed -i "s|/var/log/pve-firewall.log|$LOG|; s|/usr/local/share/pve-firewall.sed|$RECIPES/pve-firewall.sed|" \
    "$RECIPES/pve-firewall.conf"
sed -i "s|/var/log/unifi.log|$LOG|" "$RECIPES/unifi-os.conf"

recipe pve-firewall
# Where tail has no inotify, it looks once a second.
sed -i 's/tail -n 0 -F/tail -s 0.05 -n 0 -F/' "$CONFIG"
starts "pve-firewall: starts"
reads_log() {
    pgrep -f "tail -s 0.05 -n 0 -F $LOG\$" >/dev/null
}
ok "pve-firewall: its command reads the log" poll 5 reads_log
knock_by pve_line 198.51.100.1 tap101i0-IN
knock_by pve_line 198.51.100.2 PVEFW-HOST-IN ACCEPT
knock_by pve_line 198.51.100.3 'PVEFW-HOST-IN x'
ok "pve-firewall: a knock opens" opens pve_line 198.51.100.4
ok "pve-firewall: of a rejecting policy, too" opens pve_line 198.51.100.5 PVEFW-HOST-IN REJECT
echo "0 5 - 16/Nov/2021:09:28:09 +0100 starting pvefw logger" >>"$LOG"
mv "$LOG" "$LOG.1"
: >"$LOG"
chmod 644 "$LOG"
ok "pve-firewall: after a rotation, too" opens pve_line 198.51.100.6
ok "pve-firewall: nothing else does" not said "opened for 198.51.100.[123],"
stop_knockd
is "pve-firewall: ends" $? 0

: >"$LOG"
recipe unifi-os
starts "unifi-os: starts"
knock_by unifi_line 198.51.100.1 '[WAN_LOCAL-A-10001] DESCR="allow" '
knock_by unifi_line 198.51.100.2 'sshd[1]: [WAN_LOCAL-default-D]'
ok "unifi-os: a knock opens" opens unifi_line 198.51.100.3
ok "unifi-os: of the older form, too" opens unifi_line 198.51.100.4 '[WAN_LOCAL-default-D]'
ok "unifi-os: nothing else does" not said "opened for 198.51.100.[12],"
stop_knockd
is "unifi-os: ends" $? 0
like "unifi-os: a log of an older gateway, replayed with the format left out" \
    "$(knock_by unifi_line 198.51.100.9 '[WAN_LOCAL-default-D]' && sed -i 's/UDM-Pro \[/UDM-Pro kernel: [/; s/TOS=00/TOS=0x00/;
        s/SEQ=.* WINDOW/WINDOW/; s/SYN/RES=0x00 SYN/; s/ MARK=.*/ /' "$LOG" && sed '/format/d' "$CONFIG" >"$WORK/older.conf" &&
        "$KNOCKD" -r "$LOG" -c "$WORK/older.conf" 2>&1)" 'open ssh 198.51.100.9'
done_testing
