#!/bin/bash
# `make install` on a host, not into a folder: what it says comes next, what it says of another knockd there, and that
# `make uninstall` removes what it put. For root, each in a mount namespace of its own with /etc, /usr and /run laid over,
# so that this host stays as it is; and as an ordinary user, in his home.
set -u

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root, for mount namespaces"
needs_knockd
netns_begin
trap tap_end EXIT

# unlike DESCRIPTION GOT REGEX: like's opposite.
unlike() {
    ok "$1" not grep -qE -- "$3" <<<"$2"
}

# What is built once more is linked with what was built with sanitizers, if it was.
flags=()
! grep -q __asan_init "$KNOCKD" || flags=(CC=clang "SANITIZE=address,undefined")

# plain_make ARGUMENT...: with nothing inherited from a make that runs the tests.
plain_make() {
    env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS -u PREFIX -u SBINDIR -u BINDIR -u MANDIR -u SYSCONFDIR -u UNITDIR -u DOCDIR \
        -u BASHDIR -u ZSHDIR -u FISHDIR -u prefix -u sysconfdir -u DESTDIR make --no-print-directory "$@"
}

# copy_build FOLDER: what was built, without the tests.
copy_build() {
    mkdir -p "$1"
    (cd "$BUILT" && find . -maxdepth 1 -type f ! -name '*.tar.gz' -exec cp -p {} "$1" \; &&
        cp -a knock knockctl knockd control keeper lib listener "$1")
}

# --- a host of one's own ---

# lay_over FOLDER: changes to it go to a file system that ends with the namespace.
lay_over() {
    local upper
    upper=$(mktemp -d "$OVER/XXXXXX") && mkdir "$upper/up" "$upper/work" &&
        mount -t overlay overlay -o "lowerdir=$1,upperdir=$upper/up,workdir=$upper/work" "$1"
}

# Whatever knockd this machine has isn't the test's.
make_host() {
    OVER=$WORK/over
    mkdir -p "$OVER"
    mount -t tmpfs tmpfs "$OVER" && lay_over /etc && lay_over /usr && mount -t tmpfs tmpfs /run || return 1
    mkdir -p /run/systemd/system
    find /etc /usr -xdev \( -name 'knock*' -o -name '_knock*' \) ! -path "$TREE/*" -print0 | xargs -0 rm -rf
    sed -i '/^knockd:/d' /etc/passwd /etc/group /etc/shadow /etc/gshadow 2>/dev/null
    fake_systemctl
}

fake_systemctl() {
    cat >/usr/local/sbin/systemctl <<'END'
#!/bin/sh
case $* in
"show -P FragmentPath knockd.service") echo /usr/local/lib/systemd/system/knockd.service ;;
*is-active*) [ -e /run/active ] ;;
*) false ;;
esac
END
    chmod 755 /usr/local/sbin/systemctl
}

# on_host FUNCTION: in the namespaces; what it prints is for the tests below.
on_host() {
    export -f lay_over make_host fake_systemctl plain_make install_here old_knockd "${1?}"
    export WORK TREE BUILT
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        unshare -m -p -f --mount-proc bash -c "make_host && $1" 2>&1
}

install_here() {
    plain_make -C "$TREE" install BUILD="$BUILT"
}

# What Debian's package knockd puts where, and the daemon that runs: any program of that name will do.
old_knockd() {
    printf '# mine\r\n\r\n[options]\r\n\tUseSyslog\r\n' >/etc/knockd.conf
    cp /usr/bin/sleep /usr/sbin/knockd
    printf '[Service]\nExecStart=/usr/sbin/knockd\n' >/usr/lib/systemd/system/knockd.service
    /usr/sbin/knockd 1000 &
}

if ! unshare -m bash -c "$(declare -f lay_over); OVER=$WORK && mount -t tmpfs tmpfs $WORK && lay_over /etc" 2>/dev/null; then
    skip_all "overlayfs can't be mounted here"
fi

# --- nothing there before ---

newcomer() {
    install_here
    echo "--- again"
    install_here | grep -c 'sudoedit'
    id -u knockd
    rmdir /run/systemd/system
    echo "--- without systemd"
    install_here
    mkdir /run/systemd/system
    cp /usr/bin/sleep /usr/local/sbin/knockd
    /usr/local/sbin/knockd 1000 &
    echo "--- over a running one"
    install_here
}

