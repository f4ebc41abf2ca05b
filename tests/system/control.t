#!/bin/bash
# knockctl and a running knockd: every request, as a table and as JSON, and who may ask.
# shellcheck disable=SC2016 # $j is perl's
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

rule_is_there() {
    rules iptables | grep -q -F "$1/32"
}

not_running() {
    local start="systemctl start knockd starts it" log="journalctl -u knockd says why it ended"
    refused 3 "not running: status" "^knockctl status: knockd isn't running: nobody listens at $WORK/control; $start, $log$" status
    setpriv --reuid=nobody --regid=nogroup --clear-groups "$KNOCKCTL" doors -s /nonexistent >"$WORK/out" 2>"$WORK/err"
    is "not running, another user: what root would do" "$? $(cat "$WORK/err")" \
        "3 knockctl doors: knockd isn't running: nobody listens at /nonexistent; sudo $start, sudo $log; then, as only root may ask it: sudo knockctl doors"
    refused 3 "not running: open" "isn't running" open ssh $who
    # A socket that nobody listens on any more, as after kill -9.
    perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => shift, Listen => 1) or die' "$WORK/control"
    refused 3 "a stale socket" "isn't running" doors
}

permissions() {
    is "the socket is root's alone" "$(stat -c '%a %U %F' "$WORK/control")" '600 root socket'
    setpriv --reuid=nobody --regid=nogroup --clear-groups "$KNOCKCTL" status -s "$WORK/control" >"$WORK/out" 2>"$WORK/err"
    is "another user: status" $? 1
    is "another user: one line" "$(cat "$WORK/err")" "knockctl status: only root may use $WORK/control: sudo knockctl status"
    is "another user: nothing else" "$(cat "$WORK/out")" ''
    # Whoever gets round the mode is told nothing.
    chmod 666 "$WORK/control"
    setpriv --reuid=nobody --regid=nogroup --clear-groups "$KNOCKCTL" doors -s "$WORK/control" >"$WORK/out" 2>"$WORK/err"
    is "another user, through an open file: status" $? 1
    is "another user, through an open file: nothing" "$(cat "$WORK/out")" ''
    chmod 600 "$WORK/control"
}

usage() {
    local description arguments
    while IFS='|' read -r description arguments; do
        # shellcheck disable=SC2086 # words
        refused 2 "$description" "usage: knockctl" $arguments
    done <<'TABLE'
open without anything|open
open without an address|open ssh
open with too much|open ssh 192.0.2.1 5 6
close without anything|close
close --all with a door|close ssh --all
an option of another command|doors --prometheus
no such option|doors --nonsense
an argument too many|reload now
TABLE
    refused 2 "a blank in an argument" "looks like that" open "ssh x" $who
    refused 2 "all doors, by a name" "looks like that" close '*'
    refused 2 "a newline in an argument" "looks like that" open $'ssh\nclose --all' $who
    ctl doors --help
    is "help" "$STATUS" 0
    like "help" "$OUT" "usage: knockctl doors"
    "$KNOCKCTL" doors -c "$WORK/nothing" >"$WORK/out" 2>&1
    is "a configuration that isn't there" $? 1
    like "is told of" "$(cat "$WORK/out")" "$WORK/nothing"
    "$KNOCKCTL" doors -c "$CONFIG" >"$WORK/out" 2>&1
    is "the socket that the configuration names" $? 0
}

