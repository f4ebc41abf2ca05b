#!/bin/bash
# demo.sh: shows a door being opened by a knock and closing by itself, between two hosts made of network namespaces;
# then one by a single packet, which opens nothing when it is sent again. Exits 0 only if every step was really seen.
# `make demo` builds what it needs and calls it. Who isn't root plays all of it in a user namespace, by NFLOG.
set -u

# shellcheck source-path=SCRIPTDIR source=netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
# shellcheck source-path=SCRIPTDIR source=demo-say.sh
. "$TREE/scripts/demo-say.sh"
# shellcheck source-path=SCRIPTDIR source=demo-rootless.sh
. "$TREE/scripts/demo-rootless.sh"

service=2222
right=(7412:tcp 28733:udp 51990:tcp)
wrong=(7412:tcp 28733:udp 51991:tcp)
open_for=3
listener_user=nobody
max_skew=10
packet_port=32287 # knockd's and knock's own choice
opened_in=() left_out=''
declare -A heard=([kmsg]="the log" [file]="the log" [nflog]="packets")
NFLOG_GROUP=5

refuse() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# --- what differs between the parts ---

# part FAMILY SOURCE: what knockd reads: kmsg, file or nflog.
part() {
    family=$1 reads=$2 said_lines=0
    if [ "$family" = 4 ]; then
        gate=$GATE4 client=$CLIENT4 logged_client=$CLIENT4 iptables=iptables
    else
        gate=$GATE6 client=$CLIENT6 logged_client=2001:0db8:0000:0000:0000:0000:0000:0002 iptables=ip6tables
    fi
    case $reads in
    kmsg) source='type   = kmsg' ;;
    file) source=$'type   = file\n    path   = "'$WORK/kern.log'"' ;;
    nflog) source=$'type   = nflog\n    group  = '$NFLOG_GROUP ;;
    esac
}

# denied TEXT: this family's denied packets that hold TEXT, as they stand where knockd reads them. Of NFLOG's, which stand
# nowhere, what knockd heard.
denied() {
    case $reads in
    kmsg) kernel_lines "SRC=$logged_client " ;;
    file) grep -F -- "$LOG_PREFIX" "$WORK/kern.log" | grep -F "SRC=$logged_client " ;;
    nflog) "$KNOCKCTL" why -s "$WORK/control" "$client" ;;
    esac | grep -F -- "$1"
}

# denied_at STEP: the same, of packets to that port.
denied_at() {
    if [ "$reads" = nflog ]; then
        denied " $1"
    else
        denied "DPT=${1%:*} "
    fi
}

# write_config LINE...: the door's way to be opened.
write_config() {
    mkdir -p "$WORK/state" "$WORK/keys"
    (umask 077 && : >"$WORK/knockd.conf") # it holds sequences
    cat >"$WORK/knockd.conf" <<EOF
user      = "$listener_user"
state_dir = "$WORK/state"
control   = "$WORK/control"
key_dir   = "$WORK/keys"
sealed { server = "gate"  max_skew = $max_skew }

source "firewall" {
    $source
    prefix = "$LOG_PREFIX"
}

door "ssh" {
$(printf '    %s\n' "$@")
    port        = "$service:tcp"
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    cmd_timeout = $open_for
}
EOF
}

# --- what is looked at ---

rules() {
    on_gate $iptables -S INPUT | grep -e "--dport $service "
}

door_open() {
    [ -n "$(rules)" ]
}

door_closed() {
    ! door_open
}

knockd_processes() {
    ps -o user:8=,pid=,args= -p "$KNOCKD_PID" --ppid "$KNOCKD_PID"
}

listener_dropped() {
    knockd_processes | grep -q "^$listener_user "
}

all_denied() {
    local port
    for port; do
        [ -n "$(denied_at "$port")" ] || return 1
    done
}

