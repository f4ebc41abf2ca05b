#!/bin/bash
# What comes back for the packets of a knock, ICMP errors and RST: the client tells what is likely wrong by them, and
# they change nothing else: every packet is sent, once, and what opens is open.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"

begin_client
# A host behind the gate, which is a router then; there nobody is.
BEHIND4=203.0.113.1 BEHIND6=2001:db8:1::1
ip -n "$CLIENT" route add 203.0.113.0/24 via $GATE4
ip -n "$CLIENT" route add 2001:db8:1::/64 via $GATE6
on_gate ip link add nobody type veth peer name nobody2 && on_gate ip link set nobody up && on_gate ip link set nobody2 up
on_gate ip route add 203.0.113.0/24 dev nobody
on_gate ip route add 2001:db8:1::/64 dev nobody
on_gate sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
on_gate iptables -P FORWARD DROP
on_gate ip6tables -P FORWARD DROP
# So that each packet is answered, not some of each second.
on_gate sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0
on_gate sysctl -qw net.ipv4.icmp_msgs_per_sec=100000 net.ipv4.icmp_msgs_burst=100000 2>/dev/null
cat >>"$CONF/knock.conf" <<TABLE
profile "behind"  { host = $BEHIND4  door = "ssh"  key = "gate.key"  port = $SERVICE  retries = 0 }
profile "behind6" { host = "$BEHIND6"  door = "ssh"  key = "gate.key"  port = $SERVICE  retries = 0 }
profile "ports"   { host = $BEHIND4  sequence = { 7000, "8000:udp", 9000 }  port = $SERVICE  retries = 0 }
profile "here"    { host = $GATE4  door = "ssh"  key = "gate.key"  port = $SERVICE  retries = 0 }
profile "here6"   { host = "$GATE6"  door = "ssh"  key = "gate.key"  port = $SERVICE  retries = 0 }
profile "here7"   { host = $GATE4  sequence = { 7000, "8000:udp", 9000 }  port = $SERVICE  retries = 0 }
TABLE
own_home

# rule COMMAND...: prepends a rule until the next unruled.
RULES=()
rule() {
    on_gate "$@"
    RULES=("${@/-I/-D}")
}

unruled() {
    on_gate "${RULES[@]}"
}

# each_once N: N packets of the knock arrived, none of them twice.
each_once() {
    is "$1: every packet, each once" "$(count):$(arrived | sort -u | wc -l)" "$2:$2"
}

hints() {
    grep -c "$1" <<<"$ERR"
}

# --- a firewall on the way says no -----------------------------------------------------------------------------------
# profile and options | packets | rule of the gate | what is said
while IFS='|' read -r options packets rule said; do
    # shellcheck disable=SC2086 # words are meant
    rule $rule
    # shellcheck disable=SC2086
    knock $options
    unruled
    is "$options, $rule: not open" "$STATUS" 2
    like "$options, $rule" "$ERR" "knock: likely: $said"
    each_once "$options, $rule" "$packets"
    is "$options, $rule: says of UDP once" "$(($(hints 'lets no UDP out\|try --carrier tcp') <= 1))" 1
done <<TABLE
behind|16|iptables -I FORWARD -p udp -j REJECT --reject-with icmp-admin-prohibited|$GATE4, on the way, rejects the knock's packets \(ICMP: administratively prohibited\): .* try --carrier tcp
behind|16|iptables -I FORWARD -p udp -j REJECT|$GATE4, on the way, rejects the knock's packets \(ICMP: port unreachable\): .* try --carrier tcp
behind|16|iptables -I FORWARD -p udp -j REJECT --reject-with icmp-net-unreachable|$GATE4, on the way, says of $BEHIND4: Network is unreachable
behind --carrier tcp|32|iptables -I FORWARD -p tcp --dport 20000:32287 -j REJECT --reject-with icmp-admin-prohibited|$GATE4, on the way, rejects the knock's packets \(ICMP: administratively prohibited\): .* try --carrier udp
behind|16|iptables -I FORWARD -p tcp --dport $SERVICE -j REJECT --reject-with icmp-admin-prohibited|$GATE4, on the way, rejects connections to port $SERVICE \(ICMP: administratively prohibited\)
ports|3|iptables -I FORWARD -p udp --dport 8000 -j REJECT --reject-with icmp-host-prohibited|$GATE4, on the way, rejects the knock's packets .* another network
ports|3|iptables -I FORWARD -p tcp --dport 9000 -j REJECT --reject-with icmp-admin-prohibited|$GATE4, on the way, rejects the knock's packets .* another network
behind6|16|ip6tables -I FORWARD -p udp -j REJECT --reject-with icmp6-adm-prohibited|$GATE6, on the way, rejects the knock's packets \(ICMP: administratively prohibited\): .* try --carrier tcp
behind6 --carrier tcp|32|ip6tables -I FORWARD -p tcp --dport 20000:32287 -j REJECT --reject-with icmp6-adm-prohibited|$GATE6, on the way, rejects the knock's packets \(ICMP: administratively prohibited\)
TABLE

# And once without any: silence is no rejection.
for options in behind "behind --carrier tcp" ports behind6; do
    # shellcheck disable=SC2086 # words are meant
    knock $options
    is "$options, silence: nothing is said of anyone" "$STATUS:$(hints 'on the way\|itself answers')" 2:0
done

# --- the route goes in a circle, or too far ---------------------------------------------------------------------------
on_client sysctl -qw net.ipv4.ip_default_ttl=1
knock behind
on_client sysctl -qw net.ipv4.ip_default_ttl=64
like "time exceeded" "$STATUS:$ERR" "2:.*likely: $GATE4, on the way, says that packets to $BEHIND4 go in a circle"

