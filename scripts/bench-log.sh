#!/bin/bash
# bench-log.sh: what a line of a log costs: the replay, beside others who read it, and the running daemon. Works in the
# current folder, which bench.sh makes; `built` is where the programs are.
#   LOG_LINES=1000000 RUNS=5 SEED=1        how many lines, how often, and which; a million take 800 MB of BENCH_DIR
set -u

# shellcheck source-path=SCRIPTDIR source=bench-daemon.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-daemon.sh"
# shellcheck source-path=SCRIPTDIR source=bench-peers.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-peers.sh"

# Not LINES: bash sets that.
: "${LOG_LINES:=$([ -z "$QUICK" ] && echo 1000000 || echo 20000)}" "${RUNS:=5}" "${SEED:=1}"

# The doors at which tests/bench/make_log.c knocks.
write_config() {
    cat >knockd.conf <<EOF
user = "nobody"  state_dir = "$PWD/state"  control = "$PWD/control"
source "firewall" { type = file  path = "$PWD/kern.log"  prefix = "[DENY] "  max_age = off }
door "a" { sequence = { "7412", "28733:udp", "51990" }
           start_command = "true"  stop_command = "true" }
door "b" { sequence = { "14914:udp", "11097", "9989", "13251:udp" }
           start_command = "true"  stop_command = "true" }
door "c" { sequence = { "33071", "7412", "61234:udp", "18222", "40404" }
           start_command = "true"  stop_command = "true" }
EOF
}

# --- programs that read a log ---

count_lines() { wc -l <few.log; }
grep_count() { grep -cF '[DENY] ' few.log; }
replay_few() { "$knockd" -c knockd.conf -r few.log; }
replay_many() { "$knockd" -c knockd.conf -r many.log; }
sshguard() { by_peer "$SSHG_PARSER" <tenth.log; }
fail2ban() { by_fail2ban "$FAIL2BAN_REGEX" tenth.log '\[DENY\] .* SRC=<ADDR> '; }

# cpu_ms FUNCTION: user and system time of what it runs, in ms.
cpu_ms() {
    local TIMEFORMAT='%U %S' spent
    spent=$( { time "$1" >said 2>&1; } 2>&1)
    awk '{ print ($1 + $2) * 1000 }' <<<"$spent"
}

# measure RUNS PARTS PROGRAM=FUNCTION...: in turn, so that whatever else the machine does meets all; of programs that
# read all lines, or one of so many parts of them.
measure() {
    local runs=$1 parts=$2 i it
    shift 2
    rm -f times.*
    for ((i = 0; i < runs; i++)); do
        for it; do
            cpu_ms "${it#*=}" >>"times.${it#*=}"
        done
    done
    for it; do
        record "${it%=*}" 0 "CPU time" s "$(sort -n "times.${it#*=}" |
            awk -v parts="$parts" '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] * parts / 1000 }')" "$runs"
    done
}

measure_readers() {
    local others=()
    head -n $((LOG_LINES / 10)) few.log >tenth.log
    # Into memory.
    cat few.log many.log >/dev/null
    record log 0 lines 1 "$LOG_LINES"
    record log 0 bytes 1 "$(stat -c %s few.log)"
    measure "$RUNS" 1 wc=count_lines grep=grep_count knockd/few=replay_few knockd/many=replay_many
    [ -z "$SSHG_PARSER" ] || others+=(sshguard=sshguard)
    [ -z "$FAIL2BAN_REGEX" ] || others+=(fail2ban=fail2ban)
    [ ${#others[@]} = 0 ] || measure 1 10 "${others[@]}"
}

# --- the daemon ---

# pss PID: KiB of memory, what it shares counted in parts.
pss() {
    awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"
}

# memory WHEN
memory() {
    record knockd 0 "keeper memory $1" KiB "$(pss "$daemon")"
    record knockd 0 "listener memory $1" KiB "$(pss "$listener")"
}

measure_daemon() {
    local keeper_ms listener_ms
    start_daemon
    memory before
    keeper_ms=$(spent "$daemon") listener_ms=$(spent "$listener")
    dd if=few.log of=kern.log bs=64k oflag=append conv=notrunc status=none
    poll has_read "$LOG_LINES" || die "the daemon did not read all lines: $("$knockctl" sources -c knockd.conf)"
    record knockd 0 "keeper CPU time" ms $(($(spent "$daemon") - keeper_ms))
    record knockd 0 "listener CPU time" ms $(($(spent "$listener") - listener_ms))
    memory after
}

[ -n "$QUICK" ] || find_readers
write_config
"$built/bench/make_log" "$LOG_LINES" 50000 "$SEED" >few.log || die "can't write few.log"
"$built/bench/make_log" "$LOG_LINES" 1000000 "$SEED" >many.log || die "can't write many.log"
measure_readers
if [ "$(id -u)" = 0 ]; then
    measure_daemon
else
    echo "The running daemon is measured for root alone: its listener is another user."
fi
