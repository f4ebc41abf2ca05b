#!/bin/bash
# The command lines of knockctl and knockd, all commands of their tables: exit statuses, where options may stand, how
# long an answer is waited for.
# shellcheck disable=SC2016,SC2086 # $j is perl's; words of the command line
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

# The tables: command NAME WORDS, and which of them ask knockd.
tables() {
    "$BUILT/tools/list_options" || bail "no tables; run make tests first"
}

# words_of WORDS: arguments that each could have.
words_of() {
    local word words=()
    for word in ${1%%[*}; do
        case $word in
        DOOR) words+=(ssh) ;;
        ADDRESS) words+=("$who") ;;
        KEY | NAME) words+=(alice) ;;
        -) ;;
        *) bail "what is a good $word?" ;;
        esac
    done
    echo "${words[*]}"
}

# said_one_reason DESCRIPTION: on standard error there is a line that begins with the program's name.
said_one_reason() {
    like "$1: says why" "$ERR" "^(knockctl|$CONFIG|$WORK|knockd)"
    is "$1: nothing else" "$OUT" ''
}

run() {
    OUT=$("$@" 2>"$WORK/err")
    STATUS=$?
    ERR=$(cat "$WORK/err")
}

usage_is_2() {
    local name words good wrong line program expected
    while IFS=$'\t' read -r name words; do
        good=$(words_of "$words")
        for wrong in --nonsense "-x" "a b c d e f" "--lines" "--config"; do
            run "$KNOCKCTL" $name $good $wrong
            is "$name $good $wrong" "$STATUS" 2
            said_one_reason "$name $good $wrong"
        done
        run "$KNOCKCTL" --expires 2099-01-01 $name $good --prometheus
        is "$name: others' options" "$STATUS" 2
        [[ -z $good ]] || {
            run "$KNOCKCTL" $name
            is "$name without arguments" "$STATUS" 2
            like "$name without arguments" "$ERR" "an argument is missing"$'\n'"usage: knockctl $name"
        }
        run "$KNOCKCTL" $name --help
        is "$name --help" "$STATUS:$ERR" 0:
        like "$name --help" "$OUT" "^usage: knockctl $name"
        is "$name --help fits a screen" "$(awk 'length > 80' <<<"$OUT"):$(($(wc -l <<<"$OUT") <= 24))" :1
        run "$KNOCKCTL" --help $name
        like "--help $name" "$STATUS:$OUT" "^0:usage: knockctl $name"
    done <<<"$commands"
    while read -r line; do
        run "$KNOCKCTL" $line
        is "knockctl $line" "$STATUS" 2
        is "knockctl $line: nothing else" "$OUT" ''
    done <<TABLE

nonsense
key
key nonsense
help nonsense
open ssh $who 0
open ssh $who 31d
open ssh $who soon
close
close --all ssh
history -n /
why 999.1.1.1
why 192.0.2.0/24
why ssh
rules -4 -6
rules --try 0
rules --try 2d
rules --try soon
rules --accept x
rules --check --again
sequence 2
key new ../x
doors --jsno
key new x --expires soon -c $CONFIG
TABLE
    while IFS='|' read -r line expected; do
        run "$KNOCKCTL" $line --help
        like "knockctl $line --help" "$OUT" "$expected"
    done <<TABLE
open|TIME is seconds, or .*5m
rules|TIME is seconds, or .*5m
rules|--json +with --check: print JSON
key list|--json +print JSON
doors|--all +doors that are shut, too
close|--all +all that is open
TABLE
    for program in knockctl knock knockd; do
        run "$BUILT/$program/$program" --help
        is "$program --help" "$STATUS:$ERR" 0:
        is "$program --help fits a screen" "$(awk 'length > 80' <<<"$OUT"):$(($(wc -l <<<"$OUT") <= 24))" :1
        run "$BUILT/$program/$program" --nonsense
        # That of knock is 2 where it knocked, and the port stayed shut.
        expected=2
        [ $program != knock ] || expected=1
        is "$program --nonsense" "$STATUS:$OUT" $expected:
    done
}

# A configuration that is wrong, or not there, is a no; so is what knockd refuses.
no_is_1() {
    local name words file line expected
    echo "control = \"$WORK/nobody\" door \"x\" { sequenze = 1 }" >"$WORK/wrong.conf"
    while IFS=$'\t' read -r name words; do
        takes "$name" --config || continue
        for file in wrong.conf nothing.conf; do
            # shellcheck disable=SC2046 # words
            run "$KNOCKCTL" $name $(words_of "$words") -c "$WORK/$file" $([ "$name" != close ] || echo ssh)
            # Of a file that is wrong, the socket is still known: there nobody listens.
            expected=1
            ! takes "$name" --socket || [ $file != wrong.conf ] || expected=3
            is "$name -c $file" "$STATUS" $expected
            said_one_reason "$name -c $file"
        done
    done <<<"$commands"
    while read -r line; do
        ctl $line
        is "knockctl $line" "$STATUS" 1
        said_one_reason "knockctl $line"
    done <<TABLE
open nothing $who
open ssh 224.0.0.1
open fails $who
close nothing
close ssh
forget ssh $who
TABLE
    # What only knockd can tell to be wrong.
    for line in "close ssh nobody" "history -n x" "why nobody" "forget ssh $who x"; do
        ctl $line
        is "knockctl $line" "$STATUS" 2
        said_one_reason "knockctl $line"
    done
}

