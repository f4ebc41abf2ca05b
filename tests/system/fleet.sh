# Sourced by the tests of several gateways: three (a, b, c) and a hub, each a network namespace with a folder of its own
# below WORK, on one wire. They run the recipes of etc/examples/fleet as they are shipped, but for addresses, paths, the
# times below, type kmsg, which becomes a file, since the kernel's log is one for the whole machine, and the rules of
# doors, which become commands that do nothing: other tests open doors.
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source-path=SCRIPTDIR source=../../scripts/engines.sh
. "$TREE/scripts/engines.sh"

FLEET=$TREE/etc/examples/fleet
STEPS=(51990 8733:udp 40112)
CONSOLE=(52091 8834:udp 41113)
SEAL=$BUILT/tools/seal
MAX_AGE=3     # seconds, in place of 10
OPEN_FOR=3600 # in place of 30
ENGINE='' SETTLED=''
declare -A ADDRESS=([hub]=192.0.2.10 [a]=192.0.2.11 [b]=192.0.2.12 [c]=192.0.2.13) KNOCKD_OF=() ENGINE_OF=()
fleet_count=0 knockers=0

# fleet_begin ENGINE: rsyslog, mesh, nats or redis; or the test is skipped with the reason.
fleet_begin() {
    local lacks host
    ENGINE=$1 KERNEL_LOG=''
    lacks=$(hosts_lack)
    [ -z "$lacks" ] || skip_all "$lacks"
    command -v openssl >/dev/null || skip_all "needs the command openssl; see scripts/deps.sh"
    netns_begin
    trap tap_end EXIT
    needs_knockd
    [ -x "$SEAL" ] || bail "no $SEAL; run make tests first"
    "engine_${ENGINE/mesh/rsyslog}" 2>"$WORK/why" || skip_all "$ENGINE does not run here: $(tail -n 1 "$WORK/why")"
    fleet_hosts || bail "the hosts could not be made"
    fleet_files || bail "the files could not be made"
}

host_of() {
    echo "knockd-$$-$1"
}

on() {
    local host
    host=$(host_of "$1")
    shift
    ip netns exec "$host" "$@"
}

# The wire is a bridge in a namespace of its own: each host's end there can go down, and nobody is told.
fleet_hosts() {
    local name wire
    wire=$(host_of wire)
    make_host "$wire" && ip -n "$wire" link add fleet type bridge && ip -n "$wire" link set fleet up || return 1
    for name in hub a b c; do
        make_host "$(host_of "$name")" &&
            ip -n "$(host_of "$name")" link add eth0 type veth peer name "$name" netns "$wire" &&
            ip -n "$wire" link set dev "$name" master fleet up &&
            add_address "$(host_of "$name")" "${ADDRESS[$name]}" &&
            ip -n "$(host_of "$name")" link set eth0 up || return 1
    done
}

# cut_link NAME, mend_link NAME: its packets vanish; the host sees its link up.
cut_link() {
    ip -n "$(host_of wire)" link set dev "$1" nomaster
}

mend_link() {
    ip -n "$(host_of wire)" link set dev "$1" master fleet
}

# --- files ---

fleet_files() {
    local name
    mkdir -m 755 "$WORK"/{ca,hub,a,b,c} &&
        (cd "$WORK/ca" && sh "$FLEET/certificates.sh" "hub=${ADDRESS[hub]}" gw-a="${ADDRESS[a]}" gw-b="${ADDRESS[b]}" \
            gw-c="${ADDRESS[c]}" gw-x="${ADDRESS[c]}" 2>"$WORK/ca/log") || return 1
    for name in hub a b c; do
        mkdir -m 755 "$WORK/$name"/{etc,log,spool,state} || return 1
        # Modes as in the recipe, but for the group, which this machine may not have.
        install -m 644 "$WORK/ca/ca.pem" "$WORK/$name/etc/ca.pem" &&
            certify "$name" "$(certificate_of "$name")" || return 1
        : >"$WORK/$name/kern.log"
        : >"$WORK/$name/stream.log"
        : >"$WORK/$name/knockd.log"
    done
}

