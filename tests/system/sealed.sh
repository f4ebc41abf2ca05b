# Sourced by the end-to-end tests of sealed knocks: a gate whose knockd reads the kernel's log, keys, messages that say
# what they like, and packets sent once more.
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "${BASH_SOURCE[0]}")/control.sh"
# shellcheck source-path=SCRIPTDIR source=client.sh
. "$(dirname "${BASH_SOURCE[0]}")/client.sh"

SEAL=$BUILT/tools/seal
KEYS='' THEIRS='' PACKETS='' MESSAGE=''
next_port=30000

# Opened by anyone with three packets: when that is said, all before them has been read.
mark_door='door "mark" {
    sequence = { 7412, 8733:udp, 51990 }  start_command = "/bin/true"  stop_command = "/bin/true"  cmd_timeout = 1
}'

# begin_sealed: hosts, the client and its files, a service, where knockd's files are, key alice on both sides.
begin_sealed() {
    begin_client
    needs_knockd
    needs_knockctl
    [ -x "$SEAL" ] || bail "no $SEAL; run make tests first"
    CONFIG=$WORK/knockd.conf KEYS=$WORK/keys THEIRS=$WORK/theirs PACKETS=$WORK/packets
    mkdir "$WORK/state"
    mkdir -m 700 "$KEYS" "$THEIRS"
    cp "$WORK/unseal.key" "$KEYS/alice.key"
    cp "$WORK/unseal.key" "$THEIRS/alice.key"
    client_address 192.0.2.199
}

# key_text NAME SERVER [TEXT]: a key with a secret of its own.
key_text() {
    printf 'key = "%s"\nserver = "%s"\n%s\n' "$(echo "$1" | sha256sum | cut -d' ' -f1)" "$2" "${3:-}"
}

# new_key NAME [TEXT]: on both sides, TEXT on the server's.
new_key() {
    (umask 077; key_text "$1" gate.example >"$THEIRS/$1.key"; key_text "$1" gate.example "${2:-}" >"$KEYS/$1.key")
}

# sealed_file: CONFIG, its doors from standard input; max_skew is SKEW, when that is said.
sealed_file() {
    { printf 'key_dir = "%s"\nsealed { server = "gate.example" %s }\n%s\n' "$KEYS" "${SKEW:+max_skew = $SKEW}" "$mark_door"; cat; } |
        configure "type = kmsg"
}

# reloads DESCRIPTION
reloads() {
    ctl reload
    is "$1" "$STATUS:$ERR" 0:
}

# --- messages and packets ---

# ticks [OFFSET]: now, so many seconds off, as messages say it.
ticks() {
    local us=${EPOCHREALTIME#*.}
    echo $(((${EPOCHREALTIME%.*} + ${1:-0}) << 16 | 10#$us * 65536 / 1000000))
}

# shellcheck disable=SC2034 # MESSAGE is for those who source this
# seal KEY WINDOW SOURCE TIME OP DOOR SECONDS PORT ADDRESS [BIT]: puts the packets into PACKETS, sets MESSAGE.
seal() {
    "$SEAL" "$THEIRS/$1.key" 20000 "${@:2}" >"$PACKETS" || bail "can't seal: $*"
    read -r MESSAGE <"$PACKETS"
}

# keep_arrived: the packets of the last knock of the client, as they came, go into PACKETS.
keep_arrived() {
    arrived | awk '{ print $1, $4, $5 }' >"$PACKETS"
}

gate_of() {
    if [[ $1 = *:* ]]; then echo "$GATE6"; else echo "$GATE4"; fi
}

# send_packets FROM [SPORT]: those of PACKETS, from a source port that wasn't used yet or from that.
send_packets() {
    on_client perl "$TREE/tests/system/send-packets.pl" "$1" "$(gate_of "$1")" "${2:-$((++next_port))}" <"$PACKETS"
}

# settled: knockd has read all that was sent by now, and done what it does about it.
settled() {
    local before i
    before=$(marks_said)
    # Its packets may come in another order, through two processors that are busy.
    for i in 1 2 3; do
        send_knock 192.0.2.199 "$GATE4" 7412 8733:udp 51990
        briefly poll 5 more_marks "$before" && return
        ctl why 192.0.2.199
        diag "mark $i is not heard:"$'\n'"$(tail -n 12 <<<"$OUT")"
    done
    bail "knockd is deaf"
}

marks_said() {
    grep -c "door mark: \(opened\|extended\) for" "$KNOCKD_LOG"
}

more_marks() {
    [ "$(marks_said)" -gt "$1" ]
}

# --- what came of it ---

# opened FROM [DOOR]
opened() {
    says "door ${2:-ssh}: (opened|extended) for $1,"
}

# closed FROM [DOOR]
closed() {
    says "door ${2:-ssh}: closed for $1 " 10
}

# connects FROM [SECONDS]: the service can be reached from this address of the client's.
connects() {
    can_connect -s "$1" -w "${2:-1}" "$(gate_of "$1")" $SERVICE
}

openings() {
    said_lines ': (opened|extended) for' | grep -v 'door mark:'
}

all_rules() {
    rules iptables $SERVICE
    rules ip6tables $SERVICE
}

no_rules() {
    [ -z "$(all_rules)" ]
}

# stay_shut DESCRIPTION: nothing has opened since mark_log, by the log and by the firewall.
stay_shut() {
    settled
    is "$1: opens nothing" "$(openings)" ''
    is "$1: makes no rule" "$(all_rules)" ''
}

# kill_keeper: knockd, in the middle of whatever it does.
kill_keeper() {
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID"
} 2>/dev/null
