#!/bin/bash
# The log as a file: absent, rotated in all the ways that there are, written by halves, full of what isn't the kernel's.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

right=(7412 28733:udp 51990)

good_file() {
    configure_file <<'EOF'
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    seq_timeout   = 60
    start_command = "/bin/true"
    stop_command  = ""
}
EOF
}

next_address=0
# fresh: sets `who` to an address that hasn't knocked yet.
fresh() {
    who=198.51.$((100 + next_address / 250)).$((next_address++ % 250 + 1))
}

opened() {
    says "door ssh: opened for $1,"
}

# works DESCRIPTION: a knock in the file opens; so whatever was written before it has been read.
works() {
    local who
    fresh
    log_packets "$who" "${right[@]}"
    ok "$1" opened "$who"
}

absent() {
    local who
    good_file
    starts "absent at start: starts"
    ok "says that it waits" said "$CONFIG:3: (warning: )?source \"firewall\": $KERN_LOG isn't there yet; waiting for it"
    ok "as one warning" not said "warning: .*warning:"
    fresh
    log_packets "$who" "${right[@]}"
    ok "created: says so" says "source firewall: reading the new $KERN_LOG"
    ok "a knock from its first line on opens" opened "$who"
    works "and one later"
    rm "$KERN_LOG"
    works "deleted and created again"
}

# logrotate's usual way. The writer may go on with the old file until it is told.
renamed() {
    local who old
    fresh
    log_packets "$who" "${right[@]:0:1}"
    mv "$KERN_LOG" "$KERN_LOG.1"
    log_packets "$who" "${right[@]:1}"
    ok "renamed and created: a knock over both files opens" opened "$who"
    fresh
    old=$KERN_LOG KERN_LOG=$KERN_LOG.1
    log_packets "$who" "${right[@]}"
    KERN_LOG=$old
    ok "a writer that goes on with the old file is read" opened "$who"
    works "and so is the new one"
    # A half line at the end of the old file isn't joined to the first of the new.
    fresh
    log_packets "$who" "${right[@]:0:2}"
    packet_line "$who" "${right[2]}"
    printf '%s' "${LINE%SPT*}" >>"$KERN_LOG"
    mv "$KERN_LOG" "$KERN_LOG.1"
    echo "SPT${LINE##*SPT}" >>"$KERN_LOG"
    works "half a line before the rotation"
    ok "is not joined to the other half after it" not said "opened for $who,"
}

emptied() {
    local who i
    fresh
    for i in {1..50}; do
        log_packets 203.0.113.1 "$((20000 + i))"
    done
    works "a file of some length"
    log_packets "$who" "${right[@]}"
    ok "a knock" opened "$who"
    cp "$KERN_LOG" "$KERN_LOG.copy"
    : >"$KERN_LOG"
    works "copied and emptied: read from its start"
    is "and nothing read twice" "$(said_lines "for $who," | wc -l)" 1
    regrown
}

# Emptied and grown past its old length while the listener doesn't look.
regrown() {
    local who listener size
    listener=$(listener_pids)
    works "before it is emptied unseen"
    size=$(stat -c %s "$KERN_LOG")
    kill -STOP "$listener"
    : >"$KERN_LOG"
    fresh
    log_packets "$who" "${right[@]}"
    while [ "$(stat -c %s "$KERN_LOG")" -le "$size" ]; do
        log_packets 203.0.113.1 20000
    done
    kill -CONT "$listener"
    ok "emptied and regrown between two looks: read from its start" opened "$who"
    works "and on"
}

# The path means another file, though nothing was renamed to it: a link is turned, the folder is replaced.
elsewhere() {
    local path=$WORK/logs/kern.log
    mkdir "$WORK/logs"
    mv "$KERN_LOG" "$WORK/logs/a.log"
    ln -s a.log "$path"
    KERN_LOG=$path
    good_file
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "another path" says reloaded
    works "a symbolic link"
    : >"$WORK/logs/b.log"
    ln -s b.log "$WORK/logs/new" && mv -T "$WORK/logs/new" "$path"
    works "turned to another file"
    mv "$WORK/logs" "$WORK/logs.1"
    mkdir "$WORK/logs"
    works "its folder replaced"
    KERN_LOG=$WORK/kern.log
    : >"$KERN_LOG"
    good_file
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "the path of before" says reloaded
}

# What was written before knockd came never opens, whole or half.
restart() {
    local half who
    stop_knockd
    is "ends" $? 0
    fresh
    half=$who
    log_packets "$half" "${right[@]:0:2}"
    fresh
    log_packets "$who" "${right[@]}"
    starts "starts anew"
    log_packets "$half" "${right[2]}"
    works "what comes now is read"
    ok "a knock before it started is none" not said "for $who,"
    ok "nor is half of one" not said "for $half,"
}