out=$(on_host newcomer)
first=${out%%--- again*}
like "it says where things are" "$first" 'knockd is in /usr/local/sbin, knockctl and knock are in /usr/local/bin'
like "and what comes next" "$first" 'sudo systemctl enable --now knockd'
ok "in few lines" [ "$(wc -l <<<"$first")" -le 9 ]
unlike "nothing of another knockd" "$first" 'nother|unit wins|refuse'
like "it made the user" "$first" 'made the system user knockd'
without=${out##*--- without systemd}
like "where no systemd is, it says how to start without" "${without%%--- over*}" 'sudo /usr/local/sbin/knockd -d'
unlike "and nothing of systemctl" "${without%%--- over*}" systemctl
like "over one that runs, it says how to restart" "${out##*running one}" 'systemctl daemon-reload && sudo systemctl restart knockd'
unlike "not how to begin" "${out##*running one}" sudoedit

# --- a folder of root's own ---

own_prefix() {
    plain_make -C "$TREE" install BUILD="$BUILT" PREFIX="$OVER/own" SYSCONFDIR=/etc
    id -u knockd
    echo "--- asked for"
    plain_make -C "$TREE" install BUILD="$BUILT" PREFIX="$OVER/own" SYSCONFDIR=/etc MAKE_USER=yes
    id -u knockd
}

out=$(on_host own_prefix)
first=${out%%--- asked for*}
unlike "root's own folder is no reason for a system user" "$first" 'made the system user'
like "so there is none" "$first" 'id:.*knockd'
like "and install says how to make it" "$first" 'sudo scripts/install-user.sh, or .*MAKE_USER=yes'
like "which it does where it is asked to" "${out##*--- asked for}" 'made the system user knockd(.|
)*
[0-9]+$'

# --- over Debian's knockd ---

over_the_old() {
    old_knockd
    cksum /etc/knockd.conf /usr/sbin/knockd /usr/lib/systemd/system/knockd.service >"$OVER/before"
    install_here
    cksum /etc/knockd.conf /usr/sbin/knockd /usr/lib/systemd/system/knockd.service | diff "$OVER/before" - && echo "untouched"
    mkdir -p /etc/systemd/system
    cp /usr/lib/systemd/system/knockd.service /etc/systemd/system/
    echo "--- /etc"
    install_here
}

out=$(on_host over_the_old)
first=${out%%--- /etc*}
like "nothing of the other knockd is overwritten" "$first" '
untouched'
like "its file is named, with the importer" "$first" "/etc/knockd.conf is the file of the other knockd(.|
)*knockctl import /etc/knockd.conf"
unlike "and no door is to be made" "$first" sudoedit
like "its binary" "$first" 'Another knockd is installed: /usr/sbin/knockd'
like "its unit" "$first" 'Another unit is installed: /usr/lib/systemd/system/knockd.service'
like "its daemon runs on" "$first" 'runs on \(process [0-9]+, /usr/sbin/knockd\) until it is restarted'
like "then ours is started" "$first" 'At the next restart systemd takes /usr/local/lib/systemd/system/knockd.service'
like "which refuses the file" "$first" 'then nobody gets in'
like "a unit in /etc wins over ours, and it says so" "${out##*--- /etc}" \
    'systemd takes /etc/systemd/system/knockd.service, not /usr/local/lib'

# --- uninstall ---

goes_again() {
    find /usr -xdev -not -path '/usr/src/*' | sort >"$OVER/before"
    install_here >/dev/null
    printf 'mine\n' >/etc/knockd.conf
    touch /run/active
    echo "--- in use"
    plain_make -C "$TREE" uninstall BUILD="$BUILT" || echo "refused"
    [ -x /usr/local/bin/knockctl ] && echo "still there"
    rm /run/active
    echo "--- not in use"
    plain_make -C "$TREE" uninstall BUILD="$BUILT"
    find /usr -xdev -not -path '/usr/src/*' | sort | diff "$OVER/before" - && echo "as before"
    cat /etc/knockd.conf
}

out=$(on_host goes_again)
in_use=${out%%--- not in use*}
like "uninstall refuses while it runs, and says how to stop it" "$in_use" 'First: systemctl disable --now knockd(.|
)*refused'
like "having removed nothing" "$in_use" 'still there'
like "then it removes all that install put, folders too" "${out##*--- not in use}" 'as before'
like "it says what it leaves" "${out##*--- not in use}" 'left as they are.*: /etc/knockd.conf, and the user knockd'
like "and has left it" "${out##*--- not in use}" '
mine$'

