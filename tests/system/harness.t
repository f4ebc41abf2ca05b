#!/bin/bash
# What the other system tests stand on: hosts, firewall, log, service, connections, and that nothing is left behind.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

logged() {
    [ -n "$(kernel_lines "$1")" ]
}

# A child that made hosts and is done, by exit or by signal: what it left.
leavings() {
    local log=$WORK/child.$1 child
    bash -c '. "$1/scripts/netns.sh"
        netns_begin; make_hosts && firewall4 && serve 2222 || exit 9
        echo "$WORK" "$GATE"; [ "$2" = exit ] && exit 3; sleep 20 & started $!; wait' \
        child "$TREE" "$1" >"$log" 2>&1 &
    child=$!
    started $child
    poll 5 grep -q gate "$log" || { echo "the child did not come up: $(cat "$log")"; return; }
    [ "$1" = exit ] || kill -"$1" $child
    wait $child
    echo "status $?"
    read -r dir host <"$log"
    ip netns list | grep -o "$host"
    ls -d "$dir" 2>/dev/null
    ls "$nf_log_dir"/holder."$child" 2>/dev/null
}

# The switch after: this holds it, another too, the other is done, this is done; and what is left. On files of its own,
# so that tests running beside this one don't matter.
switching() {
    nf_log_dir=$WORK/holders nf_log_switch=$WORK/switch
    export nf_log_dir nf_log_switch
    echo 0 >"$nf_log_switch"
    nf_log_hold
    cat "$nf_log_switch"
    bash -c 'dir=$nf_log_dir switch=$nf_log_switch
        . "$0/scripts/netns.sh"
        nf_log_dir=$dir nf_log_switch=$switch
        nf_log_hold; cat "$switch"; nf_log_release; cat "$switch"' "$TREE"
    echo 4711 >"$nf_log_dir/holder.99999999"
    nf_log_release
    cat "$nf_log_switch"
    ls "$nf_log_dir"
}

# A process that ended and that its parent, which sleeps, never reaps: its number is in WORK/zombie. Not for a subshell,
# whose parent would outlive this test, and prove would wait for it.
make_zombie() {
    perl -e 'my $child = fork // die; exit unless $child; $| = 1; print "$child\n"; sleep 60' >"$WORK/zombie" &
    started $!
    poll 5 [ -s "$WORK/zombie" ]
}

# What another user may do with a program of ours, wherever the tree lies.
runs_for_others() {
    setpriv --reuid=65534 --regid=65534 --clear-groups "$1" --help
}

needs_hosts

for family in 4 6; do
    gate=GATE$family gate=${!gate} client=CLIENT$family client=${!client}
    other=192.0.2.77
    iptables=iptables
    [ $family = 4 ] || other=2001:db8::77 iptables=ip6tables

    ok "IPv$family: the wire is there" on_client grep -q up /sys/class/net/eth0/operstate
    can_connect "$gate" 2223
    is "IPv$family: without a firewall and a service, refused" $? 2
    ok "IPv$family: firewall" "firewall$family"
    can_connect -w 0.2 "$gate" 2222
    is "IPv$family: behind the firewall, no answer" $? 1
    ok "IPv$family: the denied packet is in the kernel's log" poll 2 logged "SPT="
    [ $family = 6 ] || ok "a service" serve 2222

    ok "IPv$family: another address for the client" client_address $other
    send_knock $other "$gate" 28733:udp
    source=$other
    [ $family = 4 ] || source=2001:0db8:0000:0000:0000:0000:0000:0077
    poll 2 logged "SRC=$source "
    like "IPv$family: a knock from there is logged" "$(kernel_lines "SRC=$source ")" "PROTO=UDP SPT=[0-9]+ DPT=28733 "

    on_gate $iptables -I INPUT -s "$client" -p tcp --dport 2222 -j ACCEPT
    ok "IPv$family: an open door lets the client in" can_connect "$gate" 2222
    ok "IPv$family: and nobody else" not can_connect -w 0.2 -s $other "$gate" 2222
    hold_connection "$gate" 2222
    on_gate $iptables -D INPUT -s "$client" -p tcp --dport 2222 -j ACCEPT
    ok "IPv$family: an established connection lives on when the door is closed" still_talks
    let_go
done

if rsyslog_unpack 2>"$WORK/unpack"; then
    for format in traditional iso; do
        private_rsyslogd "$WORK/$format.log" $format || diag "$(cat "$WORK"/rsyslogd.*/log)"
        port=$((40000 + RANDOM % 10000))
        send_knock - "$GATE4" "$port"
        poll 5 grep -q "DPT=$port " "$WORK/$format.log"
        case $format in
        traditional) head='^[A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [^ ]+ kernel: ' ;;
        iso) head='^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+[+-][0-9:]+ [^ ]+ kernel: ' ;;
        esac
        like "rsyslogd writes the line, $format" "$(grep "DPT=$port " "$WORK/$format.log")" "$head"
    done
else
    tap_result 0 "rsyslogd writes the line, traditional # SKIP $(tail -n 1 "$WORK/unpack")"
    tap_result 0 "rsyslogd writes the line, iso # SKIP"
fi

make_zombie
zombie=$(cat "$WORK/zombie")
ok "a process that nobody reaps is gone" poll 5 process_gone "$zombie"
ok "one that lives isn't" not process_gone $$
for program in "$KNOCKD" "$KNOCK" "$KNOCKCTL"; do
    ok "any user can run ${program##*/}" runs_for_others "$program"
done

is "a host's end leaves nothing" "$(leavings exit)" "status 3"
is "nor does one by SIGTERM" "$(leavings TERM)" "status 143"
is "the log's switch: on while held, by this or by another; killed holders don't count; then as before" \
    "$(switching | xargs)" "1 1 1 0 lock"
done_testing
