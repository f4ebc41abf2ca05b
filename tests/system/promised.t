#!/bin/bash
# What knockd.conf(5) promises can be had, all of it at once, under the listener's filter: started, knocked at, reloaded,
# knocked at again, with the times and the memory that it takes.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

SEAL=$BUILT/tools/seal
BIG=()

# write_config KEY=VALUE...: see promised.pl.
write_config() {
    perl "$TREE/tests/system/promised.pl" "$WORK" "prefix=${LOG_PREFIX% }" "$@" || bail "no configuration"
}

# steps_of FILE PATTERN: the steps of the first line with the pattern, as words.
steps_of() {
    grep -m 1 -- "$2" "$WORK/$1" | sed 's/.*sequence = { \([^}]*\) }.*/\1/' | tr -d ' ' | tr , ' '
}

# knocks_at FROM LOG STEPS: the lines go into that log.
knocks_at() {
    # shellcheck disable=SC2086 # words are meant
    KERN_LOG=$WORK/log.$2 log_packets "$1" $3
}

# seals FROM LOG KEY DOOR: the same for a sealed knock.
seals() {
    local us=${EPOCHREALTIME#*.} proto port length
    while read -r proto port length; do
        [ "$proto" = udp ] || continue
        packet_line "$1" "$port:udp"
        echo "${LINE/LEN=9 /LEN=$((length + 8)) }"
    done < <("$SEAL" "$WORK/keys/$3.key" 20000 udp "$1" $((${EPOCHREALTIME%.*} << 16 | 10#$us * 65536 / 1000000)) \
        1 "$4" 0 0 -) >>"$WORK/log.$2"
}

# took DESCRIPTION MS LIMIT: it took less. A machine that is busy with other tests, or with sanitizers, is slower.
took() {
    diag "$1: $2 ms"
    ok "$1: no longer than $3 ms, and what a busy machine takes" within "$2" "$3"
}

# opens DESCRIPTION DOOR FROM
opens() {
    ok "$1 opens" says "door $2: opened for $3," 20
}

# A port scan's worth of junk is in no sequence's way; each knock has an address of its own.
knock_at_ends() {
    local net=$1 last=$((doors - 1))
    mark_log
    knocks_at "$net.1" 0 "$(steps_of doors.0 '"door-1"')"
    opens "$2: the second door, by the first source," door-1 "$net.1"
    knocks_at "$net.2" $((sources - 1)) "$(steps_of "doors.$((last / 64))" "\"door-$last\"")"
    opens "$2: the last door, by the last source," "door-$last" "$net.2"
    seals "$net.3" $((sources - 1)) "key-$((keys - 1))" "door-$((doors - 64 + (keys - 1) % 64))"
    opens "$2: the last key" "door-$((doors - 64 + (keys - 1) % 64))" "$net.3"
    knocks_at "$net.4" 1 "$(sed -n "$3p" "$WORK/once.last" | tr , ' ')"
    opens "$2: a one-time sequence at the end of the list" "door-$last" "$net.4"
    knocks_at "$net.5" 1 "$(sed -n "$3p" "$WORK/once.first" | tr , ' ')"
    opens "$2: one at its beginning" door-0 "$net.5"
    ok "$2: the listener answers for an address" poll 5 answers why "$net.2" --json
    ok "$2: and for itself" poll 5 answers status
}

# A listener that the machine gives no time in a second doesn't.
answers() {
    ctl "$@"
    [ "$STATUS" = 0 ]
}

# The smallest numbers that ever were too many for the filter.
few() {
    mkdir "$WORK/few"
    WORK=$WORK/few write_config "$@"
    CONFIG=$WORK/few/knockd.conf
    starts "starts with $*"
    stop_knockd
    is "and ends" $? 0
    rm -r "$WORK/few"
}

# in_kb NAME: a size in the listener's status.
in_kb() {
    sed -n "s/^$1:[[:blank:]]*\([0-9]*\) kB/\1/p" "/proc/$(listener_pids)/status"
}

memory() {
    local peak limit
    peak=$(in_kb VmPeak)
    limit=$(($(sed -n 's/^Max address space *\([0-9]*\) .*/\1/p' "/proc/$(listener_pids)/limits") / 1024))
    diag "$1: address space $peak kB of $limit kB, in memory $(in_kb VmRSS) kB"
    ok "$1: a quarter of its address space is left" [ $((limit * 3)) -ge $((peak * 4)) ]
    ok "$1: and no more than three quarters, or 128 MiB" [ $((limit - 131072)) -le $((peak * 4)) ]
}

reloads() {
    local began
    began=$(now_ms)
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "$1" says "reloaded $CONFIG" 120
    took "$1" $(($(now_ms) - began)) 30000
}

all_of_it() {
    local began
    write_config "${BIG[@]}"
    CONFIG=$WORK/knockd.conf
    began=$(now_ms)
    ok "-t likes it" "$KNOCKD" -t -c "$CONFIG"
    took "-t" $(($(now_ms) - began)) 30000
    began=$(now_ms)
    KNOCKD_START=120 starts "starts"
    took "start" $(($(now_ms) - began)) 30000
    knock_at_ends 198.51.100 "started" 15
    ! grep -q 'sandbox strict' "$KNOCKD_LOG" || memory "started"
    reloads "reloads"
    knock_at_ends 198.51.101 "reloaded" 16
    sed -i 's/^max_sources.*/max_sources = 1048576/' "$CONFIG"
    reloads "reloads with room for a million addresses"
    knocks_at 198.51.102.1 2 "$(steps_of doors.0 '"door-2"')"
    opens "reloaded for a million addresses: a knock" door-2 198.51.102.1
    ! grep -q 'sandbox strict' "$KNOCKD_LOG" || memory "for a million addresses"
    ok "no listener died" not grep -q 'listener .* was killed\|exited' "$KNOCKD_LOG"
    began=$(now_ms)
    stop_knockd
    is "ends well" $? 0
    took "stop" $(($(now_ms) - began)) 15000
}

needs_gate
needs_knockctl
few doors=22 steps=3
few doors=1 steps=3 once=31
few doors=171 steps=6
doors=4096 sources=64 keys=10000 once=16384 ports=1024
if ! grep -q 'sandbox strict' "$KNOCKD_LOG"; then
    diag "a build with sanitizers copies what grows, each time: less is tried"
    doors=512 keys=500 once=1000 ports=64
fi
BIG=("doors=$doors" steps=32 "once=$once" "sources=$sources" prefixes=32 "keys=$keys" "ports=$ports"
    "global=max_sources = 65536")
all_of_it
done_testing
