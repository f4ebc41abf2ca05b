#!/bin/bash
# Sealed knocks end to end: the client's packets, the kernel's log, the firewall's rules. What opens; and that nothing
# else does, is answered, or goes unsaid.
# shellcheck source-path=SCRIPTDIR source=sealed.sh
. "$(dirname "$0")/sealed.sh"

other4=192.0.2.77 other6=2001:db8::77
access="rule = \"INPUT -s %IP% -p %PROTO% --dport %PORT% -m comment --comment %DOOR% -j ACCEPT\""

doors_file() {
    sealed_file <<TABLE
door "ssh"    { key = { alice, carol, dave, frank }  ports = { $SERVICE, 2223 }  cmd_timeout = 2  max_timeout = 60  $access }
door "for"    { key = { alice }  port = $SERVICE  cmd_timeout = 2  for = true  allow = { "192.0.2.0/24", "2001:db8::/32" }  $access }
door "any"    { key = { alice }  port = $SERVICE  cmd_timeout = 2  bound = false  $access }
door "narrow" { key = { alice, erin }  port = $SERVICE  allow = { "203.0.113.0/24" }  $access }
door "bobs"   { key = { bob }  port = $SERVICE  $access }
TABLE
}

# What the client's home has besides. There is no port to wait for where a door opens for others.
more_profiles() {
    cat >>"$CONF/knock.conf" <<EOF
profile "any"  { host = "$GATE4"  door = "any"  key = "gate.key"  port = $SERVICE }
profile "any6" { host = "$GATE6"  door = "any"  key = "gate.key"  port = $SERVICE }
profile "for"  { host = "$GATE4"  door = "for"  key = "gate.key" }
profile "for6" { host = "$GATE6"  door = "for"  key = "gate.key" }
EOF
    own_home
}

# bob's are on both sides, gone's on the client's alone; dave's client took him for another server's.
all_keys() {
    local name
    for name in bob dave frank gone; do
        new_key $name
    done
    new_key carol 'expires = "2020-12-31"'
    new_key erin 'door = { "bobs" }'
    rm "$KEYS/gone.key"
    key_text dave other.example >"$THEIRS/dave.key"
}

