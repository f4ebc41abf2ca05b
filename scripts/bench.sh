#!/bin/bash
# bench.sh [PART...]: runs the measurements, all or those named: doors. `make bench PART=doors` builds them first.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
built=$(realpath "${BUILD:-build}")
failed=0

# run PART: in a folder of its own, on the disk that BENCH_DIR is on.
run() {
    local dir
    [ -x "$built/bench/bench_$1" ] || { echo "bench: no such part: $1" >&2; return 1; }
    dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/knockd-bench.XXXXXX") || return 1
    (cd "$dir" && "$built/bench/bench_$1")
    local status=$?
    rm -rf "$dir"
    return $status
}

for part in "${@:-doors}"; do
    run "$part" || failed=1
done
exit $failed
