#!/bin/bash
# Doors whose undo can never succeed, by a typo: the corrected configuration closes them, by a reload, a restart and after
# a kill -9; `knockctl forget` gives one up; nobody waits for them for ever.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

typo="INPUT -s %IP% -p %PROTO% --dports %PORT% -j ACCEPT"
right="INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"

# rule_file RULE: the door "ssh" by a rule.
rule_file() {
    configure_file <<EOF2
stop_timeout = 10
door "ssh" {
    sequence    = { "7412, 28733:udp, 51990" }
    cmd_timeout = 60
    port        = 2222
    rule        = "$1"
}
EOF2
}

# stop_file COMMAND [KEY]: doors that are noted in WORK/done, and closed by COMMAND.
stop_file() {
    configure_file <<EOF2
stop_timeout = ${2:-3}
run_timeout = 600
door "ssh" {
    sequence      = { "7412, 28733:udp, 51990" }
    cmd_timeout   = 1
    port          = 2222
    start_command = "$WORK/note opened %IP%"
    stop_command  = "$1"
}
EOF2
}

note_script() {
    printf '#!/bin/bash\necho "$*" >>%s/done\n' "$WORK" >"$WORK/note"
    printf '#!/bin/bash\necho $$ >%s/hanging\nwhile :; do sleep 1; done\n' "$WORK" >"$WORK/hang"
    chmod +x "$WORK/note" "$WORK/hang"
    : >"$WORK/done"
}

hup() {
    mark_log
    kill -HUP "$KNOCKD_PID"
    says '^knockd: reloaded'
}

knocks() {
    log_packets "$who" "${steps[@]}"
}

opens() {
    [ "$(rules iptables | wc -l)" = 1 ]
}

# nothing_open: knockctl doors knows of none.
nothing_open() {
    ctl doors --json
    [ "$OUT" = "[]" ]
}

history_end() {
    ctl history --json
    # shellcheck disable=SC2016 # perl's
    json '$j->[0]{end}'
}

done_count() {
    [ "$(grep -c "^$1" "$WORK/done")" = "$2" ]
}

# --- a rule that iptables doesn't understand ---

typo_in_rule() {
    rule_file "$typo"
    starts "a rule with a typo: knockd starts"
    knocks
    ok "the knock fails" says "door ssh: failed for $who: its start command failed; nothing is left to undo"
    ok "and leaves nothing" poll 5 nothing_open
    is "in the history: failed" "$(history_end)" failed
    mark_log
    rule_file "$right"
    ok "corrected and reloaded" hup
    knocks
    ok "the next knock opens" poll 5 opens
    ctl close ssh
    is "and is closed" "$STATUS $(rules iptables)" "0 "
    ok "knockd ends at once" stop_knockd
}

# The same, and the keeper is killed right behind it: what the store then still holds may never have run.
typo_killed() {
    rule_file "$typo"
    starts "a rule with a typo, again"
    knocks
    ok "the knock fails, again" says "failed for $who"
    kill -9 "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    starts "killed and started"
    ok "nothing is open" poll 5 nothing_open
    rule_file "$right"
    ok "corrected, reloaded" hup
    knocks
    ok "the knock opens" poll 5 opens
    ok "knockd ends" stop_knockd
    is "and closes" "$(rules iptables)" ''
}

# Of two rules the first goes in: it comes out again, and the second one's typo doesn't matter.
typo_in_second() {
    configure_file <<EOF2
door "ssh" {
    sequence    = { "7412, 28733:udp, 51990" }
    cmd_timeout = 60
    port        = 2222
    rule        = { "$right", "$typo" }
}
EOF2
    starts "two rules, a typo in the second"
    knocks
    ok "the knock fails: the first is undone" says "failed for $who: its start command failed; undoing it"
    ok "wholly" poll 5 nothing_open
    is "no rule is left" "$(rules iptables)" ''
    ok "knockd ends" stop_knockd
}

# --- a stop command that fails always ---

stop_by_reload() {
    stop_file /bin/false
    starts "stop_command = /bin/false: knockd starts"
    knocks
    ok "it opens, and can't be closed" says "NOT CLOSED for $who: its stop command failed, attempt 1" 10
    refused 1 "close" "NOT CLOSED: the stop command failed and is tried again.*knockctl forget" close ssh
    refused 1 "open" "isn't opened yet: what an earlier knock opened has to be closed first" open ssh $who 60
    stop_file /bin/true
    ok "corrected and reloaded" hup
    ok "the new one closes it" says "what closed it for $who is the configuration that is in force now" 10
    ok "the knock that waited opens" poll 5 done_count opened 2
    ctl close ssh
    is "and can be closed" "$STATUS $OUT" "0 closed: 1"
    ok "knockd ends" stop_knockd
}

