#!/bin/bash
# A start that fails, in each way, after kill -9 with doors open: what is due is closed before it ends, the rest stays on
# record and is named, and knockd --close-all closes that, whatever is wrong with the configuration.
# shellcheck source-path=SCRIPTDIR source=faults.sh
. "$(dirname "$0")/faults.sh"

due=192.0.2.10 later=192.0.2.11
UNIT=$TREE/etc/knockd.service

# --- what is open ---

doors_file() {
    {
        printf 'key_dir = "%s"\nsealed { server = "gate" span = 13000 }\n' "$WORK/keys"
        rule_door due 4 'key = "alice"'
        rule_door stays 60
    } | with_config
}

past() {
    [ "$(now_ms)" -gt "$1" ]
}

# left_open DESCRIPTION: two doors open, knockd killed, and the time of one of them over. That time is long: knockd,
# which closes it when it is over, is killed before on a slow machine, too.
left_open() {
    local opened_by
    doors_file
    on_gate iptables -F INPUT
    starts "$1: starts"
    knock_at stays $later
    knock_at due $due
    { says "door stays: opened" && says "door due: opened"; } || bail "$1: doors didn't open"
    opened_by=$(now_ms)
    kill_keeper
    poll 6 past $((opened_by + 4000))
    is "$1: killed, two rules are left" "$(rule_count)" 2
}

rule_of() {
    rules iptables | grep -F -- "-s $1/32 "
}

# runs COMMAND...: on the gate, what it says in KNOCKD_LOG, its exit status in STATUS.
runs() {
    KNOCKD_LOG=$WORK/knockd.$((++netns_calls)).log
    log_mark=0
    on_gate timeout 50 "$@" </dev/null >"$KNOCKD_LOG" 2>&1
    STATUS=$?
}

close_all() {
    runs "$KNOCKD" --close-all "$@"
}

# --- each way to fail ---

# fails NAME SAYING STATUS: the start with what is wrong now.
fails() {
    local begun
    begun=$(now_ms)
    runs "${program:-$KNOCKD}" -c "$CONFIG"
    is "$1: fails" $STATUS "$3"
    ok "$1: says why" said "$2"
    is "$1: what is due is closed when it ends" "$(rule_of $due)" ""
    ok "$1: and that is said" said "door due: closed for $due"
    ok "$1: what is not stays" rule_of $later
    ok "$1: until when" said "door stays: stays open for $later until 20..-..-.. ..:..:.., for [0-9]+ s more"
    ok "$1: in no time" within $(($(now_ms) - begun)) 20000
}

# What is broken, how, what is said, how it is mended, and the exit status where another start may find it mended.
table() {
    cat <<'TABLE'
a typo|echo 'no_such_key = 1' >>"$CONFIG"|no_such_key|:
no syntax at all|sed -i '1i user = "nobody' "$CONFIG"|knockd.conf:1: |:
the user is gone|sed -i 's/"nobody"/"nosuchuser"/' "$CONFIG"|nosuchuser.* doesn't exist|:
a wrong key file|chmod 644 "$WORK/keys/alice.key"|others than its owner|chmod 600 "$WORK/keys/alice.key"
an unreadable source|sed -i "s,path = \"$KERN_LOG\",path = \"$WORK\"," "$CONFIG"|not a regular file|:
a program that is gone|sed -i '1i init_command = "/nonexistent/program"' "$CONFIG"|init_command: /nonexistent|:
init_command fails|sed -i '1i init_command = "/bin/false"' "$CONFIG"|init_command failed|:|75
init_command hangs|sed -i '1i init_command = "sleep 60" run_timeout = 2' "$CONFIG"|init_command failed|:|75
no root for the listener|mount -t tmpfs -o mode=777 none /run/knockd/empty|nobody else can write|umount /run/knockd/empty|75
no sandbox|program=$WORK/confined|can't be confined|program=|75
a disk that is read-only|read_only|Read-only file system|umount "$WORK/state"|75
no configuration|mv "$CONFIG" "$CONFIG.away"|No such file|:
another state folder, and a typo|sed -i 's,/state",/other",; $ a no_such_key = 1' "$CONFIG"|no_such_key|:
TABLE
}

each_way() {
    local name breaks saying mends status program=''
    while IFS='|' read -r name breaks saying mends status; do
        left_open "$name"
        eval "$breaks"
        fails "$name" "$saying" "${status:-1}"
        close_all -c "$CONFIG"
        is "$name: --close-all succeeds" $STATUS 0
        ok "$name: says what it closed" said "door stays: closed for $later"
        ok "$name: and that this was all" said "all is closed that was on record in $WORK/state"
        is "$name: nothing is open" "$(rules iptables)" ""
        eval "$mends"
    done < <(table)
}

read_only() {
    mount --bind "$WORK/state" "$WORK/state" && mount -o remount,bind,ro "$WORK/state"
}

