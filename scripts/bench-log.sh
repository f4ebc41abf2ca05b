#!/bin/bash
# bench-log.sh: what a line of a log costs: the replay, beside others who read it, and the running daemon. Prints what
# stands in README.md. Works in the current folder, which bench.sh makes; `built` is where the programs are.
#
#   LOG_LINES=1000000 RUNS=5 SEED=1        how many lines, how often, and which; a million take 800 MB of BENCH_DIR
#   SSHG_PARSER=PATH                   /usr/libexec/sshguard/sshg-parser where that is installed
#   FAIL2BAN_REGEX='COMMAND [ARG...]'  fail2ban-regex where that is installed
set -u

# shellcheck source-path=SCRIPTDIR source=bench-daemon.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-daemon.sh"

# Not LINES: bash sets that.
: "${LOG_LINES:=1000000}" "${RUNS:=5}" "${SEED:=1}"
: "${SSHG_PARSER:=/usr/libexec/sshguard/sshg-parser}" "${FAIL2BAN_REGEX:=fail2ban-regex}"
declare -A cost=() # ms of each function that was measured

# The doors at which tests/bench/make_log.c knocks.
write_config() {
    cat >knockd.conf <<EOF
user = "nobody"  state_dir = "$PWD/state"  control = "$PWD/control"
source "firewall" { type = file  path = "$PWD/kern.log"  prefix = "[DENY] " }
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
sshguard() { "$SSHG_PARSER" <tenth.log; }
# shellcheck disable=SC2086 # words
fail2ban() { $FAIL2BAN_REGEX tenth.log '\[DENY\] .* SRC=<ADDR> '; }

# cpu_ms FUNCTION: user and system time of what it runs, in ms.
cpu_ms() {
    local TIMEFORMAT='%U %S' spent
    spent=$( { time "$1" >said 2>&1; } 2>&1)
    awk '{ print ($1 + $2) * 1000 }' <<<"$spent"
}

# measure RUNS FUNCTION...: in turn, so that whatever else the machine does meets all; their medians go to `cost`.
measure() {
    local runs=$1 i part
    shift
    rm -f times.*
    for ((i = 0; i < runs; i++)); do
        for part; do
            cpu_ms "$part" >>"times.$part"
        done
    done
    for part; do
        cost[$part]=$(sort -n "times.$part" | sed -n "$(((runs + 1) / 2))p")
    done
}

# row TITLE FUNCTION [PARTS]: of one that read all lines, or one of so many parts.
row() {
    awk -v title="$1" -v ms="${cost[$2]}" -v parts="${3:-1}" -v lines="$LOG_LINES" \
        -v bytes="$(stat -c %s few.log)" -v grep="${cost[grep_count]}" -v wc="${cost[count_lines]}" 'BEGIN {
            ms *= parts
            printf "| %s | %.3f s | %.2f million | %.0f MB | %.2f | %.1f |\n", title, ms / 1000, lines / ms / 1000,
                bytes / ms / 1000, ms / grep, ms / wc }'
}

print_readers() {
    local others=()
    head -n $((LOG_LINES / 10)) few.log >tenth.log
    # Into memory.
    cat few.log many.log >/dev/null
    measure "$RUNS" count_lines grep_count replay_few replay_many
    [ ! -x "$SSHG_PARSER" ] || others+=(sshguard)
    ! command -v "${FAIL2BAN_REGEX%% *}" >/dev/null || others+=(fail2ban)
    [ ${#others[@]} = 0 ] || measure 1 "${others[@]}"
    echo "| $LOG_LINES lines | CPU time | lines/s | bytes/s | to \`grep -c\` | to \`wc -l\` |"
    echo '|---|---|---|---|---|---|'
    row "\`wc -l\`" count_lines
    row "\`LC_ALL=C grep -cF '[DENY] '\`" grep_count
    row "\`knockd -r\`, 50,000 sources" replay_few
    row "\`knockd -r\`, 1,000,000 sources" replay_many
    [ -z "${cost[sshguard]-}" ] || row "\`sshg-parser\` (ten times a tenth of the lines)" sshguard 10
    [ -z "${cost[fail2ban]-}" ] || row "\`fail2ban-regex\` (ten times a tenth of the lines)" fail2ban 10
}

# --- the daemon ---

# pss PID: KiB of memory, what it shares counted in parts.
pss() {
    awk '/^Pss:/ { print $2 }' "/proc/$1/smaps_rollup"
}

memory() {
    echo "keeper $(pss "$daemon") KiB, listener $(pss "$listener") KiB"
}

print_daemon() {
    local keeper_ms listener_ms rest
    start_daemon
    rest=$(memory)
    keeper_ms=$(spent "$daemon") listener_ms=$(spent "$listener")
    dd if=few.log of=kern.log bs=64k oflag=append conv=notrunc status=none
    poll has_read "$LOG_LINES" || die "the daemon did not read all lines: $("$knockctl" sources -c knockd.conf)"
    keeper_ms=$(($(spent "$daemon") - keeper_ms)) listener_ms=$(($(spent "$listener") - listener_ms))
    echo
    echo "The running daemon, the same lines appended in blocks of 64 KiB: listener $listener_ms ms, keeper" \
        "$keeper_ms ms of CPU time; together $(awk -v ms=$((keeper_ms + listener_ms)) -v replay="${cost[replay_few]}" \
            'BEGIN { printf "%.2f", ms / replay }') times the replay's."
    echo "Memory (PSS) at rest: $rest; after it: $(memory)."
}

echo "$(machine), $("${CC:-cc}" --version | head -n 1);" \
    "CPU time of one thread, median of $RUNS in turn, files in memory, seed $SEED"
echo
write_config
"$built/bench/make_log" "$LOG_LINES" 50000 "$SEED" >few.log || die "can't write few.log"
"$built/bench/make_log" "$LOG_LINES" 1000000 "$SEED" >many.log || die "can't write many.log"
print_readers
if [ "$(id -u)" = 0 ]; then
    print_daemon
else
    echo "The running daemon is measured for root alone: its listener is another user."
fi
