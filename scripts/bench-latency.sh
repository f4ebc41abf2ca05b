#!/bin/bash
# bench-latency.sh: a part of bench.sh: programs that open doors, side by side in a network namespace of its own, as
# root. From the last packet of a knock to the rule in the kernel; for ours, by turns with the floor below which that
# can't be. ROUNDS of each, while so many other doors are open as OPEN says; and the same under a flood of denied
# packets, as fast as one processor can send them, to ports of no door and to the first port of the door. At rest:
# memory, processes, and how often they are woken; in the flood: CPU time for each packet.
# shellcheck source-path=SCRIPTDIR source=bench-programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-programs.sh"

[ -z "$QUICK" ] || : "${ROUNDS:=10}" "${OPEN:=1 20}" "${REST:=1}" "${FLOOD:=1}"
: "${ROUNDS:=200}" "${OPEN:=1 1000 10000}" "${REST:=3}" "${FLOOD:=4}"

# In a network namespace of its own, whose end is that of all in it.
if [ "${BENCH_ALONE:-}" != $$ ]; then
    BENCH_ALONE=$$ exec unshare --net "$BASH" "${BASH_SOURCE[0]}"
fi

# at_rest PROGRAM DOORS
at_rest() {
    local before began
    sleep 1
    began=$(now_ms) before=$(wakes_of_all)
    sleep "$REST"
    record "$1" "$2" "wake-ups" 1/s "$(awk -v n=$(($(wakes_of_all) - before)) -v ms=$(($(now_ms) - began)) \
        'BEGIN { printf "%.2f", 1000 * n / ms }')"
    record "$1" "$2" processes 1 "$(pids_of | wc -l)"
    record "$1" "$2" memory KiB "$(memory_of_all)"
}

first=1
# knock PROGRAM DOORS QUANTITY ROUNDS FLOOR [FLOOD]: the times from knock to rule. In a flood all knocks may be lost.
knock() {
    local floor=- patience=5000 way
    [ -z "${6-}" ] || patience=1000
    [ -z "$5" ] || floor=$PWD/state
    read -r -a way < <(way_of "$1")
    "$built/bench/bench_latency" "$first" "$4" "$patience" "$floor" "${way[@]}" >told || die "$1 could not be measured"
    if [ -z "${6-}" ] && ! grep -q '^knock ' times; then
        die "$1: nothing opened; it says: $(tail -n 3 daemon.log program.log 2>/dev/null)"
    fi
    first=$((first + 2 * $4 + 20))
    record_times "$1" "$2" "$3" < <(sed -n 's/^knock //p' times)
    record "$1" "$2" "$3 lost" % \
        "$(awk '$1 == "knock" { n++ } $1 == "knock-lost" { print 100 * $2 / (n + $2) }' times)" "$4"
    [ -z "$5" ] || record_times "floor/${1#*/}" "$2" "$3" < <(sed -n 's/^floor //p' times)
    echo "latency: $1, $2 open: $3: $(sed 's/^latency: //' told | tr '\n' ' ')"
}

# flood PROGRAM PORT NAME: CPU time for each packet; then knocks in the middle of it.
flood() {
    local before after sent seconds sender
    before=$(cpu_of_all)
    read -r sent seconds < <("$built/bench/bench_packets" flood "$FLOOD" "$2")
    sleep 0.3
    after=$(cpu_of_all)
    record "$1" 1 "flood to $3 rate" packets/s "$(awk -v n="$sent" -v s="$seconds" 'BEGIN { printf "%.0f", n / s }')"
    record "$1" 1 "flood to $3 CPU time" ns/packet \
        "$(awk -v n="$sent" -v ns=$((after - before)) 'BEGIN { printf "%.1f", ns / n }')"
    "$built/bench/bench_packets" flood 600 "$2" >/dev/null &
    sender=$!
    knock "$1" 1 "latency in a flood to $3" $(((ROUNDS + 4) / 5)) "" yes
    kill $sender
    wait $sender 2>/dev/null
}

make_network
for doors in $OPEN; do
    for program in "${programs[@]}"; do
        (
            start_program "$program" "$doors" 3600
            at_rest "$program" "$doors"
            floor='' rounds=$ROUNDS
            [[ $program != knockd/* ]] || floor=yes
            # Beside many rules a knock at fwknop takes a second.
            [ "$doors" = 1 ] || [ -n "$floor" ] || rounds=$(((ROUNDS + 3) / 4))
            knock "$program" "$doors" latency "$rounds" "$floor"
            if [ "$doors" = 1 ]; then
                flood "$program" 0 "other ports"
                flood "$program" "$(way_of "$program" | cut -d' ' -f2)" "a knock's port"
            fi
            end_program
        ) || failed=1
        first=$((first + 3 * ROUNDS + 100))
    done
done
exit "${failed:-0}"
