#!/bin/bash
# Files that a running knockd rests on are removed, moved or replaced: it notices and makes them again, a second start
# is refused, the first is never taken for a command of an earlier run, and doors close in time.
# shellcheck source-path=SCRIPTDIR source=faults.sh
. "$(dirname "$0")/faults.sh"

who=192.0.2.10 second=''

# A knockd for one configuration file; another file, with another log, for the second.
first_config() {
    rule_door hatch 3 | with_config
}

# second_start DESCRIPTION SAYING: it fails, and the first lives on.
second_start() {
    timeout 20 ip netns exec "$GATE" "$KNOCKD" -c "${second:-$CONFIG}" </dev/null >"$WORK/second.log" 2>&1
    is "$1: a second start fails" $? 75
    like "$1: and says why" "$(cat "$WORK/second.log")" "$2"
    ok "$1: the first lives" kill -0 "$KNOCKD_PID"
}

# is_locked NAME: the first has it locked under its name.
is_locked() {
    [ -e "$WORK/state/$1" ] && ! flock -n "$WORK/state/$1" true
}

both_locked() {
    is_locked lock && is_locked commands.lock
}

opens_and_closes() {
    mark_log
    knock_at hatch $who
    ok "$1: a door opens" says "door hatch: opened for $who"
    ok "$1: and closes in time" says "door hatch: closed for $who" 8
    is "$1: no rule is left" "$(rules iptables)" ""
}

# Stopped, the first can't make anything again before the second is there: what is left has to do.
removed() {
    local name=$1 breaks=$2
    first_config
    starts "$name: starts"
    knock_at hatch $who
    ok "$name: a door opens" says "door hatch: opened for $who"
    kill -STOP "$KNOCKD_PID"
    eval "$breaks"
    second_start "$name" "another knockd is running"
    ok "$name: the rule stands" rules iptables
    kill -CONT "$KNOCKD_PID"
    ok "$name: what was removed is made again" poll 5 both_locked
    ok "$name: that is said" says "removed (or replaced )?while knockd runs"
    ok "$name: the door closes in time" says "door hatch: closed for $who" 8
    second_start "$name, made again" "another knockd is running: it holds $WORK/state/lock$"
    ends "$name"
}

