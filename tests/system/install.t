#!/bin/bash
# `make install` into a folder: which files with which modes, that a configuration is never touched, and that what is
# installed fits together. Needs no root.
set -u

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
needs_knockd
netns_begin
trap tap_end EXIT

ROOT=$WORK/root
CONF=$ROOT/etc/knockd.conf
COMPLETION='share/\(bash-completion\|zsh\|fish\)/'
SAMPLE=usr/local/share/doc/knockd/knockd.conf

# What is built once more is linked with what was built with sanitizers, if it was.
flags=()
! grep -q __asan_init "$KNOCKD" || flags=(CC=clang "SANITIZE=address,undefined")

# plain_make ARGUMENT...: with nothing inherited from a make that runs the tests.
plain_make() {
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u PREFIX -u SBINDIR -u BINDIR -u MANDIR -u SYSCONFDIR -u UNITDIR -u DOCDIR \
        -u BASHDIR -u ZSHDIR -u FISHDIR -u prefix -u sysconfdir -u DESTDIR make --no-print-directory -C "$TREE" "${flags[@]}" "$@"
}

# make_install DIRECTORY [VARIABLE=VALUE...]
make_install() {
    local directory=$1
    shift
    plain_make install BUILD="$BUILT" DESTDIR="$directory" "$@"
}

# "MODE PATH" of what is installed: files, or folders.
installed() {
    (cd "$ROOT" && find . -mindepth 1 -type "$1" -printf '%m %P\n' | LC_ALL=C sort -k 2)
}

# installed_examples DIRECTORY [MODE]: a line for each, as above.
installed_examples() {
    (cd "$TREE/etc/examples" && find . -type f -printf "${2:-}$1/%P\n" | LC_ALL=C sort)
}

# with_user FILE: the file with a user that exists everywhere, and the keys that its doors name.
with_user() {
    local name
    (umask 077 && : >"$WORK/with-user.conf")
    { printf 'user = "nobody" key_dir = "%s/keys"\n' "$WORK" && cat "$1"; } >"$WORK/with-user.conf"
    for name in $(sed -n 's/^ *key *=\(.*\)/\1/p' "$1" | tr -d '{},"'); do
        [ -e "$WORK/keys/$name.key" ] ||
            "$KNOCKCTL" key new "$name" -c "$WORK/with-user.conf" >/dev/null 2>&1
    done
    echo "$WORK/with-user.conf"
}

# door_of SAMPLE: the sample with its door in use.
uncommented() {
    sed 's/^#\(door \|    \|}\)/\1/' "$1"
}

# check FILE: what knockd -t says, but for chains of a program that doesn't run here (Docker, ufw), for interfaces,
# for logs that aren't there, and whose lines they are.
check() {
    verdict "$KNOCKD" -t -c "$1" |
        grep -v "the firewall has no chain .* just now\|interface .* isn't there just now\|^source [a-z]*: remote, \|can't read .* now: No such"
}

first_install() {
    # A careful administrator's mask must not make manuals unreadable.
    (umask 077 && make_install "$ROOT" >"$WORK/said")
}

# --- the first time ---

ok "make install DESTDIR=..." first_install
like "it says in a line what it did" "$(grep -v '^  [A-Z]* ' "$WORK/said")" \
    "^install: put [0-9]+ files below $ROOT/usr/local, the configuration is $CONF; [^"$'\n'"]*\$"
is "all files, with their modes" "$(installed f | grep -v "$COMPLETION")" "\
600 etc/knockd.conf
755 usr/local/bin/knock
755 usr/local/bin/knockctl
644 usr/local/lib/systemd/system/knockd.service
755 usr/local/sbin/knockd
$(installed_examples usr/local/share/doc/knockd/examples "644 ")
644 usr/local/share/doc/knockd/knockd.conf
644 usr/local/share/man/man1/knock.1
644 usr/local/share/man/man5/knock.conf.5
644 usr/local/share/man/man5/knockd.conf.5
644 usr/local/share/man/man7/knock-protocol.7
644 usr/local/share/man/man7/knockd-fleet.7
644 usr/local/share/man/man8/knockctl.8
644 usr/local/share/man/man8/knockd.8"
is "folders that others may enter" "$(installed d | grep -v '^755 ')" ""
ok "the programs are those that were built" cmp "$ROOT/usr/local/sbin/knockd" "$KNOCKD"
like "knockd runs from there" "$("$ROOT/usr/local/sbin/knockd" -V)" '^knockd [0-9]'
ok "knockctl, too, in an ordinary user's PATH" "$ROOT/usr/local/bin/knockctl" -V
ok "the configuration is the sample" cmp "$CONF" "$ROOT/$SAMPLE"
ok "the examples are those of the tree" diff -r "$TREE/etc/examples" "$ROOT/${SAMPLE%/*}/examples"

