#!/bin/bash
# A listener in an attacker's hands: knockd's own keeper, and in the listener's place a program that says what it is told
# to. Sealed doors stay shut, whatever it says; and the keeper lives on, closes in time and answers, however much that is.
# shellcheck source-path=SCRIPTDIR source=sealed.sh
. "$(dirname "$0")/sealed.sh"

# The numbers of the doors are those of their order here, and of the types of messages those of include/lib/message.h.
doors_file() {
    local access="rule = \"INPUT -s %IP% -p tcp --dport $SERVICE -m comment --comment %DOOR% -j ACCEPT\""
    sealed_file <<TABLE
door "ssh"   { key = { alice }  port = $SERVICE  $access }
door "for"   { key = { alice }  port = $SERVICE  for = true  $access }
door "any"   { key = { alice }  port = $SERVICE  bound = false  $access }
door "plain" { sequence = { 7000, 8000, 9000 }  allow = { "198.51.100.0/24" }  $access }
door "crowd" { sequence = { 7001, 8001, 9001 }  cmd_timeout = 3  rule = "INPUT -s %IP% -p tcp --dport 2223 -j ACCEPT" }
door "once"  { one_time_sequences = "$WORK/once"  start_command = "/bin/true"  stop_command = "/bin/true"  cmd_timeout = 1 }
door "timed" { key = { alice }  start_command = "/bin/touch $WORK/timed"  stop_command = "/bin/rm -f $WORK/timed" }
TABLE
}

# order LINE: what the listener is to say; waits for one to be there.
order() {
    poll 10 listens || bail "no listener"
    echo "$1" >"$WORK/hostile/orders"
}

listens() {
    [ -n "$(listener_pids)" ]
}

# captured KEY SOURCE OP DOOR ADDRESS: what somebody sent has got into the listener's hands: MESSAGE.
captured() {
    local window=udp
    [ "$5" = - ] || window=udp-long
    seal "$1" $window "$2" "$(ticks 0)" "$3" "$4" 0 0 "$5"
}

# kept_shut DESCRIPTION REASON: refused for that reason, and nothing else came of it.
kept_shut() {
    ok "$1: refused" says "$2"
    is "$1: opens nothing" "$(openings; all_rules)" ''
}

# Messages of clients, as they are, and the address that the listener makes up for them:
# description | bound to, op, door, for | address | what is said
made_up_addresses() {
    local description message address reason
    while IFS='|' read -r description message address reason; do
        mark_log
        # shellcheck disable=SC2086 # words are meant
        captured alice $message
        order "sealed 0 $address $MESSAGE"
        kept_shut "$description" "$reason"
    done <<'TABLE'
bound, from another address|192.0.2.10 1 ssh -|203.0.113.66|sealed knock from 203.0.113.66 refused: unknown: 
bound, from its neighbour|192.0.2.10 1 ssh -|192.0.2.11|sealed knock from 192.0.2.11 refused: unknown: 
bound, from another of IPv6|2001:db8::10 1 ssh -|2001:db8::11|sealed knock from 2001:db8::11 refused: unknown: 
bound, from no address|192.0.2.10 1 ssh -|::|sealed knock from :: refused: unknown: 
bound, IPv4 in IPv6|192.0.2.10 1 ssh -|::ffff:192.0.2.10|door ssh: refused ::ffff:192.0.2.10: no host elsewhere can have the address
bound, for an address|192.0.2.10 1 for 203.0.113.5|203.0.113.5|sealed knock from 203.0.113.5 refused: unknown: 
bound, for a door that needn't be|192.0.2.10 1 any -|203.0.113.66|sealed knock from 203.0.113.66 refused: unknown: 
unbound|any 1 ssh -|203.0.113.66|door ssh: refused 203.0.113.66: not bound to its source
unbound, of IPv6|any 1 ssh -|2001:db8::66|door ssh: refused 2001:db8::66: not bound to its source
unbound, from no address|any 1 ssh -|::|door ssh: refused ::: not bound to its source
unbound, for an address|any 1 for 203.0.113.5|203.0.113.66|door for: refused 203.0.113.66: not bound to its source
close, unbound|any 2 ssh -|192.0.2.10|door ssh: refused 192.0.2.10: not bound to its source
unbound, from a group|any 1 any -|224.0.0.1|door any: refused 224.0.0.1: no host elsewhere can have the address
unbound, from no address, for a door that needn't be|any 1 any -|::|door any: refused ::: no host elsewhere can have the address
TABLE
}