expect_no_answer() {
    can_connect "$gate" $service
    case $? in
    0) fail "no answer from port $service" "a connection" ;;
    1) seen "port $service of $gate: no answer within 500 ms" ;;
    2) fail "no answer from port $service" "an answer: connection refused" ;;
    *) fail "no answer from port $service" "the attempt itself failed" ;;
    esac
}

# --- the steps ---

# start LINE...: with these lines in the door.
start() {
    write_config "$@"
    step "knockd starts; the process that reads ${heard[$reads]} runs as $listener_user"
    output "$(sed -n '/^source/,$ { /./p }' "$WORK/knockd.conf")"
    command_line "knockd -c knockd.conf"
    start_knockd "$WORK/knockd.conf" || fail "a line with \"ready\" from $KNOCKD" "none within 10 s, or knockd ended"
    knockd_says
    poll 2 listener_dropped || fail "a process of knockd's as $listener_user" "$(knockd_processes)"
    output "$(knockd_processes)"
    seen "ready; its listener has no privilege"
}

no_knock() {
    step "without a knock, nothing answers"
    expect_no_answer
}

wrong_knock() {
    step "a wrong knock: its last port is ${wrong[-1]%:*}, not ${right[-1]%:*}"
    command_line "knock $gate ${wrong[*]}"
    on_client "$KNOCK" "$gate" "${wrong[@]}" || fail "knock to exit with 0" "exit status $?"
    poll 3 all_denied "${wrong[@]}" || fail "3 denied packets where knockd reads" "$(denied '' | tail -n 5)"
    if [ "$reads" = nflog ]; then
        command_line "knockctl why $client"
        output "$(denied '')"
    else
        printf '%16s%s\n' '' "what was logged of it, first packet of ${#wrong[@]}:"
        output "$(denied_at "${wrong[0]}" | tail -n 1)"
    fi
    expect_no_answer
    door_closed || fail "no rule for port $service" "$(rules)"
}

# watch_rule COMMAND...: the rule is watched while the client still knocks, so that the time is the door's and not the
# client's.
watch_rule() {
    local began knocker took
    began=$(now_ms)
    ip netns exec "$CLIENT" "$@" >"$WORK/knock.out" 2>&1 &
    knocker=$!
    started $knocker
    POLL_STEP=0.005 poll 5 door_open || fail "a rule for $client" "none within 5 s; knock: $(cat "$WORK/knock.out")"
    opened_at=$(now_ms) # or a little earlier
    wait $knocker || fail "knock to exit with 0" "exit status $?: $(cat "$WORK/knock.out")"
    [ ! -s "$WORK/knock.out" ] || output "$(cat "$WORK/knock.out")"
    took=$((opened_at - began))
    opened_in+=("$took ms (IPv$family, $reads)")
    knockd_says
    command_line "$iptables -S INPUT"
    output "$(on_gate $iptables -S INPUT)"
    rules | grep -qF -- "-s $client/" || fail "a rule for $client alone" "$(rules)"
    seen "the rule was there $took ms after knock was started, its pauses between packets included"
}

right_knock() {
    step "the right knock"
    command_line "knock $gate ${right[*]}"
    watch_rule "$KNOCK" "$gate" "${right[@]}"
}

connection() {
    step "the same client connects"
    hold_connection "$gate" $service || fail "a connection to $gate port $service" "none within 1 s"
    still_talks || fail "an echo over the connection" "none"
    seen "connected to port $service, and the service answers"
}

closing() {
    local took
    step "the door closes by itself, $open_for s after it opened"
    POLL_STEP=0.01 poll $((open_for + 3)) door_closed || fail "no rule for port $service" "$(rules)"
    took=$(($(now_ms) - opened_at))
    # On a busy machine the rule was seen later than it came, and so for a shorter time: then knockd's own word counts.
    [ $took -ge $((open_for * 1000 - 500)) ] || grep -q "closed for $client .*: its time is over" "$KNOCKD_LOG" ||
        fail "the rule to stand for $open_for s" "it was gone after $took ms"
    knockd_says
    output "$(on_gate $iptables -S INPUT)"
    seen "the rule was gone after $took ms"
    still_talks || fail "an echo over the connection that was made while the door was open" "none"
    seen "the connection made before lives on"
}

