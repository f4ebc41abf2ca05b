#!/bin/bash
# The recipe of etc/examples for ufw, with the ufw of the distribution's package.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/recipe.sh
. "$(dirname "$0")/recipes/recipe.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/root.sh
. "$(dirname "$0")/recipes/root.sh"

opened_for() {
    in_root iptables -S INPUT | grep -F -- "-s $1/"
    in_root ip6tables -S INPUT | grep -F -- "-s $1/"
}

# What the package does when it is installed.
# shellcheck disable=SC2016
set_up_ufw='
cd /usr/share/ufw
cp iptables/*.rules ufw.conf before.init after.init /etc/ufw/
chmod 640 /etc/ufw/*.rules /etc/ufw/*.init
ufw --force enable
'

ufw_logged() {
    local ports
    ports=$(IFS='|' && echo "${STEPS[*]%:*}")
    dmesg | grep -F "[UFW BLOCK] " | grep -F "SRC=$knocker " | grep -c -E "DPT=($ports) "
}

# More than ufw's own log takes at once.
junk() {
    send_knock "$stranger" "$gate" $(seq 4001 4020)
}

# Each knock in its order, and a stray in between that ufw's own log has no room for.
scan() {
    send_knock "$1" "$gate" "${STEPS[0]}" 4100 "${STEPS[1]}" 4101:udp "${STEPS[2]}"
}

# With an open door: what ufw does to its own rules leaves that of the door.
reloads() {
    local how
    for how in reload disable "--force enable"; do
        # shellcheck disable=SC2086 # words
        ok "ufw: ufw $how" in_root ufw $how
        is "ufw: ufw $how leaves the door open" "$(opened_count "$1")" 1
    done
}

recipe_hosts
make_root ufw 2>"$WORK/why" || skip_all "no ufw to test with: $(tail -n 1 "$WORK/why")"
serve 22 || bail "no service"
in_root sh -ec "$set_up_ufw" >"$WORK/ufw.log" 2>&1 || skip_all "ufw does not run here: $(tail -n 1 "$WORK/ufw.log")"

recipe ufw
ok "ufw: the commands of its head" in_root sh -ec "$(commands_of ufw)"
starts "ufw: starts"
for family in 4 6; do
    recipe_family $family
    lasts $OPEN_FOR
    mark_log
    junk
    scan "$stranger"
    knock_from "$knocker"
    ok "ufw, IPv$family: amid junk a knock opens" says "door ssh: opened for $knocker,"
    [ $family = 6 ] || ok "ufw, IPv4: that ufw's own log has no room for" [ "$(ufw_logged)" -lt 3 ]
    ok "ufw, IPv$family: a scan in the order of the knock does not" not said "opened for $stranger"
    door_closes "ufw, IPv$family, amid junk" ssh
    door_lives ufw $family ssh 22 1
done
sed -i "s/cmd_timeout *= .*/cmd_timeout = $OPEN_FOR/" "$CONFIG"
stop_knockd
starts "ufw: starts, for a longer time"
recipe_family 6
knock_from "$knocker"
ok "ufw: open" says "door ssh: opened for $knocker,"
reloads "$knocker"
ok "ufw: and closed for all others" not can_connect -w 0.2 -s "$stranger" "$gate" 22
ok "ufw: nothing of it among the rules that it saves" not in_root grep -rF "$knocker" /etc/ufw
stop_knockd
is "ufw: knockd's end leaves nothing" "$(opened_for "$knocker")" ""
done_testing
