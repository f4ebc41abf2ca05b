#!/bin/bash
# The client away from home: its public address by STUN, from coturn and from servers that are wrong; by a command; or no
# address at all. Behind one and two translators, one that scatters ports, a provider's with a pool of addresses; and by
# IPv6, whose temporary address changes.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "$0")/client.sh"
# shellcheck source-path=SCRIPTDIR source=crowd.sh
. "$(dirname "$0")/crowd.sh"
# shellcheck source-path=SCRIPTDIR source=nat.sh
. "$(dirname "$0")/nat.sh"
# shellcheck source-path=SCRIPTDIR source=coturn.sh
. "$(dirname "$0")/coturn.sh"

INNER=$CLIENT-1 FIRST=4000 OTHER4=192.0.2.9
KINDS=(good old lossy silent late elsewhere id refuses junk private family liar stranger)

# port_of KIND: that of the server of this kind.
port_of() {
    local i
    for i in "${!KINDS[@]}"; do
        [ "${KINDS[i]}" != "$1" ] || echo $((FIRST + i))
    done
}

# away HOST ARGUMENT...: knocks there, as user 1, with no port that a door opened before; sets STATUS and OUT.
away() {
    shut_all
    from "$@"
}

# Each time it has to send, also while an earlier one's opening lasts.
from() {
    local host=$1
    shift
    OUT=$(knock_as 1 "$host" --always "$@" 2>&1)
    STATUS=$?
}

# What was asked of the servers since mark_asked.
mark_asked() {
    ASKED=$(wc -l <"$WORK/asked.$GATE4")
}

asked() {
    tail -n +$((ASKED + 1)) "$WORK/asked.$GATE4" | sort -u | paste -sd,
}

# opens DESCRIPTION ADDRESS HOST ARGUMENT...: the knock is bound to it, says so with -v, and opens.
opens() {
    local description=$1 address=$2
    shift 2
    away "$@" -v
    is "$description: opens" $STATUS 0
    like "$description: bound to $address, told by whom" "$OUT" "sealed for door ssh, bound to ${address//./\\.}, told by "
}

# nothing_sent DESCRIPTION REGEX HOST ARGUMENT...: exit status 1, the reason, and no packet to the span.
nothing_sent() {
    local description=$1 reason=$2 mark
    shift 2
    mark=$(kernel_time)
    from "$@"
    is "$description: status" $STATUS 1
    like "$description: said why" "$OUT" "$reason"
    is "$description: nothing is sent" "$(span_lines "$mark" "$CLIENT4" | wc -l)" 0
}

profiles_of_user() {
    local conf=$WORK/crowd/1/.config/knock/knock.conf
    cat >"$conf" <<TABLE
profile "gate"   { host = $GATE4  door = "ssh"  key = "key"  port = $SERVICE }
profile "stun"   { host = $GATE4  door = "ssh"  key = "key"  port = $SERVICE  bind = stun  stun = "$GATE4:$FIRST" }
profile "cmd"    { host = $GATE4  door = "ssh"  key = "key"  port = $SERVICE  timeout = 2
                   address_command = "'$WORK/address' \"two words\"" }
profile "free"   { host = $GATE4  door = "free"  key = "key"  port = $SERVICE  unbound = yes }
profile "strict" { host = $GATE4  door = "ssh"  key = "key"  port = $SERVICE  unbound = yes  timeout = 1 }
profile "gate6"  { host = "$GATE6"  door = "ssh"  key = "key"  port = $SERVICE  timeout = 2 }
TABLE
    chown "$NOBODY:$NOBODY" "$conf"
    chmod 600 "$conf"
}

# serve_stun HOST ADDRESS [OTHER]: servers of all kinds at that address; what they are asked is in WORK/asked.ADDRESS.
serve_stun() {
    local log=$WORK/asked.$2
    : >"$log"
    ip netns exec "$1" perl "$(dirname "$0")/stun-server.pl" "$2" $FIRST ${3:+"$3"} </dev/null >"$log" 2>&1 &
    started $!
    poll 5 grep -q "^ready" "$log" || bail "no STUN servers: $(cat "$log")"
}

