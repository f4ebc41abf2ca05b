#!/bin/bash
# knockd -r: what a log would have opened, counted, listed; from files and pipes, by anybody.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

step_lines=() data=''

# Whoever it is that runs this: a replay needs no rights.
unprivileged=()
find_unprivileged() {
    local nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
    [ "$(id -u)" != 0 ] || ! "${nobody[@]}" test -x "$KNOCKD" -a -r "$data/time.log" 2>/dev/null ||
        unprivileged=("${nobody[@]}")
}

# replay ARGUMENT...: what it prints, and the status if it isn't 0.
replay() {
    "${unprivileged[@]}" "$KNOCKD" "$@" 2>&1 || echo "status $?"
}

# outcome ARGUMENT...: what it prints on standard output.
outcome() {
    "${unprivileged[@]}" "$KNOCKD" "$@" 2>/dev/null
}

# advice ARGUMENT...: what it prints on standard error.
advice() {
    { "${unprivileged[@]}" "$KNOCKD" "$@" >/dev/null; } 2>&1
}

expected() {
    cat "$data/$1.out"
}

# day OFFSET FORMAT: the date so many days from now; never a 29th of February, which not each year has.
day() {
    local from=$1
    [ "$(date -d "$from days" +%m%d)" != 0229 ] || from=$((from + 1))
    date -d "$from days" +"$2"
}

# stamped_lines STAMP: the lines of a knock, the kernel's, with that time.
stamped_lines() {
    local step
    step_lines=()
    for step in 'TCP SPT=4711 DPT=7000 WINDOW=64240 RES=0x00 SYN URGP=0 ' 'UDP SPT=4712 DPT=8000 LEN=40 ' \
        'TCP SPT=4713 DPT=9000 WINDOW=64240 RES=0x00 SYN URGP=0 '; do
        step_lines+=("$1 gate kernel: [DENY] IN=eth0 OUT= MAC= SRC=203.0.113.9 DST=192.0.2.2 LEN=60 TOS=0x00 PREC=0x00 TTL=55 ID=1 PROTO=$step")
    done
}

# opened_at: the times of the doors in standard input.
opened_at() {
    sed -n 's/ open ssh .*//p' | xargs
}

# copy_data: the tree may be another user's, whose configuration is refused.
copy_data() {
    data=$WORK/data
    cp -R "$TREE/tests/data/replay" "$data" || bail "no copy of the data"
}

netns_begin
trap tap_end EXIT
needs_knockd
copy_data
find_unprivileged

# --- the whole output ---

for log in counters envelopes time; do
    is "$log" "$(outcome -r "$data/$log.log" -c "$data/replay.conf")" "$(expected $log)"
done
is "sealed knocks: their packets are no strays, their messages are counted" \
    "$(outcome -r "$data/sealed.log" -c "$data/sealed.conf")" "$(expected sealed)"
is "with -c first" "$(outcome -c "$data/replay.conf" -r "$data/time.log")" "$(expected time)"
is "standard input, a file" "$(outcome -r - -c "$data/replay.conf" <"$data/time.log")" "$(expected time)"
# shellcheck disable=SC2002 # it has to be a pipe
is "standard input, a pipe" "$(cat "$data/time.log" | outcome -r - -c "$data/replay.conf")" "$(expected time)"
is "lines of ulogd, where a source has them" "$(outcome -r "$data/ulogd.log" -c "$data/ulogd.conf")" "$(expected ulogd)"
is "and where none has" "$("${unprivileged[@]}" "$KNOCKD" -r "$data/ulogd.log" -c "$data/replay.conf" 2>/dev/null)" \
    "$(expected kernel)"
like "which is told" "$("${unprivileged[@]}" "$KNOCKD" -r "$data/ulogd.log" -c "$data/replay.conf" 2>&1 >/dev/null)" \
    "^knockd: 6 lines look like the firewall's, .* set format = ulogd; the first: \"2026-11-23T14:00:00"
is "packets, without configuration" "$(replay -r "$data/packets.log" --packets)" "$(expected packets)"
is "packets, those with its prefixes" "$(replay --packets -r "$data/packets.log" -c "$data/replay.conf")" \
    "$(expected prefix)"
is "packets of an empty log" "$(replay --packets -r /dev/null)" ""
like "an empty log" "$(replay -r /dev/null -c "$data/replay.conf")" $'^lines 0\npackets 0\n.*opened 0\nextended 0\nsealed_messages 0$'

sed '/prefix/d' "$data/replay.conf" >"$WORK/any.conf"
chmod 644 "$WORK/any.conf"
is "a source without prefix takes any" "$(replay -r "$data/packets.log" --packets -c "$WORK/any.conf")" \
    "$(expected packets)"

