#!/bin/bash
# How much may be open: max_open, rate, one-time sequences; the commands before the first door and after the last; and a
# log that is rewritten, whose old lines open nothing.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

trace() {
    cat "$WORK/trace" 2>/dev/null
}

traced() {
    trace | grep -qxF -- "$1"
}

# One door with all limits; its commands write to the trace.
write_config() {
    configure_file <<EOF
max_open     = 3
init_command = { "/bin/sh -c 'echo init one >>$WORK/trace'", "/bin/sh -c 'echo init two >>$WORK/trace'" }
exit_command = "/bin/sh -c 'echo exit >>$WORK/trace'"
door "two" {
    sequence      = { 7412, 28733:udp, 51990 }
    max_open      = 2
    cmd_timeout   = 30
    start_command = "/bin/sh -c 'echo open %DOOR% \$0 >>$WORK/trace' %IP%"
    stop_command  = "/bin/sh -c 'echo close %DOOR% \$0 >>$WORK/trace' %IP%"
}
door "often" {
    sequence      = { 6412, 18733:udp, 41990 }
    rate          = "2/1h"
    cmd_timeout   = 1
    start_command = "/bin/sh -c 'echo open %DOOR% \$0 >>$WORK/trace' %IP%"
    stop_command  = "/bin/sh -c 'echo close %DOOR% \$0 >>$WORK/trace' %IP%"
}
door "once" {
    one_time_sequences = "$WORK/once"
    cmd_timeout   = 1
    start_command = "/bin/sh -c 'echo open %DOOR% \$0 >>$WORK/trace' %IP%"
    stop_command  = "/bin/sh -c 'echo close %DOOR% \$0 >>$WORK/trace' %IP%"
}
EOF
    printf '%s\n' '# 1,2,3' 1412,1833:udp,1990 2412,2833:udp,2990 3412,3833:udp,3990 >"$WORK/once"
    chmod 600 "$WORK/once"
}

hooks_begin() {
    ok "init_command ran before it was ready" poll 2 traced "init two"
    is "in order, once" "$(trace)" $'init one\ninit two'
}

limits() {
    log_packets 198.51.100.1 7412 28733:udp 51990
    log_packets 198.51.100.2 7412 28733:udp 51990
    ok "two may have it open" poll 5 traced "open two 198.51.100.2"
    log_packets 198.51.100.3 7412 28733:udp 51990
    ok "a third is refused by the door's max_open" says "door two: refused 198.51.100.3: it is open for as many"
    log_packets 198.51.100.3 6412 18733:udp 41990
    ok "but has another door" poll 5 traced "open often 198.51.100.3"
    log_packets 198.51.100.4 6412 18733:udp 41990
    ok "a fourth is refused by max_open" says "door often: refused 198.51.100.4: as many doors as max_open allows"
    like "which knockctl why tells, too" "$(on_gate "$KNOCKCTL" why 198.51.100.4 -s "$WORK/control" --json)" \
        '"door": *"often", *"reason": *"as many doors as max_open allows'
    ok "a knock on an open door is no further opening" extends
}

extends() {
    log_packets 198.51.100.1 7412 28733:udp 51990
    says "door two: extended for 198.51.100.1"
}

rate() {
    ok "closed" says "door often: closed for 198.51.100.3"
    mark_log
    log_packets 198.51.100.3 6412 18733:udp 41990
    ok "the second opening within the rate" says "door often: opened for 198.51.100.3"
    ok "closed again" says "door often: closed for 198.51.100.3"
    log_packets 198.51.100.3 6412 18733:udp 41990
    ok "the third is refused by rate" says "door often: refused 198.51.100.3: opened too often lately"
    like "which knockctl why tells" "$(on_gate "$KNOCKCTL" why 198.51.100.3 -s "$WORK/control")" \
        'ago: complete sequence of door often refused: opened too often lately \(rate\)'
    log_packets 198.51.100.5 6412 18733:udp 41990
    ok "another address isn't" says "door often: opened for 198.51.100.5"
    ok "and is closed" says "door often: closed for 198.51.100.5"
}

once() {
    local before
    before=$(cat "$WORK/once")
    log_packets 198.51.100.6 2412 2833:udp 2990
    ok "the second one-time sequence opens" says "door once: opened for 198.51.100.6"
    ok "closed" says "door once: closed for 198.51.100.6"
    log_packets 198.51.100.6 2412 2833:udp 2990
    ok "once" says "door once: refused 198.51.100.6: that one-time sequence is used up"
    log_packets 198.51.100.7 1412 1833:udp 1990
    ok "and has used up the one before it" says "door once: refused 198.51.100.7: that one-time sequence is used up"
    kill -KILL "$KNOCKD_PID"
    poll 5 ended "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    starts "killed and started again"
    log_packets 198.51.100.8 2412 2833:udp 2990
    ok "used up still" says "door once: refused 198.51.100.8: that one-time sequence is used up"
    log_packets 198.51.100.8 3412 3833:udp 3990
    ok "the last one opens" says "door once: opened for 198.51.100.8"
    ok "which is said" said "its last one-time sequence was used"
    ok "closed" says "door once: closed for 198.51.100.8"
    is "the file is as it was" "$(cat "$WORK/once")" "$before"
}

hooks_end() {
    stop_knockd
    is "exit status" $? 0
    is "exit_command ran, after the last door closed" "$(trace | tail -n 1)" exit
}

# log_at SECONDS FROM STEP...: lines of so long ago, which is less than max_age.
log_at() {
    local LC_ALL=C ago=$1 from=$2 step time
    shift 2
    for step; do
        packet_line "$from" "$step"
        printf -v time '%(%b %e %T)T' $((EPOCHSECONDS - ago))
        echo "${LINE/$TIME_STAMP/$time}"
    done >>"$KERN_LOG"
}

# A log is rewritten with its old lines in it: by a new file put in its place, and in place.
rewritten() {
    : >"$WORK/trace"
    : >"$KERN_LOG"
    log_at 60 198.51.100.20 6412 18733:udp 41990
    log_at 30 198.51.100.21 9999
    starts "with a knock in the log"
    sed -i '/198.51.100.99/d' "$KERN_LOG"
    ok "a new file is noticed" says "reading the new $KERN_LOG"
    log_at 20 198.51.100.22 6412 18733:udp 41990
    ok "a knock after that opens" says "door often: opened for 198.51.100.22"
    # One line less, the old ones still there.
    sed 4d "$KERN_LOG" >"$WORK/shorter"
    cat "$WORK/shorter" >"$KERN_LOG"
    ok "the file emptied is noticed" says "the log was emptied"
    log_at 10 198.51.100.23 6412 18733:udp 41990
    ok "a knock after that opens, too" says "door often: opened for 198.51.100.23"
    is "the old lines opened nothing" "$(trace | grep -c 'open .* 198.51.100.20')" 0
    stop_knockd
}

needs_gate
write_config
: >"$KERN_LOG"
starts "starts"
hooks_begin
limits
rate
once
hooks_end
rewritten
done_testing
