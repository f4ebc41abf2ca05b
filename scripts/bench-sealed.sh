#!/bin/bash
# bench-sealed.sh: what a sealed knock costs on the wire, and how soon the door is open, between two hosts made of
# network namespaces; for root. bench.sh calls it.
#
#   RUNS=11   how many knocks of each kind are timed, in turn
set -u

# shellcheck source-path=SCRIPTDIR source=netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
# shellcheck source-path=SCRIPTDIR source=bench-record.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-record.sh"
# shellcheck source-path=SCRIPTDIR source=bench-peers.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-peers.sh"

[ -z "$QUICK" ] || : "${RUNS:=2}"
: "${RUNS:=11}"
SERVICE=2222 GROUP=4711 CONF='' fwknop_args=()
# Of each kind of knock: sums of what was on the wire and how many knocks that were, times in ms.
declare -A packets=() bytes=() knocks=() times=()

die() {
    echo "bench-sealed: $*" >&2
    exit 1
}

new_key() {
    "$KNOCKCTL" key new "$1" -c "$CONF" >"$WORK/out" 2>&1 || die "no key: $(cat "$WORK/out")"
    cp "$WORK/keys/$1.key" "$WORK/home/knock"
}

# The server doesn't know the stranger.
write_config() {
    CONF=$WORK/knockd.conf
    mkdir -m 700 "$WORK/state" "$WORK/keys" "$WORK/home" "$WORK/home/knock"
    cat >"$CONF" <<END
user = "nobody"  state_dir = "$WORK/state"  control = "$WORK/control"  key_dir = "$WORK/keys"
source "firewall" { type = kmsg  prefix = "$LOG_PREFIX" }
sealed { server = "gate.example" }
door "ssh" { key = "friend"  sequence = { 7000, "8000:udp", 9000 }  port = $SERVICE  cmd_timeout = 600
             rule = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT" }
END
    new_key friend
    new_key stranger
    cat >"$WORK/home/knock/knock.conf" <<END
profile "friend"   { host = $GATE4  door = "ssh"  key = "friend.key" }
profile "stranger" { host = $GATE4  door = "ssh"  key = "stranger.key" }
END
    chmod 600 "$WORK/home/knock/"*
}

# The service's port is none of a knock's, and its packets are not logged: whoever waits for it tries it often.
make_gate() {
    if ! make_hosts || ! firewall4 || ! serve $SERVICE; then
        die "the hosts could not be made"
    fi
    on_gate iptables -I INPUT 3 -p tcp --dport $SERVICE -j DROP
    on_gate iptables -I INPUT 4 -j NFLOG --nflog-group $GROUP --nflog-prefix "$LOG_PREFIX"
    on_client iptables -A OUTPUT -d "$GATE4" -p tcp --dport $SERVICE -j ACCEPT
    on_client iptables -A OUTPUT -d "$GATE4" -j ACCEPT
    write_config
    "$BUILT/tools/old_state" "$WORK/state" || die "no state"
    start_knockd "$CONF" || die "knockd did not start: $(cat "$KNOCKD_LOG")"
}

# --- who knocks ---

knock() {
    on_client env XDG_CONFIG_HOME="$WORK/home" XDG_STATE_HOME="$WORK/home/state" "$KNOCK" "$@" >"$WORK/out" 2>&1
}

plain() {
    knock "$GATE4" 7000 8000:udp 9000
}

by_fwknop() {
    by_peer ip netns exec "$CLIENT" env HOME="$WORK/home" "$FWKNOP" "${fwknop_args[@]}" >"$WORK/out" 2>&1
}

listens() { grep -q 'Starting fwknopd main' "$WORK/fwknopd.log"; }

start_fwknopd() {
    write_fwknop "$WORK/home/fwknop" eth0 1
    fwknop_args=(-A "tcp/$SERVICE" -a "$CLIENT4" -D "$GATE4" "${fwknop_key[@]}")
    LD_LIBRARY_PATH=$peer_libs ip netns exec "$GATE" "$FWKNOPD" "${fwknopd_args[@]}" >"$WORK/fwknopd.log" 2>&1 &
    started $!
    poll 5 listens || die "fwknopd did not start: $(cat "$WORK/fwknopd.log")"
}

# --- what is on the wire ---

# on_wire KIND STATUS CMD...: adds the packets and bytes of one knock, which ends with that status.
on_wire() {
    local kind=$1 status=$2 got new
    shift 2
    on_client iptables -Z OUTPUT
    "$@"
    got=$?
    [ $got = "$status" ] || die "$*: exit status $got, not $status: $(cat "$WORK/out")"
    read -r -a new < <(on_client iptables -nvxL OUTPUT | awk 'NR == 4 { print $1, $2 }')
    packets[$kind]=$((${packets[$kind]-0} + new[0])) bytes[$kind]=$((${bytes[$kind]-0} + new[1]))
    knocks[$kind]=$((${knocks[$kind]-0} + 1))
}

# The stranger's knocks are like any other's, but no door opens early. What UDP carries is in its lengths, so a mean of
# several.
count_knocks() {
    local i carrier
    for carrier in udp tcp packet; do
        for ((i = 0; i < RUNS; i++)); do
            on_wire $carrier.round 2 knock --carrier $carrier --retries 0 --port $SERVICE stranger
            on_wire $carrier.blind 0 knock --carrier $carrier stranger
        done
        on_wire $carrier.whole 2 knock --carrier $carrier --port $SERVICE stranger
    done
    on_wire plain.blind 0 plain
    [ ${#fwknop_args[@]} = 0 ] && return
    shut
    on_wire fwknop.blind 0 by_fwknop
    # It opens later, when the first that is timed must find it shut.
    poll 5 is_open || die "fwknopd did not open: $(tail -n 3 "$WORK/fwknopd.log")"
}

# --- how soon it is open ---

is_open() { ! is_shut; }

is_shut() { ! on_gate iptables -S | grep -q -- "--dport $SERVICE .*-j ACCEPT"; }

shut() {
    "$KNOCKCTL" close ssh -c "$CONF" >/dev/null 2>&1
    poll 5 is_shut || die "the door did not close: $(on_gate iptables -S)"
}

timer_ready() { grep -q '^ready' "$WORK/timer"; }

# timed KIND CMD...: one time more, in ms.
timed() {
    local kind=$1 timer
    shift
    shut
    : >"$WORK/timer" # by now, not when the timer gets to it
    ip netns exec "$CLIENT" perl "$TREE/tests/bench/door_timer.pl" "$GATE4" $SERVICE 10 >"$WORK/timer" 2>&1 &
    timer=$!
    started $timer
    poll 5 timer_ready || die "the timer did not start: $(cat "$WORK/timer")"
    "$@" || die "$*: $(cat "$WORK/out")"
    wait $timer || die "$kind: $(cat "$WORK/timer"); knockd says: $(tail -n 5 "$KNOCKD_LOG")"
    times[$kind]+=$(sed 1d "$WORK/timer")$'\n'
}

# hear SOURCE: knockd's from now on.
hear() {
    stop_knockd
    sed -i "s/^source .*/source \"firewall\" { $1 }/" "$CONF"
    start_knockd "$CONF" || die "knockd did not start: $(cat "$KNOCKD_LOG")"
}

# A log doesn't tell what is in a packet.
time_packets() {
    local i
    hear "type = nflog  group = $GROUP  prefix = \"$LOG_PREFIX\""
    for ((i = 0; i < RUNS; i++)); do
        timed nflog knock --carrier packet friend
    done
    hear "type = pcap"
    for ((i = 0; i < RUNS; i++)); do
        timed pcap knock --carrier packet friend
    done
}

time_knocks() {
    local i
    for ((i = 0; i < RUNS; i++)); do
        timed udp knock --carrier udp friend
        timed tcp knock --carrier tcp friend
        timed plain plain
        [ ${#fwknop_args[@]} = 0 ] || timed fwknop by_fwknop
    done
}

# --- the figures ---

# record_all: how much each kind of knock sends, and how soon it opens.
record_all() {
    local kind what
    declare -A whats=([round]="first round" [blind]="no port" [whole]="nothing opens")
    for kind in "${!knocks[@]}"; do
        what=${whats[${kind#*.}]}
        record "$(program "${kind%.*}")" 0 "$what packets" 1 $((packets[$kind] / knocks[$kind])) "${knocks[$kind]}"
        record "$(program "${kind%.*}")" 0 "$what bytes" bytes $((bytes[$kind] / knocks[$kind])) "${knocks[$kind]}"
    done
    for kind in "${!times[@]}"; do
        record_times "$(program "$kind")" 0 open <<<"${times[$kind]%$'\n'}"
    done
}

# program KIND: as the results name it.
program() {
    case $1 in
    fwknop) echo fwknop ;;
    nflog | pcap) echo "knockd/packet-$1" ;;
    *) echo "knockd/$1" ;;
    esac
}

lacks=$(netns_lacks)
[ -z "$lacks" ] || { echo "Sealed knocks are not measured here: it $lacks."; exit 0; }
netns_begin
make_gate
PEERS=fwknop find_peers
! has_peer fwknop || start_fwknopd
count_knocks
time_knocks
time_packets
record_all