# Every boundary of the reader's blocks, in the middle of a line as well.
repeat_log() {
    local i
    for ((i = 0; i < 40; i++)); do
        cat "$data/counters.log"
    done
}
repeat_log >"$WORK/long.log"
chmod 644 "$WORK/long.log"
is "many blocks" "$(replay -r "$WORK/long.log" --packets | sort | uniq -c | awk '{print $1 % 40}' | sort -u)" 0
is "many small reads" "$(repeat_log | stdbuf -o 999 cat | replay -r - --packets | md5sum)" \
    "$(replay -r "$WORK/long.log" --packets | md5sum)"

# --- the year of a log without years ---

stamped_lines "$(day -1 '%b %e 10:00:00')"
is "yesterday is this year's" "$(printf '%s\n' "${step_lines[@]}" | replay -r - -c "$data/replay.conf" | opened_at)" \
    "$(day -1 %Y-%m-%dT10:00:00)"
stamped_lines "$(day 3 '%b %e 10:00:00')"
is "what would be in the future is last year's" \
    "$(printf '%s\n' "${step_lines[@]}" | replay -r - -c "$data/replay.conf" | opened_at)" \
    "$(($(day 3 %Y) - 1))$(day 3 -%m-%dT10:00:00)"
{
    stamped_lines "$(day -5 '%b %e 10:00:00')"
    printf '%s\n' "${step_lines[@]}"
    stamped_lines "$(day 3 '%b %e 10:00:00')"
    printf '%s\n' "${step_lines[@]}"
} >"$WORK/year.log"
chmod 644 "$WORK/year.log"
is "a file's end tells of what year its beginning is" \
    "$(replay -r "$WORK/year.log" -c "$data/replay.conf" | opened_at)" \
    "$(($(day -5 %Y) - 1))$(day -5 -%m-%dT10:00:00) $(($(day 3 %Y) - 1))$(day 3 -%m-%dT10:00:00)"

# shellcheck disable=SC2002 # it has to be a pipe
is "by a pipe as by a file" "$(cat "$WORK/year.log" | replay -r - -c "$data/replay.conf")" \
    "$(replay -r "$WORK/year.log" -c "$data/replay.conf")"
for _ in 1 2 3; do
    stamped_lines "$(day -5 '%b %e 10:00:00')"
    printf '%s\n' "${step_lines[@]}"
    stamped_lines "$(day -200 '%b %e 10:00:00')"
    printf '%s\n' "${step_lines[@]}"
done >"$WORK/years.log"
chmod 644 "$WORK/years.log"
is "a log of years ends now" "$(replay -r "$WORK/years.log" -c "$data/replay.conf" | opened_at | wc -w)" 6
is "its last knock is this year's" "$(replay -r "$WORK/years.log" -c "$data/replay.conf" | opened_at |
    awk '{print $NF}')" "$(day -200 %Y-%m-%dT10:00:00)"
is "its first one years ago" "$(replay -r "$WORK/years.log" -c "$data/replay.conf" | opened_at | awk '{print $1}')" \
    "$(($(day -200 %Y) - 3 + (10#$(day -5 %m%d) > 10#$(day -200 %m%d) ? 0 : 1)))$(day -5 -%m-%dT10:00:00)"
# shellcheck disable=SC2002 # it has to be a pipe
is "by a pipe as well" "$(cat "$WORK/years.log" | replay -r - -c "$data/replay.conf")" \
    "$(replay -r "$WORK/years.log" -c "$data/replay.conf")"

# --- what may be wrong ---

for ((i = 0; i < 60; i++)); do
    stamped_lines "Nov 23 10:00:00"
    echo "${step_lines[0]/DENY/UFW BLOCK}"
done >"$WORK/prefix.log"
chmod 644 "$WORK/prefix.log"
is "another prefix is told of" "$(advice -r "$WORK/prefix.log" -c "$data/replay.conf")" \
    'knockd: 60 lines have none of the prefixes of the configuration; seen: "[UFW BLOCK] " (60)'
like "beside the counters" "$(outcome -r "$WORK/prefix.log" -c "$data/replay.conf")" $'ignored_prefix 60\n'
stamped_lines "Nov 23 10:00:00"
is "a knock that stays behind" "$(printf '%s\n' "${step_lines[@]:0:2}" | advice -r - -c "$data/replay.conf")" \
    "knockd: door ssh: 203.0.113.9 reached step 2 of 3"
is "one that opens isn't" "$(printf '%s\n' "${step_lines[@]}" | advice -r - -c "$data/replay.conf")" ""
for ((i = 1; i <= 9; i++)); do
    printf '%s\n' "${step_lines[@]:0:$((i % 2 + 1))}" | sed "s/113.9/113.$i/"
done >"$WORK/stalled.log"
chmod 644 "$WORK/stalled.log"
is "five at most, those that came furthest" \
    "$(advice -r "$WORK/stalled.log" -c "$data/replay.conf" | sort | sed 's/.*: //' | xargs)" \
    "203.0.113.1 reached step 2 of 3 203.0.113.3 reached step 2 of 3 203.0.113.5 reached step 2 of 3 203.0.113.7 reached step 2 of 3 203.0.113.9 reached step 2 of 3"

