#!/bin/bash
# A log that is rotated again and again: each line is read once, nothing leaks, and no knock is late. ROTATIONS=1000 for
# the longer run under load, and MANY=... for the one in quick succession.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"
export LOG_PREFIX

write_config() {
    configure_file <<'TABLE'
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    start_command = "/bin/true"
    stop_command  = ""
}
TABLE
}

# lines_read: as knockd counts them.
lines_read() {
    ctl status --json
    # shellcheck disable=SC2016 # expanded by Perl
    json '$j->{sources}[0]{lines}'
}

have_read() {
    [ "$(lines_read)" -ge "$1" ]
}

watches() {
    cat "/proc/$1/fdinfo/"* 2>/dev/null | grep -c '^inotify wd'
}

# reads_all DESCRIPTION NUMBER: so many lines more than before, and none twice.
reads_all() {
    poll 20 have_read $((before + $2))
    sleep 0.2
    is "$1" $(($(lines_read) - before)) "$2"
}

in_succession() {
    local before written keeper_before listener listener_before
    listener=$(listener_pids)
    log_packets 198.51.100.1 "${steps[@]}"
    ok "a knock opens" says "door ssh: opened for 198.51.100.1,"
    before=$(lines_read)
    # As many files as are ever read at a time.
    perl "$TREE/tests/system/rotate.pl" each "$KERN_LOG" 10 "$KNOCKD_PID" >/dev/null
    keeper_before=$(descriptors "$KNOCKD_PID")/$(watches "$KNOCKD_PID")
    listener_before=$(descriptors "$listener")/$(watches "$listener")
    written=$(perl "$TREE/tests/system/rotate.pl" each "$KERN_LOG" "${MANY:-10000}" "$KNOCKD_PID")
    is "${MANY:-10000} rotations are noticed" "$written" $((2 * ${MANY:-10000}))
    reads_all "each line is read once" $((20 + ${written:-0}))
    is "no descriptor and no watch is left in the keeper" \
        "$(descriptors "$KNOCKD_PID")/$(watches "$KNOCKD_PID")" "$keeper_before"
    is "nor in the listener" "$(descriptors "$listener")/$(watches "$listener")" "$listener_before"
    is "which is the same" "$(listener_pids)" "$listener"
    log_packets 198.51.100.2 "${steps[@]}"
    ok "a knock opens still" says "door ssh: opened for 198.51.100.2,"
}

under_load() {
    local before written
    before=$(lines_read)
    written=$(perl "$TREE/tests/system/rotate.pl" load "$KERN_LOG" "${ROTATIONS:-50}" 100 50000 "$KNOCKD_PID")
    ok "${ROTATIONS:-50} rotations under load" test "${written:-0}" -gt 0
    reads_all "each of $written lines is read once" "${written:-0}"
}

# Old files have writers that don't stop before 100 MB; the knock is in the newest. The old file is open before it is
# renamed: a writer that started late would write to the new file, and leave half a line before the knock.
# writes_on FD: fills an old file faster than a build with sanitizers reads it, until told that it is enough.
writes_on() {
    local i
    for ((i = 0; i < 500; i++)); do
        [ ! -e "$KERN_LOG.enough" ] || return 0
        yes "$LINE" | head -c 4M >&"$1"
        sleep 0.03
    done
}

is_large() {
    [ "$(stat -c %s "$1")" -gt 20000000 ]
}

# What the old file held when it was replaced comes first: the writer begins after that, or a slow machine is measured.
watches_new() {
    [ "$(grep -c "reading the new" "$KNOCKD_LOG")" -gt "$before" ]
}

lingering() {
    local i old before writers=() description="a knock after rotation, while the old file is being written to without end"
    for i in 3 4; do
        log_packets 203.0.113.1 20000
        before=$(grep -c "reading the new" "$KNOCKD_LOG")
        exec {old}>>"$KERN_LOG"
        mv "$KERN_LOG" "$KERN_LOG.$i"
        : >"$KERN_LOG"
        poll 20 watches_new
        writes_on "$old" &
        started $!
        writers+=($!)
        exec {old}>&-
        poll 20 is_large "$KERN_LOG.$i"
        log_packets "198.51.100.$i" "${steps[@]}"
        ok "$description" says "door ssh: opened for 198.51.100.$i," 14
        ok "which didn't end meanwhile" kill -0 "${writers[@]}"
    done
    : >"$KERN_LOG.enough"
    wait "${writers[@]}"
    rm "$KERN_LOG".[34] "$KERN_LOG.enough"
    log_packets 198.51.100.5 "${steps[@]}"
    ok "and when that has ended" says "door ssh: opened for 198.51.100.5," 20
}

needs_gate
needs_knockctl
write_config
: >"$KERN_LOG"
starts "starts"
in_succession
under_load
lingering
stop_knockd
is "ends well" $? 0
done_testing
