#!/bin/bash
# Spoofed first steps, 100,000 lines a second of them, each from another address: knocks whose steps are 200 ms apart
# open within their normal time all the same, and the listener's memory doesn't grow once its table is full. KNOCKS=20
# SPOOFED=1000000 makes it the whole of it; SPOOFED is to be more than four times the 65536 places of the table.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

: "${KNOCKS:=5}" "${SPOOFED:=300000}" "${RATE:=100000}"
slowest_allowed=1000 # ms; some 15 are normal, but both processors may be busy

# flood KNOCKS SPOOFED RATE: sets what flood.pl found.
flood() {
    local result
    "$(dirname "$0")/flood.pl" "$KNOCKD_LOG" "$(listener_pids)" "$@" "$LOG_PREFIX" "$GATE4" >"$WORK/pipe" \
        2>"$WORK/flood"
    diag "$(cat "$WORK/flood")"
    read -r -a result <"$WORK/flood"
    [ "${result[0]:-}" = lines ] || bail "no flood: $(cat "$WORK/flood")"
    lines=${result[1]} opened=${result[5]} rate=${result[3]} slowest=${result[7]} full=${result[9]} end=${result[11]}
}

# evicted_since NUMBER: so many or a few more; the last lines may be on their way.
evicted_since() {
    local evicted
    ctl status --json
    # shellcheck disable=SC2016 # $j is perl's
    evicted=$(json '$j->{listener}[0]{evicted}')
    [ "$evicted" -ge "$1" ] && [ "$evicted" -le $(($1 + opened)) ]
}

needs_gate
needs_knockctl
mkfifo "$WORK/pipe"
configure "type = stdin" <<DOOR
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = 60
    start_command = "/bin/true"
    stop_command  = "/bin/true"
}
DOOR
exec 5<>"$WORK/pipe"
KNOCKD_INPUT=$WORK/pipe starts "starts"
flood "$KNOCKS" "$SPOOFED" "$RATE"
# Half of what is asked for, since both processors may be busy.
ok "$rate lines a second are read" [ "$rate" -ge $((RATE / 2)) ]
is "all $KNOCKS knocks among $lines forged first steps open" "$opened" "$KNOCKS"
ok "the slowest of them after $slowest ms" [ "$slowest" -le $slowest_allowed ]
ok "memory once the table was full: $full KiB, at the end $end KiB" [ "$end" -le $((full + 1024)) ]
ok "each address that made room is counted" poll 5 evicted_since $((lines - 65536))
stop_knockd
is "ends well" $? 0
done_testing
