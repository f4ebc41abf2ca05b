#!/bin/bash
# What a follower of logs meets besides rotation: writing that no event tells of, a kernel that overwrites its log, a
# FIFO whose writer goes away; and that it sleeps while nothing comes. REST=180 for a longer look at that.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

right=(7412 28733:udp 51990)

# write_config SOURCE [MORE]: one door, and what else is to be in the file.
write_config() {
    configure "$1" <<EOF
${2:-}
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    start_command = "/bin/true"
    stop_command  = ""
}
EOF
}

# works DESCRIPTION NUMBER [SECONDS]: a knock in KERN_LOG opens.
works() {
    log_packets "198.51.100.$2" "${right[@]}"
    ok "$1" says "door ssh: opened for 198.51.100.$2," "${3:-5}"
}

# --- nothing happens ---

# wakings PID: how often it went to sleep again.
wakings() {
    awk '$1 == "voluntary_ctxt_switches:" { print $2 }' "/proc/$1/status"
}

# Once a minute, and once more where the period lies so: the keeper to ask the listener for a sign of life, and to hear it.
sleeps() {
    local seconds=$1 pids before=() i
    pids=("$KNOCKD_PID" "$(listener_pids)")
    for i in 0 1; do
        before[i]=$(wakings "${pids[i]}")
    done
    sleep "$seconds"
    for i in 0 1; do
        diag "process ${pids[i]} woke up $(($(wakings "${pids[i]}") - before[i])) times in $seconds s"
        [ $(($(wakings "${pids[i]}") - before[i])) -le $(((2 - i) * (1 + seconds / 60))) ] || return 1
    done
}

# Files that others remove on the way to a log, in /tmp, are no fault of knockd.
rests() {
    sleeps "$1" || sleeps "$1" || sleeps "$1"
}

at_rest() {
    mkdir "$WORK/here"
    write_config "type = file path = \"$KERN_LOG\"" "
source \"absent\" { type = file path = \"$WORK/here/absent.log\" }
source \"nowhere\" { type = file path = \"$WORK/no/such/folder/absent.log\" }
source \"quiet\" { type = command command = \"sleep 1000\" }"
    starts "a file, two that are absent, and a program as sources: starts"
    works "a knock opens" 1
    log_packets 198.51.100.2 "${right[@]:0:1}"
    ok "sleeps when nothing comes" rests "${REST:-5}"
    KERN_LOG=$WORK/no/such/folder/absent.log
    mkdir -p "${KERN_LOG%/*}"
    works "a log comes to be, with its folders" 3
    KERN_LOG=$WORK/here/absent.log
    works "and another in its folder" 6
    KERN_LOG=$WORK/kern.log
}

# The keeper, which is to watch the new file, comes late: all that is ever written to it is there by then.
late_watch() {
    kill -STOP "$KNOCKD_PID"
    mv "$KERN_LOG" "$KERN_LOG.1"
    log_packets 198.51.100.4 "${right[@]}"
    sleep 0.1
    kill -CONT "$KNOCKD_PID"
    ok "what was written before the file was watched" says "door ssh: opened for 198.51.100.4,"
}

# More events than the kernel keeps (fs.inotify.max_queued_events, 16384), of writing alone: that of the rotation is lost.
lost_events() {
    local listener
    listener=$(listener_pids)
    kill -STOP "$listener"
    # shellcheck disable=SC2016 # expanded by Perl
    perl -e 'my $count = shift; my @logs = map { open(my $log, ">>", $_) or die; $log } @ARGV;
        for (1 .. $count) { syswrite($_, "\n") or die for @logs }' \
        $((1 + $(cat /proc/sys/fs/inotify/max_queued_events) / 2)) "$KERN_LOG" "$WORK/here/absent.log" ||
        bail "no lines can be written"
    mv "$KERN_LOG" "$KERN_LOG.1"
    log_packets 198.51.100.5 "${right[@]}"
    kill -CONT "$listener"
    ok "a rotation whose event was lost" says "door ssh: opened for 198.51.100.5," 10
    stop_knockd
    is "ends well" $? 0
}

# --- nothing tells ---

# run_unwatched: in a user namespace that allows for no watch.
run_unwatched() {
    # shellcheck disable=SC2016 # expanded in there
    local limit='echo 0 >/proc/sys/user/max_inotify_watches && exec "$@"'
    # shellcheck disable=SC2016
    local mapped='until [ "$(id -u)" = 0 ]; do sleep 0.01; done; exec "$@"'
    KNOCKD_LOG=$WORK/unwatched.log
    log_mark=0
    unshare --user bash -c "$mapped" bash bash -c "$limit" bash "$KNOCKD" -c "$CONFIG" >"$KNOCKD_LOG" 2>&1 &
    KNOCKD_PID=$!
    started $KNOCKD_PID
    poll 5 map_ids uid && poll 5 map_ids gid && poll 10 knockd_ready_or_gone && said ready
}

