#!/bin/bash
# What can't work is said in one clear line and starts nothing; and how knockd tells those who started it.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

good_file() {
    : >"$KERN_LOG"
    configure_file <<'EOF'
door "ssh" {
    sequence = { 7412, 28733:udp, 51990 }
    port     = 2222
    rule     = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
}
EOF
}

# knockd_here ARGUMENT...: on the gate; leaves STATUS, WORK/out, WORK/err.
knockd_here() {
    on_gate timeout 10 "$KNOCKD" "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
    STATUS=$?
}

inhabitants() {
    local pids
    mapfile -t pids < <(ip netns pids "$GATE")
    [ ${#pids[@]} = 0 ] || ps -o args= -p "${pids[*]}" | grep knockd
}

# wrong DESCRIPTION REGEX ARGUMENT...: one line on standard error, status 1 (WRONG says another), nothing else.
wrong() {
    local description=$1 regex=$2
    shift 2
    knockd_here "$@"
    is "$description: exit status" "$STATUS" "${WRONG:-1}"
    is "$description: one line" "$(wc -l <"$WORK/err")" 1
    like "$description: that says why" "$(cat "$WORK/err")" "^$regex"
    is "$description: nothing else is printed" "$(cat "$WORK/out")" ""
    is "$description: nothing runs, no rule" "$(inhabitants)$(rules iptables)" ""
}

# Mistakes: what is done to the good file, and what must be said of it. Head: line 1 to 6; the door: 7.
wrong_files() {
    local description line text change
    while IFS='|' read -r description line text change; do
        good_file
        sed -i "$change" "$CONFIG"
        wrong "$description" "knockd: $CONFIG:$line$text" -c "$CONFIG"
        knockd_here -t -c "$CONFIG"
        is "$description: -t: exit status" "$STATUS" 1
        like "$description: -t: the same" "$(cat "$WORK/err")" "^$CONFIG:$line$text"
        is "$description: -t: in one line" "$(cat "$WORK/err" "$WORK/out" | wc -l)" 1
    done <<'TABLE'
unknown user|1:|.*"no_one" doesn't exist; create it|1s/nobody/no_one/
user root|1:|.*"root" has root's rights|1s/nobody/root/
unknown key|8:|.*sequenze|8s/sequence/sequenze/
no sequence|7:|.*no sequence|8d
port out of range|8:|.*70000|8s/7412/70000/
both rule and command|11:|.*both rule and start|10a start_command = "/bin/true" stop_command = ""
rule with an action|10:|.*a rule is|10s/INPUT/-A INPUT/
unknown placeholder|10:|.*%NOPE%|10s/%IP%/%IP% %NOPE%/
open quote|10:|.*quote|10s/-s/'-s/
shell syntax|10:|.*"2>&1" is shell syntax|10s/ACCEPT/ACCEPT 2>\&1/
no such program|10:|.*/no/such|10s|rule.*|start_command = "/no/such" stop_command = ""|
unclosed section|[0-9]*:| .*|11d
no door| there is no door||7,11d
no source| there is no source||3,6d
TABLE
}

# state_folder NAME FOLDER SAYS: that state_dir is refused by a start and by -t, and nothing is made.
state_folder() {
    sed "s|state_dir = \"$WORK/state\"|state_dir = \"$2\"|" "$CONFIG" >"$WORK/folder.conf"
    chmod 600 "$WORK/folder.conf"
    wrong "$1" "knockd: $WORK/folder.conf: state_dir: $3" -c "$WORK/folder.conf"
    cp "$WORK/err" "$WORK/says"
    knockd_here -t -c "$WORK/folder.conf"
    is "$1: -t says the same" "$STATUS $(cat "$WORK/err")" "1 $(sed 's/^knockd: //' "$WORK/says")"
    ok "$1: no folder is made" not test -e "$2"
}

state_folders() {
    good_file
    mkdir -p "$WORK/shared/root"
    chmod 777 "$WORK/shared"
    state_folder "a state folder in one of everybody's" "$WORK/shared/root/state" \
        "$WORK/shared/root/state must be .*, and $WORK/shared can be written to by others: chmod go-w it, or choose another folder"
    chmod 755 "$WORK/shared"
    chown 65534 "$WORK/shared"
    state_folder "a state folder in another user's" "$WORK/shared/root/state" \
        "$WORK/shared/root/state must be .*, and $WORK/shared belongs to another user: chown root it, or choose another folder"
    state_folder "a state folder whose path isn't there" "$WORK/no/such/state" \
        "can't make $WORK/no/such/state: there is no folder $WORK/no; make that one, or choose another folder"
}

wrong_calls() {
    good_file
    wrong "missing file" "knockd: $WORK/nothing: .*No such file" -c "$WORK/nothing"
    wrong "a folder for a file" "knockd: $WORK: .*not a regular file" -c "$WORK"
    WRONG=2 wrong "unknown option" "knockd: no such option: -Z; see knockd --help" -Z
    WRONG=2 wrong "no argument" "knockd: --config lacks its argument: --config FILE" -c
    WRONG=2 wrong "mistyped option" "knockd: no such option: --tset; did you mean --test\?" --tset
    WRONG=2 wrong "unexpected argument" "knockd: unexpected argument 'start'; see knockd -h" start
    WRONG=2 wrong "contradicting modes" "knockd: -t, -r and --close-all exclude each other.*" -t --close-all
    is "-V to a full disk" "$( { "$KNOCKD" -V >/dev/full; } 2>&1; echo "$?")" \
        "knockd: can't write to standard output: No space left on device"$'\n1'
    is "-t to a full disk" "$( { "$KNOCKD" -t -c "$CONFIG" >/dev/full; } 2>&1; echo "$?")" \
        "knockd: can't write to standard output: No space left on device"$'\n1'
    sed -i "s|$KERN_LOG|$WORK|" "$CONFIG"
    wrong "a log that is a folder" "knockd: $CONFIG:3: .*can't read $WORK: not a regular file" -c "$CONFIG"
    good_file
    chmod 777 "$WORK/state"
    wrong "a state folder of everybody's" "knockd: .*state_dir: $WORK/state must be .*, and it can be written to by others: chmod go-w it" -c "$CONFIG"
    chmod 700 "$WORK/state"
    state_folders
    good_file
    chown 65534 "$CONFIG"
    on_gate setpriv --reuid=65534 --regid=65534 --clear-groups "$KNOCKD" -c "$CONFIG" >"$WORK/out" 2>"$WORK/err"
    is "no privilege: exit status" $? 1
    like "no privilege: says what is needed" "$(cat "$WORK/err" "$WORK/out")" "^knockd: must be started as root"
    is "no privilege: one line" "$(cat "$WORK/err" "$WORK/out" | wc -l)" 1
    on_gate setpriv --reuid=65534 --regid=65534 --clear-groups "$KNOCKD" -t -c "$CONFIG" >"$WORK/out" 2>"$WORK/err"
    is "-t needs none: exit status" $? 0
    is "-t: all is well" "$(grep -v ": warning: rules weren't tried with iptables" "$WORK/out" "$WORK/err")" \
        "$WORK/out:configuration OK"
    chown 0 "$CONFIG"
    on_gate setpriv --reuid=65534 --regid=65534 --clear-groups "$KNOCKD" -t -c "$CONFIG" >"$WORK/out" 2>"$WORK/err"
    is "-t of root's own file: exit status" $? 1
    like "-t of root's own file: what to do" "$(cat "$WORK/err")" \
        "^$CONFIG: can't read the configuration: Permission denied; it is for root alone: run this as root$"
    knockd_here -V
    like "-V: the version" "$STATUS $(cat "$WORK/out" "$WORK/err")" '^0 knockd [0-9.]+$'
    knockd_here -h
    like "-h: the usage" "$STATUS $(cat "$WORK/out" "$WORK/err")" '^0 usage: knockd '
}

# with_switch VALUE: knockd -t in the first network namespace, the switch of the kernel's log being that.
# shellcheck disable=SC2016 # the inner shell's
with_switch() {
    echo "$1" >"$WORK/switch"
    unshare --mount sh -c 'mount --bind "$1" /proc/sys/net/netfilter/nf_log_all_netns; shift; exec "$@"' sh \
        "$WORK/switch" "$KNOCKD" -t -c "$CONFIG" 2>&1
}

# Any user may then have the kernel write lines with our prefix, and the addresses that he likes.
lines_of_anybody() {
    good_file
    sed -i "s|type = file.*|type = kmsg|" "$CONFIG"
    is "the kernel logs for the first namespace: all is well" "$(with_switch 0)" "configuration OK"
    like "the kernel logs for all: a doubt, with its line" "$(with_switch 1)" \
        "^$CONFIG:3: warning: source \"firewall\": since net.netfilter.nf_log_all_netns is 1, .*configuration OK$"
    knockd_here -t -c "$CONFIG"
    like "in another namespace: likewise" "$(cat "$WORK/out")" \
        "^$CONFIG:3: warning: source \"firewall\": this is not the first network namespace"
    sed -i 's/sequence =.*/key = alice/' "$CONFIG"
    echo "key_dir = \"$WORK/keys\" sealed { server = gate }" >>"$CONFIG"
    mkdir -m 700 "$WORK/keys"
    like "sealed knocks alone: no doubt about that" "$(with_switch 1 | grep -c nf_log)" "^0$"
    good_file
    sed -i "s|type = file.*|type = kmsg|" "$CONFIG"
    starts "starts all the same"
    ok "and says it at the start, too" says "warning: source \"firewall\": this is not the first network namespace"
    stop_knockd
    good_file
}

# In a private view of the file system without /dev/kmsg, as containers have.
# shellcheck disable=SC2016 # the inner shell's
without_kmsg() {
    good_file
    sed -i "s|type = file.*|type = kmsg|" "$CONFIG"
    mkdir "$WORK/dev"
    touch "$WORK/dev/null"
    unshare --mount sh -c 'mount --bind /dev/null "$1/null" && mount --bind "$1" /dev && shift && exec "$@"' sh \
        "$WORK/dev" "$KNOCKD" -t -c "$CONFIG" >"$WORK/out" 2>&1
    is "no /dev/kmsg: -t: exit status" $? 1
    like "no /dev/kmsg: -t says so, and what works" "$(cat "$WORK/out")" \
        "^$CONFIG:3: source \"firewall\": can't read /dev/kmsg: No such file.*in a container.*type = nflog"
    good_file
}

second_instance() {
    starts "one knockd runs"
    knockd_here -c "$CONFIG"
    is "a second: exit status" "$STATUS" 75
    like "a second: says who is in its way" "$(cat "$WORK/err")" \
        "^knockd: $CONFIG: another knockd is running: it holds $WORK/state/lock$"
    is "a second: one line" "$(wc -l <"$WORK/err")" 1
    log_packets "$CLIENT4" 7412 28733:udp 51990
    ok "the first doesn't mind" says "opened for $CLIENT4"
    # Not even SIGKILL leaves a lock behind. Its listener sees that the keeper is gone.
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    ok "killed: its listener ends too" poll 5 nobody_home
    on_gate iptables -F INPUT
    starts "and another can start"
    stop_knockd
    is "and end" $? 0
}

nobody_home() {
    [ -z "$(inhabitants)" ]
}

daemonized() {
    local pid
    good_file
    knockd_here -d -c "$CONFIG"
    is "-d: exit status of the parent" "$STATUS" 0
    like "-d: said before that it is ready" "$(cat "$WORK/err")" "^knockd: ready:"
    is "-d: keeper and listener are there" "$(inhabitants | wc -l)" 2
    pid=$(ip netns pids "$GATE" | head -n 1)
    is "-d: a session of its own" "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid"
    is "-d: no terminal, no files of ours" "$(readlink "/proc/$pid/fd/"{0,1,2} "/proc/$pid/cwd" | tr '\n' ' ')" \
        "/dev/null /dev/null /dev/null / "
    kill -TERM "$pid"
    ok "-d: ends" poll 5 nobody_home
    # Descriptors 0 to 2 are then what knockd opens first: its lock, its timer.
    # shellcheck disable=SC2016 # the inner shell's
    on_gate timeout 10 sh -c 'exec "$@" <&- >&- 2>&-' sh "$KNOCKD" -d -c "$CONFIG"
    is "-d without standard descriptors: exit status of the parent" $? 0
    pid=$(ip netns pids "$GATE" | head -n 1)
    ok "-d without standard descriptors: still has its lock" not flock -n "$WORK/state/lock" true
    kill -TERM "$pid"
    ok "-d without standard descriptors: ends" poll 5 nobody_home
    sed -i "s|$KERN_LOG|$WORK|" "$CONFIG"
    wrong "-d with a log that is a folder" "knockd: $CONFIG:3: .*not a regular file" -d -c "$CONFIG"
}

# odd_start DESCRIPTION COMMAND...: knockd by COMMAND works all the same: a knock opens, and closes in time.
odd_start() {
    local description=$1 opened=$CLIENT4
    shift
    good_file
    on_gate iptables -F INPUT
    rm -rf "$WORK/state"
    mkdir "$WORK/state"
    sed -i 's/port     = 2222/port = 2222 cmd_timeout = 1/' "$CONFIG"
    KNOCKD_LOG=$WORK/odd.log
    ip netns exec "$GATE" "$@" "$KNOCKD" -c "$CONFIG" </dev/null >"$KNOCKD_LOG" 2>&1 &
    KNOCKD_PID=$!
    started $KNOCKD_PID
    ok "$description: a listener" poll 5 has_listener
    ok "$description: at work" poll 5 reads_log
    log_packets "$opened" 7412 28733:udp 51990
    ok "$description: a knock opens" poll 5 has_rule
    ok "$description: and closes" poll 5 has_no_rule
    stop_knockd
    is "$description: ends" $? 0
}

has_listener() {
    [ -n "$(listener_pids)" ]
}

reads_log() {
    readlink "/proc/$(listener_pids)/fd"/* | grep -qx "$KERN_LOG"
}

has_rule() {
    [ -n "$(rules iptables)" ]
}

has_no_rule() {
    [ -z "$(rules iptables)" ]
}

# shellcheck disable=SC2016 # the inner shell's
odd_starts() {
    odd_start "no standard descriptors" sh -c 'exec "$@" <&- >&- 2>&-' sh
    odd_start "SIGCHLD ignored" perl -e '$SIG{CHLD} = "IGNORE"; exec @ARGV'
    odd_start "signals blocked" perl -MPOSIX -e 'sigprocmask(SIG_BLOCK, POSIX::SigSet->new(1 .. 31)); exec @ARGV'
    odd_start "a mask of 0" sh -c 'umask 0; exec "$@"' sh
}

# A service manager's socket: what arrives goes to WORK/notified.
notification() {
    good_file
    perl -MIO::Socket::UNIX -e '$| = 1;
        my $s = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => $ARGV[0]) or die $!;
        while (defined $s->recv(my $text, 4096)) { $text =~ s/\n/ /g; print "$text\n" }' \
        "$WORK/socket" >"$WORK/notified" &
    started $!
    ok "a manager's socket" poll 5 test -S "$WORK/socket"
    export NOTIFY_SOCKET=$WORK/socket WATCHDOG_USEC=400000
    starts "starts"
    ok "READY=1" poll 5 grep -q '^READY=1 STATUS=Listening' "$WORK/notified"
    ok "WATCHDOG=1, again and again" poll 5 notified_times 4 '^WATCHDOG=1'
    kill -HUP "$KNOCKD_PID"
    ok "RELOADING=1 with the time" poll 5 grep -qE '^RELOADING=1 MONOTONIC_USEC=[0-9]+' "$WORK/notified"
    ok "ready again" poll 5 notified_times 2 '^READY=1'
    rm "$CONFIG"
    kill -HUP "$KNOCKD_PID"
    ok "a reload that fails ends with READY=1 too" poll 5 notified_times 3 '^READY=1'
    stop_knockd
    ok "STOPPING=1" poll 5 grep -q '^STOPPING=1' "$WORK/notified"
    unset NOTIFY_SOCKET WATCHDOG_USEC
}

notified_times() {
    [ "$(grep -c "$2" "$WORK/notified")" -ge "$1" ]
}

needs_gate
wrong_files
wrong_calls
lines_of_anybody
without_kmsg
second_instance
daemonized
notification
odd_starts
done_testing
