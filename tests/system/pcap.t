#!/bin/bash
# Knocks heard by a capture (type = pcap), without a rule or a log: which packets, by which interfaces, whatever becomes
# of these; what a scan, a browser and heavy traffic do to it.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

# A service that doors open, and that is being used all the time.
served=4433

# write_config KEYS [DOOR_KEYS]: of the source, and of the door.
write_config() {
    cat >"$CONFIG" <<EOF
user      = "nobody"
state_dir = "$WORK/state" control = "$WORK/control"
source "wire" {
    type = pcap
    $1
}
door "ssh" {
    sequence    = { "7412", "28733:udp", "51990" }
    port        = 2222
    ignore      = { "$served:udp" }
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    cmd_timeout = 300
    ${2:-}
}
EOF
}

right=(7412 28733:udp 51990)

# knock_from ADDRESS [STEP...]: at the gate's address of the same family.
knock_from() {
    local from=$1 to=$GATE4
    shift
    [[ $from != *:* ]] || to=$GATE6
    send_knock "$from" "$to" "$@"
}

# next_client: sets FROM4 and FROM6, addresses that haven't knocked yet.
clients=9
next_client() {
    clients=$((clients + 1))
    FROM4=192.0.2.$clients FROM6=2001:db8::$clients
    client_address "$FROM4" "$FROM6"
}

# opens DESCRIPTION [STEP...]: both families, each once.
opens() {
    local description=$1 steps
    shift
    steps=("${@:-${right[@]}}")
    next_client
    knock_from "$FROM4" "${steps[@]}"
    knock_from "$FROM6" "${steps[@]}"
    ok "$description: IPv4" says "opened for $FROM4,"
    ok "$description: IPv6" says "opened for $FROM6,"
    is "$description: and not extended" "$(said_lines "($FROM4|$FROM6).*(again|extended)")" ""
}

# stays_shut DESCRIPTION [STEP...]: a right knock afterwards, by others, shows that all was heard.
stays_shut() {
    local description=$1 first4 first6 steps
    shift
    steps=("${@:-${right[@]}}")
    next_client
    first4=$FROM4 first6=$FROM6
    knock_from "$FROM4" "${steps[@]}"
    knock_from "$FROM6" "${steps[@]}"
    opens "$description; a right knock by others"
    is "$description: nothing opened" "$(said_lines "opened for ($first4|$first6),")" ""
}

# --- further wires ---

# wire NAME NUMBER: between gate and client, both ends so named: 198.51.NUMBER.1 and 2001:db8:NUMBER::1 at the gate.
wire() {
    ip -n "$GATE" link add "$1" type veth peer name "$1" netns "$CLIENT" && wire_addresses "$1" "$2" &&
        poll 5 wire_works "$1"
}

wire_addresses() {
    local at host=$CLIENT number=2
    for at in 1 2; do
        ip -n "$host" link set "$1" up
        ip -n "$host" address replace "198.51.$2.$number/24" dev "${3:-$1}"
        ip -n "$host" address replace "2001:db8:$2::$number/64" dev "${3:-$1}" nodad
        host=$GATE number=$at
    done
}

# wire_works NAME: at both ends.
wire_works() {
    on_gate grep -qE 'up|unknown' "/sys/class/net/$1/operstate" && on_client grep -qE 'up|unknown' "/sys/class/net/$1/operstate"
}

# next_by NAME NUMBER: sets FROM4 and FROM6, of that wire.
next_by() {
    clients=$((clients + 1))
    FROM4=198.51.$2.$clients FROM6=2001:db8:$2::$clients
    ip -n "$CLIENT" address add "$FROM4/24" dev "$1"
    ip -n "$CLIENT" address add "$FROM6/64" dev "$1" nodad preferred_lft 0
}

# knock_by NAME NUMBER [GATE4]: by both families.
knock_by() {
    next_by "$1" "$2"
    send_knock "$FROM4" "${3:-198.51.$2.1}" "${right[@]}"
    send_knock "$FROM6" "2001:db8:$2::1" "${right[@]}"
}

opens_by() {
    local description=$1
    shift
    knock_by "$@"
    ok "$description: opens by IPv4" says "opened for $FROM4,"
    ok "$description: opens by IPv6" says "opened for $FROM6,"
    is "$description: is heard once" "$(said_lines "($FROM4|$FROM6)" | wc -l)" 2
}

