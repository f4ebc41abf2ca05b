# Sourced by the demo and the system tests: two hosts made of network namespaces, a firewall that logs, a service,
# knockd. The one who sources it calls netns_begin first; whatever was made is gone when the shell exits.
# shellcheck shell=bash

set -u
export LC_ALL=C # EPOCHREALTIME has a decimal point only there
TREE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd) || exit 1
BUILT=${BUILD:-build}
[[ $BUILT = /* ]] || BUILT=$TREE/$BUILT
: "${KNOCKD:=$BUILT/knockd/knockd}" "${KNOCK:=$BUILT/knock/knock}" "${KNOCKCTL:=$BUILT/knockctl/knockctl}"

# shellcheck disable=SC2034 # for those who source this
{
    GATE=knockd-$$-gate GATE4=192.0.2.1 GATE6=2001:db8::1
    CLIENT=knockd-$$-client CLIENT4=192.0.2.2 CLIENT6=2001:db8::2
}
# The log is one for the whole machine: a prefix of its own tells this run's lines from all others'.
LOG_PREFIX="[DENY-$$.$RANDOM] "
# Where denied packets go: to the kernel's log unless this is empty, to that group of NFLOG if one is named.
KERNEL_LOG=yes NFLOG_GROUP=''
KNOCKD_PID='' KNOCKD_LOG=''
netns_pids=() netns_hosts=() netns_logging='' netns_calls=0 held_pid=''

# shellcheck source-path=SCRIPTDIR source=rsyslog.sh
. "$TREE/scripts/rsyslog.sh"

# --- time and processes ---

now_ms() {
    local us=${EPOCHREALTIME/./}
    echo $((us / 1000))
}

# Nothing ever comes from here: a read that waits for it is a pause that starts no program.
exec {netns_silence}<> <(:)

# nap SECONDS, with decimals or without.
nap() {
    read -r -t "$1" -u "$netns_silence"
    return 0
}

# poll SECONDS CMD...: repeats CMD until it succeeds (0) or the time, in whole seconds, is up (1). POLL_STEP is the
# pause; without it, it grows from 20 to 99 ms. POLL_LEAST is the seconds that are the least for every call.
poll() {
    local least=${POLL_LEAST:-0} end pause=20
    end=$((${EPOCHREALTIME/./} + ($1 > least ? $1 : least) * 1000000))
    shift
    until "$@"; do
        [ "${EPOCHREALTIME/./}" -lt $end ] || return 1
        nap "${POLL_STEP:-.0$pause}"
        pause=$((pause < 90 ? pause + pause / 8 : 99))
    done
}

# started PID: a child that has to be gone at the end.
started() {
    netns_pids+=("$1")
}

# ended PID: true also when the number belongs to another's process by now.
ended() {
    local stat
    read -r stat <"/proc/$1/stat" || return 0
    read -r -a stat <<<"${stat##*) }"
    [ "${stat[0]}" = Z ] || [ "${stat[1]}" != $$ ]
} 2>/dev/null

# stop PID: asks the child to end, makes it after 5 s. Returns its exit status, 137 if it had to be killed.
stop() {
    ended "$1" || kill -TERM "$1" 2>/dev/null
    poll 5 ended "$1" || kill -KILL "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

# --- begin and end ---

# hosts_lack: prints why this machine can't make hosts out of namespaces; nothing when it can.
hosts_lack() {
    local command
    [ "$(id -u)" = 0 ] || { echo "needs root, for network namespaces and the firewall"; return; }
    for command in ip iptables ip6tables perl flock setpriv; do
        command -v "$command" >/dev/null || { echo "needs the command $command; see scripts/deps.sh"; return; }
    done
}

# netns_lacks: prints why it can't make hosts whose denied packets go to the kernel's log; nothing when it can.
netns_lacks() {
    local lacks
    lacks=$(hosts_lack)
    [ -z "$lacks" ] || { echo "$lacks"; return; }
    [ -w "$nf_log_switch" ] ||
        { echo "needs $nf_log_switch: only the first network namespace has it"; return; }
    [ -r /dev/kmsg ] || echo "needs to read /dev/kmsg"
}

# Any user reaches the folder. A TMPDIR may be its owner's alone, as libpam-tmpdir makes it.
open_to_all() {
    setpriv --reuid=65534 --regid=65534 --clear-groups test -x "$1"
} 2>/dev/null

# Copies of the programs, in WORK: other users run them too, and the tree may lie in a folder that only its owner may
# enter. What isn't built stays where it isn't, for the message that says so.
copy_programs() {
    local name
    mkdir -m 755 "$WORK/bin" || exit 1
    for name in KNOCKD KNOCK KNOCKCTL; do
        [ ! -x "${!name}" ] || install -m 755 "${!name}" "$WORK/bin/" || exit 1
        [ ! -x "${!name}" ] || printf -v $name '%s' "$WORK/bin/${!name##*/}"
    done
    install -m 755 "$TREE/scripts/netns-peer.pl" "$WORK/bin/" || exit 1
}