# A program that starts knockd where its listener can't be confined, and dies.
make_programs() {
    script confined <<EOF
exec setpriv --bounding-set -sys_chroot "$KNOCKD" "\$@"
EOF
}

# A start that succeeds, but with another folder: nobody would look after what is on record in the old one.
another_folder() {
    left_open "another folder"
    sed -i 's,/state",/other",' "$CONFIG"
    starts "another folder: starts"
    ok "another folder: says so" said "the run before had its state in $WORK/state, not in $WORK/other: closing"
    is "another folder: nothing of the old one is open" "$(rules iptables)" ""
    ends "another folder"
}

# A folder that a start can't use is left alone; a socket that it can't make doesn't keep it from starting.
no_control() {
    left_open "no control socket"
    sed -i 's,/control",/nowhere/control",' "$CONFIG"
    starts "no control socket: starts all the same"
    ok "no control socket: says so" said "knockctl won't work"
    ok "no control socket: what is due is closed" says "door due: closed for $due"
    ends "no control socket"
}

# The keeper is killed while it starts: the next one that fails has it all to do.
killed_at_the_start() {
    left_open "killed at the start"
    sed -i '1i init_command = "sleep 60"' "$CONFIG"
    runs timeout -s KILL 1 "$KNOCKD" -c "$CONFIG"
    sed -i '1d' "$CONFIG"
    fails_with_typo "killed at the start"
}

fails_with_typo() {
    echo 'no_such_key = 1' >>"$CONFIG"
    runs "$KNOCKD" -c "$CONFIG"
    is "$1: the next start fails" $STATUS 1
    is "$1: what is due is closed" "$(rule_of $due)" ""
    close_all -c "$CONFIG"
    is "$1: and all, when asked for" "$STATUS $(rules iptables)" "0 "
}

# --- starts that fail with nothing to do, or that must do nothing ---

nothing_on_record() {
    doors_file
    rm -rf "$WORK/state"
    echo 'no_such_key = 1' >>"$CONFIG"
    runs "$KNOCKD" -c "$CONFIG"
    is "nothing on record: one line" "$(wc -l <"$KNOCKD_LOG")" 1
    ok "nothing on record: no store is made" not test -e "$WORK/state"
    close_all -c "$CONFIG"
    is "nothing on record: --close-all succeeds" $STATUS 0
    is "nothing on record: and is silent" "$(cat "$KNOCKD_LOG")" ""
    close_all -v -c "$CONFIG"
    ok "nothing on record: -v says so" said "nothing is on record as open in $WORK/state"
    close_all --state-dir "$WORK/nonexistent"
    is "--state-dir that isn't there: fails" $STATUS 1
    ok "--state-dir that isn't there: said" said "there is no state folder $WORK/nonexistent: No such file or directory"
}

# The record itself is gone, with its folder or without, after a run that didn't end in order: nobody can close what that
# opened, and nobody says that all is well.
record_gone() {
    local gone
    for gone in 'state.db*' '*'; do
        left_open "$gone gone"
        find "$WORK/state" -name "$gone" -type f -delete
        close_all -c "$CONFIG"
        is "$gone gone: --close-all fails" $STATUS 1
        ok "$gone gone: and says so" said "error: THE STATE IS GONE: $WORK/state/state.db was in use"
        NEW_STATE=1 starts "$gone gone: starts"
        ok "$gone gone: which is told, too" said "error: THE STATE IS GONE: $WORK/state/state.db was in use"
        ok "$gone gone: and what finds the rules that nobody remembers" said \
            "known; knockctl rules --check tells of rules that nobody closes, knockctl close --stray removes them"
        stop_knockd
        close_all -c "$CONFIG"
        is "$gone gone: after an orderly end all is well" $STATUS 0
    done
    on_gate iptables -F INPUT
}

# A knockd that runs looks after its doors itself.
beside_a_running_one() {
    local pid log
    doors_file
    starts "beside a running one: starts"
    knock_at stays $later
    ok "a door is open" says "door stays: opened"
    pid=$KNOCKD_PID log=$KNOCKD_LOG
    close_all -c "$CONFIG"
    is "beside a running one: --close-all fails" $STATUS 1
    ok "and says why" said "another knockd is running: it holds $WORK/state/lock; it closes its doors itself"
    echo 'no_such_key = 1' >>"$CONFIG"
    runs "$KNOCKD" -c "$CONFIG"
    is "a start that fails beside it says that, and no more" "$(wc -l <"$KNOCKD_LOG")" 1
    ok "the rule stands" rule_of $later
    KNOCKD_PID=$pid KNOCKD_LOG=$log
    ok "and the first serves it" not said "door stays: closed"
    ends "beside a running one"
}

# --- --close-all that can't ---

