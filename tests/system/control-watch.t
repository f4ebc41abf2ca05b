#!/bin/bash
# knockctl sources, why and watch: what the listener knows, and what happens.
# shellcheck disable=SC2016 # $j is perl's
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

watch_pid=''

sources() {
    ctl sources
    is "sources" "$STATUS" 0
    like "sources: times" "$OUT" "source firewall \\(file\\): last line [0-9]+ s ago, last match [0-9]+ s ago"
    like "sources: counts" "$OUT" "3 lines; 3 matches, 0 with another prefix"
    ctl reload
    is "reload" "$STATUS" 0
    ctl sources --json
    is "a new listener has read nothing" "$(json 'join " ", scalar @$j, $j->[0]{source}, $j->[0]{lines}, $j->[0]{last_line} // "never"')" \
        '1 firewall 0 never'
    LOG_PREFIX='[UFW "\x1b ' log_packets $who 1 2 3
    LOG_PREFIX='[OTHER] ' log_packets $who 4
    echo "Nov 23 15:00:00 gate sshd[1]: nothing of the kernel's" >>"$KERN_LOG"
    ok "lines are read" poll 5 has_lines 5
    is "sources as JSON" "$(json 'join " ", map { $j->[0]{$_} } qw(lines others foreign matches warning type)')" \
        '5 4 1 0 prefix file'
    is "our prefixes, as they are" "$(json 'join "|", @{$j->[0]{prefixes}}')" "${LOG_PREFIX% }"
    is "other prefixes" "$(json 'join ", ", map { "$_->{prefix} $_->{lines}" } @{$j->[0]{other_prefixes}}')" \
        '[UFW "\x1b 3, [OTHER] 1'
    ctl status
    like "a warning in status" "$OUT" "WARNING: 4 denied packets logged, none with prefix \"\\[DENY"
    like "and what was seen" "$OUT" 'seen: "\[OTHER\]" \(1\)'
    ctl status --json
    is "the same in JSON" "$(json '$j->{sources}[0]{other_prefixes}[0]{lines}')" 3
    # A listener that doesn't answer isn't waited for.
    kill -STOP "$(listener_pids)"
    refused_late "sources, of a listener that hangs" sources
    ctl doors
    is "and knockd answers meanwhile" "$STATUS" 0
    kill -CONT "$(listener_pids)"
    ok "it answers again" poll 5 has_lines 5
}

has_lines() {
    ctl sources --json
    [ "$(json '$j->[0]{lines}')" = "$1" ]
}

refused_late() {
    local before
    before=$(now_ms)
    ctl "$2"
    is "$1: status" "$STATUS" 1
    like "$1: said why" "$ERR" "the listener doesn't answer"
    ok "$1: after a second" within $(($(now_ms) - before)) 1000
}

has_packets() {
    ctl why "$1" --json
    [ "$(json 'scalar @{$j->{packets} // []}')" = "$2" ]
}

# explained ADDRESS DESCRIPTION REGEX STEP...: after these packets, knockctl why says so.
explained() {
    local address=$1 description=$2 regex=$3
    shift 3
    log_packets "$address" "$@"
    ok "why, $description: read" poll 5 has_packets "$address" $#
    ctl why "$address"
    is "why, $description: status" "$STATUS" 0
    # One line instead of several, for the regular expression.
    like "why, $description" "${OUT//$'\n'/ / }" "$regex"
}

