#!/bin/bash
# Three gateways whose lines Redis carries, with the recipes of etc/examples/fleet: one
# knock opens on all; the broker is killed, a link goes without a word, a gateway restarts, lines come twice.
# shellcheck source-path=SCRIPTDIR source=fleet.sh
. "$(dirname "$0")/fleet.sh"
# shellcheck source-path=SCRIPTDIR source=fleet-scenes.sh
. "$(dirname "$0")/fleet-scenes.sh"

fleet_begin redis
play_all
done_testing