certificate_of() {
    if [ "$1" = hub ]; then echo hub; else echo "gw-$1"; fi
}

# fill_in NAME FILE: the recipe as that host has it.
fill_in() {
    local here=$WORK/$1
    sed -e "s|/etc/knock-fleet|$here/etc|g; s|/var/log/|$here/log/|g; s|/var/lib/nats|$here/spool|g" \
        -e "s|/etc/redis/users.acl|$here/etc/users.acl|g; s|/usr/local/sbin/|$here/|g" \
        -e "s/HUB/${ADDRESS[hub]}/g; s/GW-A/${ADDRESS[a]}/g; s/GW-B/${ADDRESS[b]}/g; s/GW-C/${ADDRESS[c]}/g" \
        -e "s/0\.0\.0\.0/${ADDRESS[hub]}/g" \
        -e "s/FIRST/${STEPS[0]}/; s/SECOND:udp/${STEPS[1]}/; s/THIRD/${STEPS[2]}/" \
        -e "s/FOURTH/${CONSOLE[0]}/; s/FIFTH:udp/${CONSOLE[1]}/; s/SIXTH/${CONSOLE[2]}/" \
        -e "s/\(cmd_timeout *= \)30\b/\1$OPEN_FOR/; s/\(max_age *= \)10\b/\1$MAX_AGE/" \
        -e "s|type   = kmsg|type = file path = \"$here/kern.log\"|" "$FLEET/$2"
}

# --- knockd ---

key_text() {
    printf 'key = "%s"\nserver = "fleet.example"\n' "$(echo "$1" | sha256sum | cut -d' ' -f1)"
}

# configure NAME: its knockd.conf, and what standard input adds.
configure() {
    local here=$WORK/$1 recipe=${ENGINE/mesh/rsyslog}
    (umask 077 && mkdir -p "$here/keys" && key_text alice >"$here/keys/alice.key" && {
        printf 'user = nobody\nstate_dir = "%s"\ncontrol = "%s"\nkey_dir = "%s"\n' "$here/state" "$here/control" \
            "$here/keys"
        fill_in "$1" "knockd-$recipe.conf"
        cat
    } >"$here/knockd.conf")
    [ -n "$(find "$here/state" -name 'state.*')" ] || "$BUILT/tools/old_state" "$here/state"
}

# start_gateway NAME: its knockd, which says all to knockd.log in its folder.
start_gateway() {
    local here=$WORK/$1 before
    before=$(grep -c 'ready: ' "$here/knockd.log")
    ip netns exec "$(host_of "$1")" "$KNOCKD" -c "$here/knockd.conf" </dev/null >>"$here/knockd.log" 2>&1 &
    KNOCKD_OF[$1]=$!
    started $!
    poll 20 gateway_ready "$1" "$before"
}

gateway_ready() {
    [ "$(grep -c 'ready: ' "$WORK/$1/knockd.log")" -gt "$2" ] || ended "${KNOCKD_OF[$1]}"
}

# start_gateways: all three, with the recipe alone, which has to be right without a warning.
start_gateways() {
    local name here
    for name in a b c; do
        here=$WORK/$name
        configure "$name" </dev/null || bail "no configuration"
        [ "$ENGINE" = nats ] || [ "$ENGINE" = redis ] || : >"$here/log/knock-fleet.log"
        is "$name: the recipe is right" "$(verdict on "$name" "$KNOCKD" -t -c "$here/knockd.conf")" \
            "source fleet: remote, max_age $MAX_AGE s"$'\n'"configuration OK"
        # The benchmark keeps the rules.
        [ -n "${KEEP_RULES:-}" ] ||
            sed -i 's|^    rule .*|    start_command = "/bin/true"  stop_command = "/bin/true"|; s/^    port .*//' \
                "$here/knockd.conf"
        start_gateway "$name"
        grep -q 'ready: ' "$here/knockd.log" || bail "knockd did not start: $(tail -n 3 "$here/knockd.log")"
    done
}