opening() {
    ctl doors
    is "nothing is open" "$STATUS $OUT" "0 no door is open"
    ctl doors --json
    is "nothing is open, as JSON" "$(json '"list of " . @$j')" 'list of 0'
    ctl doors --all
    like "doors --all: those that are shut" "${OUT//$'\n'/ / }" '^DOOR .* / ssh +- +shut +- +- +2222:tcp / fails +- +shut .* / stuck +- +shut +- +- +-$'
    ctl open ssh $who 20
    is "open: status" "$STATUS" 0
    is "open: says so" "$OUT" "door ssh: opened for $who, closes in 20 s"
    ok "open: the rule is there when knockctl ends" rule_is_there $who
    ctl open ssh $who 30 --json
    is "open again: extended" "$(json '"$j->{result} $j->{door} $j->{address} $j->{seconds}"')" "extended ssh $who 30"
    is "one rule" "$(rules iptables | wc -l)" 1
    ctl open ssh 192.0.2.12 2m
    is "open for minutes" "$STATUS $OUT" "0 door ssh: opened for 192.0.2.12, closes in 120 s"
    ctl close ssh 192.0.2.12
    ctl open ssh 198.51.100.7
    is "allow isn't asked" "$STATUS $OUT" "0 door ssh: opened for 198.51.100.7, closes in 60 s"
    ctl open ssh $who6 5
    is "IPv6" "$STATUS $OUT" "0 door ssh: opened for $who6, closes in 5 s"
    ctl doors
    like "doors: titles" "$OUT" '^DOOR +ADDRESS +STATE +CLOSES IN +BY'
    like "doors: a row" "$OUT" "ssh +$who +open +(2[0-9]|30) s +knockctl"
    ctl doors --all --json
    is "doors --all: each once" "$(json 'join " ", sort map { "$_->{door}:$_->{state}" } @$j')" 'fails:shut ssh:open ssh:open ssh:open stuck:shut'
    ctl doors --json
    is "doors as JSON: how many" "$(json 'scalar @$j')" 3
    is "doors as JSON: one" "$(json "join ' ', map { (\$_->{state}, \$_->{by}, \$_->{closes_in} > 50) } grep { \$_->{address} eq '198.51.100.7' } @\$j")" 'open knockctl 1'
    refused 1 "no such door" 'no door "nonsense" is configured; there are ssh, fails, stuck$' open nonsense $who
    refused 1 "no such door to close" 'or even configured; there are ssh, fails, stuck$' close nonsense
    refused 2 "a network" '"192.0.2.0/24": expected one address, not a network' open ssh 192.0.2.0/24
    refused 2 "a network of IPv6" '"2001:db8::/32": expected one address, not a network' close ssh 2001:db8::/32
    refused 2 "no network either" 'looks like that: "192.0.2/24"' open ssh 192.0.2/24
    refused 2 "no address" '"192.0.2.1000": expected an IPv4 or IPv6 address' open ssh 192.0.2.1000
    refused 1 "a group's address" "no host's address" open ssh 224.0.0.1
    refused 2 "no time" '"0": expected a time from 1s to 30d' open ssh $who 0
    refused 2 "no address to close for" '"192.0.2": expected an IPv4 or IPv6 address' close ssh 192.0.2
    refused 2 "no number" '"5x": expected a time' open ssh $who 5x
    refused 2 "too long a time" '"31d": expected a time' open ssh $who 31d
    refused 2 "no time of that length" '"99999999999d": expected a time' open ssh $who 99999999999d
    refused 1 "nearly a door" 'no door "shh" is configured; did you mean ssh\?$' open shh $who
    refused 1 "nearly a door to close" 'no door "shh" is open, or even configured; did you mean ssh\?$' close shh
    refused 1 "nearly a door to forget" 'no door "stucc" is open, or even configured; did you mean stuck\?$' forget stucc $who
    refused 1 "a start command that fails" "door fails isn't opened: its start command failed" open fails $who
}

no_rule6() {
    [ -z "$(rules ip6tables)" ]
}

closing() {
    ctl close ssh $who
    is "close: status" "$STATUS $OUT" '0 closed: 1'
    ok "close: the rule is gone when knockctl ends" not rule_is_there $who
    ok "close: no other is" rule_is_there 198.51.100.7
    refused 1 "close what isn't open" "door ssh isn't open for this address" close ssh $who
    refused 1 "close what isn't configured" 'no door "nonsense" is open, or even configured' close nonsense
    ok "what was opened by hand closes by itself" poll 8 no_rule6
    ctl close ssh
    is "close a door for all" "$STATUS $OUT" '0 closed: 1'
    ctl close --all --json
    is "close all of nothing" "$STATUS $(json '$j->{closed}')" '0 0'
    ctl open ssh $who
    ctl open ssh 192.0.2.11
    ctl close --all
    is "close all" "$STATUS $OUT" '0 closed: 2'
    is "no rule is left" "$(rules iptables)" ''
}

