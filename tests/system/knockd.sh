# Sourced by the tests of the daemon: hosts, a configuration, the log that knockd writes, lines as the kernel writes
# them.
# shellcheck shell=bash

# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

KERN_LOG='' CONFIG='' LINE='' TIME_STAMP=''
packet_count=0 log_mark=0 witness_pid='' WITNESS=0

# needs_gate: hosts, a knockd, and where its files are.
needs_gate() {
    needs_hosts
    needs_knockd
    CONFIG=$WORK/knockd.conf KERN_LOG=$WORK/kern.log
    mkdir "$WORK/state"
    (umask 077 && : >"$CONFIG")
}

# make_alternatives: the folders WORK/alternatives-legacy and -nft, to be mounted over /etc/alternatives, where iptables is
# of that kind.
make_alternatives() {
    local kind link part
    for kind in legacy nft; do
        cp -a /etc/alternatives "$WORK/alternatives-$kind"
        for link in iptables ip6tables; do
            for part in "" -save -restore; do
                ln -sfn "/usr/sbin/$link-$kind$part" "$WORK/alternatives-$kind/$link$part"
            done
        done
    done
}

# configure SOURCE: writes CONFIG: the keys of the source, and behind it standard input.
configure() {
    [ -e "$CONFIG" ] || (umask 077 && : >"$CONFIG") # it holds sequences
    cat >"$CONFIG" <<EOF
user      = "nobody"
state_dir = "$WORK/state" control = "$WORK/control"
source "firewall" {
    $1
    prefix = "$LOG_PREFIX"
}
EOF
    cat >>"$CONFIG"
}

# configure_file: the same, the source being the file KERN_LOG, which log_packets fills.
configure_file() {
    configure "type = file path = \"$KERN_LOG\""
}

# old_state: a folder without a state gets one that has been in use for long: in a new one, sealed knocks wait.
old_state() {
    [ -d "$WORK/state" ] || mkdir -m 700 "$WORK/state"
    "$BUILT/tools/old_state" "$WORK/state" || bail "no state; run make tests first"
}

# run_knockd [ARGUMENT...]: starts it with CONFIG; where that has sealed knocks, and NEW_STATE isn't said, in no new
# state.
run_knockd() {
    if [ -z "${NEW_STATE:-}" ] && [ -z "$(find "$WORK/state" -name 'state.*' 2>/dev/null)" ] &&
        grep -qs '^ *sealed {' "$CONFIG"; then
        old_state
    fi
    log_mark=0
    start_knockd "$CONFIG" "$@"
}

# starts DESCRIPTION [ARGUMENT...]: a test, without which there is no use in those that follow.
starts() {
    local description=$1
    shift
    ok "$description" run_knockd "$@"
    said "ready: " || bail "knockd did not start"
}

# --- what knockd says and is ---