locks_removed() {
    while IFS='|' read -r name breaks; do
        removed "$name" "$breaks"
    done <<'TABLE'
the lock removed|rm "$WORK/state/lock"
the lock moved|mv "$WORK/state/lock" "$WORK/state/lock.away"
another lock in its place|touch "$WORK/other"; mv "$WORK/other" "$WORK/state/lock"
the lock of commands removed|rm "$WORK/state/commands.lock"
both locks removed|rm "$WORK"/state/*lock
TABLE
}

# The folder's own lock isn't to be had everywhere. Without it, the lock of commands tells a keeper from a command.
keeper_is_no_command() {
    first_config
    starts "no lock but that of commands: starts"
    kill -STOP "$KNOCKD_PID"
    rm "$WORK/state/lock"
    mkdir "$WORK/copy"
    # A folder of another inode with the same commands.lock.
    ln "$WORK/state/commands.lock" "$WORK/copy/commands.lock"
    sed 's,/state",/copy",; s,/control",/control2",' "$CONFIG" >"$WORK/second.conf"
    second=$WORK/second.conf
    second_start "no lock but that of commands" "another knockd is running: process $KNOCKD_PID has locked"
    second=''
    kill -CONT "$KNOCKD_PID"
    opens_and_closes "no lock but that of commands"
    ends "no lock but that of commands"
}

folder_moved() {
    first_config
    starts "folder moved: starts"
    mv "$WORK/state" "$WORK/state.away"
    ok "folder moved: said" says "the state folder $WORK/state was removed or replaced while knockd runs: going on"
    ok "folder moved: another is there, and locked" poll 5 both_locked
    second_start "folder moved" "another knockd is running: it holds $WORK/state/lock$"
    ok "folder moved: knockd lives" kill -0 "$KNOCKD_PID"
    stop_knockd
    rm -rf "$WORK/state.away"
}

# The folder is moved and a new one made, in which the second starts before the first has looked.
moved_and_second_at_once() {
    rule_door hatch 6 | with_config
    starts "second at once: starts"
    knock_at hatch $who
    ok "second at once: a door opens" says "door hatch: opened for $who"
    mv "$WORK/state" "$WORK/state.away"
    mkdir -m 700 "$WORK/state"
    second_start "second at once" "another knockd is running"
    ok "second at once: the first locks the new folder" poll 5 both_locked
    ok "second at once: its state is there" poll 5 test -s "$WORK/state/state.db"
    is "second at once: nothing is moved aside" "$(find "$WORK/state" -name "*.replaced-*")" ""
    ok "second at once: the door closes in time" says "door hatch: closed for $who" 12
    ends "second at once"
    rm -rf "$WORK/state.away"
}

other=192.0.2.11

second_says() {
    poll "${2:-5}" grep -q "$1" "$WORK/second.log"
}

# A second of another configuration, with the same folder and log, starts before the first has looked, which is stopped
# meanwhile: on a busy machine it might be quicker.
second_runs() {
    local first=$CONFIG
    CONFIG=$WORK/second.conf
    rule_door other 60 | configure_file
    sed -i 's,/control",/control2",' "$CONFIG"
    kill -STOP "$KNOCKD_PID"
    mv "$WORK/state" "$WORK/state.away"
    mkdir -m 700 "$WORK/state"
    ip netns exec "$GATE" "$KNOCKD" -c "$CONFIG" </dev/null >"$WORK/second.log" 2>&1 &
    second_pid=$!
    started $second_pid
    CONFIG=$first
    ok "$1: a second starts in the new folder" second_says "ready" 20
    kill -CONT "$KNOCKD_PID"
    knock_at other $other
    ok "$1: and opens a door" second_says "door other: opened for $other"
    ok "$1: the first finds the folder taken" says "another knockd is running: it holds $WORK/state/lock" 8
    ok "$1: and can't record" says "can't be recorded, so nothing new is opened" 8
    is "$1: it moves nothing of the second's aside" "$(find "$WORK/state" -name "*.replaced-*")" ""
}

# kill -9 of both: what each has open is on record, in the folder that is its own.
folder_of_another() {
    rule_door hatch 60 | with_config
    starts "another's folder: starts"
    knock_at hatch $who
    ok "another's folder: a door opens" says "door hatch: opened for $who"
    second_runs "another's folder"
    kill -KILL "$KNOCKD_PID" "$second_pid"
    wait "$KNOCKD_PID" "$second_pid" 2>/dev/null
    is "another's folder: both doors are left open" "$(rule_count)" 2
    ip netns exec "$GATE" "$KNOCKD" -c "$WORK/second.conf" --close-all </dev/null >"$WORK/second.log" 2>&1
    is "another's folder: the second's record closes its own" "$?:$(rule_count)" 0:1
    ip netns exec "$GATE" "$KNOCKD" --close-all --state-dir "$WORK/state.away" </dev/null >"$WORK/second.log" 2>&1
    is "another's folder: the first's record its own" "$?:$(rules iptables)" 0:
    rm -rf "$WORK/state.away"
}

# The second ends: the first takes up the folder.
folder_of_another_again() {
    rule_door hatch 60 | with_config
    starts "another's folder, then free: starts"
    knock_at hatch $who
    ok "another's folder, then free: a door opens" says "door hatch: opened for $who"
    second_runs "another's folder, then free"
    stop "$second_pid"
    ok "another's folder, then free: the first locks it" poll 10 both_locked
    ok "another's folder, then free: and records there" says "the state is being recorded again" 20
    kill_keeper
    is "another's folder, then free: killed, its door is left open" "$(rule_count)" 1
    ip netns exec "$GATE" "$KNOCKD" -c "$CONFIG" --close-all </dev/null >"$WORK/second.log" 2>&1
    is "another's folder, then free: and closed by the record there" "$?:$(rules iptables)" 0:
    rm -rf "$WORK/state.away"
}

# --- the control socket ---

ctl_works() {
    "$BUILT/knockctl/knockctl" status -s "$WORK/control" >/dev/null 2>&1
}

control_removed() {
    first_config
    starts "control socket: starts"
    ok "control socket: works" ctl_works
    rm "$WORK/control"
    ok "control socket removed: said" says "the control socket was removed while knockd runs: made again"
    ok "control socket removed: works again" poll 5 ctl_works
    mark_log
    mv "$WORK/control" "$WORK/control.away"
    mkdir "$WORK/control"
    ok "a folder in its place: said" says "knockctl won't work: $WORK/control is there and isn't a socket of knockd's"
    mark_log
    rmdir "$WORK/control"
    ok "the folder is gone: said" says "knockctl works again"
    ok "the folder is gone: works again" poll 5 ctl_works
    # A second knockd, of another folder, but by the same socket.
    sed 's,/state",/state2",' "$CONFIG" >"$WORK/second.conf"
    ip netns exec "$GATE" "$KNOCKD" -c "$WORK/second.conf" </dev/null >"$WORK/second.log" 2>&1 &
    started $!
    ok "a second by the same socket: starts" poll 5 grep -q ready "$WORK/second.log"
    like "a second by the same socket: says that it can't have it" "$(cat "$WORK/second.log")" \
        "knockctl won't work: another program listens at $WORK/control"
    is "a second by the same socket: the first has it" \
        "$("$BUILT/knockctl/knockctl" status -s "$WORK/control" --json | grep -o '"listener_pid":[0-9]*')" \
        "\"listener_pid\":$(listener_pids)"
    stop $!
    ok "and keeps it when the second ends" ctl_works
    ends "control socket"
}

# The note of the state folder in /run is removed, as the stop of another unit does with its folder; then the
# configuration is broken where it names the folder, and knockd is killed.
note_removed() {
    local note
    first_config
    starts "note: starts"
    knock_at hatch $who
    ok "note: a door opens" says "door hatch: opened for $who"
    note=$(find /run/knockd/state -lname "$WORK/state")
    ok "note: it is there" test -n "$note"
    rm -f "$note"
    ok "note removed: it is there again" poll 5 test -L "$note"
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    sed -i 's,^state_dir = .*,state_dir = ,' "$CONFIG"
    ok "note removed: --close-all knows the folder" \
        ip netns exec "$GATE" "$KNOCKD" --close-all -c "$CONFIG" </dev/null
    is "note removed: no rule is left" "$(rules iptables)" ""
}

needs_gate
locks_removed
keeper_is_no_command
folder_moved
moved_and_second_at_once
folder_of_another
folder_of_another_again
control_removed
note_removed
done_testing
