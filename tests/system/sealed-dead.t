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

# dead DESCRIPTION [REASON]: that of PACKETS opens nothing.
dead() {
    mark_log
    send_packets $FROM
    stay_shut "$1"
    ok "$1: said why" said "sealed knock from $FROM refused: ${2:-replayed}: "
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
    dead "the same once more"
    starts_again "restart"
    dead "restarted"
    kill_keeper
    starts "killed: starts again"
    dead "killed"
    stop_knockd
    rm "$WORK"/state/state.db*
    starts "state.db deleted: starts"
    dead "state.db deleted"
    serves "state.db deleted"
    cp "$kept" "$PACKETS"
    dead "state.db deleted, and a newer one served"
    # Sealed before the state was new, and held back till now.
    message
    stop_knockd
    rm "$WORK"/state/state.db*
    starts "state.db deleted once more: starts"
    dead "never sent, but older than state.db"
    serves "state.db deleted once more"
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
    dead "the clock is set back"
    KNOCKD=$WORK/knockd-with-clock starts_again "the clock is set back"
    dead "the clock is set back, and knockd started again"
    message -100
    dead "sealed by a clock that was set back as well"
    set_clock 0
    serves "the clock is right again"
}

begin_sealed
client_address $FROM
new_key bob
doors_file
starts "starts"
state
keys
refused_then_permitted
clock
done_testing
