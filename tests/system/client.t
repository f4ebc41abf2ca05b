#!/bin/bash
# The client with profiles, as a user without any privilege: what arrives at the gate, waiting for the port, commands,
# ssh's ProxyCommand.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"

begin_client
SSH=b72be2 # BLAKE2b of "ssh"

# --- carriers: options | source | packets | message ------------------------------------------------------------------
while IFS='|' read -r options source packets expected; do
    # shellcheck disable=SC2086 # words are meant
    knock $options
    is "$options: exits 0" "$STATUS:$ERR" 0:
    is "$options: packets" "$(count) from $(source_ports)" "$packets"
    is "$options: the message" "$(message "$source")" "$expected"
done <<TABLE
blind|$CLIENT4|24 from 1|udp bound 1 $SSH 0 0 -
--carrier tcp blind|$CLIENT4|48 from 1|tcp bound 1 $SSH 0 0 -
--carrier packet blind|$CLIENT4|2 from 2|packet bound 1 $SSH 0 0 -
--for 2001:db8::77 blind|$CLIENT4|36 from 1|udp-long bound 1 $SSH 0 0 2001:db8::77
--for 203.0.113.7 --carrier packet blind|$CLIENT4|2 from 2|packet bound 1 $SSH 0 0 203.0.113.7
blind6|$CLIENT6|24 from 1|udp bound 1 $SSH 300 0 -
--carrier tcp blind6|$CLIENT6|48 from 1|tcp bound 1 $SSH 300 0 -
--carrier packet blind6|$CLIENT6|2 from 2|packet bound 1 $SSH 300 0 -
--bind any blind|$CLIENT4|24 from 1|udp any 1 $SSH 0 0 -
--bind any blind6|$CLIENT6|24 from 1|udp any 1 $SSH 300 0 -
--bind 198.51.100.9 blind|198.51.100.9|24 from 1|udp bound 1 $SSH 0 0 -
--close --ask-port 443 blind|$CLIENT4|24 from 1|udp bound 2 $SSH 0 443 -
--seconds 1h --ask-port 80 blind|$CLIENT4|24 from 1|udp bound 1 $SSH 3600 80 -
-k $KEY $GATE4 ssh|$CLIENT4|24 from 1|udp bound 1 $SSH 0 0 -
-k $KEY --carrier tcp $GATE6 ssh|$CLIENT6|48 from 1|tcp bound 1 $SSH 0 0 -
TABLE

knock --span 15000 blind
is "--span moves the ports" "$(message "$CLIENT4" 15000)" "udp bound 1 $SSH 0 0 -"
knock --carrier packet --packet-port 443 blind
is "--packet-port" "$(arrived | cut -d' ' -f4 | sort -u)" 443
is "one packet: the message, nothing more, and the same twice" "$(arrived | cut -d' ' -f5 | xargs):$(arrived | cut -d' ' -f6 | sort -u | wc -l)" "32 32:1"
knock blind
is "any 16 of UDP's packets tell the message" \
    "$(arrived | shuf -n 16 | unseal "$CLIENT4" | cut -d' ' -f5)" $SSH
is "15 don't" "$(arrived | shuf -n 15 | unseal "$CLIENT4")" ""
knock -v blind
is "-v names each packet" "$(grep -c '^hitting udp' <<<"$OUT")" 24
like "-v names the door and the address" "$OUT" "^sealed for door ssh, bound to $CLIENT4"

# From an address of ours that isn't the kernel's choice, the packets come from it, too.
client_address 192.0.2.7
knock --bind 192.0.2.7 blind
is "--bind ADDRESS: packets from it" "$(arrived | cut -d' ' -f2 | sort -u)" 192.0.2.7

# --- the port --------------------------------------------------------------------------------------------------------
for way in "udp 16" "tcp 32" "packet 1"; do
    read -r carrier lines <<<"$way"
    open_after "$lines"
    knock --carrier "$carrier" ssh
    shut_again
    is "$carrier: opened after its first round" "$STATUS:$ERR" 0:
    is "$carrier: says which port" "$OUT" "port $SERVICE of $GATE4 is open"
    is "$carrier: round 0 is $lines packets, and there was no other" "$(count)" "$lines"
