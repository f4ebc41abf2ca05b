#!/bin/bash
# demo-fleet.sh: shows three gateways with one address, of whose knocks each packet reaches another one, and how all three
# open: rsyslog carries the lines of each to all, by the recipes of etc/examples/fleet as they are. Then the one in the
# middle is killed, each opens by what it hears itself, and it comes back. Exits 0 only if every step was really seen.
# `make demo PART=fleet` builds what it needs and calls it, for root.
set -u

# shellcheck source-path=SCRIPTDIR source=netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/netns.sh"
# shellcheck source-path=SCRIPTDIR source=engines.sh
. "$TREE/scripts/engines.sh"
# shellcheck source-path=SCRIPTDIR source=demo-say.sh
. "$TREE/scripts/demo-say.sh"

recipes=$TREE/etc/examples/fleet
service=22
sequence=(7412:tcp 38733:udp 51990:tcp)
shared=192.0.2.1 client=203.0.113.2
open_for=8 max_age=3 max_skew=10
gateways=(a b c)
declare -A inner=([hub]=198.51.100.10 [a]=198.51.100.11 [b]=198.51.100.12 [c]=198.51.100.13)
declare -A knockd_of=() rsyslogd_of=() said_of=([a]=0 [b]=0 [c]=0)
opened_in=() rule_count=1000
ROUTER=knockd-$$-router

refuse() {
    printf 'demo: %s\n' "$*" >&2
    exit 1
}

host() {
    echo "knockd-$$-$1"
}

on() {
    local name=$1
    shift
    ip netns exec "$(host "$name")" "$@"
}

# --- the hosts ---

# link HOST ADDRESS: a wire from it to the bridge between gateways and hub.
inner_link() {
    local name
    name=$(host "$1")
    make_host "$name" && ip -n "$name" link add eth0 type veth peer name "to-$1" netns "$ROUTER" &&
        ip -n "$ROUTER" link set "to-$1" master inner up && ip -n "$name" address add "${inner[$1]}/24" dev eth0 &&
        ip -n "$name" link set eth0 up && ip -n "$name" route add default via 198.51.100.1
}

network() {
    local name
    make_host "$ROUTER" && make_host "$CLIENT" &&
        ip -n "$ROUTER" link add inner type bridge && ip -n "$ROUTER" address add 198.51.100.1/24 dev inner &&
        ip -n "$ROUTER" link set inner up &&
        ip -n "$CLIENT" link add eth0 type veth peer name outer netns "$ROUTER" &&
        ip -n "$CLIENT" address add $client/24 dev eth0 && ip -n "$ROUTER" address add 203.0.113.1/24 dev outer &&
        ip -n "$CLIENT" link set eth0 up && ip -n "$ROUTER" link set outer up &&
        ip -n "$CLIENT" route add default via 203.0.113.1 &&
        ip netns exec "$ROUTER" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' || return 1
    inner_link hub || return 1
    for name in "${gateways[@]}"; do
        inner_link "$name" && ip -n "$(host "$name")" address add $shared/32 dev lo &&
            ip -n "$ROUTER" route add $shared via "${inner[$name]}" table "$(table_of "$name")" || return 1
    done
    poll 3 wire_is_up
}

table_of() {
    case $1 in a) echo 101 ;; b) echo 102 ;; c) echo 103 ;; esac
}

# The router knows three ways to the shared address, and chooses by the port. The first rule that fits holds.
spread() {
    local name=$1
    shift
    ip -n "$ROUTER" rule add priority $((++rule_count)) iif outer to $shared "$@" table "$(table_of "$name")"
}

forget_routes() {
    while ip -n "$ROUTER" rule del iif outer 2>/dev/null; do :; done
}

# Each step of the sequence goes to another gateway; of a sealed knock's 24 packets each gets 8.
spread_by_port() {
    forget_routes
    spread a dport 7412 && spread b dport 38733 && spread c dport 51990 &&
        spread a dport 20000-20511 && spread b dport 20512-21023 && spread c dport 21024-21535 && spread a
}

all_to() {
    forget_routes
    spread "$1"
}

prefix_of() {
    echo "${LOG_PREFIX%\] } $1] "
}

