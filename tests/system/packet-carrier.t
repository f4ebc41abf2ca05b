#!/bin/bash
# Sealed knocks in one packet, end to end, by each source that hears them: what opens, bound and unbound, also behind an
# address translator; and that the same packet again, or one that only looks like it, opens nothing.
# shellcheck source-path=SCRIPTDIR source=sealed.sh
. "$(dirname "$0")/sealed.sh"
# shellcheck source-path=SCRIPTDIR source=nat.sh
. "$(dirname "$0")/nat.sh"

other4=192.0.2.77 other6=2001:db8::77
port=32287
access="rule = \"INPUT -s %IP% -p %PROTO% --dport %PORT% -m comment --comment %DOOR% -j ACCEPT\""
stun_port=43000
heard=()

# doors_file SOURCE [PORT]: with keys of the source, packet_port if it isn't the usual one.
doors_file() {
    local keys="type = pcap"
    [ "$1" = pcap ] || keys="type = nflog group = 4711"
    port=${2:-32287}
    { printf 'key_dir = "%s"\nsealed { server = "gate.example" %s }\n%s\n' "$KEYS" "${2:+packet_port = $2}" "$mark_door"; cat; } <<TABLE |
door "ssh"  { key = { alice, frank }  port = $SERVICE  cmd_timeout = 2  max_timeout = 60  $access }
door "for"  { key = { alice }  port = $SERVICE  cmd_timeout = 60  for = true  allow = { "192.0.2.0/24", "2001:db8::/32" }  $access }
door "free" { key = { alice }  port = $SERVICE  cmd_timeout = 60  bound = false  $access }
TABLE
        configure "$keys"
    [ "$1" != pcap ] || sed -i '/^    prefix = /d' "$CONFIG"
}

more_profiles() {
    cat >>"$CONF/knock.conf" <<TABLE
carrier = packet
profile "both"  { host = gate.test  door = "ssh"  key = "gate.key"  port = $SERVICE  family = both  seconds = 30s }
profile "free"  { host = "$GATE4"  door = "free"  key = "gate.key"  port = $SERVICE }
profile "free6" { host = "$GATE6"  door = "free"  key = "gate.key"  port = $SERVICE }
profile "for"   { host = "$GATE4"  door = "for"  key = "gate.key" }
profile "for6"  { host = "$GATE6"  door = "for"  key = "gate.key" }
TABLE
    own_home
}

# What is denied is heard by NFLOG; the log of the kernel, which is only needed by others, gets nothing more.
firewall_passes_on() {
    local iptables
    for iptables in iptables ip6tables; do
        on_gate $iptables -R INPUT "$(on_gate $iptables -S INPUT | grep -n ' LOG ' | awk -F: '{ print $1 - 1 }')" \
            -j NFLOG --nflog-group 4711 --nflog-prefix "$LOG_PREFIX" || return 1
    done
}

# --- what opens: options | for whom | door | bytes | what closes it --------------------------------------------------
opens() {
    local source=$1 options who door bytes by
    while IFS='|' read -r options who door bytes by; do
        mark_log
        # shellcheck disable=SC2086 # words are meant
        knock $options
        ok "$source: $options: opens for $who" opened "$who" "$door"
        is "$source: $options: the client is content" "$STATUS:$ERR" 0:
        is "$source: $options: its packets" "$(arrived | awk '{ print $1, $4, $5 }' | sort -u)" "udp $port $bytes"
        ok "$source: $options: the port can be reached" connects "$who"
        # shellcheck disable=SC2086
        [ "$by" = time ] || knock --close $options
        ok "$source: $options: closes by $by" closed "$who" "$door"
        ok "$source: $options: the port can't be reached any more" not connects "$who" 0.3
        ok "$source: $options: no rule is left" no_rules
        settled
        ok "$source: $options: the client's own copies go unsaid" not said refused
    done <<TABLE
ssh|$CLIENT4|ssh|32|time
ssh6|$CLIENT6|ssh|32|request
--for $other4 for|$other4|for|48|request
--for $other6 for6|$other6|for|48|request
--bind any free|$CLIENT4|free|32|request
--bind any free6|$CLIENT6|free|32|request
-k $KEY -p $SERVICE --carrier packet $GATE4 ssh|$CLIENT4|ssh|32|time
TABLE
}

# What opens, and that one packet is enough.
one_packet() {
    mark_log
    knock ssh
    is "$1: one packet is enough" "$STATUS:$(count)" 0:1
    ok "$1: closes" closed "$CLIENT4"
    ctl why "$CLIENT4"
    like "$1: knockctl why knows of the packet" "$OUT" "$port:udp to $GATE4, source firewall: a sealed knock in one packet"
}

# raw FROM FORM: the message, in a packet made by hand.
raw() {
    on_client perl "$TREE/tests/system/raw-message.pl" "$1" "$(gate_of "$1")" "$port" "$2" "$MESSAGE"
}