# unheard_by DESCRIPTION NAME NUMBER: what is heard by eth0 afterwards shows that nothing is late.
unheard_by() {
    local description=$1 first4 first6
    knock_by "$2" "$3"
    first4=$FROM4 first6=$FROM6
    sleep 0.3
    is "$description: isn't heard" "$(said_lines "opened for ($first4|$first6),")" ""
}

# --- interfaces ---

comes_and_goes() {
    write_config 'interface = "wan1"'
    like "an interface that isn't there: knockd -t says so" "$("$KNOCKD" -t -c "$CONFIG" 2>&1)" \
        'source "wire": interface wan1 isn.t there now; waiting for it.*configuration OK'
    starts "starts without the interface"
    ok "and says that it isn't there" said 'source "wire": interface wan1 isn.t there now'
    wire wan1 10
    opens_by "an interface that comes late" wan1 10
    if ip -n "$GATE" link property add dev wan1 altname wan1-other 2>/dev/null; then
        sed 's/"wan1"/"wan1-other"/' "$CONFIG" >"$WORK/other.conf"
        like "another name of an interface: knockd -t says which counts" "$(on_gate "$KNOCKD" -t -c "$WORK/other.conf" 2>&1)" \
            'source "wire": wan1-other is another name of interface wan1, .*: write interface = wan1'
    else
        skip "another name of an interface" "this ip or kernel has none"
    fi
    next_client
    knock_from "$FROM4" "${right[@]}"
    sleep 0.2
    is "a knock by another interface isn't heard" "$(said_lines "opened for $FROM4,")" ""
    ip -n "$GATE" link set wan1 down
    ip -n "$GATE" link set wan1 up
    wire_addresses wan1 10
    poll 5 wire_works wan1
    opens_by "down, and up again" wan1 10
    local before
    before=$(on_gate cat /sys/class/net/wan1/ifindex)
    ip -n "$GATE" link del wan1
    ip -n "$GATE" link add filler0 type veth peer name filler1 # takes the number
    wire wan1 10
    is "gone and back: it has another number" "$([ "$(on_gate cat /sys/class/net/wan1/ifindex)" != "$before" ]; echo $?)" 0
    opens_by "gone, and back" wan1 10
    rename wan1 other
    unheard_by "renamed" wan1 10
    rename other wan1
    opens_by "renamed back" wan1 10
    ip -n "$GATE" address del 198.51.10.1/24 dev wan1
    ip -n "$GATE" address add 198.51.10.99/24 dev wan1
    opens_by "another address" wan1 10 198.51.10.99
    ip -n "$GATE" address add 198.51.10.1/24 dev wan1
    stop_knockd
}

# A kernel that renames an interface only while it is down gets it down.
rename() {
    ip -n "$GATE" link set "$1" down
    ip -n "$GATE" link set "$1" name "$2"
    wire_up_again "$2"
}

wire_up_again() {
    ip -n "$GATE" link set "$1" up
    ip -n "$GATE" address replace 198.51.10.1/24 dev "$1"
    ip -n "$GATE" address replace 2001:db8:10::1/64 dev "$1" nodad
    poll 5 on_gate grep -q up "/sys/class/net/$1/operstate"
}

several() {
    write_config 'interface = { "wan1", "wan2" }'
    wire wan2 11
    wire wan3 12
    starts "starts with two interfaces"
    opens_by "the first of two" wan1 10
    opens_by "the second of two" wan2 11
    unheard_by "a third" wan3 12
    stop_knockd
    write_config 'interface = any'
    starts "starts with any interface"
    opens_by "any: one" wan1 10
    wire wan4 13
    opens_by "any: one that comes later" wan4 13
    stop_knockd
    write_config '' 'interface = "wan2"'
    starts "starts with an interface of the door"
    unheard_by "the door's interface: another" wan1 10
    opens_by "the door's interface: that" wan2 11
    stop_knockd
}

vlan() {
    if ! { ip -n "$GATE" link add link wan1 name wan1.5 type vlan id 5 &&
        ip -n "$CLIENT" link add link wan1 name wan1.5 type vlan id 5; } 2>/dev/null; then
        skip "a VLAN" "this kernel makes none"
        return
    fi
    wire_addresses wan1.5 15
    poll 5 wire_works wan1.5
    write_config 'interface = { "wan1", "wan1.5" }' 'interface = "wan1.5"'
    starts "starts with a VLAN"
    opens_by "by a VLAN, under its name" wan1.5 15
    unheard_by "the wire below it" wan1 10
    stop_knockd
}

