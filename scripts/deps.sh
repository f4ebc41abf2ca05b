#!/bin/bash
# deps.sh GROUP...: says what the groups build, demo, fleet, rootless, check, bench, deb, fuzz, ci and install need, and
# installs what is missing where apt-get is, for root. Who isn't root is told what is missing; their demo needs the group
# rootless, too. --list only prints the packages.
set -u
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1

# Group, Debian package, and how to see its absence where there is no dpkg: c COMMAND, p PKG-CONFIG-MODULE, h HEADER,
# m PERL-MODULE; o PKG-CONFIG-MODULE without which less is built.
table='
build gcc                 c cc
build make                c make
build libc6-dev           h stdlib.h
build pkg-config          c pkg-config
build libconfuse-dev      p libconfuse
build libev-dev           h ev.h
build libsodium-dev       p libsodium
build libseccomp-dev      p libseccomp
build libsqlite3-dev      p sqlite3
build libjansson-dev      o jansson
build libnetfilter-log-dev o libnetfilter_log
build libmnl-dev          o libmnl
build libpcap-dev         o libpcap
demo  iproute2            c ip
demo  iptables            c iptables
demo  procps              c ps
demo  perl-base           c perl
demo  util-linux          c setpriv
fleet openssl             c openssl
rootless uidmap           c newuidmap
rootless libnetfilter-log-dev p libnetfilter_log
rootless libmnl-dev       p libmnl
check libcmocka-dev       p cmocka
check perl                c prove
check libcryptx-perl      m CryptX
check iproute2            c ip
check iptables            c iptables
check nftables            c nft
check ipset               c ipset
check procps              c ps
check util-linux          c setpriv
check bsdutils            c script
check locales             c localedef
check uidmap              c newuidmap
check jq                  c jq
check tcpdump             c tcpdump
check openssl             c openssl
check mosquitto-clients   c mosquitto_sub
check redis-tools         c redis-cli
bench openssl             c openssl
bench mosquitto-clients   c mosquitto_sub
bench redis-tools         c redis-cli
deb   build-essential     c g++
deb   debhelper           c dh
deb   dpkg-dev            c dpkg-buildpackage
deb   libjansson-dev      p jansson
deb   libnetfilter-log-dev p libnetfilter_log
deb   libmnl-dev          p libmnl
deb   libpcap-dev         p libpcap
bench gnuplot-nox         c gnuplot
bench iproute2            c ip
bench iptables            c iptables
bench nftables            c nft
bench ipset               c ipset
bench perl-base           c perl
bench procps              c ps
bench util-linux          c unshare
fuzz  clang               c clang
fuzz  perl-base           c perl
ci    clang               c clang
ci    clang-format        c clang-format
ci    shellcheck          c shellcheck
ci    cppcheck            c cppcheck
ci    mandoc              c mandoc
ci    musl-tools          c musl-gcc
install debootstrap       c debootstrap
install systemd-container c systemd-nspawn
install util-linux        c nsenter
install iproute2          c ip
'

die() {
    printf 'deps: %s\n' "$*" >&2
    exit 1
}

# rows GROUP...: "package kind name" of every part of the groups. What one of them needs isn't optional.
rows() {
    local group
    for group; do
        awk -v g="$group" '$1 == g { print $2, $3, $4 }' <<<"$table"
    done | sort -u | awk '{ line[NR] = $0; optional[NR] = $2 == "o"; package[NR] = $1; needed[$1] += $2 != "o" }
        END { for (i = 1; i <= NR; i++) if (!optional[i] || !needed[package[i]]) print line[i] }'
}

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# The runtime of the sanitizers and of libFuzzer is a package of its own, of exactly the version that clang has.
clang_runtime() {
    local major
    major=$(clang -dumpversion) || die "clang is installed but does not run"
    echo "libclang-rt-${major%%.*}-dev"
}

# missing PACKAGE...: those of them that aren't installed.
missing() {
    local package
    for package; do
        installed "$package" || echo "$package"
    done
}

how=(apt-get install -y --no-install-recommends)

# install PACKAGE...: for root, or ends with what to do.
install() {
    [ "$(id -u)" = 0 ] || die "missing: $*; install with: sudo ${how[*]} $*"
    try_install "$@" || die "apt-get could not install $*; see its message above"
}

