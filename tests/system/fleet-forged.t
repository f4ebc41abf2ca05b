#!/bin/bash
# A stream that isn't to be trusted, and gateways whose clocks are wrong by minutes, on three gateways whose lines
# nats-server carries, with the recipes of etc/examples/fleet: forged lines open neither a sealed door nor one that
# doesn't hear the stream, and a gateway with a wrong clock is heard by none but itself.
# shellcheck source-path=SCRIPTDIR source=fleet.sh
. "$(dirname "$0")/fleet.sh"
# shellcheck source-path=SCRIPTDIR source=fleet-scenes.sh
. "$(dirname "$0")/fleet-scenes.sh"

fleet_begin nats
start_engine
start_gateways
now_heard "at first"
scene_forged
scene_clocks
done_testing
