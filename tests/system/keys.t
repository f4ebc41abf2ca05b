#!/bin/bash
# Keys of sealed knocks and a running knockd: made, taken up by a reload, taken away, and refused.
# shellcheck disable=SC2016 # $j is perl's
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

# keyed_file KEYS: a door for them, without a sequence.
keyed_file() {
    configure_file <<TABLE
key_dir = "$WORK/keys"
sealed { server = "gate.example" }
door "ssh" {
    key         = { $1 }
    ports       = { 2222, 2223 }
    cmd_timeout = 60
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -m comment --comment %KEY% -j ACCEPT"
}
TABLE
}

# key ARGUMENT...: knockctl key with CONFIG; sets OUT, ERR and STATUS.
key() {
    OUT=$("$KNOCKCTL" key "$@" -c "$CONFIG" 2>"$WORK/err")
    STATUS=$?
    ERR=$(cat "$WORK/err")
}

keys_in_force() {
    ctl status --json
    json '$j->{keys}'
}

# loaded NAME: what knockctl key list says of it.
loaded() {
    key list --json
    json "join ' ', map { (\$_->{state}, \$_->{loaded}) } grep { \$_->{key} eq '$1' } @\$j"
}

# bad_key DESCRIPTION REASON: a reload with the key file that is there is refused, and changes nothing.
bad_key() {
    mark_log
    ctl reload
    is "$1: the reload is refused" "$STATUS" 1
    ok "$1: said why" said "$2"
    is "$1: nothing has changed" "$(keys_in_force)" 1
}

first_key() {
    keyed_file alice
    key new alice
    is "a key is made before knockd runs" "$STATUS" 0
    like "and shown" "$OUT" 'key    = "[0-9a-f]{64}"'
    is "its file is root's alone" "$(stat -c '%a %U' "$WORK/keys" "$WORK/keys/alice.key" | tr '\n' ' ')" '700 root 600 root '
}

opened_by_hand() {
    is "one key is in force" "$(keys_in_force)" 1
    is "the list shows it" "$(loaded alice)" 'good 1'
    ctl open ssh $who
    is "a door that only keys open, by hand" "$STATUS $OUT" "0 door ssh: opened for $who, closes in 60 s"
    like "its rule has no key's name" "$(rules iptables)" '--comment "?-"? -j ACCEPT'
    ctl doors --json
    is "doors shows the port, and no key" "$(json 'join " ", $j->[0]{port}, $j->[0]{key} // "none"')" '2222:tcp none'
    ctl close ssh
    is "and closes it" "$STATUS $OUT" '0 closed: 1'
    ctl status
    like "status counts sealed knocks" "$OUT" 'keys: 1; sealed knocks: 0 served, 0 copies of them, 0 refused'
    like "and those that came too early for a new state" "$OUT" ', 0 too early for a new state, '
    ctl status --prometheus
    like "metrics tell them apart" "$OUT" 'knockd_sealed_total\{verdict="new_state"\} 0'
    like "so it does for Prometheus" "$OUT" 'knockd_sealed_total\{verdict="stale"\} 0'
}

bad_keys() {
    keyed_file 'alice, bob'
    cp "$WORK/keys/alice.key" "$WORK/keys/bob.key"
    bad_key "the same secret twice" 'the keys alice and bob have the same secret'
    sed 's/gate.example/other.example/' "$WORK/keys/alice.key" >"$WORK/keys/bob.key"
    bad_key "another server's key" 'bob.key: the key is for the server "other.example", and this one is "gate.example"'
    rm "$WORK/keys/bob.key"
    key new bob
    chmod 640 "$WORK/keys/bob.key"
    bad_key "a key that others may read" 'bob.key: others than its owner may use'
    chmod 600 "$WORK/keys/bob.key"
    chmod 777 "$WORK/keys"
    bad_key "a folder that others may write to" 'key_dir: others than root may write to'
    chmod 700 "$WORK/keys"
}

comes_and_goes() {
    is "a new key isn't in force yet" "$(loaded bob)" 'good 0'
    ctl reload
    is "it is after a reload" "$STATUS $(keys_in_force) $(loaded bob)" '0 2 good 1'
    key remove bob
    is "it is taken away" "$STATUS" 0
    like "where it is still named, is said" "$ERR" "knockd.conf:[0-9]+: door \"ssh\" still names it"
    mark_log
    ctl reload
    is "a name without a key keeps no reload from working" "$STATUS $(keys_in_force) $(loaded bob)" '0 1 missing 0'
    ok "it is warned of" said 'bob.key, so bob opens nothing'
    keyed_file ''
    ctl reload
    is "the last key is taken away" "$STATUS $(keys_in_force)" '0 0'
}

needs_gate
needs_knockctl
first_key
starts "knockd starts with a key"
opened_by_hand
bad_keys
comes_and_goes
done_testing