bridge() {
    if ! ip -n "$GATE" link add br0 type bridge 2>/dev/null; then
        skip "a bridge" "this kernel makes none"
        return
    fi
    ip -n "$GATE" address flush dev wan3
    ip -n "$GATE" link set wan3 master br0
    ip -n "$GATE" link set br0 up
    ip -n "$GATE" address add 198.51.12.1/24 dev br0
    ip -n "$GATE" address add 2001:db8:12::1/64 dev br0 nodad
    poll 5 on_gate grep -q up /sys/class/net/br0/operstate
    write_config 'interface = { "wan3", "br0" }' 'interface = "br0"'
    starts "starts with a bridge"
    ok "a bridge's part: said" said 'interface wan3 is a part of br0, and packets that come by it are br0.s: write interface = br0'
    opens_by "by a bridge, under its name" wan3 12
    stop_knockd
}

tun() {
    local line
    write_config 'interface = "tun5"'
    starts "starts with a tun interface to come"
    coproc TUN { exec ip netns exec "$GATE" perl "$TREE/tests/system/packets.pl" tun tun5 198.51.16.7 192.0.2.1 "${right[@]}" 2>&1; }
    started "$TUN_PID"
    local pid=$TUN_PID out=${TUN[1]} in=${TUN[0]}
    read -r -t 5 -u "$in" line
    if [ "$line" != up ]; then
        skip "a tun interface" "$line"
    else
        poll 5 on_gate test -e /sys/class/net/tun5
        sleep 0.3
        echo go >&"$out"
        ok "by a tun interface: opens" says "opened for 198.51.16.7,"
        stop "$pid"
    fi
    stop_knockd
}

# --- whatever the firewall does with them ---

firewalls() {
    write_config ""
    starts "starts, with no rule in the firewall"
    serve 2222
    opens "no firewall at all"
    stays_shut "the wrong order" 28733:udp 7412 51990
    stays_shut "TCP for UDP" 7412 28733 51990
    # To the client, who has the same address at the other end: the packets only go out.
    on_gate perl "$peer" knock - "$CLIENT4" "${right[@]}"
    on_gate perl "$peer" knock - "$CLIENT6" "${right[@]}"
    opens "after the gate's own knock at others"
    is "what goes out doesn't count" "$(said_lines "opened for ($GATE4|$GATE6|$CLIENT4|$CLIENT6),")" ""
    { firewall4 && firewall6; } || bail "no firewall"
    on_gate iptables -D INPUT -j LOG --log-prefix "$LOG_PREFIX"
    on_gate ip6tables -D INPUT -j LOG --log-prefix "$LOG_PREFIX"
    opens "a firewall that drops, and logs nothing"
    ok "and the service is reached" can_connect -s "$FROM4" "$GATE4" 2222
    stop_knockd
}

# Connections and datagrams to what is served, between the steps.
browses() {
    write_config ""
    on_gate iptables -I INPUT -p tcp --dport 8080 -j ACCEPT
    on_gate ip6tables -I INPUT -p tcp --dport 8080 -j ACCEPT
    serve 8080
    starts "starts while a service is used"
    opens "a browser between the steps" 7412 8080 "$served:udp" 28733:udp "$served:udp" 8080 8080 51990
    opens "two services between the steps" 7412 8080 8443 28733:udp 8443 8080 51990
    stays_shut "three services between two steps" 7412 8080 8443 9443 28733:udp 51990
    stays_shut "a decoy between two steps" 7412 7413 28733:udp 51990
    stays_shut "a decoy of UDP" 7412 28734:udp 28733:udp 51990
    stop_knockd
}

# why_tells ADDRESS TEXT: knockctl why.
why_tells() {
    "$KNOCKCTL" why "$1" -s "$WORK/control" | grep -qF "$2"
}

