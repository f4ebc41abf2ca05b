#!/bin/bash
# A door's life, from packets on the wire to rules in the kernel: for IPv4 and IPv6, read from the kernel's own log and
# from the file that a syslog daemon writes.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

right=(7412 28733:udp 51990)
open_for=600 # seconds: as long as the test wants a door open
closes_in=2  # seconds, once it wants it closed

write_config() {
    configure "$1" <<EOF
door "ssh" {
    sequence    = { 7412, 28733:udp, 51990 }
    port        = 2222
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    cmd_timeout = $open_for
}
door "inner" {
    sequence = { 40112, 17001, 33200:udp }
    allow    = { "198.51.100.0/24", "2001:db8:1::/48" }
    rule     = "INPUT -s %IP% -p tcp --dport 2223 -j ACCEPT"
}
EOF
}

rules_for() {
    rules $iptables | grep -F -- " -s $1/"
}

closed_for() {
    [ -z "$(rules_for "$1")" ]
}

# Root's own lines in the kernel's log: it marks them as not its own, which a file no longer tells.
forged_knock() {
    local step
    for step in "${right[@]}"; do
        packet_line "$client" "$step"
        echo "<4>${LINE#*4711.123456] }" >/dev/kmsg
    done
}

# What must not open comes from the client, and then the right knock from the stranger: lines are read in their order,
# so once the stranger is in, all has been judged that came before.
wrong_knocks() {
    send_knock "$client" "$gate" 28733:udp 7412 51990
    send_knock "$client" "$gate" 7412 28733:tcp 51990
    send_knock "$client" "$gate" 7412:udp 28733:udp 51990
    send_knock "$client" "$gate" 7412 28733:udp 40000 51990
    send_knock "$client" "$gate" 7412 28733:udp
    [[ $name != *kmsg ]] || forged_knock
    send_knock "$stranger" "$gate" "${right[@]}"
    ok "$name: the right knock opens" says "door ssh: opened for $stranger, closes in $open_for s"
    is "$name: its rule, as configured, the first" "$(on_gate $iptables -S INPUT | sed -n 2p)" \
        "-A INPUT -s $stranger/$bits -p tcp -m tcp --dport 2222 -m comment --comment \"knockd ssh\" -j ACCEPT"
    ok "$name: its address gets in" can_connect -s "$stranger" "$gate" 2222
    ok "$name: wrong order, wrong protocol, a stray, too few, forged: not in" not can_connect -w 0.2 "$gate" 2222
    ok "$name: nor is anything said of them" not said "for $client"
}

reloaded_times() {
    [ "$(grep -c '^knockd: reloaded' "$KNOCKD_LOG")" -ge "$1" ]
}

# lasts SECONDS: reloaded, doors that a knock opens or extends from now on have this time.
lasts() {
    local before
    before=$(grep -c '^knockd: reloaded' "$KNOCKD_LOG")
    sed -i "s/\(cmd_timeout = \)[0-9]*/\1$1/" "$CONFIG"
    kill -HUP "$KNOCKD_PID"
    poll 5 reloaded_times $((before + 1))
}

extended_knock() {
    local begun
    send_knock "$client" "$gate" "${right[@]}"
    ok "$name: after wrong ones the right knock opens" says "door ssh: opened for $client,"
    ok "$name: a connection" hold_connection "$gate" 2222 "$client"
    send_knock "$client" "$gate" "${right[@]}"
    ok "$name: a second knock extends" says "door ssh: extended for $client, closes in $open_for s"
    is "$name: and inserts nothing" "$(rules_for "$client" | wc -l)" 1
    ok "$name: a reload to a short time" lasts $closes_in
    begun=$(now_ms)
    send_knock "$client" "$gate" "${right[@]}"
    ok "$name: the next knock has that" says "door ssh: extended for $client, closes in $closes_in s"
    ok "$name: closes" poll 5 closed_for "$client"
    begun=$(($(now_ms) - begun))
    ok "$name: in time ($begun ms)" \
        test $begun -ge $((closes_in * 1000)) -a $begun -le $((closes_in * 1000 + HELD_UP))
    ok "$name: says so" says "door ssh: closed for $client \(sequence\): its time is over$"
    ok "$name: the stranger's is open still" rules_for "$stranger"
    send_knock "$stranger" "$gate" "${right[@]}"
    ok "$name: the stranger's is closed too" poll 3 closed_for "$stranger"
    ok "$name: a reload to a long time" lasts $open_for
    ok "$name: new connections are kept out" not can_connect -w 0.2 "$gate" 2222
    ok "$name: the established one lives on" still_talks
    let_go
}

family() {
    family=$1 name="IPv$1, $2" gate=GATE$1 gate=${!gate} client=CLIENT$1 client=${!client}
    iptables=iptables stranger=192.0.2.77 bits=32
    [ "$family" = 4 ] || iptables=ip6tables stranger=2001:db8::77 bits=128
    mark_log
    ok "$name: closed before" not can_connect -w 0.2 "$gate" 2222
    wrong_knocks
    extended_knock
    send_knock "$client" "$gate" 40112 17001 33200:udp
    ok "$name: refused, and why" says "door inner: refused $client: not in its list of allowed networks"
    is "$name: refused means no rule" "$(rules $iptables 2223)" ""
}

# The end, with doors open in both families.
ending() {
    mark_log
    send_knock "$CLIENT4" "$GATE4" "${right[@]}"
    send_knock "$CLIENT6" "$GATE6" "${right[@]}"
    ok "$1: IPv4 open" says "opened for $CLIENT4,"
    ok "$1: IPv6 open" says "opened for $CLIENT6,"
    stop_knockd
    is "$1: SIGTERM: exit status" $? 0
    is "$1: no rule left" "$(rules iptables)$(rules ip6tables)" ""
    ok "$1: says what it does" said "stopping on SIGTERM: closing 2 open doors"
    ok "$1: says each" said "door ssh: closed for ($CLIENT4|$CLIENT6) \(sequence\): knockd stops$" 2
    is "$1: last line" "$(tail -n 1 "$KNOCKD_LOG")" "knockd: stopped"
}

by() {
    write_config "$2"
    starts "$1: starts"
    ok "$1: says that it is ready" said "^knockd: ready: 2 doors, 1 source, sandbox "
    family 4 "$1"
    family 6 "$1"
    ending "$1"
}

needs_gate
client_address 192.0.2.77 2001:db8::77
{ firewall4 && firewall6 && serve 2222; } || bail "no firewall or no service"
by kmsg "type = kmsg"
if private_rsyslogd "$KERN_LOG" 2>"$WORK/why"; then
    by file "type = file path = \"$KERN_LOG\""
else
    skip "by a file" "no rsyslogd: $(tail -n 1 "$WORK/why")"
fi
done_testing
