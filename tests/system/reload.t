#!/bin/bash
# SIGHUP: a good file is taken, a bad one changes nothing, and neither leaves processes or descriptors behind.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

old=(7412 28733:udp 51990)
new=(40112 17001 33200:udp)

# door SEQUENCE SECONDS [KEY...]: the configuration's only door, which notes what it does in WORK/done.
door() {
    local sequence=$1 seconds=$2
    shift 2
    cat <<EOF
door "ssh" {
    sequence      = { $sequence }
    start_command = "$WORK/note opened by-$seconds %IP%"
    stop_command  = "$WORK/note closed by-$seconds %IP%"
    cmd_timeout   = $seconds
    $*
}
EOF
}

good_file() {
    door "7412, 28733:udp, 51990" "${1:-2}" | configure_file
}

hup() {
    mark_log
    kill -HUP "$KNOCKD_PID"
}

done_line() {
    grep -qx -- "$1" "$WORK/done"
}

# expect_done DESCRIPTION LINE: the command ran, within 5 s.
expect_done() {
    ok "$1" poll 5 done_line "$2"
}

one_listener() {
    [ "$(listener_pids | wc -l)" = 1 ]
}

# A door that the old file opened is closed as the old file says, whatever the new one says of it.
good_reload() {
    log_packets 192.0.2.10 "${old[@]}"
    expect_done "the first file's door opens" "opened by-2 192.0.2.10"
    door "40112, 17001, 33200:udp" 1 | configure_file
    hup
    ok "a good file is taken" says "^knockd: reloaded $CONFIG: 1 door$"
    log_packets 192.0.2.11 "${old[@]}"
    log_packets 192.0.2.12 "${new[@]}"
    expect_done "its sequence opens" "opened by-1 192.0.2.12"
    ok "the old one doesn't" not grep -q 192.0.2.11 "$WORK/done"
    expect_done "what was open is closed as it was opened" "closed by-2 192.0.2.10"
    ok "and by nothing else" not done_line "closed by-1 192.0.2.10"
    # Another knock at a door that was opened by other commands: closed by those, then opened anew.
    good_file 30
    hup
    ok "another good file" says "reloaded"
    log_packets 192.0.2.13 "${old[@]}"
    expect_done "a door for half a minute" "opened by-30 192.0.2.13"
    good_file 2
    hup
    ok "which the next file doesn't want" says "reloaded"
    log_packets 192.0.2.13 "${old[@]}"
    expect_done "a knock closes it as it was opened" "closed by-30 192.0.2.13"
    ok "and the log says why" says "closed for 192.0.2.13 \(sequence\): a reload changed the door"
    expect_done "and opens it as it is now" "opened by-2 192.0.2.13"
    expect_done "and that is closed in time" "closed by-2 192.0.2.13"
}

# bad_reload NUMBER DESCRIPTION LINE TEXT: CONFIG is bad, which is to be said with its line, if it has one.
bad_reload() {
    local who=192.0.2.$((100 + $1)) before
    : >"$WORK/bad.$1"
    before=$(listener_pids)
    log_packets "$who" "${old[@]}"
    ok "$2: a door is open" poll 5 done_line "opened by-2 $who"
    mv "$WORK/next" "$CONFIG" 2>/dev/null || rm "$CONFIG"
    hup
    ok "$2: refused" says "reload failed: nothing changed, the configuration of before goes on"
    like "$2: says where and what" "$(said_lines 'error: .*knockd.conf')" "error: $CONFIG:${3:+$3:} $4"
    is "$2: and says it once" "$(said_lines "error: $CONFIG:${3:+$3:} $4" | wc -l)" 1
    is "$2: the same listener" "$(listener_pids)" "$before"
    log_packets "192.0.3.$((100 + $1))" "${old[@]}"
    expect_done "$2: the old sequence opens" "opened by-2 192.0.3.$((100 + $1))"
}

# The head of the file has 6 lines, so the door's sequence stands in line 8.
bad_reloads() {
    local number=0 description line text body keep=$CONFIG
    while IFS='|' read -r description line text body; do
        CONFIG=$WORK/next
        rm -f "$CONFIG"
        [ -z "$body" ] || eval "$body"
        CONFIG=$keep
        bad_reload $((++number)) "$description" "$line" "$text"
    done <<'TABLE'
syntax error|8||door "7412, 28733:udp, 51990 } }" 2 | configure_file
unknown key|12|.*no_such_key|door "7412, 28733:udp, 51990" 2 'no_such_key = 1' | configure_file
wrong port|8|.*70000|door "7412, 70000, 51990" 2 | configure_file
unknown placeholder|9|.*%FOO%|door "7412, 28733:udp, 51990" 2 | sed 's/%IP%/%FOO%/' | configure_file
unknown user|1|.*nosuchuser|door "7412, 28733:udp, 51990" 2 | configure_file; sed -i 's/nobody/nosuchuser/' "$CONFIG"
a log that is a folder|3|.*can't read|door "7412, 28733:udp, 51990" 2 | configure "type = file path = \"$WORK\""
missing file||.*No such file|
TABLE
    while [ $number -gt 0 ]; do
        expect_done "bad reload $number: what was open is closed in time" "closed by-2 192.0.2.$((100 + number--))"
    done
}

reloaded_times() {
    [ "$(said_lines 'knockd: reloaded ' | wc -l)" -ge "$1" ]
}

# Those before may have been one more, of a listener that had just ended.
has_descriptors() {
    [ "$(descriptors "$KNOCKD_PID")" -le "$1" ]
}

many_reloads() {
    local keeper_before i before
    good_file
    hup
    ok "good again" says reloaded
    before=$(listener_pids)
    ok "one listener" one_listener
    keeper_before=$(descriptors "$KNOCKD_PID")
    mark_log
    for i in {1..20}; do
        kill -HUP "$KNOCKD_PID"
        poll 5 reloaded_times "$i" || break
    done
    ok "20 reloads" reloaded_times 20
    ok "one listener after them" poll 3 one_listener
    ok "not the one of before" not [ "$(listener_pids)" = "$before" ]
    # At full speed: signals merge, listeners are ended before they are ready.
    for i in {1..60}; do
        kill -HUP "$KNOCKD_PID"
        log_packets "198.51.100.$i" "${old[@]}"
    done
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "60 reloads and knocks at full speed, and another" says reloaded 15
    ok "one listener after them" poll 3 one_listener
    log_packets 203.0.113.9 "${old[@]}"
    expect_done "a knock works after them" "opened by-2 203.0.113.9"
    expect_done "and its door closes" "closed by-2 203.0.113.9"
    ok "no descriptor is left in the keeper" poll 3 has_descriptors "$keeper_before"
}

needs_gate
printf '#!/bin/sh\necho "$*" >>"%s"\n' "$WORK/done" >"$WORK/note"
chmod +x "$WORK/note"
: >"$WORK/done"
: >"$KERN_LOG"
good_file
starts "starts"
good_reload
bad_reloads
many_reloads
stop_knockd
is "ends well" $? 0
is "what opened has closed" "$(grep -c closed "$WORK/done")" "$(grep -c opened "$WORK/done")"
done_testing
