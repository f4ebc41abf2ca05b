#!/bin/bash
# The clock is set back and forward by a year while a door is open, and between two runs: it closes in time all the same.
# And a log is stamped as max_age allows.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=clock.sh
. "$(dirname "$0")/clock.sh"

year=$((365 * 86400))
right=(7412 28733:udp 51990)

good_file() {
    configure "type = file path = \"$KERN_LOG\" ${1:-}" <<EOF
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = 2
    start_command = "/bin/touch $WORK/open.%IP%"
    stop_command  = "/bin/rm $WORK/open.%IP%"
}
EOF
}

# With a clock of its own: env is in the way of nothing, since it becomes knockd.
run_with_clock() {
    printf '#!/bin/sh\nexec env LD_PRELOAD=%s %s "$@"\n' "$CLOCK" "$KNOCKD" >"$WORK/knockd-with-clock"
    chmod 755 "$WORK/knockd-with-clock"
    KNOCKD=$WORK/knockd-with-clock run_knockd -f
}

is_open() {
    [ -e "$WORK/open.$1" ]
}

is_shut() {
    ! is_open "$1"
}

# moves NAME ADDRESS SECONDS: the clock is set while the door is open.
moves() {
    local began
    set_clock 0
    log_packets "$2" "${right[@]}"
    ok "$1: opens" says "opened for $2,"
    began=$(now_ms)
    set_clock "$3"
    ok "$1: closes" poll 6 is_shut "$2"
    ok "$1: in time" within $(($(now_ms) - began)) 2000
}

# A second life with another clock takes up what the first opened.
restarted() {
    local began
    set_clock 0
    log_packets 198.51.100.3 "${right[@]}"
    ok "$1: opens" says "opened for 198.51.100.3,"
    began=$(now_ms)
    kill -KILL "$KNOCKD_PID"
    poll 5 ended "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    set_clock "$2"
    ok "$1: killed and started again" run_with_clock
    ok "$1: closes" poll 6 is_shut 198.51.100.3
    ok "$1: in time" within $(($(now_ms) - began)) 2000
}

# stamped_knock STAMP ADDRESS
stamped_knock() {
    local step
    for step in "${right[@]}"; do
        packet_line "$2" "$step"
        echo "${LINE/#"$TIME_STAMP"/$1}"
    done >>"$KERN_LOG"
}

# stamped NAME STAMP ADDRESS: without a bound, lines of whatever time, appended, are new.
stamped() {
    stamped_knock "$2" "$3"
    ok "$1: opens" says "opened for $3,"
    ok "$1: and closes" poll 6 is_shut "$3"
}

# refused NAME STAMP ADDRESS WHAT: with one, they aren't.
refused() {
    mark_log
    stamped_knock "$2" "$3"
    log_packets 198.51.100.77 "${right[@]}"
    ok "$1: what follows opens" says "opened for 198.51.100.77,"
    ok "$1: doesn't open" not said "opened for $3,"
    like "$1: why" "$("$KNOCKCTL" why -s "$WORK/control" "$3")" "7412:tcp .*: ignored, its line is [0-9]+ s $4, and max_age is 120 s"
    poll 6 is_shut 198.51.100.77
}

needs_gate
chmod 755 "$WORK"
: >"$KERN_LOG"
good_file
make_clock || bail "the clock could not be built"
ok "starts" run_with_clock
said ready || bail "knockd did not start"
if ! grep -q 'sandbox strict' "$KNOCKD_LOG"; then
    stop_knockd
    skip "the clock is set" "a build with sanitizers has clock functions of its own"
    done_testing
    exit
fi
set_clock "$year"
log_packets 198.51.100.9 "${right[@]}"
ok "with a clock that is ahead: opens and closes" says "door ssh: closed for 198.51.100.9"
like "the history has that clock's time" "$("$KNOCKCTL" history -s "$WORK/control")" \
    "$(date -d "+365 days" +%Y-%m)-"
moves "a year back" 198.51.100.1 -"$year"
moves "a year forward" 198.51.100.2 "$year"
restarted "a year back between two runs" -"$year"
restarted "a year forward between two runs" "$year"
set_clock 0
refused "stamped half a year ago" "$(LC_ALL=C date -d '-182 days' '+%b %e %T')" 198.51.100.14 old
refused "stamped ahead" "$(LC_ALL=C date -d '+10 hours 3 minutes' '+%b %e %T')" 198.51.100.15 'ahead of the clock'
good_file 'max_age = off'
kill -HUP "$KNOCKD_PID"
ok "without a bound" says "reloaded|now in force"
stamped "stamped half a year ago" "May 23 15:00:00" 198.51.100.4
stamped "stamped ahead" "Dec 24 15:00:00" 198.51.100.5
stamped "and back again" "Nov 20 15:00:00" 198.51.100.6
stop_knockd
is "ends well" $? 0
done_testing