# What it can do, it can do: hand over what was sent, once, and open to anyone what isn't bound.
allowed() {
    mark_log
    captured alice 192.0.2.10 1 ssh -
    order "sealed 0 192.0.2.10 $MESSAGE"
    ok "a good message, handed over as it came: opens" opened 192.0.2.10
    mark_log
    order "sealed 0 192.0.2.10 $MESSAGE"
    order "sealed 0 192.0.2.10 ${MESSAGE%?}$(printf %x $((0x${MESSAGE: -1} ^ 1)))"
    ok "with its last bit turned: refused" says 'sealed knock from 192.0.2.10 refused: unknown: '
    order "sealed 0 192.0.2.11 $MESSAGE${MESSAGE:0:32}"
    ok "with more behind it: refused" says 'sealed knock from 192.0.2.11 refused: unknown: '
    order "sealed 0 203.0.113.66 $(printf '0%.0s' {1..64})"
    ok "nothing but zeros: refused" says 'sealed knock from 203.0.113.66 refused: stale: '
    is "none of them opens" "$(openings)" ''
    ok "once more, it is one more round of the same knock: not told of" not said 'refused: replayed'
    captured alice any 1 any -
    order "sealed 0 203.0.113.66 $MESSAGE"
    ok "unbound, for a door that needn't be bound: opens to anyone" opened 203.0.113.66 any
    mark_log
    order "sealed 0 203.0.113.67 $MESSAGE"
    ok "but once" says 'sealed knock from 203.0.113.67 refused: replayed: '
    order 'open 0 4 198.51.100.1'
    ok "a door with a sequence, of an allowed address: opens" opened 198.51.100.1 plain
    mark_log
    order 'open 0 4 203.0.113.66'
    ok "a door with a sequence, of another address: refused" says 'door plain: refused 203.0.113.66: not in its list'
    is "and opens nothing" "$(openings)" ''
    ctl close --all
    ok "what was opened is closed" poll 5 no_rules
}

# What no listener says ends it; the keeper goes on. Description | what it says
misbehaves() {
    local description line listener
    while IFS='|' read -r description line; do
        mark_log
        listener=$(listener_pids)
        order "$line"
        ok "$description: ends the listener" says "listener $listener said what no listener says"
        ok "$description: it is gone" poll 5 process_gone "$listener"
        is "$description: opens nothing" "$(openings; all_rules)" ''
        # Another one at once, not after a pause that grows.
        reloads "$description: the keeper lives on"
    done <<TABLE
a door that only keys open|open 0 1 203.0.113.66
a door that isn't there|open 0 20000 203.0.113.66
a source that isn't there|open 1 4 198.51.100.1
an event of no kind|event 77 0 0 - 1
an event of a source that isn't there|event 2 1 0 - 1
a step of a door that isn't there|event 6 0 20000 198.51.100.1 1
a prefix of a source that isn't there|seen 1
a folder that can't be|reopen -2
a folder without a number|reopen 0
the end of a source by no known error|event 5 0 0 - 4096
an event of a source, with an address|event 2 0 0 192.0.2.10 1
an answer that nobody asked for|answer stats
the end of an answer that nobody asked for|answer answered
a pong without a ping|pong 1000
a sealed knock of a source that isn't there|sealed 1 192.0.2.10 $(printf '0%.0s' {1..64})
a message that is too short|sealed 0 192.0.2.10 $(printf '0%.0s' {1..62})
a message between the two lengths|sealed 0 192.0.2.10 $(printf '0%.0s' {1..66})
another generation|generation open 0 4 198.51.100.1
IPv4 with more behind it|dirty open 0 4 198.51.100.1
a descriptor|descriptor open 0 4 198.51.100.1
a datagram cut short|raw 3 40
a datagram that is too long|raw 3 2000
a message of the other direction|raw start 8
a message of no type|raw 4711 8
no message|raw 1 3
that it is ready, twice|raw reply 8
TABLE
}

# --- more than can be read ---

# asked_ms: how long knockctl takes, the median of nine.
asked_ms() {
    local before
    for _ in {1..9}; do
        before=$(now_ms)
        "$KNOCKCTL" history -n 1 -s "$WORK/control" >"$WORK/out" 2>&1 || return
        echo $(($(now_ms) - before))
        sleep 0.05
    done | sort -n | sed -n 5p
}

