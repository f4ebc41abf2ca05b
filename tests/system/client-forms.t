#!/bin/bash
# What the client does besides one knock by one address: both families at once, a port that is open already, ports with
# a port to wait for and a command, the list of profiles; and what it holds for likely when nothing opened.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"

begin_client
LAST=''
cat >>"$CONF/knock.conf" <<EOF
profile "both"   { host = gate.test  door = "ssh"  key = "gate.key"  port = $SERVICE  family = both }
profile "blind2" { host = gate.test  door = "ssh"  key = "gate.key"  family = both }
EOF

# --- both families ---------------------------------------------------------------------------------------------------
named "$GATE6" "$GATE4"
in_time 32 let_in iptables ip6tables
named_knock both
wait "$opener"
shut_out iptables ip6tables
is "both: opened" "$STATUS:$ERR" 0:
is "both: one round by each family" "$(by4) $(by6)" "16 16"
is "both: both are open" "$OUT" \
    "port $SERVICE of gate.test ($GATE6) is open"$'\n'"port $SERVICE of gate.test ($GATE4) is open"
is "both: the message by IPv4 is bound to its address" "$(arrived | awk '$2 !~ /:/' | unseal "$CLIENT4" | cut -d' ' -f1,2,5)" \
    "udp bound b72be2"
is "both: that by IPv6, too" "$(arrived | awk '$2 ~ /:/' | unseal "$CLIENT6" | cut -d' ' -f1,2,5)" "udp bound b72be2"
is "both: each has a time of its own" \
    "$({ arrived | awk '$2 !~ /:/' | unseal "$CLIENT4"; arrived | awk '$2 ~ /:/' | unseal "$CLIENT6"; } |
        cut -d' ' -f3 | sort -u | wc -l)" 2
while read -r tool address; do
    in_time 32 let_in "$tool"
    named_knock both
    wait "$opener"
    shut_out "$tool"
    is "both: $address alone opens" "$STATUS:$OUT:$ERR" "0:port $SERVICE of gate.test ($address) is open:"
