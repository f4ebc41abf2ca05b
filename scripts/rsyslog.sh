# Sourced: an rsyslogd of our own. The package is unpacked into a cache, never installed: installing it would
# start it and give the system a syslog that it did not have. Expects LC_ALL=C.
# shellcheck shell=bash

set -u

rsyslog_cache=${TMPDIR:-/tmp}/knockd-unpacked-$(id -u)

# The cache's programs run as root, and /tmp is everybody's: a directory that another made is refused.
rsyslog_own_cache() {
    mkdir -m 700 "$rsyslog_cache" 2>/dev/null
    [ ! -L "$rsyslog_cache" ] && [ -d "$rsyslog_cache" ] &&
        [ "$(stat -c '%u %a' "$rsyslog_cache")" = "$(id -u) 700" ] && return
    echo "rsyslog: $rsyslog_cache is not a directory of uid $(id -u) with mode 0700; remove it" >&2
    return 1
}

# rsyslog_paths ROOT: sets rsyslog_bin, rsyslog_modules and rsyslog_libs for the tree unpacked at ROOT.
rsyslog_paths() {
    local modules=("$1"/usr/lib/*/rsyslog "$1"/usr/lib/rsyslog)
    [ -d "${modules[0]}" ] || modules=("${modules[@]:1}")
    rsyslog_bin=$1/usr/sbin/rsyslogd rsyslog_modules=${modules[0]}
    rsyslog_libs=$(dirname "$rsyslog_modules")
}

# rsyslog_lacks ROOT: what keeps the rsyslogd there from running; nothing when it can.
rsyslog_lacks() {
    rsyslog_paths "$1"
    if [ ! -x "$rsyslog_bin" ] || [ ! -e "$rsyslog_modules/imkmsg.so" ]; then
        echo "rsyslogd or imkmsg.so"
        return
    fi
    LD_LIBRARY_PATH=$rsyslog_libs ldd "$rsyslog_bin" | awk '/not found/ { print $1 }'
}

# rsyslog_fetch DIR PACKAGE...: unpacks the packages into DIR/root, from the lists that are here or from fresh ones.
rsyslog_fetch() {
    local dir=$1 deb download=(apt-get -qq -o APT::Sandbox::User=root download)
    shift
    (cd "$dir" && rm -f ./*.deb && "${download[@]}" "$@" >apt.log 2>&1) ||
        { apt-get update -qq >/dev/null 2>&1 && (cd "$dir" && "${download[@]}" "$@" >apt.log 2>&1); } ||
        { echo "rsyslog: apt-get download $*: $(tail -n 1 "$dir/apt.log")" >&2; return 1; }
    for deb in "$dir"/*.deb; do
        dpkg-deb -x "$deb" "$dir/root" || return 1
    done
}

# The libraries that rsyslog's package depends on and that the system hasn't got.
rsyslog_libraries() {
    local package
    for package in $(dpkg-deb -f "$1"/rsyslog_*.deb Depends | tr ',' '\n' | sed 's/[(|].*//'); do
        [[ $package = lib* ]] || continue
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
    done
}

rsyslog_unpack_new() {
    local dir lacks libraries status=1
    dir=$(mktemp -d "$rsyslog_cache/new.XXXXXX") || return 1
    if rsyslog_fetch "$dir" rsyslog && mapfile -t libraries < <(rsyslog_libraries "$dir"); then
        lacks=$(rsyslog_lacks "$dir/root")
        [ -z "$lacks" ] || [ ${#libraries[@]} = 0 ] || rsyslog_fetch "$dir" "${libraries[@]}"
        lacks=$(rsyslog_lacks "$dir/root")
        if [ -z "$lacks" ]; then
            rm -rf "$rsyslog_cache/root" && mv "$dir/root" "$rsyslog_cache/root" && status=0
        else
            echo "rsyslog: unpacked, but still lacks $lacks" >&2
        fi
    fi
    rm -rf "$dir"
    return $status
}

# rsyslog_unpack: makes sure that an rsyslogd with imkmsg is there; a second process waits for the first.
# Where there is no apt-get an installed one is taken.
rsyslog_unpack() {
    local lock status
    if ! command -v apt-get >/dev/null; then
        [ -n "$(rsyslog_lacks "")" ] || { rsyslog_paths ""; return; }
        echo "rsyslog: no rsyslogd with imkmsg here; install your distribution's rsyslog package" >&2
        return 1
    fi
    rsyslog_own_cache || return 1
    exec {lock}>"$rsyslog_cache/lock" && flock "$lock" || return 1
    [ -z "$(rsyslog_lacks "$rsyslog_cache/root")" ] || rsyslog_unpack_new
    status=$?
    exec {lock}>&-
    [ $status != 0 ] || rsyslog_paths "$rsyslog_cache/root"
    return $status
}

# rsyslog_config FILE FORMAT TEXT DIR: its configuration: kernel messages that hold TEXT go to FILE.
# imkmsg, because imklog reads /proc/kmsg and would take the lines from the system's own syslog.
rsyslog_config() {
    local template
    case $2 in
    traditional) template=RSYSLOG_TraditionalFileFormat ;;
    iso) template=RSYSLOG_FileFormat ;;
    *) echo "rsyslog: no format '$2'; there are: traditional iso" >&2; return 1 ;;
    esac
    cat <<EOF
global(workDirectory="$4")
module(load="imkmsg")
if \$msg contains "$3" then action(type="omfile" file="$1" template="$template")
EOF
}

# private_rsyslogd FILE [FORMAT [TEXT]]: starts an rsyslogd that writes kernel messages to FILE; FORMAT is
# traditional (the default) or iso, TEXT (default: LOG_PREFIX) what a message must hold. Sets RSYSLOGD_PID.
private_rsyslogd() {
    local dir=$WORK/rsyslogd.$(( ++rsyslog_count ))
    rsyslog_unpack || return 1
    mkdir "$dir" && rsyslog_config "$1" "${2:-traditional}" "${3:-$LOG_PREFIX}" "$dir" >"$dir/conf" || return 1
    touch "$1"
    LD_LIBRARY_PATH=$rsyslog_libs "$rsyslog_bin" -n -f "$dir/conf" -i "$dir/pid" -M "$rsyslog_modules" \
        </dev/null >"$dir/log" 2>&1 &
    RSYSLOGD_PID=$!
    started "$RSYSLOGD_PID"
    poll 5 test -s "$dir/pid" && return
    echo "rsyslog: rsyslogd did not start: $(tail -n 3 "$dir/log")" >&2
    return 1
}
rsyslog_count=0