stop_by_restart() {
    stop_file /bin/false
    starts "/bin/false, for a restart"
    knocks
    ok "it can't be closed" says "NOT CLOSED" 10
    mark_log
    stop_knockd
    is "the stop gives up after stop_timeout" "$?" 75
    like "and says what it waits for" "$(said_lines 'the stop waits for')" \
        "the stop waits for 1 door: ssh for $who: its stop command failed, attempt [0-9]+, next in 1 s"
    stop_file /bin/true
    starts "corrected and started"
    ok "the new one closes it" says "what closed it for $who is the configuration" 10
    ok "nothing is open" poll 5 nothing_open
    ok "knockd ends at once" stop_knockd
}

stop_by_kill() {
    stop_file /bin/false
    starts "/bin/false, for a kill -9"
    knocks
    ok "it can't be closed" says "NOT CLOSED" 10
    kill -9 "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    starts "killed, started"
    ok "it can't be closed, still" says "NOT CLOSED" 10
    stop_file /bin/true
    ok "corrected, reloaded" hup
    ok "closed" poll 10 nothing_open
    ok "knockd ends" stop_knockd
}

# Another rule finds nothing to delete, which proves nothing of the first one: that stays on record.
other_rule() {
    rule_file "$right"
    starts "a rule that goes in"
    knocks
    ok "it opens" poll 5 opens
    # What this deletes isn't there: exit status 1, which for a rule means closed.
    rule_file "INPUT -s %IP% -p %PROTO% --dport %PORT% -m comment --comment other -j ACCEPT"
    ok "another rule, reloaded" hup
    ctl close ssh
    is "is closed by its own" "$STATUS $(rules iptables)" "0 "
    ok "knockd ends" stop_knockd
}

# --- given up ---

forget() {
    : >"$WORK/done"
    stop_file /bin/false
    starts "/bin/false, to be given up"
    refused 1 "forget what isn't open" "door ssh isn't open for this address" forget ssh $who
    refused 2 "forget: no address" "expected an IPv4 or IPv6 address" forget ssh nobody
    refused 2 "forget: no port" "is no port" forget ssh $who 22:icmp
    knocks
    ok "it can't be closed" says "NOT CLOSED" 10
    refused 1 "forget another port" "isn't open for this address and port" forget ssh $who 23
    ctl forget ssh $who 2222
    is "forget" "$STATUS $OUT" "0 door ssh: given up for $who, port 2222:tcp; what it opened may still be open
  not undone: /bin/false"
    ok "nothing is open" poll 5 nothing_open
    is "in the history" "$(history_end)" "given up by knockctl"
    ok "and in the log" said "door ssh: given up for $who by knockctl"
    ok "with the command" said "door ssh: not undone: /bin/false"
    ctl open ssh $who
    is "it opens again" "$STATUS" 0
    ctl doors --json
    like "in JSON" "$OUT" '"port":"2222:tcp"'
    ok "can't be closed" poll 10 said "NOT CLOSED" 2
    ctl forget ssh $who --json
    # shellcheck disable=SC2016
    is "forget, in JSON" "$(json '$j->[0]{not_undone}[0]{command}')" /bin/false
    ok "knockd ends at once" stop_knockd
}

# A stop command that hangs for ten minutes is killed, and its knock that waited opens.
forget_hanging() {
    : >"$WORK/done"
    stop_file "$WORK/hang"
    starts "a stop command that hangs"
    ctl open ssh $who 60
    refused 1 "forget what is open" "isn't given up: nothing has failed there; knockctl close closes it" forget ssh $who
    "$KNOCKCTL" close ssh -s "$WORK/control" >"$WORK/close.out" 2>&1 &
    local close=$!
    ok "it hangs" poll 10 test -s "$WORK/hanging"
    ctl forget ssh $who
    is "forget kills it" "$STATUS" 0
    ok "the command is gone" poll 5 process_gone "$(cat "$WORK/hanging")"
    ok "nothing is open" poll 5 nothing_open
    wait "$close"
    is "close was answered" "$? $(cat "$WORK/close.out")" "1 knockctl close: 1 NOT CLOSED: given up by knockctl forget"
    rm -f "$WORK/hanging"
    ok "knockd ends at once" stop_knockd
}

# stop_waits: a stop says which command runs.
stop_waits() {
    stop_file "$WORK/hang" 3
    starts "a stop command that hangs, and a stop"
    ctl open ssh $who 60
    stop_knockd
    like "says what it waits for" "$(said_lines 'the stop waits')" "ssh for $who: its stop command has run for [0-9]+ s"
}

needs_gate
needs_knockctl
note_script
typo_in_rule
typo_killed
typo_in_second
stop_by_reload
stop_by_restart
stop_by_kill
other_rule
forget
forget_hanging
stop_waits
done_testing
