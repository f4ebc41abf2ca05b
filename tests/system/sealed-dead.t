#!/bin/bash
# Old messages stay dead, whatever happens to the state, the keys, the configuration and the clock between; and a new
# one opens after each.
# shellcheck source-path=SCRIPTDIR source=sealed.sh
. "$(dirname "$0")/sealed.sh"
# shellcheck source-path=SCRIPTDIR source=clock.sh
. "$(dirname "$0")/clock.sh"

FROM=192.0.2.77

# doors_file [KEYS] [MORE] [ASIDE]: the door's key list, and what else is said of it; another door keeps ASIDE in force.
doors_file() {
    sealed_file <<TABLE
door "aside" { key = { ${3-alice} } start_command = "/bin/true" stop_command = "/bin/true" }
door "ssh" { key = { ${1-alice} } port = $SERVICE cmd_timeout = 60 rule = "INPUT -s %IP% -p tcp --dport $SERVICE -j ACCEPT" ${2:-} }
TABLE
}

# message [OFFSET]: a new one, in PACKETS until it is sent, as often as one likes.
message() {
    seal alice udp $FROM "$(ticks "${1:-0}")" 1 ssh 0 0 -
}

# serves DESCRIPTION: a new message opens.
serves() {
    mark_log
    message
    send_packets $FROM
    ok "$1: a new message opens" opened $FROM
    ctl close ssh
    ok "$1: closed by hand" closed $FROM
}

# dead DESCRIPTION [REASON]: that of PACKETS opens nothing. Without a reason, it is replayed, or the state is too new to
# know whether it is.
dead() {
    mark_log
    send_packets $FROM
    stay_shut "$1"
    ok "$1: said why" said "sealed knock from $FROM refused: ${2:-(replayed: |new state, |new key: )}"
}

# dead_copy DESCRIPTION: it is the message that was served last: it opens nothing, is counted, and not told of.
dead_copy() {
    local before
    before=$(counted sealed_copies_total)
    mark_log
    send_packets $FROM
    stay_shut "$1"
    is "$1: counted" "$(counted sealed_copies_total)" $((before + 1))
    ok "$1: not told of" not said "refused"
}

starts_again() {
    stop_knockd
    is "$1: ends" $? 0
    starts "$1: starts again"
}

state() {
    local kept=$WORK/kept
    serves "at first"
    cp "$PACKETS" "$kept"
    dead_copy "the same once more"
    starts_again "restart"
    dead "restarted" "replayed"
    kill_keeper
    starts "killed: starts again"
    dead "killed" "replayed"
    stop_knockd
    rm "$WORK"/state/state.db*
    starts "state.db deleted: starts"
    ok "state.db deleted: said, loudly" said "error: THE STATE IS GONE: $WORK/state/state.db was in use"
    dead "state.db deleted" "new state"
    message
    dead "state.db deleted: a new message, before max_skew" "new state"
    is "state.db deleted: counted as such" \
        "$(counted sealed_new_state_total) $(counted sealed_replayed_total)" "2 0"
    new_state "state.db deleted, and long in use"
    serves "state.db deleted, and long in use"
    cp "$kept" "$PACKETS"
    dead "state.db deleted, and a newer one served" "replayed"
    # Sealed before the state was new, and held back till now.
    message
    new_state "state.db deleted once more"
    dead "never sent, but older than state.db"
    serves "state.db deleted once more"
}

# new_state DESCRIPTION: starts with a state in which nothing is used up, but no new one.
new_state() {
    stop_knockd
    rm -rf "$WORK/state"
    starts "$1: starts"
}

# served_ahead DESCRIPTION: a message by a clock that is ahead opens; it is in PACKETS.
served_ahead() {
    mark_log
    message 100
    send_packets $FROM
    ok "$1: a message by a clock that is ahead opens" opened $FROM
    ctl close ssh
    ok "$1: closed by hand" closed $FROM
}