# --- the unit ---

UNIT=$ROOT/usr/local/lib/systemd/system/knockd.service
is "the unit starts the installed knockd" "$(grep ^ExecStart= "$UNIT")" "ExecStart=/usr/local/sbin/knockd"
is "and checks with it" "$(grep -m 1 ^ExecReload= "$UNIT")" "ExecReload=/usr/local/sbin/knockd -t"
is "and closes with it what was left open" "$(grep ^ExecStopPost= "$UNIT")" "ExecStopPost=/usr/local/sbin/knockd --close-all"
is "nothing is left to substitute" "$(grep -o '@[A-Z_]*@' "$UNIT")" ""
if command -v systemd-analyze >/dev/null; then
    mkdir "$WORK/verify"
    sed "s|/usr/local/sbin/|$ROOT&|" "$UNIT" >"$WORK/verify/knockd.service"
    is "systemd finds nothing wrong in it" "$(systemd-analyze verify --man=no "$WORK/verify/knockd.service" 2>&1 |
        grep -F knockd.service)" ""
else
    ok "systemd finds nothing wrong in it # SKIP no systemd-analyze" true
fi

# --- the sample ---

is "without a door of one's own, knockd says what is missing, and only that" "$(check "$CONF")" \
    "$CONF: there is no door: expected door \"NAME\" { sequence = ... rule = ... }"
uncommented "$CONF" >"$WORK/door.conf"
like "the sample's door as it stands has no ports that all the world knows" "$(check "$WORK/door.conf")" \
    'door.conf:[0-9]+: sequence: "FIRST" won.t do'
sed -i 's/FIRST/40112/; s/SECOND/28733/; s/THIRD/51990/' "$WORK/door.conf"
if PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v iptables >/dev/null; then
    like "with ports it is right" "$(check "$(with_user "$WORK/door.conf")")" '(^|.)configuration OK$'
else
    ok "with ports it is right # SKIP no iptables" true
fi

# --- the second time ---

printf '# mine\n\nsource "x" { type = kmsg }' >"$CONF"
chmod 640 "$CONF"
touch -d 2001-02-03 "$CONF"
before=$(stat -c '%a %u %g %s %Y %i' "$CONF"; cksum "$CONF")
ok "make install once more" make_install "$ROOT"
is "the configuration is what it was, to the byte" "$(stat -c '%a %u %g %s %Y %i' "$CONF"; cksum "$CONF")" "$before"
ok "the sample is there beside it" cmp "$ROOT/$SAMPLE" "$TREE/etc/knockd.conf"
rm "$CONF"
ln -s elsewhere "$CONF"
ok "make install over a link" make_install "$ROOT"
is "a link that leads nowhere stays one, too" "$(readlink "$CONF")" elsewhere

rm "$CONF"
ok "make install, to be removed" make_install "$ROOT"
out=$(plain_make uninstall BUILD="$BUILT" DESTDIR="$ROOT")
like "make uninstall DESTDIR=... says what it removed" "$out" "uninstall: removed the [0-9]+ files .* below $ROOT/usr/local"
like "and names the file that it leaves" "$out" "left as they are, configuration, keys and state: $CONF\$"
is "which is all that is left" "$(installed f)" "600 etc/knockd.conf"

# refused DESCRIPTION REGEX ARGUMENT...: make fails, says so, and makes nothing of the tree.
refused() {
    local description=$1 regex=$2
    shift 2
    out=$(plain_make BUILD="$BUILT" "$@" 2>&1)
    ok "$description" [ $? != 0 ]
    like "$description: says why" "$out" "$regex"
    ok "$description: makes nothing" [ ! -e "$TREE/relative" ]
}

refused "make uninstall where nothing is" "nothing was there to remove below /nothere/x" uninstall PREFIX=/nothere/x
for place in PREFIX DESTDIR SYSCONFDIR UNITDIR BINDIR; do
    refused "make install $place=relative/x" "$place=relative/x is no absolute path" install DESTDIR="$WORK/rel" "$place=relative/x"
done
refused "make uninstall PREFIX=relative/x" "PREFIX=relative/x is no absolute path" uninstall PREFIX=relative/x

# --- make help ---

out=$(plain_make help)
is "make help fits a screen" "$(awk 'length > 80' <<<"$out"):$(($(wc -l <<<"$out") <= 24))" :1
missing=
read -ra targets <<<"$(sed -n '/^\.PHONY:/,/[^\\]$/p' "$TREE/Makefile" | sed 's/^\.PHONY://; s/\\$//' | paste -s -d ' ')"
for target in "${targets[@]}"; do
    [[ $target =~ ^(all|help)$ ]] || grep -qE "(^|; )(make [a-z-]+, )?make $target( |:|,|\$)" <<<"$out" || missing+=" $target"
