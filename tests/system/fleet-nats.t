#!/bin/bash
# Three gateways whose lines nats-server carries, with the recipes of etc/examples/fleet: a knock opens on
# all; the broker is killed, a link goes without a word, a gateway restarts, lines come twice, a certificate is
# another's.
# shellcheck source-path=SCRIPTDIR source=fleet.sh
. "$(dirname "$0")/fleet.sh"
# shellcheck source-path=SCRIPTDIR source=fleet-scenes.sh
. "$(dirname "$0")/fleet-scenes.sh"

fleet_begin nats
play_all
scene_stranger
if command -v systemd-analyze >/dev/null; then
    sed "s|/usr/local/sbin|$WORK/a|" "$FLEET/knock-publish@.service" >"$WORK/knock-publish@nats.service"
    is "systemd finds nothing wrong in the publisher's unit" \
        "$(systemd-analyze verify --man=no "$WORK/knock-publish@nats.service" 2>&1 | grep -F knock-publish@)" ""
else
    ok "systemd finds nothing wrong in the publisher's unit # SKIP no systemd-analyze" true
fi
done_testing