stuck() {
    ctl open stuck $who
    is "a door that won't close: opens" "$STATUS" 0
    refused 1 "a door that won't close" "1 NOT CLOSED" close stuck
    ctl doors
    like "is shown" "$OUT" "stuck +$who +not-closed"
    ctl status
    like "and warned of" "$OUT" "WARNING: 1 NOT CLOSED"
    mark_log
    rm "$WORK/stuck"
    ctl close stuck
    # knockd's own next try may have come first.
    ok "closes when it can" says "door stuck: closed for $who"
    like "closed by another try" "$STATUS $OUT" '^0 closed: [01]$'
}

history_lines() {
    mark_log
    log_packets $who "${steps[@]}"
    ok "a knock" says "door ssh: opened for $who"
    ctl history
    is "history: status" "$STATUS" 0
    like "history: who, what, how: still open" "$OUT" "ssh +$who +sequence +-"
    like "history: closed by hand" "$OUT" "[0-9]:[0-9]{2} +ssh +198.51.100.7 +knockctl +closed by knockctl"
    like "history: by its time" "$OUT" "ssh +$who6 +knockctl +closed"
    like "history: failed" "$OUT" "fails +$who +knockctl +failed, undone"
    ctl history --json -n 1
    is "history as JSON, the newest" "$(json 'join " ", scalar @$j, $j->[0]{door}, $j->[0]{by}, $j->[0]{closed} // "open"')" '1 ssh sequence open'
    is "history: when" "$(json "abs(time - \$j->[0]{opened}) < 30")" 1
    refused 2 "history: no lines" 'expected a number of lines' history -n 0
    refused 2 "history: no number" '"x": expected a number of lines' history -n x
    refused 2 "no such command" 'no such command: "histroy"; did you mean history\?$' histroy
    refused 2 "no such command at all" 'no such command: "xyzzy"; see knockctl --help$' xyzzy
}

status() {
    ctl status
    is "status" "$STATUS" 0
    like "version" "$OUT" "^knockd [0-9.]+, serving for [0-9]+ s, configuration $CONFIG"
    like "listener" "$OUT" "listener: process $(listener_pids), generation 1"
    like "counts" "$OUT" "doors: 3 configured; 1 open, 0 opening, 0 closing, 0 not closed"
    like "what was left out" "$OUT" "ignored packets: 0 retransmissions, 0 that begin no sequence, "
    ctl status --json
    is "JSON" "$(json 'join " ", $j->{phase}, $j->{recorded} ? "recorded" : "not", $j->{open}, $j->{listener_pid}')" \
        "serving recorded 1 $(listener_pids)"
    is "JSON: what the listener left out and forgot" \
        "$(json 'my $l = $j->{listener}[0]; join " ", map { $l->{$_} } qw(ignored_repeat ignored_idle evicted unsaid)')" \
        "0 0 0 0"
    is "JSON: messages left out" "$(json '$j->{messages_dropped}')" 0
    is "JSON: counters" "$(json '$j->{opened_total} >= 7 && $j->{failed_total} == 1 && $j->{extended_total} == 1')" 1
    ctl status --prometheus
    is "prometheus" "$STATUS" 0
    is "prometheus: every line is one" "$(grep -vEc '^# (HELP|TYPE) knockd_|^knockd_[a-z_]+(\{[^}]*\})? -?[0-9]+$' <<<"$OUT")" 0
    like "prometheus: a gauge" "$OUT" 'knockd_openings\{state="open"\} 1'
    like "prometheus: what was left out" "$OUT" 'knockd_packets_ignored_total\{reason="idle"\} 0'
    like "prometheus: a source" "$OUT" 'knockd_source_matches_total\{source="firewall"\} 3'
    like "prometheus: a counter" "$OUT" "# TYPE knockd_opened_total counter"
}

