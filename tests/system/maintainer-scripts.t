#!/bin/bash
# What the packages' maintainer scripts decide, with dpkg, systemd and knockd played: an old file is never installed over,
# an imported one takes its place, a daemon is restarted only when its configuration is right, a purge leaves nothing.
# The packages themselves, in booted releases of Debian: make check-install.
set -u

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root, for mount namespaces"
netns_begin
trap tap_end EXIT

export WORK
SCRIPTS=$TREE/etc/debian
CONF=/etc/knockd.conf
mkdir "$WORK/played" "$WORK/etc" "$WORK/state" "$WORK/run"
cp -a /etc/passwd /etc/group "$WORK/etc/"

# --- what the scripts ask, and tell ---

# play PROGRAM: its body comes on standard input; it writes what it was told to WORK/told.
play() {
    { echo '#!/bin/sh'; cat; } >"$WORK/played/$1"
    chmod 755 "$WORK/played/$1"
}

play dpkg-query <<'END'
case $* in
*Conffiles*) echo " /etc/knockd.conf ${SHIPPED:-none}" ;;
*) [ -z "${KNOCKD_IS:-}" ] && exit 1; echo "$KNOCKD_IS" ;;
esac
END
play dpkg-divert <<'END'
case $* in
--listpackage*) cat "$WORK/diverted" 2>/dev/null ;;
*--add*) echo knockd-ng >"$WORK/diverted" ;;
*--remove*) rm -f "$WORK/diverted" ;;
esac
END
play systemctl <<'END'
case $* in
*is-active*) [ -n "${ACTIVE:-}" ] ;;
*is-enabled*) false ;;
esac
END
play deb-systemd-invoke <<'END'
echo "told: $*"
END
play knockd <<'END'
case $* in *--close-all*) echo "told: knockd $*"; exit 0 ;; esac
[ -z "${WRONG:-}" ] || { echo "/etc/knockd.conf:1: wrong"; exit 1; }
END
play knockctl <<'END'
[ -z "${STRAY:-}" ] || echo "IPv4, table filter: a rule like those of door ssh that no opening owns, so nobody closes it"
exit 1
END
play iptables-save <<'END'
[ -z "${RULES:-}" ] || printf '%s\n' '*filter' ':KNOCKD - [0:0]' ':KNOCKD-DENY - [0:0]' '-A INPUT -j KNOCKD' COMMIT
END
play ip6tables-save </dev/null
play nft <<'END'
[ -n "${TABLE:-}" ]
END
play userdel <<'END'
echo "told: userdel $*"
END
play id <<'END'
echo 997
END

# script NAME ARGUMENT...: as dpkg runs it, on a host whose /etc, /run and /var/lib are the test's.
script() {
    local name=$1
    shift
    # The template lies where the package has it.
    sed "s|/usr/share/knockd-ng|$TREE/etc|" "$SCRIPTS/$name" >"$WORK/script"
    # shellcheck disable=SC2016 # the inner shell's
    PATH=$WORK/played:/usr/sbin:/usr/bin:/sbin:/bin unshare -m sh -c '
        mount --bind "$WORK/etc" /etc && mount --bind "$WORK/state" /var/lib && mount --bind "$WORK/run" /run || exit 99
        exec sh "$WORK/script" "$@"' sh "$@" 2>&1
}

there() {
    (cd "$WORK/etc" && find . -maxdepth 1 -name 'knock*' -printf '%P\n' | LC_ALL=C sort | xargs)
}

old_file() {
    printf '\r\n# mine\r\n  [options]\r\n\tUseSyslog\r\n' >"$WORK/etc/knockd.conf"
}

# --- a host with nothing ---