cannot_close() {
    script stop <<<'[ -e DIR/may ] || exit 5; exec iptables -D "$@"'
    door stuck 1 "start_command = \"iptables -I $spec\"" "stop_command = \"$WORK/stop $spec\"" | with_config
    starts "can't close: starts"
    knock_at stuck $due
    ok "a door is open" says "door stuck: opened for $due"
    kill_keeper
    runs timeout --preserve-status -s TERM 3 "$KNOCKD" --close-all -c "$CONFIG"
    is "can't close: fails" $STATUS 1
    ok "can't close: tries, more than once" said "NOT CLOSED for $due: .* attempt 2"
    ok "can't close: names it" said "door stuck: NOT CLOSED for $due: out of time"
    touch "$WORK/may"
    close_all -c "$CONFIG"
    is "closed when it can be" "$STATUS $(rules iptables)" "0 "
}

phase_is() {
    "$BUILT/knockctl/knockctl" status -s "$WORK/control" 2>/dev/null | grep -q "^knockd [^,]*, $1 for "
}

# While a start that failed still closes what is due, knockctl says so.
told_meanwhile() {
    local pid
    rm -f "$WORK/may"
    door stuck 1 "start_command = \"iptables -I $spec\"" "stop_command = \"$WORK/stop $spec\"" | with_config
    starts "told meanwhile: starts"
    knock_at stuck $due
    ok "a door is open" says "door stuck: opened for $due"
    kill_keeper
    sleep 1.1
    sed -i '1i init_command = "/bin/false"' "$CONFIG"
    on_gate timeout 50 "$KNOCKD" -c "$CONFIG" </dev/null >"$WORK/failed.log" 2>&1 &
    pid=$!
    ok "the start has failed: knockctl says so" poll 10 phase_is failed
    touch "$WORK/may"
    wait $pid
    is "it ends when all is closed" "$? $(rules iptables)" "75 "
}

refused_records() {
    left_open "others may write"
    chmod 777 "$WORK/state"
    close_all -c "$CONFIG"
    is "others may write: fails" $STATUS 1
    ok "others may write: says so" said "$WORK/state must be a folder of root's"
    runs "$KNOCKD" -c "$CONFIG"
    ok "others may write: so does a start" said "$WORK/state must be a folder of root's"
    chmod 700 "$WORK/state"
    rm -f "$WORK"/state/state.db-*
    echo "no database" >"$WORK/state/state.db"
    close_all -c "$CONFIG"
    is "damaged: fails" $STATUS 1
    ok "damaged: says so" said "error: what was left open can't be closed: $WORK/state/state.db"
    is "damaged: left as it is, for the next start" "$(cat "$WORK/state/state.db")" "no database"
    on_gate iptables -F INPUT
}

# --- the unit ---

unit() {
    sed -n "s|^$1=||p" "$UNIT" | sed "s|@SBINDIR@/knockd|$KNOCKD|"
}

# As a service manager would: after each end of ExecStart, however it came.
stop_post() {
    local command
    read -ra command <<<"$(unit ExecStopPost)"
    runs "${command[@]}" -c "$CONFIG"
}

with_the_unit() {
    left_open "unit, killed"
    stop_post
    is "unit, killed: nothing is open when it has ended" "$STATUS $(rules iptables)" "0 "
    ok "unit, killed: says who left it" said "door stays: closed for $later (.*): an earlier run of knockd ended without closing it"
    ok "unit, killed: no stop is meant" not said "knockd stops"
    left_open "unit, a typo"
    echo 'no_such_key = 1' >>"$CONFIG"
    runs "$KNOCKD" -c "$CONFIG"
    stop_post
    is "unit, a typo: nothing is open when the start has failed" "$STATUS $(rules iptables)" "0 "
    doors_file
    starts "unit, stopped: starts"
    ends "unit, stopped"
    stop_post
    is "unit, stopped: nothing is left to do" "$STATUS $(cat "$KNOCKD_LOG")" "0 "
    ok "unit: the manager waits longer for it than it takes" [ "$(unit TimeoutStopSec | tr -d s)" -gt 70 ]
    is "unit: it is tried again" "$(unit Restart)" always
    echo 'no_such_key = 1' >>"$CONFIG"
    # shellcheck disable=SC2016 # the inner shell's
    runs sh -c 'JOURNAL_STREAM=$(stat -L -c %d:%i /dev/fd/2) exec "$0" "$@"' "$KNOCKD" -c "$CONFIG"
    is "unit: but not with a wrong configuration" "$(unit RestartPreventExitStatus)" "$STATUS 2"
    is "unit: what goes to syslog doesn't go to the journal once more" "$(cat "$KNOCKD_LOG")" ""
}

needs_gate
mkdir -m 700 "$WORK/keys"
doors_file
"$BUILT/knockctl/knockctl" key new alice -c "$CONFIG" >/dev/null 2>&1
make_programs
each_way
another_folder
no_control
killed_at_the_start
nothing_on_record
record_gone
beside_a_running_one
cannot_close
told_meanwhile
refused_records
with_the_unit
done_testing
