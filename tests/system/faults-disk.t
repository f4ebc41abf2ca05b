#!/bin/bash
# What goes wrong with the folder of the state: the disk is full, the store damaged or read-only, a lock left behind.
# shellcheck source-path=SCRIPTDIR source=faults.sh
. "$(dirname "$0")/faults.sh"

# --- 27: disk full, file damaged, file system read-only ---

fill() {
    dd if=/dev/zero of="$WORK/state/filler" bs=4k 2>/dev/null
    [ -s "$WORK/state/filler" ]
}

# Changes have room in what the journal has already: those are used up.
until_full() {
    local i
    for i in {1..120}; do
        knock_at disk "198.51.100.$i"
        ! said "the state can't be recorded" || return 0
    done
    says "the state can't be recorded" 3
}

# full_start DESCRIPTION ARGUMENT...: where there never was a store, none is missed.
full_start() {
    local description=$1 status
    shift
    timeout 60 ip netns exec "$GATE" "$KNOCKD" -c "$CONFIG" "$@" </dev/null >"$WORK/full.log" 2>&1
    status=$?
    is "$description: no state is missed" "$(grep -c 'THE STATE IS GONE' "$WORK/full.log")" 0
    return $status
}

full_from_the_first() {
    rule_door disk 2 | with_config
    mount -t tmpfs -o size=256k,mode=700 none "$WORK/state" || { tap_result 0 "full at first # SKIP no tmpfs"; return; }
    fill
    full_start "full at the first start"
    is "full at the first start: it fails, and may again" $? 75
    like "full at the first start: what to do" "$(cat "$WORK/full.log")" 'free space there'
    full_start "full at the first start, then --close-all" --close-all
    is "full at the first start, then --close-all: nothing is open" $? 0
    rm "$WORK/state/filler"
    starts "full at the first start, then with space: starts"
    ends "full at the first start, then with space"
    umount "$WORK/state"
}

full_disk() {
    rule_door disk 2 | with_config
    mount -t tmpfs -o size=256k,mode=700 none "$WORK/state" || { tap_result 0 "disk full # SKIP no tmpfs"; return; }
    starts "disk full: starts"
    knock_at disk 192.0.2.19
    ok "a door is open" says "door disk: opened for 192.0.2.19"
    ok "the disk is full" fill
    ok "said, and what to do" until_full
    like "where" "$(said_lines "can't be recorded, so")" "$WORK/state/state.db: .*free space there"
    knock_at disk 192.0.2.20
    ok "what can't be recorded isn't opened" says "door disk: refused 192.0.2.20: a door that can't be recorded"
    ok "what was open closes" says "door disk: closed for 192.0.2.19"
    ok "and all else" poll 10 no_rule
    ok "never opened" not said "door disk: opened for 192.0.2.20"
    rm "$WORK/state/filler"
    ok "with space again the store follows" says "the state is being recorded again" 70
    kill_keeper
    starts "killed after it: starts"
    ok "nothing is left in the store" not said "taking up"
    ends "disk full"
}

# Killed while the disk is full: whatever the store still knows is closed by the next start, with or without space.
killed_while_full() {
    starts "killed while full: starts"
    knock_at disk 192.0.2.21
    ok "a door is open" says "door disk: opened for 192.0.2.21"
    fill
    until_full
    kill_keeper
    starts "killed while full: starts, still full"
    ok "all is closed" poll 10 no_rule
    rm "$WORK/state/filler"
    ends "killed while full"
    starts "once more: starts"
    ok "nothing is left in the store" not said "taking up"
    ends "once more"
    mount -o remount,ro "$WORK/state"
    ok "read-only: no start" not run_knockd
    like "read-only: says why" "$(cat "$KNOCKD_LOG")" "$WORK/state/.*Read-only file system"
    umount "$WORK/state"
}

# Closed by hand while that can't be recorded: said, and a crash doesn't open it again.
closed_by_hand_while_full() {
    local out
    rule_door disk 60 | with_config
    mount -t tmpfs -o size=256k,mode=700 none "$WORK/state" || { tap_result 0 "by hand # SKIP no tmpfs"; return; }
    starts "by hand: starts"
    knock_at disk 192.0.2.19
    ok "by hand: a door is open" says "door disk: opened for 192.0.2.19"
    fill
    until_full
    out=$("$BUILT/knockctl/knockctl" close disk 192.0.2.19 -c "$CONFIG" 2>&1)
    is "by hand: knockctl close fails" $? 1
    like "by hand: says why" "$out" "1 closed, but THAT CAN'T BE RECORDED"
    kill_keeper
    rm "$WORK/state/filler"
    starts "by hand: starts after a crash"
    ok "by hand: it isn't opened again" says "door disk: closed for 192.0.2.19 since it was recorded"
    ok "by hand: no rule of it is there" not eval "rules iptables | grep -F 192.0.2.19/"
    ends "by hand"
    umount "$WORK/state"
}

damaged() {
    mkdir -m 700 "$WORK/keys"
    {
        rule_door broken 30 'key = "alice"'
        printf 'key_dir = "%s"\nsealed { server = "gate" span = 13000 max_skew = 90 }\n' "$WORK/keys"
    } | with_config
    starts "damaged: starts"
    knock_at broken 192.0.2.22
    ok "a door is open" says "door broken: opened for 192.0.2.22"
    kill_keeper
    rm -f "$WORK"/state/state.db-*
    echo "no database" >"$WORK/state/state.db"
    starts "the store is damaged: starts all the same"
    ok "says so, loudly" said "error: THE STATE WAS DAMAGED and is now in $WORK/state/state.db.damaged-"
    ok "and that sealed knocks have to wait" said "sealed knocks are refused for the next 90 s"
    ok "and why" said "state.db: can't .*: file is not a database"
    is "the old one is kept" "$(cat "$WORK"/state/state.db.damaged-*)" "no database"
    on_gate iptables -F INPUT
    ends "damaged"
}

# --- 28: a lock decides ---

runs_once() {
    local first=$KNOCKD_PID log=$KNOCKD_LOG
    rule_door once 1 | with_config
    starts "runs once: starts"
    first=$KNOCKD_PID log=$KNOCKD_LOG
    ok "a second refuses" not run_knockd
    like "says why" "$(cat "$KNOCKD_LOG")" "another knockd is running: it holds $WORK/state/lock"
    KNOCKD_PID=$first KNOCKD_LOG=$log
    kill_keeper
    ok "the lock's file is left" test -e "$WORK/state/lock"
    starts "and keeps nobody from starting"
    ends "runs once"
}

needs_gate
full_from_the_first
full_disk
killed_while_full
closed_by_hand_while_full
damaged
runs_once
done_testing
