# Sourced by the system tests: TAP, on top of the hosts of scripts/netns.sh.
#
#   . "$(dirname "$0")/lib.sh"
#   needs_hosts
#   plan 2
#   ok   "the gate answers" on_client ping -c 1 "$GATE4"
#   is   "one rule" "$(on_gate iptables -S INPUT | grep -c 2222)" 1
#   like "the log tells why" "$(cat "$KNOCKD_LOG")" 'step 1 of 3'
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=../../scripts/netns.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../scripts/netns.sh"

tap_count=0 tap_failed=0 tap_planned=''

# What must happen is waited for, and waiting ends when it has: a deadline costs nothing where all is well. So none is
# shorter than this, however busy the machine is with other tests. Where a time is the promise, it is measured; where
# another try follows, there is `briefly`.
# shellcheck disable=SC2034 # poll's
POLL_LEAST=60
# How long a busy machine may hold up what has a time to be done by, in ms: the headroom of upper limits.
# shellcheck disable=SC2034 # the tests'
HELD_UP=40000

# briefly CMD...: with the deadlines that it says.
briefly() {
    local POLL_LEAST=0
    "$@"
}

# plan N: how many tests follow. Without a plan, done_testing comes last.
plan() {
    tap_planned=$1
    echo "1..$1"
}

done_testing() {
    echo "1..$tap_count"
    tap_planned=$tap_count
}

# diag TEXT: lines for the reader, beside the result.
diag() {
    local line
    while IFS= read -r line; do
        echo "# $line" >&2
    done <<<"$*"
}

skip_all() {
    echo "1..0 # SKIP $*"
    exit 0
}

# bail TEXT: there is no use in going on with this file. (TAP's "Bail out!" would end all other files as well.)
bail() {
    tap_count=$((tap_count + 1)) tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - can't go on: $*"
    exit 1
}

# tap_result STATUS DESCRIPTION: the line of one test; a failed one says where it stands and what knockd said last.
tap_result() {
    tap_count=$((tap_count + 1))
    if [ "$1" = 0 ]; then
        echo "ok $tap_count - $2"
        return 0
    fi
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - $2"
    diag "at ${BASH_SOURCE[2]} line ${BASH_LINENO[1]}"
    [ ! -s "$KNOCKD_LOG" ] || diag "knockd's last lines:"$'\n'"$(tail -n 8 "$KNOCKD_LOG")"
    return 1
}

# ok DESCRIPTION CMD...: CMD succeeds; what it prints goes beside the result.
# `ok DESCRIPTION not CMD...`: it fails.
ok() {
    local description=$1 status
    shift
    "$@" >&2
    status=$?
    tap_result $status "$description" || diag "exit status $status: $*"
}

not() {
    ! "$@"
}

# skip DESCRIPTION REASON: a test that can't be made here.
skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

is() {
    local status=1
    [ "$2" != "$3" ] || status=0
    tap_result $status "$1" || diag "got:      $2"$'\n'"expected: $3"
}

# like DESCRIPTION GOT REGEX: the extended regular expression is found in GOT.
like() {
    local status=1
    [[ ! $2 =~ $3 ]] || status=0
    tap_result $status "$1" || diag "got:      $2"$'\n'"expected: something like $3"
}

# A test that stopped before its plan's end has failed, whatever its last command returned.
tap_end() {
    local status=$?
    [ "$tap_failed" = 0 ] || status=1
    [ -z "$tap_planned" ] || [ "$tap_planned" = "$tap_count" ] || status=1
    (exit $status)
    netns_end
}

# needs_hosts: gate and client, or the test is skipped with the reason.
needs_hosts() {
    local lacks
    lacks=$(netns_lacks)
    [ -z "$lacks" ] || skip_all "$lacks"
    netns_begin
    trap tap_end EXIT
    make_hosts || bail "the hosts could not be made"
}

# verdict COMMAND...: what `knockd -t` says, but for its doubts about the switch of the kernel's log, which tests turn on
# for the whole machine.
verdict() {
    "$@" 2>&1 | grep -v 'warning: .*nf_log_all_netns'
}

# needs_knockd: the program under test, which a plain `make` builds.
needs_knockd() {
    [ -x "$KNOCKD" ] || bail "no knockd at $KNOCKD; run make first, or say KNOCKD=PATH"
}
