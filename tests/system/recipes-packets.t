#!/bin/bash
# The recipes of etc/examples without a log: packets that rules hand to NFLOG, as in a container, and captures.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/recipe.sh
. "$(dirname "$0")/recipes/recipe.sh"

opened_for() {
    on_gate iptables -S INPUT | grep -F -- "-s $1/"
    on_gate ip6tables -S INPUT | grep -F -- "-s $1/"
}

recipe_hosts
serve 22 || bail "no service"
for name in container capture; do
    on_gate iptables -F
    on_gate ip6tables -F
    recipe $name
    ok "$name: the commands of its head" on_gate sh -ec "$(commands_of $name)"
    is "$name: knockctl rules --check finds nothing" "$(on_gate "$KNOCKCTL" rules --check -c "$CONFIG" 2>&1)" ""
    run_knockd -v >/dev/null 2>&1
    if grep -q "built without" "$KNOCKD_LOG"; then
        skip "$name: knocks open" "knockd was built without what hears packets"
        continue
    fi
    ok "$name: starts" said "ready: "
    door_lives $name 4 ssh 22 1
    door_lives $name 6 ssh 22 1
    ends_closed $name 4 ssh
done
done_testing
