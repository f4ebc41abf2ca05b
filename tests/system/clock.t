#!/bin/bash
# The clock is set back and forward by a year while a door is open, and between two runs: it closes in time all the same.
# And a log may be stamped as it likes.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=clock.sh
. "$(dirname "$0")/clock.sh"

year=$((365 * 86400))
right=(7412 28733:udp 51990)

good_file() {
    configure_file <<EOF
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
    ok "$1: opens" poll 5 is_open "$2"
    began=$(now_ms)
    set_clock "$3"
    ok "$1: closes" poll 6 is_shut "$2"
    ok "$1: in time" [ $(($(now_ms) - began)) -lt 3500 ]
}

# A second life with another clock takes up what the first opened.
restarted() {
    local began
    set_clock 0
    log_packets 198.51.100.3 "${right[@]}"
    ok "$1: opens" poll 5 is_open 198.51.100.3
    began=$(now_ms)
    kill -KILL "$KNOCKD_PID"
    poll 5 ended "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    set_clock "$2"
    ok "$1: killed and started again" run_with_clock
    ok "$1: closes" poll 6 is_shut 198.51.100.3
    ok "$1: in time" [ $(($(now_ms) - began)) -lt 4500 ]
}

# stamped NAME STAMP ADDRESS: lines of whatever time, appended, are new.
stamped() {
    local step
    for step in "${right[@]}"; do
        packet_line "$3" "$step"
        echo "${LINE/#Nov 23 15:00:00/$2}"
    done >>"$KERN_LOG"
    ok "$1: opens" poll 5 is_open "$3"
    ok "$1: and closes" poll 6 is_shut "$3"
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
stamped "stamped half a year ago" "May 23 15:00:00" 198.51.100.4
stamped "stamped ahead" "Dec 24 15:00:00" 198.51.100.5
stamped "and back again" "Nov 20 15:00:00" 198.51.100.6
stop_knockd
is "ends well" $? 0
done_testing