# Description | what happens while knockd is stopped | what is said
clocks_ahead() {
    local description accident says
    while IFS='|' read -r description accident says; do
        new_state "$description"
        serves "$description"
        stop_knockd
        cp -p "$WORK/state/state.db" "$WORK/older.db"
        cp -rp "$WORK/state" "$WORK/older"
        starts "$description: starts again"
        served_ahead "$description"
        stop_knockd
        (cd "$WORK" && eval "$accident") || bail "no accident"
        NEW_STATE=1 starts "$description: starts then"
        ok "$description: it is told" said "$says"
        dead "$description"
        kill_keeper
        NEW_STATE=1 starts "$description: starts, having been killed"
        dead "$description, and killed"
        stop_knockd
        cp -p "$WORK/older.db" "$WORK/state/state.db"
        starts "$description, then an old copy: starts"
        dead "$description, then an old copy"
        rm -rf "$WORK/older" "$WORK/older.db"
    done <<TABLE
state.db removed|rm state/state.db*|THE STATE IS GONE
the folder emptied|rm -r state/*|sealed knocks are refused for the next 120 s
the folder removed|rm -r state|sealed knocks are refused for the next 120 s
state.db damaged|echo x >state/state.db|THE STATE WAS DAMAGED
an old copy of state.db|cp older.db state/state.db|THE STATE IS AN OLD COPY
an old copy in an empty folder|rm -r state/*; cp older.db state/state.db|state.mark is gone or damaged
TABLE
}

# The state is taken away while knockd runs: nothing is forgotten.
taken_away() {
    local accident before
    for accident in 'rm state/state.db*' 'rm -r state' 'mv state away'; do
        new_state "$accident"
        served_ahead "$accident"
        cp "$PACKETS" "$WORK/kept"
        (cd "$WORK" && eval "$accident")
        mark_log
        message 101
        send_packets $FROM
        ok "$accident: the next one opens" opened $FROM
        ok "$accident: it is told" said "THE STATE IS NOT WHERE IT WAS"
        before=$(counted sealed_copies_total)
        mark_log
        send_packets $FROM
        settled
        is "$accident: the same once more does nothing" "$(openings)" ''
        is "$accident: and is counted" "$(counted sealed_copies_total)" $((before + 1))
        kill_keeper
        starts "$accident: killed, and started again"
        ok "$accident: the door is known" says "taking up [12] doors? of an earlier run"
        ctl close ssh
        ok "$accident: the door closes" closed $FROM
        dead "$accident: the last"
        cp "$WORK/kept" "$PACKETS"
        dead "$accident: the one before"
        rm -rf "$WORK/away"
    done
}

# A state that is new makes everybody wait for max_skew, and no longer.
waits() {
    SKEW=2 doors_file
    stop_knockd
    rm -rf "$WORK/state"
    NEW_STATE=1 starts "max_skew = 2, in a new state: starts"
    ok "max_skew = 2: said" said "sealed knocks are refused for the next 2 s"
    ok "max_skew = 2: a message opens then" poll 15 opens_by_now
    ctl close ssh
    doors_file
    reloads "max_skew = 120 again"
}

opens_by_now() {
    message
    send_packets $FROM
    settled
    [ -n "$(openings)" ]
}

keys() {
    local used=$WORK/used
    cp "$PACKETS" "$used"
    "$KNOCKCTL" key remove alice -c "$CONFIG" 2>/dev/null
    reloads "the key is removed"
    dead "the key is removed" unknown
    message
    dead "sealed while the key is removed" unknown
    cp "$THEIRS/alice.key" "$KEYS/alice.key"
    reloads "the key is added again"
    dead "sealed while the key was removed"
    cp "$used" "$PACKETS"
    dead "the key is added again"
    serves "the key is added again"
}

# A message that is refused, for whatever reason: to permit it later doesn't bring it back to life.
# Description | key list | keys of the other door | more of the door | more of the key's file | what is said
refused_then_permitted() {
    local description list aside more file reason
    while IFS='|' read -r description list aside more file reason; do
        doors_file "$list" "$more" "$aside"
        [ -z "$file" ] || echo "$file" >>"$KEYS/alice.key"
        reloads "$description: forbidden"
        mark_log
        message
        send_packets $FROM
        ok "$description: refused" says "$reason"
        doors_file
        cp "$THEIRS/alice.key" "$KEYS/alice.key"
        reloads "$description: permitted"
        dead "$description: permitted"
        serves "$description: permitted"
    done <<TABLE
not in the key list|bob|alice|||door ssh: refused $FROM: not this door
in no key list|bob|bob|||sealed knock from $FROM refused: unknown
not an allowed network|alice|alice|allow = { "203.0.113.0/24" }||door ssh: refused $FROM: not in its list of allowed networks
a key that had expired|alice|alice||expires = "2020-12-31"|door ssh: refused $FROM: expired
a key for another door|alice|alice||door = { "aside" }|door ssh: refused $FROM: not this door
TABLE
}

# ahead DESCRIPTION DELIVERER: the message of PACKETS is refused as unknown, a reload permits it, and DELIVERER sends it.
ahead() {
    mark_log
    send_packets $FROM
    ok "$1: refused" says "sealed knock from $FROM refused: unknown"
    doors_file alice "${3:-}"
    reloads "$1: permitted"
    mark_log
    send_packets "$2"
    stay_shut "$1: permitted"
    ok "$1: said why" said "sealed knock from $2 refused: (replayed|new key)"
    starts_again "$1"
    mark_log
    send_packets "$2"
    stay_shut "$1: permitted, and started again"
}

# By a clock that is ahead, so that its time is later than the reload.
refused_ahead() {
    new_state "refused by a clock ahead"
    doors_file bob "" bob
    reloads "no key in force"
    message 100
    ahead "a key that isn't in force, ahead" $FROM
    new_state "refused unbound"
    doors_file
    reloads "nothing unbound"
    seal alice udp any "$(ticks 100)" 1 ssh 0 0 -
    ahead "unbound, ahead" 192.0.2.78 "bound = false"
    new_state "a new key"
    doors_file bob "" bob
    reloads "a new key: not yet"
    mark_log
    message
    cp "$PACKETS" "$WORK/kept"
    doors_file
    reloads "a new key: in force"
    serves "a new key: at once"
}

# The clock of knockd is set back to before the message, then it stands where it was.
clock() {
    if ! grep -q 'sandbox strict' "$KNOCKD_LOG"; then
        skip "the clock is set back" "a build with sanitizers has clock functions of its own"
        return
    fi
    stop_knockd
    make_clock || bail "the clock could not be built"
    printf '#!/bin/sh\nexec env LD_PRELOAD=%s %s "$@"\n' "$CLOCK" "$KNOCKD" >"$WORK/knockd-with-clock"
    chmod 755 "$WORK/knockd-with-clock"
    KNOCKD=$WORK/knockd-with-clock starts "a clock of its own: starts"
    serves "a clock of its own"
    set_clock -100
    dead_copy "the clock is set back"
    KNOCKD=$WORK/knockd-with-clock starts_again "the clock is set back"
    dead "the clock is set back, and knockd started again"
    message -100
    dead "sealed by a clock that was set back as well"
    set_clock 0
    serves "the clock is right again"
}

begin_sealed
client_address $FROM
client_address 192.0.2.78
new_key bob
doors_file
starts "starts"
state
keys
refused_then_permitted
clocks_ahead
taken_away
refused_ahead
waits
clock
done_testing
