#!/bin/bash
# libcs.sh [SUITE...]: for root: builds the tree in other releases of Debian (bullseye and trixie when none is named),
# each with a C library of its own, and runs there what shows whether the listener's filter fits: its unit tests under
# the filter, test_sandbox, and, where the C library has all that the keeper needs, the system tests of the sandbox and
# of the promised limits. Each release is a folder of some 600 MB in LIBC_ROOTS, made by debootstrap once and kept.
set -u

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
: "${LIBC_ROOTS:=/var/tmp/knockd-libcs}"
packages=gcc,libc6-dev,make,pkg-config,perl,procps,iproute2,iptables,binutils
packages+=,libev-dev,libconfuse-dev,libsodium-dev,libseccomp-dev,libsqlite3-dev,libjansson-dev
packages+=,libnetfilter-log-dev,libmnl-dev,libpcap-dev,libcmocka-dev

lacks() {
    echo "libcs.sh: $*" >&2
    exit 1
}

# make_root SUITE: a folder with that release, unless it is there.
make_root() {
    local root=$LIBC_ROOTS/$1
    [ ! -e "$root/complete" ] || return 0
    rm -rf "$root"
    mkdir -p "$LIBC_ROOTS" && debootstrap --variant=minbase --include="$packages" "$1" "$root" >"$root.log" 2>&1 &&
        touch "$root/complete"
}

# in_root SUITE COMMAND...: in the release's copy of the tree, with the machine's processes and devices.
in_root() {
    local root=$LIBC_ROOTS/$1
    shift
    # shellcheck disable=SC2016 # the inner shell's
    unshare -m --propagation private sh -c 'root=$1; shift
        mount --rbind "$root" "$root" || exit 1
        for folder in proc sys dev; do mount --rbind /$folder "$root/$folder" || exit 1; done
        cd "$root" && pivot_root . mnt && umount -l /mnt && cd /tree && exec "$@"' sh "$root" "$@"
}

# try SUITE: builds and tests there.
try() {
    local root=$LIBC_ROOTS/$1
    make_root "$1" || { tail -n 3 "$root.log"; return 1; }
    printf '=== %s, %s\n' "$1" "$(chroot "$root" ldd --version | head -n 1)"
    mkdir -p "$root/tree"
    git ls-files -z | tar -c --null -T - | tar -x -C "$root/tree" || return 1
    in_root "$1" make -j"$(nproc)" confined build/tests/test_sandbox || return 1
    in_root "$1" env CMOCKA_MESSAGE_OUTPUT=tap prove --exec '' build/tests/test_sandbox || return 1
    if in_root "$1" make all build/tools/seal >"$root.log" 2>&1; then
        in_root "$1" prove --exec '' tests/system/promised.t tests/system/sandbox.t
    else
        echo "libcs.sh: $1: too old for the keeper; the system tests are left out"
    fi
}

[ "$(id -u)" = 0 ] || lacks "needs root, for debootstrap and chroot"
command -v debootstrap >/dev/null || lacks "needs debootstrap"
[ $# -gt 0 ] || set -- bullseye trixie
failed=0
for suite; do
    try "$suite" || { echo "libcs.sh: $suite: FAILED"; failed=1; }
done
exit $failed
