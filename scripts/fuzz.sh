#!/bin/bash
# fuzz.sh [TARGET...]: runs the fuzzing targets that `make fuzz` built, all or those named, FUZZ_SECONDS each (60), as
# many at a time as there are processors. What they learn stays in BUILD/corpus; what fails, in BUILD/crashes.
set -u
export LC_ALL=C

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
export built=${BUILD:-build/fuzz} seconds=${FUZZ_SECONDS:-60}
# Sanitizers must not take a refused allocation for a mistake: the code has to.
export ASAN_OPTIONS=allocator_may_return_null=1:detect_leaks=1 UBSAN_OPTIONS=print_stacktrace=1

# told LOG NAME: a number that libFuzzer printed at its end.
told() {
    sed -n "s/^stat::$2: *//p" "$1"
}

show_failure() {
    local log=$1 crash
    grep -v '^#\|^INFO\|^stat::' "$log" | head -60
    crash=$(sed -n 's/.*Test unit written to //p' "$log" | tail -1)
    [ -n "$crash" ] || return
    echo "fuzz: the input that fails is $crash:"
    od -A x -t x1z -v "$crash" | head -40
    echo "fuzz: again: $built/targets/fuzz_$name $crash"
}

# fuzz NAME: one target, from its seeds and what earlier runs found.
fuzz() {
    local name=$1 program=$built/targets/fuzz_$1 seeds=$built/seeds/$1 corpus=$built/corpus/$1 log=$built/$1.log
    local options=(-max_total_time="$seconds" -timeout=10 -rss_limit_mb=2560 -print_final_stats=1
        -artifact_prefix="$built/crashes/$name-" -max_len=4096 -len_control=20)
    [ -x "$program" ] || { echo "fuzz: no such target: $name"; return 1; }
    mkdir -p "$corpus" "$built/crashes"
    [ ! -e "tests/fuzz/$name.dict" ] || options+=(-dict="tests/fuzz/$name.dict")
    if ! "$program" "${options[@]}" "$corpus" "$seeds" >"$log" 2>&1; then
        echo "fuzz: $name: FAILED"
        show_failure "$log"
        return 1
    fi
    printf '%-9s %9s executions, %6s/s, %5s edges, %5s inputs\n' "$name" \
        "$(told "$log" number_of_executed_units)" "$(told "$log" average_exec_per_sec)" \
        "$(sed -n 's/.*DONE[[:space:]]*cov: \([0-9]*\).*/\1/p' "$log")" "$(find "$corpus" -type f | wc -l)"
}
export -f fuzz told show_failure

# Other tests' data are seeds as well.
rm -rf "$built/seeds"
perl tests/fuzz/seeds.pl "$built/seeds" || exit 1

[ $# -gt 0 ] || for target in "$built"/targets/fuzz_*.o; do
    target=${target##*/fuzz_}
    set -- "$@" "${target%.o}"
done
printf '%s\n' "$@" | xargs -P "$(nproc)" -I TARGET bash -c 'fuzz TARGET'