done
is "the port is asked for" "$(message)" "packet bound 1 $SSH 0 $SERVICE -"
open_after 16
knock ssh6
shut_again
is "IPv6: opened" "$STATUS:$OUT" "0:port $SERVICE of $GATE6 is open"
open_after 24
knock ssh
shut_again
is "opened after parity: exits 0" "$STATUS" 0
is "opened after parity: two rounds, each from a port of its own" "$(count) from $(source_ports)" "40 from 2"
open_after 3
knock plain
shut_again
is "a sequence: opened" "$STATUS:$OUT" "0:port $SERVICE of $GATE4 is open"
# All of it again where the port was slow to answer.
like "a sequence: each step once, in order" "$(arrived | cut -d' ' -f1,4 | xargs)" \
    "^tcp 7000 udp 8000 tcp 9000( tcp 7000 udp 8000 tcp 9000)?$"

knock --carrier packet ssh
is "shut, one packet: four times the same, each from a port of its own" \
    "$STATUS:$(count) from $(source_ports):$(arrived | cut -d' ' -f4,6 | sort -u | wc -l)" "2:4 from 4:1"
like "shut, one packet: says what takes it" "$ERR" "the server may not hear single packets: that takes a source of type nflog"

# All rounds, until none is left; or the time that is given, while each packet is answered by a RST.
while read -r reject option packets ports each; do
    [ "$reject" = - ] || on_gate iptables -I INPUT -p tcp --dport 20000:32287 -j REJECT --reject-with "$reject"
    began=$(now_ms)
    knock --carrier tcp "$option" ssh
    is "shut, $reject: exits 2" "$STATUS" 2
    is "shut, $reject: rounds of 32, 48, 48 ..., each from a port of its own" "$(count) from $(source_ports)" "$packets from $ports"
    is "shut, $reject: how many packets how often" \
        "$(arrived | cut -d' ' -f4 | sort | uniq -c | awk '{ print $1 }' | sort | uniq -c | xargs)" "$each"
    like "shut, $reject: says so, and what to do" "$ERR" \
        "^knock: sent, but port $SERVICE of $GATE4 did not answer within [1-9] s; .*knockctl why $CLIENT4"
    is "shut, $reject: waits meanwhile" $(($(now_ms) - began >= 2000)) 1
    is "shut, $reject: the port is tried, but not all the time" \
        "$(tail -n +$((FROM + 1)) "$TAP" | awk -v p=$SERVICE '$4 == p' | wc -l | awk '{ print ($1 >= 5 && $1 < 60) }')" 1
    [ "$reject" = - ] || on_gate iptables -D INPUT -p tcp --dport 20000:32287 -j REJECT --reject-with "$reject"
done <<TABLE
- --retries=3 176 4 16 3 32 4
tcp-reset --timeout=3 128 3 16 2 32 3
TABLE

# A service accepts what was meant to be a slot: the packets of the second round go out all the same.
on_gate iptables -t nat -A PREROUTING -p tcp --dport 20000:32287 -j REDIRECT --to-ports $SERVICE
on_gate iptables -I INPUT -p tcp -m conntrack --ctorigdstport 20000:32287 -j ACCEPT
knock --carrier tcp --timeout 3 ssh
is "accepted by a service: rounds of 32, 48, 48" "$(count) from $(source_ports)" "128 from 3"
is "accepted by a service: that isn't the port" "$STATUS" 2
on_gate iptables -D INPUT -p tcp -m conntrack --ctorigdstport 20000:32287 -j ACCEPT
on_gate iptables -t nat -F

# On one machine it accepts before connect() returns; no connection may be left to end in its own time.
connections() {
    # shellcheck disable=SC2016 # awk's own
    on_client awk 'NR > 1 && $4 != "0A" && $3 !~ /:0000$/' /proc/net/tcp | wc -l
}
on_client iptables -t nat -A OUTPUT -p tcp -d 127.0.0.1 --dport 20000:32287 -j REDIRECT --to-ports $SERVICE
: >"$WORK/serve.client"
ip netns exec "$CLIENT" perl "$peer" serve $SERVICE </dev/null >"$WORK/serve.client" 2>&1 &
started $!
poll 5 grep -q '^listening' "$WORK/serve.client"
before=$(connections)
knock -k "$KEY" --carrier tcp 127.0.0.1 ssh
is "accepted at once: no connection stays" "$STATUS:$(connections)" "0:$before"
on_client iptables -t nat -F

