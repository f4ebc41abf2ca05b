#!/bin/bash
# A thousand knocks through three gateways whose lines rsyslog carries through a hub, each packet at another gateway:
# each opens once on each.
# shellcheck source-path=SCRIPTDIR source=fleet.sh
. "$(dirname "$0")/fleet.sh"
# shellcheck source-path=SCRIPTDIR source=fleet-scenes.sh
. "$(dirname "$0")/fleet-scenes.sh"

knocks=1000
names=(a b c)

# Packets of one moment have no order between gateways: a step follows when all have the one before.
step_of_all() {
    local i
    for ((i = 0; i < knocks; i++)); do
        arrives "${names[(i + $1) % 3]}" "10.0.$((i / 250)).$((i % 250 + 1))" "${STEPS[$1]}"
    done
    for i in "${names[@]}"; do
        ok "step $(($1 + 1)): all lines reach $i" poll 30 lines_reached "$i" $((($1 + 1) * knocks))
    done
}

lines_reached() {
    [ "$(grep -c ' SRC=10\.' "$WORK/$1/log/knock-fleet.log")" = "$2" ]
}

opened_of() {
    grep -o 'opened for 10\.[0-9.]*' "$WORK/$1/knockd.log"
}

all_opened() {
    [ "$(opened_of "$1" | sort -u | wc -l)" = $knocks ]
}

fleet_begin rsyslog
start_engine
start_gateways
now_heard "at first"
begun=$(now_ms)
for step in 0 1 2; do
    step_of_all $step
done
for name in "${names[@]}"; do
    KNOCKD_LOG=$WORK/$name/knockd.log
    ok "$name opens for all" poll 300 all_opened "$name"
done
diag "$knocks knocks in $(($(now_ms) - begun)) ms"
now_heard "afterwards"
for name in "${names[@]}"; do
    is "$name opened once for each" "$(opened_of "$name" | wc -l)" $knocks
    is "$name extended none" "$(grep -c 'extended for 10\.' "$WORK/$name/knockd.log")" 0
done
done_testing
