#!/bin/bash
# Commands of doors: what they get, what happens when they fail, hang, or run while knockd is told to stop.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

who=192.0.2.10 who6=2001:db8::10

# script NAME: an executable from standard input; DIR in it is where the test's files are.
script() {
    { echo '#!/bin/bash'; sed "s|DIR|$WORK|g"; } >"$WORK/$1"
    chmod +x "$WORK/$1"
}

scripts() {
    # Notes its name and its words, each in brackets.
    script note <<'EOF'
printf -v words '[%s]' "$@"
echo "$words" >>DIR/done
EOF
    script surroundings <<'EOF'
exec >DIR/seen.new 2>&1
tr '\0' '\n' </proc/$$/environ | sort
pwd; cat; ls /proc/$$/fd; umask
mv DIR/seen.new DIR/seen
EOF
    script hang <<'EOF'
sleep 100 &
echo "$! $BASHPID" >DIR/hanging
wait
EOF
    script slow <<'EOF'
DIR/note slow started
until [ -e DIR/go ]; do sleep 0.05; done
DIR/note slow done
EOF
    # Fails as often as DIR/failures says.
    script fails <<'EOF'
left=$(cat DIR/failures)
[ "$left" = 0 ] || { echo $((left - 1)) >DIR/failures; echo "it won't close"; exit 3; }
DIR/note closed
EOF
}

# steps N: the sequence of door N.
steps() {
    echo "$((1000 + $1)), $((2000 + $1)):udp, $((3000 + $1))"
}

knock_at() {
    local list
    IFS=', ' read -r -a list <<<"$(steps "$1")"
    log_packets "${2:-$who}" "${list[@]}"
}

# door N NAME SECONDS: a door whose further keys come from standard input; @ is the folder of the scripts.
door() {
    echo "door \"$2\" {"
    echo "sequence = { $(steps "$1") }"
    echo "cmd_timeout = $3"
    sed "s|@|$WORK|g"
    echo "}"
}

doors() {
    echo "run_timeout = 1"
    door 1 words 1 <<'EOF'
port = "2222:udp"
start_command = "@/note one 'two words' \"%IP% %DOOR%\" a%TIMEOUT%%%b %FAMILY% %PORT%/%PROTO% '' '$HOME' '`id`' ';|&*' %IPTABLES%"
stop_command = "@/note closed words"
EOF
    door 2 list 1 <<'EOF'
start_command = { "@/note first", "@/note second %IP%" }
stop_command = { "@/note third", "@/note fourth" }
extend_command = "@/note extended %IP% %TIMEOUT%"
EOF
    door 3 six 1 <<'EOF'
start_command = "@/note four %IP%"
stop_command = "@/note four closed"
start_command_6 = "@/note six %IP% %FAMILY%"
stop_command_6 = "@/note six closed"
EOF
    door 4 failing 60 <<'EOF'
start_command = { "@/note before", "/bin/false", "@/note after" }
stop_command = "@/note undone"
EOF
    door 5 hanging 60 <<'EOF'
start_command = "@/hang"
stop_command = "@/note unhung"
EOF
    door 6 stubborn 1 <<'EOF'
start_command = "/bin/true"
stop_command = "@/fails"
EOF
    door 7 surroundings 1 <<'EOF'
start_command = "@/surroundings"
stop_command = ""
EOF
    door 8 slow 60 <<'EOF'
start_command = "@/slow"
stop_command = "@/note slow closed"
EOF
    door 9 rule 1 <<'EOF'
rule = "INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT"
EOF
}

did() {
    grep -qxF -- "$1" "$WORK/done"
}

expect_done() {
    ok "$1" poll 5 did "$2"
}

words_and_surroundings() {
    knock_at 1
    expect_done "words, quotes and placeholders; no shell" \
        "[one][two words][$who words][a1%b][4][2222/udp][][\$HOME][\`id\`][;|&*][iptables]"
    expect_done "its stop" "[closed][words]"
    knock_at 7
    ok "a command's surroundings" poll 5 test -e "$WORK/seen"
    # Descriptor 255 is bash's script, 3 the folder that is listed.
    is "environment, folder, input, descriptors" \
        "$(grep -vx 3 "$WORK/seen" | tr '\n' ' ')" \
        "LC_ALL=C PATH=/usr/sbin:/usr/bin:/sbin:/bin / 0 1 2 255 $(umask) "
}

lists_and_families() {
    knock_at 2
    expect_done "a list" "[second][$who]"
    knock_at 2
    expect_done "a knock on the open door: its extend command" "[extended][$who][1]"
    expect_done "the list of stops" "[fourth]"
    is "in their order" "$(grep -xE '\[(first|second|third|fourth|extended)\].*' "$WORK/done" | tr '\n' ' ')" \
        "[first] [second][$who] [extended][$who][1] [third] [fourth] "
    knock_at 3
    knock_at 3 $who6
    expect_done "IPv4: its own command" "[four][$who]"
    expect_done "IPv6: its own command" "[six][$who6][6]"
    expect_done "IPv4: its own stop" "[four][closed]"
    expect_done "IPv6: its own stop" "[six][closed]"
    is "neither had the other's" "$(grep -c '^\[\(four\|six\)\]' "$WORK/done")" 4
}