closed_again() {
    step "for a new connection, nothing answers again"
    expect_no_answer
    let_go
}

# --- the steps of a single packet ---

new_key() {
    step "a key, for the server and for the client"
    write_config 'key         = { "demo" }'
    command_line "knockctl key new demo"
    [ -e "$WORK/keys/demo.key" ] || "$KNOCKCTL" key new demo -c "$WORK/knockd.conf" >"$WORK/key.out" 2>&1 ||
        fail "a new key" "$(cat "$WORK/key.out")"
    (umask 077 && mkdir -p "$WORK/home" && cp "$WORK/keys/demo.key" "$WORK/home/demo.key") ||
        fail "the key on the client" "no copy of it"
    seen "both have it, and nobody else"
}

# A knockd that doesn't know what it took before takes nothing that may be older than its state.
wait_for_state() {
    poll $((max_skew + 2)) state_is_old || fail "a state folder older than max_skew" "a younger one"
}

state_is_old() {
    [ $(($(now_ms) - first_start)) -gt $(((max_skew + 1) * 1000)) ]
}

sealed_knock() {
    wait_for_state
    record 30 $packet_port "$WORK/recorded" || fail "someone on the way who records" "$(cat "$WORK/recorded")"
    step "a sealed knock, in one packet; someone on the way records it"
    command_line "knock --carrier packet -k demo.key -p $service $gate ssh"
    HOME=$WORK/home watch_rule "$KNOCK" --carrier packet -k "$WORK/home/demo.key" -p $service "$gate" ssh
    poll 2 recorded_one || fail "one packet to port $packet_port" "$(cat "$WORK/recorded")"
    printf '%16s%s\n' '' "what was recorded of it:"
    output "udp, from port $(recorded "$WORK/recorded" | sed 's/ / to port '$packet_port': /')"
}

recorded_one() {
    [ -n "$(recorded "$WORK/recorded")" ]
}

# heard_packets TEXT: the packets of the client that knockd has heard and that say so.
heard_packets() {
    "$KNOCKCTL" why -s "$WORK/control" "$client" | grep -F -- "$1"
}

heard_times() {
    [ "$(heard_packets " $packet_port" | wc -l)" -ge "$1" ]
}

refused() {
    grep -Eq "sealed knock from $client refused: (replayed|stale)" "$KNOCKD_LOG"
}

send_recorded() {
    send_again "$WORK/recorded" "$gate" $packet_port || fail "to send what was recorded" "$(cat "$WORK/recorded")"
}

nothing_opened() {
    expect_no_answer
    door_closed || fail "no rule for port $service" "$(rules)"
}

same_packet() {
    step "the same packet is sent again"
    send_recorded
    poll 5 heard_times 2 || fail "a second packet that knockd heard" "$(heard_packets '')"
    command_line "knockctl why $client"
    output "$(heard_packets " $packet_port")"
    nothing_opened
}

after_restart() {
    step "and again, after knockd was started again: what was used up is in its store"
    stop_knockd || fail "exit status 0 after SIGTERM" "exit status $?"
    start_knockd "$WORK/knockd.conf" || fail "a line with \"ready\" from $KNOCKD" "none within 10 s, or knockd ended"
    said_lines=0
    send_recorded
    poll 5 refused || fail "knockd to refuse it" "nothing of it in its log"
    knockd_says
    nothing_opened
}

end() {
    local status
    step "knockd ends"
    stop_knockd
    status=$?
    [ $status = 0 ] || fail "exit status 0 after SIGTERM" "exit status $status"
    door_closed || fail "no rule for port $service left behind" "$(rules)"
    seen "exit status 0, no rule left behind"
}