# mark_log: from here on, only what knockd says later counts.
mark_log() {
    local all_lines
    mapfile all_lines <"$KNOCKD_LOG"
    log_mark=${#all_lines[@]}
}

said_lines() {
    tail -n +$((log_mark + 1)) "$KNOCKD_LOG" | grep -E -- "$1"
}

# said REGEX [NUMBER]: at least so often, once when not said. While little is said, it starts no program: most tests wait
# for a line, and ask often.
said() {
    local late_lines line left=${2:-1}
    mapfile -t -s "$log_mark" -n 1000 late_lines <"$KNOCKD_LOG"
    if [ ${#late_lines[@]} = 1000 ]; then
        [ "$(said_lines "$1" | head -n "$left" | wc -l)" = "$left" ]
        return
    fi
    for line in "${late_lines[@]}"; do
        [[ ! $line =~ $1 ]] || [ $((--left)) -gt 0 ] || return 0
    done
    return 1
}

# says REGEX [SECONDS]: waits until it is said.
says() {
    poll "${2:-5}" said "$1"
}

# said_before REGEX REGEX: the first is said, and the second, if ever, only after it.
said_before() {
    said_lines "$1|$2" | head -n 1 | grep -q -E -- "$1"
}

# within TOOK DUE: so many ms are no more than what has a time to be done by may take on a busy machine.
within() {
    [ "$1" -le $(($2 + HELD_UP)) ]
}

# witness: beside what is measured, runs programs that do nothing, as a measure of the machine; witnessed sets WITNESS,
# the ms that the slowest of them took.
# shellcheck disable=SC2016 # perl's
witness() {
    perl -MTime::HiRes=time,sleep -e '$SIG{TERM} = sub { printf "%d\n", $most * 1000; exit }; $| = 1;
        while (1) { my $began = time; system "/bin/true"; my $took = time - $began;
            $most = $took if $took > $most; sleep 0.05 }' >"$WORK/witness" &
    witness_pid=$!
    started $witness_pid
}

witnessed() {
    stop "$witness_pid"
    # shellcheck disable=SC2034 # the tests'
    WITNESS=$(cat "$WORK/witness")
}

listener_pids() {
    pgrep -x -P "$KNOCKD_PID" knockd-listener
}

# process_gone PID: ended, whether or not its parent has reaped it: in a container PID 1 may never do so.
process_gone() {
    local stat
    read -r stat <"/proc/$1/stat" || return 0
    [[ ${stat##*) } = [ZX]* ]]
} 2>/dev/null

# shellcheck disable=SC2012 # numbers
descriptors() {
    ls "/proc/$1/fd" 2>/dev/null | wc -l
}

# rules IPTABLES [PORT]: those that open the port.
rules() {
    on_gate "$1" -S INPUT | grep -F -- "--dport ${2:-2222} "
}

# --- lines as the kernel writes them, for a file source ---

# Eight groups of four digits, as the kernel has it.
full_address() {
    local groups=() tail=()
    if [[ $1 != *:* ]]; then
        echo "$1"
        return
    fi
    IFS=: read -r -a groups <<<"${1%%::*}"
    [[ $1 != *::* ]] || IFS=: read -r -a tail <<<"${1##*::}"
    while [ $((${#groups[@]} + ${#tail[@]})) -lt 8 ]; do
        groups+=(0)
    done
    groups+=("${tail[@]}")
    printf -v LINE '%04x:' "${groups[@]/#/0x}"
    echo "${LINE%:}"
}

# log_time: sets TIME_STAMP to the present, as syslog writes it: older lines open nothing.
log_time() {
    local LC_ALL=C
    printf -v TIME_STAMP '%(%b %e %T)T' -1
}

# packet_line FROM STEP: sets LINE to one line, each time with another source port.
packet_line() {
    local port=${2%:*} proto=tcp spt=$((1024 + packet_count++ % 60000)) ip
    [[ $2 != *:* ]] || proto=${2#*:}
    if [[ $1 = *:* ]]; then
        ip="SRC=$(full_address "$1") DST=$(full_address "$GATE6") LEN=80 TC=0 HOPLIMIT=64 FLOWLBL=0"
    else
        ip="SRC=$1 DST=$GATE4 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=$spt DF"
    fi
    log_time
    LINE="$TIME_STAMP gate kernel: [ 4711.123456] ${LOG_PREFIX}IN=eth0 OUT= MAC=02:00:00:00:00:01 $ip "
    if [ "$proto" = udp ]; then
        LINE+="PROTO=UDP SPT=$spt DPT=$port LEN=9 "
    else
        LINE+="PROTO=TCP SPT=$spt DPT=$port WINDOW=64240 RES=0x00 SYN URGP=0 "
    fi
}

# log_packets FROM STEP...: appends the lines to KERN_LOG.
log_packets() {
    local from=$1 step
    shift
    for step; do
        packet_line "$from" "$step"
        echo "$LINE"
    done >>"$KERN_LOG"
}
