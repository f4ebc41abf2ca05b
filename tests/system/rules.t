#!/bin/bash
# knockctl rules on a host of its own: what gets in, what stays out, what is logged, and that a trial leaves no trace.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

SERVICE=2222 OPEN=8080
knock_ports=(7412 8733:udp 5199)

needs_gate
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
command -v nft >/dev/null || skip_all "needs the command nft; see scripts/deps.sh"

# make_config COMMANDS: a door for SERVICE that opens by them.
make_config() {
    configure 'type = kmsg' <<EOF
door "ssh" {
    sequence    = { "7412", "8733:udp", "5199" }
    port        = "$SERVICE:tcp"
    cmd_timeout = 2
    $1
}
EOF
}

with_rule='rule = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"'
with_set='start_command = "nft add element inet knockd knock%FAMILY% { %IP% . %PROTO% . %PORT% timeout %TIMEOUT%s }"
    stop_command  = "nft delete element inet knockd knock%FAMILY% { %IP% . %PROTO% . %PORT% }"
    stop_ok       = { 0, 1 }'

rules() {
    on_gate "$KNOCKCTL" rules -c "$CONFIG" "$@" 2>"$WORK/said"
}

# apply KIND [OPTION...]: as an administrator does.
apply() {
    local kind=$1
    shift
    case $kind in
    4) rules -4 "$@" | on_gate iptables-restore --noflush ;;
    6) rules -6 "$@" | on_gate ip6tables-restore --noflush ;;
    nft) rules --nft "$@" | on_gate nft -f - ;;
    esac
    [ "${PIPESTATUS[*]}" = "0 0" ] || { cat "$WORK/said"; return 1; }
}

# What stands in the firewall, without counters and comments.
saved() {
    {
        on_gate iptables-save -t filter
        on_gate ip6tables-save -t filter
        on_gate nft list tables | grep inet
        on_gate nft list table inet knockd 2>/dev/null | sed 's/counter packets [0-9]* bytes [0-9]*//'
    } | grep -v '^#' | sed 's/\[[0-9:]*\]$//'
}

reset_gate() {
    on_gate nft flush ruleset
}

