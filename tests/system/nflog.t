#!/bin/bash
# Packets that firewall rules hand to a group of NFLOG: by iptables, ip6tables and nft, beside a log, over reloads and
# the listener's death, in a container; and what the listener can do with the group's socket.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

right=(7412 28733:udp 51990)
group=4711

doors='
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    start_command = "/bin/true"
    stop_command  = ""
}
door "inner" {
    sequence      = { 40112, 17001, 33200:udp }
    interface     = "eth0"
    start_command = "/bin/true"
    stop_command  = ""
}
door "elsewhere" {
    sequence      = { 40113, 17001, 33200:udp }
    interface     = "eth1"
    start_command = "/bin/true"
    stop_command  = ""
}'

next_address=0
# fresh: sets `who` to an address of the client's that hasn't knocked yet.
fresh() {
    who=203.0.113.$((next_address += 1))
    on_client ip address add "$who/32" dev lo 2>/dev/null
    on_gate ip route replace "$who/32" via "$CLIENT4" 2>/dev/null
}

knock_by() {
    send_knock "$who" "$GATE4" "$@"
}

# works DESCRIPTION: a knock by NFLOG opens.
works() {
    fresh
    knock_by "${right[@]}"
    ok "$1" says "door ssh: opened for $who"
}

# deaf DESCRIPTION: it doesn't, though what comes later is heard.
deaf() {
    fresh
    local deaf=$who
    knock_by "${right[@]}"
    sleep 0.2
    ok "$1" not said "opened for $deaf"
}

# deny IPTABLES PREFIX: before all other rules, denied packets go to the group.
deny() {
    on_gate "$1" -F INPUT && on_gate "$1" -A INPUT -i lo -j ACCEPT &&
        { [ "$1" = iptables ] || on_gate "$1" -A INPUT -p ipv6-icmp -j ACCEPT; } &&
        on_gate "$1" -A INPUT -j NFLOG --nflog-group "$group" --nflog-prefix "$2" && on_gate "$1" -A INPUT -j DROP
}

# --- tests ---

by_tables() {
    deny iptables "$LOG_PREFIX" || bail "no NFLOG rules"
    deny ip6tables "$LOG_PREFIX" || bail "no NFLOG rules for IPv6"
    works "iptables: a knock opens"
    send_knock - "$GATE6" "${right[@]}"
    ok "ip6tables: a knock opens" says "door ssh: opened for $CLIENT6"
    fresh
    knock_by 40112 17001 33200:udp
    ok "a door that asks for the interface opens" says "door inner: opened for $who"
    knock_by 40113 17001 33200:udp
    fresh
    knock_by 28733:udp 7412 51990
    local wrong=$who
    works "a knock after a wrong one"
    ok "by another interface, or in the wrong order: not" not said "door elsewhere: opened|opened for $wrong"
    # A group's rules may collect packets, or copy less of them: the daemon wants each at once.
    on_gate iptables -R INPUT 2 -j NFLOG --nflog-group "$group" --nflog-prefix "$LOG_PREFIX" --nflog-threshold 50
    works "a rule that wants to collect packets"
    deny iptables "[OTHER] "
    deaf "with another prefix: not"
    on_gate iptables -R INPUT 2 -j NFLOG --nflog-group "$group"
    deaf "without a prefix: not"
    deny iptables "$LOG_PREFIX"
    works "with ours again"
}

by_nft() {
    on_gate nft -f - <<NFT || return
table inet knock {
    chain input {
        type filter hook input priority -10
        iifname "eth0" meta l4proto { tcp, udp } log prefix "$LOG_PREFIX" group $group counter drop
    }
}
NFT
    works "nft: a knock opens"
    on_gate nft delete table inet knock
}

# What waits while no listener reads is old when one does.
listener_dies() {
    local first old
    first=$(listener_pids)
    mark_log
    kill -KILL "$first"
    ok "killed: said" says "listener $first was killed by signal"
    fresh
    old=$who
    knock_by "${right[@]}"
    ok "another listener comes" says "listening again" 6
    works "and hears the group"
    ok "but not what came while there was none" not said "opened for $old"
    ok "a group isn't bound again for it" not said "can't have group"
}

