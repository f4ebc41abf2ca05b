# Sourced by the tests of the client's profiles: a user without any privilege on the client host, its files, and what
# arrives at the gate.
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=device.sh
. "$(dirname "${BASH_SOURCE[0]}")/device.sh"

UNSEAL=$BUILT/tools/unseal
SECRET=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
SERVICE=2222
knock_calls=0

# begin_client: hosts, the user's home with profiles and a key, a service behind the gate's firewall, the tap.
begin_client() {
    needs_hosts
    [ -x "$UNSEAL" ] || bail "no $UNSEAL; run make tests first"
    [ -x "$KNOCK" ] || bail "no $KNOCK; run make tests first"
    export HOME=$WORK/home
    unset XDG_CONFIG_HOME XDG_STATE_HOME
    # shellcheck disable=SC2034 # for those who source this
    CONF=$HOME/.config/knock KEY=$HOME/.config/knock/gate.key STATE=$HOME/.local/state/knock
    TAP=$WORK/tap
    mkdir -p "$CONF"
    printf 'key = "%s"\nserver = "gate.example"\n' "$SECRET" >"$KEY"
    cp "$KEY" "$WORK/unseal.key" # for root, who may not use another's
    chmod 600 "$WORK/unseal.key"
    profiles
    own_home
    if ! firewall4 || ! firewall6 || ! serve $SERVICE; then
        bail "the gate could not be made"
    fi
    : >"$WORK/tap.out"
    ip netns exec "$GATE" perl "$TREE/tests/system/knock-tap.pl" "$TAP" </dev/null >"$WORK/tap.out" 2>&1 &
    started $!
    poll 5 grep -q ready "$WORK/tap.out" || bail "the tap did not start: $(cat "$WORK/tap.out")"
}

# blind*: with no port to wait for. ssh*: with one.
profiles() {
    cat >"$CONF/knock.conf" <<EOF
delay = 0
profile "blind"  { host = $GATE4  door = "ssh"  key = "gate.key" }
profile "blind6" { host = "$GATE6"  door = "ssh"  key = "gate.key"  seconds = 5m }
profile "ssh"    { host = $GATE4  door = "ssh"  key = "gate.key"  port = $SERVICE }
profile "ssh6"   { host = "$GATE6"  door = "ssh"  key = "gate.key"  port = $SERVICE }
profile "plain"  { host = $GATE4  sequence = { 7000, "8000:udp", 9000 }  port = $SERVICE }
profile "once"   { host = $GATE4  once = "once" }
EOF
}

own_home() {
    chown -R $NOBODY:$NOBODY "$HOME"
    find "$HOME" -type f -exec chmod 600 {} +
}

# shellcheck disable=SC2034
# knock ARGUMENT...: sets STATUS, OUT and ERR, and FROM, after which line the tap has its packets.
knock() {
    FROM=$(wc -l <"$TAP")
    as_user "$KNOCK" "$@" </dev/null >"$WORK/out" 2>"$WORK/err"
    STATUS=$?
    OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
    sentinel
}

# A packet behind all others: when the tap has it, it has them.
sentinel() {
    local port=$((61000 + ++knock_calls % 1000)) before
    before=$(wc -l <"$TAP")
    send_knock - "$GATE4" $port:udp
    poll 5 seen_sentinel "$before" $port || bail "the tap is deaf"
}

seen_sentinel() {
    tail -n +$(($1 + 1)) "$TAP" | grep -q "^udp $CLIENT4 [0-9]* $2 "
}

# arrived: the knock's packets, neither the sentinel nor attempts at the service.
arrived() {
    tail -n +$((FROM + 1)) "$TAP" | awk -v service=$SERVICE '$4 != service && $4 < 61000'
}

count() {
    arrived | wc -l
}

source_ports() {
    arrived | cut -d' ' -f3 | sort -u | wc -l
}

# unseal SOURCE [SPAN]: reads lines of the tap from standard input; prints what the message says.
unseal() {
    awk '{ print $1, $4, $5, $6 }' | "$UNSEAL" "$WORK/unseal.key" "$1" "${2:-20000}"
}

# The message of the last knock without its time.
message() {
    arrived | unseal "${1:-$CLIENT4}" "${2:-20000}" | cut -d' ' -f1,2,4-
}

# open_after N: lets the client in when N packets of a knock have arrived from now on.
open_after() {
    local need=$1
    FROM=$(wc -l <"$TAP")
    (poll 10 has_arrived "$need" && on_gate iptables -I INPUT -p tcp --dport $SERVICE -j ACCEPT &&
        on_gate ip6tables -I INPUT -p tcp --dport $SERVICE -j ACCEPT) &
    opener=$!
}

has_arrived() {
    [ "$(count)" -ge "$1" ]
}

shut_again() {
    wait "$opener"
    on_gate iptables -D INPUT -p tcp --dport $SERVICE -j ACCEPT
    on_gate ip6tables -D INPUT -p tcp --dport $SERVICE -j ACCEPT
}

# named ADDRESS...: what gate.test is from now on.
named() {
    : >"$WORK/hosts"
    for address; do
        echo "$address gate.test" >>"$WORK/hosts"
    done
}

# named_knock ARGUMENT...: like knock, with that name.
# shellcheck disable=SC2016,SC2034 # the inner shell's; for those who source this
named_knock() {
    FROM=$(wc -l <"$TAP")
    ip netns exec "$CLIENT" sh -c 'mount --bind "$0" /etc/hosts && exec "$@"' "$WORK/hosts" \
        "${UNPRIVILEGED[@]}" "$KNOCK" "$@" </dev/null >"$WORK/out" 2>"$WORK/err"
    STATUS=$?
    OUT=$(cat "$WORK/out") ERR=$(cat "$WORK/err")
    sentinel
}

# by4, by6: how many packets of the knock came by that family.
by4() {
    arrived | awk '$2 !~ /:/' | wc -l
}

by6() {
    arrived | awk '$2 ~ /:/' | wc -l
}

# let_in IPTABLES...: the service is open by these families, until shut_out.
let_in() {
    local tool
    for tool; do
        on_gate "$tool" -I INPUT -p tcp --dport $SERVICE -j ACCEPT
    done
}

shut_out() {
    local tool
    for tool; do
        on_gate "$tool" -D INPUT -p tcp --dport $SERVICE -j ACCEPT
    done
}

# in_time N COMMAND...: runs it in the background when N packets have come from now on; then wait "$opener".
in_time() {
    local need=$1
    shift
    FROM=$(wc -l <"$TAP")
    (POLL_STEP=0.02 poll 10 has_arrived "$need" && "$@") &
    opener=$!
}
