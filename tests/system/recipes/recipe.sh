# Sourced by the tests of recipes: a recipe of etc/examples filled in as an administrator does it, the commands of its
# head, and the life of its door. Expects knockd.sh.
# shellcheck shell=bash

EXAMPLES=$TREE/etc/examples
STEPS=(51990 28733:udp 40112)
OPEN_FOR=600 # seconds: as long as the test wants a door open
CLOSES_IN=2  # seconds, once it wants it closed

# Where prefixes can't be this run's own, its addresses are: another run's lines are in the same log.
number=$((RANDOM % 100 + 10))
KNOCKER4=192.0.2.$number STRANGER4=192.0.2.$((number + 110))
KNOCKER6=2001:db8::$number STRANGER6=2001:db8::$((number + 110))

# recipe_hosts: gate and client, addresses to knock from, and RECIPES, the folder of filled-in files.
recipe_hosts() {
    local file
    needs_gate
    client_address "$KNOCKER4" "$STRANGER4" "$KNOCKER6" "$STRANGER6" || bail "no addresses to knock from"
    RECIPES=$WORK/recipes
    mkdir "$RECIPES"
    for file in "$EXAMPLES"/*.*; do
        fill_in <"$file" >"$RECIPES/${file##*/}"
    done
}

fill_in() {
    local ports=("${STEPS[@]%:*}")
    sed -e "s/FIRST/${ports[0]}/g; s/SECOND/${ports[1]}/g; s/THIRD/${ports[2]}/g" \
        -e "s/FOURTH/52091/g; s/FIFTH/28834/g; s/SIXTH/41113/g" \
        -e "s/\[KNOCK\] /$LOG_PREFIX/g" -e "s/\(cmd_timeout *= \)30\b/\1$OPEN_FOR/"
}

# A firewall's program that is a script of python may take its time on a busy machine.
PROGRAMS_TIME='run_timeout = 120 stop_timeout = 120'

# recipe NAME: tests that it is no recipe as it is shipped, since everybody knows it; and that it is one, filled in,
# that knockd has nothing to say about. It becomes CONFIG.
recipe() {
    {
        printf 'user = nobody\nstate_dir = "%s"\ncontrol = "%s"\n' "$WORK/state" "$WORK/control"
        echo "$PROGRAMS_TIME"
        cat "$RECIPES/$1.conf"
    } >"$CONFIG"
    cp "$EXAMPLES/$1.conf" "$WORK/shipped.conf" # the tree may be another user's, whose file is refused
    like "$1: refused as it is shipped" "$("$KNOCKD" -t -c "$WORK/shipped.conf" 2>&1)" 'sequence: "FIRST"'
    is "$1: filled in, accepted without a warning" "$(verdict on_gate "$KNOCKD" -t -c "$CONFIG")" "configuration OK"
}

# commands_of NAME: those that the head of the recipe wants in the firewall, to be run where its files are.
commands_of() {
    echo "cd '$RECIPES'"
    sed -n 's/^#     //p' "$RECIPES/$1.conf"
}

knock_from() {
    send_knock "$1" "$gate" "${STEPS[@]}"
}

# The test says what `opened_for ADDRESS` is: prints the rules or elements that let it in.
closed_for() {
    [ -z "$(opened_for "$1")" ]
}

opened_count() {
    opened_for "$1" | wc -l
}

opened_once() {
    [ "$(opened_count "$knocker")" = 1 ]
}

recipe_family() {
    gate=GATE$1 gate=${!gate} knocker=KNOCKER$1 knocker=${!knocker} stranger=STRANGER$1 stranger=${!stranger}
}

reloaded_times() {
    [ "$(grep -c '^knockd: reloaded' "$KNOCKD_LOG")" -ge "$1" ]
}

# lasts SECONDS: reloaded, doors that a knock opens or extends from now on have this time.
lasts() {
    local before
    ! grep -q "cmd_timeout *= *$1\b" "$CONFIG" || return 0
    before=$(grep -c '^knockd: reloaded' "$KNOCKD_LOG")
    sed -i "s/\(cmd_timeout *= \)[0-9]*\b/\1$1/" "$CONFIG"
    kill -HUP "$KNOCKD_PID"
    poll 10 reloaded_times $((before + 1))
}

