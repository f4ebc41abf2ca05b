#!/bin/bash
# The recipe of etc/examples for firewalld, with the firewalld of the distribution's package and a D-Bus of its own.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/recipe.sh
. "$(dirname "$0")/recipes/recipe.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/root.sh
. "$(dirname "$0")/recipes/root.sh"

opened_for() {
    in_root nft list chain inet firewalld filter_IN_public_allow | grep -F " saddr $1 "
}

# The system's bus, as far as anyone in this root can tell. Whoever is in it may do all.
bus='<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/><allow own="*"/>
    <allow send_destination="*"/><allow send_type="*"/><allow receive_type="*"/>
  </policy>
</busconfig>'

# in_root in the background would be a shell between us and the program.
run_in_root() {
    local log=$WORK/$1.log
    shift
    nsenter -t "$ROOT_PID" -m -n "$@" </dev/null >"$log" 2>&1 &
    started $!
}

run_bus() {
    echo "$bus" >"$WORK/bus.conf"
    in_root mkdir -p /run/dbus
    run_in_root dbus dbus-daemon --config-file="$WORK/bus.conf" --nofork --nopidfile
    poll 5 in_root test -S /run/dbus/system_bus_socket || { cat "$WORK/dbus.log"; return 1; }
}

run_firewalld() {
    run_in_root firewalld firewalld --nofork --nopid
    FIREWALLD_PID=${netns_pids[-1]}
    poll 20 in_root firewall-cmd -q --state || { cat "$WORK/firewalld.log"; return 1; }
}

# After a reload with an open door.
reloaded() {
    recipe_family 4
    lasts $OPEN_FOR
    mark_log
    knock_from "$knocker"
    ok "firewalld: open" says "door ssh: opened for $knocker,"
    ok "firewalld: a reload" in_root firewall-cmd -q --reload
    is "firewalld: a reload closes the door" "$(opened_for "$knocker")" ""
    knock_from "$knocker"
    ok "firewalld: the next knock" says "door ssh: extended for $knocker,"
    ok "firewalld: opens it again" poll 5 can_connect -w 0.2 -s "$knocker" "$gate" 22
    door_closes "firewalld, reloaded" ssh
}

# With an open door: its rules are gone, and nobody can be asked; it becomes due only then, by knockctl.
restarted() {
    recipe_family 4
    mark_log
    knock_from "$knocker"
    ok "firewalld: open at its end" says "door ssh: opened for $knocker,"
    stop "$FIREWALLD_PID"
    "$KNOCKCTL" close ssh -s "$WORK/control" >"$WORK/close.out" 2>&1 &
    is "firewalld: its end leaves no rule" "$(opened_for "$knocker" 2>/dev/null)" ""
    ok "firewalld: its end: nothing is believed to be closed" says "door ssh: NOT CLOSED for $knocker"
    ok "firewalld: runs again" run_firewalld
    ok "firewalld: closing was tried until then" says "door ssh: closed for $knocker \(sequence\): " 120
    is "firewalld: no rule is left" "$(opened_for "$knocker")" ""
}

recipe_hosts
make_root firewalld 2>"$WORK/why" || skip_all "no firewalld to test with: $(tail -n 1 "$WORK/why")"
serve 22 || bail "no service"
{ run_bus && run_firewalld; } >"$WORK/why" 2>&1 || skip_all "firewalld does not run here: $(tail -n 1 "$WORK/why")"

recipe firewalld
ok "firewalld: the commands of its head" in_root sh -ec "$(commands_of firewalld)"
in_root iptables -I INPUT -p tcp --dport 22 -j ACCEPT
ok "firewalld: an accept of iptables opens nothing" not can_connect -w 0.2 "$GATE4" 22
in_root iptables -D INPUT -p tcp --dport 22 -j ACCEPT
starts "firewalld: starts"
door_lives firewalld 4 ssh 22 1
door_lives firewalld 6 ssh 22 1
reloaded
ok "firewalld: a zone that drops" in_root firewall-cmd -q --permanent --zone=public --set-target=DROP
ok "firewalld: takes effect" in_root firewall-cmd -q --reload
door_lives "firewalld, dropping" 4 ssh 22 1
ends_closed firewalld 6 ssh
heals "firewalld, reloaded" 4 ssh in_root firewall-cmd -q --reload
recipe firewalld
starts "firewalld: starts once more"
restarted
done_testing
