#!/bin/bash
# Three gateways whose lines rsyslog carries through a hub, by RELP with TLS, with the recipes of etc/examples/fleet: a
# knock opens on all; the hub is killed, a link goes without a word, a gateway restarts, lines come twice,
# a certificate is another's.
# shellcheck source-path=SCRIPTDIR source=fleet.sh
. "$(dirname "$0")/fleet.sh"
# shellcheck source-path=SCRIPTDIR source=fleet-scenes.sh
. "$(dirname "$0")/fleet-scenes.sh"

fleet_begin rsyslog
play_all
scene_stranger
done_testing
