# Sourced: an rsyslogd of our own. The package is unpacked, never installed: it would give the system a syslog that it
# did not have. Expects LC_ALL=C.
# shellcheck shell=bash

set -u

# shellcheck source-path=SCRIPTDIR source=unpack.sh
. "$(dirname "${BASH_SOURCE[0]}")/unpack.sh"

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
    unpack_lacking "$rsyslog_bin" "$rsyslog_libs"
}

# rsyslog_unpack: makes sure that an rsyslogd with imkmsg is there. Where there is no apt-get an installed one is taken.
rsyslog_unpack() {
    if command -v apt-get >/dev/null; then
        unpack rsyslog rsyslog_lacks && rsyslog_paths "$unpack_root"
        return
    fi
    [ -n "$(rsyslog_lacks "")" ] || { rsyslog_paths ""; return; }
    echo "rsyslog: no rsyslogd with imkmsg here; install your distribution's rsyslog package" >&2
    return 1
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
