# Sourced by the parts of the benchmark: rows of the file RESULTS, which bench.sh describes. Parts that measure record
# here and nowhere else; the tables and pictures are made of the rows.
# shellcheck shell=bash
# shellcheck disable=SC2034 # for those who source this

: "${PART:?bench.sh says it}" "${RESULTS:?}" "${VERSION:?}" "${MACHINE:?}" "${QUICK:=}"

# Of other programs that are measured: their versions. What isn't named here is of this tree.
declare -A version_of=()

# record PROGRAM DOORS QUANTITY UNIT VALUE [RUNS]: a row of RESULTS, the file that bench.sh describes: what was measured
# of that program beside so many open doors, once or so often. PROGRAM/WAY is one of several ways to use it.
record() {
    printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$PART" "$1" "$2" "$3" "$4" "$5" "${6:-1}" \
        "${version_of[${1%%/*}]:-$VERSION}" "$(date -u +%F)" "$MACHINE" >>"$RESULTS"
}

# record_times PROGRAM DOORS QUANTITY: percentiles of the times in ms that standard input has, one a line: "QUANTITY
# p50" is their median.
record_times() {
    local percent value runs
    while read -r percent value runs; do
        record "$1" "$2" "$3 p$percent" ms "$value" "$runs"
    done < <(sort -n | awk '{ t[NR] = $1 } END { for (p = 1; NR && p <= 100; p++)
        if (p < 3 || p > 97 || p % 5 == 0) print p, t[int((NR * p + 99) / 100)], NR }')
}

# recorded PROGRAM DOORS QUANTITY: its value.
recorded() {
    awk -F '\t' -v part="$PART" -v program="$1" -v doors="$2" -v quantity="$3" \
        '$1 == part && $2 == program && $3 == doors && $4 == quantity { print $6 }' "$RESULTS"
}