failing() {
    knock_at 4
    expect_done "a start command that fails is undone" "[undone]"
    ok "says so" says "door failing: failed for $who: its start command failed; undoing it"
    ok "says how it ended" said "door failing: $who: command exited with status 1: /bin/false"
    ok "says that it is undone" says "door failing: undone for $who \(sequence\): its start command failed$"
    ok "never says that it was opened" not said "door failing: opened"
    ok "what came before it ran" did "[before]"
    ok "what comes after it didn't" not did "[after]"
}

hanging_is_gone() {
    local child shell
    read -r child shell <"$WORK/hanging"
    process_gone "$child" && process_gone "$shell"
}

# Six of them fill all places where a start command may run; the other door's undo is due meanwhile.
# Those that wait take four turns of a second.
hanging() {
    local i
    knock_at 2 192.0.2.99
    ok "another door is open" says "door list: opened for 192.0.2.99"
    for i in {100..123}; do
        knock_at 5 "192.0.2.$i"
    done
    ok "its undo isn't late for commands that hang" says "door list: closed for 192.0.2.99"
    ok "nor behind those that wait" \
        said_before "door list: closed for 192.0.2.99" "door hanging: 192.0.2.1(19|2[0-3]): command took longer"
    ok "a command that hangs is killed" says "door hanging: 192.0.2.100: command took longer than 1 s and was killed:"
    ok "all of them, those that had to wait too" poll 20 said "door hanging: undone for 192.0.2.1[0-2][0-9]" 24
    ok "with their children" poll 3 hanging_is_gone
    ok "never says that it was opened" not said "door hanging: opened"
}

stubborn() {
    echo 2 >"$WORK/failures"
    knock_at 6
    ok "a stop that fails is said" says "door stubborn: NOT CLOSED for $who: its stop command failed, attempt 1; next in 1 s"
    ok "with what it wrote" said "door stubborn: $who: output: it won't close"
    ok "and tried again" says "NOT CLOSED for $who: its stop command failed, attempt 2; next in 2 s"
    ok "until it closes" says "door stubborn: closed for $who \(sequence\): its time is over$"
    ok "the stop ran" did "[closed]"
}

# Another program empties the firewall: what is gone is closed.
flushed() {
    knock_at 9
    ok "a door is open" says "door rule: opened for $who,"
    is "by its rule" "$(rules iptables | wc -l)" 1
    on_gate iptables -F INPUT
    ok "its rule flushed by another: closed in time" says "door rule: closed for $who \(sequence\): its time is over$"
    ok "and no complaint" not said "door rule: NOT CLOSED"
    mark_log
    knock_at 9
    ok "the next knock opens" says "door rule: opened for $who,"
    is "by one rule" "$(rules iptables | wc -l)" 1
    ok "and closes" says "door rule: closed for $who \(sequence\): its time is over$"
    is "with none left" "$(rules iptables)" ""
    log_mark=0
}

# SIGTERM while a start command runs: that ends first, then it is undone.
stopping() {
    rm -f "$WORK/go"
    sed -i 's/^run_timeout.*/run_timeout = 20/' "$CONFIG"
    starts "starts"
    knock_at 8
    expect_done "a start command runs" "[slow][started]"
    kill -TERM "$KNOCKD_PID"
    ok "told to stop meanwhile" says "stopping on SIGTERM"
    ok "not stopped before it is done" not ended "$KNOCKD_PID"
    touch "$WORK/go"
    ok "then knockd ends" poll 5 ended "$KNOCKD_PID"
    wait "$KNOCKD_PID"
    is "well" $? 0
    is "after it was undone" "$(tail -n 2 "$WORK/done" | tr '\n' ' ')" "[slow][done] [slow][closed] "
}

# A stop that fails until the time is up.
out_of_time() {
    echo 1000 >"$WORK/failures"
    sed -i '1i stop_timeout = 2' "$CONFIG"
    starts "starts"
    knock_at 6
    ok "a door is open" says "door stubborn: opened for $who"
    stop_knockd
    is "not all doors closed: exit status" $? 75
    ok "says which" said "error: door stubborn: NOT CLOSED for $who: out of time; close it by hand"
    is "last line" "$(tail -n 1 "$KNOCKD_LOG")" "knockd: stopped with doors that could not be closed"
}

needs_gate
scripts
: >"$WORK/done"
: >"$KERN_LOG"
echo 0 >"$WORK/failures"
doors | configure_file
starts "starts" -v
words_and_surroundings
lists_and_families
failing
hanging
stubborn
flushed
stop_knockd
is "ends well" $? 0
stopping
out_of_time
done_testing