# --- an ordinary user, in his home ---

HOME_OF=$WORK/home
mkdir "$HOME_OF"
copy_build "$HOME_OF/build"
(cd "$TREE" && tar -cf - Makefile README.md LICENSE src include etc man scripts) | tar -xf - -C "$HOME_OF"
chown -R 64321:64321 "$HOME_OF"
chmod 755 "$WORK"

as_user() {
    (cd "$HOME_OF" && HOME=$HOME_OF setpriv --reuid=64321 --regid=64321 --clear-groups "$@")
}

user_make() {
    as_user bash -c "$(declare -f plain_make); "'plain_make "$@"' bash "${flags[@]}" BUILD="$HOME_OF/build" PREFIX="$HOME_OF/x y" "$@" 2>&1
}

out=$(user_make install)
like "a user installs into his home, the unit as well" "$out" "the unit is $HOME_OF/x y/lib/systemd/system/knockd.service"
like "and is told what won't work" "$out" "systemd doesn't look into"
like "and what his PATH lacks" "$out" "x y/bin isn't in your PATH"
ok "the client runs" as_user "$HOME_OF/x y/bin/knock" -V
like "knockd looks for its configuration there, too" "$(as_user "$HOME_OF/x y/sbin/knockd" -t 2>&1)" "x y/etc/knockd.conf"
out=$(user_make uninstall)
is "uninstall leaves the configuration and common folders" \
    "$(cd "$HOME_OF/x y" && find . -type f -o -type d -path '*knock*' -o -type d -path '*systemd*' -o -type d -path '*complet*')" \
    "./etc/knockd.conf"
like "and says so" "$out" "configuration, keys and state: $HOME_OF/x y/etc/knockd.conf"

# --- the client alone ---

out=$(user_make -n install-client BUILD="$HOME_OF/nothing")
unlike "the client is built without the daemon" "$out" 'src/(knockd|knockctl|listener|keeper|control)/'
unlike "and without its libraries" "$out" '-l(ev|seccomp|sqlite3|jansson|pcap|mnl|netfilter_log)'
out=$(user_make install-client)
is "it comes with its manual, and nothing else" \
    "$(cd "$HOME_OF/x y" && find . -type f | LC_ALL=C sort | grep -v 'share/\(bash-completion\|zsh\|fish\)')" "\
./bin/knock
./etc/knockd.conf
./share/doc/knockd/examples/knock.conf
./share/man/man1/knock.1
./share/man/man5/knock.conf.5
./share/man/man7/knock-protocol.7"
like "its manual names the example where it is" "$(cat "$HOME_OF/x y/share/man/man5/knock.conf.5")" \
    "x y/share/doc/knockd/examples/knock.conf"
user_make uninstall-client >/dev/null
ok "and goes again" [ ! -e "$HOME_OF/x y/bin/knock" ]

# --- an archive ---

if git -c safe.directory='*' -C "$TREE" rev-parse -q --verify HEAD >/dev/null 2>&1; then
    dist() { plain_make -C "$TREE" dist BUILD="$BUILT" >/dev/null 2>&1 && cksum <"$BUILT"/knockd-*.tar.gz; }
    rm -f "$BUILT"/knockd-*.tar.gz
    one=$(dist)
    like "make dist" "$one" '^[0-9]+ [0-9]+$'
    sleep 1.1
    is "the same commit gives the same bytes" "$(dist)" "$one"
    mkdir "$WORK/dist"
    tar -xzf "$BUILT"/knockd-*.tar.gz -C "$WORK/dist" --strip-components=1
    is "all that belongs to it is there" \
        "$(cd "$WORK/dist" && find . -type f | sed 's,^\./,,' | LC_ALL=C sort)" \
        "$(git -c safe.directory='*' -C "$TREE" ls-tree -r --name-only HEAD | LC_ALL=C sort)"
    ok "it builds, away from the repository" plain_make -s -C "$WORK/dist" OPTIMISE=-O0 knock
    like "and knows that it is no clone" "$(plain_make -C "$WORK/dist" dist 2>&1)" 'no clone of the repository'
    rm -f "$BUILT"/knockd-*.tar.gz
else
    ok "make dist # SKIP no repository here" true
fi

done_testing