scene() {
    make_hosts || refuse "the network namespaces could not be made"
    { firewall4 && firewall6 && serve $service; } || refuse "firewall and service could not be set up on the gate"
    [ -z "$KERNEL_LOG" ] || private_rsyslogd "$WORK/kern.log" || refuse "no rsyslogd for the second part"
    heading "Two hosts made of network namespaces${rootless:+, in a user namespace: nothing here is done as root}"
    cat <<EOF

  gate    $GATE4  $GATE6   denies what comes in, and tells of it; a service on port $service behind that
  client  $CLIENT4  $CLIENT6
EOF
}

# by_sequence FAMILY SOURCE TEXT
by_sequence() {
    local steps
    part "$1" "$2"
    printf -v steps '"%s", ' "${right[@]}"
    heading "IPv$1: knockd reads $3"
    start "sequence    = { ${steps%, } }" "seq_timeout = 10"
    : "${first_start:=$(now_ms)}"
    no_knock
    wrong_knock
    right_knock
    connection
    closing
    closed_again
    end
}

by_packet() {
    part 4 nflog
    heading "IPv4: one sealed packet, which knockd reads from NFLOG"
    new_key
    start 'key         = { "demo" }'
    no_knock
    sealed_knock
    connection
    closing
    let_go
    same_packet
    after_restart
    end
}

# no_nflog: why this knockd can't read NFLOG; nothing when it can.
no_nflog() {
    part 4 nflog
    write_config 'sequence = { "7412", "28733:udp", "51990" }'
    "$KNOCKD" -t -c "$WORK/knockd.conf" 2>&1 | sed -n 's/.*knockd.conf:[0-9]*: source "firewall": \(.*left out of this knockd.*\)/\1/p'
}

play() {
    if [ -n "$KERNEL_LOG" ]; then
        by_sequence 4 kmsg "the kernel's log itself, /dev/kmsg"
        by_sequence 6 file "a file that rsyslogd writes"
    else
        by_sequence 4 nflog "packets, which the firewall hands to a group of NFLOG"
        by_sequence 6 nflog "packets, as before"
    fi
    if [ -z "$left_out" ]; then
        by_packet
    else
        heading "Left out: one sealed packet, which knockd reads from NFLOG"
        printf '\n  %s\n' "$left_out"
    fi
    printf '\n%sAll %d steps seen in %d ms. From knock to open door: %s.%s\n' "$green$bold" "$step_count" \
        $(($(now_ms) - demo_start)) "$(list "${opened_in[@]}")" "$plain"
}

# list WORD...: with commas between.
list() {
    local words
    printf -v words '%s, ' "$@"
    echo "${words%, }"
}

# as_root_of_a_namespace: begins again, as that, until it is.
as_root_of_a_namespace() {
    local lacks
    case ${ROOTLESS:-} in
    rooted) return ;;
    yes) own_root "$TREE" "$BUILT" -- "$TREE/scripts/demo.sh"; refuse "no root folder could be made" ;;
    esac
    [ "$(id -u)" != 0 ] || return
    lacks=$(rootless_lacks)
    [ -z "$lacks" ] || refuse "without root: $lacks
demo: or run it as root: sudo make demo"
    rootless "$TREE/scripts/demo.sh"
}

for program in "$KNOCKD" "$KNOCK" "$KNOCKCTL"; do
    [ -x "$program" ] || refuse "no $program; run make first"
done
as_root_of_a_namespace
rootless=${ROOTLESS:-}
[ -z "$rootless" ] || KERNEL_LOG=''
lacks=$(${KERNEL_LOG:+netns_lacks} ${rootless:+hosts_lack})
[ -z "$lacks" ] || refuse "$lacks"
netns_begin
left_out=$(no_nflog)
[ -z "$rootless" ] || [ -z "$left_out" ] || refuse "without root: $left_out
demo: or run it as root: sudo make demo"
[ -z "$left_out" ] || NFLOG_GROUP=''
scene
play
