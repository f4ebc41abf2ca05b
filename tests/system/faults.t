#!/bin/bash
# What goes wrong around an open door, one fault at a time: each time it is closed in the end, and what fails is said.
# shellcheck source-path=SCRIPTDIR source=faults.sh
. "$(dirname "$0")/faults.sh"

# --- 17: another program holds the lock of xtables, for longer than -w waits ---

# The old iptables in the place of the new one, which has no such lock; and a lock of our own.
old_iptables() {
    iptables-legacy --version >/dev/null 2>&1 && on_gate iptables-legacy -S >/dev/null 2>&1 || return 1
    : >"$WORK/xtables.lock"
    : >>/run/xtables.lock
    make_alternatives
    mount --bind "$WORK/alternatives-legacy" /etc/alternatives && iptables --version | grep -q legacy || return 1
    mount --bind "$WORK/xtables.lock" /run/xtables.lock
}

new_iptables() {
    umount /etc/alternatives 2>/dev/null
    umount /run/xtables.lock 2>/dev/null
}

# hold_lock: until release_lock.
hold_lock() {
    flock -F "$WORK/xtables.lock" sleep 1000 & # without -F the lock outlives it, by its child
    holder=$!
    started $holder
    poll 3 not flock -n "$WORK/xtables.lock" true
}

release_lock() {
    stop $holder
}

lock_held() {
    local who=192.0.2.10
    if ! old_iptables; then
        new_iptables
        tap_result 0 "lock held # SKIP no iptables-legacy here"
        return
    fi
    {
        rule_door locked 1
        rule_door later 10
    } | with_config
    starts "lock held: starts"
    hold_lock
    knock_at locked $who
    sleep 1
    release_lock
    ok "lock held for a while: opens after it" says "door locked: opened for $who"
    ok "and closes" says "door locked: closed for $who"
    is "with no rule left" "$(rules iptables)" ""
    mark_log
    knock_at later $who
    ok "another opens" says "door later: opened for $who"
    hold_lock
    ok "lock held when it is due: not closed, and said" says "door later: NOT CLOSED for $who"
    like "why" "$(said_lines warning)" "exited with status 4"
    ok "not taken for closed" not said "door later: closed for"
    release_lock
    ok "closed when the lock is free" says "door later: closed for $who" 20
    ends "lock held"
    new_iptables
}

# --- 18, 21: rules that another program deletes, all or some ---

deleted() {
    local who=192.0.2.11 two="INPUT -s %IP% -p udp --dport 2222 -j ACCEPT"
    door both 600 "rule = { \"$spec\", \"$two\" }" "check_interval = 1" | with_config
    starts "deleted by another: starts"
    knock_at both $who
    ok "two rules" says "door both: opened for $who"
    on_gate iptables -D INPUT -s $who -p udp --dport 2222 -j ACCEPT -m comment --comment "knockd both"
    ok "one of them deleted: noticed" says "something else closed it for $who"
    ok "both are there again" poll 5 rules_are 2
    is "neither of them twice" "$(rules iptables | sort | uniq -d)" ""
    mark_log
    on_gate iptables -F INPUT
    ok "flushed: noticed" says "something else closed it for $who"
    ok "both are there again" poll 5 rules_are 2
    on_gate iptables -F INPUT
    kill -TERM "$KNOCKD_PID"
    ok "flushed once more, and told to stop: closed" says "door both: closed for $who"
    ends "deleted by another"
}

# --- 19, 25: a stop that fails again and again, a start that fails by half ---

failing() {
    local who=192.0.2.12
    script stop <<<'[ -e DIR/may ] || exit 5; exec iptables -D "$@"'
    {
        door stuck 1 "start_command = \"iptables -I $spec\"" "stop_command = \"$WORK/stop $spec\""
        door half 1 "start_command = { \"iptables -I $spec\", \"/bin/false\" }" "stop_command = \"iptables -D $spec\""
    } | with_config
    starts "failing: starts"
    knock_at half $who
    ok "a start that fails by half is undone" says "door half: undone for $who"
    ok "and was never said to be open" not said "door half: opened"
    is "its rule is gone" "$(rules iptables)" ""
    knock_at stuck $who
    ok "a stop that fails" says "door stuck: NOT CLOSED for $who: its stop command failed, attempt 1; next in 1 s"
    ok "is tried again" says "NOT CLOSED .* attempt 2; next in 2 s"
    ok "later and later" says "NOT CLOSED .* attempt 3; next in 4 s"
    is "meanwhile the rule is there" "$(rule_count)" 1
    kill_keeper
    starts "killed meanwhile: starts"
    ok "taken up" said "taking up 1 door of an earlier run"
    ok "tried at once" says "NOT CLOSED for $who: its stop command failed, attempt 1"
    touch "$WORK/may"
    ok "and closed when it can be" says "door stuck: closed for $who"
    ends "failing"
}

# --- 22, 23: what hangs, and a stream of openings ---

hanging_are_gone() {
    local pid
    while read -r pid; do
        process_gone "$pid" || return 1
    done <"$WORK/hanging"
}

