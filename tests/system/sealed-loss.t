#!/bin/bash
# Sealed knocks over bad networks: a fifth of all packets is lost, a service takes the packets of one slot besides,
# others come late and twice; the gate drops or rejects. Ten users knock at once, KNOCKS of them for each line of the
# table; KNOCKS=100 makes it the whole.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"
# shellcheck source-path=SCRIPTDIR source=crowd.sh
. "$(dirname "$0")/crowd.sh"

: "${KNOCKS:=10}"
users=10

address() {
    echo "192.0.2.$((10 + $1))"
}

user_knock() {
    local user=$1
    shift
    knock_as "$user" "$CLIENT" --bind "$(address "$user")" "$@" gate
}

has_opened() {
    rules iptables $SERVICE | grep -F -- "-s $1/" >"$WORK/rule"
}

# first_round CARRIER LINES: without losses no other round is needed.
first_round() {
    local from mark
    from=$(address 1) mark=$(kernel_time)
    shut_all
    at_once 1 user_knock --carrier "$1" --retries 0
    ok "$1: the first round opens" poll 5 has_opened "$from"
    is "$1: the first round is $2 lines of the kernel's log" "$(span_lines "$mark" "$from" | wc -l)" "$2"
}

# --- the network -----------------------------------------------------------------------------------------------------

# On the way in, so that what is lost isn't logged.
lose() {
    on_gate iptables -t raw -A PREROUTING -i eth+ -m statistic --mode random --probability "$1" -j DROP
}

# The eighth slot of each carrier never gets into the log: its packets are accepted, TCP's by a service that answers.
accept_a_slot() {
    local tcp=$((20000 + 256 * 7)) udp=$((20000 + 64 * 7))
    on_gate iptables -t nat -A PREROUTING -p tcp --dport $tcp:$((tcp + 255)) -j REDIRECT --to-ports $SERVICE &&
        on_gate iptables -I INPUT -p tcp -m conntrack --ctorigdstport $tcp:$((tcp + 255)) -j ACCEPT &&
        on_gate iptables -I INPUT -p udp --dport $udp:$((udp + 63)) -j ACCEPT
}

# From here on the gate answers the packets that it has logged.
reject() {
    on_gate iptables -A INPUT -p tcp -j REJECT --reject-with tcp-reset && on_gate iptables -A INPUT -j REJECT &&
        on_gate iptables -D INPUT -j DROP
}

# A second wire, so slow that what goes there is overtaken by what was sent much later.
slow_wire() {
    ip -n "$GATE" link add eth1 type veth peer name eth1 netns "$CLIENT" &&
        ip -n "$GATE" link set eth1 up && ip -n "$CLIENT" link set eth1 up &&
        on_gate sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0 &&
        ip netns exec "$CLIENT" tc qdisc add dev eth1 root tbf rate 400kbit burst 1600 limit 400000 &&
        ip -n "$CLIENT" route add "$GATE4" dev eth1 table 7 && ip -n "$CLIENT" rule add fwmark 7 table 7
}

# A third of the packets takes the slow wire, half of them are sent twice.
delay_and_double() {
    for proto in udp tcp; do
        on_client iptables -t mangle -A OUTPUT -p $proto --dport "$SPAN" -m statistic --mode random \
            --probability 0.5 -j TEE --gateway "$GATE4" &&
            on_client iptables -t mangle -A OUTPUT -p $proto --dport "$SPAN" -m statistic --mode random \
                --probability 0.33 -j MARK --set-mark 7 || return 1
    done
}

# met HOST TABLE CHAIN REGEX: how many packets the rules that match it have met.
met() {
    ip netns exec "$1" iptables -t "$2" -nvxL "$3" | awk -v regex="$4" '$0 ~ regex { sum += $1 } END { print sum + 0 }'
}

delayed() {
    ip netns exec "$CLIENT" tc -s qdisc show dev eth1 | grep -o 'overlimits [0-9]*' | cut -d' ' -f2
}

# --- knocks ----------------------------------------------------------------------------------------------------------

# knocks CARRIER WHAT: KNOCKS of them, ten at once, each within four rounds. One of a hundred may fail.
knocks() {
    local opened=0 sent=0 began
    began=$(now_ms)
    while [ $sent -lt "$KNOCKS" ]; do
        shut_all
        at_once $users user_knock --carrier "$1" --retries 3
        sent=$((sent + users)) opened=$((opened + $(went_well)))
    done
    diag "$1, $2: $opened of $sent open, $(($(now_ms) - began)) ms in all"
    ok "$1, $2: $opened of $sent open" [ $opened -ge $((sent - (sent + 99) / 100)) ]
}

# late_and_twice CARRIER
late_and_twice() {
    local doubled late
    doubled=$(met "$CLIENT" mangle OUTPUT TEE) late=$(delayed)
    knocks "$1" "20 % lost, a slot accepted, others late and twice, REJECT"
    ok "$1: packets were doubled" [ "$(met "$CLIENT" mangle OUTPUT TEE)" -ge $((doubled + 3 * KNOCKS)) ]
    ok "$1: packets were late" [ "$(delayed)" -ge $((late + KNOCKS)) ]
}

needs_crowd $users
for user in $(seq $users); do
    client_address "$(address "$user")" || bail "no address for user $user"
done
first_round udp 16
first_round tcp 32

if ! lose 0.2 || ! accept_a_slot; then
    bail "no losses"
fi
for carrier in udp tcp; do
    knocks $carrier "20 % lost, a slot accepted, DROP"
done
reject || bail "the gate doesn't reject"
for carrier in udp tcp; do
    knocks $carrier "20 % lost, a slot accepted, REJECT"
done
ok "packets were lost" [ "$(met "$GATE" raw PREROUTING statistic)" -ge $((2 * KNOCKS)) ]
ok "packets of TCP's slot were accepted" [ "$(met "$GATE" filter INPUT ctorigdstport)" -ge "$KNOCKS" ]
ok "packets of UDP's slot were accepted" [ "$(met "$GATE" filter INPUT 'udp dpts:')" -ge "$KNOCKS" ]

if slow_wire && delay_and_double; then
    late_and_twice udp
    late_and_twice tcp
else
    skip "packets that come late and twice" "the kernel lacks tbf, TEE or routes by mark"
fi
is "no message was looked at twice" "$(counted sealed_replayed_total)" 0
ok "few were made of two" [ "$(counted sealed_unknown_total)" -le "$KNOCKS" ]
done_testing