on_gate iptables -I INPUT -p udp -j REJECT
knock blind
is "UDP rejected by ICMP: all packets" "$STATUS:$(count)" 0:24
on_gate iptables -D INPUT -p udp -j REJECT

knock --retries 0 --timeout 2 ssh
is "time is left: other messages" "$STATUS $(($(source_ports) >= 3))" "2 1"
times() {
    arrived | awk '{ print $3 }' | sort -u | while read -r port; do
        arrived | awk -v port="$port" '$3 == port' | unseal "$CLIENT4" | cut -d' ' -f3
    done
}
is "time is left: each with a time of its own" "$(times | wc -l)" "$(times | sort -u | wc -l)"

# --- commands and proxies --------------------------------------------------------------------------------------------
# shellcheck disable=SC2016 # expanded there
knock blind -- sh -c 'echo "$0 $1"; exit 7' "a b" -v
is "-- COMMAND: its output alone, its exit status" "$OUT:$STATUS" "a b -v:7"
knock --retries 0 ssh -- echo no
is "-- COMMAND isn't run when the port stays shut" "$STATUS:$OUT" 2:
knock blind -- /nowhere/command
is "a COMMAND that isn't there" "$STATUS:$ERR" "127:knock: cannot run /nowhere/command: No such file or directory"

# Not only what fits into buffers.
head -c 1000000 /dev/urandom >"$WORK/bytes"
for host in ssh $GATE4; do
    open_after 16
    as_user timeout 20 "$KNOCK" --proxy ssh "$host" $SERVICE <"$WORK/bytes" >"$WORK/back" 2>"$WORK/err"
    is "--proxy ssh $host: exits 0" "$?:$(cat "$WORK/err")" 0:
    shut_again
    ok "--proxy ssh $host: what comes back is what went, to its end" cmp "$WORK/bytes" "$WORK/back"
done
knock --timeout 1 --proxy ssh ssh $SERVICE
is "--proxy: nothing but the connection on standard output" "$STATUS:$OUT" 2:
knock --proxy ssh "$GATE6" $SERVICE
is "--proxy: a host of the other family" "$STATUS:$(count)" 1:0
like "--proxy: a host of the other family is told" "$ERR" "^knock: cannot resolve \"$GATE6\" to an IPv4 address"

# --- what takes long -------------------------------------------------------------------------------------------------
on_terminal() {
    script -qec "ip netns exec $CLIENT ${UNPRIVILEGED[*]} $KNOCK $*" /dev/null </dev/null
}
seen=$(on_terminal --timeout 2 ssh)
like "a terminal sees what is waited for" "$seen" $'\r\033\\[Kwaiting for port 2222 of 192.0.2.1, round 2 of 4, 1 s'
like "so it does of a pause between packets" "$(on_terminal -d 1500 $GATE4 7000 7001)" \
    $'\r\033\\[Kknocking at 192.0.2.1, 1 s\r\033\\[K'
like "and without a port to wait for" "$(on_terminal -d 1500 --carrier packet --retries 1 blind)" \
    $'\r\033\\[Ksending to 192.0.2.1, 1 s\r\033\\[K'
like "the line is gone before the next" "$seen" $' [0-9] s\r\033\\[Kknock: sent, but'
narrow=$(script -qec "stty cols 30; ip netns exec $CLIENT ${UNPRIVILEGED[*]} $KNOCK --timeout 3 ssh" /dev/null </dev/null)
like "a narrow terminal sees what fits on its line" "$narrow" $'\r\033\\[Kwaiting for port 222, 1 s\r'
knock --timeout 2 ssh
is "elsewhere there is none" "$(grep -c $'\r' "$WORK/err")" 0

done_testing