ctl() {
    local name=$1
    shift
    "$KNOCKCTL" "${@:1:1}" -s "$WORK/$name/control" "${@:2}"
}

opened_once() {
    [ "$(grep -c "door $3: opened for $2," "$WORK/$1/knockd.log")" = 1 ]
}

# extended NAME ADDRESS: what the gateway says of openings that it prolonged.
extended() {
    grep -E "(extended|again) for $2," "$WORK/$1/knockd.log"
}

# opens DESCRIPTION ADDRESS DOOR NAME...: on these gateways it opens, once.
opens() {
    local description=$1 address=$2 door=$3 name
    shift 3
    for name; do
        KNOCKD_LOG=$WORK/$name/knockd.log
        ok "$description: $name opens" poll 10 opened_once "$name" "$address" "$door"
    done
    KNOCKD_LOG=''
}

# stays_shut DESCRIPTION ADDRESS NAME...: nothing opened for it.
stays_shut() {
    local description=$1 address=$2 name
    shift 2
    for name; do
        is "$description: $name doesn't open" "$(grep -E "(opened|extended) for $address," "$WORK/$name/knockd.log")" ''
    done
}

# --- lines as the kernel writes them ---

# packet FROM STEP [LENGTH]: with so many bytes of data; sets PACKET, each time another packet.
packet() {
    local port=${2%:*} proto=tcp spt=$((1024 + fleet_count++ % 60000))
    [[ $2 != *:* ]] || proto=${2#*:}
    PACKET="[KNOCK] IN=eth0 OUT= MAC=02:00:00:00:00:01 SRC=$1 DST=198.51.100.7 LEN=60 TOS=0x00 PREC=0x00 TTL=64 "
    PACKET+="ID=$spt DF "
    if [ "$proto" = udp ]; then
        PACKET+="PROTO=UDP SPT=$spt DPT=$port LEN=$((8 + ${3:-1})) "
    else
        PACKET+="PROTO=TCP SPT=$spt DPT=$port WINDOW=64240 RES=0x00 SYN URGP=0 "
    fi
}

# stamped NAME [SECONDS]: sets LINE, PACKET as that host's log has it now, or as if its clock were wrong by so much.
stamped() {
    local us=${EPOCHREALTIME#*.}
    printf -v LINE '%(%Y-%m-%dT%H:%M:%S)T.%s+00:00 gw-%s kernel: [ 4711.%s] %s' $((${EPOCHREALTIME%.*} + ${2:-0})) \
        "$us" "$1" "$us" "$PACKET"
}

# local_line NAME, stream_line NAME [SECONDS]: PACKET reaches the gateway's own source; what sends to the others.
local_line() {
    stamped "$1"
    echo "$LINE" >>"$WORK/$1/kern.log"
}

stream_line() {
    if [ -p "$WORK/$1/kmsg" ]; then
        echo "<4>[ 4711.123456] $PACKET" >"$WORK/$1/kmsg"
    else
        stamped "$1" "${2:-0}"
        echo "$LINE" >>"$WORK/$1/stream.log"
    fi
}

# arrives NAME FROM STEP [LENGTH]: a packet that the gateway denies.
arrives() {
    packet "${@:2}"
    local_line "$1"
    stream_line "$1"
}

# knocker: sets FROM to an address that hasn't knocked.
knocker() {
    FROM=198.18.$((++knockers / 250)).$((knockers % 250 + 1))
}

# knock_at FROM NAME NAME NAME: the packet of each step reaches that gateway, PAUSE seconds apart, or as knock has it.
knock_at() {
    local i
    for i in 0 1 2; do
        [ "$i" = 0 ] || sleep "${PAUSE:-0.02}"
        arrives "${@:i + 2:1}" "$1" "${STEPS[i]}"
    done
}

# spread_opens DESCRIPTION NAME NAME NAME: a knock over these gateways opens on all. Where one of them is held up, its
# packet comes behind the next one's, and another address knocks more slowly. Sets FROM.
spread_opens() {
    local description=$1 pause
    shift
    for pause in 0.02 0.2 1 3; do
        knocker
        PAUSE=$pause knock_at "$FROM" "$@"
        briefly poll 3 opened_on "$FROM" a b c && break
    done
    opens "$description" "$FROM" ssh a b c
}

# seal_for FROM [SECONDS]: the file packets is a sealed knock at door web, "tcp PORT" or "udp PORT LENGTH" a line.
seal_for() {
    local us=${EPOCHREALTIME#*.} ticks
    ticks=$(((${EPOCHREALTIME%.*} + ${2:-0}) << 16 | 10#$us * 65536 / 1000000))
    "$SEAL" "$WORK/a/keys/alice.key" 20000 udp "$1" "$ticks" 1 web 0 0 - | tail -n +2 >"$WORK/packets"
}

# send_sealed FROM NAME...: the packets as they stand there reach these gateways in turn.
send_sealed() {
    local from=$1 proto port length i=0
    shift
    while read -r proto port length; do
        arrives "${@:i++ % $# + 1:1}" "$from" "$port:$proto" "$length"
    done <"$WORK/packets"
}

# sealed_knock FROM NAME...
sealed_knock() {
    seal_for "$1"
    send_sealed "$@"
}

# --- the engine ---

# run NAME OF COMMAND...: a program of the engine on that host.
run() {
    local name=$1 of=$2
    shift 2
    (cd "$WORK/$name" && exec setsid ip netns exec "$(host_of "$name")" "$@" </dev/null >>"$WORK/$name/$of.out" 2>&1) &
    ENGINE_OF[$name.$of]=$!
    started $!
}

# start_rsyslogd NAME RECIPE [SED]
start_rsyslogd() {
    local here=$WORK/$1
    # shellcheck disable=SC2034 # it keeps a writer, else rsyslogd would read its end
    [ -p "$here/kmsg" ] || { mkfifo "$here/kmsg" && exec {fleet_fifo}<>"$here/kmsg"; } || return 1
    {
        printf 'global(workDirectory="%s")\n' "$here/spool"
        [ "$1" = hub ] || printf 'module(load="imklog" logPath="%s")\n' "$here/kmsg"
        fill_in "$1" "$2" | sed "${3:-}"
    } >"$here/rsyslog.conf"
    rm -f "$here/rsyslog.pid"
    run "$1" rsyslogd "${RSYSLOGD[@]}" -n -f "$here/rsyslog.conf" -i "$here/rsyslog.pid"
    poll 10 listens "$1" 2514
}

listens() {
    on "$1" ss -Hltn "sport = $2" | grep -q .
}

# start_broker, and kill_broker: what stands in the middle, or of a mesh, b's.
start_broker() {
    local here=$WORK/hub
    case $ENGINE in
    rsyslog) start_rsyslogd hub rsyslog-hub.conf ;;
    mesh) start_mesh b ;;
    nats)
        fill_in hub nats-server.conf >"$here/nats.conf"
        run hub broker "$NATS_SERVER" -c "$here/nats.conf" && poll 10 listens hub 8883 ;;
    redis)
        fill_in hub redis-users.acl >"$here/etc/users.acl"
        { printf 'dir %s\nsave ""\n' "$here/spool"; fill_in hub redis.conf; } >"$here/redis.conf"
        run hub broker bash -c 'exec -a redis-server "$@"' - "$REDIS_SERVER" "$here/redis.conf" &&
            poll 10 listens hub 6380 ;;
    esac
}

# The recipe is gateway a's.
start_mesh() {
    local swap=''
    [ "$1" = a ] || swap="s/gw-$1/gw-a/; s/${ADDRESS[$1]}/${ADDRESS[a]}/"
    start_rsyslogd "$1" rsyslog-mesh.conf "$swap"
}

# has_journal FOLDER: that gateway's lines are in a journal.
has_journal() {
    mkdir -p "$1/bin" && sed -i 's/^LOG=.*/LOG=/' "$1/etc/env" &&
        printf '#!/bin/sh\necho "journalctl $*" >&2\nexec tail -n 0 -F %s\n' "$1/stream.log" >"$1/bin/journalctl" &&
        chmod 755 "$1/bin/journalctl"
}

# start_sender NAME: what carries the gateway's own lines to the broker, and rsyslog's other direction.
start_sender() {
    local here=$WORK/$1 name
    case $ENGINE in
    rsyslog) start_rsyslogd "$1" rsyslog-gateway.conf ;;
    mesh) start_mesh "$1" ;;
    *)
        for name in knock-publish knock-subscribe; do
            fill_in "$1" $name >"$here/$name" && chmod 755 "$here/$name" || return 1
        done
        fill_in "$1" env | sed "s/gw-a/gw-$1/; s/PASSWORD-A/PASSWORD-${1^}/; s|^LOG=|&$here/stream.log|" \
            >"$here/etc/env"
        [ "$1" != c ] || has_journal "$here"
        # As the unit does: started again after a second.
        # shellcheck disable=SC2016 # the inner shell's
        run "$1" sender env "PATH=$here/bin:$PATH" bash -c 'while :; do setsid -w setpriv --reuid=nobody \
            --regid=nogroup --clear-groups "$0" "$1"; sleep 1; done' "$here/knock-publish" "$ENGINE" ;;
    esac
}

