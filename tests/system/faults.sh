# Sourced by the tests of faults: a mount namespace of their own, where a lock can be held and a disk be full without
# harm to anyone; doors, and a knockd with a new state.
# shellcheck shell=bash

if [ "${FAULTS_ALONE:-}" != $$ ]; then
    unshare --mount true 2>/dev/null || { echo "1..0 # SKIP needs a mount namespace of its own"; exit 0; }
    FAULTS_ALONE=$$ exec unshare --mount --propagation private "$BASH" "$0" "$@"
fi
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "${BASH_SOURCE[0]}")/knockd.sh"

knock=(7412 28733:udp 51990)
spec="INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT"

# --- doors and what is around them ---

# door NAME SECONDS [KEY...]: its sequence begins with its own port.
door() {
    echo "door \"$1\" { sequence = { $(first_port "$1"), 28733:udp, 51990 } cmd_timeout = $2"
    printf '%s\n' "${@:3}"
    echo "}"
}

first_port() {
    local sum
    sum=$(echo "$1" | cksum)
    echo $((10000 + ${sum%% *} % 20000))
}

# knock_at NAME FROM
knock_at() {
    log_packets "$2" "$(first_port "$1")" "${knock[@]:1}"
}

rule_door() {
    door "$1" "$2" "rule = \"$spec\"" "${@:3}"
}

# with_config: the text of the doors on standard input; knockd starts with it, its state in a new folder.
with_config() {
    : >"$KERN_LOG"
    rm -rf "$WORK/state"
    mkdir -p "$WORK/state"
    configure_file
}

# ends DESCRIPTION [STATUS]: knockd, told to.
ends() {
    stop_knockd
    is "$1: knockd ends with ${2:-0}" $? "${2:-0}"
    is "$1: no rule is left" "$(rules iptables; rules ip6tables)" ""
}

kill_keeper() {
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID"
} 2>/dev/null

no_rule() {
    [ -z "$(rules iptables)" ]
}

rule_count() {
    rules iptables | wc -l
}

rules_are() {
    [ "$(rule_count)" = "$1" ]
}

# script NAME: an executable from standard input; DIR in it is where the test's files are.
script() {
    { echo '#!/bin/bash'; sed "s|DIR|$WORK|g"; } >"$WORK/$1"
    chmod +x "$WORK/$1"
}
