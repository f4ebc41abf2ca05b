#!/bin/bash
# Three gateways whose lines rsyslog carries from each to each, by RELP with TLS, with the recipes of
# etc/examples/fleet: a knock opens on all; one of them is killed, a link goes without a word, a gateway restarts, lines
# come twice.
# shellcheck source-path=SCRIPTDIR source=fleet.sh
. "$(dirname "$0")/fleet.sh"
# shellcheck source-path=SCRIPTDIR source=fleet-scenes.sh
. "$(dirname "$0")/fleet-scenes.sh"

fleet_begin mesh
HEARING=(a c)
play_all
done_testing
