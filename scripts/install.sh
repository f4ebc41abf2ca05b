#!/bin/sh
# install.sh install|uninstall PART...: puts what was built where it belongs, or takes it away again. The parts are
# daemon (knockd and knockctl) and client (knock). `make` says the places: DESTDIR, BINDIR and so on, all of them
# absolute. Both actions go by the one list below, so that nothing is left behind.
set -eu

: "${BUILD:?}" "${PREFIX:?}" "${BINDIR:?}" "${SBINDIR:?}" "${MANDIR:?}" "${DOCDIR:?}" "${UNITDIR:?}" "${SYSCONFDIR:?}"
: "${BASHDIR:?}" "${ZSHDIR:?}" "${FISHDIR:?}"
DESTDIR=${DESTDIR:-}
: "${INSTALL:=install}"
conf=$SYSCONFDIR/knockd.conf
tab=$(printf '\t')

# file MODE SOURCE DESTINATION: a line of the list.
file() {
    printf '%s\t%s\t%s\n' "$1" "$2" "$3"
}

pages() {
    for page; do
        file 644 "man/$page" "$MANDIR/man${page##*.}/$page"
    done
}

# completions PROGRAM...: for the shells that there are files for, of the tree or made by the build.
completions() {
    for program; do
        for folder in etc/completion "$BUILD/completion"; do
            [ ! -f "$folder/$program.bash" ] || file 644 "$folder/$program.bash" "$BASHDIR/$program"
            [ ! -f "$folder/_$program" ] || file 644 "$folder/_$program" "$ZSHDIR/_$program"
            [ ! -f "$folder/$program.fish" ] || file 644 "$folder/$program.fish" "$FISHDIR/$program.fish"
        done
    done
}

# The example of the client's configuration goes with the client.
examples() {
    find etc/examples -type f ! -name knock.conf | LC_ALL=C sort | while IFS= read -r example; do
        file 644 "$example" "$DOCDIR/examples/${example#etc/examples/}"
    done
}

list_client() {
    file 755 "$BUILD/knock/knock" "$BINDIR/knock"
    pages knock.1 knock.conf.5 knock-protocol.7
    file 644 etc/examples/knock.conf "$DOCDIR/examples/knock.conf"
    completions knock
}

# knockctl is in BINDIR: an ordinary user's PATH has no sbin, and knockctl tells him better what he may do.
list_daemon() {
    file 755 "$BUILD/knockd/knockd" "$SBINDIR/knockd"
    file 755 "$BUILD/knockctl/knockctl" "$BINDIR/knockctl"
    pages knockd.8 knockd.conf.5 knockctl.8 knockd-fleet.7
    file 644 etc/knockd.service "$UNITDIR/knockd.service"
    file 644 etc/knockd.conf "$DOCDIR/knockd.conf"
    examples
    completions knockd knockctl
}

list() {
    for part; do
        "list_$part"
    done
}

# Texts name the places where the others are.
placed() {
    sed "s|@SBINDIR@|$SBINDIR|g; s|@BINDIR@|$BINDIR|g; s|/usr/local/share/doc/knockd|$DOCDIR|g" "$1"
}

install_file() {
    $INSTALL -d -m 755 "$DESTDIR${3%/*}"
    case $1 in
    755) $INSTALL -m 755 "$2" "$DESTDIR$3" ;;
    *) placed "$2" | $INSTALL -m "$1" /dev/stdin "$DESTDIR$3" ;;
    esac
}

# The configuration may be an administrator's, or that of a distribution's package: only a missing one is made.
install_configuration() {
    [ ! -e "$DESTDIR$conf" ] && [ ! -L "$DESTDIR$conf" ] || return 0
    install_file 600 etc/knockd.conf "$conf"
}

real_root() {
    [ -z "$DESTDIR" ] && [ "$(id -u)" = 0 ]
}

# A system user is for an installation that the system runs; who tries one in a folder of his own has to ask for it.
is_for_system() {
    case $PREFIX in
    /usr | /usr/local) true ;;
    *) [ -n "${MAKE_USER:-}" ] ;;
    esac
}