# --- nobody is at the address: the router looks for it, and says so after three seconds --------------------------------
# With the usual limit of six errors, then one a second, for a sealed knock by UDP; of one by TCP, whose sockets are closed
# by then, the attempts to connect are what is answered, if the limit isn't used up.
rule iptables -I FORWARD -j ACCEPT
for options in behind "behind --carrier tcp" ports; do
    on_gate sysctl -qw "net.ipv4.icmp_ratelimit=$([ "$options" = behind ] && echo 1000 || echo 0)"
    # shellcheck disable=SC2086 # words are meant
    knock $options --retries 3
    like "$options: the router finds nobody" "$STATUS:$ERR" \
        "2:.*likely: $GATE4, on the way, says of $BEHIND4: No route to host; the server is off"
    is "$options: the router finds nobody: no guess about UDP" "$(hints UDP)" 0
done
unruled

# --- the server itself answers ----------------------------------------------------------------------------------------
while IFS='|' read -r options packets rule said; do
    # shellcheck disable=SC2086 # words are meant
    rule $rule
    # shellcheck disable=SC2086
    knock $options
    unruled
    like "$options, $rule" "$STATUS:$ERR" "2:.*knock: (likely|or): $said: it rejects them, or no rule"
    each_once "$options, $rule" "$packets"
    is "$options, $rule: UDP gets out, and nobody is on the way" "$(hints 'lets no UDP out\|on the way')" 0
done <<TABLE
here|16|iptables -I INPUT -p udp -j REJECT|$GATE4 itself answers the knock's packets \(ICMP: port unreachable\)
here|16|iptables -I INPUT -p udp -j REJECT --reject-with icmp-admin-prohibited|$GATE4 itself answers the knock's packets \(ICMP: administratively prohibited\)
here|16|iptables -I INPUT -p udp -j ACCEPT|$GATE4 itself answers the knock's packets \(ICMP: port unreachable\)
here --carrier tcp|32|iptables -I INPUT -p tcp --dport 20000:32287 -j ACCEPT|$GATE4 itself answers the knock's packets \(RST\)
here7|3|iptables -I INPUT -p tcp --dport 9000 -j ACCEPT|$GATE4 itself answers the knock's packets \(RST\)
here7|3|iptables -I INPUT -p udp --dport 8000 -j ACCEPT|$GATE4 itself answers the knock's packets \(ICMP: port unreachable\)
here6|16|ip6tables -I INPUT -p udp -j ACCEPT|$GATE6 itself answers the knock's packets \(ICMP: port unreachable\)
TABLE

# --- a firewall here --------------------------------------------------------------------------------------------------
on_client iptables -I OUTPUT -p tcp --dport 20000:32287 -j REJECT
knock here --carrier tcp
on_client iptables -F OUTPUT
like "a firewall of one's own" "$STATUS:$ERR" "2:.*likely: a firewall rule of this machine rejects the knock's packets; see its OUTPUT chain"

# --- whatever comes back, the knock is sent, once, and what opens is open ----------------------------------------------
for family in 4:iptables:here:icmp-host-unreachable 4:iptables:here:icmp-port-unreachable \
    6:ip6tables:here6:icmp6-adm-prohibited; do
    IFS=: read -r number command profile error <<<"$family"
    for carrier in udp tcp; do
        on_gate "$command" -I INPUT -p $carrier --dport 20000:32287 -j REJECT --reject-with "$error"
        if [ $carrier = tcp ]; then open_after 32; else open_after 16; fi
        knock "$profile" --carrier $carrier
        shut_again
        on_gate "$command" -D INPUT -p $carrier --dport 20000:32287 -j REJECT --reject-with "$error"
        is "IPv$number $carrier, $error for each packet: open all the same" "$STATUS:$OUT" \
            "0:port $SERVICE of $([ "$number" = 4 ] && echo "$GATE4" || echo "$GATE6") is open"
    done
done

# No SYN is sent again, however long the client waits.
knock here7 --retries 2
is "a sequence by TCP: no SYN is sent again" "$(arrived | sort | uniq -d)" ""
knock here --carrier tcp --retries 2
is "a sealed knock by TCP: no SYN is sent again" "$(arrived | sort | uniq -d)" ""
knock --delay 400 here7
each_once "a sequence with long pauses" 3
serve 7000
on_gate iptables -I INPUT -p tcp --dport 7000 -j ACCEPT
knock here7
each_once "a service at a port of the sequence" 3
is "a service at a port of the sequence: no connection stays" "$(on_gate ss -Htn state connected sport = :7000)" ""

# --- a STUN server that can't be reached --------------------------------------------------------------------------------
ip -n "$CLIENT" route add 198.51.100.0/24 via $GATE4
knock -t 2 --bind stun --stun 198.51.100.9 -k "$KEY" -p $SERVICE $GATE4 ssh
like "a STUN server without a route" "$STATUS:$ERR" \
    "1:knock: the STUN server 198.51.100.9 .* did not answer within 2 s, but $GATE4 says: Network is unreachable; nothing"
knock -t 9 --bind stun --stun $GATE4:9 -k "$KEY" -p $SERVICE $GATE4 ssh
like "a STUN server that drops" "$STATUS:$ERR" "1:knock: the STUN server $GATE4:9 .* did not answer within 9 s; nothing"
rule iptables -I INPUT -p udp --dport 9 -j ACCEPT
knock -t 9 --bind stun --stun $GATE4:9 -k "$KEY" -p $SERVICE $GATE4 ssh
unruled
like "nobody at the STUN server's port" "$STATUS:$ERR" "1:knock: the STUN server $GATE4:9 .* can't be asked: Connection refused"

done_testing