ok "preinst on a host with nothing" script knockd-ng.preinst install
is "it keeps dpkg from deleting the configuration with another package" "$(cat "$WORK/diverted")" knockd-ng
out=$(script knockd-ng.postinst configure)
is "nothing is started, where no systemd runs" "$out" ""
is "the configuration is made, for root alone" "$(stat -c '%a %u' "$WORK$CONF")" "600 0"
ok "of the template" cmp "$WORK$CONF" "$TREE/etc/knockd.conf"
echo '# edited' >>"$WORK$CONF"
before=$(stat -c '%i %Y' "$WORK$CONF"; cksum "$WORK$CONF")
ok "preinst of an upgrade" script knockd-ng.preinst upgrade 1.0
ok "postinst of an upgrade" script knockd-ng.postinst configure 1.0
is "what was edited is as it was" "$(stat -c '%i %Y' "$WORK$CONF"; cksum "$WORK$CONF")" "$before"
ok "over a file of its own, made before, it installs as well" script knockd-ng.preinst install

# --- systemd ---

mkdir -p "$WORK/run/systemd/system"
like "the first time it says what comes next" "$(script knockd-ng.postinst configure)" 'knockd -t && systemctl enable --now knockd'
is "an upgrade of one that doesn't run says nothing, and starts nothing" "$(script knockd-ng.postinst configure 1.0)" ""
is "one that runs is restarted" "$(ACTIVE=1 script knockd-ng.postinst configure 1.0)" "told: restart knockd.service"
is "nothing is said of rules that no knockd forgot" "$(STRAY=1 script knockd-ng.postinst configure 1.0)" ""
old_file
echo '# imported' >"$WORK$CONF.imported"
like "a rule that the daemon it replaced left is told of" "$(ACTIVE=1 STRAY=1 script knockd-ng.postinst configure)" \
    'nobody closes it; what tells of all such rules: knockctl rules --check'
rm -f "$WORK$CONF.old"
out=$(ACTIVE=1 WRONG=1 script knockd-ng.postinst configure 1.0)
is "a wrong configuration doesn't fail the upgrade" $? 0
like "but is told" "$out" "$CONF:1: wrong"
like "and the one that runs goes on" "$out" 'was not restarted'
ok "not restarted, indeed" not grep -q 'told:' <<<"$out"
is "a removal stops it, and closes what is on record" "$(script knockd-ng.prerm remove)" \
    $'told: stop knockd.service\ntold: knockd --close-all'
is "an upgrade doesn't" "$(script knockd-ng.prerm upgrade 1.1)" ""
out=$(RULES=1 script knockd-ng.prerm remove)
like "a removal tells of rules that keep the ports closed" "$out" 'deny new connections to the ports of doors'
like "and how to take them out" "$out" '  iptables -X KNOCKD-DENY'
ok "those alone that are there" not grep -q 'ip6tables|nft' <<<"$out"
like "of nft's as well" "$(TABLE=1 script knockd-ng.prerm remove)" '  nft delete table inet knockd'

# --- another knockd's file ---

rm "$WORK/diverted"
old_file
out=$(KNOCKD_IS=half-installed script knockd-ng.preinst install)
is "over another knockd's file preinst refuses" $? 1
like "it names the importer, in the package's own file" "$out" 'dpkg -x FILE.deb(.|
)*knockctl import /etc/knockd.conf >/etc/knockd.conf.imported'
ok "nothing was diverted" [ ! -e "$WORK/diverted" ]
ok "nor was it said that the old package is gone" not grep -q 'removed already' <<<"$out"
like "unless it is" "$(KNOCKD_IS=config-files script knockd-ng.preinst install)" 'removed already(.|
)*apt-get install knockd'
printf 'source "w" { type = pcap }\n' >"$WORK$CONF.imported"
chmod 644 "$WORK$CONF.imported"
ok "with an imported one it goes on" script knockd-ng.preinst install
like "which becomes the configuration" "$(script knockd-ng.postinst configure)" 'imported is /etc/knockd.conf now'
is "the old one stays beside it" "$(there)" "knockd.conf knockd.conf.old"
like "the old one is the old one" "$(cat "$WORK$CONF.old")" UseSyslog
is "the new one is root's alone" "$(stat -c '%a %u' "$WORK$CONF")" "600 0"
cp "$WORK$CONF.old" "$WORK$CONF.imported"
before=$(cksum "$WORK$CONF")
ok "postinst with one imported too late" script knockd-ng.postinst configure 1.0
is "never puts it over a file of its own" "$(cksum "$WORK$CONF")" "$before"

