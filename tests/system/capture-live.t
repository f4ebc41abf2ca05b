#!/bin/bash
# What tcpdump captures of knocks opens in a replay what a capture source opened meanwhile, by each kind of link that it
# writes here; and the packets are those of the firewall's log.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

command -v tcpdump >/dev/null || skip_all "no tcpdump"

# dump NAME ARGUMENT...: tcpdump on the gate, into NAME.pcap, from now on.
dump() {
    local name=$1
    shift
    on_gate tcpdump -U -Z root -w "$WORK/$name.pcap" "$@" 2>"$WORK/$name.says" &
    started $!
    dumps+=($!)
    poll 5 grep -q 'listening on' "$WORK/$name.says" || diag "$(cat "$WORK/$name.says")"
}

# replayed NAME: doors and addresses of that capture.
replayed() {
    "$KNOCKD" -r "$WORK/$1.pcap" -c "$CONFIG" | sed -n 's/^[^ ]*Z open //p'
}

# packets CAPTURE|LOG: from the client, TCP and UDP alone.
packets() {
    "$KNOCKD" -r "$1" --packets | grep -E $'^(TCP|UDP)\t'"($CLIENT4|$CLIENT6|192.0.2.1[12])"$'\t' | sort
}

needs_gate
cat >"$CONFIG" <<EOF
user      = "nobody"
state_dir = "$WORK/state" control = "$WORK/control"
source "wire" {
    type = pcap
    interface = "eth0"
}
door "ssh" {
    sequence    = { "7412", "28733:udp", "51990" }
    interface   = "eth0"
    rule        = "INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT"
    cmd_timeout = 300
}
EOF
ok "the firewall" firewall4
ok "the firewall, IPv6" firewall6
dumps=()
dump ethernet -i eth0
dump any -i any
dump any1 -i any -y LINUX_SLL
dump ns --time-stamp-precision=nano -i eth0
starts "starts"
send_knock - "$GATE4" 7412 28733:udp 51990
send_knock - "$GATE6" 7412 28733:udp 51990
client_address 192.0.2.11 192.0.2.12
send_knock 192.0.2.11 "$GATE4" 7412 443 444 28733:udp 51990
send_knock 192.0.2.12 "$GATE4" 7412 28733:udp 28734:udp 51990
for address in "$CLIENT4" "$CLIENT6" 192.0.2.11; do
    ok "live: opens for $address" says "opened for $address,"
done
is "live: a scan opens nothing" "$(said_lines 'opened for 192.0.2.12,')" ""
expected="ssh $CLIENT4
ssh $CLIENT6
ssh 192.0.2.11"
for name in ethernet any any1 ns; do
    ok "$name: it is captured" poll 5 eval "$KNOCKD -r $WORK/$name.pcap --packets 2>/dev/null | grep -q '192.0.2.12.*51990'"
done
for pid in "${dumps[@]}"; do
    kill "$pid"
    wait "$pid" 2>/dev/null
done
for name in ethernet any any1 ns; do
    is "$name: a replay opens the same" "$(replayed $name)" "$expected"
done
like "nanoseconds" "$("$KNOCKD" -r "$WORK/ns.pcap" -c "$CONFIG" | head -1)" '^[0-9T:-]+\.[0-9]{9}Z open'

dmesg | grep -F "$LOG_PREFIX" >"$WORK/kernel.log"
ok "the firewall logged them" test -s "$WORK/kernel.log"
is "the packets are those of the log" "$(packets "$WORK/ethernet.pcap")" "$(packets "$WORK/kernel.log")"
is "there are some of each knock" "$(packets "$WORK/ethernet.pcap" | cut -f2 | sort -u | wc -l)" 4
stop_knockd
done_testing