start_servers() {
    add_address "$GATE" $OTHER4 && on_gate iptables -I INPUT -p udp --dport $FIRST:$((FIRST + 99)) -j ACCEPT &&
        on_gate iptables -I INPUT -p udp --dport 3478 -j ACCEPT && on_gate ip6tables -I INPUT -p udp --dport 3478 -j ACCEPT ||
        return 1
    serve_stun "$GATE" "$GATE4" $OTHER4
}

one_translator() {
    translate
    nothing_sent "behind a translator, without help" \
        "will not see this machine's address 10.9.0.11 .*--stun HOST.*--bind ADDRESS.*unbound = true" "$INNER" gate
    opens "STUN" "$CLIENT4" "$INNER" --stun "$GATE4:$FIRST" gate
    opens "bind = stun" "$CLIENT4" "$INNER" stun
    opens "a server of RFC 3489" "$CLIENT4" "$INNER" --stun "$GATE4:$(port_of old)" gate
    mark_asked
    opens "a server that two requests don't reach" "$CLIENT4" "$INNER" --stun "$GATE4:$(port_of lossy)" gate
    is "which is asked again" "$(tail -n +$((ASKED + 1)) "$WORK/asked.$GATE4" | grep -c lossy)" 3
    opens "-k, by STUN" "$CLIENT4" "$INNER" -k "$WORK/crowd/1/.config/knock/key" --stun "$GATE4:$FIRST" -p $SERVICE "$GATE4" ssh
}

# Nobody is asked where nobody has to be.
not_asked() {
    mark_asked
    away "$CLIENT" -v --stun "$GATE4:$FIRST" gate
    is "with a public address: opens" $STATUS 0
    like "which is its own" "$OUT" "sealed for door ssh, bound to $CLIENT4, this machine's own address"
    from "$INNER" --dry-run --stun "$GATE4:$FIRST" gate
    like "--dry-run says who would be asked" "$STATUS:$OUT" \
        "^0:sealed for door ssh, to be bound to the address that the STUN server $GATE4:$FIRST will tell"
    from "$INNER" --dry-run cmd
    like "--dry-run runs no command" "$STATUS:$OUT" "^0:.*to be bound to the address that address_command will tell"
    is "neither asks" "$(asked)" ''
}

# kind of the server|options|what is said
wrong_servers() {
    local kind options reason
    while IFS='|' read -r kind options reason; do
        read -r -a options <<<"$options"
        nothing_sent "a server that is $kind" "$reason" "$INNER" "${options[@]}" --stun "$GATE4:$(port_of "$kind")" gate
    done <<TABLE
silent|-t 2|did not answer within 2 s; nothing was sent: check its name and port
late|-t 2|did not answer within 2 s; nothing was sent
elsewhere|-t 2|did not answer within 2 s; nothing was sent
id|-t 2|did not answer within 2 s \\(3 datagrams came that answer another request\); nothing was sent
refuses||refuses to tell this machine's address: 500 No\?\[2J time; nothing was sent
junk||sends an answer that can't be used; nothing was sent
stranger||sends an answer that can't be used; nothing was sent
private||tells 10.1.2.3, which is a private address and not what $GATE4 will see; nothing was sent
family||tells the address 2001:db8::77, but $GATE4 will see one of IPv4; nothing was sent
TABLE
    nothing_sent "no server at all" "can't be asked: Connection refused; nothing was sent" \
        "$INNER" --stun "$GATE4:$((FIRST + 99))" gate
    nothing_sent "a server without IPv4" "cannot resolve the STUN server \"2001:db8::1\" to an IPv4 address" \
        "$INNER" --stun "[2001:db8::1]:3478" gate
    nothing_sent "bind = stun without a server" "bind = stun needs stun = HOST" "$INNER" --bind stun gate
    # A public address that isn't ours can't be told from one that is: only the server sees the difference.
    away "$INNER" -t 1 --stun "$GATE4:$(port_of liar)" gate
    like "a server that lies: sent, opens nothing, for whom to ask is said" "$STATUS:$OUT" '^2:.*198\.51\.100\.9'
}

