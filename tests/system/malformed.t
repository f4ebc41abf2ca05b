#!/bin/bash
# Packets that a host discards, sent by hand on a wire that a capture hears: none is a step of a knock. What the
# firewall's own rules see of them shows that the host does discard them.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

number=20
# send_kind KIND: the three steps as captures.pl has them, from an address that hasn't knocked yet: FROM4 or FROM6.
send_kind() {
    number=$((number + 1))
    FROM4=192.0.2.$number FROM6=2001:db8::$number
    perl "$TREE/tests/system/captures.pl" "-4$FROM4,$GATE4" "-6$FROM6,$GATE6" raw "$1" |
        on_client perl "$TREE/tests/system/packets.pl" inject eth0 "$gate_mac"
}

# counted IPTABLES: packets that the firewall's rule has seen from those addresses since the last zero.
counted() {
    on_gate "$1" -L INPUT -v -x -n | awk '$3 == "DROP" { sum += $1 } END { print sum + 0 }'
}

seen_by_firewall() {
    echo $(($(counted iptables) + $(counted ip6tables)))
}

needs_gate
cat >"$CONFIG" <<EOF
user      = "nobody"
state_dir = "$WORK/state" control = "$WORK/control"
source "wire" { type = pcap interface = "eth0" }
door "ssh" {
    sequence      = { "7000", "8000:udp", "9000" }
    start_command = "/bin/true"
    stop_command  = ""
}
EOF
gate_mac=$(on_gate cat /sys/class/net/eth0/address)
# No conntrack: what its own checks leave out would be no proof.
for tables in iptables ip6tables; do
    on_gate $tables -A INPUT -p tcp --dport 7000:9000 -j DROP || bail "no firewall"
    on_gate $tables -A INPUT -p udp --dport 8000 -j DROP || bail "no firewall"
done
starts "starts"
damaged=0

# damaged: what knockctl sources counts as such.
damaged() {
    "$KNOCKCTL" sources --json -s "$WORK/control" | grep -o '"damaged": *[0-9]*' | grep -o '[0-9]*$'
}

damaged_are() {
    [ "$(damaged)" = "$1" ]
}

# KIND | packets that the firewall sees: 0, or some, which the host discards behind it | packets that count as damaged: none
# of those that the filter already finds no port in
while IFS='|' read -r kind firewall wrong; do
    on_gate iptables -Z INPUT
    on_gate ip6tables -Z INPUT
    send_kind "$kind"
    damaged=$((damaged + wrong))
    poll 2 damaged_are $damaged
    is "$kind: knockctl sources counts it as damaged" "$(damaged)" $damaged
    [ "$firewall" = some ] || is "$kind: the firewall doesn't see it" "$(seen_by_firewall)" 0
done <<EOF
sum|0|3
beyond|0|3
beyond6|0|3
ihl|0|0
ihl15|0|0
total0|0|3
route|0|3
strict|0|3
option|0|3
first|0|0
first6|some|0
later|0|0
offset4|some|2
offset15|some|2
offset6|some|2
length7|some|1
length41|some|1
length6|some|1
synfin|some|0
synrst|some|0
from127|0|0
fromgroup|0|0
fromall|0|0
fromlo6|0|0
mapped6|some|0
fromgroup6|0|0
route6|some|3
option6|0|3
jumbo6|0|3
hop6|some|3
EOF
for kind in ttl0 hops0 routed6 knock knock6; do
    on_gate iptables -Z INPUT
    on_gate ip6tables -Z INPUT
    send_kind $kind
    case $kind in
    *6 | hops0) ok "$kind: a host takes that, it opens" says "opened for $FROM6" ;;
    *) ok "$kind: a host takes that, it opens" says "opened for $FROM4" ;;
    esac
    ok "$kind: the firewall sees it" test "$(seen_by_firewall)" -gt 0
done
is "no malformed packet opened anything" "$(said_lines 'opened for' | wc -l)" 5
send_kind offset4
why_tells() {
    "$KNOCKCTL" why "$FROM4" -s "$WORK/control" | grep -q "7000:tcp .*: ignored, malformed: a host discards it"
}
ok "knockctl why tells of one" poll 5 why_tells
stop_knockd

# A SYN where nothing is opened by a sequence.
mkdir -m 700 "$WORK/keys"
printf 'key = "%064d"\nserver = "gate"\n' 7 >"$WORK/keys/alice.key"
chmod 600 "$WORK/keys/alice.key"
sed -i '/^door/,$d' "$CONFIG"
cat >>"$CONFIG" <<EOF
key_dir = "$WORK/keys"
sealed { server = "gate" }
door "ssh" { key = { alice } start_command = "/bin/true" stop_command = "" }
EOF
starts "starts without a sequence"
send_kind knock
why_has_none() {
    "$KNOCKCTL" why "$FROM4" -s "$WORK/control" | grep -q "7000:tcp .*: ignored, no door has a sequence\(; \|$\)"
}
ok "knockctl why: no door has a sequence" poll 5 why_has_none
stop_knockd
done_testing