# Two messages of one key, made one after the other, at the same moment: neither is refused for the other's sake.
both_families() {
    local i carrier
    named "$GATE4" "$GATE6"
    mark_log
    for i in 1 2 3 4 5; do
        for carrier in packet udp; do
            named_knock --carrier $carrier --always both
            is "$1: both families at once, $carrier $i" "$STATUS:$(grep -c 'is open' <<<"$OUT")" 0:2
        done
    done
    settled
    ok "$1: both families at once: none is refused" not said refused
    ctl close --all
    ok "$1: both families at once: close" poll 5 no_rules
}

# --- the same packet once more ---------------------------------------------------------------------------------------
# resent DESCRIPTION FROM REASON: MESSAGE again. REASON: why it is said to be refused; none: unsaid.
resent() {
    mark_log
    raw "$2" whole
    stay_shut "$1"
    if [ -n "$3" ]; then
        ok "$1: said why" said "sealed knock from $2 refused: $3: "
    else
        ok "$1: not said" not said refused
    fi
}

again() {
    local source=$1 from other served
    for from in $CLIENT4 $CLIENT6; do
        other=$other4 served=ssh
        [ "$from" = $CLIENT4 ] || other=$other6 served=ssh6
        mark_log
        knock "$served"
        MESSAGE=$(arrived | awk '{ print $6; exit }')
        is "$source, $from: opens" "$STATUS:$((${#MESSAGE}))" 0:64
        ok "$source, $from: has closed" closed "$from"
        # As a round of the client that comes late.
        resent "$source, $from: the same packet at once" "$from" ''
        resent "$source, $from: from another address" "$other" unknown
        mark_log
        knock "$served"
        ok "$source, $from: another knock opens" closed "$from"
        resent "$source, $from: the packet of the knock before" "$from" replayed
    done
    is "$source: replayed ones are counted, not the client's own copies" "$(counted sealed_replayed_total)" 2
    mark_log
    knock --seconds 15 ssh
    MESSAGE=$(arrived | awk '{ print $6; exit }')
    ok "$source: opens before knockd is killed" opened $CLIENT4
    kill_keeper
    starts "$source: knockd is killed and started again"
    ok "$source: what it had opened is closed" closed $CLIENT4
    resent "$source: after that, the same packet" $CLIENT4 replayed
    resent "$source: after that, from another address" $other4 unknown
}

# --- what looks like one ---------------------------------------------------------------------------------------------
# Nothing of it uses the message up.
no_messages() {
    local source=$1 from form forms=(cut long less tcp udplite first) number=140
    # A firewall that tracks connections puts fragments together before it passes them on.
    [ "$source" = nflog ] || forms+=(fragments)
    for from in 192.0.2.140 2001:db8::140; do
        client_address $from
        seal alice udp $from "$(ticks)" 1 ssh 0 0 -
        mark_log
        for form in "${forms[@]}"; do
            raw $from "$form" || bail "can't send $form"
            stay_shut "$source, $from: $form"
        done
        ok "$source, $from: nothing of it came to the keys" not said 'sealed knock|refused'
        raw $from whole
        ok "$source, $from: the whole packet opens after all" opened $from
        ok "$source, $from: and closes" closed $from
    done
}

# Key, server, time, address.
refusals() {
    local source=$1 description row reason from number=150 message
    while IFS='|' read -r description row reason; do
        number=$((number + 1))
        for from in 192.0.2.$number 2001:db8::$number; do
            client_address "$from"
            read -r -a message <<<"${row//FROM/$from}"
            seal "${message[@]:0:3}" "$(ticks "${message[3]}")" "${message[@]:4}"
            mark_log
            raw "$from" whole
            stay_shut "$source: $description, $from"
            ok "$source: $description, $from: said why" said "${reason//FROM/$from}"
        done
    done <<'TABLE'
too old|alice udp FROM -125 1 ssh 0 0 -|sealed knock from FROM refused: stale: 
bound to another address|alice udp 203.0.113.9 0 1 ssh 0 0 -|sealed knock from FROM refused: unknown: 
not bound, where the door wants it|alice udp any 0 1 ssh 0 0 -|door ssh: refused FROM: not bound
a key without a file|gone udp FROM 0 1 ssh 0 0 -|sealed knock from FROM refused: unknown: 
for another server|dave udp FROM 0 1 ssh 0 0 -|sealed knock from FROM refused: unknown: 
one bit is turned|frank udp FROM 0 1 ssh 0 0 - 77|sealed knock from FROM refused: unknown: 
for another, where the door is for the sender alone|alice udp-long FROM 0 1 ssh 0 0 203.0.113.9|door ssh: refused 203.0.113.9: it names an address
TABLE
}

# Written from the manual page alone, with another library.
second_implementation() {
    local from to key
    perl -MCrypt::Mac::BLAKE2b -e 1 2>/dev/null || {
        skip "$1: the second implementation" "Perl's CryptX is missing (Debian: libcryptx-perl)"
        return
    }
    for from in 192.0.2.141 2001:db8::141; do
        client_address $from
        to=$(gate_of $from) key=$(sed -n 's/^key = "\(.*\)"/\1/p' "$THEIRS/frank.key")
        mark_log
        on_client perl "$TREE/tests/system/sealed-packet.pl" "$key" gate.example $from $from "$to" "$port" 1 ssh 0 0 - >&2
        ok "$1: the second implementation opens for $from" opened $from
        ok "$1: and that closes" closed $from
    done
}

