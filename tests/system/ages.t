#!/bin/bash
# Lines count only while they are of now: old ones, which a logger writes again or a stream brings after an outage, open
# nothing, and it is told why. A log in another time zone is told loudly. A stream that was away is a gap.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

right=(7412 28733:udp 51990)
fleet=''
metrics=''

# sources_file [KEY]: a log of this host, with that key, and a stream of others.
sources_file() {
    cat >"$CONFIG" <<TABLE
user      = "nobody"
state_dir = "$WORK/state" control = "$WORK/control"
source "firewall" { type = file  path = "$KERN_LOG"  prefix = "$LOG_PREFIX"  ${1:-} }
source "fleet"    { type = command  command = "/usr/bin/tail -n 0 -F $fleet"  prefix = "$LOG_PREFIX"  remote = true }
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }  seq_timeout = 60  cmd_timeout = 60
    start_command = "/bin/true"  stop_command = "/bin/true"
}
door "own" {
    sequence      = { 7414, 28733:udp, 51990 }  source = "firewall"
    start_command = "/bin/true"  stop_command = "/bin/true"
}
TABLE
}

# syslog_time SECONDS: so far from now, as syslog writes it; iso_time: with its zone.
syslog_time() {
    LC_ALL=C date -d "$1 seconds" '+%b %e %T'
}

iso_time() {
    date -d "$1 seconds" '+%Y-%m-%dT%T.%6N%:z'
}

# knock_stamped FILE STAMP FROM [STEP...]: a knock, or these steps of it, each line with that time.
knock_stamped() {
    local file=$1 stamp=$2 from=$3 step
    shift 3
    for step in "${@:-${right[@]}}"; do
        packet_line "$from" "$step"
        echo "$stamp${LINE#"$TIME_STAMP"}"
    done >>"$file"
}

# knock_undated FILE FROM: lines that the kernel's uptime stands in, and no other time.
knock_undated() {
    local step
    for step in "${right[@]}"; do
        packet_line "$2" "$step"
        echo "${LINE#"$TIME_STAMP gate "}"
    done >>"$1"
}

# knock_from_host HOST FROM: an old one, whose lines that host wrote.
knock_from_host() {
    local step
    for step in "${right[@]}"; do
        packet_line "$2" "$step"
        echo "$(iso_time -50) $1${LINE#"$TIME_STAMP gate"}"
    done >>"$fleet"
}

# stale_counts SOURCE: each reason, and how many lines were refused for it, by what the metrics said.
stale_counts() {
    sed -n "s/^knockd_source_stale_total{source=\"$1\",reason=\"\([a-z]*\)\"} /\1 /p" <<<"$metrics"
}

why_without_host() {
    why "$1" | grep -q 'source fleet: ignored, its line is'
}

why() {
    "$KNOCKCTL" why -s "$WORK/control" "$1"
}

sources() {
    "$KNOCKCTL" sources -s "$WORK/control"
}

# opens DESCRIPTION FROM: and is shut for the next.
opens() {
    ok "$1: opens" says "door ssh: opened for $2," 10
}

refuses_why() {
    why "$1" | grep -qE "7412:tcp .*: ignored, $2"
}

unheard_why() {
    why "$1" | grep -q '7414:tcp .*: ignored, no door with such a step hears this source'
}

# refuses DESCRIPTION FROM REASON: once why tells so of all lines, the door has not opened.
refuses() {
    ok "$1: why" poll 10 refuses_why "$2" "$3"
    ok "$1: opens nothing" not said "opened for $2,"
}

