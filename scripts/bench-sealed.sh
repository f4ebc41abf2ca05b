#!/bin/bash
# bench-sealed.sh: what a sealed knock costs on the wire, and how soon the door is open, between two hosts made of
# network namespaces; for root. Prints what stands in README.md. bench.sh calls it.
#
#   RUNS=11                         how many knocks of each kind are timed, in turn
#   FWKNOPD=PATH FWKNOP=PATH        fwknop's programs where they aren't on PATH; LD_LIBRARY_PATH if they need it
set -u

# shellcheck source-path=SCRIPTDIR source=netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"

: "${RUNS:=11}" "${FWKNOPD:=fwknopd}" "${FWKNOP:=fwknop}"
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
    on_client env HOME="$WORK/home" "$FWKNOP" "${fwknop_args[@]}" >"$WORK/out" 2>&1
}

listens() { grep -q 'Starting fwknopd main' "$WORK/fwknopd.log"; }

# Everything that isn't said here is as its package has it.
start_fwknopd() {
    local dir=$WORK/home/fwknop key hmac
    mkdir -m 700 "$dir"
    HOME=$WORK/home "$FWKNOP" --key-gen >"$WORK/out" 2>&1 || die "fwknop --key-gen: $(cat "$WORK/out")"
    key=$(sed -n 's/^KEY_BASE64: *//p' "$WORK/out") hmac=$(sed -n 's/^HMAC_KEY_BASE64: *//p' "$WORK/out")
    fwknop_args=(-A "tcp/$SERVICE" -a "$CLIENT4" -D "$GATE4" --use-hmac --no-save-args
        --key-base64-rijndael "$key" --key-base64-hmac "$hmac")
    printf '%s;\n' "PCAP_INTF eth0" "FIREWALL_EXE $(command -v iptables)" "FWKNOP_RUN_DIR $dir" \
        "FWKNOP_CONF_DIR $dir" >"$dir/fwknopd.conf"
    printf '%s\n' "SOURCE ANY" "KEY_BASE64 $key" "HMAC_KEY_BASE64 $hmac" "FW_ACCESS_TIMEOUT 1" >"$dir/access.conf"
    chmod 600 "$dir"/*
    ip netns exec "$GATE" "$FWKNOPD" -f -c "$dir/fwknopd.conf" -a "$dir/access.conf" -d "$dir/digest.cache" \
        -r "$dir" -p "$dir/pid" >"$WORK/fwknopd.log" 2>&1 &
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
    [ ${#fwknop_args[@]} = 0 ] || on_wire fwknop.blind 0 by_fwknop
}

# --- how soon it is open ---

is_shut() { ! on_gate iptables -S | grep -q -- "--dport $SERVICE .*-j ACCEPT"; }

shut() {
    "$KNOCKCTL" close ssh -c "$CONF" >/dev/null 2>&1
    poll 5 is_shut || die "the door did not close: $(on_gate iptables -S)"
}

timer_ready() { grep -q ready "$WORK/timer"; }

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

# --- the table ---

# wire KIND: "24 packets, 13016 bytes", "-" if there is no such knock.
wire() {
    local n=${knocks[$1]-0}
    [ "$n" = 0 ] && { echo -; return; }
    echo "$((packets[$1] / n)), $((bytes[$1] / n)) bytes"
}

# opens KIND: the median of its times, and between which they lie.
opens() {
    [ -n "${times[$1]-}" ] || { echo -; return; }
    sort -n <<<"${times[$1]%$'\n'}" |
        awk '{ t[NR] = $1 } END { printf "%.0f ms (%.0f-%.0f)\n", t[int((NR + 1) / 2)], t[1], t[NR] }'
}

# row TITLE KIND [TIMES]: TIMES: the kind of those.
row() {
    echo "| $1 | $(wire "$2.round") | $(wire "$2.blind") | $(wire "$2.whole") | $(opens "${3:-$2}") |"
}

print_table() {
    echo '| a knock | packets of the first round | with no port to wait for | when nothing opens | door open after |'
    echo '|---|---|---|---|---|'
    row "sealed, carrier UDP" udp
    row "sealed, carrier TCP" tcp
    row "sealed, in one packet, heard by NFLOG" packet nflog
    row "the same, captured" packet pcap
    row "a plain sequence of 3 ports" plain
    [ ${#fwknop_args[@]} = 0 ] || row "\`fwknop\`, one packet, captured" fwknop
}

lacks=$(netns_lacks)
[ -z "$lacks" ] || { echo "Sealed knocks are not measured here: it $lacks."; exit 0; }
cpu=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
echo "$(date -u +%F), $(nproc) x $cpu, Linux $(uname -r | cut -d- -f1); IPv4 packets with their headers, mean of $RUNS" \
    "(one where nothing opens); from the first packet to a connection, source kmsg, of one packet as it says: median" \
    "of $RUNS in turn, and between which they lie"
echo
netns_begin
make_gate
if command -v "$FWKNOPD" >/dev/null && command -v "$FWKNOP" >/dev/null; then
    start_fwknopd
fi
count_knocks
time_knocks
time_packets
print_table
