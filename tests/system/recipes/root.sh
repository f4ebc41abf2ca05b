# Sourced by the tests of recipes whose firewall is a program of its own: the gate gets a root of its own, this
# machine's with a layer on top, into which packages are unpacked. Nothing is installed, and what they change goes
# with the layer. Expects knockd.sh.
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=../../../scripts/unpack.sh
. "$TREE/scripts/unpack.sh"

ROOT_PID=''
root_debs=''

# root_download PACKAGE DIR: it, installed or not, and what it depends on that this machine hasn't got.
root_download() {
    local get=(apt-get -y -qq --download-only --no-install-recommends --reinstall -o Debug::NoLocking=1
        -o APT::Sandbox::User=root -o "Dir::Cache::archives=$2" install "$1")
    "${get[@]}" >"$2/log" 2>&1 && return
    apt-get update -qq >/dev/null 2>&1 && "${get[@]}" >"$2/log" 2>&1
}

# The folder becomes PACKAGE's when it is whole.
root_fetch_new() {
    local dir debs
    dir=$(mktemp -d "$unpack_cache/new.XXXXXX") && mkdir "$dir/partial" || return 1
    root_download "$1" "$dir" && debs=("$dir"/*.deb) && [ -e "${debs[0]}" ] &&
        rm -rf "$root_debs" && mv "$dir" "$root_debs" && return
    echo "apt-get has no $1: $(tail -n 1 "$dir/log")" >&2
    rm -rf "$dir"
    return 1
}

# root_fetch PACKAGE: sets root_debs; a second process waits for the first.
root_fetch() {
    local lock status=0
    command -v apt-get >/dev/null || { echo "there is no apt-get to fetch $1 with" >&2; return 1; }
    unpack_own_cache || return 1
    root_debs=$unpack_cache/debs-$1
    exec {lock}>"$unpack_cache/lock" && flock "$lock" || return 1
    [ -d "$root_debs" ] || root_fetch_new "$1"
    status=$?
    exec {lock}>&-
    return $status
}

# What runs in the mount namespace until the end. Arguments: the folder to work in, the package, the folder with it and
# others, other folders that are to be seen. The layer is of memory: a layer over a layer would not be taken. This
# machine's own configuration of the package does not get in.
# shellcheck disable=SC2016
root_script='
set -e
dir=$1 package=$2 debs=$3
shift 3
mount -t tmpfs -o mode=755 none "$dir"
mkdir "$dir/upper" "$dir/work" "$dir/root"
mount -t overlay -o "lowerdir=/,upperdir=$dir/upper,workdir=$dir/work" none "$dir/root"
rm -rf "$dir/root/etc/$package"
for deb in "$debs"/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$dir/root"
done
cd "$dir/root"
for sub in proc sys dev; do mount --rbind "/$sub" "$sub"; done
mount -t tmpfs -o mode=755 none run
for sub; do mkdir -p ".$sub"; mount --bind "$sub" ".$sub"; done
ln -sf /bin/true usr/sbin/modprobe # the modules are the whole machine'\''s
mkdir -p old
pivot_root . old
umount -l /old
echo made
exec sleep infinity
'

# make_root PACKAGE: the root, and knockd in it from now on.
make_root() {
    local log=$WORK/root.log programs
    programs=$(dirname "$KNOCKD")
    root_fetch "$1" || return 1
    mkdir "$WORK/root" || return 1
    ip netns exec "$GATE" unshare --mount --propagation private sh -c "$root_script" root \
        "$WORK/root" "$1" "$root_debs" "$WORK" "$programs" </dev/null >"$log" 2>&1 &
    ROOT_PID=$!
    started $ROOT_PID
    poll 20 root_made_or_gone
    grep -q '^made' "$log" || { echo "no root of its own: $(tail -n 1 "$log")" >&2; return 1; }
    printf '#!/bin/sh\nexec nsenter -t %s -m "%s" "$@"\n' "$ROOT_PID" "$KNOCKD" >"$WORK/knockd" &&
        chmod +x "$WORK/knockd" && KNOCKD=$WORK/knockd
}

root_made_or_gone() {
    grep -q '^made' "$WORK/root.log" || ended "$ROOT_PID"
}

# on_gate, in its root.
in_root() {
    nsenter -t "$ROOT_PID" -m -n "$@"
}