why() {
    explained 192.0.2.60 "a good knock" 's ago: 7412:tcp to [0-9.]+, source firewall /   door ssh: step 1 of 3 / .*28733:udp.* /   door ssh: step 2 of 3 / .*51990:tcp.* /   door ssh: the sequence is complete' "${steps[@]}"
    explained 192.0.2.61 "a stray" 'step 2 of 3 / .* 80:tcp.* /   door ssh: not the next step, which is 51990:tcp; step 0 of 3 now / .*51990:tcp' \
        7412 28733:udp 80 51990
    explained 203.0.113.61 "not allowed" "door ssh: complete, but refused: the address isn't in the door's list" "${steps[@]}"
    explained 192.0.2.62 "nothing of a knock" '81:tcp to [0-9.]+, source firewall: ignored, its port is no step of a door' 81
    explained 192.0.2.66 "a step that begins nothing" '^[0-9]+ s ago: 51990:tcp to [0-9.]+, source firewall: ignored, begins no sequence$' 51990
    explained 192.0.2.67 "the same again and again" '^[0-9]+ s ago: 81:tcp to [0-9.]+, source firewall: ignored, its port is no step of a door; 3 times, the last [0-9]+ s ago / [0-9]+ s ago: 82:tcp [^/]* no step of a door / [0-9]+ s ago: 81:tcp [^/]* no step of a door$' \
        81 81 81 82 81
    explained 2001:db8::61 "IPv6" 'door ssh: step 1 of 3' 7412
    explained 192.0.2.64 "doubled" 'step 1 of 3 / .* / .*still step 1 of 3, 28733:udp is next / .*step 2 of 3 / .* / .*still step 2 of 3, 51990:tcp is next' \
        7412 7412 28733:udp 28733:udp
    explained 192.0.2.65 "behind an opening" '51990:tcp.* /   door ssh: the sequence is complete; [^/]* / .* 2222:tcp to [0-9.]+, source firewall: ignored, its port is no step of a door / .*7412:tcp.* /   door ssh: step 1 of 3' \
        "${steps[@]}" 2222 7412
    log_packets 192.0.2.63 7414
    ok "why, too late: the time is up" says "door stuck: 192.0.2.63 reached step 1 of 3; no 28733:udp within 2 s"
    log_packets 192.0.2.63 28733:udp
    ok "why, too late: read" poll 5 has_packets 192.0.2.63 2
    ctl why 192.0.2.63
    like "why, too late" "$OUT" 'door stuck: too late: more than 2 s after its first step; step 0 of 3 now'
    ctl why 192.0.2.61 --json
    is "why as JSON" "$(json 'join " ", $j->{address}, map { my $p = $_; map { "$p->{port}/$_->{result}" } @{$p->{effects} // []} } @{$j->{packets}}')" \
        '192.0.2.61 7412/advanced 28733/advanced 80/reset'
    ctl why 198.51.100.99
    is "why, an unknown address: status" "$STATUS" 0
    like "why, an unknown address" "$OUT" 'none of the last 2048 packets is from this address; what the sources saw at all:'
    like "why, an unknown address: what was seen" "$OUT" 'source firewall \(file\): last line'
    refused 2 "why, no address" '"nobody": expected an IPv4 or IPv6 address' why nobody
    refused 2 "why, of nobody" "usage: knockctl why" why
}

# A packet that many others came after is forgotten.
why_forgets() {
    for _ in {1..2100}; do
        packet_line 198.51.100.50 9
        echo "$LINE"
    done >>"$KERN_LOG"
    ok "why: only the last packets are remembered" poll 5 has_packets 192.0.2.61 0
    ctl why 198.51.100.50 --json
    is "why: the newest 64 are shown" "$(json 'scalar @{$j->{packets}}')" 64
}

watch_has() {
    grep -q -E -- "$1" "$WORK/watched$2"
}

watching() {
    local pid
    "$KNOCKCTL" watch -s "$WORK/control" >"$WORK/watched" 2>&1 &
    pid=$!
    started $pid
    "$KNOCKCTL" watch --json -s "$WORK/control" >"$WORK/watched.json" 2>"$WORK/err.json" &
    watch_pid=$!
    started $watch_pid
    # Until they are connected, what happens isn't seen: something happens again and again.
    ok "watch: sees an opening" poll 5 opening_is_watched
    log_packets 192.0.2.50 "${steps[@]}"
    ok "watch: a knock" poll 5 watch_has 'door ssh: opened for 192.0.2.50 by sequence, closes in 60 s' ''
    log_packets 203.0.113.1 "${steps[@]}"
    ok "watch: a refused one, and why" poll 5 watch_has 'door ssh: refused for 203.0.113.1: not in its list' ''
    ctl close ssh
    ok "watch: closed by hand" poll 5 watch_has 'door ssh: gone for 192.0.2.50 by sequence: closed by knockctl' ''
    ok "watch --json: a line" poll 5 watch_has '"event":"gone".*"address":"192.0.2.50"|"address":"192.0.2.50".*"gone"' .json
    OUT=$(grep '"refused"' "$WORK/watched.json")
    is "watch --json: each line is an object" "$(json '"$j->{event} $j->{door} $j->{address}"')" "refused ssh 203.0.113.1"
    kill -TERM $pid
    ok "watch ends when it is told to" poll 5 ended $pid
    ctl doors
    is "and knockd goes on" "$STATUS" 0
}

opening_is_watched() {
    ctl open ssh 192.0.2.51
    watch_has 'door ssh: (opened|extended) for 192.0.2.51 by knockctl' '' && watch_has 192.0.2.51 .json
}

needs_gate
needs_knockctl
: >"$KERN_LOG"
good_file 60
starts "starts"
log_packets $who "${steps[@]}"
ok "a knock" says "door ssh: opened for $who"
sources
why
why_forgets
watching
stop_knockd
is "ends well" $? 0
wait "$watch_pid"
is "who watched is told" "$? $(cat "$WORK/err.json")" "1 knockctl watch: knockd has ended"
done_testing