# asked_quickly IDLE: sets busy to how long knockctl takes; up to three looks, since other programs take their time of the
# machine, too.
asked_quickly() {
    for _ in 1 2 3; do
        busy=$(asked_ms)
        [ "${busy:-9999}" -gt $((3 * ${1:-0} + 100)) ] || return 0
    done
    return 1
}

# What the keeper holds, in KiB.
resident() {
    awk '$1 == "VmRSS:" { print $2 }' "/proc/$KNOCKD_PID/status"
}

# floods DESCRIPTION LINE [KIB]: while the listener says LINE as fast as it can, a door of 5 s closes in time, knockctl is
# answered as quickly as at other times, and the keeper's memory stays as it is, or grows by so much at the most. The
# first 2 s of the flood may fill what has a bound.
floods() {
    local description=$1 idle busy quick asked opened late before grown listener end
    listener=$(listener_pids)
    idle=$(asked_ms)
    end=$(($(now_ms) + 7700))
    order "flood 7500 $2"
    sleep 1.5
    before=$(resident)
    witness
    asked=$(now_ms)
    ctl open timed 192.0.2.77 5
    opened=$(now_ms)
    is "$description: a door is opened" "$STATUS:$ERR" 0:
    asked_quickly "$idle"
    quick=$?
    poll 20 test ! -e "$WORK/timed"
    late=$(($(now_ms) - opened - 5000))
    grown=$(($(resident) - before))
    witnessed
    if [ "$sandbox" = sanitizer ]; then
        ok "$description: it closes" [ ! -e "$WORK/timed" ]
        skip "$description: $late ms after its 5 s" "a build with sanitizers takes its time"
    else
        ok "$description: it closes $late ms after its 5 s" between $((asked - opened - 200)) $late $((1000 + 4 * WITNESS))
    fi
    ok "$description: knockctl takes ${busy:-no} ms, else ${idle:-no}" [ $quick = 0 ]
    if [ "$sandbox" = sanitizer ]; then
        skip "$description: the keeper's memory" "a build with sanitizers keeps what was freed"
    else
        ok "$description: the keeper's memory grew by $grown KiB" [ $grown -le "${3:-4096}" ]
    fi
    is "$description: the listener is the same" "$(listener_pids)" "$listener"
    while [ "$(now_ms)" -lt $end ]; do
        sleep 0.1
    done
}

between() {
    [ "$1" -le "$2" ] && [ "$2" -le "$3" ]
}

# A question that the listener answers without an end.
answers_for_ever() {
    local listener asking
    listener=$(listener_pids)
    "$KNOCKCTL" why 192.0.2.77 -s "$WORK/control" >/dev/null 2>"$WORK/asked" &
    asking=$!
    floods "answers" "5 answer counters"
    wait $asking
    is "who asked waited for a second" "$? $(cat "$WORK/asked")" "1 knockctl why: the listener doesn't answer; if \
it goes on so, knockd starts another"
    ok "a question that is never answered ends the listener" says "listener $listener hangs" 20
    ok "and starts another" says "listening again" 20
}

# Of each kind of message as much as there is room for. The door "once" has as many lines as may be.
too_much() {
    local sandbox
    sandbox=$(sed -n 's/.*ready: .* sandbox //p' "$KNOCKD_LOG" | tail -1)
    mark_log
    # A thousand a second are let in, each for 3 s, and 2 KiB each while their commands wait.
    floods "doors for addresses" "8000000 open 0 5 10.0.0.1" 8192
    ok "doors for addresses: they open" said "door crowd: opened for" 50
    if [ "$sandbox" = sanitizer ]; then
        skip "doors for addresses: more than a rate" "a build with sanitizers takes its time"
    else
        ok "doors for addresses: more than a rate are refused" said "door crowd: refused 10\..*: too many openings a second"
    fi
    floods "one door again and again" "1 open 0 5 10.0.0.1"
    floods "doors of addresses that may not" "1 open 0 4 203.0.113.66"
    floods "one-time sequences out of order" "16384 open 0 8 2001:db8::66"
    floods "sealed messages" "1 junk 0 203.0.113.66"
    floods "events of sources" "4 event 2 0 0 - 1"
    floods "events of addresses" "8000000 event 6 0 5 10.0.0.1 1"
    floods "events of lines not of now" "4 event 9 0 1 10.0.0.1 1"
    floods "prefixes" "1 seen 0"
    floods "folders" "1 reopen -1"
    answers_for_ever
}

