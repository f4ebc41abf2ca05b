#!/bin/bash
# One table of knocks, tests/data/knocks.txt, sent once, by IPv4 and IPv6, and heard by a knockd for each source: all
# open the same doors, but for what the table says. A replay of the logs, and of a capture, that were recorded meanwhile
# tells of exactly those.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=journald.sh
. "$(dirname "$0")/journald.sh"

SEAL=$BUILT/tools/seal
table=$TREE/tests/data/knocks.txt
net4=192.0.2. net6=2001:db8::
last=250 # the client that only shows who is listening

group=4711 # of NFLOG
span=9101  # the sequences are elsewhere
sources=() clients=() steps=() doors=() titles=()
inside=() tcpdump_pid='' SORTED='' OPENED=''
declare -A pid_of

# --- the doors: name and keys; each but the last writes down what it does, the last changes the firewall ---

door_keys='
plain   sequence = { 7000, 8000, 9000 }
second  sequence = { 8000, 8100, 9100 }
loose   sequence = { 24000, 22000, 23000 } strict = false
fin     sequence = { 31000, 32000, 33000 } tcpflags = "fin"
any     sequence = { 34000, 35000, 36000 } tcpflags = any
spared  sequence = { 41000, 42000, 41500 } ignore = { 43000, "43000:udp" }
quick   sequence = { 46001, 46500, 46002 } seq_timeout = 1
udp     sequence = { "53001:udp", "53100:udp", "53002:udp" }
tcp     sequence = { 53001, 53100, 53002 }
five    sequence = { 54001, "54302:udp", 30003, 40004, "50005:udp" }
twice   sequence = { 6100, 6100, 6200 }
sealed  key = { alice } port = 2223
once    one_time_sequences = "ONCE"
gate    sequence = { 7412, "28733:udp", 51990 } port = 2222
'

# door_text NAME DEEDS KEYS: one door.
door_text() {
    local write="\"/bin/sh -c 'echo \$0 \$1 \$2 >>$2' "
    echo "door \"$1\" {"
    echo "    ${3//\} /\}$'\n    '}" | sed "s|ONCE|$WORK/once|"
    echo "    cmd_timeout = 3600"
    if [ "$1" = gate ]; then
        echo "    rule = \"INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT\""
    else
        printf '    %s = %s%s %%DOOR%% %%IP%%"\n' start_command "$write" open stop_command "$write" close
    fi
    echo "}"
}

# make_secrets: the key of the door `sealed` and the sequences of the door `once`: each is good for one address.
make_secrets() {
    [ -x "$SEAL" ] || bail "no $SEAL; run make tests first"
    mkdir -m 700 "$WORK/keys"
    (
        umask 077
        printf 'key = "%064d"\nserver = "gate.example"\n' 7 >"$WORK/keys/alice.key"
        seq 33 50 | sed 's/.*/&101,&202:udp,&303,&404:udp,&505/' >"$WORK/once"
    )
}

# write_config NAME KEYS: for a knockd of its own.
write_config() {
    local door keys
    mkdir -m 700 "$WORK/$1.state"
    "$BUILT/tools/old_state" "$WORK/$1.state" || bail "no state; run make tests first"
    cat >"$WORK/$1.conf" <<EOF
user      = "nobody"
state_dir = "$WORK/$1.state"
control   = "$WORK/$1.state/control"
key_dir   = "$WORK/keys"
sealed { server = "gate.example" span = $span }
source "$1" {
    $2
    $([ "$1" = pcap ] || echo "prefix = \"$LOG_PREFIX\"")
}
EOF
    while read -r door keys; do
        [ -z "$door" ] || door_text "$door" "$WORK/$1.deeds" "$keys"
    done <<<"$door_keys" >>"$WORK/$1.conf"
}

# --- the sources ---

# Without its library, a source is nothing that one could try.
built_without() {
    "$KNOCKD" -t -c "$WORK/$1.conf" 2>&1 | grep -o 'this knockd was built without.*'
}