done
is "and names every target" "$missing" ""

# --- other places ---

# The configuration's place is compiled in, so that the programs are built once more: not those that other tests use.
mkdir "$WORK/build"
(cd "$BUILT" && find . -maxdepth 1 -type f -exec cp -p {} "$WORK/build" \; &&
    cp -a knock knockctl knockd control keeper lib listener "$WORK/build")
ROOT=$WORK/other BUILT=$WORK/build
ok "make install PREFIX=/usr sysconfdir=/usr/etc UNITDIR=/usr/lib/units" \
    make_install "$ROOT" PREFIX=/usr sysconfdir=/usr/etc UNITDIR=/usr/lib/units
is "each place is kept to" "$(installed f | cut -d' ' -f2 | grep -v "/man/\|$COMPLETION")" "\
usr/bin/knock
usr/bin/knockctl
usr/etc/knockd.conf
usr/lib/units/knockd.service
usr/sbin/knockd
$(installed_examples usr/share/doc/knockd/examples)
usr/share/doc/knockd/knockd.conf"
like "knockd looks for its configuration there" "$(verdict "$ROOT/usr/sbin/knockd" -t)" '/usr/etc/knockd.conf'
like "knockctl, too" "$(verdict "$ROOT/usr/bin/knockctl" rules)" '/usr/etc/knockd.conf'
like "and names it" "$("$ROOT/usr/bin/knockctl" rules --help)" '/usr/etc/knockd.conf'
printf 'source "s" { type = kmsg prefix = "x" } door "a" { key = nobodys port = 22 start_command = "true" stop_command = "true" }\n' >"$WORK/keyed.conf"
like "and for its keys" "$(verdict "$ROOT/usr/sbin/knockd" -t -c "$WORK/keyed.conf")" 'key_dir: /usr/etc/knockd/keys: '
is "the unit follows" "$(grep ^ExecStart= "$ROOT/usr/lib/units/knockd.service")" "ExecStart=/usr/sbin/knockd"

# --- the manual's examples ---

# examples PAGE: writes each literal block with a door to WORK/example.N; mdoc writes a backslash as \e.
examples() {
    awk -v out="$WORK/example" '
        /^\.Bd -literal/ { text = ""; next }
        /^\.Ed/ { if (text ~ /\ndoor /) { file = out "." ++n; printf "%s", text > file; close(file) } text = ""; next }
        { gsub(/\\e/, "\\"); text = text $0 "\n" }' "$1"
}

rm -f "$WORK"/example.*
examples "$TREE/man/knockd.conf.5"
examples_found=0
for example in "$WORK"/example.*; do
    examples_found=$((examples_found + 1))
    program=iptables
    ! grep -q '"nft ' "$example" || program=nft
    if PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v $program >/dev/null; then
        is "knockd.conf(5): example $examples_found is right" "$(check "$(with_user "$example")" | grep -v 6tables)" \
            "configuration OK"
    else
        ok "knockd.conf(5): example $examples_found is right # SKIP no $program" true
    fi
done
is "all examples were found" $examples_found 9

# --- the user ---

# Commands that only say what they were asked to do, since the real ones would change this machine.
mkdir "$WORK/commands"
cat >"$WORK/commands/id" <<'END'
#!/bin/sh
case "$USERS " in *" $1:"* | *" $2:"*) ;; *) exit 1 ;; esac
[ $# = 1 ] || echo "${USERS##*:}"
END
cat >"$WORK/commands/getent" <<'END'
#!/bin/sh
case " $GROUPS_THERE " in *" $2 "*) echo "$2:x:200:" ;; *) exit 2 ;; esac
END
printf '#!/bin/sh\necho useradd "$@"\n' >"$WORK/commands/useradd"
chmod 755 "$WORK/commands/"*

install_user() {
    USERS=" $1" GROUPS_THERE=$2 PATH=$WORK/commands:$PATH "$TREE/scripts/install-user.sh" 2>&1
}

like "a user without rights is made" "$(install_user "" "")" 'useradd --system .*nologin --user-group knockd'
like "with the group of its name, if that is there" "$(install_user "" knockd)" '--gid=knockd knockd'
is "one that is there stays as it is" "$(install_user knockd:200 knockd)" ""
ok "and that is a success" install_user knockd:200 knockd
like "root by another name is refused" "$(install_user knockd:0 "")" "has root's rights"
install_user knockd:0 "" >"$WORK/refused"
is "as an error" $? 1

done_testing