local_lines() {
    log_packets 192.0.2.1 "${right[@]}"
    opens "lines of now" 192.0.2.1
    knock_stamped "$KERN_LOG" "$(syslog_time -100)" 192.0.2.2
    opens "a line that is late by less than max_age" 192.0.2.2
    mark_log
    knock_stamped "$KERN_LOG" "$(syslog_time -437)" 192.0.2.3
    refuses "a logger that writes its old lines again" 192.0.2.3 'its line is 4[0-9]{2} s old, and max_age is 120 s'
    ok "it is said" says 'source firewall: refused a line about a packet of 192.0.2.3 that is 4[0-9]{2} s old \(max_age is 120 s\), written by host gate, and others'
    knock_stamped "$KERN_LOG" "$(syslog_time -440)" 192.0.2.4
    refuses "more of them" 192.0.2.4 'its line is 4[0-9]{2} s old'
    is "once a minute" "$(said_lines 'source firewall: refused' | wc -l)" 1
    knock_stamped "$KERN_LOG" "$(iso_time -700)" 192.0.2.5
    refuses "with a zone" 192.0.2.5 'its line is 7[0-9]{2} s old'
    knock_undated "$KERN_LOG" 192.0.2.6
    opens "without a time" 192.0.2.6
    knock_stamped "$KERN_LOG" "$(syslog_time 10000)" 192.0.2.7
    refuses "of the future" 192.0.2.7 'its line is [0-9]+ s ahead of the clock'
    like "they are counted" "$(sources)" 'max_age .*: 12 lines refused, the last .* ahead'
    log_packets 192.0.2.8 "${right[@]}"
    opens "lines of now, behind them" 192.0.2.8
    mark_log
    knock_stamped "$KERN_LOG" 'Feb 30 10:00:00' 192.0.2.9
    refuses "of a day that there isn't" 192.0.2.9 "its line states a date that doesn't exist, or is outside 1970 to 2261"
    ok "it is said" says 'source firewall: refused a line .* 192.0.2.9 that states no valid time, written by host gate, and others'
    knock_stamped "$KERN_LOG" "$(LC_ALL=C date '+%b %e %T')  2024" 192.0.2.10
    refuses "with a year behind two blanks" 192.0.2.10 'its line is [0-9]{8,} s old'
}

remote_lines() {
    mark_log
    knock_stamped "$fleet" "$(iso_time -1)" 192.0.2.11
    opens "of another host, a second old" 192.0.2.11
    knock_stamped "$fleet" "$(iso_time -37)" 192.0.2.12
    refuses "of another host, old" 192.0.2.12 'its line is [0-9]+ s old, and max_age is 10 s'
    ok "it is said" says 'source fleet: refused a line .* 192.0.2.12 that is [0-9]+ s old .*, written by host gate, .*was the stream away'
    knock_stamped "$fleet" "$(iso_time 200)" 192.0.2.13
    refuses "whose clock is ahead" 192.0.2.13 'its line is [0-9]+ s ahead of the clock, and 5 s are allowed'
    ok "it is said" says 'source fleet: refused a line .* 192.0.2.13 that is [0-9]+ s ahead of the clock .5 s are allowed., .*are the clocks of both hosts set'
    knock_undated "$fleet" 192.0.2.14
    refuses "without a time" 192.0.2.14 'its line states no valid time, and its source is remote'
    metrics=$("$KNOCKCTL" status --prometheus -s "$WORK/control")
    is "metrics: each reason" "$(stale_counts fleet | tr '\n' ' ')" 'old 3 ahead 3 undated 3 zone 0 '
    is "metrics: all of the source" "$(stale_counts fleet | awk '{ sum += $2 } END { print sum }')" 9
    why 192.0.2.12 >"$WORK/why"
    like "why names the host that wrote it" "$(cat "$WORK/why")" '7412:tcp to .*, source fleet, host gate: ignored, its line is'
    knock_from_host "$(uname -n)" 192.0.2.16
    ok "this host's own name is not told" poll 10 why_without_host 192.0.2.16
    knock_from_host gw-b.example.org 192.0.2.17
    refuses "another host" 192.0.2.17 'its line is [0-9]+ s old'
    like "why names that" "$(why 192.0.2.17)" 'source fleet, host gw-b.example.org: ignored'
    like "and in JSON" "$("$KNOCKCTL" why --json -s "$WORK/control" 192.0.2.17)" '"host": ?"gw-b.example.org"'
    knock_stamped "$fleet" "$(iso_time 0)" 192.0.2.15 7414
    ok "a step of a door that doesn't hear the source: why" poll 10 unheard_why 192.0.2.15
}