done <<TABLE
iptables $GATE4
ip6tables $GATE6
TABLE
printf 'through' >"$WORK/bytes"
for tool in iptables ip6tables; do
    in_time 32 let_in $tool
    # shellcheck disable=SC2016 # the inner shell's
    back=$(ip netns exec "$CLIENT" sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$WORK/hosts" "${UNPRIVILEGED[@]}" \
        timeout 20 "$KNOCK" --proxy both gate.test $SERVICE <"$WORK/bytes" 2>"$WORK/err")
    is "both: --proxy takes the one that opened ($tool)" "$?:$back" "0:through"
    wait "$opener"
    shut_out $tool
done
named_knock --retries 0 both
is "both: neither opens" "$STATUS:$OUT" 2:
like "both: neither opens: where to look" "$ERR" \
    "^knock: sent, but port $SERVICE of gate.test \($GATE6\) \($GATE4\) did not .*\"knockctl why $CLIENT6\" or \"knockctl why $CLIENT4\""
named_knock blind2
is "both: without a port" "$STATUS:$OUT:$(by4) $(by6)" \
    "0:sent to gate.test ($GATE6)"$'\n'"sent to gate.test ($GATE4):24 24"
named_knock -4 blind2
is "both: -4 is one of them" "$STATUS:$(by4) $(by6)" "0:24 0"
named_knock --dry-run blind2
is "both: --dry-run lists both messages" "$STATUS:$(grep -c '^hitting udp \[' <<<"$OUT"):$(grep -c '^hitting' <<<"$OUT")" 0:24:48

# One family that can't be had: hosts | what -v says of it
while IFS='|' read -r hosts said; do
    # shellcheck disable=SC2086 # words are meant
    named $hosts
    named_knock -v blind2
    is "both, but $hosts: sent by the other" "$STATUS:$(count)" 0:24
    like "both, but $hosts: -v says so" "$OUT" "$said"
    named_knock blind2
    is "both, but $hosts: nothing is said without -v" "$STATUS:$ERR:$(wc -l <"$WORK/out")" 0::1
done <<TABLE
$GATE4|not by IPv6: cannot resolve "gate.test" to an IPv6 address
$GATE6|not by IPv4: cannot resolve "gate.test" to an IPv4 address
$GATE4 2001:db8:1::1|not by IPv6: cannot send to 2001:db8:1::1: Network is unreachable
$GATE6 203.0.113.1|not by IPv4: cannot send to 203.0.113.1: Network is unreachable
TABLE
named 203.0.113.1 2001:db8:1::1
named_knock blind2
is "both, but no route: not sent" "$STATUS:$OUT:$(count):$(grep -c 'Network is unreachable' <<<"$ERR")" 1::0:2
named "$GATE4" "$GATE6"
on_client ip6tables -I OUTPUT -p udp -j DROP
named_knock -v blind2
is "both, but a firewall here drops IPv6: sent" "$STATUS:$(by4) $(by6)" "0:24 0"
like "both, but a firewall here drops IPv6: -v says so" "$OUT" "cannot send to udp \[$GATE6\]:.*Operation not permitted"
on_client iptables -I OUTPUT -p udp --dport 20000:32287 -j DROP
named_knock blind2
is "both, but a firewall here drops all: not sent" "$STATUS:$(grep -c 'Operation not permitted' <<<"$ERR")" 1:2
on_client iptables -F OUTPUT
on_client ip6tables -F OUTPUT

# --- a port that is open already -------------------------------------------------------------------------------------
knock blind
LAST=$(echo "$STATE"/*.last)
before=$(cat "$LAST")
let_in iptables
knock ssh
is "open already: nothing is sent" "$STATUS:$ERR:$(count)" 0::0
is "open already: says so" "$OUT" "port $SERVICE of $GATE4 is open already: nothing was sent (--always sends)"
knock ssh -- echo in
is "open already: COMMAND runs" "$STATUS:$OUT:$(count)" 0:in:0
FROM=$(wc -l <"$TAP")
back=$(as_user timeout 20 "$KNOCK" --proxy ssh $GATE4 $SERVICE <"$WORK/bytes" 2>"$WORK/err")
is "open already: --proxy uses the connection" "$?:$back:$(cat "$WORK/err")" "0:through:"
sentinel
is "open already: --proxy sends nothing" "$(count)" 0
is "open already: no time was used up" "$(cat "$LAST")" "$before"
knock --always ssh
is "--always sends" "$STATUS:$OUT:$(count)" "0:port $SERVICE of $GATE4 is open:16"
knock --for 203.0.113.7 ssh
is "--for another sends" "$STATUS:$(count)" 0:36
knock --close ssh
is "--close sends" "$STATUS:$(count)" 0:24
shut_out iptables
on_gate iptables -I INPUT -p tcp --dport $SERVICE -j REJECT --reject-with tcp-reset
in_time 16 on_gate iptables -D INPUT -p tcp --dport $SERVICE -j REJECT --reject-with tcp-reset
knock --retries 0 ssh
wait "$opener"
is "a port that refuses isn't open" "$STATUS:$(count)" 2:16

# --- ports with more -------------------------------------------------------------------------------------------------
open_after 3
knock $GATE4 7000 8000:udp 9000 -p $SERVICE
shut_again
is "HOST PORT... -p: opened" "$STATUS:$OUT:$ERR" "0:port $SERVICE of $GATE4 is open:"
is "HOST PORT... -p: each once, in order" "$(arrived | cut -d' ' -f1,4 | xargs)" "tcp 7000 udp 8000 tcp 9000"
open_after 6
knock -u $GATE4 7000 8000 9000 -p $SERVICE -v
shut_again
is "HOST PORT... -p: knocks again" "$STATUS:$(arrived | cut -d' ' -f1,4 | xargs)" \
    "0:udp 7000 udp 8000 udp 9000 udp 7000 udp 8000 udp 9000"
is "HOST PORT... -p -v: names each packet" "$(grep -c '^hitting udp' <<<"$OUT")" 6
knock $GATE4 7000 -p $SERVICE --timeout 1
is "HOST PORT... -p: shut" "$STATUS:$OUT" 2:
like "HOST PORT... -p: shut: says so" "$ERR" "^knock: sent, but port $SERVICE of $GATE4 did not answer .*why $CLIENT4\""
like "HOST PORT... -p: shut: what is likely" "$ERR" "likely: the sequence isn't the door's"
let_in iptables
knock $GATE4 7000 8000 -p $SERVICE
is "HOST PORT... -p: open already" "$STATUS:$(count)" 0:0
like "HOST PORT... -p: open already: says so" "$OUT" "is open already"
shut_out iptables
open_after 2
knock $GATE4 7000 8000 -p $SERVICE -- echo in
shut_again
is "HOST PORT... -p -- COMMAND" "$STATUS:$OUT:$(count)" 0:in:2
knock $GATE4 7000 -p $SERVICE --retries 0 -- echo in
is "HOST PORT... -p -- COMMAND isn't run when shut" "$STATUS:$OUT" 2:
knock $GATE4 7000 8000 -- echo in
is "HOST PORT... -- COMMAND" "$STATUS:$OUT:$(arrived | cut -d' ' -f4 | xargs)" "0:in:7000 8000"
knock $GATE4 7000 -- discard
like "behind -- a service's name is a command" "$STATUS:$ERR" "^12[67]:knock: cannot run discard: "
knock $GATE4 7000 -- 7001 8000:udp
is "behind -- a number is a port" "$STATUS:$(arrived | cut -d' ' -f1,4 | xargs)" "0:tcp 7000 tcp 7001 udp 8000"
open_after 1
knock $GATE4 7000 -p $SERVICE -- 7001
shut_again
like "with -p it is a command" "$STATUS:$ERR" "^12[67]:knock: cannot run 7001: "
# shellcheck disable=SC2046 # words are meant
knock $GATE4 -p $SERVICE $(seq 7001 7033)
is "33 ports with -p: not sent" "$STATUS:$(count)" 1:0
like "33 ports with -p: says so" "$ERR" "^knock: 33 ports: with -p or a COMMAND there are 32 at most"
knock -p 22 7000 8000 9000
like "a forgotten HOST with -p" "$STATUS:$ERR" '^1:knock: host "7000" is a port: give HOST before the ports'

# --- the list --------------------------------------------------------------------------------------------------------
knock --list
is "--list: exits 0" "$STATUS:$ERR" 0:
is "--list: names" "$(cut -f1 <<<"$OUT" | xargs)" "blind blind6 ssh ssh6 plain once both blind2"
is "--list: name, host, door, how" "$(sed -n '1p;2p;5p;6p' <<<"$OUT")" \
    "blind	$GATE4	ssh	sealed udp
blind6	$GATE6	ssh	sealed udp
plain	$GATE4	-	sequence
once	$GATE4	-	once"
cat >"$CONF/more.conf" <<EOF
carrier = tcp
profile "good" { host = a.example  door = "x"  key = "k" }
profile "none" { host = b.example  door = "x" }
profile "bad"  { host = c.example  sequence = { 7000 }  timeout = "soon" }
profile "last" { host = d.example  sequence = { 7000 } }
EOF
own_home
knock -c "$CONF/more.conf" --list
is "--list: all that are there, and which are wrong" "$STATUS:$(cut -f1,4 <<<"$OUT" | tr '\t\n' ' ,')" \
    "1:good sealed tcp,none wrong,bad wrong,last sequence,"
like "--list: what is wrong" "$ERR" "profile none: expected one of key, sequence and once.*timeout: \"soon\""
knock -c "$CONF/nothing.conf" --list
is "--list: no file" "$STATUS:$OUT" 1:
like "--list: no file: says so" "$ERR" "^knock: there are no profiles in $CONF/nothing.conf: No such file"
knock --list ssh
like "--list with a name" "$STATUS:$ERR" "^1:knock: --list is followed by nothing"
knock --list --proxy
like "--list with another form" "$STATUS:$ERR" "^1:knock: --list excludes"
knock --list -4
like "--list with an option of knocks" "$STATUS:$ERR" "^1:knock: --ipv4 is not for this form"
knock --help
is "--help fits a screen" "$STATUS:$(awk 'length > 80' <<<"$OUT"):$(($(wc -l <<<"$OUT") <= 24))" 0::1

# --- what is likely --------------------------------------------------------------------------------------------------
# Whether this machine's clock is kept by NTP isn't ours to say: it may stand among them.
knock --retries 0 ssh
like "silence: what is likely" "$ERR" $'\nknock: (likely|or): the server doesn\'t know the key'
like "silence: then" "$ERR" $'\nknock: or: this network lets no UDP out: try --carrier tcp'
is "silence: at most three" "$(grep -c '^knock: \(likely\|or\): ' <<<"$ERR")" \
    "$(($(grep -c NTP <<<"$ERR") + 2))"
knock --retries 0 --carrier tcp ssh
is "silence by TCP: UDP isn't to blame" "$(grep -c UDP <<<"$ERR")" 0
in_time 17 on_gate iptables -I INPUT -p tcp --dport 2223 -j ACCEPT
knock --retries 1 -p 2223 ssh
wait "$opener"
like "nothing listens behind the door" "$ERR" \
    "likely: port 2223 refuses since the knock and was silent before: the door opened, but nothing listens there"
knock --retries 0 -p 2223 ssh
like "nothing listens, and no door" "$ERR" "likely: port 2223 refused before the knock, too"
on_gate iptables -D INPUT -p tcp --dport 2223 -j ACCEPT
knock --retries 0 --bind 198.51.100.9 ssh
like "bound to what isn't ours" "$ERR" "likely: the knock was bound to 198.51.100.9 and left this machine as $CLIENT4"
like "bound to what isn't ours: where to look" "$ERR" "knockctl why 198.51.100.9\""
knock --retries 0 --bind any ssh
like "not bound" "$ERR" "likely: the knock wasn't bound to an address"
like "not bound: where to look" "$ERR" "knockctl why $CLIENT4\" tells"

# A router that has no route of its own, and says so.
ip -n "$CLIENT" route add 203.0.113.0/24 via $GATE4
on_gate sysctl -qw net.ipv4.ip_forward=1
knock --retries 0 -k "$KEY" -p $SERVICE 203.0.113.1 ssh
like "a router says that there is no route" "$ERR" \
    "likely: $GATE4, on the way, says of 203.0.113.1: Network is unreachable"
# A firewall that says no of itself isn't the reason.
on_gate iptables -I INPUT -p tcp --dport $SERVICE -j REJECT --reject-with icmp-admin-prohibited
knock --retries 0 ssh
is "the server's firewall says no by ICMP" "$STATUS:$(grep -c 'on the way\|refuses since\|refused before' <<<"$ERR")" 2:0
on_gate iptables -D INPUT -p tcp --dport $SERVICE -j REJECT --reject-with icmp-admin-prohibited
knock --timeout 5 192.0.2.99 7000 -p $SERVICE
like "nobody has the address" "$ERR" "likely: this machine doesn't reach 192.0.2.99 \(No route to host\)"
# Addresses with a zone are the same without it.
zone=$(ip -n "$GATE" -6 -o address show dev eth0 scope link | awk '{ sub("/.*", "", $4); print $4 "%eth0"; exit }')
if [ -n "$zone" ]; then
    knock --retries 0 -k "$KEY" -p $SERVICE "$zone" ssh
    like "a link-local address: isn't bound elsewhere" "$STATUS:$ERR" "2:.*did not answer"
    is "a link-local address: isn't bound elsewhere than itself" "$(grep -c 'was bound to' <<<"$ERR")" 0
else
    skip "a link-local address" "the hosts have none"
fi
# What opens for another opens no port for this machine.
knock --for 203.0.113.7 ssh
is "--for: sent, and done" "$STATUS:$OUT:$ERR" "0:sent to $GATE4:"
knock --for 203.0.113.7 ssh -- echo in
is "--for: the command runs" "$STATUS:$OUT" 0:in
client_address 10.9.9.2
ip -n "$CLIENT" route replace 203.0.113.0/24 via $GATE4 src 10.9.9.2
knock --retries 0 -k "$KEY" --bind any -p $SERVICE 203.0.113.1 ssh
like "behind a translator, not bound: where to look" "$ERR" \
    "\"knockctl why ADDRESS\" tells what became of it, ADDRESS being what the translator \(NAT\) has outside"

knock --retries 0 -k "$KEY" --bind 10.9.9.2 -p $SERVICE 203.0.113.1 ssh
like "bound to an address inside a translator's network" "$ERR" \
    "likely: the knock was bound to 10.9.9.2, which 203.0.113.1 doesn't see but the address of a translator"
like "bound to an address inside: where to look" "$ERR" "\"knockctl why ADDRESS\" tells"

done_testing