halves() {
    local who length line
    fresh
    log_packets "$who" "${right[@]:0:2}"
    packet_line "$who" "${right[2]}"
    length=${#LINE} line=$LINE
    printf '%s' "${line:0:length / 2}" >>"$KERN_LOG"
    sleep 0.1
    ok "half a line is none" not said "opened for $who,"
    printf '%s' "${line:length / 2}" >>"$KERN_LOG"
    sleep 0.1
    ok "nor is one without its end" not said "opened for $who,"
    echo >>"$KERN_LOG"
    ok "its end makes it one" opened "$who"
    fresh
    log_packets "$who" "${right[@]:0:2}"
    { head -c 10000 /dev/zero | tr '\0' A; echo; } >>"$KERN_LOG"
    log_packets "$who" "${right[2]}"
    ok "a line of 10,000 bytes between two steps" opened "$who"
    ok "is counted" says "source firewall: skipped 1 lines that are too long"
    fresh
    log_packets "$who" "${right[@]:0:2}"
    head -c 300000 /dev/zero >>"$KERN_LOG"
    log_packets "$who" "${right[2]}"
    works "a hole of NULs does no harm"
    ok "the line behind it counts" said "opened for $who,"
    fresh
    packet_line "$who" "${right[0]}"
    printf '%s\r\n' "$LINE" >>"$KERN_LOG"
    log_packets "$who" "${right[@]:1}"
    ok "lines that end in CR LF" opened "$who"
}

# Each line would be the last step, if it were the kernel's: SED makes it from a good one.
hostile() {
    local description change who
    while IFS='|' read -r description change; do
        fresh
        hostile_addresses+=("$who") hostile_names+=("$description")
        log_packets "$who" "${right[@]:0:2}"
        packet_line "$who" "${right[2]}"
        sed "$change" <<<"$LINE" >>"$KERN_LOG"
    done <<'TABLE'
another program's|s/ kernel:/ sshd[4711]:/
a user name that holds a kernel's line|s/ kernel:/ sshd[4711]: Invalid user kernel:/
a user name that holds a whole line|s/^/Nov 23 15:00:00 gate sshd[4711]: Invalid user /
no header|s/.*kernel: \[[^]]*\] //
another prefix|s/\[DENY/[OTHER/
text before the prefix|s/\[DENY/x [DENY/
two prefixes|s/\[DENY/x-IN=eth0 OUT= [DENY/
no IN|s/IN=eth0 //
no DPT|s/ DPT=[0-9]*//
DPT cut|s/ DPT=51990.*/ DPT=51990/
cut before URGP|s/ SYN URGP=0.*/ SYN/
port out of range|s/DPT=51990/DPT=117526/
letters in a port|s/DPT=51990/DPT=51990x/
address cut|s/\(SRC=[0-9.]*\)\.[0-9]* /\1 /
address with more|s/\(SRC=[0-9.]*\) /\1.9 /
a packet's answer within another|s/PROTO=TCP/PROTO=ICMP TYPE=3 CODE=3 [SRC=192.0.2.1 DST=192.0.2.2 PROTO=TCP/; s/ $/] /
no SYN|s/ SYN / /
SYN with ACK|s/ SYN / ACK SYN /
UDP|s/TCP/UDP/; s/WINDOW.*/LEN=9 /
repeated|s/kernel: \(.*\)/kernel: message repeated 2 times: [ \1]/
damaged in its middle|s/DPT=51990 WINDOW/DPT=51990 DINDOW/
facility of another program|s/ kernel:/ user.info root:/
TABLE
    works "hostile lines do no harm"
    local i
    for i in "${!hostile_addresses[@]}"; do
        ok "opens nothing: ${hostile_names[i]}" not said "opened for ${hostile_addresses[i]},"
    done
    ok "and for nobody else" not said "opened for ([^1]|19[^8])"
}

watches() {
    cat "/proc/$KNOCKD_PID/fdinfo/"* 2>/dev/null | grep -c '^inotify wd'
}

rotations() {
    local i keeper_before listener listener_before
    listener=$(listener_pids)
    works "before many rotations"
    keeper_before=$(descriptors "$KNOCKD_PID") listener_before=$(descriptors "$listener")
    for i in {1..300}; do
        mv "$KERN_LOG" "$KERN_LOG.1"
        packet_line 203.0.113.1 20000
        echo "$LINE" >"$KERN_LOG"
    done
    works "300 rotations: still read"
    is "no descriptor left in the keeper" "$(descriptors "$KNOCKD_PID")" "$keeper_before"
    is "nor in the listener" "$(descriptors "$listener")" "$listener_before"
    # Three folders, the file, the three before it; and the folders of knockd's own files, three at most.
    ok "nor watches: $(watches)" test "$(watches)" -le 10
    is "the same listener" "$(listener_pids)" "$listener"
}

unreadable() {
    rm "$KERN_LOG"
    mkdir "$KERN_LOG"
    ok "a folder in its place: said" says "source firewall: can't read $KERN_LOG: not a regular file; trying on"
    rmdir "$KERN_LOG"
    works "a file in its place again"
    stop_knockd
    is "ends well" $? 0
    KERN_LOG=$WORK
    good_file
    not run_knockd
    is "a folder at start: one line" "$(cat "$KNOCKD_LOG")" \
        "knockd: $CONFIG:3: source \"firewall\": can't read $WORK: not a regular file"
    wait "$KNOCKD_PID"
    is "exit status" $? 1
}

# A program that ends is started again: its second life brings a knock. That it ended is said once.
producer() {
    local who step
    fresh
    KERN_LOG=$WORK/produced
    log_packets "$who" "${right[@]}"
    cat >"$WORK/producer" <<EOF
#!/bin/sh
echo >>"$WORK/lives"
[ \$(wc -l <"$WORK/lives") -lt 3 ] || { cat "$WORK/produced"; sleep 60; }
EOF
    chmod 755 "$WORK/producer"
    : >"$WORK/lives"
    chmod 666 "$WORK/lives"
    configure "type = command command = \"$WORK/producer\"" <<'EOF'
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    start_command = "/bin/true"
    stop_command  = ""
}
EOF
    starts "a program as source: starts"
    ok "it ended twice and was started again: a knock opens" says "door ssh: opened for $who," 10
    is "that it ended was said once" "$(said_lines 'starting it again' | wc -l)" 1
    stop_knockd
}

needs_gate
hostile_addresses=() hostile_names=()
absent
renamed
emptied
halves
hostile
rotations
restart
elsewhere
unreadable
producer
done_testing
