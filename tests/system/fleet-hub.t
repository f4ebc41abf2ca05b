#!/bin/bash
# Three gateways one of which is the hub as well, by knock-hub.service of etc/examples/fleet: what that unit starts runs
# beside the gateway's own rsyslogd, takes the lines of all, and a knock whose packets are spread opens on all.
# shellcheck source-path=SCRIPTDIR source=fleet.sh
. "$(dirname "$0")/fleet.sh"
# shellcheck source-path=SCRIPTDIR source=fleet-scenes.sh
. "$(dirname "$0")/fleet-scenes.sh"

# The hub's programs run on a.
host_of() {
    local name=$1
    [ "$name" != hub ] || [ -z "${SHARED:-}" ] || name=a
    echo "knockd-$$-$name"
}

# unit_line KEY: what the unit has for it, with this test's folders.
unit_line() {
    sed -n "s/^$1=//p" "$FLEET/knock-hub.service" | own_folders
}

own_folders() {
    sed "s|/etc/knock-fleet|$WORK/a/etc|g; s|/run/knock-hub|$WORK/hub|g; s|/var/lib/knock-hub|$WORK/hub/spool|g"
}

start_broker() {
    local part start
    for part in pem key; do
        install -m 640 -g nogroup "$WORK/ca/hub.$part" "$WORK/a/etc/hub.$part" || return 1
    done
    fill_in a rsyslog-hub.conf >"$WORK/a/etc/rsyslog-hub.conf"
    own_folders <"$FLEET/knock-hub.sed" >"$WORK/a/etc/knock-hub.sed"
    eval "$(unit_line ExecStartPre)" || return 1
    start=$(unit_line ExecStart)
    # shellcheck disable=SC2086 # words
    run hub rsyslogd "${RSYSLOGD[@]}" ${start#/usr/sbin/rsyslogd }
    poll 10 listens hub 2515
}

start_sender() {
    start_rsyslogd "$1" rsyslog-gateway.conf '/target=/s/port="2514"/port="2515"/'
}

fleet_begin rsyslog
SHARED=1 ADDRESS[hub]=${ADDRESS[a]}
start_engine
ok "both listen on the gateway" listens a 2514
start_gateways
now_heard "at first"
scene_split
scene_killed_before
done_testing
