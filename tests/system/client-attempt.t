#!/bin/bash
# What an attempt does when something comes in between: the network goes and comes back, sequences are used up, names
# and STUN servers are slow, one family's port is open already, files are wrong though they aren't needed yet.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"

begin_client
cat >>"$CONF/knock.conf" <<TABLE
profile "few"  { host = $GATE4  once = "once"  port = $SERVICE  timeout = 6  retries = 0 }
profile "both" { host = gate.test  door = "ssh"  key = "gate.key"  port = $SERVICE  family = both }
TABLE
own_home

# sequences N: N one-time sequences, of the ports from 7001 on.
sequences() {
    seq 7001 $((7000 + $1)) >"$CONF/once"
    own_home
}

used() {
    grep -c '^#' "$CONF/once"
}

# lose_network: for two seconds, when the first packet has come.
lose_network() {
    ip -n "$CLIENT" route add unreachable $GATE4/32 && sleep 2 && ip -n "$CLIENT" route del unreachable $GATE4/32
}

# --- the network is away for a while ---------------------------------------------------------------------------------
sequences 60
in_time 1 lose_network
knock few
wait "$opener"
is "the network goes and comes back: not open" "$STATUS" 2
is "no sequence is used up but those that arrived" "$(used)" "$(count)"
is "in their order" "$(arrived | cut -d' ' -f4 | xargs)" "$(seq 7001 $((7000 + $(count))) | xargs)"
ok "it goes on afterwards" [ "$(count)" -ge 4 ]
is "what can't be sent is told once" "$(grep -c '^knock: cannot send to tcp ' <<<"$ERR")" 1
in_time 16 lose_network
knock --retries 0 --timeout 6 ssh
wait "$opener"
is "a sealed knock: the same" "$STATUS:$(grep -c '^knock: cannot send to udp ' <<<"$ERR")" 2:1
ok "a sealed knock: it goes on afterwards" [ "$(count)" -ge 64 ]
ok "a sealed knock: no more than there is time for" [ "$(count)" -le $((16 * 14)) ]
in_time 16 lose_network
in_time 48 on_gate iptables -I INPUT -p tcp --dport $SERVICE -j ACCEPT
knock --retries 0 --timeout 9 ssh
wait "$opener"
on_gate iptables -D INPUT -p tcp --dport $SERVICE -j ACCEPT
is "and it opens, when the network is back" "$STATUS:$OUT" "0:port $SERVICE of $GATE4 is open"

# --- no sequence is left ---------------------------------------------------------------------------------------------
sequences 2
began=$(now_ms)
knock --timeout 60 few
is "no sequence is left: told once" "$STATUS:$(count):$(grep -c 'no one-time sequence is left' <<<"$ERR")" 2:2:1
is "no sequence is left: it doesn't wait any more" $(($(now_ms) - began < 30000)) 1
like "no sequence is left: what was sent didn't open" "$ERR" "knock: sent, but port $SERVICE of $GATE4 did not answer"

named "$GATE6" "$GATE4"
sequences 1
cat >>"$CONF/knock.conf" <<TABLE
profile "last" { host = gate.test  once = "once"  port = $SERVICE  family = both  retries = 0 }
TABLE
named_knock last
is "one sequence for two families: it is sent by one" "$STATUS:$(count):$(used)" 2:1:1
is "one sequence for two families: that isn't an error" "$(grep -c 'no one-time sequence' <<<"$ERR")" 0
named_knock last
like "none for two families" "$STATUS:$(count):$ERR" "^1:0:knock: no one-time sequence is left"

# --- the port of one family is open already --------------------------------------------------------------------------
named "$GATE6" "$GATE4"
while read -r tool other open shut version; do
    let_in "$tool"
    in_time 16 let_in "$other"
    named_knock both
    wait "$opener"
    is "$open is open already: the other is knocked at" "$STATUS:$(by4):$(by6)" "0:$((version == 4 ? 0 : 16)):$((version == 6 ? 0 : 16))"
    is "$open is open already: both are open then" "$OUT" \
        "port $SERVICE of gate.test ($open) is open already"$'\n'"port $SERVICE of gate.test ($shut) is open"
    named_knock both
    like "$open, $shut: nothing is left to do" "$STATUS:$(count):$OUT" "^0:0:.*already: nothing was sent.*already: nothing was sent"
    shut_out "$other"
    began=$(now_ms)
    named_knock --timeout 60 both -- echo in
    is "$open is open already: it is open, whatever becomes of the other" "$STATUS:$OUT:$ERR" 0:in:
    is "$open is open already: the other has a moment" $(($(now_ms) - began < 30000)) 1
    shut_out "$tool"
done <<TABLE
iptables ip6tables $GATE4 $GATE6 4
ip6tables iptables $GATE6 $GATE4 6
TABLE

# --- a silent STUN server, of which one family needs nothing ---------------------------------------------------------
# The client's IPv4 address is one that the gate won't see; by IPv6 it needs to ask nobody.
client_address 10.9.9.2
ip -n "$CLIENT" route add 203.0.113.0/24 dev eth0 src 10.9.9.2
on_gate ip address add 203.0.113.1/24 dev eth0
named "$GATE6" 203.0.113.1
cat >>"$CONF/knock.conf" <<TABLE
profile "asks" { host = gate.test  door = "ssh"  key = "gate.key"  port = $SERVICE  family = both  stun = "$GATE4" }
TABLE
in_time 16 let_in ip6tables
began=$(now_ms)
named_knock --timeout 60 asks
wait "$opener"
is "STUN is silent: the other family opens" "$STATUS:$OUT" "0:port $SERVICE of gate.test ($GATE6) is open"
is "STUN is silent: the other family doesn't wait for it" $(($(now_ms) - began < HELD_UP)) 1
shut_out ip6tables
named_knock --timeout 3 asks
is "STUN is silent: there is time for the other" "$STATUS:$(($(by6) >= 16)):$(arrived | awk -v to=3478 '$2 !~ /:/ && $4 != to' | wc -l)" 2:1:0
like "STUN is silent: says why there is one family" "$ERR" "knock: not by IPv4: the STUN server $GATE4 .* did not answer within 1 s"

