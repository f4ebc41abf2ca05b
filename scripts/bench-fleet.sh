#!/bin/bash
# bench-fleet.sh: a part of bench.sh: what the merged stream of a fleet costs a knockd, and how soon a line of one gateway
# has opened the door of another, by each engine (bench-fleet-engine.sh). As root.
#
#   LOG_LINES=500000 HOSTS=100 SEED=1   of the stream that is taken as fast as it goes
#   RATE=5000 SECONDS_OF_IT=10          lines a second of the one that comes as it comes
#   ROUNDS=200 BURST=20000 ENGINES="..."  knocks by each engine, and lines of a burst; which engines
set -u

# shellcheck source-path=SCRIPTDIR source=bench-daemon.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-daemon.sh"

[ -z "$QUICK" ] || : "${LOG_LINES:=20000}" "${ROUNDS:=10}" "${BURST:=1000}" "${SECONDS_OF_IT:=2}"
: "${LOG_LINES:=500000}" "${HOSTS:=100}" "${SEED:=1}" "${RATE:=5000}" "${SECONDS_OF_IT:=10}" "${ROUNDS:=200}"
: "${BURST:=20000}"
: "${ENGINES:=rsyslog mesh nats redis}"
export ROUNDS BURST
[ "$(id -u)" = 0 ] || die "needs root: the listener is another user, and gateways are network namespaces"

# write_config SOURCE: the doors are those at which tests/bench/make_log.c knocks.
write_config() {
    cat >knockd.conf <<END
user = "nobody"  state_dir = "$PWD/state"  control = "$PWD/control"
source "fleet" { $1  prefix = "[DENY] "  remote = true  max_age = 1h }
door "a" { sequence = { "7412", "28733:udp", "51990" }
           start_command = "true"  stop_command = "true" }
door "b" { sequence = { "14914:udp", "11097", "9989", "13251:udp" }
           start_command = "true"  stop_command = "true" }
door "c" { sequence = { "33071", "7412", "61234:udp", "18222", "40404" }
           start_command = "true"  stop_command = "true" }
END
}

# Of the stream itself: HOSTS gateways' lines, as many as come in the last minutes.
make_stream() {
    "$built/bench/make_log" "$1" 50000 "$SEED" "$HOSTS" $(($(date +%s) - 120)) >stream.log || die "can't write stream.log"
}

stop_daemon() {
    trap - EXIT
    end_daemon
}

now_us() {
    echo "${EPOCHREALTIME/./}"
}

# took WAY FUNCTION LINES: records what the daemon took for the lines that the function gives it.
took() {
    local way=$1 give=$2 lines=$3 began keeper_ms listener_ms cpu_ms wall_us
    start_daemon
    keeper_ms=$(spent "$daemon") listener_ms=$(spent "$listener") began=$(now_us)
    "$give"
    poll has_read "$lines" || die "the daemon did not read all lines: $("$knockctl" sources -c knockd.conf)"
    wall_us=$(($(now_us) - began))
    keeper_ms=$(($(spent "$daemon") - keeper_ms)) listener_ms=$(($(spent "$listener") - listener_ms))
    cpu_ms=$((keeper_ms + listener_ms))
    "$knockctl" sources --json -c knockd.conf | grep -Eq '"stale": ?0\b' || die "lines were too old: $("$knockctl" sources -c knockd.conf)"
    record "knockd/$way" 0 lines 1 "$lines"
    record "knockd/$way" 0 "listener CPU time" ms "$listener_ms"
    record "knockd/$way" 0 "keeper CPU time" ms "$keeper_ms"
    record "knockd/$way" 0 "lines per CPU second" lines/s "$((lines * 1000 / (cpu_ms > 0 ? cpu_ms : 1)))"
    [ "$way" != paced ] || record "knockd/$way" 0 "share of a core" % "$(awk -v cpu=$cpu_ms -v wall=$wall_us 'BEGIN { print cpu * 100000 / wall }')"
    stop_daemon
    rm -rf state
}

at_once() {
    dd if=stream.log of=kern.log bs=64k oflag=append conv=notrunc status=none
}

by_pipe() {
    cat stream.log >pipe
}

# As they come: RATE a second, in a hundred parts.
paced() {
    perl -MTime::HiRes=time,sleep -e '
        my ($rate) = @ARGV;
        open my $out, ">>", "kern.log" or die;
        $out->autoflush(1);
        my ($began, $sent) = (time, 0);
        while (1) {
            my $due = int((time - $began) * $rate);
            while ($sent < $due) { defined(my $line = <STDIN>) or exit; print $out $line; $sent++ }
            sleep 0.01;
        }' "$RATE" <stream.log
}

record fleet 0 hosts 1 "$HOSTS"
make_stream "$LOG_LINES"
write_config "type = file  path = \"$PWD/kern.log\""
took file at_once "$LOG_LINES"
mkfifo -m 644 pipe
# The listener's user opens it.
chmod 711 .
write_config "type = command  command = \"cat $PWD/pipe\""
took command by_pipe "$LOG_LINES"
make_stream $((RATE * SECONDS_OF_IT))
write_config "type = file  path = \"$PWD/kern.log\""
record fleet 0 rate lines/s "$RATE"
took paced paced $((RATE * SECONDS_OF_IT))
for engine in $ENGINES; do
    "${0%.sh}-engine.sh" "$engine" || die "$engine could not be measured"
done
