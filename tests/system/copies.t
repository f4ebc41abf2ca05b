#!/bin/bash
# One knock that two sources bring is one knock: by a gateway's own log and the stream of a fleet, whole or in part, at
# once or after the door has closed; and by a log and NFLOG on one host. What a door doesn't hear never opens it.
# shellcheck source-path=SCRIPTDIR source=sealed.sh
. "$(dirname "$0")/sealed.sh"

FROM=192.0.2.77
group=4712
right=(7412 8733:udp 51990)
KNOCK_LINES=()

# doors_file: behind the sources, from standard input.
doors_file() {
    rm -f "$CONFIG"
    (umask 077 && : >"$CONFIG")
    local sources
    sources=$(cat)
    cat >"$CONFIG" <<TABLE
user      = "nobody"
state_dir = "$WORK/state" control = "$WORK/control" key_dir = "$KEYS"
sealed { server = "gate.example" }
$sources
door "seq" {
    sequence    = { 7412, 8733:udp, 51990 }  seq_timeout = 4  cmd_timeout = 60
    start_command = "/bin/true"  stop_command = "/bin/true"
}
door "brief" {
    sequence    = { 7413, 8733:udp, 51990 }  cmd_timeout = 1
    start_command = "/bin/true"  stop_command = "/bin/true"
}
door "once" {
    one_time_sequences = "$WORK/once"  cmd_timeout = 60  start_command = "/bin/true"  stop_command = "/bin/true"
}
door "key"   { key = alice  cmd_timeout = 60  start_command = "/bin/true"  stop_command = "/bin/true" }
TABLE
}

fleet_file() {
    doors_file <<TABLE
source "local" { type = file  path = "$WORK/local.log"  prefix = "$LOG_PREFIX" }
source "fleet" { type = file  path = "$WORK/fleet.log"  prefix = "$LOG_PREFIX"  remote = true  max_age = 60 }
door "mine" {
    sequence    = { 7414, 8733:udp, 51990 }  source = { "local" }
    start_command = "/bin/true"  stop_command = "/bin/true"
}
door "minekey" { key = alice  source = { "local" }  start_command = "/bin/true"  stop_command = "/bin/true" }
TABLE
}

# --- knocks as lines ---

once=0
# new_knock DOOR: the lines of a new knock at it go into KNOCK_LINES.
new_knock() {
    local steps=() step spt
    case $1 in
    seq) steps=("${right[@]}") ;;
    brief) steps=(7413 "${right[@]:1}") ;;
    mine) steps=(7414 "${right[@]:1}") ;;
    once) steps=($((9000 + ++once)) 8001 7002) ;;
    key | minekey)
        seal alice tcp $FROM "$(ticks 0)" 1 "$1" 0 0 -
        mapfile -t steps < <(sed -n 's/^tcp //p' "$PACKETS")
        ;;
    esac
    KNOCK_LINES=()
    spt=$((packet_count += 1))
    for step in "${steps[@]}"; do
        # The pieces of a sealed knock come from one port.
        [[ $1 != *key ]] || packet_count=$spt
        packet_line $FROM "$step"
        KNOCK_LINES+=("$LINE")
    done
}

# bring SOURCE [FIRST COUNT]: it has these lines of the knock, all if nothing else is said.
bring() {
    printf '%s\n' "${KNOCK_LINES[@]:${2:-0}:${3:-99}}" >>"$WORK/$1.log"
}

copies() {
    counted copies_total
}

# copied DESCRIPTION BEFORE [NUMBER]: so many copies more are counted, and nothing is said of them.
copied() {
    ok "$1: the copy is counted" poll 5 has_counted copies_total $(($2 + ${3:-1}))
    is "$1: nothing is refused" "$(said_lines refused)" ''
}

# did DESCRIPTION DOOR OPENED EXTENDED: since mark_log.
did() {
    is "$1: opened, extended" \
        "$(said_lines "door $2: opened" | wc -l) $(said_lines "door $2: extended" | wc -l)" "$3 $4"
}

closes() {
    ctl close "$1"
    says "door $1: closed"
}

# --- by a gateway's own log and the stream of a fleet ---

at_once() {
    local before
    before=$(copies)
    mark_log
    new_knock "$1"
    bring local
    bring fleet
    says "door $1: opened"
    copied "$1, at once" "$before"
    did "$1, at once" "$1" 1 0
}

# A new knock while that of at_once keeps the door open.
once_more() {
    local before
    before=$(copies)
    mark_log
    new_knock "$1"
    bring fleet
    ok "$1, a second knock: extends" says "door $1: extended"
    bring local
    copied "$1, a second knock" "$before"
    did "$1, a second knock" "$1" 0 1
    closes "$1"
}