# --- behind a translator ---------------------------------------------------------------------------------------------
# inside ARGUMENT...: the client, on a host of the network that is translated.
inside() {
    ip netns exec "$CLIENT-1" "${UNPRIVILEGED[@]}" "$KNOCK" "$@" </dev/null >"$WORK/out" 2>"$WORK/err"
    STATUS=$?
    ERR=$(cat "$WORK/err")
}

translated() {
    local source=$1 options door
    while IFS='|' read -r options door; do
        mark_log
        # shellcheck disable=SC2086
        inside $options
        is "$source, behind MASQUERADE: $options: is content" "$STATUS:$ERR" 0:
        ok "$source, behind MASQUERADE: $options: opens for the translator" opened $CLIENT4 "$door"
        ctl close --all
        ok "$source, behind MASQUERADE: closes" poll 5 no_rules
    done <<TABLE
--bind $CLIENT4 ssh|ssh
--stun $GATE4:$stun_port ssh|ssh
--bind any free|free
TABLE
    mark_log
    inside --bind 10.9.0.11 --retries 0 ssh
    is "$source, behind MASQUERADE: bound to its inner address: opens nothing" "$STATUS:$(openings)" 2:
    ok "$source: that is said" says "sealed knock from $CLIENT4 refused: unknown"
}

# --- ports that other networks let out -------------------------------------------------------------------------------
# Datagrams of QUIC's size, as fast as Perl can.
load() {
    # shellcheck disable=SC2016 # Perl's own
    ip netns exec "$CLIENT" perl -MSocket -e 'my ($to, $port) = @ARGV; socket my $s, AF_INET, SOCK_DGRAM, 0 or die;
        connect $s, pack_sockaddr_in($port, inet_aton($to)) or die; my $x = "q" x 1200; my $n = 0;
        while (1) { send $s, $x, 0; select undef, undef, undef, 0.01 if ++$n % 100 == 0 }' "$GATE4" "$1" &
    load=$!
    started $load
}

other_port() {
    local source=$1 number=$2
    doors_file "$source" "$number"
    reloads "$source: packet_port = $number"
    [ "$number" != 443 ] || load 443
    for profile in ssh ssh6; do
        mark_log
        knock --packet-port "$number" --retries 1 $profile
        is "$source, port $number: $profile opens" "$STATUS:$ERR" 0:
        ok "$source, port $number: and closes" says "door ssh: closed for"
    done
    knock --retries 0 ssh
    is "$source, port $number: the usual port takes none then" "$STATUS" 2
    [ "$number" != 443 ] || stop "$load"
}

# The same packet by two sources is the same knock.
by_both() {
    local profile
    doors_file nflog
    sed -i 's/^source "firewall"/source "wire" { type = pcap }\n&/' "$CONFIG"
    starts "both sources: starts"
    for profile in ssh ssh6; do
        mark_log
        knock $profile
        is "both sources: $profile opens" "$STATUS" 0
        settled
        is "both sources: once" "$(openings | wc -l)" 1
        ok "both sources: the second one is not said" not said refused
        ok "both sources: and closes" says "door ssh: closed for"
    done
    is "both sources: copies are counted as such" "$(counted sealed_replayed_total)" 0
    stop_knockd
}

begin_sealed
{ firewall_passes_on && client_address $other4 $other6; } || bail "the firewall can't pass packets on by NFLOG"
more_profiles
for name in frank gone; do
    new_key $name
done
rm "$KEYS/gone.key"
(umask 077; key_text alice other.example >"$THEIRS/dave.key")
# shellcheck disable=SC2119 # no options
{ make_network 1 && translate; } || bail "no network behind the client"
on_gate iptables -I INPUT -p udp --dport $stun_port:$((stun_port + 20)) -j ACCEPT
ip netns exec "$GATE" perl "$TREE/tests/system/stun-server.pl" "$GATE4" $stun_port </dev/null >"$WORK/stun" 2>&1 &
started $!

# On port 443 something is served, so the firewall accepts what comes there.
for source in nflog pcap; do
    doors_file $source
    if "$KNOCKD" -t -c "$CONFIG" 2>&1 | grep -q 'built without'; then
        skip "$source" "this knockd was built without its library"
        continue
    fi
    rm -rf "$WORK/state"
    mkdir "$WORK/state"
    old_state
    starts "$source: starts"
    opens $source
    one_packet $source
    both_families $source
    again $source
    no_messages $source
    refusals $source
    second_implementation $source
    translated $source
    other_port $source 53
    if [ $source = pcap ]; then
        on_gate iptables -I INPUT -p udp --dport 443 -j ACCEPT
        on_gate ip6tables -I INPUT -p udp --dport 443 -j ACCEPT
        other_port $source 443
    fi
    stop_knockd
    is "$source: ends" $? 0
    ok "$source: no rule is left" no_rules
    heard+=("$source")
done
if [ "${heard[*]}" = "nflog pcap" ]; then
    by_both
else
    skip "both sources" "not both are there"
fi
done_testing
