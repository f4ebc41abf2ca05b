#!/bin/bash
# Knocks heard by a capture (type = pcap), without a rule or a log: which packets, by which interfaces, whatever becomes
# of these; what a scan, a browser and heavy traffic do to it.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

# A service that doors open, and that is being used all the time.
served=4433

# write_config KEYS [DOOR_KEYS]: of the source, and of the door.
write_config() {
    cat >"$CONFIG" <<EOF
user      = "nobody"
state_dir = "$WORK/state" control = "$WORK/control"
source "wire" {
    type = pcap
    $1
}
door "ssh" {
    sequence    = { "7412", "28733:udp", "51990" }
    port        = 2222
    ignore      = { "$served:udp" }
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    cmd_timeout = 300
    ${2:-}
}
EOF
}

right=(7412 28733:udp 51990)

# knock_from ADDRESS [STEP...]: at the gate's address of the same family.
knock_from() {
    local from=$1 to=$GATE4
    shift
    [[ $from != *:* ]] || to=$GATE6
    send_knock "$from" "$to" "$@"
}

# next_client: sets FROM4 and FROM6, addresses that haven't knocked yet.
clients=9
next_client() {
    clients=$((clients + 1))
    FROM4=192.0.2.$clients FROM6=2001:db8::$clients
    client_address "$FROM4" "$FROM6"
}

opened_once() {
    [ "$(said_lines "opened for $1," | wc -l)" = 1 ]
}

# opens DESCRIPTION [STEP...]: both families, each once.
opens() {
    local description=$1 steps
    shift
    steps=("${@:-${right[@]}}")
    next_client
    knock_from "$FROM4" "${steps[@]}"
    knock_from "$FROM6" "${steps[@]}"
    ok "$description: IPv4" says "opened for $FROM4,"
    ok "$description: IPv6" says "opened for $FROM6,"
    is "$description: and not extended" "$(said_lines "($FROM4|$FROM6).*(again|extended)")" ""
}

# stays_shut DESCRIPTION [STEP...]: a right knock afterwards, by others, shows that all was heard.
stays_shut() {
    local description=$1 first4 first6 steps
    shift
    steps=("${@:-${right[@]}}")
    next_client
    first4=$FROM4 first6=$FROM6
    knock_from "$FROM4" "${steps[@]}"
    knock_from "$FROM6" "${steps[@]}"
    opens "$description; a right knock by others"
    is "$description: nothing opened" "$(said_lines "opened for ($first4|$first6),")" ""
}

needs_gate
write_config ""
starts "starts, with no rule in the firewall"
serve 2222
opens "no firewall at all"
stop_knockd
done_testing