afterwards() {
    local before
    before=$(copies)
    mark_log
    new_knock "$1"
    bring local
    says "door $1: opened"
    [ "$1" = brief ] || closes "$1"
    ok "$1: closes" says "door $1: closed" 10
    bring fleet
    copied "$1, when it is closed" "$before"
    did "$1, when it is closed" "$1" 1 0
}

in_part() {
    local before
    before=$(copies)
    mark_log
    new_knock seq
    bring local 0 1
    bring fleet 0 2
    bring local 2 1
    bring fleet 2 1
    ok "a split knock: opens by the source that has all of it" says "door seq: opened .*source fleet"
    new_knock seq
    bring fleet
    ok "a split knock: extends" says "door seq: extended"
    bring local 0 2
    # Of stalled knocks one is told in 10 s: that it is this one shows that there was none before.
    printf '%s\n' "${KNOCK_LINES[0]//"SRC=$FROM "/SRC=192.0.2.78 }" >>"$WORK/local.log"
    ok "a split knock: another's, which stalls, is told of" says "192.0.2.78 reached step 1 of 3" 20
    ok "a split knock: this isn't" not said "$FROM reached"
    is "a split knock: no copies" "$(copies)" "$before"
    did "a split knock" seq 1 1
    closes seq
}

# What the stream brings opens no door that doesn't hear it, and uses up no message.
forged() {
    mark_log
    new_knock "$1"
    bring fleet
    local knock=("${KNOCK_LINES[@]}")
    new_knock seq
    bring fleet
    says "door seq: opened" || diag "the stream isn't heard"
    ok "$1, by the stream: doesn't open" not said "door $1: opened|refused"
    KNOCK_LINES=("${knock[@]}")
    bring local
    ok "$1, by the own log: opens" says "door $1: opened .*source local"
    bring local
    closes "$1"
    closes seq
}

shown() {
    ctl doors --all
    like "doors: which sources they hear" "$OUT" $'HEARS\n.*mine .*  local\n.*  all'
    ctl sources
    like "sources: that doors don't hear it" "$OUT" "source fleet .*doors that don't hear it: 2"
    like "sources: how many copies" "$OUT" "copies of knocks that were brought before: [1-9]"
    ctl status
    like "status: copies" "$OUT" "copies of knocks that were brought before: [1-9].*forgotten to make room: 0"
    like "status: sealed knocks that weren't heard" "$OUT" "by a source that their door doesn't hear: 1"
}

# --- by a log and NFLOG ---

# knocks DOOR: real packets.
knocks() {
    case $1 in
    seq) send_knock $FROM "$GATE4" "${right[@]}" ;;
    once) send_knock $FROM "$GATE4" $((9000 + ++once)) 8001 7002 ;;
    key)
        seal alice udp $FROM "$(ticks 0)" 1 key 0 0 -
        send_packets $FROM
        ;;
    esac
}

one_host() {
    local before
    before=$(copies)
    mark_log
    knocks "$1"
    ok "$1, by LOG and NFLOG: opens" says "door $1: opened"
    copied "$1, by LOG and NFLOG" "$before"
    did "$1, by LOG and NFLOG" "$1" 1 0
    knocks "$1"
    ok "$1, by LOG and NFLOG: a second knock extends" says "door $1: extended"
    copied "$1, by LOG and NFLOG, again" "$before" 2
    did "$1, by LOG and NFLOG, again" "$1" 1 1
}

nflog_too() {
    local place
    place=$(on_gate iptables -S INPUT | grep -ne '-j LOG ' | head -n 1 | cut -d: -f1)
    on_gate iptables -I INPUT $((place - 1)) -j NFLOG --nflog-group $group --nflog-prefix "$LOG_PREFIX"
}

begin_sealed
client_address $FROM
printf '%s\n' {9001..9099}",8001,7002" >"$WORK/once"
chmod 600 "$WORK/once"
: >"$WORK/local.log"
: >"$WORK/fleet.log"

fleet_file
starts "knockd hears its own log and a stream"
for door in seq once key; do
    at_once $door
    once_more $door
    afterwards $door
done
afterwards brief
in_part
forged mine
forged minekey
shown

nflog_too || bail "no NFLOG rule"
doors_file <<TABLE
source "log"   { type = kmsg  prefix = "$LOG_PREFIX" }
source "nflog" { type = nflog  group = $group  prefix = "$LOG_PREFIX" }
TABLE
reloads "knockd hears a log and NFLOG"
for door in seq once key; do
    one_host $door
done
ok "stop" stop_knockd
done_testing