# Without a timeout: for ten seconds, five requests.
patience() {
    local began=$SECONDS
    mark_asked
    nothing_sent "a silent server, without a timeout" "did not answer within 10 s" "$INNER" --stun "$GATE4:$(port_of silent)" gate
    is "it is asked five times" "$(tail -n +$((ASKED + 1)) "$WORK/asked.$GATE4" | grep -c silent)" 5
    ok "for ten seconds" [ $((SECONDS - began)) -le 14 ]
}

says_address() {
    printf '#!/bin/sh\n%s\n' "$1" >"$WORK/address"
    chmod 755 "$WORK/address"
}

# script|what is said
wrong_commands() {
    local script reason
    while IFS='|' read -r script reason; do
        says_address "$script"
        nothing_sent "address_command: $script" "$reason" "$INNER" cmd
    done <<TABLE
echo $CLIENT4; exit 3|address_command ended with exit status 3; nothing was sent
echo $CLIENT4; kill -9 \$\$|address_command was ended by signal 9; nothing was sent
echo; echo $CLIENT4|address_command prints "" in its first line; nothing was sent
echo "<html>"|address_command prints "<html>" in its first line; nothing was sent
echo 192.168.1.2|address_command tells 192.168.1.2, which is a private address
echo 100.64.1.2|address_command tells 100.64.1.2, which is an address inside a provider's network
echo 2001:db8::1|address_command tells the address 2001:db8::1, but
echo $CLIENT4; sleep 60 & wait|address_command did not end within 2 s, and was killed; nothing was sent
TABLE
    rm "$WORK/address"
    nothing_sent "no such command" "cannot run the address_command $WORK/address: No such file" "$INNER" cmd
}

commands() {
    says_address "[ \"\$#:\$1\" = '1:two words' ] && echo ' $CLIENT4 ' && echo more"
    opens "address_command" "$CLIENT4" "$INNER" cmd
    opens "which --bind command asks for, even with a STUN server" "$CLIENT4" "$INNER" --bind command \
        --stun "$GATE4:$(port_of liar)" cmd
    wrong_commands
}

unbound() {
    away "$INNER" -v free
    like "a door that takes unbound knocks: opens, and says why so" "$STATUS:$OUT" \
        "^0:sealed for door free, not bound to an address, since a translator"
    away "$INNER" -v --stun "$GATE4:$FIRST" free
    like "but bound where a STUN server is known" "$STATUS:$OUT" "^0:sealed for door free, bound to $CLIENT4, told by"
    away "$CLIENT" -v free
    like "and with a public address" "$STATUS:$OUT" "^0:sealed for door free, bound to $CLIENT4, this machine's own"
    away "$INNER" strict
    is "a door that doesn't take them stays shut" $STATUS 2
}

# Two hosts of the network: what one is told isn't the other's. Where the knock has another source address than the rest,
# the server is asked from that.
asked_from_the_knocks_source() {
    add_address "$GATE" 192.0.2.8
    serve_stun "$GATE" 192.0.2.8
    ip -n "$INNER" address add 10.9.0.99/24 dev eth0
    ip -n "$INNER" route add "$GATE4" via 10.9.0.1 src 10.9.0.99
    client_address 192.0.2.3
    on_client iptables -t nat -I POSTROUTING -s 10.9.0.99 -o eth0 -j SNAT --to-source 192.0.2.3
    opens "a server is asked from where the knock comes from" 192.0.2.3 "$INNER" --stun "$1" gate
    ip -n "$INNER" route del "$GATE4"
    ip -n "$INNER" address del 10.9.0.99/24 dev eth0
    opens "what was told is forgotten after the run" "$CLIENT4" "$INNER" --stun "$1" gate
}

two_translators() {
    make_innermost 2 || bail "no second translator"
    nothing_sent "behind two translators, without help" "this machine's address 10.8.0.2" "$CLIENT-deep" gate
    opens "behind two translators" "$CLIENT4" "$CLIENT-deep" --stun "$1" gate
}

