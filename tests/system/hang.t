#!/bin/bash
# Processes that are there and do nothing: a listener that was stopped or runs in a circle, and a keeper that was
# stopped. Each is noticed, and said, by whoever waits for it.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

# What a service manager hears, each line with the ms of its time.
manager() {
    perl -MIO::Socket::UNIX -MTime::HiRes=time -e '$| = 1;
        my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!;
        while (defined $s->recv(my $text, 4096)) { $text =~ s/\n/ /g; printf "%d %s\n", time * 1000, $text }' \
        "$WORK/socket" >"$WORK/notified" &
    started $!
    poll 5 test -S "$WORK/socket" || bail "no socket of a service manager"
    export NOTIFY_SOCKET=$WORK/socket WATCHDOG_USEC=2000000
}

# signs FROM TO: signs of life in that time, in ms.
signs() {
    awk -v from="$1" -v to="$2" '$1 >= from && $1 < to && $2 == "WATCHDOG=1"' "$WORK/notified" | wc -l
}

more_signs() {
    [ "$(signs "$1" 9999999999999)" -ge "$2" ]
}

another_listener() {
    local now
    now=$(listener_pids)
    [ -n "$now" ] && [ "$now" != "$1" ]
}

# has_hung DESCRIPTION PID FROM: this listener does nothing since that time in ms, while doors close, and who asks is
# told.
has_hung() {
    local description=$1 pid=$2 from=$3 before between hung asked
    ctl open ssh $who 2
    is "$description: a door opens all the same" "$STATUS:$ERR" 0:
    ok "$description: and closes" says "door ssh: closed for $who"
    ok "$description: while it hangs" not said "listener $pid hangs"
    before=$(now_ms)
    refused 1 "$description: knockctl why" "the listener doesn't answer" why $who
    ok "$description: waited for a second" within $(($(now_ms) - before)) 1000
    asked=$(for _ in {1..5}; do
        before=$(now_ms)
        "$KNOCKCTL" doors -s "$WORK/control" >/dev/null
        between=$(now_ms)
        refused_again "$description"
        echo $(($(now_ms) - between - (between - before)))
    done | sort -n | sed -n 3p)
    # On a busy machine what waits for no listener takes as long.
    ok "$description: later ones aren't, nor pile up: $asked ms more than others, as the median" test "$asked" -lt 900
    ok "$description: said" says "listener $pid hangs: it hasn't answered for more than 10 s; killing it" 30
    hung=$(now_ms)
    ok "$description: within 12 s, and the watchdog's turn" within $((hung - from)) 12000
    ok "$description: is gone" poll 5 process_gone "$pid"
    ok "$description: another begins after the usual pause" says "no listener: starting another in [0-9]+ s"
    ok "$description: and listens" says "listening again" 10
    is "$description: no sign of life was given meanwhile" "$(signs $((from + 5000)) $((from + 9000)))" 0
    ok "$description: then it is told again" poll 10 more_signs "$(now_ms)" 2
    log_packets 198.51.100.1 "${steps[@]}"
    log_packets $who "${steps[@]}"
    ok "$description: knocks open again" says "door ssh: opened for $who,"
    ctl close --all
}

refused_again() {
    "$KNOCKCTL" status -s "$WORK/control" >/dev/null 2>"$WORK/err"
    grep -q "the listener doesn't answer" "$WORK/err" || diag "$1: $(cat "$WORK/err")"
}

listener_hangs() {
    local pid from
    manager
    starts "a listener that hangs: starts"
    ok "signs of life come" poll 10 more_signs 0 3
    pid=$(listener_pids)
    mark_log
    from=$(now_ms)
    kill -STOP "$pid"
    has_hung "stopped" "$pid" "$from"
    stop_knockd
    is "ends well" $? 0
    unset NOTIFY_SOCKET WATCHDOG_USEC
}

# Without a manager, who asks makes the keeper notice; nobody asking, it takes a minute longer.
noticed_when_asked() {
    local pid
    starts "no manager: starts"
    pid=$(listener_pids)
    kill -STOP "$pid"
    refused 1 "no manager, stopped: knockctl sources" "the listener doesn't answer" sources
    ok "no manager: who asks has it noticed" says "listener $pid hangs" 20
    ok "no manager: another listens" says "listening again" 10
    stop_knockd
}

# A listener that is only frozen together with the keeper, as by a machine that sleeps, isn't taken for hung.
frozen_together() {
    local pid
    export WATCHDOG_USEC=2000000
    starts "both are stopped: starts"
    pid=$(listener_pids)
    kill -STOP "$KNOCKD_PID" "$pid"
    sleep 15
    kill -CONT "$KNOCKD_PID" "$pid"
    sleep 4
    is "both were stopped for 15 s: the listener lives" "$(listener_pids)" "$pid"
    ok "nothing is said of it" not said "hangs|listening again"
    unset WATCHDOG_USEC
}

# silent DESCRIPTION ARGUMENT...: knockctl gives up after 5 s, and says who is silent.
silent() {
    local description=$1 before took
    shift
    before=$(now_ms)
    refused 4 "$description" "knockd \(pid $KNOCKD_PID\) hasn't answered for 5 s; is it stopped" "$@"
    took=$(($(now_ms) - before))
    ok "$description: after $took ms" in_time "$took"
}

in_time() {
    [ "$1" -ge 4900 ] && within "$1" 5000
}

keeper_stopped() {
    local i waiting=()
    kill -STOP "$KNOCKD_PID"
    silent "the keeper is stopped: status" status
    silent "the keeper is stopped: open" open ssh $who
    silent "the keeper is stopped: watch" watch
    # More than are let in, and more than may wait for that.
    for i in {1..40}; do
        timeout 60 "$KNOCKCTL" doors -s "$WORK/control" >/dev/null 2>"$WORK/err.$i" &
        waiting+=($!)
    done
    for i in "${!waiting[@]}"; do
        wait "${waiting[i]}"
        echo $?
    done >"$WORK/statuses"
    is "forty at once: each gives up" "$(sort -u "$WORK/statuses" | xargs)" 4
    kill -CONT "$KNOCKD_PID"
    ok "it goes on: knockctl is answered" poll 10 answered
    stop_knockd
    is "ends well" $? 0
}

answered() {
    "$KNOCKCTL" doors -s "$WORK/control" >/dev/null 2>&1
}

needs_gate
needs_knockctl
good_file 60
: >"$KERN_LOG"
listener_hangs
noticed_when_asked
frozen_together
keeper_stopped
done_testing
