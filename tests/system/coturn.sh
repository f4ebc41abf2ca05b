# Sourced by tests with a STUN server: coturn from Debian, unpacked, never installed: its package would start a relay.
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=../../scripts/unpack.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/unpack.sh"

coturn_libs() {
    find "$1"/usr/lib "$1"/lib -maxdepth 1 -type d -name '*-linux-*' 2>/dev/null | paste -sd:
}

# coturn_lacks ROOT: what keeps the turnserver there from running; nothing when it can.
coturn_lacks() {
    if [ -x "$1/usr/bin/turnserver" ]; then
        unpack_lacking "$1/usr/bin/turnserver" "$(coturn_libs "$1")"
    else
        echo turnserver
    fi
}

# start_coturn HOST ADDRESS...: on port 3478 of these addresses, for STUN alone.
start_coturn() {
    local host=$1 address listen=() log=$WORK/coturn.log
    shift
    unpack coturn coturn_lacks || return 1
    for address; do
        listen+=(--listening-ip="$address" --relay-ip="$address")
    done
    mkdir -p "$WORK/coturn"
    (cd "$WORK/coturn" && exec ip netns exec "$host" \
        env LD_LIBRARY_PATH="$(coturn_libs "$unpack_root")" "$unpack_root/usr/bin/turnserver" -n --stun-only --no-cli \
        --no-tls --no-dtls --no-tcp --db="$WORK/coturn/db" --pidfile="$WORK/coturn/pid" --log-file=stdout \
        --simple-log "${listen[@]}" </dev/null >"$log" 2>&1) &
    started $!
    poll 10 answers_stun "$host" "$1" || { tail -n 5 "$log" >&2; return 1; }
}

# answers_stun HOST ADDRESS: whether someone there listens to UDP port 3478.
answers_stun() {
    ip netns exec "$1" ss -Hlun "src $2 and sport = 3478" | grep -q .
}