undos_first() {
    local i begun took
    script hang <<<'sleep 100 & echo $! >>DIR/hanging; wait'
    {
        rule_door due 3
        door hang 60 "start_command = \"$WORK/hang\"" 'stop_command = "/bin/true"'
        door stream 60 'start_command = "sleep 0.3"' 'stop_command = "/bin/true"'
    } | with_config
    # On a busy machine it takes long to write so many lines.
    sed -i '1i run_timeout = 3' "$CONFIG"
    sed -i 's/type = file/type = file max_age = off/' "$CONFIG"
    starts "undos first: starts"
    # Before the door opens: writing them may take longer than it stays open.
    for i in {1..6}; do
        KERN_LOG=$WORK/stream knock_at hang "198.51.100.$i"
    done
    for i in {1..200}; do
        KERN_LOG=$WORK/stream knock_at stream "203.0.113.$i"
    done
    knock_at due 192.0.2.13
    ok "a door is open" says "door due: opened for 192.0.2.13"
    mark_log
    knock_at due 192.0.2.13
    ok "a knock keeps it open, or comes late" says "door due: ((extended|opened) for 192.0.2.13|.*it opens nothing)"
    begun=$(now_ms)
    cat "$WORK/stream" >>"$KERN_LOG"
    ok "closed amid commands that hang and 200 that wait" says "door due: closed for 192.0.2.13 .*: its time is over" 10
    took=$(($(now_ms) - begun))
    # In its turn it would be after what waits, for 13 s.
    ok "before the last of those ($took ms)" \
        said_before "door due: closed for .*: its time is over" "door stream: opened for 203.0.113.200,"
    ok "what hangs is killed" poll 30 said "door hang: undone for 198.51.100.[1-6]" 6
    is "children of all" "$(wc -l <"$WORK/hanging")" 6
    ok "with them" poll 5 hanging_are_gone
    ends "undos first"
}

# --- 20, 22: the keeper is killed while a start command, and a child that left it, still work ---

waits_for_survivor() {
    grep -qs "waiting for commands of an earlier run" "$WORK"/knockd.*.log
}

survivor() {
    local who=192.0.2.14
    script late <<'EOF'
setsid bash -c 'until [ -e DIR/now ]; do sleep 0.05; done; iptables -I "$@"; echo >DIR/inserted' late "$@" &
echo >DIR/begun
wait
EOF
    door late 60 "start_command = \"$WORK/late $spec\"" "stop_command = \"iptables -D $spec\"" 'stop_ok = { 0, 1 }' |
        with_config
    starts "survivor: starts"
    knock_at late $who
    ok "a start command runs" poll 5 test -e "$WORK/begun"
    kill_keeper
    (poll 30 waits_for_survivor && touch "$WORK/now") &
    starts "killed and started again: waits"
    ok "for what still ran" said "waiting for commands of an earlier run to end"
    ok "which had inserted its rule" test -e "$WORK/inserted"
    ok "undone then" says "door late: undone for $who"
    ends "survivor"
}

# --- 24: no ip6tables ---

# Both names are links of Debian's, by way of a folder of which there can be another.
hide_ip6tables() {
    [[ $(readlink "$(command -v ip6tables)") = /etc/alternatives/* ]] || return 1
    cp -a /etc/alternatives "$WORK/alternatives" && rm "$WORK/alternatives/ip6tables" &&
        mount --bind "$WORK/alternatives" /etc/alternatives
}

no_ip6tables() {
    if ! hide_ip6tables; then
        tap_result 0 "no ip6tables # SKIP it can't be hidden here"
        return
    fi
    rule_door four 1 | with_config
    starts "no ip6tables: starts"
    ok "says so" said "warning: .*ip6tables isn't installed; it won't open for IPv6"
    knock_at four 2001:db8::10
    ok "refused" says "door four: refused 2001:db8::10: it has no commands for IPv6"
    knock_at four 192.0.2.15
    ok "IPv4 opens" says "door four: opened for 192.0.2.15"
    ok "and closes" says "door four: closed for 192.0.2.15"
    stop_knockd
    is "no ip6tables: ends well" $? 0
    umount /etc/alternatives
}

# --- 26: no descriptors ---

exhausted() {
    rule_door few 10 | with_config
    starts "no descriptors: starts"
    knock_at few 192.0.2.16
    ok "a door is open" says "door few: opened for 192.0.2.16"
    prlimit --pid "$KNOCKD_PID" --nofile=3:4096
    ok "its stop can't run: said" says "door few: NOT CLOSED for 192.0.2.16"
    ok "why" said "can't start .*: Too many open files"
    ok "its check couldn't either, so it isn't taken for closed" not said "door few: closed"
    knock_at few 192.0.2.17
    ok "another fails" says "door few: failed for 192.0.2.17"
    prlimit --pid "$KNOCKD_PID" --nofile=1024:4096
    ok "with descriptors again it closes" says "door few: closed for 192.0.2.16" 10
    ok "the other was never open" not said "door few: opened for 192.0.2.17"
    ok "few messages about it" [ "$(wc -l <"$KNOCKD_LOG")" -lt 100 ]
    ends "no descriptors"
}

# --- the listener dies, again and again ---

listener_killed() {
    local who=192.0.2.18 begun
    rule_door heard 3 | with_config
    starts "listener killed: starts"
    begun=$(now_ms)
    knock_at heard $who
    ok "a door is open" says "door heard: opened for $who"
    kill -KILL "$(listener_pids)"
    ok "its death is said" says "listener [0-9]* was killed by signal 9"
    ok "another starts" says "listening again"
    kill -KILL "$(listener_pids)"
    ok "the door closes" says "door heard: closed for $who"
    begun=$(($(now_ms) - begun))
    ok "in time ($begun ms)" within $begun 3000
    ok "a third listener, later" says "starting another in 2 s"
    mark_log
    ok "starts" says "listening again"
    knock_at heard $who
    ok "and hears" says "door heard: opened for $who"
    ends "listener killed"
}

needs_gate
lock_held
deleted
failing
undos_first
survivor
no_ip6tables
exhausted
listener_killed
done_testing
