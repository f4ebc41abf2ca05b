#!/bin/bash
# bench-fleet-engine.sh ENGINE: the part of bench-fleet.sh that is of one engine, rsyslog (a hub), mesh, nats or redis: how
# long after a line of a log gateways open, by the recipes of etc/examples/fleet and the distribution's packages.
# shellcheck source-path=SCRIPTDIR source=../tests/system/fleet.sh
. "$(dirname "${BASH_SOURCE[0]}")/../tests/system/fleet.sh"
# shellcheck source-path=SCRIPTDIR source=bench-record.sh
. "$TREE/scripts/bench-record.sh"

: "${ROUNDS:=200}" "${BURST:=20000}"
MAX_AGE=60 # a burst may take long
KEEP_RULES=yes

# What the tests' own words for hosts and gateways say, as those of a test.
tap() {
    "$@" >"$WORK/tap" || { cat "$WORK/tap" >&2; return 1; }
    ! grep -q '^not ok' "$WORK/tap" || { cat "$WORK/tap" >&2; return 1; }
}

# timer ROUNDS BURST: lines to gateway a, whose own they are, and what is said of them on a and b.
timer() {
    local stream=$WORK/a/stream.log
    [ ! -p "$WORK/a/kmsg" ] || stream=$WORK/a/kmsg
    perl "$TREE/tests/bench/fleet_timer.pl" "$1" "$2" "$WORK/a/kern.log" "$stream" "$WORK/a/knockd.log" \
        "$WORK/b/knockd.log" "${STEPS[@]}"
}

measure() {
    local side
    timer "$ROUNDS" 0 >"$WORK/times" || return 1
    for side in own other; do
        record_times "knockd/$ENGINE" 0 "$side" < <(sed -n "s/^$side //p" "$WORK/times")
    done
}

# Matches of the stream on b so far.
arrived() {
    ctl b sources --json | tr '\n{' ' \n' | sed -n '/"fleet"/ s/.*"matches": *\([0-9]*\).*/\1/p'
}

# As fast as the engine carries them, until for 3 s none more comes: some get lost where it would rather lose than wait.
measure_burst() {
    local before last='' now began changed
    before=$(arrived) began=$(now_ms)
    timer 0 "$BURST" || return 1
    changed=$began
    while [ $(($(now_ms) - changed)) -lt 3000 ]; do
        now=$(arrived)
        [ "$now" = "$last" ] || changed=$(now_ms)
        last=$now
        sleep 0.02
    done
    record "knockd/$ENGINE" 0 "burst" lines/s $(((last - before) * 1000 / (changed - began + 1)))
    record "knockd/$ENGINE" 0 "burst lost" 1 $((BURST - last + before))
}

fleet_begin "$1"
tap start_engine
tap start_gateways
settled 30 || bail "not every gateway's lines reach every other"
{ measure && measure_burst; } || bail "not measured"
done_testing >/dev/null