# --- a second knockd ---

mkdir -p "$WORK/run/knockd/lock" "$WORK/run/systemd/system"
lock="$WORK/run/knockd/lock/etc-knockd\\x2dlab.conf"
: >"$lock"
is "none runs: nothing is said of one" "$(script knockd-ng.prerm remove | grep -c Another)" 0
exec {held}>"$lock"
flock "$held"
like "one runs: a removal says so" "$(script knockd-ng.prerm remove)" \
    'Another knockd runs with /etc/knockd-lab.conf:'
like "and an upgrade" "$(script knockd-ng.postinst configure 1.0)" 'goes on by the program of before'
mkdir -p "$WORK/run/knockd/state" "$WORK/lab"
ln -s "$WORK/lab" "$WORK/run/knockd/state/etc-knockd\\x2dlab.conf"
ln -s "$WORK/none" "$WORK/run/knockd/state/etc-knockd\\x2dnone.conf"
ok "what one that runs has open is its own" not grep -q 'close-all --state-dir' <<<"$(script knockd-ng.prerm remove)"
exec {held}>&-
like "what one that was killed has on record as open is closed" "$(script knockd-ng.prerm remove)" \
    "told: knockd --close-all --state-dir $WORK/lab"
ok "and nothing else but the package's own" [ "$(script knockd-ng.prerm remove | grep -c close-all)" = 2 ]
rm -r "$WORK/run/knockd" "$WORK/lab"
mkdir -p "$WORK/state/knockd"
: >"$WORK/state/knockd/state.db"
mv "$WORK$CONF" "$WORK/away"
like "without a configuration, the record is found" "$(script knockd-ng.prerm remove)" \
    'told: knockd --close-all --state-dir /var/lib/knockd'
rm -r "$WORK/state/knockd"
is "without both there is nothing to close" "$(script knockd-ng.prerm remove | grep -c close-all)" 0
mv "$WORK/away" "$WORK$CONF"

# --- the client ---

old_file
rm "$WORK$CONF.imported"
shipped=$(md5sum <"$WORK$CONF" | cut -d' ' -f1)
out=$(KNOCKD_IS=half-installed script knock-ng.preinst install)
is "the client doesn't have a daemon removed that is in use" $? 1
like "and says so" "$out" 'would be removed'
KNOCKD_IS=half-installed SHIPPED=$shipped ok "one that nobody set up, it does" script knock-ng.preinst install
KNOCKD_IS=half-installed SHIPPED=$shipped ACTIVE=1 ok "but not one that runs" not script knock-ng.preinst install
KNOCKD_IS=config-files ok "what is gone isn't asked for" script knock-ng.preinst install
ok "nor what never was there" script knock-ng.preinst install

# --- purge ---

mkdir -p "$WORK/etc/knockd/keys" "$WORK/state/knockd" "$WORK/run/knockd" "$WORK/etc/systemd/system/multi-user.target.wants"
touch "$WORK/etc/knockd/keys/alice.key" "$WORK/state/knockd/store" "$WORK/etc/systemd/system/multi-user.target.wants/knockd.service"
echo knockd-ng >"$WORK/diverted"
ok "a removal" script knockd-ng.postrm remove
ok "leaves dpkg as it was" [ ! -e "$WORK/diverted" ]
is "and the configuration" "$(there)" "knockd knockd.conf knockd.conf.old"
KNOCKD_IS=installed script knockd-ng.postrm purge >/dev/null
is "a purge, the old package being back, leaves its file" "$(there)" "knockd.conf knockd.conf.old"
mkdir -p "$WORK/run/knockd/lock"
exec {held}>"$lock"
flock "$held"
like "one beside a second knockd leaves that what it needs" "$(KNOCKD_IS=installed script knockd-ng.postrm purge)" \
    'the user knockd and /run/knockd stay'
ok "and its lock" test -e "$lock"
exec {held}>&-
like "else it removes the user" "$(script knockd-ng.postrm purge)" 'told: userdel knockd'
is "and everything" "$(there)$(find "$WORK/state" "$WORK/run" "$WORK/etc/systemd" -name 'knockd*')" ""

done_testing
