#!/bin/bash
# bench.sh [PART...]: runs the measurements, all or those named: doors log sealed junk spoil. `make bench PART=log` builds
# them first.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
built=$(realpath "${BUILD:-build}")
export built
failed=0

# run PART: in a folder of its own, on the disk that BENCH_DIR is on.
run() {
    local dir part=$built/bench/bench_$1
    [ ! -e "scripts/bench-$1.sh" ] || part=$PWD/scripts/bench-$1.sh
    [ -x "$part" ] || { echo "bench: no such part: $1" >&2; return 1; }
    dir=$(mktemp -d "${BENCH_DIR:-${TMPDIR:-/tmp}}/knockd-bench.XXXXXX") || return 1
    (cd "$dir" && "$part")
    local status=$?
    rm -rf "$dir"
    return $status
}

[ $# -gt 0 ] || set -- doors log sealed junk spoil
for part; do
    run "$part" || failed=1
done
exit $failed