# --- what opens: options | for whom | door | protocol, ports | how long it says | what closes it ----------------------
opens() {
    local options who door packets length by
    while IFS='|' read -r options who door packets length by; do
        mark_log
        # shellcheck disable=SC2086 # words are meant
        knock -d 2 $options
        ok "$options: opens for $who" opened "$who" "$door"
        ok "$options: closes in $length s" said "door $door: opened for $who, closes in $length s \(alice, $SERVICE:tcp, source firewall\)"
        is "$options: the client is content" "$STATUS:$ERR" 0:
        ok "$options: the port can be reached" connects "$who"
        is "$options: its packets" "$(arrived | cut -d' ' -f1 | sort -u)" "${packets%/*}"
        ok "$options: and their window" window_is "${packets#*/}"
        # shellcheck disable=SC2086
        [ "$by" = time ] || knock --close ${options#--seconds * }
        ok "$options: closes by $by" closed "$who" "$door"
        ok "$options: the port can't be reached any more" not connects "$who" 0.3
        ok "$options: no rule is left" no_rules
    done <<TABLE
ssh|$CLIENT4|ssh|udp/20000-21023|2|time
--carrier tcp ssh6|$CLIENT6|ssh|tcp/20000-32287|2|time
--seconds 30 ssh6|$CLIENT6|ssh|udp/20000-21535|30|request
--seconds 2h --carrier tcp ssh|$CLIENT4|ssh|tcp/20000-32287|60|request
--for $other4 for|$other4|for|udp/22048-24351|2|request
--for $other6 for6|$other6|for|udp/22048-24351|2|request
--bind any any|$CLIENT4|any|udp/20000-21535|2|request
--bind any --carrier tcp any6|$CLIENT6|any|tcp/20000-32287|2|request
TABLE
}

# window_is FIRST-LAST: all packets of the knock went to these ports.
window_is() {
    arrived | awk -v first="${1%-*}" -v last="${1#*-}" '$4 < first || $4 > last { bad = 1 } END { exit bad || !NR }'
}

# seal_close FROM: alice closes what she opened.
seal_close() {
    seal alice udp "$1" "$(ticks)" 2 ssh 0 0 -
    send_packets "$1"
}

# --- the same packets once more --------------------------------------------------------------------------------------
source_port() {
    arrived | cut -d' ' -f3 | head -n 1
}

# resent DESCRIPTION FROM SPORT REASON: those of the client's last knock.
resent() {
    keep_arrived
    mark_log
    send_packets "$2" "$3"
    stay_shut "$1"
    [ -z "$4" ] || ok "$1: said why" said "sealed knock from $2 refused: $4: "
}

again() {
    local options who by late
    while IFS='|' read -r options who by late; do
        mark_log
        # shellcheck disable=SC2086
        knock -d 2 $options
        is "$options: opens" "$STATUS" 0
        [ "$by" = time ] || seal_close "$who"
        ok "$options: has closed by $by" closed "$who"
        # The listener knows the first for what it has handed over, the keeper the second for one more round of what it
        # served last: neither is told of.
        resent "$options: the same packets" "$who" "$(source_port)" ''
        resent "$options: from another source port" "$who" '' "${late:+replayed}"
        resent "$options: from another address" $other4 '' unknown
    done <<TABLE
ssh|$CLIENT4|time|
--carrier tcp ssh|$CLIENT4|request|late
TABLE
    mark_log
    knock -d 2 ssh6
    ok "before knockd is killed: opens" opened "$CLIENT6"
    kill_keeper
    starts "knockd is killed and started again"
    ok "what it had opened is closed" closed "$CLIENT6"
    resent "after that: the same packets" "$CLIENT6" "$(source_port)" replayed
    resent "after that: from another address" $other6 '' unknown
}

# --- what is refused: description | key, window, bound to, off by, op, door, seconds, port, for | what is said --------
# FROM stands for the sender, whom no other row has. All are sent, and then looked at.
refusals() {
    local description row message reason number=100 from names=() reasons=()
    count_answers
    mark_log
    while IFS='|' read -r description row reason; do
        number=$((number + 1))
        for from in 192.0.2.$number 2001:db8::$number; do
            client_address "$from"
            read -r -a message <<<"${row//FROM/$from}"
            seal "${message[@]:0:3}" "$(ticks "${message[3]}")" "${message[@]:4}"
            send_packets "$from"
            names+=("$description, $from") reasons+=("${reason//FROM/$from}")
        done
    done <<'TABLE'
too old|alice udp FROM -125 1 ssh 0 0 -|sealed knock from FROM refused: stale: .*: 1(2[5-9]|[3-9].) s behind
of the future|alice tcp FROM 140 1 ssh 0 0 -|sealed knock from FROM refused: stale: .*: 1(2[1-9]|3[0-9]|40) s ahead
bound to another address|alice udp 203.0.113.9 0 1 ssh 0 0 -|sealed knock from FROM refused: unknown: 
a key without a file|gone udp FROM 0 1 ssh 0 0 -|sealed knock from FROM refused: unknown: 
sealed for another server|dave udp FROM 0 1 ssh 0 0 -|sealed knock from FROM refused: unknown: 
an expired key|carol tcp FROM 0 1 ssh 0 0 -|door ssh: refused FROM: expired: .* \(carol\)
a door that isn't there|alice tcp FROM 0 1 nowhere 0 0 -|sealed knock of alice from FROM refused: not this door: no door
a door of another key|alice udp FROM 0 1 bobs 0 0 -|door bobs: refused FROM: not this door: .* \(alice\)
a door that the key's file doesn't name|erin udp FROM 0 1 narrow 0 0 -|door narrow: refused FROM: not this door: .* \(erin\)
unbound|alice udp any 0 1 ssh 0 0 -|door ssh: refused FROM: not bound to its source
for an address|alice udp-long FROM 0 1 ssh 0 0 FROM|door ssh: refused FROM: it names an address, and the door opens for
for a loopback address|alice udp-long FROM 0 1 for 0 0 ::1|door for: refused ::1: no host elsewhere can have the address
for a multicast address|alice udp-long FROM 0 1 for 0 0 224.0.0.1|door for: refused 224.0.0.1: no host elsewhere can have the address
for an address that means no host|alice udp-long FROM 0 1 for 0 0 240.0.0.1|door for: refused 240.0.0.1: no host elsewhere can have the address
for this very server by 6to4|alice udp-long FROM 0 1 for 0 0 2002:7f00:1::1|door for: refused 2002:7f00:1::1: no host elsewhere can have the address
for an address that isn't allowed|alice udp-long FROM 0 1 for 0 0 203.0.113.9|door for: refused 203.0.113.9: not in its list of allowed
from an address that isn't allowed|alice tcp FROM 0 1 narrow 0 0 -|door narrow: refused FROM: not in its list of allowed networks
another port|alice udp FROM 0 1 ssh 0 22 -|door ssh: refused FROM: not a port of this door
neither open nor close|alice udp FROM 0 3 ssh 0 0 -|door ssh: refused FROM: it asks for nothing that is known here
close, where nothing is open|alice tcp FROM 0 2 ssh 0 0 -|door ssh: refused FROM: nothing that this key opened is open
TABLE
    stay_shut "what is refused"
    for number in "${!names[@]}"; do
        ok "${names[number]}: said why" said "${reasons[number]}"
    done
    ctl why 192.0.2.101
    like "why: its last refusal, and its clock" "$OUT" \
        "[0-9]+ s ago: sealed knock refused: stale: .*: its clock is (12[5-9]|[1-9][3-9]?[0-9]) s behind"
    like "why: the pieces that make a message" "$OUT" "piece of a sealed knock, 16 of 16"
    is "why: none is more than all" "$(grep -c ' 24 of 16' <<<"$OUT")" 0
    # shellcheck disable=SC2016 # Perl's
    is "why: the same as JSON" "$(ctl why 2001:db8::102 --json; json '$j->{refused}[0]{clock_ahead} > 120 && $j->{refused}[0]{count}')" 1
    is "nothing was answered, IPv4" "$(answers iptables)" 0
    is "nothing was answered, IPv6" "$(answers ip6tables)" 0
}

# Neighbours and routers are asked for and told by IPv6 itself; whatever else leaves the gate, counts.
count_answers() {
    local type
    for type in router-solicitation neighbour-solicitation neighbour-advertisement 143; do
        on_gate ip6tables -A OUTPUT -p ipv6-icmp --icmpv6-type $type -j ACCEPT
    done
    on_gate iptables -A OUTPUT
    on_gate ip6tables -A OUTPUT
}

answers() {
    on_gate "$1" -vxnL OUTPUT | awk 'END { print $1 }'
}

# --- one bit turned --------------------------------------------------------------------------------------------------
# Each message once as it isn't, and then, so that it is known to have been good, as it is.
bits() {
    local number seed=${SEED:-$RANDOM} bits=() times=() windows=(udp tcp udp)
    diag "SEED=$seed"
    RANDOM=$seed
    mark_log
    for number in {200..211}; do
        client_address "192.0.2.$number"
        bits[number]=$((RANDOM % 256)) times[number]=$(ticks)
        seal_turned "$number" "${bits[number]}"
        send_packets "192.0.2.$number"
    done
    stay_shut "one bit turned"
    for number in {200..211}; do
        ok "bit ${bits[number]} turned: said why" said "sealed knock from 192.0.2.$number refused: (unknown|stale): "
        seal_turned "$number"
        send_packets "192.0.2.$number"
        ok "bit ${bits[number]} as it was: opens" opened "192.0.2.$number"
    done
    ok "all of them close" poll 10 no_rules
}

# seal_turned NUMBER [BIT]
seal_turned() {
    seal alice "${windows[$1 % 3]}" "192.0.2.$1" "${times[$1]}" 1 ssh 0 0 - "${@:2}"
}

# --- closing, and keys that go --------------------------------------------------------------------------------------
others_close() {
    mark_log
    seal alice udp $other4 "$(ticks)" 1 ssh 60 0 -
    send_packets $other4
    ok "alice opens" opened $other4
    seal frank udp $other4 "$(ticks)" 2 ssh 0 0 -
    send_packets $other4
    ok "frank can't close it" says "door ssh: refused $other4: nothing that this key opened is open \(frank\)"
    ok "it is open" connects $other4
    seal_close $other4
    ok "alice can" closed $other4
}

removed() {
    "$KNOCKCTL" key remove frank -c "$CONFIG" 2>/dev/null
    reloads "a key is removed"
    mark_log
    seal frank udp $other4 "$(ticks)" 1 ssh 60 0 -
    send_packets $other4
    stay_shut "a removed key"
    ok "a removed key: said why" said "sealed knock from $other4 refused: unknown: "
}

other_server() {
    stop_knockd
    is "ends well" $? 0
    key_text bob other.example >"$KEYS/bob.key"
    "$KNOCKD" -t -c "$CONFIG" >"$WORK/out" 2>&1
    is "a key file of another server: refused" $? 1
    like "a key file of another server: said" "$(cat "$WORK/out")" \
        'bob.key: the key is for the server "other.example", and this one is "gate.example"'
}

begin_sealed
client_address $other4 $other6
more_profiles
all_keys
doors_file
starts "starts"
opens
again
refusals
bits
others_close
removed
other_server
done_testing