# source_starts NAME KEYS [INPUT]: a knockd that reads it.
source_starts() {
    write_config "$1" "$2"
    KNOCKD_LOG=$WORK/$1.log
    "${inside[@]}" ip netns exec "$GATE" "$KNOCKD" -c "$WORK/$1.conf" <"${3:-/dev/null}" >"$KNOCKD_LOG" 2>&1 &
    KNOCKD_PID=$! pid_of[$1]=$!
    started "$KNOCKD_PID"
    poll 10 knockd_ready_or_gone
    if built_without "$1" >"$WORK/why"; then
        tap_result 0 "$1 # SKIP $(cat "$WORK/why")"
        return
    fi
    ok "$1: starts" said ready
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

by_packets() {
    source_starts nflog "type = nflog group = $group"
    source_starts pcap "type = pcap"
}

# What the gate's wire brings, for a replay.
capture_all() {
    if ! command -v tcpdump >/dev/null; then
        return 0
    fi
    ip netns exec "$GATE" tcpdump -i eth0 -Q in -U --immediate-mode -w "$WORK/wire.pcap" </dev/null \
        >"$WORK/tcpdump" 2>&1 &
    tcpdump_pid=$!
    started $tcpdump_pid
    poll 10 grep -q 'listening on' "$WORK/tcpdump"
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

# sort_words WORD...: sets SORTED to these words in order, without a program: thousands of these are asked for.
sort_words() {
    local sorted=() word i
    for word; do
        for ((i = ${#sorted[@]}; i > 0; i--)); do
            [[ ${sorted[i - 1]} > $word ]] || break
            sorted[i]=${sorted[i - 1]}
        done
        sorted[i]=$word
    done
    SORTED="${sorted[*]}"
}

# doors_of SOURCE ROW: sets SORTED to those that have to open: those for all, or in parentheses those for this source.
doors_of() {
    local open=${doors[$2]}
    case $open in
    *"($1: "*) open=${open#*"($1: "} open=${open%%)*} ;;
    *) open=${open%%(*} ;;
    esac
    # shellcheck disable=SC2086 # words
    sort_words ${open//-/}
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

# gate_of ADDRESS
gate_of() {
    if [[ $1 = *:* ]]; then echo "$GATE6"; else echo "$GATE4"; fi
}

# send_sealed NUMBER CARRIER: to both gates, each message bound to the address that it comes from.
send_sealed() {
    local from time window=udp
    [ "$2" != tcp ] || window=tcp
    for from in "$net4$1" "$net6$1"; do
        time=$((${EPOCHREALTIME%.*} << 16 | 10#${EPOCHREALTIME#*.} * 65536 / 1000000))
        "$SEAL" "$WORK/keys/alice.key" $span "$window" "$from" $time 1 sealed 0 0 - >"$WORK/packets" || return 1
        if [ "$2" = packet ]; then
            on_client perl "$TREE/tests/system/raw-message.pl" "$from" "$(gate_of "$from")" $((span + 12287)) whole \
                "$(head -n 1 "$WORK/packets")" || return 1
        else
            on_client perl "$TREE/tests/system/send-packets.pl" "$from" "$(gate_of "$from")" \
                $((40000 + $1)) <"$WORK/packets" || return 1
        fi
    done
}

# send_once NUMBER LINE: the line's sequence by IPv4, the next one by IPv6.
send_once() {
    local from line=$2 steps
    for from in "$net4$1" "$net6$1"; do
        IFS=, read -r -a steps <<<"$(sed -n "${line}p" "$WORK/once")"
        line=$((line + 1))
        send_knock "$from" "$(gate_of "$from")" "${steps[@]}" >&2 || return 1
    done
}

# send NUMBER PACKET...
send() {
    case $2 in
    sealed:*)
        send_sealed "$1" "${2#*:}"
        return
        ;;
    once:*)
        send_once "$1" "${2#*:}"
        return
        ;;
    esac
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
    briefly poll 1 opened $last plain "${sources[@]}"
}

# A line's doors are waited for, so that a log's order is that of the table, but not in the journal: it is read in
# gusts. What opens nothing is judged by what comes behind it.
send_table() {
    local i name patience=5 prompt
    for i in "${!clients[@]}"; do
        # shellcheck disable=SC2086 # words
        send "${clients[i]}" ${steps[i]} || return 1
        prompt=()
        for name in "${sources[@]}"; do
            doors_of "$name" "$i"
            [ "$name" = journal ] || [ -z "$SORTED" ] || prompt+=("$name")
        done
        poll $patience opened "${clients[i]}" '.*' "${prompt[@]}" || patience=0
    done
    send $last 8000 8100 9100
    poll 5 opened $last second "${sources[@]}"
}

# --- the verdicts ---

# openings SOURCE: `open DOOR ADDRESS`, as knockd said it.
openings() {
    sed -nE 's/.*door (.*): opened for (.*), closes.*/open \1 \2/p' "$WORK/$1.log"
}

# read_openings FILE: sets opened_for[ADDRESS] to the doors, with a blank before each.
declare -A opened_for
read_openings() {
    local what door address
    opened_for=()
    while read -r what door address; do
        [ "$what" != open ] || opened_for[$address]+=" $door"
    done <"$1"
}

# opened_by NUMBER: sets OPENED to the doors, by IPv4 and by IPv6.
opened_by() {
    # shellcheck disable=SC2086 # words
    sort_words ${opened_for[$net4$1]:-}
    OPENED="IPv4: $SORTED,"
    # shellcheck disable=SC2086 # words
    sort_words ${opened_for[$net6$1]:-}
    OPENED+=" IPv6: $SORTED"
}

verdicts() {
    local i said=$WORK/$1.said words count=0
    openings "$1" >"$said"
    read_openings "$said"
    for i in "${!clients[@]}"; do
        opened_by "${clients[i]}"
        doors_of "$1" "$i"
        is "$1: ${titles[i]} (${clients[i]}: ${steps[i]})" "$OPENED" "IPv4: $SORTED, IPv6: $SORTED"
        read -r -a words <<<"$SORTED"
        count=$((count + 2 * ${#words[@]}))
    done
    # The last client has opened two doors.
    is "$1: opens nothing else" "$(wc -l <"$said")" $((count + 4))
    is "$1: what is said to be open has been opened" "$(grep ^open "$WORK/$1.deeds" | sort)" \
        "$(grep -v '^open gate' "$said" | sort)"
}

# The rule of each door `gate` and each knockd.
firewall_verdicts() {
    local net name i wanted=0 iptables=iptables
    for name in "${sources[@]}"; do
        for i in "${!clients[@]}"; do
            doors_of "$name" "$i"
            [[ " $SORTED " != *' gate '* ]] || wanted=$((wanted + 1))
        done
    done
    for net in "$net4" "$net6"; do
        is "$iptables: a rule for each door in the firewall, by each knockd" \
            "$(rules $iptables | grep -cF -- "-s $net")" "$wanted"
        iptables=ip6tables
    done
}

# replays NAME LOG ORDER: it opens what the daemon opened, with ORDER cat in the same order, with sort in any. Doors of
# different families may be told of in either. Keys and one-time sequences are the keeper's: a replay has none.
replays() {
    local family
    "$KNOCKD" -r "$2" -c "$WORK/$1.conf" | awk '$2 == "open" { print $2, $3, $4 }' >"$2.replay"
    for family in $net4 $net6; do
        is "$1: the replay of its log opens the same, $family" "$(grep -F " $family" "$2.replay" | "$3")" \
            "$(grep -F " $family" "$WORK/$1.said" | grep -v ' sealed \| once ' | "$3")"
    done
}

replay_all() {
    local format
    if [ -n "${pid_of[pcap]:-}" ] && [ -n "$tcpdump_pid" ]; then
        stop "$tcpdump_pid"
        replays pcap "$WORK/wire.pcap" cat
    else
        skip "pcap: the replay of a capture" "no tcpdump, or no source of this kind"
    fi
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
make_secrets
for name in iptables ip6tables; do
    on_gate $name -I INPUT "$(on_gate $name -S INPUT | awk '/ LOG / { print NR - 1 }')" \
        -j NFLOG --nflog-group $group --nflog-prefix "$LOG_PREFIX" || bail "no NFLOG here"
done
source_starts kmsg "type = kmsg"
by_stdin
by_file
by_command
by_journal
by_packets
ok "the wire is captured, if tcpdump is there" capture_all
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
