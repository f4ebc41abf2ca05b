#!/bin/bash
# What bash, zsh and fish complete command lines by: made of the programs' tables, and asked of a running knockd.
# shellcheck source-path=SCRIPTDIR source=control.sh
. "$(dirname "$0")/control.sh"

files=$TREE/etc/completion

# What the shell proposes for a command line that ends at the cursor, a line each.
in_bash() {
    # shellcheck disable=SC2016
    bash --norc -c '. "$1/$2.bash"; COMP_LINE=$3 COMP_POINT=${#3}; "_$2"; printf "%s\n" "${COMPREPLY[@]}"' - "$files" "${1%% *}" "$1"
}

# Without a terminal there is no completion system: its functions are stood in for.
in_zsh() {
    # shellcheck disable=SC2016
    zsh -f -c 'compadd() { shift; print -l -- "${(M)@:#${(b)PREFIX}*}" }
        compset() { PREFIX=${PREFIX#*=} }
        _describe() { compadd -- "${(@)${(P@)@[-1]}%%:*}" }
        _files() { compadd -- ${PREFIX}*(N) }
        _hosts() { : }
        words=(${=2}) CURRENT=$#words PREFIX=$words[-1]
        [[ $2 != *" " ]] || words+=("") CURRENT=$((CURRENT + 1)) PREFIX=
        . "$1/_${words[1]}"' - "$files" "$1"
}

in_fish() {
    # shellcheck disable=SC2016
    HOME=$WORK fish --no-config -c 'source $argv[1]; complete -C $argv[2]' "$files/${1%% *}.fish" "$1" | cut -f1
}

# proposed SHELL LINE: all, in one line. Names of hosts are the machine's own.
proposed() {
    "in_$1" "$2" 2>"$WORK/shell-err" | grep -v '^$' | LC_ALL=C sort -u | paste -s -d ' '
    [ ! -s "$WORK/shell-err" ] || diag "$(cat "$WORK/shell-err")"
}

needs_gate
needs_knockctl
mkdir -p "$WORK/bin" "$WORK/folder"
for program in knock knockctl knockd; do
    ln -sf "$BUILT/$program/$program" "$WORK/bin"
done
PATH=$WORK/bin:$PATH

# --- the files are what the tables make of them ---

mkdir "$WORK/made"
"$BUILT/tools/list_options" | "$TREE/scripts/completion.pl" "$WORK/made" || bail "no tables; run make tests first"
is "the files are those of the tables (make completion)" "$(diff -r "$WORK/made" "$files" | head)" ''

# --- and complete ---

good_file 60
sed -i "1i key_dir = \"$WORK/keys\"" "$CONFIG"
mkdir -m 700 "$WORK/keys"
touch "$WORK/keys/alice.key" "$WORK/keys/bob.key" "$WORK/folder/file"
cat >"$WORK/knock.conf" <<'EOT'
profile "gate-ssh" { host = gate.example sequence = "1, 2" }
profile "gate-$(touch /tmp/never)" { host = gate.example sequence = "1, 2" }
EOT
chmod 600 "$WORK/knock.conf"
starts "starts"
ctl open ssh $who
is "a door is open" "$STATUS" 0

lines=$(cat <<TABLE
knockctl op|open
knockctl k|key
knockctl key |list new remove
knockctl he|help
knockctl help ke|key
knockctl help |close doors forget history import key open reload rules sequence sources status watch why
knockctl help open |
knockctl -s $WORK/control open s|ssh stuck
knockctl -s $WORK/control open |fails ssh stuck
knockctl close -c $CONFIG |ssh
knockctl --socket=$WORK/control close ssh |$who
knockctl -s $WORK/control open ssh |
knockctl -s $WORK/nothing open |
knockctl -c $CONFIG key remove |alice bob
knockctl key new x -c $CONFIG --door s|ssh stuck
knockctl doors --j|--json
knockctl doors --pro|
knockctl status --pro|--prometheus
knockctl rules --ac|--accept
knockctl rules --try |
knockctl doors -c $WORK/folder/|$WORK/folder/file
knockctl import $WORK/folder/|$WORK/folder/file
knock --carrier |packet tcp udp
knock --carrier=t|tcp
knock --ipv|--ipv4 --ipv6
knockd --clo|--close-all
knockd -c $WORK/folder/|$WORK/folder/file
TABLE
)

for shell in bash zsh fish; do
    if ! command -v $shell >/dev/null; then
        skip "$shell completes" "no $shell"
        continue
    fi
    while IFS='|' read -r line expected; do
        got=$(proposed $shell "$line")
        # fish answers with what may stand before the value, and the rest of a path that is the only one.
        got=${got//--carrier=/}
        is "$shell: $line" "$got" "$expected"
    done <<<"$lines"
    like "$shell: profiles" "$(proposed $shell "knock -c $WORK/knock.conf gate-s")" '^gate-ssh$'
    ok "$shell: a profile's name is no command" not test -e /tmp/never
    is "$shell: not twice" "$(proposed $shell "knock -c $WORK/knock.conf gate-ssh gate")" ''
done
stop_knockd
is "ends well" $? 0
done_testing
