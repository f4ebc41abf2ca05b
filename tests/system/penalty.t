#!/bin/bash
# Who breaks too many knocks isn't listened to for a while, by a running knockd: what it logs, and what knockctl tells.
# Which packets make a broken knock is shown by tests/unit/test_guesses.c.
# shellcheck disable=SC2016 # $j is perl's
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

innocent=192.0.2.11 exempt=192.0.2.12

# opens ADDRESS [SECONDS]: a right knock of its opens, or extends, within the time.
opens() {
    mark_log
    log_packets "$1" "${steps[@]}"
    says "door ssh: (opened|extended) for $1," "${2:-5}"
}

# Two broken knocks, the second by a stray behind its second step.
guess() {
    log_packets "$1" 7412 4711 7412 28733:udp 4712
}

# A knock of the other address behind his has been read: then his has, too.
opens_not() {
    mark_log
    log_packets "$1" "${steps[@]}"
    opens "$2" && ! said "opened for $1,"
}

why_tells() {
    ctl why "$who" --json
    [ "$(json 'my $p = $j->{penalty}[0]; join " ", map { $p->{$_} } qw(failures max_failures within)')" = "$1" ]
}

needs_gate
needs_knockctl
: >"$KERN_LOG"
good_file 60
sed -i "1i max_failures = 2 failure_window = 30 penalty = 10 allow_always = $exempt" "$CONFIG"
starts "starts"
"$KNOCKCTL" watch -s "$WORK/control" >"$WORK/watch" 2>/dev/null &
started $!
log_packets $who 7412 4711
ok "why: one of two" poll 5 why_tells "1 2 30"
log_packets $who 7412 28733:udp 4712
ok "two: said" says "source firewall: $who is penalised: 2 broken knocks within 30 s; ignoring it for 10 s"
deaf_since=$(now_ms)
ok "a right knock opens nothing then" opens_not $who $innocent
guess $exempt
ok "who is in allow_always still opens" opens $exempt
is "said once" "$(said_count 'penalised' 2 && echo more || echo once)" once
ctl why $who
like "why: until when" "$OUT" '^deaf until 20[0-9-]+ [0-9:]+, ([1-9]|10) s from now: 2 broken knocks within 30 s'
like "why: each packet" "$OUT" '51990:tcp to [0-9.]+, source firewall: ignored, its address is penalised'
ctl why $innocent
ok "why: nothing of others" not grep -q deaf <<<"$OUT"
ctl status
like "status" "$OUT" "penalties: 1, 3 packets ignored for them; to make room 0 were forgotten and 0 knocks overlooked"
ctl status --json
is "status as JSON" "$(json 'join " ", map { $j->{listener}[0]{$_} } qw(penalised ignored_penalty penalties_evicted penalties_overlooked)')" '1 3 0 0'
ctl status --prometheus
like "prometheus" "$OUT" $'knockd_packets_ignored_total\\{reason="penalty"\\} 3\n.*knockd_penalties_total 1\n'
like "watch" "$(cat "$WORK/watch")" "source firewall: penalised for $who, ignored for 10 s"
ok "and opens again" poll 20 opens $who 1
deaf_for=$(($(now_ms) - deaf_since))
ok "when its time is over, $deaf_for ms" [ $deaf_for -ge 9500 ]
guess $who
ok "penalised again" says "$who is penalised"
ctl reload
ok "a reload forgets penalties" opens $who
stop_knockd
is "ends well" $? 0
done_testing
