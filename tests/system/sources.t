#!/bin/bash
# One table of knocks, tests/data/knocks.txt, sent once, by IPv4 and IPv6, and read by a knockd for each source: all
# open the same doors. A replay of the logs that were recorded meanwhile tells of exactly those.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=journald.sh
. "$(dirname "$0")/journald.sh"

table=$TREE/tests/data/knocks.txt
net4=192.0.2. net6=2001:db8::
last=250 # the client that only shows who is listening

sources=() clients=() steps=() doors=() titles=()
inside=()
declare -A pid_of

# --- the doors: name and keys; each but the last writes down what it does, the last changes the firewall ---

door_keys='
plain   sequence = { 7000, 8000, 9000 }
second  sequence = { 8000, 8100, 9100 }
loose   sequence = { 21000, 22000, 23000 } strict = false
fin     sequence = { 31000, 32000, 33000 } tcpflags = "fin"
any     sequence = { 34000, 35000, 36000 } tcpflags = any
spared  sequence = { 41000, 42000, 41500 } ignore = { 43000, "43000:udp" }
quick   sequence = { 46001, 46500, 46002 } seq_timeout = 1
udp     sequence = { "53001:udp", "53100:udp", "53002:udp" }
tcp     sequence = { 53001, 53100, 53002 }
five    sequence = { 10001, "20002:udp", 30003, 40004, "50005:udp" }
twice   sequence = { 6100, 6100, 6200 }
gate    sequence = { 7412, "28733:udp", 51990 } port = 2222
'

# door_text NAME DEEDS KEYS: one door.
door_text() {
    local write="\"/bin/sh -c 'echo \$0 \$1 \$2 >>$2' "
    echo "door \"$1\" {"
    echo "    ${3//\} /\}$'\n    '}"
    echo "    cmd_timeout = 300"
    if [ "$1" = gate ]; then
        echo "    rule = \"INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT\""
    else
        printf '    %s = %s%s %%DOOR%% %%IP%%"\n' start_command "$write" open stop_command "$write" close
    fi
    echo "}"
}

# write_config NAME KEYS: for a knockd of its own.
write_config() {
    local door keys
    mkdir "$WORK/$1.state"
    cat >"$WORK/$1.conf" <<EOF
user      = "nobody"
state_dir = "$WORK/$1.state"
control   = "$WORK/$1.state/control"
source "$1" {
    $2
    prefix = "$LOG_PREFIX"
}
EOF
    while read -r door keys; do
        [ -z "$door" ] || door_text "$door" "$WORK/$1.deeds" "$keys"
    done <<<"$door_keys" >>"$WORK/$1.conf"
}

# --- the sources ---

# source_starts NAME KEYS [INPUT]: a knockd that reads it.
source_starts() {
    write_config "$1" "$2"
    KNOCKD_LOG=$WORK/$1.log
    "${inside[@]}" ip netns exec "$GATE" "$KNOCKD" -c "$WORK/$1.conf" <"${3:-/dev/null}" >"$KNOCKD_LOG" 2>&1 &
    KNOCKD_PID=$! pid_of[$1]=$!
    started "$KNOCKD_PID"
    ok "$1: starts" poll 10 knockd_ready_or_gone
    said ready && sources+=("$1")
}

by_file() {
    local format
    for format in traditional iso; do
        if private_rsyslogd "$WORK/$format.kern" $format 2>"$WORK/why"; then
            source_starts "file-$format" "type = file path = \"$WORK/$format.kern\""
        else
            tap_result 0 "file-$format # SKIP $(tail -n 1 "$WORK/why")"
        fi
    done
}

by_journal() {
    if private_journald 2>"$WORK/why"; then
        with_journald
        source_starts journal "type = journal"
        inside=()
    else
        tap_result 0 "journal # SKIP $(tail -n 1 "$WORK/why")"
    fi
}

# -s: where tail has no inotify, it would look once a second.
by_command() {
    local log=$WORK/iso.kern
    if [ -n "${pid_of[file-iso]:-}" ]; then
        source_starts command "type = command command = \"tail -s 0.05 -n 0 -F $log\""
    else
        tap_result 0 "command # SKIP no log for it to read"
    fi
}

by_stdin() {
    mkfifo "$WORK/pipe"
    dmesg -w >"$WORK/pipe" &
    started $!
    source_starts stdin "type = stdin" "$WORK/pipe"
}

# --- the table ---

# column TEXT: without the blanks around it.
column() {
    local words
    read -r -a words <<<"$1"
    echo "${words[*]}"
}