# takes COMMAND OPTION
takes() {
    grep -q -P "^option\tknockctl\t$1\t$2\t" <<<"$table"
}

not_running_is_3() {
    local name words
    while IFS=$'\t' read -r name words; do
        takes "$name" --socket || continue
        # shellcheck disable=SC2046 # words
        run "$KNOCKCTL" -s "$WORK/nobody" $name $(words_of "$words") $([ "$name" != close ] || echo --all)
        is "$name, nobody there" "$STATUS" 3
        like "$name, nobody there: says so" "$ERR" "^knockctl $name: knockd isn't running: nobody listens at $WORK/nobody; systemctl start knockd starts it, "
    done <<<"$commands"
}

# All at once: each waits as long.
hanging_is_4() {
    local name words from=$EPOCHREALTIME number=0 pids=()
    kill -STOP "$KNOCKD_PID"
    while IFS=$'\t' read -r name words; do
        takes "$name" --socket || continue
        # shellcheck disable=SC2046 # words
        timeout 30 "$KNOCKCTL" $name $(words_of "$words") $([ "$name" != close ] || echo --all) -s "$WORK/control" \
            >"$WORK/hung.$number" 2>&1 &
        pids+=($!)
        number=$((number + 1))
    done <<<"$commands"
    number=0
    while IFS=$'\t' read -r name words; do
        takes "$name" --socket || continue
        wait "${pids[number]}"
        is "$name, of a knockd that hangs" "$?" 4
        is "$name, of a knockd that hangs: says so" "$(cat "$WORK/hung.$number")" \
            "knockctl $name: knockd (pid $KNOCKD_PID) hasn't answered for 5 s; is it stopped (SIGSTOP), or its disk that slow?"
        number=$((number + 1))
    done <<<"$commands"
    ok "all of them, within 15 s" test $((${EPOCHREALTIME%.*} - ${from%.*})) -lt 15
    # key list has its files to tell of, whatever knockd does.
    run timeout 30 "$KNOCKCTL" key list -c "$CONFIG"
    is "key list, of a knockd that hangs" "$STATUS" 0
    kill -CONT "$KNOCKD_PID"
    ctl doors
    is "and goes on" "$STATUS" 0
}

# Options stand anywhere, in either form.
anywhere() {
    local line
    while read -r line; do
        run "$KNOCKCTL" $line
        is "knockctl ${line//$WORK\//}" "$STATUS:$OUT$ERR" "0:$1"
        run env POSIXLY_CORRECT=1 "$KNOCKCTL" $line
        is "knockctl ${line//$WORK\//}, POSIXLY_CORRECT" "$STATUS:$OUT$ERR" "0:$1"
    done <<TABLE
-c $CONFIG doors
doors -c $CONFIG
--config $CONFIG doors
--config=$CONFIG doors
doors --config=$CONFIG
-s $WORK/control doors
-s$WORK/control doors
TABLE
}

durations() {
    local time seconds
    while read -r time seconds; do
        ctl open keyed $who "$time" --json
        is "open for $time" "$STATUS $(json '$j->{seconds}')" "0 $seconds"
    done <<TABLE
5 5
90s 90
2m 120
1h 3600
30d 2592000
TABLE
    ctl open keyed $who 2m
    is "longer than max_timeout: done, and said" "$STATUS $OUT" "0 door keyed: extended for $who, closes in 120 s
that is longer than the door's max_timeout, 90 s, which is for knocks"
    ctl open keyed $who 90 --json
    is "as long as max_timeout" "$(json '"$j->{seconds} " . ($j->{max_timeout} // "-")')" '90 -'
    ctl open keyed $who 91 --json
    is "longer, as JSON" "$(json '"$j->{seconds} $j->{max_timeout}"')" '91 90'
    ctl open ssh $who 1d
    is "a door without max_timeout" "$STATUS $OUT" "0 door ssh: opened for $who, closes in 86400 s"
    ctl close --all
}

needs_gate
needs_knockctl
table=$(tables)
commands=$(awk -F'\t' '$1 == "command" { print $3 "\t" $4 }' <<<"$table")
good_file 60
sed -i "1i key_dir = \"$WORK/keys\"\nsealed { server = gate span = 13000 }" "$CONFIG"
cat >>"$CONFIG" <<'EOT'
door "keyed" {
    key         = alice
    cmd_timeout = 60
    max_timeout = 90
    port        = 2223
    rule        = "INPUT -s %IP% -p tcp --dport 2223 -j ACCEPT"
}
EOT
run "$KNOCKCTL" key new alice -c "$CONFIG"
like "a key is made" "$STATUS:$ERR" "^0:"
usage_is_2
not_running_is_3
starts "starts"
no_is_1
anywhere "no door is open"
durations
hanging_is_4
stop_knockd
is "ends well" $? 0
done_testing
