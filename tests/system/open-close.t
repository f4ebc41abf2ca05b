#!/bin/bash
# Doors without an undo of their own: one sequence opens, another closes. However often one knocks, there is one rule; closed
# once is closed; also after a restart and a kill -9.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

opening=(7412 28733:udp 51990) closing=(7513 28834:udp 52091)
command="%IPTABLES% -w 5 -I INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT"

# pair_file OPEN-KEYS CLOSE-KEYS
pair_file() {
    configure_file <<EOF2
door "ssh" {
    sequence = { "7412, 28733:udp, 51990" }
    $1
}
door "close-ssh" {
    sequence = { "7513, 28834:udp, 52091" }
    $2
}
EOF2
}

# alone_file KEYS: the first one alone.
alone_file() {
    configure_file <<EOF2
door "ssh" {
    sequence = { "7412, 28733:udp, 51990" }
    $1
}
EOF2
}

rule_count() {
    [ "$(rules iptables | wc -l)" = "$1" ]
}

# opens N: after N knocks there is one rule.
opens() {
    local i
    mark_log
    for ((i = 0; i < $1; i++)); do
        log_packets "$who" "${opening[@]}"
        ok "$2: knock $((i + 1)) of $1" poll 5 said "(opened for $who|it is open already, so nothing was run)" $((i + 1))
    done
    is "$2: one rule" "$(rules iptables | wc -l)" 1
}

closes() {
    mark_log
    log_packets "$who" "${closing[@]}"
    ok "$1: closed once is closed" poll 5 rule_count 0
    ok "$1: and is known to be" says "door ssh: closed for $who \(.*\): (by a knock at another door|by knockctl|its time is over)"
}

stop_and_start() {
    ok "$1: knockd stops at once" stop_knockd
    is "$1: the rule stays" "$(rules iptables | wc -l)" 1
    starts "$1: and starts"
}

pair() {
    pair_file "start_command = \"$command\" $2" "start_command = \"${command/-I/-D}\" $3"
    starts "$1: knockd starts"
    opens 3 "$1"
    closes "$1"
    opens 3 "$1: once more"
    stop_and_start "$1: a restart"
    opens 1 "$1: after it"
    kill -9 "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    starts "$1: killed and started"
    opens 1 "$1: after that"
    closes "$1: after that"
    mark_log
    log_packets "$who" "${closing[@]}"
    ok "$1: closed already: said" says "door close-ssh: $who knocked, but nothing that it closes is open for it"
    ok "$1: closed already: no failure" not said "door close-ssh: failed"
    log_packets "$who" "${closing[@]}"
    ok "$1: closed already: each time" poll 5 said "nothing that it closes is open for it" 2
    ctl history --json -n 1
    # shellcheck disable=SC2016 # perl's
    is "$1: closed already: the history" "$(json '"$j->[0]{door} $j->[0]{end}"')" "close-ssh nothing to close"
    opens 1 "$1: for knockctl"
    ctl close ssh
    is "$1: knockctl close" "$STATUS $OUT $(rules iptables)" "0 closed: 1 "
    ctl history --json
    # shellcheck disable=SC2016 # perl's
    is "$1: the history" "$(json 'join "|", map { $_->{end} } @$j')" \
        "closed by knockctl|nothing to close|nothing to close|closed by another door|closed by another door"
    ok "$1: knockd stops" stop_knockd
    rm -rf "$WORK/state"
    mkdir "$WORK/state"
}

# A rule with a time of its own, closed before that.
rule_closed() {
    pair_file 'rule = "INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT" cmd_timeout = 600' 'closes = "ssh"'
    starts "a rule, closed by another door: knockd starts"
    log_packets "$who" "${opening[@]}"
    ok "a rule: opens" poll 5 rule_count 1
    closes "a rule"
    mark_log
    log_packets "$who" "${closing[@]}"
    ok "a rule: nothing is open" says "door close-ssh: $who knocked, but nothing that it closes is open for it"
    refused 1 "knockctl open" "door close-ssh closes door ssh" open close-ssh "$who"
    ok "a rule: knockd stops" stop_knockd
}