try_install() {
    echo "deps: installing $*"
    export DEBIAN_FRONTEND=noninteractive
    if [ -z "${updated:-}" ]; then
        apt-get update -qq || echo "deps: apt-get update failed, trying with the lists that are here" >&2
        updated=1
    fi
    "${how[@]}" -qq -o DPkg::Lock::Timeout=120 "$@" >/dev/null
}

# install_optional PACKAGE...: without them less is built.
install_optional() {
    local package
    for package; do
        [ "$(id -u)" = 0 ] && try_install "$package" && continue
        echo "deps: without $package less is built; install with: sudo ${how[*]} $package"
    done
}

with_apt() {
    local lacking all
    mapfile -t all < <(rows "$@" | awk '$2 != "o" { print $1 }')
    mapfile -t lacking < <(missing "${all[@]}")
    [ ${#lacking[@]} = 0 ] || install "${lacking[@]}"
    mapfile -t all < <(rows "$@" | awk '$2 == "o" { print $1 }')
    mapfile -t lacking < <(missing "${all[@]}")
    [ ${#lacking[@]} = 0 ] || install_optional "${lacking[@]}"
    case " $* " in *" ci "* | *" fuzz "*)
        mapfile -t lacking < <(missing "$(clang_runtime)")
        [ ${#lacking[@]} = 0 ] || install "${lacking[@]}" ;;
    esac
}

present() {
    case $1 in
    c) command -v "$2" >/dev/null || PATH=$PATH:/usr/sbin:/sbin command -v "$2" >/dev/null ;;
    p | o) pkg-config --exists "$2" 2>/dev/null ;;
    m) perl -M"$2" -e 1 2>/dev/null ;;
    h) "${CC:-cc}" -E -include "$2" -x c /dev/null >/dev/null 2>&1 ;;
    esac
}

without_apt() {
    local package kind name lacking=() kinds
    declare -A kinds=([c]=command [p]="pkg-config module" [h]=header [m]="Perl module")
    while read -r package kind name; do
        if [ "$kind" = o ]; then
            present o "$name" || echo "deps: without the pkg-config module $name (Debian: $package) less is built"
            continue
        fi
        present "$kind" "$name" || lacking+=("${kinds[$kind]} $name (Debian: $package)")
    done < <(rows "$@")
    [ ${#lacking[@]} = 0 ] && return
    printf 'deps: missing: %s\n' "${lacking[@]}" >&2
    die "install these with your distribution's package manager; nothing was changed"
}

# The demo and the tests run an rsyslogd of their own, unpacked: an installed one would take over the system's log. A
# fleet's, and its tests, need RELP, the tests a nats-server, too: where these aren't, tests are skipped.
unpack_daemons() {
    # shellcheck source-path=SCRIPTDIR source=rsyslog.sh
    . "$here/rsyslog.sh"
    # shellcheck source-path=SCRIPTDIR source=engines.sh
    . "$here/engines.sh"
    rsyslog_unpack || exit 1
    case " $* " in *" fleet "*) engine_rsyslog || exit 1 ;; esac
    case " $* " in *" check "*)
        { engine_rsyslog && engine_nats; } || ! command -v apt-get >/dev/null || exit 1 ;;
    esac
}

known='build demo fleet rootless check bench deb fuzz ci install'
if [ "${1:-}" = --list ]; then
    shift
    [ $# -gt 0 ] || IFS=' ' read -r -a groups <<<"$known"
    rows "${@:-"${groups[@]}"}" | cut -d' ' -f1 | sort -u
    exit
fi
[ $# -gt 0 ] || die "usage: deps.sh [--list] GROUP...; the groups are: $known"
for group; do
    [[ " $known " = *" $group "* ]] || die "no group '$group'; the groups are: $known"
done

case " $* " in *" demo "*) [ "$(id -u)" = 0 ] || set -- "$@" rootless ;; esac
if command -v apt-get >/dev/null && command -v dpkg-query >/dev/null; then
    with_apt "$@"
else
    without_apt "$@"
fi
case " $* " in *" demo "* | *" check "*) [ "$(id -u)" != 0 ] || unpack_daemons "$@" ;; esac
echo "deps: $*: nothing missing"