tail_pid() {
    pgrep -f -- "tail -n 0 -F $fleet"
}

new_tail() {
    local pid
    pid=$(tail_pid) && [ "$pid" != "$1" ]
}

# The stream goes in the middle of a knock: what was in between nobody knows.
a_stream_that_was_away() {
    local pid
    mark_log
    pid=$(tail_pid)
    knock_stamped "$fleet" "$(iso_time 0)" 192.0.2.21 7412
    ok "the first step is heard" poll 10 refuses_nothing 192.0.2.21
    kill "$pid"
    ok "the stream comes back" poll 20 new_tail "$pid"
    until_heard 192.0.2.22
    knock_stamped "$fleet" "$(iso_time 0)" 192.0.2.21 28733:udp 51990
    knock_stamped "$fleet" "$(iso_time 0)" 192.0.2.23
    opens "a whole knock after it" 192.0.2.23
    ok "what was begun before it doesn't go on" not said "opened for 192.0.2.21,"
}

refuses_nothing() {
    why "$1" | grep -q 'step 1 of 3'
}

# tail needs a moment until it reads.
until_heard() {
    for _ in {1..30}; do
        knock_stamped "$fleet" "$(iso_time 0)" "$1"
        ! briefly poll 1 said "opened for $1," || return 0
    done
    return 1
}

# What opened nothing opens in a replay, which has the log's own time.
in_a_replay() {
    like "a replay heeds no max_age" "$("$KNOCKD" -r "$KERN_LOG" -c "$CONFIG" 2>&1)" '192\.0\.2\.3'
}

another_zone() {
    mark_log
    log_packets 192.0.2.31 "${right[@]}"
    ok "a log in another time zone: it is said" \
        says 'error: source firewall: its lines name no time zone and are [0-9]+ s from now, .*NONE OF THEM OPENS A DOOR'
    refuses "a log in another time zone" 192.0.2.31 'its line is [0-9]+ s [a-z ]+, and max_age is 120 s; is it written in another time zone'
    like "sources warns" "$(sources)" 'WARNING: its lines seem to be written in another time zone'
    knock_stamped "$KERN_LOG" "$(iso_time 0)" 192.0.2.32
    opens "lines that name their zone" 192.0.2.32
    is "then sources doesn't warn" "$(sources | grep 'another time zone')" ''
    mark_log
    knock_stamped "$fleet" "$(iso_time 0 | sed 's/[Z+-][0-9:]*$//')" 192.0.2.35
    ok "of a stream it is said of a host" \
        says 'error: source fleet: lines that name no time zone are [0-9]+ s from now, as if a host .*ForwardFormat'
    local TZ=XXX-5:30
    export TZ
    log_packets 192.0.2.33 "${right[@]}"
    export -n TZ
    opens "lines in the zone of this host" 192.0.2.33
    unset TZ
    sources_file 'max_age = off'
    kill -HUP "$KNOCKD_PID"
    ok "without a bound" says 'in force|reloaded'
    log_packets 192.0.2.34 "${right[@]}"
    opens "a log in another time zone, without a bound" 192.0.2.34
}

needs_gate
fleet=$WORK/fleet.log
chmod 755 "$WORK"
: >"$KERN_LOG"
: >"$fleet"
chmod 644 "$fleet"
sources_file
like "-t shows the stream" "$("$KNOCKD" -t -c "$CONFIG" 2>&1)" 'source fleet: remote, max_age 10 s'
like "-t warns" "$("$KNOCKD" -t -c "$CONFIG" 2>&1)" 'source "fleet": whoever can write into what it reads opens door "ssh" by sequence'
starts "starts"
until_heard 192.0.2.99
local_lines
remote_lines
a_stream_that_was_away
stop_knockd
in_a_replay
TZ=XXX-5:30 starts "starts in another time zone" -f
another_zone
stop_knockd
is "ends well" $? 0
done_testing