# Connections to many ports, as passive FTP makes: they count in the door's own time, whatever time another door takes.
uses_many_ports() {
    local many=({40000..42200..200}) first4 first6
    write_config "" 'seq_timeout = 3'
    cat >>"$CONFIG" <<EOF
door "slow" { sequence = { "9412", "10412:udp", "11700" } seq_timeout = 3600 start_command = "/bin/true" stop_command = "" }
EOF
    starts "starts beside a door that takes its time"
    stays_shut "many other ports before the knock" "${many[@]}" "${right[@]}"
    next_client
    first4=$FROM4 first6=$FROM6
    knock_from "$first4" "${many[@]}"
    knock_from "$first6" "${many[@]}"
    sleep 3.2 # the time that is to go by
    knock_from "$first4" "${right[@]}"
    knock_from "$first6" "${right[@]}"
    ok "many other ports, and a knock when the door's time has gone by: IPv4" says "ssh: opened for $first4,"
    ok "many other ports, and a knock when the door's time has gone by: IPv6" says "ssh: opened for $first6,"
    knock_from "$first4" 9412 10412:udp 11700
    # Of such knocks one is told in 10 s.
    ok "a door that takes its time stays shut as long" poll 5 why_tells "$first4" "slow: the sequence is complete, but the address sent to many"
    stop_knockd
}

# --- scans ---

scanner_is_told() {
    knock_from "192.0.2.$((clients - 1))" "9412:$proto" "10412:$proto" "11412:$proto"
    said "far-$proto: .* knocked right, but sent to at least [0-9]+ other ports besides, as a port scan does: not opened"
}

# Every port once, at some speed; the listener loses none, so that what it decides is no accident.
scans() {
    local proto order
    write_config "" 'seq_timeout = 120'
    for proto in tcp udp; do
        # Steps on the way of a scan that strides by 1000.
        cat >>"$CONFIG" <<EOF
door "far-$proto" { sequence = { "9412:$proto", "10412:$proto", "11412:$proto" } start_command = "/bin/true" stop_command = "" }
EOF
    done
    starts "starts before the scans"
    for proto in tcp udp; do
        next_client
        knock_from "$FROM4" 9412:$proto 10412:$proto 11412:$proto
        ok "steps that lie on a stride, by $proto: a knock opens" says "far-$proto: opened for $FROM4,"
        for order in up down random 1000; do
            next_client
            on_client perl "$TREE/tests/system/packets.pl" scan $proto $order "$FROM4" "$GATE4" 20000 >"$WORK/sent"
            like "a scan by $proto, $order, has sent all" "$(cat "$WORK/sent")" 'sent 65536'
            opens "after a scan by $proto, $order"
        done
        # opens has gone on to another client. Of such and of stalled knocks one is told in 10 s.
        ok "the stride, by $proto: it is said why nothing opens" poll 15 scanner_is_told
        like "the stride, by $proto: knockctl why tells it" \
            "$("$KNOCKCTL" why "192.0.2.$((clients - 1))" -s "$WORK/control")" "far-$proto: the sequence is complete, but the address sent to many other ports"
    done
    is "no scan has opened a door" "$(said_lines 'opened for' | wc -l)" 18
    stop_knockd
}

# --- load ---

ticks() {
    local stat
    read -r stat <"/proc/$(listener_pids)/stat"
    read -r -a stat <<<"${stat##*) }"
    echo $((stat[11] + stat[12]))
}

switches() {
    sed -n 's/^voluntary_ctxt_switches:[^0-9]*//p' "/proc/$(listener_pids)/status"
}

resident() {
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(listener_pids)/status"
}

served_load() {
    local before wakes
    write_config ""
    starts "starts before the load"
    opens "before the load"
    wakes=$(switches)
    sleep 2
    is "at rest it doesn't wake up" "$(switches)" "$wakes"
    before=$(ticks) wakes=$(switches)
    on_client perl "$TREE/tests/system/packets.pl" load "$FROM4" "$GATE4" "$served" 10000 "${LOAD_SECONDS:-2}" >"$WORK/sent"
    diag "load: $(cat "$WORK/sent")"
    is "10,000 datagrams a second to a served port cost it no time" "$(($(ticks) - before))" 0
    is "and don't wake it up" "$(switches)" "$wakes"
    opens "after the load"
    stop_knockd
}

spoofed() {
    local i seconds=${SPOOF_SECONDS:-4} rate=${SPOOF_RATE:-20000} opened=0 before
    write_config ""
    echo "max_sources = 16384" >>"$CONFIG"
    starts "starts before the flood"
    for i in {1..20}; do
        next_client
        knocks[i]=$FROM4
    done
    on_client perl "$TREE/tests/system/packets.pl" spoof "$GATE4" 7412 "$rate" "$seconds" >"$WORK/sent" &
    started $!
    # By then the table is full.
    sleep 1.5
    before=$(resident)
    for i in {1..20}; do
        knock_from "${knocks[i]}" "${right[@]}"
    done
    wait $!
    diag "flood: $(cat "$WORK/sent"), RSS $before to $(resident) KB, $(said_lines 'packets were dropped')"
    for i in {1..20}; do
        poll 5 said "opened for ${knocks[i]}," && opened=$((opened + 1))
    done
    is "amid spoofed SYNs, knocks that opened" $opened 20
    ok "and its memory is flat" test "$(resident)" -lt $((before + 1024))
    stop_knockd
}

