# Sourced: Debian packages unpacked into a cache, never installed: installing a daemon's would start it, and give the
# system what it did not have. Expects LC_ALL=C.
# shellcheck shell=bash

unpack_cache=${TMPDIR:-/tmp}/knockd-unpacked-$(id -u)
unpack_root='' # set by unpack

# The cache's programs run as root, and /tmp is everybody's: a directory that another made is refused.
unpack_own_cache() {
    mkdir -m 700 "$unpack_cache" 2>/dev/null
    [ ! -L "$unpack_cache" ] && [ -d "$unpack_cache" ] &&
        [ "$(stat -c '%u %a' "$unpack_cache")" = "$(id -u) 700" ] && return
    echo "unpack: $unpack_cache is not a directory of uid $(id -u) with mode 0700; remove it" >&2
    return 1
}

# unpack_lacking PROGRAM LIBDIR: the libraries that the program does not find.
unpack_lacking() {
    LD_LIBRARY_PATH=$2 ldd "$1" | awk '/not found/ { print $1 }'
}

# unpack_fetch DIR PACKAGE...: unpacks the packages into DIR/root, from the lists that are here or from fresh ones.
unpack_fetch() {
    local dir=$1 deb download=(apt-get -qq -o APT::Sandbox::User=root download)
    shift
    (cd "$dir" && rm -f ./*.deb && "${download[@]}" "$@" >apt.log 2>&1) ||
        { apt-get update -qq >/dev/null 2>&1 && (cd "$dir" && "${download[@]}" "$@" >apt.log 2>&1); } ||
        { echo "unpack: apt-get download $*: $(tail -n 1 "$dir/apt.log")" >&2; return 1; }
    for deb in "$dir"/*.deb; do
        dpkg-deb -x "$deb" "$dir/root" || return 1
    done
}

# The libraries that the packages of these files depend on and that the system hasn't got.
unpack_libraries() {
    local file package
    for package in $(for file; do
        dpkg-deb -f "$file" Depends | tr ',' '\n' | sed 's/[(|].*//'
    done | sort -u); do
        [[ $package = lib* ]] || continue
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

unpack_new() {
    local package=$1 lacks=$2 dir lacking libraries round=0 status=1
    dir=$(mktemp -d "$unpack_cache/new.XXXXXX") || return 1
    if unpack_fetch "$dir" "$package"; then
        # Its libraries, then those of its libraries.
        while lacking=$("$lacks" "$dir/root") && [ -n "$lacking" ] && [ $((round++)) -lt 3 ]; do
            mapfile -t libraries < <(unpack_libraries "$dir"/*.deb)
            if [ ${#libraries[@]} = 0 ] || ! unpack_fetch "$dir" "${libraries[@]}"; then
                break
            fi
        done
        if [ -z "$lacking" ]; then
            rm -rf "${unpack_cache:?}/$package" && mv "$dir/root" "$unpack_cache/$package" && status=0
        else
            echo "unpack: $package: unpacked, but still lacks ${lacking//$'\n'/ }" >&2
        fi
    fi
    rm -rf "$dir"
    return $status
}

# unpack PACKAGE LACKS: makes sure that the package, with the libraries that it needs, lies below unpack_root, which
# this sets; a second process waits for the first. `LACKS ROOT` prints what is missing in the tree there, nothing when
# its programs can run.
unpack() {
    local lock status
    command -v apt-get >/dev/null || { echo "unpack: $1 comes by apt-get, which is not here" >&2; return 1; }
    unpack_own_cache || return 1
    exec {lock}>"$unpack_cache/lock" && flock "$lock" || return 1
    # shellcheck disable=SC2034 # for the caller
    unpack_root=$unpack_cache/$1
    [ -z "$("$2" "$unpack_root")" ] || unpack_new "$@"
    status=$?
    exec {lock}>&-
    return $status
}