# --- a log that grows ---

mkfifo -m 666 "$WORK/pipe"
"${unprivileged[@]}" "$KNOCKD" -r - -c "$data/replay.conf" <"$WORK/pipe" >"$WORK/live" &
started $!
exec 9>"$WORK/pipe"
head -n 3 "$data/counters.log" >&9
ok "a door is told of as soon as it opens" poll 5 grep -q "open ssh 203.0.113.9" "$WORK/live"
exec 9>&-
ok "and the counters at the end" poll 5 grep -q "^opened 1$" "$WORK/live"
mkfifo -m 666 "$WORK/yearless"
"${unprivileged[@]}" "$KNOCKD" -r - -c "$data/replay.conf" <"$WORK/yearless" >"$WORK/live" &
started $!
exec 9>"$WORK/yearless"
stamped_lines "$(day -1 '%b %e 10:00:00')"
printf '%s\n' "${step_lines[@]}" >&9
ok "one of a log without years, when nothing more comes" poll 10 grep -q "^$(day -1 %Y-%m-%dT10:00:00) open" "$WORK/live"
exec 9>&-

# begin_replay ARGUMENT...: a replay of a pipe that stays open, in replay_pid.
begin_replay() {
    rm -f "$WORK/endless"
    mkfifo -m 666 "$WORK/endless"
    "${unprivileged[@]}" env --default-signal=INT "$KNOCKD" -r - "$@" <"$WORK/endless" >"$WORK/live" &
    replay_pid=$!
    started $replay_pid
    exec 9>"$WORK/endless"
}

begin_replay -c "$data/replay.conf"
head -n 3 "$data/counters.log" >&9
ok "^C: a log is being read" poll 5 grep -q " open " "$WORK/live"
kill -INT $replay_pid
wait $replay_pid
is "^C: ends as at the end of the log" $? 0
is "^C: with its counters" "$(grep '^lines \|^opened ' "$WORK/live" | xargs)" "lines 3 opened 1"
exec 9>&-
begin_replay --packets
head -n 3 "$data/counters.log" >&9
ok "^C: packets are listed" poll 5 test -s "$WORK/live"
kill -INT $replay_pid
wait $replay_pid
is "^C: a list of packets ends, too" $? 0
exec 9>&-

# --- a configuration for captures ---

sed '/^source/,/^}/c source "wire" { type = pcap interface = { "eth0", "wlan0" } }' "$data/replay.conf" >"$WORK/wire.conf"
chmod 644 "$WORK/wire.conf"
is "pcap: a log is replayed" "$(head -n 3 "$data/counters.log" | outcome -r - -c "$WORK/wire.conf" | grep '^opened')" "opened 1"
is "pcap: empty input is" "$(replay -r /dev/null -c "$WORK/wire.conf" | head -n 1)" "lines 0"
is "pcap: no such log" "$(replay -r "$WORK/none" -c "$WORK/wire.conf")" \
    "knockd: can't read $WORK/none: No such file or directory"$'\nstatus 1'
is "pcap: a folder" "$(replay -r "$data" -c "$WORK/wire.conf")" "knockd: can't read $data: Is a directory"$'\nstatus 1'

# --- what can go wrong ---


is "no such log" "$(replay -r "$WORK/none" -c "$data/replay.conf")" \
    "knockd: can't read $WORK/none: No such file or directory"$'\nstatus 1'
is "not a log" "$(replay -r "$data" --packets)" "knockd: can't read $data: Is a directory"$'\nstatus 1'
like "no such configuration" "$(replay -r "$data/time.log" -c "$WORK/none.conf")" \
    "^knockd: $WORK/none.conf: [^"$'\n'"]*"$'\nstatus 1$'
like "a wrong one" "$(replay -r "$data/time.log" -c "$data/time.log")" \
    "^knockd: $data/time.log:1: .*"$'\nstatus 1$'
like "--packets without a log" "$(replay --packets)" $'^knockd: [^\n]*-r LOG\nstatus 2$'
is "a full disk" "$("${unprivileged[@]}" "$KNOCKD" -r "$data/time.log" -c "$data/replay.conf" 2>&1 >/dev/full
    echo $?)" "knockd: can't write the output: No space left on device"$'\n1'
is "a full disk, early" "$("${unprivileged[@]}" "$KNOCKD" -r "$WORK/long.log" --packets 2>&1 >/dev/full
    echo $?)" "knockd: can't write the output: No space left on device"$'\n1'
# SIGPIPE ignored, as Python's children have it: then the write says so.
is "a reader that leaves hears nothing" "$(trap '' PIPE
    { "${unprivileged[@]}" "$KNOCKD" -r "$WORK/long.log" --packets 2>&1 >&8 | cat; } 8> >(head -n 0))" ""
done_testing