gateway_firewall() {
    LOG_PREFIX=$(prefix_of "$1") GATE=$(host "$1") firewall iptables &&
        on "$1" iptables -I INPUT -i eth0 -s "${inner[hub]}" -p tcp --dport 2514 -j ACCEPT
}

# --- the recipes, with this demo's places and ports ---

certificates() {
    mkdir -m 700 "$WORK/ca" &&
        (cd "$WORK/ca" && sh "$recipes/certificates.sh" hub="${inner[hub]}" gw-a="${inner[a]}" gw-b="${inner[b]}" \
            gw-c="${inner[c]}") >"$WORK/ca.log" 2>&1
}

# folders NAME CERTIFICATE
folders() {
    mkdir -m 711 "$WORK/$1" && mkdir -m 700 "$WORK/$1"/{etc,log,spool,state,keys} &&
        cp "$WORK/ca/ca.pem" "$WORK/$1/etc/" && cp "$WORK/ca/$2.pem" "$WORK/$1/etc/me.pem" &&
        cp "$WORK/ca/$2.key" "$WORK/$1/etc/me.key"
}

# fill_in NAME RECIPE: what stands in capitals there, paths, and the prefix by which each gateway's lines are known: of
# all namespaces the kernel writes one log.
fill_in() {
    sed -e "s|/etc/knock-fleet|$WORK/$1/etc|g; s|/var/log/|$WORK/$1/log/|g" \
        -e "s/HUB/${inner[hub]}/g; s/GW-A/${inner[a]}/g; s/GW-B/${inner[b]}/g; s/GW-C/${inner[c]}/g" \
        -e "s/FIRST/${sequence[0]%:tcp}/; s/SECOND:udp/${sequence[1]}/; s/THIRD/${sequence[2]%:tcp}/" \
        -e "/^source \"fleet\"/,/^}/ s/\(prefix *= \).*/\1{ \"$(prefix_of a)\", \"$(prefix_of b)\", \"$(prefix_of c)\" }/" \
        -e "s/\[KNOCK\] /$(prefix_of "$1")/g" \
        -e "s/\(max_age *= \)10.*/\1$max_age/; s/\(cmd_timeout *= \)30/\1$open_for/" \
        -e "s/\(server *= .*\)/\1  max_skew = $max_skew/" "$recipes/$2"
}

# The door by sequence and the one by key of the recipe; the third is for who knows one gateway's own address.
knockd_conf() {
    (umask 077 && {
        printf 'user      = "nobody"\nstate_dir = "%s"\ncontrol   = "%s"\nkey_dir   = "%s"\n' "$WORK/$1/state" \
            "$WORK/$1/control" "$WORK/$1/keys"
        fill_in "$1" knockd-rsyslog.conf | sed '/^door "console"/,/^}/d; s/^\( *port *= \)443/\1'$service/
    } >"$WORK/$1/knockd.conf")
}

start_rsyslogd() {
    local name=$1 here=$WORK/$1
    {
        printf 'global(workDirectory="%s")\n' "$here/spool"
        [ "$name" = hub ] || echo 'module(load="imkmsg")'
        fill_in "$name" "$2"
    } >"$here/rsyslog.conf"
    rm -f "$here/rsyslog.pid"
    ip netns exec "$(host "$name")" "${RSYSLOGD[@]}" -n -f "$here/rsyslog.conf" -i "$here/rsyslog.pid" \
        </dev/null >>"$here/rsyslog.out" 2>&1 &
    rsyslogd_of[$name]=$!
    started $!
    poll 10 listens "$name"
}

listens() {
    on "$1" ss -Hltn 'sport = 2514' | grep -q .
}

# Connections between the hub and each gateway, one for each direction.
engine_is_up() {
    [ "$(on hub ss -Htn state established '( sport = 2514 or dport = 2514 )' | wc -l)" -ge 6 ]
}

start_gateway() {
    local here=$WORK/$1
    : >"$here/log/knock-fleet.log"
    KNOCKD_LOG=$here/knockd.log
    : >"$KNOCKD_LOG"
    ip netns exec "$(host "$1")" "$KNOCKD" -c "$here/knockd.conf" </dev/null >"$KNOCKD_LOG" 2>&1 &
    KNOCKD_PID=$! knockd_of[$1]=$!
    started $!
    poll 10 knockd_ready_or_gone && grep -q "ready: " "$KNOCKD_LOG"
}