reloads() {
    mark_log
    fresh
    local under_way=$who
    knock_by "${right[0]}"
    kill -HUP "$KNOCKD_PID"
    ok "reload: done" says "reloaded "
    works "after the reload"
    knock_by "${right[@]}"
    who=$under_way
    knock_by "${right[@]}"
    ok "and by whom the reload interrupted" says "opened for $under_way"
    mark_log
    cp "$CONFIG" "$WORK/good"
    echo "nonsense" >>"$CONFIG"
    kill -HUP "$KNOCKD_PID"
    ok "a reload with an error fails" says "reload failed"
    works "and the group is heard as before"
    # Renamed, and with another group beside it.
    sed 's/source "firewall"/source "renamed"/' "$WORK/good" >"$CONFIG"
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "renamed: reloaded" says "reloaded "
    works "the same group under another name"
    sed "s/group = $group/group = $((group + 1))/" "$WORK/good" >"$CONFIG"
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "another group: reloaded" says "reloaded "
    deaf "the old group isn't heard any more"
    group=$((group + 1)) deny iptables "$LOG_PREFIX"
    works "the new one is"
    deny iptables "$LOG_PREFIX"
    cp "$WORK/good" "$CONFIG"
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "back: reloaded" says "reloaded "
    works "and heard"
}

# Another knockd wants the group that this one has.
taken() {
    local first=$KNOCKD_PID first_log=$KNOCKD_LOG
    mkdir "$WORK/state2"
    sed "s|$WORK/state|$WORK/state2|; s|$WORK/control|$WORK/control2|" "$CONFIG" >"$WORK/second.conf"
    # shellcheck disable=SC2153 # netns.sh's
    ok "-t doesn't bind the group" on_gate "$KNOCKD" -t -c "$WORK/second.conf"
    ok "a group that is taken: no start" not start_knockd "$WORK/second.conf"
    log_mark=0
    ok "with what to do" said "$WORK/second.conf:[0-9]+: .*can't have group $group of NFLOG: another program has this group"
    KNOCKD_PID=$first KNOCKD_LOG=$first_log
    mark_log
    works "who has it hears on"
    cp "$CONFIG" "$WORK/good"
    sed -i "s/group = $group/group = 9/" "$WORK/second.conf"
    start_knockd "$WORK/second.conf" || bail "no second knockd"
    local second=$KNOCKD_PID
    KNOCKD_PID=$first KNOCKD_LOG=$first_log
    cat >>"$CONFIG" <<EOF
source "more" { type = nflog group = 9 prefix = "$LOG_PREFIX" }
EOF
    mark_log
    kill -HUP "$KNOCKD_PID"
    ok "a reload that wants a taken group fails" says "reload failed"
    works "and the first group is heard as before"
    stop "$second"
    cp "$WORK/good" "$CONFIG"
}

same_group() {
    cp "$CONFIG" "$WORK/twice.conf"
    echo "source \"again\" { type = nflog group = $group prefix = \"x\" }" >>"$WORK/twice.conf"
    like "one group in two sources: an error" "$(on_gate "$KNOCKD" -t -c "$WORK/twice.conf" 2>&1)" \
        "twice.conf:[0-9]+: .*source \"again\""
}

# beside a log: each hears its own.
with_log() {
    stop_knockd
    : >"$KERN_LOG"
    cp "$CONFIG" "$WORK/alone.conf"
    echo "source \"file\" { type = file path = \"$KERN_LOG\" prefix = \"$LOG_PREFIX\" }" >>"$CONFIG"
    starts "a group and a log: starts"
    works "a knock by the group opens"
    log_packets 192.0.2.77 "${right[@]}"
    ok "and one by the log" says "opened for 192.0.2.77"
    stop_knockd
    is "ends well" $? 0
    cp "$WORK/alone.conf" "$CONFIG"
}

# sockets PID: how many it holds.
sockets() {
    readlink "/proc/$1/fd"/* | grep -c '^socket:'
}

# wakes PID: how often it was put to sleep so far.
wakes() {
    sed -n 's/^voluntary_ctxt_switches:[[:blank:]]*//p' "/proc/$1/status"
}

