# Sourced by the parts of the benchmark that measure programs in the current folder, which bench.sh makes; `built` is
# where the programs are.
# shellcheck shell=bash
# shellcheck disable=SC2034 # for those who source this

set -u
export LC_ALL=C

: "${built:?bench.sh says it}"
# shellcheck source-path=SCRIPTDIR source=bench-record.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-record.sh"
knockd=$built/knockd/knockd knockctl=$built/knockctl/knockctl daemon='' listener=''

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# poll CMD...: until it succeeds, a minute at most.
poll() {
    local deadline=$((SECONDS + 60))
    until "$@"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.02
    done
}

is_ready() { grep -q ready daemon.log; }

# start_daemon: by knockd.conf, for root; sets `daemon` and `listener`, and ends it when the shell exits.
start_daemon() {
    mkdir -p state
    : >kern.log
    : >daemon.log
    "$knockd" -c knockd.conf >daemon.log 2>&1 &
    daemon=$!
    trap end_daemon EXIT
    poll is_ready || die "knockd did not start: $(cat daemon.log)"
    listener=$(pgrep -P "$daemon" -x knockd-listener) || die "knockd has no listener: $(cat daemon.log)"
}

end_daemon() {
    kill "$daemon"
    wait "$daemon"
}

# spent PID: ms on a processor so far.
spent() {
    awk '{ printf "%d\n", $1 / 1000000 }' "/proc/$1/schedstat"
}

# has_read LINES: whether the daemon has so many from kern.log.
has_read() {
    "$knockctl" sources --json -c knockd.conf | grep -Eq "\"lines\": ?$1\b"
}