# --- what is looked at ---

rules() {
    on "$1" iptables -S INPUT | grep -e "--dport $service "
}

open_on() {
    rules "$1" | grep -qF -- "-s $client/"
}

closed_on() {
    local name
    for name; do
        [ -z "$(rules "$name")" ] || return 1
    done
}

# denied NAME: the client's packets that it denied and the kernel logged.
denied() {
    dmesg | grep -F -- "$(prefix_of "$1")" | grep -F "SRC=$client "
}

has_denied() {
    [ -n "$(denied "$1")" ]
}

opened_count() {
    grep -c ' opened for ' "$WORK/$1/knockd.log"
}

# gateways_say NAME...: what each gateway's knockd wrote of its doors since this was last asked.
gateways_say() {
    local name lines
    for name; do
        mapfile -t lines < <(tail -n +$((said_of[$name] + 1)) "$WORK/$name/knockd.log")
        said_of[$name]=$((said_of[$name] + ${#lines[@]}))
        [ ${#lines[@]} = 0 ] || output "$(printf '%s\n' "${lines[@]}" |
            sed -n "/ ready: \|: opened \|: closed \|: extended \| refused/ s/^/$name  /p")"
    done
}

# Through none of the gateways.
expect_no_answer() {
    local name
    for name in "${gateways[@]}"; do
        all_to "$name"
        can_connect $shared $service
        [ $? = 1 ] || fail "no answer from port $service through gateway $name" "one"
    done
    spread_by_port
    seen "port $service of $shared: no answer within 500 ms, whichever of ${gateways[*]} the router sends it to"
}

# no_connection NAME: a busy machine may have been too slow for a door of a few seconds.
no_connection() {
    local seen="none"
    ! closed_on "$1" || seen="none: the door, open for $open_for s, had closed before; is this machine busy?"
    fail "a connection to $shared through gateway $1" "$seen"
}

# connects NAME...: the router sends the client's connection to each of these.
connects() {
    local name
    for name; do
        all_to "$name"
        can_connect -w 1 $shared $service || no_connection "$name"
    done
    spread_by_port
    seen "the client connects, whichever of ${*} the router sends it to"
}

# --- the steps ---

scene() {
    local name
    heading "Three gateways with one address, made of network namespaces"
    cat <<END

  client  $client                 knows only $shared
  router                              sends each packet to one of the three, by its port
  a b c   $shared each               deny what comes in, and log it; port $service behind that
  hub     ${inner[hub]}               rsyslogd: sends each gateway's lines to all three, by RELP with TLS
END
    network || refuse "the network namespaces could not be made"
    nf_log_hold || refuse "the kernel's log of packets in namespaces can't be switched on"
    certificates || refuse "no certificates: $(tail -n 1 "$WORK/ca.log")"
    folders hub hub
    for name in "${gateways[@]}"; do
        { folders "$name" "gw-$name" && gateway_firewall "$name" && GATE=$(host "$name") serve $service; } ||
            refuse "gateway $name could not be set up"
    done
    spread_by_port || refuse "the router can't choose by port"
}

start_engine() {
    local name
    step "rsyslogd starts, on the hub and on each gateway, by the recipes of etc/examples/fleet"
    start_rsyslogd hub rsyslog-hub.conf || fail "rsyslogd on the hub" "$(tail -n 3 "$WORK/hub/rsyslog.out")"
    for name in "${gateways[@]}"; do
        start_rsyslogd "$name" rsyslog-gateway.conf || fail "rsyslogd on $name" "$(tail -n 3 "$WORK/$name/rsyslog.out")"
    done
    seen "it listens on all four"
}

start_gateways() {
    local name
    step "knockd starts on each, all with the same doors and the same key"
    for name in "${gateways[@]}"; do
        knockd_conf "$name"
    done
    "$KNOCKCTL" key new alice -c "$WORK/a/knockd.conf" >"$WORK/key.out" 2>&1 || fail "a key" "$(cat "$WORK/key.out")"
    (umask 077 && mkdir "$WORK/home" && cp "$WORK/a/keys/alice.key" "$WORK/home/")
    output "$(sed -n '/^source/,/^}/p; /^door "ssh"/,/^}/p' "$WORK/a/knockd.conf")"
    for name in "${gateways[@]}"; do
        [ "$name" = a ] || cp -p "$WORK/a/keys/alice.key" "$WORK/$name/keys/"
        start_gateway "$name" || fail "a line with \"ready\" from knockd on $name" "none within 10 s, or knockd ended"
    done
    first_start=$(now_ms)
    gateways_say "${gateways[@]}"
    seen "ready on all three"
}

no_knock() {
    step "without a knock, nothing answers"
    expect_no_answer
}

# all_open COMMAND...: by it each gateway opens, once, and its rule is there.
all_open() {
    local began knocker name took=''
    declare -A before=() ms=()
    for name in "${gateways[@]}"; do
        before[$name]=$(opened_count "$name")
    done
    began=$(now_ms)
    ip netns exec "$CLIENT" "$@" >"$WORK/knock.out" 2>&1 &
    knocker=$!
    started $knocker
    while [ ${#ms[@]} -lt 3 ]; do
        for name in "${gateways[@]}"; do
            [ -n "${ms[$name]:-}" ] || [ "$(opened_count "$name")" = "${before[$name]}" ] || ms[$name]=$(($(now_ms) - began))
        done
        [ $(($(now_ms) - began)) -lt 8000 ] ||
            fail "all three to open" "${!ms[*]} alone, within 8 s; knock: $(cat "$WORK/knock.out")"
    done
    wait $knocker || fail "knock to exit with 0" "exit status $?: $(cat "$WORK/knock.out")"
    for name in "${gateways[@]}"; do
        open_on "$name" || fail "a rule for $client on $name" "$(on "$name" iptables -S INPUT)"
        [ "$(opened_count "$name")" = $((before[$name] + 1)) ] || fail "one opening on $name" "more"
        took+="${took:+, }$name after ${ms[$name]} ms"
    done
    opened_in+=("$took")
    gateways_say "${gateways[@]}"
    seen "opened on $took; the rule for $client is there on each"
}

split_knock() {
    local name
    step "a knock at the shared address: each of its packets reaches another gateway"
    command_line "knock $shared ${sequence[*]}"
    all_open "$KNOCK" $shared "${sequence[@]}"
    for name in "${gateways[@]}"; do
        poll 3 has_denied "$name" || fail "a packet denied by $name" "none in the kernel's log"
    done
    printf '%16s%s\n' '' "what each of them denied, and logged:"
    output "$(for name in "${gateways[@]}"; do denied "$name" | tail -n 1 | sed 's/.*\(\[DENY.*\) MAC=[^ ]*\( SRC=[^ ]* DST=[^ ]*\).* \(PROTO=.*DPT=[0-9]*\).*/\1\2 ... \3/'; done)"
}

closing() {
    step "the doors close by themselves, $open_for s after they opened"
    poll $((open_for + 5)) closed_on "${gateways[@]}" || fail "no rule on any gateway" "$(rules a; rules b; rules c)"
    gateways_say "${gateways[@]}"
    seen "no rule is left on any"
}

state_is_old() {
    [ $(($(now_ms) - first_start)) -gt $(((max_skew + 1) * 1000)) ]
}

sealed_knock() {
    # knockd that doesn't know what it took before takes nothing that may be older than its state.
    printf '%16s%s\n' '' "(a knockd with a new state takes no sealed knock for max_skew, here $max_skew s: waiting)"
    poll $((max_skew + 2)) state_is_old || fail "a state folder older than max_skew" "a younger one"
    step "a sealed knock, 24 packets: each gateway gets a third of them, too few to read it"
    command_line "knock -k alice.key $shared web"
    HOME=$WORK/home all_open "$KNOCK" -k "$WORK/home/alice.key" $shared web
}

engine_dies() {
    local pid
    step "the hub dies: kill -9 of its rsyslogd"
    pid=${rsyslogd_of[hub]}
    command_line "kill -KILL $pid"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    poll 5 eval '! listens hub' || fail "nobody who listens on the hub" "somebody"
    seen "the stream stops"
}

knock_in_vain() {
    step "now a knock that is spread over them opens nothing"
    command_line "knock $shared ${sequence[*]}"
    on_client "$KNOCK" $shared "${sequence[@]}" || fail "knock to exit with 0" "exit status $?"
    expect_no_answer
    closed_on "${gateways[@]}" || fail "no rule on any gateway" "$(rules a; rules b; rules c)"
}

by_itself() {
    local name
    step "but each gateway still opens by what it hears itself: the router sends all packets to one of them"
    for name in "${gateways[@]}"; do
        all_to "$name"
        command_line "knock $shared ${sequence[*]}          # all to $name"
        on_client "$KNOCK" $shared "${sequence[@]}" || fail "knock to exit with 0" "exit status $?"
        POLL_STEP=0.01 poll 8 open_on "$name" || fail "a rule for $client on $name" "none within 8 s"
        can_connect -w 1 $shared $service || no_connection "$name"
        gateways_say "$name"
    done
    spread_by_port
    seen "a, b and c, each by its source \"local\""
}

engine_returns() {
    local name
    # What waits in queues is to be too old then: that this opens nothing is shown, too.
    sleep $max_age
    step "the hub comes back; what waited for it meanwhile arrives, older than max_age, $max_age s"
    start_rsyslogd hub rsyslog-hub.conf || fail "rsyslogd on the hub" "$(tail -n 3 "$WORK/hub/rsyslog.out")"
    poll 30 engine_is_up || fail "connections between the hub and each gateway" "$(on hub ss -Htn)"
    poll 30 all_late || fail "old lines that each gateway refuses" "$(for name in "${gateways[@]}"; do late "$name"; done)"
    closed_on "${gateways[@]}" || fail "no rule on any gateway: those lines are old" "$(rules a; rules b; rules c)"
    command_line "knockctl sources"
    output "$(control a sources | sed -n '/^source fleet/,$p')"
    seen "it opens nothing"
}

control() {
    "$KNOCKCTL" "$2" -s "$WORK/$1/control" "${@:3}"
}

# late NAME: how many lines of the stream it refused for their age.
late() {
    control "$1" sources --json | tr '\n{' ' \n' | sed -n '/"fleet"/ s/.*"stale": *\([0-9]*\).*/\1/p'
}

# Packets of a knock that was spread, of one at each gateway, and of three attempts to connect.
denied_without_hub=15

all_late() {
    local name
    for name in "${gateways[@]}"; do
        [ "$(late "$name")" -ge $denied_without_hub ] || return 1
    done
}

end() {
    local name status
    step "knockd ends on all"
    for name in "${gateways[@]}"; do
        stop "${knockd_of[$name]}"
        status=$?
        [ $status = 0 ] || fail "exit status 0 after SIGTERM, on $name" "exit status $status"
    done
    closed_on "${gateways[@]}" || fail "no rule left behind" "$(rules a; rules b; rules c)"
    seen "exit status 0, no rule left behind"
}

play() {
    heading "All three hear what any of them denies"
    start_engine
    start_gateways
    no_knock
    poll 30 engine_is_up || fail "connections between the hub and each gateway" "$(on hub ss -Htn)"
    split_knock
    connects "${gateways[@]}"
    closing
    sealed_knock
    connects "${gateways[@]}"
    closing
    heading "Without what is in the middle, each hears itself"
    engine_dies
    knock_in_vain
    by_itself
    closing
    engine_returns
    split_knock
    closing
    end
    printf '\n%sAll %d steps seen in %d ms. From knock to open door: %s.%s\n' "$green$bold" "$step_count" \
        $(($(now_ms) - demo_start)) "${opened_in[0]}" "$plain"
}

for program in "$KNOCKD" "$KNOCK" "$KNOCKCTL"; do
    [ -x "$program" ] || refuse "no $program; run make first"
done
lacks=$(netns_lacks)
[ -z "$lacks" ] || refuse "$lacks"
netns_begin
engine_rsyslog || refuse "no rsyslogd with RELP"
scene
play
