#!/bin/bash
# The recipe of etc/examples for sealed knocks of several users: who gets what, from a profile as knockctl prints it.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=recipes/recipe.sh
. "$(dirname "$0")/recipes/recipe.sh"
# shellcheck source-path=SCRIPTDIR source=device.sh
. "$(dirname "$0")/device.sh"

opened_for() {
    on_gate iptables -S INPUT | grep -F -- "-s $1/"
    on_gate ip6tables -S INPUT | grep -F -- "-s $1/"
}

# The recipe as it is, but for the time and the prefix: shipped, it holds no secret.
write_config() {
    {
        printf 'user = nobody\nstate_dir = "%s"\ncontrol = "%s"\nkey_dir = "%s"\n' \
            "$WORK/state" "$WORK/control" "$WORK/keys"
        cat "$RECIPES/sealed.conf"
    } >"$CONFIG"
    mkdir -m 700 "$WORK/keys"
}

# make_key NAME [OPTION...]: NAME.conf holds its device's profiles then.
make_key() {
    on_gate "$KNOCKCTL" key new -c "$CONFIG" "$@" 2>"$WORK/err" >"$WORK/printed" || return 1
    device "$1" "$1.conf" <"$WORK/printed"
    chmod 600 "$HOME/.config/knock/$1.conf" "$device_key"
}

# knock ARGUMENT...: sets STATUS.
knock() {
    mark_log
    as_user "$KNOCK" "$@" >"$WORK/out" 2>&1
    STATUS=$?
}

# lives DESCRIPTION SAYS KNOCK...: a knock that opens.
lives() {
    local description=$1 text=$2
    shift 2
    knock "$@"
    is "$description: the port opens" "$STATUS:$(grep -v 'is open$' "$WORK/out")" 0:
    ok "$description: the log says for whom" says "$text"
}

refused() {
    local description=$1 text=$2
    shift 2
    knock -t 1 "$@"
    is "$description: the port stays closed" "$STATUS" 2
    ok "$description: the log says why" says "$text"
}

closes_all() {
    on_gate "$KNOCKCTL" close --all -c "$CONFIG" >/dev/null
}

recipe_hosts
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
for port in 22 443 8443; do
    serve $port || bail "no service"
done
write_config
make_home
laptop=(-c "$HOME/.config/knock/alice-laptop.conf") phone=(-c "$HOME/.config/knock/alice-phone.conf")
bob=(-k "$HOME/.config/knock/bob-gate.example.key") # without a profile
like "as it is shipped, knockd -t names the keys that are to be made" "$("$KNOCKD" -t -c "$CONFIG" 2>&1)" \
    'make it by knockctl key new alice-laptop'
ok "the key of a laptop" make_key alice-laptop
ok "another's" make_key bob
ok "that of a phone" make_key alice-phone --roaming
is "which is all that it wants" "$(verdict "$KNOCKD" -t -c "$CONFIG")" "configuration OK"
ok "the commands of its head" on_gate sh -ec "$(commands_of sealed)"
is "knockctl has nothing to say about the firewall" "$(on_gate "$KNOCKCTL" rules --check -c "$CONFIG" 2>&1)" ""
starts "starts"

ok "closed before" not can_connect -w 0.2 "$GATE4" 22
lives "a laptop" "door ssh: opened for $CLIENT4, closes in $OPEN_FOR s \(alice-laptop, 22:tcp, source firewall\)" "${laptop[@]}" ssh-alice-laptop-gate.example
ok "a laptop: gets in" hold_connection "$GATE4" 22
closes_all
ok "a laptop: the door closes" says "door ssh: closed for $CLIENT4 "
ok "a laptop: the session lives on" still_talks
let_go
knock --seconds 2 "${laptop[@]}" ssh-alice-laptop-gate.example
ok "a laptop, for a short time: the door closes by itself" \
    says "door ssh: closed for $CLIENT4 \(.*\): its time is over$"
lives "another, by IPv6" "door ssh: opened for $CLIENT6, .*\(bob, 22:tcp, source firewall\)" "${bob[@]}" -p 22 "$GATE6" ssh
refused "at a door not his" "door web: refused $CLIENT4: not this door: .*\(bob\)" "${bob[@]}" -p 443 "$GATE4" web
lives "a port of two" "opened for $CLIENT4, closes in 300 s \(alice-laptop, 443:tcp, source firewall\)" "${laptop[@]}" web-alice-laptop-gate.example
ok "the other one stays closed" not can_connect -w 0.2 "$GATE4" 8443
lives "the other, for longer than is allowed" "opened for $CLIENT4, closes in 7200 s \(alice-laptop, 8443:tcp, source firewall\)" \
    "${laptop[@]}" -p 8443 --seconds 3h web-alice-laptop-gate.example
closes_all
lives "a phone" "door ssh-roaming: opened for $CLIENT4, .*\(alice-phone, 22:tcp, source firewall\)" "${phone[@]}" ssh-roaming-alice-phone-gate.example
closes_all
refused "a laptop, unbound" "door ssh: refused $CLIENT4: not bound to its source" "${laptop[@]}" --bind any ssh-alice-laptop-gate.example
stop_knockd
is "knockd's end" $? 0
is "leaves nothing" "$(opened_for "$CLIENT4")" ""
done_testing
