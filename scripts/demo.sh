#!/bin/bash
# demo.sh: shows a door being opened by a knock and closing by itself, between two hosts made of network namespaces.
# Exits 0 only if every step was really seen. `make demo` builds what it needs and calls it.
set -u

# shellcheck source-path=SCRIPTDIR source=netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
# shellcheck source-path=SCRIPTDIR source=demo-say.sh
. "$TREE/scripts/demo-say.sh"

service=2222
right=(7412:tcp 28733:udp 51990:tcp)
wrong=(7412:tcp 28733:udp 51991:tcp)
open_for=3
listener_user=nobody
opened_in=()

refuse() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

# --- what differs between the two halves ---

# half FAMILY: IPv4 with kmsg as the source, IPv6 with a file.
half() {
    family=$1 said_lines=0
    if [ "$family" = 4 ]; then
        gate=$GATE4 client=$CLIENT4 logged_client=$CLIENT4 iptables=iptables
        source='type   = kmsg' reads=kmsg
    else
        gate=$GATE6 client=$CLIENT6 logged_client=2001:0db8:0000:0000:0000:0000:0000:0002 iptables=ip6tables
        source=$'type   = file\n    path   = "'$WORK/kern.log'"' reads=file
    fi
}

# denied TEXT: this family's denied packets that hold TEXT, as they stand where knockd reads them.
denied() {
    if [ "$family" = 4 ]; then
        kernel_lines "SRC=$logged_client "
    else
        grep -F -- "$LOG_PREFIX" "$WORK/kern.log" | grep -F "SRC=$logged_client "
    fi | grep -F -- "$1"
}

write_config() {
    local steps
    printf -v steps '"%s", ' "${right[@]}"
    mkdir -p "$WORK/state" "$WORK/keys"
    cat >"$WORK/knockd.conf" <<EOF
user      = "$listener_user"
state_dir = "$WORK/state"
control   = "$WORK/control"
key_dir   = "$WORK/keys"

source "firewall" {
    $source
    prefix = "$LOG_PREFIX"
}

door "ssh" {
    sequence    = { ${steps%, } }
    seq_timeout = 10
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
        [ -n "$(denied "DPT=${port%:*} ")" ] || return 1
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

start() {
    write_config
    step "knockd starts; the process that reads the log runs as $listener_user"
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
    poll 3 all_denied "${wrong[@]}" || fail "3 denied packets in the log" "$(denied '' | tail -n 5)"
    printf '%16s%s\n' '' "what was logged of it, first packet of ${#wrong[@]}:"
    output "$(denied "DPT=${wrong[0]%:*} " | tail -n 1)"
    expect_no_answer
    door_closed || fail "no rule for port $service" "$(rules)"
}

# The rule is watched while the client is still knocking, so that the time is the door's and not the client's.
right_knock() {
    local began knocker took
    step "the right knock"
    command_line "knock $gate ${right[*]}"
    began=$(now_ms)
    ip netns exec "$CLIENT" "$KNOCK" "$gate" "${right[@]}" &
    knocker=$!
    started $knocker
    POLL_STEP=0.005 poll 5 door_open || fail "a rule for $client" "none within 5 s; logged: $(denied '' | tail -n 5)"
    opened_at=$(now_ms)
    wait $knocker || fail "knock to exit with 0" "exit status $?"
    took=$((opened_at - began))
    opened_in+=("$took ms (IPv$family, $reads)")
    knockd_says
    command_line "$iptables -S INPUT"
    output "$(on_gate $iptables -S INPUT)"
    rules | grep -qF -- "-s $client/" || fail "a rule for $client alone" "$(rules)"
    seen "the rule was there $took ms after knock was started"
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
    [ $took -ge $((open_for * 1000 - 500)) ] || fail "the rule to stand for $open_for s" "it was gone after $took ms"
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
    private_rsyslogd "$WORK/kern.log" || refuse "no rsyslogd for the second half"
    heading "Two hosts made of network namespaces"
    cat <<EOF

  gate    $GATE4  $GATE6   denies and logs what comes in; a service on port $service behind that
  client  $CLIENT4  $CLIENT6
EOF
}

play() {
    half "$1"
    heading "IPv$1: knockd reads $2"
    start
    no_knock
    wrong_knock
    right_knock
    connection
    closing
    closed_again
    end
}

lacks=$(netns_lacks)
[ -z "$lacks" ] || refuse "$lacks"
for program in "$KNOCKD" "$KNOCK"; do
    [ -x "$program" ] || refuse "no $program; run make first"
done
netns_begin
scene
play 4 "the kernel's log itself, /dev/kmsg"
play 6 "a file that rsyslogd writes"
printf '\n%sAll %d steps seen in %d ms. From knock to open door: %s, %s.%s\n' "$green$bold" "$step_count" \
    $(($(now_ms) - demo_start)) "${opened_in[@]}" "$plain"