# A server inside the first translator sees what that one has made of the address.
between_translators() {
    serve_stun "$CLIENT" 10.9.0.1
    nothing_sent "a server between the two" "tells 10.9.0.12, which is a private address" "$CLIENT-deep" --stun "10.9.0.1:$FIRST" gate
}

scattered_ports() {
    translate --random-fully
    opens "a translator that scatters ports" "$CLIENT4" "$INNER" --stun "$1" gate
    away "$INNER" --carrier tcp --stun "$1" gate
    is "by SYNs as well" $STATUS 0
    away "$INNER" -t 1 --bind 192.0.2.3 gate
    is "bound to another address of it: shut" $STATUS 2
}

# A provider's translator gives a host one of several addresses. Some always the same one, as RFC 4787 asks for; some
# another one for each destination, when what a STUN server sees isn't what the gate sees: then unbound alone helps.
pool() {
    local i seen=''
    client_address 192.0.2.4 192.0.2.5
    translate_to -j SNAT --to-source 192.0.2.2-192.0.2.5 --persistent
    away "$INNER" -v --stun "$1" gate
    like "one of a pool of addresses, always the same" "$STATUS:$OUT" '^0:sealed for door ssh, bound to 192\.0\.2\.[2-5], told by'
    translate_to -j SNAT --to-source 192.0.2.2-192.0.2.5
    for i in $(seq 20 39); do
        add_address "$GATE" "192.0.2.$i"
        serve_stun "$GATE" "192.0.2.$i"
        away "$INNER" -v -t 1 --stun "192.0.2.$i:$FIRST" gate
        seen+=" $STATUS"
        [ "$STATUS" = 0 ] || break
    done
    diag "a pool: tried$seen"
    like "another one for each destination: shut, and the address to look for is said" "$STATUS:$OUT" \
        '^2:.*knockctl why 192\.0\.2\.[2-5]"'
    away "$INNER" free
    is "unbound it opens" $STATUS 0
    translate
}

changing_ipv6() {
    opens6 "IPv6" "$CLIENT6"
    # As a system with temporary addresses (RFC 8981) does: the new one is preferred, the old one no more.
    add_address "$CLIENT" 2001:db8::abcd
    ip -n "$CLIENT" address change "$CLIENT6/64" dev eth0 preferred_lft 0
    opens6 "a new temporary address" 2001:db8::abcd
    away "$CLIENT" --bind stun -v --stun "[$GATE6]" gate6
    like "STUN by IPv6 tells the same" "$STATUS:$OUT" "^0:.*bound to 2001:db8::abcd, told by the STUN server \[$GATE6\]"
    away "$CLIENT" --bind 2001:db8::dead gate6
    is "bound to one that it hasn't any more: shut" $STATUS 2
}

opens6() {
    away "$CLIENT" -v gate6
    like "$1: opens, bound to the address that it has now" "$STATUS:$OUT" "^0:sealed for door ssh, bound to $2, this machine's"
}

needs_crowd 1 "door \"free\" {
    key = { u1 }  port = $SERVICE  bound = false  cmd_timeout = 60
    rule = \"INPUT -s %IP% -p %PROTO% --dport %PORT% -m comment --comment free -j ACCEPT\"
}"
firewall6 || bail "no firewall for IPv6"
shut_all() {
    ctl close --all
    poll 10 is_shut || bail "the doors do not close"
}
profiles_of_user
make_network 2 || bail "no network behind the client"
start_servers || bail "no STUN servers"
one_translator
not_asked
wrong_servers
patience
commands
unbound
server=$GATE4:$FIRST
if start_coturn "$GATE" "$GATE4" "$GATE6"; then
    server=$GATE4
    opens "coturn" "$CLIENT4" "$INNER" --stun "$GATE4" gate
else
    skip "coturn" "no coturn"
fi
two_translators "$server"
between_translators
scattered_ports "$server"
asked_from_the_knocks_source "192.0.2.8:$FIRST"
pool "$server"
changing_ipv6
done_testing
