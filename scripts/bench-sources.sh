#!/bin/bash
# bench-sources.sh: a part of bench.sh: how long it takes to open a door by a file and by /dev/kmsg, from the moment when
# a line can be read to the rule in the kernel, by turns with the floor below which that can't be. In a network namespace
# of its own, as root; ROUNDS of each. While it runs, the kernel logs packets of namespaces, too.
# shellcheck source-path=SCRIPTDIR source=bench-programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-programs.sh"

[ -z "$QUICK" ] || : "${ROUNDS:=10}"
: "${ROUNDS:=200}"

if [ -z "${BENCH_ALONE:-}" ]; then
    # shellcheck source-path=SCRIPTDIR source=netns.sh
    . "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
    trap nf_log_release EXIT
    nf_log_hold
    BENCH_ALONE=yes unshare --net "$BASH" "${BASH_SOURCE[0]}"
    exit
fi

# measure NAME SOURCE WAY...
measure() {
    local name=$1
    start_ours "$2 prefix = \"[DENY] \"" 1 3600
    shift 2
    "$built/bench/bench_latency" "$first" "$ROUNDS" 5000 "$PWD/state" "$@" ports 7412 28733 51990 >told ||
        die "$name could not be measured; knockd says: $(tail -n 3 daemon.log)"
    first=$((first + 2 * ROUNDS + 20))
    sed -n 's/^floor //p' times | record_times "floor/$name" 1 latency
    sed -n 's/^knock //p' times | record_times "knockd/$name" 1 latency
    end_program
}

first=1
make_network
: >kern.log
measure file "type = file path = \"$PWD/kern.log\"" file "$PWD/kern.log"

"$IPTABLES" -I INPUT 2 -p udp --dport 9 -j LOG --log-prefix "[FLOOR] "
for port in 7412 28733 51990; do
    "$IPTABLES" -I INPUT 2 -p udp --dport $port -j LOG --log-prefix "[DENY] "
done
measure kmsg "type = kmsg" log /dev/kmsg