# netns_begin: the directory WORK, which others may enter but not list, and the promise to remove everything.
netns_begin() {
    local folder=${TMPDIR:-/tmp}
    trap netns_end EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
    umask 022
    [ "$(id -u)" != 0 ] || open_to_all "$folder" || folder=/tmp
    WORK=$(mktemp -d "$folder/knockd.XXXXXX") || exit 1
    chmod 711 "$WORK"
    copy_programs
    peer=$WORK/bin/netns-peer.pl
}

# Ends what still runs in a host of ours, whoever started it there.
end_inhabitants() {
    local pid
    for pid in $(ip netns pids "$1" 2>/dev/null); do
        kill -KILL "$pid" 2>/dev/null
    done
}

netns_end() {
    local status=$? pid host
    trap '' INT TERM HUP
    # The last comes first: knockd has to take its rules back while its host is still there.
    while [ ${#netns_pids[@]} -gt 0 ]; do
        pid=${netns_pids[-1]}
        unset 'netns_pids[-1]'
        ended "$pid" || stop "$pid"
    done
    for host in "${netns_hosts[@]}"; do
        end_inhabitants "$host"
        ip netns del "$host" 2>/dev/null
    done
    [ -z "$netns_logging" ] || nf_log_release
    [ -z "${WORK:-}" ] || find /run/knockd/state -lname "$WORK/*" -delete 2>/dev/null
    [ -z "${WORK:-}" ] || rm -rf "$WORK"
    exit $status
}

# --- the kernel's log of packets in namespaces ---

# Off by default, and one switch for the machine: whoever turns it on counts as a holder, the last one puts back
# what was there before the first. A holder is a file named by its process, with the process's start time inside, so
# that one that was killed doesn't count.
nf_log_switch=/proc/sys/net/netfilter/nf_log_all_netns
nf_log_dir=/run/knockd-nf-log

start_time() {
    local stat
    read -r stat <"/proc/$1/stat" || return 1
    read -r -a stat <<<"${stat##*) }"
    echo "${stat[19]}"
} 2>/dev/null

nf_log_forget_dead() {
    local file
    for file in "$nf_log_dir"/holder.*; do
        [ ! -e "$file" ] || [ "$(start_time "${file##*.}")" = "$(cat "$file")" ] || rm -f "$file"
    done
}

# Both halves work in a subshell: a signal there ends it, and the lock with it.
nf_log_hold() {
    netns_logging=yes
    mkdir -m 700 "$nf_log_dir" 2>/dev/null
    (
        flock 9 || exit 1
        nf_log_forget_dead
        # Left over from killed holders, `was` is still the truth; the switch is not.
        [ -e "$nf_log_dir/was" ] || cat "$nf_log_switch" >"$nf_log_dir/was"
        start_time $$ >"$nf_log_dir/holder.$$"
        echo 1 >"$nf_log_switch"
    ) 9>"$nf_log_dir/lock"
}

nf_log_release() {
    (
        flock 9 || exit 1
        rm -f "$nf_log_dir/holder.$$"
        nf_log_forget_dead
        compgen -G "$nf_log_dir/holder.*" >/dev/null && exit
        [ ! -e "$nf_log_dir/was" ] || cat "$nf_log_dir/was" >"$nf_log_switch"
        rm -f "$nf_log_dir/was"
    ) 9>"$nf_log_dir/lock"
    netns_logging=''
}

# kernel_lines [TEXT]: the kernel's lines of packets that this run's firewall denied; only those that hold TEXT.
kernel_lines() {
    dmesg | grep -F -- "$LOG_PREFIX" | grep -F -- "${1:-}"
}

# --- hosts ---

on_gate() {
    ip netns exec "$GATE" "$@"
}

on_client() {
    ip netns exec "$CLIENT" "$@"
}

make_host() {
    ip netns add "$1" || return 1
    netns_hosts+=("$1")
    ip -n "$1" link set lo up
}

# add_address HOST ADDRESS [OPTION...]: IPv6 without duplicate address detection, which would keep it unusable for
# a second.
add_address() {
    local host=$1 address=$2/24 options=()
    [[ $2 != *:* ]] || address=$2/64 options=(nodad)
    shift 2
    ip -n "$host" address add "$address" dev eth0 "${options[@]}" "$@"
}

# client_address ADDRESS...: more addresses for the client, to knock from. Deprecated at once, as far as IPv6 can
# tell: the system's own choice stays what it was.
client_address() {
    local address
    for address; do
        if [[ $address = *:* ]]; then
            add_address "$CLIENT" "$address" preferred_lft 0 || return 1
        else
            add_address "$CLIENT" "$address" || return 1
        fi
    done
}

# Packets sent earlier are lost, and TCP waits a second before it tries again.
wire_is_up() {
    on_client grep -q up /sys/class/net/eth0/operstate
}

# make_hosts: gate and client, a wire between them (eth0 on both), denied packets logged.
make_hosts() {
    make_host "$GATE" && make_host "$CLIENT" &&
        ip -n "$GATE" link add eth0 type veth peer name eth0 netns "$CLIENT" &&
        add_address "$GATE" "$GATE4" && add_address "$GATE" "$GATE6" &&
        add_address "$CLIENT" "$CLIENT4" && add_address "$CLIENT" "$CLIENT6" &&
        ip -n "$GATE" link set eth0 up && ip -n "$CLIENT" link set eth0 up &&
        poll 3 wire_is_up || return 1
    [ -z "$KERNEL_LOG" ] || nf_log_hold
}

# firewall IPTABLES: default deny. Every denied packet is logged, or given to NFLOG_GROUP, or both, without a limit: a
# knock lost in one never opens.
firewall() {
    local rule rules=(
        "-A INPUT -i lo -j ACCEPT"
        "-A INPUT -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
    )
    # Without neighbour discovery there is no IPv6 at all.
    [ "$1" = iptables ] || rules+=("-A INPUT -p ipv6-icmp -j ACCEPT")
    rules+=("-P INPUT DROP")
    for rule in "${rules[@]}"; do
        read -r -a rule <<<"$rule"
        on_gate "$1" "${rule[@]}" || return 1
    done
    if [ -n "$NFLOG_GROUP" ]; then
        on_gate "$1" -A INPUT -j NFLOG --nflog-prefix "$LOG_PREFIX" --nflog-group "$NFLOG_GROUP" || return 1
    fi
    if [ -n "$KERNEL_LOG" ]; then
        on_gate "$1" -A INPUT -j LOG --log-prefix "$LOG_PREFIX" || return 1
    fi
    on_gate "$1" -A INPUT -j DROP
}

firewall4() {
    firewall iptables
}

firewall6() {
    firewall ip6tables
}

# --- packets and connections ---

# Set by netns_begin.
peer=''
# serve PORT: a TCP service on the gate that echoes what it gets, by IPv4 and IPv6.
serve() {
    local log=$WORK/serve.$1
    : >"$log"
    ip netns exec "$GATE" perl "$peer" serve "$1" </dev/null >"$log" 2>&1 &
    started $!
    poll 5 grep -q '^listening' "$log" && return
    echo "the service on port $1 did not start: $(cat "$log")" >&2
    return 1
}

# can_connect [-s FROM] [-w SECONDS] HOST PORT: from the client; 0 connected, 1 no answer, 2 refused.
# Half a second by default: the kernel sends a second SYN only after one.
can_connect() {
    local option OPTIND=1 OPTARG from=- wait=0.5
    while getopts s:w: option; do
        case $option in
        s) from=$OPTARG ;;
        w) wait=$OPTARG ;;
        *) return 3 ;;
        esac
    done
    shift $((OPTIND - 1))
    on_client perl "$peer" connect "$wait" "$from" "$1" "$2"
}

# send_knock FROM HOST PORT[:PROTO]...: plain packets from any of the client's addresses (-: the usual one).
send_knock() {
    on_client perl "$peer" knock "$@"
}

# record SECONDS PORT FILE: what someone on the way sees of the client's next UDP packet to that port, for send_again.
# Returns at once, when it listens.
record() {
    : >"$3"
    ip netns exec "$CLIENT" perl "$peer" record "$1" "$2" </dev/null >"$3" 2>&1 &
    started $!
    poll 5 grep -q '^listening' "$3"
}

# recorded FILE: the source port and the payload's bytes.
recorded() {
    sed -n 's/^recorded //p' "$1"
}

# send_again FILE HOST PORT [SPORT]: the same packet, from the same address and port, or from another; 0: any.
send_again() {
    local sport bytes
    read -r sport bytes < <(recorded "$1") && on_client perl "$peer" send "$2" "$3" "${4:-$sport}" "$bytes"
}

# hold_connection HOST PORT [FROM]: opens one that stays; then still_talks says whether it passes bytes both ways.
# A later hold_connection, or let_go, ends it.
hold_connection() {
    local line
    let_go
    coproc HELD { exec ip netns exec "$CLIENT" perl "$peer" talk 1 "${3:--}" "$1" "$2" 2>&1; }
    held_pid=${HELD_PID:-}
    [ -n "$held_pid" ] || return 1
    started "$held_pid"
    read -r -t "${POLL_LEAST:-3}" -u "${HELD[0]:-}" line && [ "$line" = connected ]
}

still_talks() {
    local line text="still here $((++netns_calls))"
    [ -n "$held_pid" ] && [ -n "${HELD[1]:-}" ] || return 1
    echo "$text" >&"${HELD[1]}" && read -r -t "${POLL_LEAST:-3}" -u "${HELD[0]:-}" line && [ "$line" = "$text" ]
} 2>/dev/null

let_go() {
    [ -z "$held_pid" ] || ended "$held_pid" || stop "$held_pid"
    held_pid=''
}

# --- knockd ---

# A function in the background would be a shell of its own between us and the program: hence `ip` itself, here and in
# serve, so that the id is the program's.

# start_knockd CONFIG [ARGUMENT...]: on the gate, its standard input from KNOCKD_INPUT, its standard error in
# KNOCKD_LOG; returns when it says that it is ready. Sets KNOCKD_PID.
start_knockd() {
    local config=$1
    shift
    KNOCKD_LOG=$WORK/knockd.$((++netns_calls)).log
    : >"$KNOCKD_LOG"
    ip netns exec "$GATE" "$KNOCKD" -c "$config" "$@" <"${KNOCKD_INPUT:-/dev/null}" >"$KNOCKD_LOG" 2>&1 &
    KNOCKD_PID=$!
    started "$KNOCKD_PID"
    poll "${KNOCKD_START:-10}" knockd_ready_or_gone && grep -q "ready: " "$KNOCKD_LOG"
}

knockd_ready_or_gone() {
    grep -q "ready: " "$KNOCKD_LOG" || ended "$KNOCKD_PID"
}

# stop_knockd: ends it by SIGTERM and returns its exit status.
stop_knockd() {
    stop "$KNOCKD_PID"
}
