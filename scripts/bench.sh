#!/bin/bash
# bench.sh [PART...]: runs the measurements, all or those named; `make bench PART=log` builds them first. What they
# measure goes to the file RESULTS, too, by default bench/results.tsv of the build, where it replaces what the same part
# measured before. `make figures` makes README.md's tables and pictures of such a file.
#
#   QUICK=1   a few rounds, few doors: whether it all runs; the figures are worth little
#
# The file has one figure a line, its fields are separated by tabs, and its first line names them:
#
#   part      of the benchmark
#   program   that was measured: knockd is this tree's, knockd-0.8 and fwknop are Debian's packages; "knockd/nflog": by
#             one of several ways
#   doors     that are open beside it
#   quantity  what was measured; "latency p95" is the 95th percentile of many
#   unit      of the value: ms, s, KiB, packets/s, ...; "1" for a number
#   value
#   runs      of which it is the median, the mean or the percentile
#   version   of the program
#   date      UTC
#   machine   processors, kernel, and its load average when the part began
set -u
export LC_ALL=C

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
built=$(realpath "${BUILD:-build}")
export built QUICK=${QUICK:-}
RESULTS=$(realpath -m "${RESULTS:-$built/bench/results.tsv}")
export RESULTS
VERSION=${VERSION:-?}
! commit=$(git rev-parse --short HEAD 2>/dev/null) || VERSION+=-$commit
export VERSION
failed=0

# Each part's time in seconds, on two processors with nothing else to do, and when QUICK.
parts='doors 300 50
latency 210 60
sources 30 10
log 40 5
sealed 60 30
junk 15 5
spoil 20 20
fleet 90 40'

# seconds PART: how long it takes.
seconds() {
    awk -v part="$1" -v quick="$QUICK" '$1 == part { print quick == "" ? $2 : $3 }' <<<"$parts"
}

cpu=$(awk -F': *' '/^model name/ { print $2; exit }' /proc/cpuinfo)
linux=$(uname -r)
hardware="$(nproc) x $cpu, Linux ${linux%%-*}"

# begin_results PART: an empty file, or the rows of the other parts.
begin_results() {
    local rows
    [ -e "$RESULTS" ] || scripts/as-owner.sh touch "$RESULTS"
    rows=$(awk -v part="$1" '!/^#/ && $1 != part' "$RESULTS" 2>/dev/null)
    printf '#%s\n%s' $'part\tprogram\tdoors\tquantity\tunit\tvalue\truns\tversion\tdate\tmachine' \
        "${rows:+$rows$'\n'}" >"$RESULTS"
}

# run PART: in a folder of its own, on the disk that BENCH_DIR is on.
run() {
    local dir program=$built/bench/bench_$1 status
    [ ! -e "scripts/bench-$1.sh" ] || program=$PWD/scripts/bench-$1.sh
    [ -x "$program" ] || { echo "bench: no such part: $1" >&2; return 1; }
    begin_results "$1" || return 1
    dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/knockd-bench.XXXXXX") || return 1
    (cd "$dir" && PART=$1 MACHINE="$hardware, load average $(cut -d' ' -f1 /proc/loadavg)" "$program")
    status=$?
    rm -rf "$dir"
    return $status
}

if [ $# = 0 ]; then
    mapfile -t all < <(cut -d" " -f1 <<<"$parts")
    set -- "${all[@]}"
fi
total=0
for part; do
    total=$((total + $(seconds "$part") + 0))
done
echo "bench: $*: some $total s on a machine that does nothing else; the figures go to $RESULTS"
for part; do
    began=$SECONDS
    run "$part" || failed=1
    scripts/bench-figures.pl table "$RESULTS" "$part"
    echo "bench: $part: $((SECONDS - began)) s"
done
if command -v gnuplot >/dev/null && scripts/bench-figures.pl draw "$RESULTS" "${RESULTS%/*}"; then
    echo "bench: the pictures are in ${RESULTS%/*}"
fi
exit $failed
