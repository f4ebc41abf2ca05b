#!/bin/bash
# debian-root.sh SUITE [boot|build] [FOLDER]: for root: a release of Debian as a tar, made by debootstrap once and kept;
# prints the tar's path, and unpacks it into FOLDER when one is named. `boot` is what an administrator has: systemd,
# sshd, firewall tools, rsyslog, and, downloaded but not installed, Debian's knockd and what ours depends on, so that
# apt-get installs without a network. `build` is that with compilers and what packages are built with.
#
# The tars lie in KNOCKD_ROOTS (/var/tmp/knockd-roots). Callers at the same time share one: each suite has a lock. A tar
# is made again when the lists below change, or after 30 days.
set -u
export LC_ALL=C DEBIAN_FRONTEND=noninteractive

: "${KNOCKD_ROOTS:=/var/tmp/knockd-roots}"
boot=(systemd systemd-sysv dbus udev iproute2 iptables nftables openssh-server openssh-client procps rsyslog perl-base
    ca-certificates man-db netcat-openbsd)
# Downloaded alone.
spare=(knockd libconfuse2 libev4 libjansson4 libnetfilter-log1 libpcap0.8 libsodium23 libsqlite3-0 ufw)
mapfile -t build < <("$(dirname "${BASH_SOURCE[0]}")/deps.sh" --list build deb)
build+=(libcmocka-dev perl lintian mandoc)

lacks() {
    echo "debian-root.sh: $*" >&2
    exit 1
}

case $# in 1 | 2 | 3) ;; *) echo "usage: debian-root.sh SUITE [boot|build] [FOLDER]" >&2; exit 2 ;; esac
suite=$1 kind=${2:-boot} folder=${3:-}
case $suite in
bookworm) ;;
trixie) spare=("${spare[@]/#libpcap0.8/libpcap0.8t64}") build+=(clang) ;;
*) lacks "no suite '$suite' here: bookworm, trixie" ;;
esac
case $kind in boot | build) ;; *) lacks "no kind '$kind' of root: boot, build" ;; esac
[ "$(id -u)" = 0 ] || lacks "needs root, for debootstrap and chroot"
command -v debootstrap >/dev/null || lacks "needs debootstrap; install with: sudo apt-get install debootstrap"

# mirror: where this machine's Debian packages come from.
mirror() {
    local uri
    uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null |
        sed -nE 's,^(URIs:|deb (\[[^]]*\])?) *(http[^ ]*/debian)/?( .*)?$,\3,p' | head -n 1)
    echo "${uri:-http://deb.debian.org/debian}"
}

# configure_apt ROOT: apt in the root reaches what this machine's does: proxies, name servers, certificates.
configure_apt() {
    local uri file
    uri=$(mirror)
    cat >"$1/etc/apt/sources.list" <<END
deb $uri $suite main
deb $uri $suite-updates main
deb $uri-security $suite-security main
END
    for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
        [ ! -f "$file" ] || grep -hE '^[^/#]*Acquire::[a-z]+::(Proxy|Verify|CA)' "$file"
    done >"$1/etc/apt/apt.conf.d/90machine"
    cp -L /etc/resolv.conf "$1/etc/resolv.conf"
    [ ! -d /usr/local/share/ca-certificates ] || cp -R /usr/local/share/ca-certificates "$1/usr/local/share/"
}

# in_root ROOT COMMAND...: with a /proc and no service started.
in_root() {
    local root=$1
    shift
    # shellcheck disable=SC2016 # the inner shell's
    unshare -m --propagation private sh -c 'root=$1; shift
        mount -t proc proc "$root/proc" && exec chroot "$root" "$@"' sh "$root" "$@"
}

apt_in() {
    in_root "$1" apt-get -qq -y -o APT::Install-Recommends=false -o APT::Sandbox::User=root "${@:2}"
}

# make_boot ROOT
make_boot() {
    local list
    list=$(IFS=,; echo "${boot[*]}")
    debootstrap --variant=minbase --include="$list" "$suite" "$1" "$(mirror)" || return 1
    configure_apt "$1"
    apt_in "$1" update && apt_in "$1" upgrade && apt_in "$1" clean &&
        apt_in "$1" --download-only install "${spare[@]}" || return 1
    # A first boot: an identity of its own, no questions.
    : >"$1/etc/machine-id"
    rm -f "$1"/etc/ssh/ssh_host_* "$1/etc/hostname"
}

# make_build ROOT
make_build() {
    tar -x -C "$1" -f "$(tar_of boot)" && configure_apt "$1" && apt_in "$1" update &&
        apt_in "$1" install "${build[@]}" && apt_in "$1" clean
}

# tar_of KIND: its name holds what it was made of.
tar_of() {
    local lists
    lists="${boot[*]} ${spare[*]} $(declare -f make_boot configure_apt)"
    [ "$1" = boot ] || lists+=" ${build[*]}"
    echo "$KNOCKD_ROOTS/$suite-$1-$(sha256sum <<<"$lists" | cut -c1-8).tar"
}

# make KIND: its tar, unless there is one that is young.
make() {
    local tar root log
    tar=$(tar_of "$1")
    [ -z "$(find "$tar" -mtime -30 2>/dev/null)" ] || return 0
    [ "$1" = boot ] || make boot || return 1
    root=$KNOCKD_ROOTS/$suite-$1.new log=$KNOCKD_ROOTS/$suite-$1.log
    echo "debian-root.sh: making $suite ($1), once" >&2
    rm -rf --one-file-system "$root" "$KNOCKD_ROOTS/$suite-$1"-*.tar
    if mkdir -p "$root" && "make_$1" "$root" >"$log" 2>&1 && tar -c --one-file-system -C "$root" -f "$tar.new" . 2>>"$log"
    then
        mv "$tar.new" "$tar"
    else
        tail -n 5 "$log" >&2
        echo "debian-root.sh: $suite ($1): FAILED, see $log" >&2
    fi
    rm -rf --one-file-system "$root" "$tar.new"
    [ -f "$tar" ]
}

mkdir -p "$KNOCKD_ROOTS" || exit 1
exec 9>"$KNOCKD_ROOTS/$suite.lock" || exit 1
flock -w 1500 9 || lacks "$suite: somebody else has been making it for 25 minutes"
make "$kind" 9>&- || exit 1
tar=$(tar_of "$kind")
if [ -n "$folder" ]; then
    mkdir -p "$folder" || exit 1
    tar -x -C "$folder" -f "$tar" || exit 1
    cp -L /etc/resolv.conf "$folder/etc/resolv.conf"
fi
echo "$tar"
