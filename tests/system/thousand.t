#!/bin/bash
# A thousand doors, opened by a thousand addresses with a command that does nothing: each closes within a second of its
# time.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

count=1000 seconds=4

# Each line that knockd writes, with the time when it came.
stamp() {
    perl -MTime::HiRes=time -ne 'BEGIN { $| = 1 } printf "%.3f %s", time, $_'
}

# Prints how many closed, the earliest and the latest against their time, in ms.
lateness() {
    perl -ne '
        $open{$2} = $1 if /^([\d.]+) .*: opened for (\S+),/;
        $late{$2} = ($1 - $open{$2} - '$seconds') * 1000 if /^([\d.]+) .*: closed for (\S+)/;
        END { my @l = sort { $a <=> $b } values %late; printf "%d %d %d\n", scalar @l, $l[0], $l[-1] }' "$WORK/stamped"
}

# What runs a thousand programs waits for the machine more than once where each of them does.
in_time() {
    [ "$early" -ge -100 ] && [ "$late" -le $((1000 + 4 * WITNESS)) ]
}

needs_gate

# On a busy machine it takes long to write so many lines.
configure "type = file path = \"$KERN_LOG\" max_age = off" <<EOF
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = $seconds
    start_command = "/bin/true"
    stop_command  = "/bin/true"
}
EOF
for ((i = 0; i < count; i++)); do
    KERN_LOG=$WORK/knocks log_packets "10.1.$((i / 250)).$((1 + i % 250))" 7412 28733:udp 51990
done
: >"$KERN_LOG"
starts "starts"
tail -f -n +1 --pid="$KNOCKD_PID" -s 0.01 "$KNOCKD_LOG" | stamp >"$WORK/stamped" &
poll 5 grep -q ready "$WORK/stamped"
witness
cat "$WORK/knocks" >>"$KERN_LOG"
ok "all open" says "opened for 10.1.3.250," 300
ok "each of them" poll 300 said ' opened for ' $count
ok "all close" poll 300 said ' closed for ' $count
witnessed
diag "the slowest of programs that do nothing took $WITNESS ms"
stop_knockd
is "ends well" $? 0
wait %?stamp 2>/dev/null
read -r closed early late < <(lateness)
is "each closes once" "$closed" $count
if grep -q 'sandbox strict' "$KNOCKD_LOG"; then
    ok "between $early and $late ms after its time" in_time
else
    skip "between $early and $late ms after its time" "a build with sanitizers takes its time"
fi
done_testing