at_rest() {
    local before
    sleep 1
    before=$(wakes "$(listener_pids)")
    sleep 3
    is "at rest the listener isn't woken" "$(wakes "$(listener_pids)")" "$before"
}

# In a user namespace whose network isn't its own; the maps are written from outside, as soon as it has begun.
foreign_network() {
    if ! unshare -U true 2>/dev/null; then
        skip "in a user namespace" "no user namespaces here"
        return
    fi
    cat >"$WORK/mapped" <<SCRIPT
#!/bin/bash
before=\$(readlink /proc/\$\$/ns/user)
(
    until [ "\$(readlink /proc/\$\$/ns/user)" != "\$before" ]; do sleep 0.02; done
    for map in uid_map gid_map; do echo "0 0 65536" >/proc/\$\$/\$map; done
) &
exec unshare -U sh -c 'until [ "\$(id -u)" = 0 ]; do sleep 0.02; done; exec "\$@"' sh $KNOCKD "\$@"
SCRIPT
    chmod +x "$WORK/mapped"
    KNOCKD=$WORK/mapped ok "root of a user namespace on another's network: no start" not run_knockd
    ok "with what it takes" said "can't have group $group of NFLOG: it takes the capability CAP_NET_ADMIN"
}

resident() {
    sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(listener_pids)/status"
}

# Spoofed first steps, each from another address, and knocks among them. RATE=20000 SECONDS_LONG=10 makes it the whole of
# it.
flooded() {
    local before knocks=() i opened=0 rate=${RATE:-10000} seconds=${SECONDS_LONG:-6}
    sed -i "s/^user /max_sources = 8192 user /" "$CONFIG"
    starts "starts before the flood"
    for i in {1..20}; do
        fresh
        knocks[i]=$who
    done
    on_client perl "$(dirname "$0")/packets.pl" spoof "$GATE4" 7412 "$rate" "$seconds" >"$WORK/sent" &
    started $!
    # By then the table is full.
    sleep 2
    before=$(resident)
    for i in {1..20}; do
        who=${knocks[i]}
        knock_by "${right[@]}"
        sleep 0.1
    done
    wait $!
    diag "flood: $(cat "$WORK/sent"), RSS $before to $(resident) KB, $(said_lines 'packets were dropped')"
    for i in {1..20}; do
        poll 5 said "opened for ${knocks[i]}," && opened=$((opened + 1))
    done
    is "amid spoofed SYNs, knocks that opened" $opened 20
    ok "and its memory is flat" test "$(resident)" -lt $((before + 1024))
    stop_knockd
}

# The listener may still be reading what waited.
opens_again() {
    knock_by "${right[@]}"
    briefly poll 1 said "opened for $who,"
}

# The kernel's own count of them, while the listener is stopped.
losses() {
    starts "starts before losses"
    works "a packet before"
    kill -STOP "$(listener_pids)"
    on_client perl "$(dirname "$0")/packets.pl" spoof "$GATE4" 7412 40000 3 >"$WORK/sent"
    kill -CONT "$(listener_pids)"
    fresh
    ok "a knock after, when it has caught up" poll 10 opens_again
    ok "what was lost is counted and said" says "source firewall: [0-9]+ packets were dropped before they could be read"
    stop_knockd
}

needs_gate
configure "type = nflog group = $group" <<<"$doors"
if ! run_knockd -v && grep -qE "built without|has no NFLOG" "$KNOCKD_LOG"; then
    skip_all "knockd or the kernel has no NFLOG"
fi
ok "starts" said "ready: "
is "the listener holds two sockets: the keeper's and the group's" "$(sockets "$(listener_pids)")" 2
held=$(sockets "$KNOCKD_PID")
by_tables
by_nft
at_rest
listener_dies
reloads
is "the keeper holds as many sockets as at the start" "$(sockets "$KNOCKD_PID")" "$held"
same_group
taken
with_log
foreign_network
losses
flooded
done_testing
