# Sourced by the tests of the client: a user without any privilege on the client host, and the files that
# `knockctl key new` prints for them.
# shellcheck shell=bash

NOBODY=65534
device_key=''

# make_home: that user's.
make_home() {
    export HOME=$WORK/home
    unset XDG_CONFIG_HOME XDG_STATE_HOME
    mkdir -p "$HOME/.config/knock"
    chown -R $NOBODY:$NOBODY "$HOME"
}

# device NAME CONF: splits what was printed for key NAME, on standard input, into the files that it names, the profiles
# being CONF, with the gate's address for a host that is the server's name, as it asks for. Sets device_key to the key's.
device() {
    local folder=$HOME/.config/knock printed path
    printed=$(cat)
    sed '/^# And this is its file/,$d' <<<"$printed" |
        sed "s/^\( *host *= \)\"[^\"]*\"/\1\"$GATE4\"/" >"$folder/$2"
    path=$(sed -n "s|^# And this is its file ~/\(.config/knock/$1-.*\.key\) .*|\1|p" <<<"$printed")
    device_key=$HOME/$path
    sed '1,/^# And this is its file/d' <<<"$printed" >"$device_key"
    chown $NOBODY:$NOBODY "$folder/$2" "$device_key"
}

UNPRIVILEGED=(setpriv "--reuid=$NOBODY" "--regid=$NOBODY" --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all)

# as_user CMD...: on the client host, without any privilege.
as_user() {
    ip netns exec "$CLIENT" "${UNPRIVILEGED[@]}" "$@"
}
