#!/bin/bash
# The recipes of etc/examples for a host's own firewall: iptables, IPv6 alone, sets of nft and of ipset.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/recipe.sh
. "$(dirname "$0")/recipes/recipe.sh"

opened_for() {
    local set=knock4
    [[ $1 != *:* ]] || set=knock6
    case $by in
    nft) on_gate nft list set inet filter $set | grep -F " $1 " ;;
    ipset) on_gate ipset list $set | grep -F "$1 " ;;
    rules)
        on_gate iptables -S INPUT | grep -F -- "-s $1/"
        on_gate ip6tables -S INPUT | grep -F -- "-s $1/"
        ;;
    esac
}

apply() {
    on_gate nft flush ruleset
    ok "$1: the commands of its head" on_gate sh -ec "$(commands_of "$1")"
}

# An administrator's first idea, and why it is none.
foreign_accept() {
    on_gate iptables -I INPUT -p tcp --dport 22 -j ACCEPT
    ok "nftables-set: an accept in another table opens nothing" not can_connect -w 0.2 "$GATE4" 22
    on_gate iptables -D INPUT -p tcp --dport 22 -j ACCEPT
}

# ends_early: opened or extended for a short time, and killed at once; false where a busy machine let it close before.
ends_early() {
    local begun
    knocks_for_short ssh
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    not said "door ssh: closed for $knocker .*: its time is over"
}

# killed NAME: without knockd the set closes by itself.
killed() {
    local try
    recipe_family 6
    lasts $OPEN_FOR
    mark_log
    knock_from "$knocker"
    ok "$1: open" says "door ssh: opened for $knocker,"
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    ok "$1: knockd killed: still open" can_connect -s "$knocker" "$gate" 22
    starts "$1: starts, with the door open"
    lasts $CLOSES_IN
    for try in 1 2 3 4 5; do
        [ $try = 1 ] || start_knockd "$CONFIG"
        ! ends_early || break
        diag "knockd closed before its end in try $try"
    done
    ok "$1: knockd killed: the kernel closes" poll 5 closed_for "$knocker"
    ok "$1: knockd killed: closed" not can_connect -w 0.2 -s "$knocker" "$gate" 22
}

by=rules
recipe_hosts
command -v nft >/dev/null || skip_all "needs the command nft; see scripts/deps.sh"
serve 22 || bail "no service"

recipe iptables
apply iptables
starts "iptables: starts"
door_lives iptables 4 ssh 22 1
door_lives iptables 6 ssh 22 1
ends_closed iptables 4 ssh
heals "iptables, flushed" 4 ssh on_gate iptables -F INPUT

recipe ipv6-only
apply ipv6-only
starts "ipv6-only: starts"
door_lives ipv6-only 6 ssh 22 1
ends_closed ipv6-only 6 ssh

# One sequence opens, another closes.
recipe open-close
apply open-close
starts "open-close: starts"
recipe_family 4
for _ in 1 2 3; do
    mark_log
    knock_from "$KNOCKER4"
    ok "open-close: a knock" says "door ssh: (opened for $KNOCKER4|$KNOCKER4 knocked; it is open already)"
done
is "open-close: one rule after three" "$(opened_for "$KNOCKER4" | wc -l)" 1
ok "open-close: open" can_connect -s "$KNOCKER4" "$GATE4" 22
mark_log
send_knock "$KNOCKER4" "$GATE4" 52091 28834:udp 41113
ok "open-close: the other sequence closes" says "door ssh: closed for $KNOCKER4"
ok "open-close: closed once is closed" not opened_for "$KNOCKER4"
ok "open-close: ends" stop_knockd

by=nft
recipe nftables-set
apply nftables-set
starts "nftables-set: starts"
foreign_accept
door_lives nftables-set 4 ssh 22 1
door_lives nftables-set 6 ssh 22 1
ends_closed nftables-set 4 ssh
starts "nftables-set: starts again"
killed nftables-set
heals "nftables-set, loaded again" 6 ssh on_gate nft -f "$RECIPES/nftables-set.nft"

by=ipset
if ! on_gate ipset create knock hash:ip 2>/dev/null; then
    skip "ipset" "the kernel has no ipset"
    done_testing
    exit
fi
recipe ipset
apply ipset
starts "ipset: starts"
door_lives ipset 4 ssh 22 1
door_lives ipset 6 ssh 22 1
ends_closed ipset 4 ssh
starts "ipset: starts again"
killed ipset
heals "ipset, flushed" 6 ssh on_gate ipset flush knock6
done_testing