# The lines of README.md.
first_door() {
    {
        echo "user = nobody state_dir = \"$WORK/state\" control = \"$WORK/control\""
        sed -n '/^## Without a log/,/^## Sealed/s/^    //p' "$TREE/README.md" | sed 's/  *# or .*//'
    } >"$CONFIG"
    starts "README's first door by a capture"
    opens "README's first door" 14914:udp 11097 9989
    stop_knockd
}

# --- reload ---

# Sockets of captures in the gate, by the kernel's list.
captures() {
    on_gate sed 1d /proc/net/packet | wc -l
}

reloads() {
    echo "9100:udp,9500:tcp,9900:udp" >"$WORK/once"
    write_config "" "one_time_sequences = \"$WORK/once\""
    starts "starts with one-time sequences"
    next_client
    knock_from "$FROM4" 9100:udp 9500 9900:udp
    ok "a one-time sequence by UDP opens" says "opened for $FROM4,"
    next_client
    knock_from "$FROM4" {9200..9230} 9100:udp 9500 9900:udp
    ok "one at the end of a scan is told as one" says "ssh: $FROM4 knocked right, but sent to at least"
    ok "and the listener that tells it lives" not said "no listener says"
    next_client
    knock_from "$FROM4" 61100:udp 60500 60100:udp
    echo "61100:udp,60500:tcp,60100:udp" >>"$WORK/once"
    kill -HUP "$KNOCKD_PID"
    ok "reloaded" says "reloaded $CONFIG"
    is "what came before the reload doesn't count" "$(said_lines "opened for $FROM4,")" ""
    knock_from "$FROM4" 61100:udp 60500 60100:udp
    ok "a one-time sequence that the reload brought opens" says "opened for $FROM4,"
    opens "after a reload"
    is "the listener before is gone, with its sockets" "$(captures)" 2
    kill -KILL "$(listener_pids)"
    ok "another listener comes" says "listening again" 6
    opens "by another listener"
    is "with sockets of its own" "$(captures)" 2
    stop_knockd
    is "none is left" "$(captures)" 0
}

# Without CAP_NET_RAW the message says what to do.
forbidden() {
    cat >"$WORK/without" <<EOF
#!/bin/sh
exec setpriv --bounding-set=-net_raw $KNOCKD "\$@"
EOF
    chmod +x "$WORK/without"
    write_config ""
    KNOCKD=$WORK/without ok "without CAP_NET_RAW: doesn't start" not run_knockd
    like "and says what it takes" "$(cat "$KNOCKD_LOG")" \
        'source "wire": can.t hear packets: it takes the capability CAP_NET_RAW, which root lacks here: allow it in the unit'
}

# More served ports near steps than a filter has room for: said by -t as well as by a start.
widened() {
    {
        echo "source \"wire\" { type = pcap }"
        for ((i = 0; i < 12; i++)); do
            echo "door \"d$i\" { sequence = { \"$((2000 + 2000 * i)):udp\", \"50000\", \"60001\" } start_command = /bin/true stop_command = \"\" ignore = {"
            seq -f '"%.0f:udp",' $((1880 + 2000 * i)) 2 $((2118 + 2000 * i)) | grep -vF "\"$((2000 + 2000 * i)):" | sed '$s/,//'
            echo "} }"
        done
    } >"$WORK/many.conf"
    like "more ports than a filter has room for: knockd -t says so" "$("$KNOCKD" -t -c "$WORK/many.conf" 2>&1)" \
        'source "wire": the doors open and ignore so many ports that the kernel can.t leave out all of them: packets to [0-9]+ of'
}

needs_gate
widened
first_door
reloads
forbidden
firewalls
browses
uses_many_ports
scans
comes_and_goes
several
vlan
bridge
tun
served_load
knocks=()
spoofed
is "no rule left" "$(rules iptables)$(rules ip6tables)" ""
done_testing