make_user() {
    [ -z "$DESTDIR" ] || return 0
    if real_root && is_for_system; then
        scripts/install-user.sh
    elif ! id knockd >/dev/null 2>&1; then
        echo "install: the system user knockd, which the listener runs as, isn't there; to make it:" \
            "sudo scripts/install-user.sh, or make install as root with MAKE_USER=yes"
    fi
}

# What a package is made of: nothing comes next here.
say_staged() {
    count=$(list "$@" | wc -l)
    case " $* " in *" daemon "*) made=", the configuration is $DESTDIR$conf" ;; *) made= ;; esac
    echo "install: put $count files below $DESTDIR$PREFIX$made; this host's own stayed as they were"
}

do_install() {
    list "$@" | while IFS=$tab read -r mode source destination; do
        install_file "$mode" "$source" "$destination"
    done
    case " $* " in *" daemon "*)
        # Versions before 1.0 put it there, and root's shell would find that one first.
        [ "$SBINDIR" = "$BINDIR" ] || rm -f "$DESTDIR$SBINDIR/knockctl"
        install_configuration
        make_user ;;
    esac
    if [ -n "$DESTDIR" ]; then say_staged "$@"; else scripts/install-next.sh "$@"; fi
}

# With its unit gone, systemd could neither stop a daemon as it should nor disable it.
refuse_in_use() {
    real_root && [ -d /run/systemd/system ] || return 0
    [ "$(systemctl show -P FragmentPath knockd.service 2>/dev/null)" = "$UNITDIR/knockd.service" ] || return 0
    if systemctl -q is-active knockd.service || systemctl -q is-enabled knockd.service 2>/dev/null; then
        echo "uninstall: knockd is running or enabled; nothing was removed. First: systemctl disable --now knockd" >&2
        exit 1
    fi
}

# Folders that are there on every system stay.
standard() {
    case $1 in
    "$PREFIX" | "$BINDIR" | "$SBINDIR" | "$MANDIR" | "$PREFIX"/lib | "$PREFIX"/share) true ;;
    *) false ;;
    esac
}

# remove_folders FOLDER: that one and those above it, as far as they are empty.
remove_folders() {
    folder=$1
    while ! standard "$folder" && [ "${folder#"$PREFIX"/}" != "$folder" ]; do
        [ ! -d "$DESTDIR$folder" ] || rmdir "$DESTDIR$folder" 2>/dev/null || break
        folder=${folder%/*}
    done
}

# What an administrator made, or the daemon, isn't an installation's to remove.
say_left() {
    left=
    for path in "$conf" /etc/knockd /var/lib/knockd; do
        [ ! -e "$DESTDIR$path" ] || left="$left $DESTDIR$path"
    done
    if [ -z "$DESTDIR" ] && id knockd >/dev/null 2>&1; then left="$left, and the user knockd"; fi
    [ -z "$left" ] || echo "uninstall: left as they are, configuration, keys and state:$left"
}

# count_there PART...: how many files of the list there are.
count_there() {
    list "$@" | while IFS=$tab read -r _ _ destination; do
        [ ! -e "$DESTDIR$destination" ] && [ ! -L "$DESTDIR$destination" ] || echo .
    done | wc -l
}

do_uninstall() {
    case " $* " in *" daemon "*) refuse_in_use ;; esac
    count=$(count_there "$@")
    if [ "$count" = 0 ]; then
        echo "uninstall: nothing was there to remove below $DESTDIR$PREFIX; say the PREFIX and DESTDIR of the install" >&2
        exit 1
    fi
    list "$@" | while IFS=$tab read -r _ _ destination; do
        rm -f "$DESTDIR$destination"
        remove_folders "${destination%/*}"
    done
    echo "uninstall: removed the $count files that make install put below $DESTDIR$PREFIX"
    case " $* " in *" daemon "*) say_left ;; esac
}

action=$1
shift
case $action in
install | uninstall) "do_$action" "$@" ;;
list) list "$@" ;;
*) echo "usage: install.sh install|uninstall|list PART..." >&2; exit 2 ;;
esac
