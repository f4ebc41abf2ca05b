#!/bin/bash
# README.md's guide "Sealed knocks": its door, its commands, what it says that the log says, and its two ways out from
# behind an address translator. A command or a text that changes there fails here.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"
# shellcheck source-path=SCRIPTDIR source=guide.sh
. "$(dirname "$0")/guide.sh"
# shellcheck source-path=SCRIPTDIR source=device.sh
. "$(dirname "$0")/device.sh"

OPEN_FOR=30

# The source of the first guide, which this one builds on, and this one's server and door.
write_config() {
    {
        printf 'user = nobody\nstate_dir = "%s"\ncontrol = "%s"\nkey_dir = "%s"\n' \
            "$WORK/state" "$WORK/control" "$WORK/keys"
        printf 'source "firewall" { type = kmsg  prefix = "%s" }\n' "$LOG_PREFIX"
        sed -n "/^sealed /p; /^door /{s/\$/ ${1:-}/; :door; p; n; /^}/!b door; p}" "$GUIDE"
    } >"$CONFIG"
}

# At the guide's # prompt; sets OUT, and STATUS.
ctl() {
    OUT=$(on_gate "$KNOCKCTL" "$@" -c "$CONFIG" 2>"$WORK/err")
    STATUS=$?
}

# At its $ prompt; `knock ARGUMENT... -- COMMAND...` as well. Sets OUT and STATUS.
knock() {
    OUT=$(as_user "$KNOCK" "$@" 2>&1)
    STATUS=$?
}

closes() {
    ctl close --all
    ok "closed" not can_connect -w 0.2 "$GATE4" 22
    mark_log
}

makes_key() {
    is "the guide makes a key of the door's" "$(prompted '#' 'knockctl key new')" alice
    ctl key new alice
    is "which is made" $STATUS 0
    is "and a reload is advised" "$(head -n 1 "$WORK/err")" "knockctl key: $WORK/keys/alice.key is made; then: knockctl reload"
    like "and what a translator asks for" "$(cat "$WORK/err")" 'behind a translator \(NAT\) the profile needs stun = "HOST"'
    make_home
    device alice knock.conf <<<"$OUT"
    ok "knockd -t, as the guide shows" guide_shows "$(verdict on_gate "$KNOCKD" -t -c "$CONFIG")"
}

# What the guide says of the files' modes is needed, and enough.
sets_modes() {
    local files
    knock ssh-alice-yourhost
    like "files that others can read are refused" "$STATUS:$OUT" '^1:.*chmod 600'
    read -r -a files <<<"$(prompted '\$' 'chmod 600')"
    # shellcheck disable=SC2088 # as it stands there
    is "the guide names both files" "${files[*]}" "~/.config/knock/knock.conf ~/.config/knock/alice-yourhost.key"
    chmod 600 "${files[@]/#\~/$HOME}"
}

knocks() {
    local name
    name=$(prompted '\$' knock)
    is "the guide knocks by the profile's name, and logs in" "$name" "ssh-alice-yourhost -- ssh yourhost"
    mark_log
    knock "${name%% *}" -- perl "$peer" connect 1 - "$GATE4" 22
    is "the knock opens, and what is behind -- gets in" "$STATUS:$OUT" 0:
    is "the log says so, as the guide shows" "$(like_the_guide 'opened for')" "$(grep 'opened for' "$GUIDE")"
    knock --close ssh-alice-yourhost
    ok "knock --close closes" says "closed for $CLIENT4"
    closes
}

# Bound to another address than the server sees, as behind a translator, it opens nothing; unbound it does where the
# door says so.
behind_nat() {
    knock --bind 198.51.100.9 -t 1 ssh-alice-yourhost
    is "bound to another address it opens nothing" "$STATUS" 2
    ok "which the log calls unknown" says "sealed knock from $CLIENT4 refused: unknown"
    knock --bind any -t 1 ssh-alice-yourhost
    is "nor unbound" "$STATUS" 2
    write_config "bound = false"
    ctl reload
    mark_log
    knock --bind any ssh-alice-yourhost
    is "it does with bound = false" "$STATUS" 0
    ok "as the log says" says "opened for $CLIENT4.*alice"
    closes
}

shuts_out() {
    ok "the guide takes the key away" test "$(prompted '#' 'knockctl key remove')" = "alice && knockctl reload"
    ctl key remove alice
    ctl reload
    is "which a reload puts in force" $STATUS 0
    knock -t 1 ssh-alice-yourhost
    is "then it opens nothing" "$STATUS" 2
}

needs_gate
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
if ! serve 22 || ! serve 80; then
    bail "no service"
fi
read_guide "Sealed knocks"
write_config
makes_key
starts "knockd starts"
ctl reload
is "the guide reloads" "$(prompted '#' 'knockctl reload'):$STATUS" :0
try_rules
ok "port 22 is closed" not can_connect -w 0.2 "$GATE4" 22
keep_rules
sets_modes
knocks
behind_nat
shuts_out
stop_knockd
is "knockd's end" $? 0
done_testing