map_ids() {
    echo "0 0 65536" >"/proc/$KNOCKD_PID/$1_map"
} 2>/dev/null

unwatched() {
    if ! unshare --user true 2>/dev/null; then
        skip "a file without a watch" "no user namespaces here"
        return
    fi
    write_config "type = file path = \"$KERN_LOG\""
    : >"$KERN_LOG"
    ok "no watch can be had: starts" run_unwatched
    ok "says so" said "source firewall: $KERN_LOG can't be watched; looking once a second"
    works "a knock is read" 11
    mv "$KERN_LOG" "$KERN_LOG.1"
    works "renamed and created" 12
    log_packets 198.51.100.13 "${right[@]:0:1}"
    : >"$KERN_LOG"
    works "emptied" 14
    rm "$KERN_LOG"
    works "removed and created" 15
    is "said once" "$(said_lines "can't be watched" | wc -l)" 1
    stop_knockd
    is "ends well" $? 0
}

# --- the writer goes ---

# run_reading FILE: with its standard input, which is the source, from there.
run_reading() {
    : >"$KNOCKD_LOG"
    "$KNOCKD" -c "$CONFIG" <"$1" >"$KNOCKD_LOG" 2>&1 &
    KNOCKD_PID=$!
    started $KNOCKD_PID
    log_mark=0
}

fifo() {
    write_config "type = stdin"
    KERN_LOG=$WORK/fifo KNOCKD_LOG=$WORK/fifo.log
    mkfifo "$KERN_LOG"
    run_reading "$KERN_LOG"
    # Each opens the FIFO and leaves.
    works "a FIFO as standard input" 21 10
    ok "its writer goes away: said" says "source firewall: end of file"
    works "the next writer" 22
    works "and one more" 23
    is "said once" "$(said_lines "end of file|another writer" | wc -l)" 2
    ok "sleeps without a writer" rests 2
    stop_knockd
    is "ends well" $? 0
}

pipe() {
    KNOCKD_LOG=$WORK/pipe.log
    run_reading <(:)
    ok "a pipe that ends: said" says "source firewall: nothing more will be read from it" 10
    ok "sleeps" rests 2
    is "said once" "$(said_lines "end of file|nothing more" | wc -l)" 2
    stop_knockd
    is "ends well" $? 0
}

# --- the kernel doesn't wait ---

# flood: 500 packets that are denied and logged, no faster than other readers of the kernel's log can follow.
flood() {
    # shellcheck disable=SC2016 # expanded by Perl
    on_client perl -MSocket -e 'socket(my $s, AF_INET, SOCK_DGRAM, 0) or die;
        my $to = pack_sockaddr_in(20000, inet_aton($ARGV[0]));
        for (1 .. 50) { send($s, "x", 0, $to) for 1 .. 10; select undef, undef, undef, 0.008 }' "$GATE4"
}

# forgotten LINE: the kernel has overwritten it, after another flood.
forgotten() {
    flood
    ! dmesg | grep -qF -- "$1"
}

# overrun COUNT NUMBER: more lines than the kernel keeps, while the listener sleeps: it says that it lost COUNT, and
# takes the knock of client NUMBER.
overrun() {
    local listener last
    listener=$(listener_pids)
    kill -STOP "$listener"
    flood
    last=$(dmesg | tail -n 1)
    poll 60 forgotten "$last" || bail "the kernel's log doesn't end"
    kill -CONT "$listener"
    ok "$1 lines that were overwritten are told of" \
        says "source firewall: $1 lines were overwritten before they could be read" 10
    client_address "192.0.2.$2" "2001:db8::$2"
    send_knock "192.0.2.$2" "$GATE4" "${right[@]}"
    ok "and it goes on" says "door ssh: opened for 192.0.2.$2," 10
    is "the same listener" "$(listener_pids)" "$listener"
}

overwritten() {
    write_config "type = kmsg"
    firewall4 || bail "no firewall"
    starts "the kernel's log: starts"
    # Before the first line nobody knows how many; other hosts' packets may give it one.
    overrun '(some|[0-9]+)' 77
    mark_log
    overrun '[0-9]+' 78
    stop_knockd
    is "ends well" $? 0
}

needs_gate
: >"$KERN_LOG"
at_rest
late_watch
lost_events
unwatched
fifo
pipe
overwritten
done_testing