reloading() {
    good_file 90
    ctl reload
    is "reload" "$STATUS $OUT" "0 reloaded $CONFIG: 3 doors, 1 source"
    ctl open ssh 192.0.2.12
    is "is in force when knockctl ends" "$OUT" "door ssh: opened for 192.0.2.12, closes in 90 s"
    good_file "no_time"
    refused 1 "a bad file" "^$CONFIG:9: .*no_time" reload
    like "the reason first, once" "$ERR" $'^[^\n]*\nknockctl reload: reload failed: nothing changed$'
    # As the unit's reload does, it has iptables try the rules.
    good_file
    sed -i 's/^\( *rule *= .*\) -j ACCEPT/\1 -m nonsense -j ACCEPT/' "$CONFIG"
    ok "a rule is wrong" grep -q nonsense "$CONFIG"
    like "a rule that iptables refuses" "$(on_gate "$KNOCKCTL" reload -s "$WORK/control" 2>&1); $?" \
        $'can\'t take this rule: .*nonsense.*\nknockctl reload: reload failed: nothing changed; 1$'
    # What another network's iptables lacks, knockd's may have.
    ctl reload
    is "from another network it isn't tried" "$STATUS" 0
    good_file
    sed -i 's,^\(.*control *= "[^"]*\)",\1.new",' "$CONFIG"
    ctl reload
    is "a new control: status" "$STATUS" 0
    is "a new control: stays" "$ERR" "control stays $WORK/control until knockd is restarted"
    good_file
    ctl reload --json
    is "JSON" "$(json '"$j->{doors} $j->{file}"')" "3 $CONFIG"
}

# Who has root ask a socket of his own has root execute nothing of his.
strangers_program() {
    mkdir -m 755 "$WORK/his"
    install -o nobody -m 755 "$(command -v perl)" "$WORK/his/program"
    echo "BEGIN { open my \$f, '>', '$WORK/his/executed' }" >"$WORK/his/config"
    chown nobody "$WORK/his"
    chmod 755 "$WORK"
    setpriv --reuid=nobody --regid=nogroup --clear-groups "$WORK/his/program" -MIO::Socket::UNIX -e '
        my $l = IO::Socket::UNIX->new(Local => "$ARGV[0]/socket", Listen => 4) or die;
        while (my $c = $l->accept) {
            <$c>;
            print $c "ok one\nstatus config=$ARGV[0]/config\nend\n";
        }' "$WORK/his" &
    started $!
    poll 5 test -S "$WORK/his/socket"
    is "his program does as it is told" "$("$WORK/his/program" -t -c "$WORK/his/config" 2>/dev/null; ls "$WORK/his/executed")" \
        "$WORK/his/executed"
    rm "$WORK/his/executed"
    "$KNOCKCTL" reload -s "$WORK/his/socket" >/dev/null 2>&1
    ok "but root doesn't execute it" test ! -e "$WORK/his/executed"
    stop $!
}

# Nothing that is sent to the socket disturbs knockd.
garbage() {
    local before
    before=$(descriptors "$KNOCKD_PID")
    for _ in {1..30}; do
        head -c 3000 /dev/urandom
    done | perl -MIO::Socket::UNIX -e '
        my @kept;
        $SIG{PIPE} = "IGNORE";
        for (1 .. 30) {
            my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or next;
            read STDIN, my $bytes, 3000;
            print $s $bytes;
            push @kept, $s if $_ % 2;
        }' "$WORK/control"
    ctl doors
    is "after garbage" "$STATUS" 0
    is "no descriptor is left" "$(descriptors "$KNOCKD_PID")" "$before"
}

another_one() {
    mkdir "$WORK/state2"
    sed "s|$WORK/state|$WORK/state2|" "$CONFIG" >"$WORK/second.conf"
    local first=$KNOCKD_PID
    ok "a second knockd" start_knockd "$WORK/second.conf"
    log_mark=0
    like "doesn't take the socket" "$(cat "$KNOCKD_LOG")" "knockctl won't work: another program listens at $WORK/control"
    stop_knockd
    KNOCKD_PID=$first
    ctl doors
    is "the first one answers still" "$STATUS" 0
}

needs_gate
needs_knockctl
: >"$KERN_LOG"
good_file
not_running
starts "starts, over a stale socket"
permissions
usage
opening
closing
stuck
history_lines
status
reloading
strangers_program
garbage
another_one
stop_knockd
is "ends well" $? 0
ok "the socket is gone" not [ -e "$WORK/control" ]
done_testing