# restart_sender NAME
restart_sender() {
    local pid
    # Each in a group of its own; by its whole path, which is this test's.
    for pid in ${ENGINE_OF[$1.sender]:-} ${ENGINE_OF[$1.rsyslogd]:-} $(pgrep -f "^/bin/sh $WORK/$1/knock-publish"); do
        kill -KILL -- "-$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    start_sender "$1"
}

# certify NAME AS: from its next connection on it shows the certificate of that name.
certify() {
    local part
    for part in pem key; do
        install -m 640 -g nogroup "$WORK/ca/$2.$part" "$WORK/$1/etc/me.$part" || return 1
    done
}

# start_engine: all of it, before the gateways' knockd.
start_engine() {
    local name
    [ "$ENGINE" = mesh ] || start_broker || bail "no $ENGINE: $(tail -n 3 "$WORK"/hub/*.out)"
    for name in a b c; do
        start_sender "$name" || bail "no sender at $name: $(tail -n 3 "$WORK/$name"/*.out)"
    done
}

kill_broker() {
    local pid=${ENGINE_OF[hub.broker]:-}
    [ "$ENGINE" != rsyslog ] || pid=${ENGINE_OF[hub.rsyslogd]}
    [ "$ENGINE" != mesh ] || pid=${ENGINE_OF[b.rsyslogd]}
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
}

# settled [SECONDS [NAME...]]: lines of each gateway reach these, by default all, shown by knocks that open there. Sets
# SETTLED, the ms it took, and FROM, who knocked last.
settled() {
    local seconds=${1:-30} begun name end
    shift
    [ $# -gt 0 ] || set -- a b c
    begun=$(now_ms) end=$(($(now_ms) + seconds * 1000))
    for name in a b c; do
        while :; do
            knocker
            knock_at "$FROM" "$name" "$name" "$name"
            POLL_STEP=0.02 briefly poll 1 opened_on "$FROM" "$@" && break
            [ "$(now_ms)" -lt $end ] || return 1
        done
    done
    # shellcheck disable=SC2034 # for the tests
    SETTLED=$(($(now_ms) - begun))
}

opened_on() {
    local address=$1 name
    shift
    for name; do
        opened_once "$name" "$address" ssh || return 1
    done
}