logged_from() {
    local source=$1 last=000${1##*:}
    [[ $source != *:* ]] || source=${CLIENT6_LOGGED%????}${last: -4}
    kernel_lines "SRC=$source " | grep -c "DPT=$2 "
}
CLIENT6_LOGGED=2001:0db8:0000:0000:0000:0000:0000:0002

was_logged() {
    [ "$(logged_from "$1" "$2")" -ge "${3:-1}" ]
}

# A knock counts only if knockd read the whole log between its packets; on a busy machine the kernel may overwrite some
# of it, so there are others.
knock_opens() {
    local try
    for try in {1..10}; do
        send_knock - "$1" "${knock_ports[@]}"
        briefly poll 3 can_connect -w 0.2 "$1" $SERVICE && return
        diag "knock $try did not open"
    done
    return 1
}

says_closed() {
    [ "$(grep -c ' opened for ' "$KNOCKD_LOG")" = "$(grep -c ' closed for ' "$KNOCKD_LOG")" ]
}

door_closed() {
    ! can_connect -w 0.2 "$1" $SERVICE
}

# All ports near those of the knock by both protocols, in one direction; then, for what it opened.
scan() {
    local host=$1 port all=()
    shift
    for port in $("$@" < <(seq 5190 5205; seq 7405 7420; seq 8725 8740)); do
        all+=("$port" "$port:udp")
    done
    send_knock - "$host" "${all[@]}"
}

# junk SECONDS HOST FROM...: packets as fast as one process can, from many addresses, to closed ports and those of knocks;
# for so long, or until SIGTERM, but 30,000 of them at least.
cat >"$WORK/junk.pl" <<'PERL'
use strict; use warnings; use IO::Socket::IP; use Time::HiRes 'time';
my ($seconds, $host, @from) = @ARGV;
my @sockets = map { IO::Socket::IP->new(LocalHost => $_, PeerHost => $host, PeerPort => 8733, Proto => 'udp') or die $@ } @from;
push @sockets, map { IO::Socket::IP->new(LocalHost => $_, PeerHost => $host, PeerPort => 9999, Proto => 'udp') or die $@ } @from;
my ($sent, $end) = (0, time + $seconds);
$SIG{TERM} = sub { $end = 0 };
while ($sent < 30000 || time < $end) { for my $one (@sockets) { $sent++ if $one->send("x") } }
print "$sent\n";
PERL

check_kind() {
    local kind=$1 family gate client other junk i pid sent from what
    reset_gate
    if [ "$kind" = nft ]; then make_config "$with_set"; else make_config "$with_rule"; fi
    # The session is older than the first rule, and than the kernel's tracking of connections.
    for family in $2; do
        gate=GATE$family gate=${!gate} client=CLIENT$family client=${!client}
        what="$kind, IPv$family"
        other=192.0.2.77 junk=192.0.2.
        [ "$family" = 4 ] || other=2001:db8::77 junk=2001:db8::
        reset_gate
        hold_connection "$gate" $SERVICE
        ok "$what: the rules are taken" apply "$kind" --accept $OPEN
        ok "$what: a session from before lives on" still_talks
        let_go
        ok "$what: the door's port is closed" door_closed "$gate"
        ok "$what: a service that is accepted answers" can_connect "$gate" $OPEN
        can_connect -w 0.2 "$gate" 9876
        is "$what: all else is dropped" $? 1
        ok "$what: and logged" poll 2 was_logged "$client" 9876

        ok "$what: knockd starts" start_knockd "$CONFIG"
        ok "$what: a knock opens" knock_opens "$gate"
        ok "$what: for nobody else" not can_connect -w 0.2 -s $other "$gate" $SERVICE
        # On a busy machine the door may have closed meanwhile.
        hold_connection "$gate" $SERVICE || { knock_opens "$gate" && hold_connection "$gate" $SERVICE; }
        ok "$what: the door closes" poll 5 door_closed "$gate"
        ok "$what: the session through it lives on" still_talks
        let_go

        scan "$gate" sort -n
        ok "$what: an ascending scan stays out" door_closed "$gate"
        sleep 1 # the log's account of this source fills up again
        scan "$gate" sort -rn
        ok "$what: a descending scan stays out" door_closed "$gate"

        from=()
        for i in $(seq 100 119); do from+=("$junk$i"); done
        client_address "${from[@]}"
        sleep 4 # the scans emptied this source's account
        ip netns exec "$CLIENT" perl "$WORK/junk.pl" 60 "$gate" "${from[@]}" >"$WORK/sent" 2>&1 &
        pid=$!
        started $pid
        ok "$what: junk comes" poll 2 was_logged "${from[0]}" 9999 3
        ok "$what: a knock opens amid junk" knock_opens "$gate"
        ok "$what: the junk didn't stop for it" not ended $pid
        stop $pid
        sent=$(cat "$WORK/sent")
        ok "$what: of the junk ($sent packets) little is logged" [ "$(kernel_lines "DPT=9999 " | wc -l)" -lt 5000 ]
        ok "$what: and there was plenty" [ "$sent" -gt 20000 ]

        ok "$what: the door closes again" poll 8 says_closed
        ok "$what: applied again" apply "$kind" --accept $OPEN
        ok "$what: closed as before" door_closed "$gate"
        ok "$what: a knock opens as before" knock_opens "$gate"
        ok "$what: a service answers as before" can_connect "$gate" $OPEN
        stop_knockd
        ok "$what: closed after knockd's end" door_closed "$gate"
        for i in "${from[@]}"; do
            ip -n "$CLIENT" address del "$i/$([ "$family" = 4 ] && echo 24 || echo 64)" dev eth0
        done
    done
}

# trial SECONDS [OPTION...]: answers come from fd 5, a pipe that this opens.
trial() {
    rm -f "$WORK/answers"
    mkfifo "$WORK/answers"
    ip netns exec "$GATE" "$KNOCKCTL" rules -c "$CONFIG" --try "$@" <"$WORK/answers" >"$WORK/trial" 2>&1 &
    TRIAL=$!
    started $TRIAL
    exec 5>"$WORK/answers"
    poll 5 grep -q 'type yes' "$WORK/trial"
}

trial_end() {
    wait "$TRIAL"
    local status=$?
    exec 5>&-
    return $status
}

as_before() {
    [ "$(saved)" = "$before" ]
}

# check_trial WHAT OPTION...: `before` stands; each end of a trial.
check_trial() {
    local what=$1 signal
    shift
    before=$(saved)
    ok "$what: a trial begins" trial 3 "$@"
    ok "$what: its rules are in place" not as_before
    trial_end
    is "$what: not confirmed in time" $? 1
    is "$what: what was there is there again" "$(saved)" "$before"

    for signal in HUP INT TERM KILL; do
        trial 60 "$@"
        kill -$signal $TRIAL
        trial_end
        ok "$what: taken back after SIG$signal" poll 5 as_before
    done

    trial 60 "$@"
    echo no >&5
    exec 5>&-
    trial_end
    is "$what: no, and the terminal goes away" $? 1
    is "$what: taken back at once" "$(saved)" "$before"
}

plan_and_run() {
    ok "services" serve $SERVICE
    ok "services" serve $OPEN
    client_address 192.0.2.77 2001:db8::77
    check_kind 4 4
    check_kind 6 6
    check_kind nft "4 6"

    make_config "$with_rule"
    reset_gate
    on_gate iptables -A INPUT -p tcp --dport $OPEN -j ACCEPT
    on_gate iptables -A INPUT -p tcp --dport 5199 -j ACCEPT
    on_gate iptables -P FORWARD DROP
    on_gate ip6tables -A INPUT -p icmpv6 -j ACCEPT
    apply 4
    ok "own rules in place: a service they accept answers" can_connect "$GATE4" $OPEN
    ok "own rules in place: but not on the port of a knock" not can_connect -w 0.2 "$GATE4" 5199
    ok "own rules in place: that is logged" poll 2 was_logged "$CLIENT4" 5199
    like "own rules in place: nothing flushed, no policy set" "$(on_gate iptables-save -t filter)" \
        "INPUT ACCEPT.*FORWARD DROP.*-A INPUT -j KNOCKD"$'\n'"-A INPUT -p tcp.*$OPEN.*-A INPUT -j KNOCKD-DENY"
    before=$(saved)
    ok "--again is taken" apply 4 --again
    is "--again: applied twice is applied once" "$(saved)" "$before"
    on_gate iptables -D INPUT -j KNOCKD-DENY
    ok "--again where nothing is in place: refused, nothing changed" not apply 4 --again

    reset_gate
    on_gate iptables -A INPUT -p tcp --dport $OPEN -j ACCEPT
    on_gate ip6tables -A INPUT -p tcp --dport $OPEN -j ACCEPT
    check_trial "trial, no rules of ours"
    apply 4 --accept 443
    apply 6 --accept 443
    on_gate iptables -A INPUT -p tcp --dport 444 -j ACCEPT
    check_trial "trial, ours in place"
    reset_gate
    check_trial "trial, nft" --nft
    rules --nft --accept 443 >"$WORK/nft.rules" && on_gate nft -f "$WORK/nft.rules"
    check_trial "trial, nft in place" --nft

    reset_gate
    hold_connection "$GATE4" $SERVICE
    trial 60
    echo yes >&5
    trial_end
    is "confirmed" $? 0
    ok "confirmed: the rules stay" door_closed "$GATE4"
    ok "confirmed: for IPv6 too" door_closed "$GATE6"
    ok "confirmed: the session lives on" still_talks

    # Someone takes a jump away meanwhile, so that the way back is barred.
    reset_gate
    trial 60
    on_gate iptables -F INPUT
    kill -TERM $TRIAL
    trial_end
    ok "changed by another meanwhile: no rule of the trial has an effect" can_connect "$GATE4" $SERVICE
    like "changed by another meanwhile: said" "$(cat "$WORK/trial")" "have a look"
}

plan_and_run
done_testing