# --- doors that close behind a flood ---

said_number() {
    grep -c -- "$1" "$KNOCKD_LOG"
}

# closes_in_time UNTIL SECONDS: until then, what was open SECONDS ago and 10 s before that is closed. That is as late as on
# a machine that is busy with other tests.
closes_in_time() {
    local times=() opened=() first=0 now
    while now=$(now_ms) && [ "$now" -lt "$1" ]; do
        times+=("$now") opened+=("$(said_number ' opened for ')")
        while [ $((times[first] + ($2 + 10) * 1000)) -le "$now" ]; do
            closed=$(said_number ' closed for ')
            [ "$closed" -ge "${opened[first]}" ] || {
                diag "of ${opened[first]} doors that are due for 10 s, $closed are closed"
                return 1
            }
            first=$((first + 1))
        done
        sleep 0.2
    done
    diag "$closed of ${opened[-1]} doors have closed"
    [ "$closed" -gt 1000 ]
}

crowd_rules() {
    on_gate iptables-save -t filter | grep -c 'dport 2223'
}

# As many doors as it can open, each with a rule above those before it, which iptables of nftables compares with that of
# the door that closes. They close in time, since openings wait for that; and so they do at the end.
closes_behind_a_flood() {
    local closed=0 end
    configure "type = kmsg" <<TABLE
run_timeout = 10
door "crowd" { sequence = { 7001, 8001, 9001 }  cmd_timeout = 10  rule = "INPUT -s %IP% -p tcp --dport 2223 -j ACCEPT" }
TABLE
    starts "rules for addresses: starts"
    end=$(($(now_ms) + 25000))
    order "flood 40000 16000000 open 0 0 10.0.0.1"
    ok "rules for addresses: each closes in time" closes_in_time "$end" 10
    kill -TERM "$KNOCKD_PID"
    ok "rules for addresses: with $(crowd_rules) rules, it ends in time" poll 30 process_gone "$KNOCKD_PID"
    is "rules for addresses: none is left" "$(crowd_rules)" 0
    ok "rules for addresses: no door is said to stay open" not said 'NOT CLOSED'
}

# --- what waits for it ---

# Fifteen logs that are replaced again and again, of which the listener is told and doesn't hear: no more than a bounded
# number of descriptors and messages wait for it.
many_logs() {
    local i
    mkdir -p "$WORK/logs"
    configure "type = kmsg" <<TABLE
$(for i in {1..15}; do echo "source \"log$i\" { type = file  path = \"$WORK/logs/$i\"  prefix = \"[X] \" }"; done)
door "d" { sequence = { 7000, 8000, 9000 }  start_command = "/bin/true"  stop_command = "/bin/true" }
TABLE
}

replace_logs() {
    local i
    for i in {1..15}; do
        : >"$WORK/logs/new" && mv "$WORK/logs/new" "$WORK/logs/$i"
    done
    said "listener $1 doesn't read"
}

reads_nothing() {
    local listener before
    many_logs
    starts "with many logs: starts"
    listener=$(listener_pids)
    before=$(descriptors "$KNOCKD_PID")
    order deaf
    order 'flood 60000 1 reopen -1'
    ok "a listener that reads nothing is noticed" poll 40 replace_logs "$listener"
    like "before the ping would tell" "$(said_lines "listener $listener")" "doesn't read: 256 messages wait for it; killing it"
    ok "it is gone" poll 5 process_gone "$listener"
    ok "another listens" says "listening again" 20
    ok "no descriptor stays" [ "$(descriptors "$KNOCKD_PID")" -le $((before + 25)) ]
    stop_knockd
    is "ends well" $? 0
}

begin_sealed
mkdir "$WORK/hostile"
cp "$BUILT/tools/hostile" "$WORK/hostile/knockd" || bail "no hostile listener; run make tests first"
chmod 755 "$WORK/hostile" "$WORK/hostile/knockd"
mkfifo -m 600 "$WORK/hostile/orders"
KNOCKD=$WORK/hostile/knockd
perl -e 'print 10000 + $_ % 9000, ",", 19000 + int($_ / 9000), ",7\n" for 1 .. 16384' >"$WORK/once"
chmod 600 "$WORK/once"
doors_file
starts "starts"
made_up_addresses
allowed
too_much
misbehaves
stop_knockd
is "ends well" $? 0
reads_nothing
closes_behind_a_flood
done_testing
