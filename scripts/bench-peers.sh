# Sourced by the parts of the benchmark that measure other programs beside ours: Debian's knockd 0.8 and fwknop, and what
# reads logs. They are unpacked, never installed; which of them can be had, and their versions, is known after find_peers
# and find_readers.
#
#   PEERS="knockd-0.8 fwknop"                those alone
#   KNOCKD08=PATH FWKNOPD=PATH FWKNOP=PATH   others of theirs; LD_LIBRARY_PATH if they need it
#   SSHG_PARSER=PATH FAIL2BAN_REGEX=PATH     the same
# shellcheck shell=bash
# shellcheck disable=SC2034 # for those who source this

# shellcheck source-path=SCRIPTDIR source=unpack.sh
. "$(dirname "${BASH_SOURCE[0]}")/unpack.sh"

: "${PEERS=knockd-0.8 fwknop}" "${KNOCKD08:=}" "${FWKNOPD:=}" "${FWKNOP:=}"
: "${SSHG_PARSER:=}" "${FAIL2BAN_REGEX:=}"
: "${IPTABLES:=$(PATH=$PATH:/usr/sbin:/sbin command -v iptables)}"
declare -A version_of
# Those that can be had; their libraries.
peers=() peer_libs=${LD_LIBRARY_PATH-} fwknop_key=() fwknopd_args=()

# lacks_PACKAGE ROOT: what keeps the programs unpacked there from running.
libs_of() { echo "$1/usr/lib/$(uname -m)-linux-gnu"; }
lacks_program() { [ -x "$1" ] && unpack_lacking "$1" "$2" || echo "$1"; }
lacks_knockd() { lacks_program "$1/usr/sbin/knockd" "$(libs_of "$1")"; }
lacks_fwknop_server() { lacks_program "$1/usr/sbin/fwknopd" "$(libs_of "$1")"; }
lacks_fwknop_client() { lacks_program "$1/usr/bin/fwknop" "$(libs_of "$1")"; }
lacks_sshguard() { lacks_program "$1/usr/libexec/sshguard/sshg-parser" "$(libs_of "$1")"; }
lacks_fail2ban() { by_fail2ban "$1/usr/bin/fail2ban-regex" --version >/dev/null 2>&1 || echo "a Python that runs it"; }

# get VARIABLE PACKAGE PROGRAM: the path of the program in the unpacked package.
get() {
    [ -z "${!1}" ] || return 0
    unpack "$2" "lacks_${2//-/_}" || { echo "bench: no $2: ${3##*/} is not measured"; return 1; }
    printf -v "$1" %s "$unpack_root$3"
    peer_libs+=${peer_libs:+:}$(libs_of "$unpack_root")
}

# find_peers: says which are not there.
find_peers() {
    [ "$(id -u)" = 0 ] || return 0
    if wants knockd-0.8 && get KNOCKD08 knockd /usr/sbin/knockd; then
        peers+=(knockd-0.8)
        version_of["knockd-0.8"]=$(by_peer "$KNOCKD08" -V 2>/dev/null | awk 'NR == 1 { print $2 }')
    fi
    if wants fwknop && get FWKNOPD fwknop-server /usr/sbin/fwknopd && get FWKNOP fwknop-client /usr/bin/fwknop; then
        peers+=(fwknop)
        version_of["fwknop"]=$(by_peer "$FWKNOPD" --version 2>/dev/null | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)
    fi
}

# find_readers: those of logs.
find_readers() {
    if get SSHG_PARSER sshguard /usr/libexec/sshguard/sshg-parser; then
        version_of["sshguard"]=$(by_peer "$SSHG_PARSER" -v 2>&1 </dev/null | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)
    fi
    if get FAIL2BAN_REGEX fail2ban /usr/bin/fail2ban-regex; then
        version_of["fail2ban"]=$(by_fail2ban "$FAIL2BAN_REGEX" --version 2>&1 | grep -Eo '[0-9]+(\.[0-9]+)+' | head -n 1)
    fi
}

# by_fail2ban PROGRAM [ARGUMENT...]: with the modules that lie beside it.
by_fail2ban() {
    PYTHONPATH=${1%/bin/*}/lib/python3/dist-packages PYTHONDONTWRITEBYTECODE=1 "$@"
}

wants() { [[ " $PEERS " = *" $1 "* ]]; }

has_peer() { [[ " ${peers[*]} " = *" $1 "* ]]; }

# by_peer CMD...: one of their programs.
by_peer() {
    LD_LIBRARY_PATH=$peer_libs "$@"
}

# --- Debian's knockd ---

# write_knockd08 FILE SECONDS: listens to the same ports as ours, and opens for an hour, but for those who knock at its
# second door: that one is open for SECONDS, by rules that somebody else makes.
write_knockd08() {
    local stop="$IPTABLES -w -D knock -s %IP% -p tcp --dport 22 -j ACCEPT"
    cat >"$1" <<END
[options]
    logfile = $PWD/knockd08.log
[ssh]
    sequence      = 7412:udp,28733:udp,51990:udp
    seq_timeout   = 5
    start_command = $IPTABLES -w -I knock -s %IP% -p tcp --dport 22 -j ACCEPT
    cmd_timeout   = 3600
    stop_command  = $stop
[crowd]
    sequence      = 7413:udp,28734:udp
    seq_timeout   = 5
    start_command = :
    cmd_timeout   = $2
    stop_command  = $stop
END
}

# --- fwknop ---

# write_fwknop DIR INTERFACE SECONDS: what is not said here is as its package has it. Sets the key's options for its
# client.
write_fwknop() {
    local key hmac
    mkdir -m 700 "$1"
    HOME=$1 by_peer "$FWKNOP" --key-gen >"$1/made" 2>&1 || die "fwknop --key-gen: $(cat "$1/made")"
    key=$(sed -n 's/^KEY_BASE64: *//p' "$1/made") hmac=$(sed -n 's/^HMAC_KEY_BASE64: *//p' "$1/made")
    fwknop_key=(--use-hmac --no-save-args --key-base64-rijndael "$key" --key-base64-hmac "$hmac")
    printf '%s;\n' "PCAP_INTF $2" "FIREWALL_EXE $IPTABLES" "FWKNOP_RUN_DIR $1" "FWKNOP_CONF_DIR $1" \
        "FLUSH_IPT_AT_INIT N" >"$1/fwknopd.conf"
    printf '%s\n' "SOURCE ANY" "KEY_BASE64 $key" "HMAC_KEY_BASE64 $hmac" "FW_ACCESS_TIMEOUT $3" >"$1/access.conf"
    chmod 600 "$1"/*
    fwknopd_args=(-f -c "$1/fwknopd.conf" -a "$1/access.conf" -d "$1/digest.cache" -r "$1" -p "$1/pid")
}
