#!/bin/bash
# What people see of knockctl on a terminal, and programs in a pipe: columns, colours, the time that is left; and that
# no text of strangers gets there as it is.
# shellcheck disable=SC2016 # perl's
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

esc=$'\033'

# on_terminal "VARIABLE=VALUE ..." ARGUMENT...: what a terminal gets of knockctl.
on_terminal() {
    local environment=$1
    shift
    script -qec "env -u NO_COLOR TERM=xterm $environment $KNOCKCTL $* -s $WORK/control" /dev/null </dev/null | tr -d '\r'
}

# plain: without the codes of colours.
plain() {
    sed "s/$esc\\[[0-9;]*m//g"
}

doors() {
    local piped shown
    ctl open ssh $who
    ctl open ssh $who6 1h
    : >"$WORK/stuck"
    ctl open stuck $who
    "$KNOCKCTL" close stuck -s "$WORK/control" >/dev/null 2>&1
    piped=$(TERM=xterm "$KNOCKCTL" doors --all -s "$WORK/control")
    is "in a pipe: no codes" "${piped//[^$esc]/}" ''
    shown=$(on_terminal A=1 doors --all)
    like "on a terminal: titles stand out" "$shown" "^$esc\\[1mDOOR$esc\\[0m +$esc\\[1mADDRESS$esc\\[0m"
    like "on a terminal: what is open is green" "$shown" "ssh +$who +$esc\\[32mopen$esc\\[0m  "
    like "on a terminal: what isn't closed is red" "$shown" "stuck +$who +$esc\\[1;31mnot-closed$esc\\[0m"
    like "on a terminal: what is shut is faint" "$shown" "fails +- +$esc\\[2mshut$esc\\[0m"
    is "on a terminal: the same columns" "$(plain <<<"$shown" | sed -E 's/[0-9]+ (s|min)/N \1/g; s/ +/ /g')" \
        "$(sed -E 's/[0-9]+ (s|min)/N \1/g; s/ +/ /g' <<<"$piped")"
    is "each column begins at one place" "$(plain <<<"$shown" | awk '{ print index($0, $3) }' | sort -u | wc -l)" 1
    for environment in NO_COLOR=1 TERM=dumb TERM=; do
        shown=$(on_terminal $environment doors --all)
        is "$environment: no codes" "${shown//[^$esc]/}" ''
        like "$environment: all is there" "$shown" "ssh +$who +open"
    done
    like "NO_COLOR that is empty says nothing" "$(on_terminal NO_COLOR= doors)" "$esc\\[32mopen"
    ctl forget stuck $who
    ctl close --all
}

# What the terminal was sent, each time that a line was written a line of its own.
watched() {
    tr '\r' '\n' <"$WORK/watched" | tr -d '\0'
}

shown_last() {
    watched | grep -a ' open:\|is open' | tail -n 1 | plain | sed "s/$esc\\[K//"
}

shows() {
    [[ $(shown_last) =~ $1 ]]
}

shows_line() {
    watched | plain | grep -q -E -- "$1"
}

# Seconds that the line has said to be left: more than one number.
counts() {
    [ "$(watched | grep -a -o "1 open: ssh $who [0-9]* s" | sort -u | wc -l)" -ge 2 ]
}

watching() {
    local environment=$1 watcher
    : >"$WORK/watched"
    script -qefc "env -u NO_COLOR TERM=xterm $environment $KNOCKCTL watch -s $WORK/control" "$WORK/watched" >/dev/null </dev/null &
    started $!
    ok "$environment: watch: nothing is open" poll 5 shows '^no door is open$'
    ctl open ssh $who
    ok "$environment: watch: what is open, and for how long" poll 5 shows "^1 open: ssh $who [0-9]+ s\$"
    ok "$environment: watch: the time is counted" poll 5 counts
    like "$environment: watch: an event, in columns" "$(watched | plain)" \
        "[0-9]{2}:[0-9]{2}:[0-9]{2}  opened +ssh +$who +by knockctl, closes in 60 s"
    ctl open ssh $who6 1h
    log_packets 203.0.113.9 "${steps[@]}"
    ok "$environment: watch: a refusal" poll 5 shows_line "  refused +ssh +203.0.113.9 +not in its list of allowed"
    ok "$environment: watch: hours" poll 5 shows_line "  opened +ssh +$who6 +by knockctl, closes in 60 min 0 s"
    ok "$environment: watch: those that close soon come first" poll 5 shows "^2 open: ssh $who [0-9]+ s, ssh 2001:"
    ctl close ssh
    ok "$environment: watch: closed" poll 5 shows '^no door is open$'
    watcher=$(pgrep -f "^$KNOCKCTL watch -s $WORK/control")
    kill "$watcher"
    ok "$environment: watch ends" poll 5 process_gone "$watcher"
}

# A knockd that answers whatever is asked with strangers' texts: the terminal gets none of their codes.
hostile() {
    local command text=$'%1b%5b2J%07%0dX%0a%c2%9bY'
    perl -MIO::Socket::UNIX -e '$SIG{PIPE} = "IGNORE";
        my $s = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5) or die $!;
        my $text = $ARGV[1];
        while (my $c = $s->accept) {
            my ($kind) = split " ", <$c>;
            my %one = map { $_ => 1 } qw(open close reload status);
            my $fields = join " ", map { "$_=$text" } qw(door address state by port end event source why instead step
                result file version phase config listener_pid type reads to ignored reason expected command prefix line
                advice warning);
            print $c $one{$kind} ? "ok one\n" : $kind eq "watch" ? "ok stream\n" : "ok list\n";
            print $c "$_ $fields prefixes+$text pieces:0 time:1 max_timeout:1\n"
                for $kind, qw(packets refused .effects sources .other_prefixes .unknown_headers listener .not_undone);
            print $c "error text=$text\n";
        }' "$WORK/hostile" "$text" &
    started $!
    poll 5 test -S "$WORK/hostile" || bail "no hostile knockd"
    for command in status doors "open ssh $who" "close ssh" "forget ssh $who" history sources "why $who" watch reload \
        "doors --json" "why $who --json" "status --prometheus"; do
        # shellcheck disable=SC2086 # words
        "$KNOCKCTL" $command -s "$WORK/hostile" >"$WORK/out" 2>&1
        ok "$command: says something" test -s "$WORK/out"
        is "$command: no control characters, nothing but ASCII" "$(LC_ALL=C tr -d ' -~\n' <"$WORK/out" | od -An -c)" ''
        is "$command: no line of a stranger's" "$(grep -c '^Y\|^X' "$WORK/out")" 0
    done
}

needs_gate
needs_knockctl
good_file 60
starts "starts"
doors
watching NO_COLOR=
watching NO_COLOR=1
ok "watch without colours" not grep -q "$esc\\[[0-9;]*m" "$WORK/watched"
stop_knockd
is "ends well" $? 0
hostile
done_testing