# Without a door that closes it, knockctl close makes knockd forget it, and says what that means.
alone() {
    alone_file "start_command = \"$command\""
    starts "alone: knockd starts"
    opens 3 "alone"
    ctl doors --json
    # shellcheck disable=SC2016
    is "alone: open, with no end" "$(json '"$j->[0]{state} " . (defined $j->[0]{closes_in} ? "ends" : "endless")')" "open endless"
    ctl open ssh "$who"
    is "alone: knockctl open" "$STATUS $OUT" "0 door ssh: open already for $who, until it is closed"
    stop_and_start "alone"
    ctl close ssh
    like "alone: knockctl close" "$STATUS $OUT" "^0 closed: 0.no longer taken for open: 1; no stop_command closes that"
    is "alone: the rule is still there" "$(rules iptables | wc -l)" 1
    on_gate iptables -F INPUT
    refused 1 "alone: for seconds" "door ssh isn't opened: no time closes this door" open ssh "$who" 10
    is "alone: for seconds: no rule" "$(rules iptables)" ""
    ok "alone: knockd stops" stop_knockd
}

# What the check finds closed opens with the next knock, and isn't opened again by itself.
checked() {
    alone_file "start_command = \"$command\" check_command = \"${command/-I/-C}\" check_interval = 600"
    starts "checked: knockd starts"
    log_packets "$who" "${opening[@]}"
    ok "checked: opens" poll 5 rule_count 1
    opens 1 "checked: it is there"
    on_gate iptables -F INPUT
    mark_log
    log_packets "$who" "${opening[@]}"
    ok "checked: gone, says the check" says "door ssh: closed for $who, says its check"
    ok "checked: and the knock opens" poll 5 rule_count 1
    on_gate iptables -F INPUT
    ok "checked: knockd stops" stop_knockd
}

# What was open when a reload brought the closing door is closed by it.
reloaded() {
    alone_file "start_command = \"$command\""
    starts "reloaded: knockd starts"
    opens 1 "reloaded"
    pair_file "start_command = \"$command\"" "start_command = \"${command/-I/-D}\""
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "reloaded: a closing door comes" says '^knockd: reloaded'
    closes "reloaded"
    ok "reloaded: knockd stops" stop_knockd
}

# warned DESCRIPTION TEXT KEYS [CLOSE-KEYS]: what -t says of line 11 and on.
warned() {
    if [ -n "${4:-}" ]; then pair_file "$3" "$4"; else alone_file "$3"; fi
    like "-t: $1" "$(on_gate "$KNOCKD" -t -c "$CONFIG" 2>&1)" "$CONFIG:[0-9]+: $2"
}

told() {
    warned "no undo" "warning: door \"ssh\" has no stop_command: what it opens stays open" "start_command = \"$command\""
    warned "a time without effect" "warning: door \"ssh\": cmd_timeout has no effect" "start_command = \"$command\" cmd_timeout = 60"
    warned "a check without effect" "warning: door \"ssh\": check_command has no effect" \
        'start_command = "/bin/true" stop_command = "" check_command = "/bin/true"'
    warned "one rule more each time" "warning: door \"ssh\": with stop_command = \"\" each knock inserts one more rule" \
        "start_command = \"$command\" stop_command = \"\""
    warned "an unknown door" 'closes: there is no door "smtp"' "start_command = \"$command\"" 'closes = "smtp"'
    warned "itself" 'closes: door "close-ssh" opens nothing' "start_command = \"$command\"" 'closes = "close-ssh"'
    warned "a rule as well" "door \"close-ssh\" closes another one: it can't have rule as well" \
        "start_command = \"$command\"" 'closes = "ssh" rule = "INPUT -s %IP% -j ACCEPT"'
    pair_file "start_command = \"$command\"" "start_command = \"${command/-I/-D}\""
    is "-t: the pair is right" "$(verdict on_gate "$KNOCKD" -t -c "$CONFIG")" "configuration OK"
}

needs_gate
needs_knockctl
: >"$KERN_LOG"
told
pair "by their commands" '' ''
pair "closes" '' 'closes = "ssh"'
rule_closed
alone
checked
reloaded
done_testing
