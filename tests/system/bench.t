#!/bin/bash
# The benchmark runs, a few rounds of it and without other programs; what it measures is in its file; README.md's tables
# and pictures are what is made of such a file, and a figure that is typed is found.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

lacks=$(hosts_lack)
[ -z "$lacks" ] || skip_all "$lacks"
netns_begin
plan 20
export RESULTS=$WORK/results.tsv BENCH_DIR=$WORK QUICK=1 PEERS='' OPEN=1 ROUNDS=3 FLOOD=0.2 COUNTS=2 VERSION=1.0
figures=$TREE/scripts/bench-figures.pl

# bench PART...
bench() {
    BUILD=$BUILT "$TREE/scripts/bench.sh" "$@" >"$WORK/said" 2>&1 || { diag "$(cat "$WORK/said")"; return 1; }
}

# measured PART PROGRAM QUANTITY UNIT: whether there is one such row, with a number.
measured() {
    [ "$(awk -F '\t' -v OFS=/ '$6 ~ /^[0-9.]+$/ { print $1, $2, $4, $5 }' "$RESULTS" | grep -cxF "$1/$2/$3/$4")" = 1 ]
}

ok "how soon a knock opens, and floods" bench latency
like "it says how long it takes" "$(cat "$WORK/said")" 'bench: latency: some [0-9]+ s '
for what in "latency p50/ms" "latency p95/ms" "latency p99/ms" "flood to other ports rate/packets/s" \
    "flood to a knock's port CPU time/ns/packet" "memory/KiB" "processes/1" "wake-ups/1/s"; do
    ok "measured: ${what%%/*}" measured latency knockd/nflog "${what%%/*}" "${what#*/}"
done
ok "the floor, too" measured latency floor/nflog "latency p50" ms
ok "many doors" bench doors
ok "measured: the last closes" measured doors knockd/iptables-nft close ms
ok "measured: also at the bottom of a chain" measured doors knockd/iptables-nft "close below" ms
ok "measured: one more door's command by itself" measured doors knockd/iptables-nft command ms
is "all rows have ten fields, and those of the other part are kept" \
    "$(awk -F '\t' '!/^#/ { print $1, NF }' "$RESULTS" | sort -u | tr '\n' ' ')" "doors 10 latency 10 "

# One that draws nothing, where gnuplot isn't.
if ! command -v gnuplot >/dev/null; then
    cat >"$WORK/bin/gnuplot" <<'END'
#!/bin/sh
out=$(sed -n "s/^set output '\(.*\)'$/\1/p" "$1")
echo '<svg><desc>drawn</desc><rect x="0" fill="none"/></svg>' >"$out"
END
    chmod +x "$WORK/bin/gnuplot"
    PATH=$PATH:$WORK/bin
fi
mkdir -p "$WORK/etc/pictures"
printf 'before\n<!-- figures: latency -->\nold\n<!-- end -->\nafter\n' >"$WORK/README.md"
ok "old figures are found" not "$figures" check "$RESULTS" "$WORK/README.md"
"$figures" set "$RESULTS" "$WORK/README.md"
ok "those that were made are good" "$figures" check "$RESULTS" "$WORK/README.md"
# shellcheck disable=SC2016 # Markdown
like "between the marks, nothing else changes" "$(tr '\n' '~' <"$WORK/README.md")" \
    '^before~<!-- figures: latency -->~~On .*`knockd/nflog`.*~<!-- end -->~after~$'
sed -i 's/100 %/99 %/' "$WORK/README.md"
sed -i 's/^\(latency\tknockd\/nflog\t1\tlatency p50\tms\t\)[0-9.]*/\142.424/' "$RESULTS"
like "a figure that was typed, or is of another run, is found" "$("$figures" check "$RESULTS" "$WORK/README.md")" \
    'lacks: .* 42\.4,.*latency\.svg: was not drawn of'
