#!/bin/bash
# knockd -t tries the rules of doors with iptables: mistakes are errors with file:line, nothing is changed, and what can't
# be tried is said; by both kinds of iptables.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

kind=nft

# test_file RULE [DOOR-KEYS [GLOBAL-KEYS]]: one door, its rule in line 12.
test_file() {
    configure_file <<EOF2
${3:-}
door "ssh" {
    sequence = { "7412, 28733:udp, 51990" }
    port     = 2222
    ${2:-}
    rule     = "$1"
}
EOF2
}

# check: knockd -t on the gate with iptables of that kind; sets OUT and STATUS. PREPARE runs before.
check() {
    local prepare=${PREPARE:-:}
    # shellcheck disable=SC2016 # the inner shell's
    OUT=$(on_gate unshare -m bash -c '
        mount --make-rprivate /
        mount --bind "$5/alternatives-$1" /etc/alternatives
        mount -t tmpfs none /run
        eval "$4"
        exec "$2" -t -c "$3"' sh "$kind" "$KNOCKD" "$CONFIG" "$prepare" "$WORK" 2>&1)
    STATUS=$?
}

good() {
    test_file "$2" "${3:-}" "${4:-}"
    check
    is "$kind: $1" "$STATUS $OUT" "0 configuration OK"
}

# bad DESCRIPTION TEXT RULE [KEYS]
bad() {
    test_file "$3" "${4:-}"
    check
    like "$kind: $1: an error at its line" "$STATUS $OUT" "^1 $CONFIG:12: door \"ssh\": iptables can't take this rule: .*$2"
    is "$kind: $1: one line" "$(wc -l <<<"$OUT")" 1
}

warned() {
    test_file "$3" '' "${4:-}"
    check
    like "$kind: $1: a warning" "$STATUS $(tr '\n' ' ' <<<"$OUT")" "^0 $CONFIG:12: warning: .*$2.*configuration OK $"
}

rules_are() {
    on_gate "iptables-$kind" -S
    on_gate "ip6tables-$kind" -S
}

for_kind() {
    local before
    before=$(rules_are)
    good "a good rule" "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    good "a table" "-t nat PREROUTING -s %IP% -p tcp --dport 2222 -j ACCEPT"
    good "a door of IPv6 alone" "INPUT -s %IP% -p ipv6-icmp -j ACCEPT" 'allow = "2001:db8::/32"'
    bad "a typo" 'unknown option "--dports"' "INPUT -s %IP% -p %PROTO% --dports %PORT% -j ACCEPT"
    bad "a target that isn't there" ACEPT "INPUT -s %IP% -j ACEPT"
    bad "no protocol" 'unknown option "--dport"' "INPUT -s %IP% --dport %PORT% -j ACCEPT"
    bad "a match that isn't there" nosuch "INPUT -s %IP% -m nosuch -j ACCEPT"
    bad "a table that isn't there" nosuch "-t nosuch INPUT -s %IP% -j ACCEPT"
    bad "a mistake for IPv6 alone" '10\.0\.0\.1' "INPUT -s %IP% -d 10.0.0.1 -j ACCEPT"
    bad "the same, where only IPv6 may come" '10\.0\.0\.1' "INPUT -s %IP% -d 10.0.0.1 -j ACCEPT" 'allow = "2001:db8::/32"'
    good "and where only IPv4 may come" "INPUT -s %IP% -d 10.0.0.1 -j ACCEPT" 'allow = "192.0.2.0/24"'
    warned "a chain that isn't there" "no chain KNOCKS just now" "KNOCKS -s %IP% -j ACCEPT"
    good "one that init_command makes" "KNOCKS -s %IP% -j ACCEPT" '' 'init_command = "/usr/sbin/iptables -N KNOCKS"'
    warned "a target that init_command makes" "is that what init_command makes" "INPUT -s %IP% -j KNOCKS" \
        'init_command = "/usr/sbin/iptables -N KNOCKS"'
    like "$kind: a mistake for IPv6 alone: what to do" "$(test_file "INPUT -s %IP% -d 10.0.0.1 -j ACCEPT" && check && echo "$OUT")" \
        'it has an IPv4 address: give the door allow = 0\.0\.0\.0/0$'
    warned "no target" "no target, so it only counts packets" "INPUT -s %IP% -p tcp --dport %PORT%"
    warned "a target that opens nothing" "DROP opens nothing, and no other rule" "INPUT -s %IP% -p tcp --dport %PORT% -j DROP"
    warned "another port" "its rule opens 22, but port says 2222" "INPUT -s %IP% -p tcp --dport 22 -j ACCEPT"
    warned "an interface that isn't there" "interface nosuch0, which isn't there" "INPUT -i nosuch0 -s %IP% -j ACCEPT"
    is "$kind: the firewall is as it was" "$(rules_are)" "$before"
}

held_lock() {
    kind=legacy
    test_file "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    # shellcheck disable=SC2016
    PREPARE='exec 9>/run/xtables.lock; flock 9' check
    like "a held lock" "$STATUS $OUT" "^0 .*:12: warning: rules weren't tried with iptables from here on: .*lock"
}

no_privilege() {
    for kind in nft legacy; do
        test_file "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
        OUT=$(on_gate setpriv --bounding-set -net_admin,-net_raw "$KNOCKD" -t -c "$CONFIG" 2>&1)
        like "$kind: root without the right" "$? $OUT" "^0 .*rules weren't tried with iptables from here on: .*denied"
    done
    chmod 644 "$CONFIG"
    OUT=$(on_gate setpriv --reuid=65534 --regid=65534 --clear-groups "$KNOCKD" -t -c "$CONFIG" 2>&1)
    STATUS=$?
    chmod 600 "$CONFIG"
    like "no root" "$STATUS $OUT" "^0 .*:12: warning: rules weren't tried with iptables from here on: only root can"
    test_file "NOSUCH -s %IP% -d 192.0.2.9 -p tcp --dport 22 -j ACCEPT"
    chmod 644 "$CONFIG"
    OUT=$(on_gate setpriv --reuid=65534 --regid=65534 --clear-groups "$KNOCKD" -t -c "$CONFIG" 2>&1)
    chmod 600 "$CONFIG"
    like "no root: what its words tell" "$OUT" "an IPv4 address, and the door hears IPv6 as well.*its rule opens 22, but"
    is "no root: what is left out, once" "$(grep -c "only root can" <<<"$OUT")" 1
    ok "no root: nothing is said of chains" not grep -q "no chain" <<<"$OUT"
}

# A replay runs nothing: its verdict is the log's alone.
replay() {
    test_file "INPUT -s %IP% -p %PROTO% --dports %PORT% -j ACCEPT"
    : >"$WORK/empty.log"
    ok "a replay tries nothing" on_gate "$KNOCKD" -c "$CONFIG" -r "$WORK/empty.log"
}

# Four thousand doors with the same rule are one command a family.
many() {
    local i
    {
        for ((i = 0; i < 4000; i++)); do
            echo "door \"d$i\" { sequence = { $((3000 + i)), $((40000 - i)):udp, $((50000 + i)) } port = 2222" \
                "rule = \"INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT\" }"
        done
    } | configure_file
    kind=nft
    check
    like "many doors" "$STATUS $OUT" "^0 .*configuration OK$"
    ok "all of them tried" not grep -q "weren't tried" <<<"$OUT"
}

# Commands of other doors: what the kernel couldn't execute.
commands() {
    kind=nft
    printf 'echo hello\n' >"$WORK/plain"
    printf '#!/no/such/shell\n' >"$WORK/lost"
    printf '#!/bin/sh\r\nexit 0\r\n' >"$WORK/dos"
    printf '#! /bin/sh -e\nexit 0\n' >"$WORK/good"
    chmod +x "$WORK/plain" "$WORK/lost" "$WORK/dos" "$WORK/good"
    local name text
    while read -r name text; do
        configure_file <<EOF2
door "ssh" {
    sequence = { "7412, 28733:udp, 51990" }
    start_command = "$WORK/good %IP%"
    stop_command = "$WORK/$name %IP%"
}
EOF2
        check
        like "a command: $name" "$STATUS $OUT" "$text"
    done <<TABLE
plain ^1 $CONFIG:10: door "ssh": $WORK/plain can't be executed: it is a text that doesn't begin with #!
lost ^1 $CONFIG:10: door "ssh": $WORK/lost can't be executed: its interpreter /no/such/shell: No such file
dos ^1 $CONFIG:10: door "ssh": $WORK/dos can't be executed: its interpreter /bin/sh.{2,4}: No such file
good ^0 configuration OK$
TABLE
}

no_capability() {
    test_file "INPUT -s %IP% -p tcp --dport 22 -j ACCEPT"
    like "root without CAP_NET_ADMIN: a warning" \
        "$(on_gate setpriv --bounding-set=-net_admin "$KNOCKD" -t -c "$CONFIG" 2>&1)" \
        "$CONFIG:12: warning: doors with rules can't open: root lacks the capability CAP_NET_ADMIN here"
}

needs_gate
make_alternatives
: >"$KERN_LOG"
for kind in nft legacy; do
    if [ ! -x "/usr/sbin/iptables-$kind" ]; then
        skip "rules by iptables-$kind" "no iptables-$kind"
        continue
    fi
    for_kind
done
held_lock
no_privilege
replay
many
commands
no_capability
done_testing