# knocks_for_short DOOR: one more knock. Where the commands tell the firewall the time, the door has to be closed before
# it opens with another; a knock that waited long for that opens nothing, and knockd says to knock again.
knocks_for_short() {
    local try
    for try in 1 2 3 4 5; do
        mark_log
        begun=$(now_ms)
        knock_from "$knocker"
        says "door $1: ((opened|extended) for $knocker, closes in $CLOSES_IN s|$knocker knocked .*: it opens nothing)"
        ! said "closes in $CLOSES_IN s" || return 0
        diag "knock $try waited too long"
    done
    return 1
}

# door_closes NAME DOOR: open until now, the door gets a short time by one more knock, and closes when that is over.
# However long commands take on a busy machine, nothing of the test happens in that time.
door_closes() {
    local name=$1 begun
    ok "$name: a reload to a short time" lasts $CLOSES_IN
    ok "$name: a knock has the short time" knocks_for_short "$2"
    ok "$name: closes" poll 6 closed_for "$knocker"
    begun=$(($(now_ms) - begun))
    ok "$name: in time ($begun ms)" \
        test $begun -ge $((CLOSES_IN * 1000 - 50)) -a $begun -le $((CLOSES_IN * 1000 + HELD_UP))
    ok "$name: says so" says "door $2: closed for $knocker \(sequence\): its time is over$"
    ok "$name: and nothing failed" not said "output: |failed"
}

# door_lives NAME FAMILY DOOR PORT RULES: the door's life, from closed to closed; open, it is so many rules.
door_lives() {
    local name="$1, IPv$2" door=$3 port=$4 count=$5
    recipe_family "$2"
    ok "$name: a reload to a long time" lasts $OPEN_FOR
    mark_log
    ok "$name: closed before" not can_connect -w 0.2 -s "$knocker" "$gate" "$port"
    knock_from "$knocker"
    ok "$name: the knock opens" says "door $door: opened for $knocker, closes in $OPEN_FOR s"
    ok "$name: who knocked gets in" hold_connection "$gate" "$port" "$knocker"
    ok "$name: nobody else does" not can_connect -w 0.2 -s "$stranger" "$gate" "$port"
    is "$name: what opened it" "$(opened_count "$knocker")" "$count"

    knock_from "$knocker"
    ok "$name: a second knock extends" says "door $door: extended for $knocker, closes in $OPEN_FOR s"
    is "$name: and inserts nothing" "$(opened_count "$knocker")" "$count"
    ok "$name: nothing failed" not said "output: |failed"
    door_closes "$name" "$door"
    ok "$name: closed after" not can_connect -w 0.2 -s "$knocker" "$gate" "$port"
    ok "$name: the session lives on" still_talks
    let_go
}

# ends_closed NAME FAMILY DOOR: stopped with a door open, knockd leaves nothing.
ends_closed() {
    recipe_family "$2"
    lasts $OPEN_FOR
    mark_log
    knock_from "$knocker"
    ok "$1: open at the end" says "door $3: opened for $knocker,"
    stop_knockd
    is "$1: knockd's end" $? 0
    is "$1: leaves nothing" "$(opened_for "$knocker")" ""
}

# heals NAME FAMILY DOOR CMD...: started again, for longer and with a check each second; CMD closes the open door from
# outside, and the next check opens it again.
heals() {
    local name=$1 family=$2 door=$3
    shift 3
    sed -i "s/cmd_timeout *= .*/cmd_timeout = $OPEN_FOR check_interval = 1/" "$CONFIG"
    starts "$name: starts, with a check each second"
    recipe_family "$family"
    knock_from "$knocker"
    ok "$name: open" says "door $door: opened for $knocker,"
    mark_log
    ok "$name: ${*##*/}" "$@"
    ok "$name: the next check finds that it is closed" says "door $door: something else closed it for $knocker "
    ok "$name: and opens it again, once" poll 5 opened_once
    ok "$name: who knocked gets in" can_connect -s "$knocker" "$gate" 22
    stop_knockd
    is "$name: knockd's end leaves nothing" "$(opened_for "$knocker")" ""
}