read_table() {
    local client packets open title
    while IFS='|' read -r client packets open title; do
        [[ $client != *\#* && -n $title ]] || continue
        clients+=("$(column "$client")") steps+=("$(column "$packets")")
        doors+=("$(column "${open//,/ }")") titles+=("$(column "$title")")
    done <"$table"
}

# Each number that occurs, also those behind an @.
all_numbers() {
    printf '%s\n' "$last" "${clients[@]}"
    grep -o '@[0-9]*' <<<"${steps[*]}" | tr -d @
}

give_addresses() {
    local number
    for number in $(all_numbers | sort -nu); do
        client_address "$net4$number" "$net6$number" || return 1
    done
}

# send NUMBER PACKET...
send() {
    on_client perl "$TREE/tests/system/knocks.pl" "$net4" "$GATE4" "$net6" "$GATE6" "$@" >&2
}

# opened NUMBER DOOR SOURCE...: by both families, in all of these.
opened() {
    local number=$1 door=$2 source
    shift 2
    for source; do
        grep -q "door $door: opened for $net4$number," "$WORK/$source.log" &&
            grep -q "door $door: opened for $net6$number," "$WORK/$source.log" || return 1
    done
}

# A program may write its log before it reads on: each has to show once that it is awake.
knock_and_look() {
    send $last 7000 8000 9000
    poll 1 opened $last plain "${sources[@]}"
}

# A line's doors are waited for, so that a log's order is that of the table, but not in the journal: it is read in
# gusts. What opens nothing is judged by what comes behind it.
send_table() {
    local i patience=5 prompt=()
    mapfile -t prompt < <(printf '%s\n' "${sources[@]}" | grep -v journal)
    for i in "${!clients[@]}"; do
        # shellcheck disable=SC2086 # words
        send "${clients[i]}" ${steps[i]} || return 1
        [ "${doors[i]}" = - ] || poll $patience opened "${clients[i]}" '.*' "${prompt[@]}" || patience=0
    done
    send $last 8000 8100 9100
    poll 5 opened $last second "${sources[@]}"
}

# --- the verdicts ---

# openings SOURCE: `open DOOR ADDRESS`, as knockd said it.
openings() {
    sed -nE 's/.*door (.*): opened for (.*), closes.*/open \1 \2/p' "$WORK/$1.log"
}

# opened_by OPENINGS NUMBER: the doors, by IPv4 and by IPv6.
opened_by() {
    echo "IPv4: $(awk -v a="$net4$2" '$1 == "open" && $3 == a { print $2 }' "$1" | sort | xargs)," \
        "IPv6: $(awk -v a="$net6$2" '$1 == "open" && $3 == a { print $2 }' "$1" | sort | xargs)"
}

verdicts() {
    local i said=$WORK/$1.said wanted count=0
    openings "$1" >"$said"
    for i in "${!clients[@]}"; do
        # shellcheck disable=SC2086 # words
        wanted=$(printf '%s\n' ${doors[i]//-/} | sort | xargs)
        is "$1: ${titles[i]} (${clients[i]}: ${steps[i]})" "$(opened_by "$said" "${clients[i]}")" \
            "IPv4: $wanted, IPv6: $wanted"
        count=$((count + 2 * $(wc -w <<<"$wanted")))
    done
    # The last client has opened two doors.
    is "$1: opens nothing else" "$(wc -l <"$said")" $((count + 4))
    is "$1: what is said to be open has been opened" "$(grep ^open "$WORK/$1.deeds" | sort)" \
        "$(grep -v '^open gate' "$said" | sort)"
}

# The rule of each door `gate` and each knockd.
firewall_verdicts() {
    local net wanted iptables=iptables
    wanted=$(printf '%s\n' "${doors[@]}" | grep -cw gate)
    for net in "$net4" "$net6"; do
        is "$iptables: a rule for each door in the firewall, by each knockd" \
            "$(rules $iptables | grep -cF -- "-s $net")" $((wanted * ${#sources[@]}))
        iptables=ip6tables
    done
}

# replays NAME LOG ORDER: it opens what the daemon opened, with ORDER cat in the same order, with sort in any. Doors of
# different families may be told of in either.
replays() {
    local family
    "$KNOCKD" -r "$2" -c "$WORK/$1.conf" | awk '$2 == "open" { print $2, $3, $4 }' >"$2.replay"
    for family in $net4 $net6; do
        is "$1: the replay of its log opens the same, $family" "$(grep -F " $family" "$2.replay" | "$3")" \
            "$(grep -F " $family" "$WORK/$1.said" | "$3")"
    done
}

replay_all() {
    local format
    for format in traditional iso; do
        [ -z "${pid_of[file-$format]:-}" ] || replays "file-$format" "$WORK/$format.kern" cat
    done
    if [ -n "${pid_of[journal]:-}" ]; then
        with_journald
        "${inside[@]}" journalctl -k -o short-iso-precise --no-pager -q >"$WORK/journal.kern"
        inside=()
        replays journal "$WORK/journal.kern" sort
    fi
}

ends() {
    KNOCKD_LOG=$WORK/$1.log
    stop "${pid_of[$1]}"
    is "$1: ends" $? 0
    is "$1: what it opened it has closed" "$(sed -n 's/^close //p' "$WORK/$1.deeds" | sort)" \
        "$(sed -n 's/^open //p' "$WORK/$1.deeds" | sort)"
}

needs_gate
read_table
[ ${#clients[@]} -gt 0 ] || bail "no knocks in $table"
{ firewall4 && firewall6 && give_addresses; } || bail "no firewall or no addresses"
source_starts kmsg "type = kmsg"
by_stdin
by_file
by_command
by_journal
ok "every source is read" poll 10 knock_and_look
ok "the table is sent, and its last line opens" send_table
for name in "${sources[@]}"; do
    KNOCKD_LOG=$WORK/$name.log
    verdicts "$name"
done
firewall_verdicts
replay_all
for name in "${sources[@]}"; do
    ends "$name"
done
is "no rule left" "$(rules iptables)$(rules ip6tables)" ""
done_testing