# --- commands that tell the address ----------------------------------------------------------------------------------
mkdir -p "$HOME/bin"
# told NAME: writes the command ~/bin/NAME, from standard input.
told() {
    { echo '#!/bin/sh' && cat; } >"$HOME/bin/$1"
    own_home
    chmod 755 "$HOME/bin/$1"
}
# asked COMMAND: knocks with that address_command.
asked() {
    sed -i '/^profile "told"/d' "$CONF/knock.conf"
    echo "profile \"told\" { host = 203.0.113.1  door = \"ssh\"  key = \"gate.key\"  address_command = \"$1\" }" \
        >>"$CONF/knock.conf"
    knock -v told
}
told address <<<"echo 198.51.100.2"
# shellcheck disable=SC2088 # the client is to expand it
asked "~/bin/address"
like "a path in the home directory" "$STATUS:$OUT" "^0:.*bound to 198.51.100.2, told by address_command"
told child <<TABLE
sleep 300 &
echo 198.51.100.3
TABLE
began=$(now_ms)
asked "$HOME/bin/child"
like "a child that has its output still: it has ended" "$STATUS:$OUT" "^0:.*bound to 198.51.100.3, told by address_command"
is "a child that has its output still: at once" $(($(now_ms) - began < HELD_UP)) 1
asked "$HOME/bin/none"
is "a command that isn't there: one line" "$STATUS:$ERR" \
    "1:knock: cannot run the address_command $HOME/bin/none: No such file or directory; nothing was sent"
told slow <<TABLE
echo \$\$ >$HOME/bin/pid
sleep 60
TABLE
sed -i '/^profile "told"/d' "$CONF/knock.conf"
echo "profile \"told\" { host = 203.0.113.1  door = \"ssh\"  key = \"gate.key\"  address_command = \"~/bin/slow\" }" >>"$CONF/knock.conf"
for signal in TERM HUP; do
    rm -f "$HOME/bin/pid"
    # nohup, of which the tests may be run, leaves SIGHUP ignored, and so would the client.
    ip netns exec "$CLIENT" "${UNPRIVILEGED[@]}" env --default-signal "$KNOCK" told </dev/null >/dev/null 2>&1 &
    knocking=$!
    started $knocking
    poll 5 test -s "$HOME/bin/pid"
    kill -$signal $knocking
    wait $knocking
    is "SIG$signal ends the client" $? $((128 + $(kill -l $signal)))
    ok "SIG$signal ends its address_command" poll 5 not kill -0 "$(cat "$HOME/bin/pid")"
done

# --- files that aren't needed yet ------------------------------------------------------------------------------------
mv "$KEY" "$KEY.away"
let_in iptables
knock ssh
is "the port is open, the key missing: not sent" "$STATUS:$OUT" 1:
like "the port is open, the key missing: says so" "$ERR" "^knock: $KEY: .*No such file"
rm "$CONF/once"
knock few
like "the port is open, the one-time sequences missing" "$STATUS:$ERR" "^1:knock: can't read the one-time sequences in $CONF/once"
shut_out iptables
mv "$KEY.away" "$KEY"
echo "key = \"00\"" >"$CONF/broken.key" && own_home
began=$(now_ms)
knock --timeout 60 --stun "$GATE4" --bind stun -k "$CONF/broken.key" -p $SERVICE $GATE4 ssh
like "a broken key: nobody is asked before" "$STATUS:$ERR" "^1:knock: $CONF/broken.key:1: key has 2 characters"
is "a broken key: told at once" $(($(now_ms) - began < HELD_UP)) 1

# --- a name server that takes its time -------------------------------------------------------------------------------
ip netns exec "$CLIENT" perl "$TREE/tests/system/slow-dns.pl" 4 "$GATE4" </dev/null >"$WORK/dns" 2>&1 &
started $!
poll 5 grep -q ready "$WORK/dns" || bail "no name server: $(cat "$WORK/dns")"
on_client ip link set lo up
echo "nameserver 127.0.0.1" >"$WORK/resolv.conf"
echo "hosts: dns" >"$WORK/nsswitch.conf"
# shellcheck disable=SC2016 # the inner shell's
slow_knock() {
    FROM=$(wc -l <"$TAP")
    ip netns exec "$CLIENT" sh -c 'mount --bind "$0/resolv.conf" /etc/resolv.conf &&
        mount --bind "$0/nsswitch.conf" /etc/nsswitch.conf && exec "$@"' "$WORK" \
        "${UNPRIVILEGED[@]}" "$KNOCK" "$@" </dev/null >"$WORK/out" 2>"$WORK/err"
    STATUS=$?
    OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
    sentinel
}
in_time 3 let_in iptables
slow_knock -4 -t 3 slow.example 7000 8000:udp 9000 -p $SERVICE
wait "$opener"
shut_out iptables
is "the name takes longer than the timeout: the port has its time" "$STATUS:$OUT" \
    "0:port $SERVICE of slow.example ($GATE4) is open"
slow_knock -4 -t 3 --stun slow.example -k "$KEY" --bind stun -p $SERVICE $GATE4 ssh
like "the STUN server's name takes the whole time" "$STATUS:$ERR" \
    "^1:knock: to look up the STUN server slow.example took the whole time; nothing was sent"

done_testing
