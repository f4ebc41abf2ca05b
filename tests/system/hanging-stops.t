#!/bin/bash
# Doors whose stop commands hang, with many openings each: others close in their time all the same.
# shellcheck source-path=SCRIPTDIR source=faults.sh
. "$(dirname "$0")/faults.sh"

# Each opening of these doors hangs from its second second on, for longer than the test takes.
hanging_door() {
    door "$1" 2 'start_command = "/bin/true"' "stop_command = { \"/bin/true\", \"$WORK/hang\" }"
}

# good_closes DESCRIPTION FROM: opened for 3 s, it doesn't wait for what hangs, for 30 s each time.
good_closes() {
    local begun took
    knock_at good "$2"
    ok "$1: opens" says "door good: opened for $2"
    begun=$(now_ms)
    ok "$1: closes" says "door good: closed for $2" 60
    took=$(($(now_ms) - begun))
    ok "$1: in time ($took ms)" [ $took -lt 23000 ]
    is "$1: no rule is left" "$(rules iptables)" ""
}

needs_gate
script hang <<<'exec sleep 1000'
{
    hanging_door one
    hanging_door two
    hanging_door three
    rule_door good 3
} | with_config
sed -i '1i run_timeout = 30\nstop_timeout = 20' "$CONFIG"
starts "starts"
for i in {1..20}; do
    for name in one two three; do
        knock_at $name "198.51.100.$i"
    done
done
ok "three doors with 60 openings" poll 10 said "door (one|two|three): opened for" 60
good_closes "while they hang for the first time" 192.0.2.20
ok "they are killed" says "door (one|two|three): .* took longer than 30 s and was killed"
good_closes "after they hung" 192.0.2.21
mark_log
knock_at good 192.0.2.22
ok "open again" says "door good: opened for 192.0.2.22"
kill -TERM "$KNOCKD_PID"
ok "told to stop: closed before what hangs" says "door good: closed for 192.0.2.22"
ok "not after it" said_before "door good: closed for 192.0.2.22" "NOT CLOSED .*: out of time"
is "no rule is left" "$(rules iptables)" ""
wait "$KNOCKD_PID"
is "not all could be closed: exit status" $? 75
ok "those that hang are named" said "door (one|two|three): NOT CLOSED for 198.51.100.[0-9]*: out of time"
ok "the other isn't" not said "door good: NOT CLOSED"
done_testing
