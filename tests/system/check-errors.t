#!/bin/bash
# A firewall's program that fails for want of memory, or because the rules change while it reads, exits with 1, as it does
# when a rule isn't there. What it says tells the two apart: the door stays known, and is closed once the program works.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

steps=(7412 28733:udp 51990)
who=192.0.2.7

# stand_in NAME MESSAGE: a program of that name, which fails with that message while there is a file "broken", but for
# what adds.
stand_in() {
    cat >"$WORK/$1" <<EOF2
#!/bin/sh
case " \$* " in *" add "* | *" -I "*) ;; *) [ ! -e "$WORK/broken" ] || { echo "$2" >&2; exit 1; } ;; esac
exec /usr/sbin/$1 "\$@"
EOF2
    chmod +x "$WORK/$1"
}

# checked_door TIME START STOP CHECK
checked_door() {
    configure_file <<EOF2
door "ssh" {
    sequence       = { 7412, 28733:udp, 51990 }
    cmd_timeout    = $1
    start_command  = "$2"
    stop_command   = "$3"
    check_command  = "$4"
    check_interval = 1
}
EOF2
}

there() {
    {
        on_gate iptables -S OPEN | grep '^-A'
        on_gate nft list set inet own open | grep -o "$who"
    } 2>/dev/null
}

open() {
    rm -f "$WORK/broken"
    starts "$1: knockd starts"
    log_packets "$who" "${steps[@]}"
    ok "$1: opens" says "door ssh: opened for $who,"
    is "$1: there once" "$(there | wc -l)" 1
    touch "$WORK/broken"
}

closes() {
    rm -f "$WORK/broken"
    ok "$1: closes" says "door ssh: closed for $who .*: its time is over"
    is "$1: nothing is left" "$(there)" ""
    stop_knockd
}

# each NAME START STOP CHECK: its checks while it is open, its end, and a start after kill -9.
each() {
    checked_door 10 "${@:2}"
    open "$1, checked"
    ok "$1, checked: the check fails" checks_fail 3
    ok "$1, checked: isn't opened again" not said "something else closed it"
    closes "$1, checked"
    checked_door 2 "${@:2}"
    open "$1, at its end"
    ok "$1, at its end: isn't closed" says "door ssh: NOT CLOSED for $who"
    is "$1, at its end: is there" "$(there | wc -l)" 1
    closes "$1, at its end"
    checked_door 12 "${@:2}"
    open "$1, kill -9"
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    starts "$1, kill -9: knockd starts again"
    ok "$1, kill -9: the check fails" checks_fail 2
    ok "$1, kill -9: isn't forgotten" not said "since it was recorded"
    closes "$1, kill -9"
}

checks_reach() {
    [ "$(wc -l <"$WORK/checks")" -ge "$1" ]
}

# checks_fail COUNT: so many checks more have been run.
checks_fail() {
    poll 15 checks_reach $(($(wc -l <"$WORK/checks") + $1))
}

needs_gate
command -v nft >/dev/null || skip_all "needs the command nft; see scripts/deps.sh"
on_gate iptables -N OPEN
on_gate nft -f - <<<'table inet own { set open { type ipv4_addr; }; }'
: >"$WORK/checks"
stand_in iptables "iptables: Failed to initialize nft: Cannot allocate memory"
stand_in nft "Error: Could not process rule: Interrupted system call"
# Each check leaves a line.
sed -i "2i case \" \$* \" in *\" -C \"* | *\" get \"*) echo >>\"$WORK/checks\" ;; esac" "$WORK/iptables" "$WORK/nft"
match="OPEN -s %IP% -p tcp --dport 22 -j ACCEPT"
each iptables "$WORK/iptables -w 5 -I $match" "$WORK/iptables -w 5 -D $match" "$WORK/iptables -w 5 -C $match"
set="element inet own open { %IP% }"
each nft "$WORK/nft add $set" "$WORK/nft delete $set" "$WORK/nft get $set"
done_testing
