#!/bin/bash
# Sealed knocks from behind an address translator: USERS at once, all with one address; source ports that it scatters;
# and FORGED knocks, while a stranger forges packets with the address that they come from.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"
# shellcheck source-path=SCRIPTDIR source=crowd.sh
. "$(dirname "$0")/crowd.sh"
# shellcheck source-path=SCRIPTDIR source=nat.sh
. "$(dirname "$0")/nat.sh"

: "${USERS:=10}" "${FORGED:=20}"

inner_knock() {
    local user=$1
    shift
    knock_as "$user" "$CLIENT-$user" --bind "$CLIENT4" "$@"
}


# together COUNT CARRIER: users 1 to COUNT knock at once, the door being shut; sets served and unknown to how many
# messages that came to.
together() {
    local served_before unknown_before
    shut_all
    served_before=$(counted sealed_served_total) unknown_before=$(counted sealed_unknown_total)
    mark_log
    at_once "$1" inner_knock --carrier "$2" gate
    poll 5 has_counted sealed_served_total $((served_before + $1))
    served=$(($(counted sealed_served_total) - served_before))
    unknown=$(($(counted sealed_unknown_total) - unknown_before))
}

crowds() {
    translate
    for row in "2 udp" "2 tcp" "$USERS udp" "$USERS tcp"; do
        read -r users carrier <<<"$row"
        together "$users" "$carrier"
        is "$users users behind one address, by $carrier: all open" "$(went_well)" "$users"
        is "$users by $carrier: each message is served" "$served" "$users"
        # Of neighbours' pieces there is some noise, not one for each piece.
        ok "$users by $carrier: $unknown mixtures of theirs reach the keeper" [ "$unknown" -le $((4 * users)) ]
        is "$users by $carrier: they share one opening" "$(rules iptables $SERVICE | wc -l)" 1
    done
}

scattered() {
    local mark
    translate --random-fully
    for carrier in udp tcp; do
        mark=$(kernel_time)
        together 1 "$carrier"
        is "a NAT that scatters ports, by $carrier: opens" "$outcomes" 0
        ports=$(span_lines "$mark" "$CLIENT4" | grep -o ' SPT=[0-9]*' | sort -u | wc -l)
        ok "its packets have come from $ports ports" [ "$ports" -ge 14 ]
    done
}

# Two who begin together, where nothing tells their pieces apart: in a later round they don't go out together any more.
# By chance they still may.
two_scattered() {
    for try in 1 2 3 4; do
        shut_all
        at_once 2 inner_knock --carrier udp gate
        diag "two scattered at once, try $try: $outcomes"
        [ "$(went_well)" != 2 ] || return 0
    done
    return 1
}

# A host on another wire, whose packets say that they are the client's.
make_forger() {
    make_host "$1" &&
        ip -n "$GATE" link add eth1 type veth peer name eth0 netns "$1" &&
        ip -n "$GATE" link set eth1 up && ip -n "$1" link set eth0 up &&
        ip -n "$1" address add 198.51.100.9/24 dev eth0 && ip -n "$1" route add "$GATE4" dev eth0 &&
        on_gate sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth1.rp_filter=0
}

forged() {
    local forger=$GATE-forger sent seconds good=0 served_before pid
    make_forger "$forger" || bail "no host to forge packets"
    ip netns exec "$forger" perl "$(dirname "$0")/forge.pl" "$CLIENT4" "$GATE4" "${SPAN%:*}" 1000 >"$WORK/forged" 2>&1 &
    pid=$!
    started $pid
    served_before=$(counted sealed_served_total)
    mark_log
    for i in $(seq "$FORGED"); do
        shut_all
        carrier=tcp
        [ $((i % 2)) = 0 ] || carrier=udp
        at_once 1 knock_as "$CLIENT" --carrier $carrier gate
        good=$((good + $(went_well)))
    done
    stop $pid
    read -r sent _ seconds <"$WORK/forged"
    is "among $sent forged packets in $seconds s: all open" "$good" "$FORGED"
    ok "forged: 1000 packets a second" [ "$sent" -ge $((seconds * 900)) ]
    is "forged: each message is served" $(($(counted sealed_served_total) - served_before)) "$FORGED"
    ok "forged: they came to mixtures" has_counted sealed_mixtures $((sent / 2))
    ok "forged: few lines tell of them" not said "sealed knock from $CLIENT4 refused" 30
}

# One key: each waits for the other, and no time is used twice.
one_key() {
    local served_before replayed_before refused_before
    served_before=$(counted sealed_served_total) replayed_before=$(counted sealed_replayed_total)
    refused_before=$(counted sealed_refused_total)
    at_once 10 same_key blind
    is "ten knocks with one key at once: all are sent" "$(went_well)" 10
    ok "one key: all are served" poll 5 has_counted sealed_served_total $((served_before + 10))
    is "one key: none is replayed" "$(counted sealed_replayed_total)" "$replayed_before"
    is "one key: none is refused" "$(counted sealed_refused_total)" "$refused_before"
}

same_key() {
    shift
    knock_as 1 "$CLIENT" "$@"
}

needs_crowd "$USERS"
make_network "$USERS" || bail "no network behind the client"
one_key
crowds
scattered
ok "two behind a NAT that scatters ports, at once: both open" two_scattered
forged
done_testing
