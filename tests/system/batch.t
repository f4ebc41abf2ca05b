#!/bin/bash
# Doors that open and close together, by one iptables-restore, or nft, for many: with both backends, beside a rule that
# isn't there any more, with the firewall's lock held, and through kill -9. And one by one, where the configuration says
# so. A command that hangs holds up no other. In a mount namespace of its own, with the lock of iptables-legacy in it.
# shellcheck source-path=SCRIPTDIR source=control.sh
if [ "${BATCH_ALONE:-}" != $$ ]; then
    unshare --mount true 2>/dev/null || { echo "1..0 # SKIP needs a mount namespace of its own"; exit 0; }
    BATCH_ALONE=$$ exec unshare --mount --propagation private "$BASH" "$0" "$@"
fi
. "$(dirname "$0")/control.sh"

crowd=60

# batch_file BACKEND SECONDS [LINE [CHECK_INTERVAL]]
batch_file() {
    configure_file <<END
stop_timeout = 20
${3:-}
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = $2
    check_interval = ${4:-1h}
    start_command = "iptables-$1 -w 5 -I knock -s %IP% -p tcp --dport 22 -j ACCEPT"
    stop_command  = "iptables-$1 -w 5 -D knock -s %IP% -p tcp --dport 22 -j ACCEPT"
    check_command = "iptables-$1 -w 5 -C knock -s %IP% -p tcp --dport 22 -j ACCEPT"
    stop_ok       = { 0, 1 }
}
END
}

# knock_all FIRST LAST: 10.1.0.FIRST to LAST knock at one moment.
knock_all() {
    local i
    for ((i = $1; i <= $2; i++)); do
        KERN_LOG=$WORK/knocks log_packets "10.1.0.$i" 7412 28733:udp 51990
    done
    cat "$WORK/knocks" >>"$KERN_LOG"
    rm "$WORK/knocks"
}

in_chain() {
    on_gate "iptables-$backend" -S knock | grep -c '^-A'
}

holds() {
    [ "$(in_chain)" = "$1" ]
}

no_rule_twice() {
    [ -z "$(on_gate "iptables-$backend" -S knock | sort | uniq -d)" ]
}

# ran_together NUMBER: a batch of at least so many was run.
ran_together() {
    said_lines 'running [0-9]+ commands together' | perl -ne '
        END { exit !$ok } $ok ||= $1 >= '"$1"' if /running (\d+)/'
}

takes_the_crowd() {
    batch_file "$backend" 60
    starts "$backend: starts" -v
    knock_all 1 1
    ok "$backend: one opens alone" says 'opened for 10.1.0.1,'
    ok "$backend: by itself" not said 'commands together'
    knock_all 2 $crowd
    ok "$backend: the others open" poll 20 said ' opened for ' $crowd
    ok "$backend: together" ran_together 10
    is "$backend: each has its rule" "$(in_chain)" $crowd
    ok "$backend: no rule is there twice" no_rule_twice
}

closes_beside_a_culprit() {
    on_gate "iptables-$backend" -D knock -s 10.1.0.7 -p tcp --dport 22 -j ACCEPT
    on_gate "iptables-$backend" -A knock -s 10.9.9.9 -p tcp --dport 22 -j ACCEPT
    mark_log
    ctl close ssh
    ok "$backend: all close, one of which something else has closed" poll 20 said ' closed for ' $crowd
    ok "$backend: closing goes together" ran_together 10
    is "$backend: what isn't theirs stays" "$(in_chain)" 1
    ok "$backend: no door has failed to close" not said 'NOT CLOSED'
    on_gate "iptables-$backend" -F knock
}

# Commands wait for the lock 5 s at most; who holds it longer makes them fail, and be tried again.
closes_after_a_held_lock() {
    local i
    knock_all 1 $crowd
    mark_log
    ok "$backend: all are open again" poll 20 holds $crowd
    exec {lock}>"$WORK/lock"
    flock "$lock"
    ctl close ssh &
    ok "$backend: a held lock is said" says 'NOT CLOSED' 20
    flock -u "$lock"
    exec {lock}>&-
    ok "$backend: all close when it is free" poll 30 holds 0
    wait $!
}

# die_in_the_middle DELAY: as many as the crowd are being opened when knockd is killed.
die_in_the_middle() {
    knock_all 1 $crowd
    sleep "$1"
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    run_knockd -v
    knock_all 61 90
    sleep "$1"
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    run_knockd -v
    poll 30 holds 0 || { diag "after $1 s: $(in_chain) rules"; return 1; }
    poll 5 nothing_open || { diag "after $1 s: still open"; return 1; }
}

nothing_open() {
    ctl doors --json
    [ "$STATUS" = 0 ] && [[ $OUT != *address* ]]
}

dies_at_any_moment() {
    local delay
    stop_knockd
    batch_file "$backend" 1
    run_knockd -v
    for delay in 0.000 0.005 0.010 0.015 0.020 0.030 0.050; do
        die_in_the_middle $delay || return 1
    done
}

looked_for() {
    said_lines 'rules were looked for in the table' | perl -ne '
        END { exit !$ok } $ok ||= $1 == $2 && $1 >= '"$1"' if /(\d+) of (\d+) rules/'
}

# One process looks for the rules of all, of some where sanitizers make it slow, since what takes long is followed by
# less; and one that is gone is found out and inserted again.
checks_by_the_table() {
    local most=40
    batch_file "$backend" 300 "" 1s
    starts "$backend: starts with checks" -v
    said 'sandbox strict' || most=8
    knock_all 1 $crowd
    ok "$backend: all open that are checked" poll 20 holds $crowd
    ok "$backend: they are looked for at once" poll 20 looked_for $most
    mark_log
    on_gate "iptables-$backend" -D knock -s 10.1.0.7 -p tcp --dport 22 -j ACCEPT
    ok "$backend: one that is gone is found out" says 'something else closed it for 10.1.0.7 ' 20
    ok "$backend: and opens again" poll 20 holds $crowd
    is "$backend: no other one was gone" "$(said_lines 'something else closed' | grep -vc '10\.1\.0\.7 ')" 0
    mark_log
    kill -KILL "$KNOCKD_PID"
    wait "$KNOCKD_PID" 2>/dev/null
    run_knockd -v
    ok "$backend: an earlier run's are looked for at once, too" poll 20 looked_for $most
    stop_knockd
    is "$backend: none is left" "$(in_chain)" 0
}

# A thousand knock in one second, and another thousand in the next.
knocks_for_two_seconds() {
    local i
    for ((i = 0; i < 2000; i++)); do
        KERN_LOG=$WORK/knocks log_packets "10.1.$((i / 250)).$((1 + i % 250))" 7412 28733:udp 51990
    done
    perl -MTime::HiRes=time,sleep -e '
        my ($began, @lines) = (time, <STDIN>);
        open my $log, ">>", $ARGV[0] or die;
        $log->autoflush(1);
        for my $i (0 .. 39) {
            my $early = $began + $i / 20 - time;
            sleep $early if $early > 0;
            print $log join("", splice @lines, 0, 150);
        }' "$KERN_LOG" <"$WORK/knocks"
    rm "$WORK/knocks"
}

opens_a_thousand_a_second() {
    batch_file "$backend" 60
    starts "$backend: starts for thousands" -v
    knocks_for_two_seconds
    ok "$backend: a thousand each second open" poll 20 said ' opened for ' 2000
    ok "$backend: none is refused" not said ' refused '
    ok "$backend: by few commands" [ "$(said_lines 'running ' | grep -c .)" -lt 1000 ]
    stop_knockd
    is "$backend: all are closed at the end" "$(in_chain)" 0
}

# --- a set of nft ---

set_file() {
    configure_file <<END
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = 60
    start_command = "nft add element ip knock allowed { %IP% }"
    stop_command  = "nft delete element ip knock allowed { %IP% }"
}
END
}

elements() {
    on_gate nft list set ip knock allowed | grep -o '10\.1\.0\.[0-9]*' | wc -l
}

# One element is gone before: what deletes it fails, and is tried again, as alone.
elements_go_together() {
    on_gate nft add table ip knock
    on_gate nft add set ip knock allowed '{ type ipv4_addr; }'
    set_file
    starts "a set: starts" -v
    knock_all 1 $crowd
    ok "a set: all open" poll 20 said ' opened for ' $crowd
    ok "a set: together" ran_together 10
    is "a set: each is in it" "$(elements)" $crowd
    on_gate nft delete element ip knock allowed '{ 10.1.0.9 }'
    mark_log
    ctl close ssh &
    ok "a set: all but one close" poll 20 said ' closed for ' $((crowd - 1))
    ok "a set: together, too" ran_together 10
    is "a set: none is left" "$(elements)" 0
    ok "a set: the one isn't believed to be closed" says 'NOT CLOSED for 10.1.0.9:'
    on_gate nft add element ip knock allowed '{ 10.1.0.9 }'
    ok "a set: nor given up" says 'closed for 10.1.0.9' 10
    wait $!
    stop_knockd
    rm -rf "$WORK/state" && mkdir "$WORK/state"
}

# --- a command that hangs ---

# Two doors of the same steps: what one of them runs asks for a host's name.
hanging_file() {
    local door name=''
    configure_file <<END
run_timeout = 6s
$(for door in named plain; do
    [ $door = plain ] || name="-d slow.example"
    cat <<DOOR
door "$door" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = 2
    start_command = "iptables -w 5 -I knock -s %IP% $name -j ACCEPT"
    stop_command  = "iptables -w 5 -D knock -s %IP% $name -j ACCEPT"
}
DOOR
    name=''
done)
END
}

named_by() {
    said "door named: $1" 6
}

# A resolver that never answers, until the name stands in a file.
hangs_by_itself() {
    local silent file
    : >"$WORK/hosts"
    echo "nameserver 127.0.0.1" >"$WORK/resolv.conf"
    printf "%s\n" "hosts: files dns" "networks: files" >"$WORK/nsswitch.conf"
    for file in hosts resolv.conf nsswitch.conf; do
        [ ! -e /etc/$file ] || mount --bind "$WORK/$file" "$(readlink -f /etc/$file)" ||
            bail "no $file of its own"
    done
    on_gate ip link set lo up
    on_gate perl -MSocket -e 'socket S, PF_INET, SOCK_DGRAM, 0; bind S, sockaddr_in(53, INADDR_LOOPBACK) or die; sleep 600' &
    silent=$!
    on_gate iptables -N knock
    hanging_file
    starts "hanging: starts" -v
    # Once each, so that what follows goes together.
    echo "127.0.0.1 slow.example" >"$WORK/hosts"
    knock_all 1 1
    ok "hanging: both doors open while the name is known" poll 10 said 'opened for 10.1.0.1,' 2
    ok "hanging: and close" poll 10 said ' closed for 10.1.0.1 ' 2
    : >"$WORK/hosts"
    mark_log
    knock_all 11 16
    ok "hanging: the others open" poll 10 said 'door plain: opened for' 6
    ok "hanging: before what hangs is killed" not said 'door named: .* took longer'
    ok "hanging: what hangs is killed" says 'door named: 10.1.0.1[1-6]: command took longer' 15
    ok "hanging: the others close by their time" poll 10 said 'door plain: closed for' 6
    ok "hanging: none of them failed" not said 'door plain: .*(failed|killed|NOT CLOSED)'
    ok "hanging: each of it fails" poll 120 named_by 'failed for'
    echo "127.0.0.1 slow.example" >"$WORK/hosts"
    ok "hanging: when the name is known, what was never inserted is undone" poll 120 named_by 'undone for'
    mark_log
    knock_all 11 11
    ok "hanging: then the door opens again" says 'door named: opened for 10.1.0.11' 10
    stop_knockd
    is "hanging: no rule is left" "$(on_gate iptables -S knock | grep -c '^-A')" 0
    kill $silent
}

needs_gate
: >"$WORK/lock"
[ -e /run/xtables.lock ] || : >/run/xtables.lock
mount --bind "$WORK/lock" /run/xtables.lock || bail "no lock of its own"
for backend in nft legacy; do
    command -v iptables-$backend >/dev/null || { skip "$backend" "iptables-$backend isn't installed"; continue; }
    on_gate iptables-$backend -N knock || { skip "$backend" "the kernel has no iptables-$backend"; continue; }
    takes_the_crowd
    closes_beside_a_culprit
    [ $backend = nft ] || closes_after_a_held_lock
    ok "$backend: killed at any moment, it leaves nothing" dies_at_any_moment
    batch_file "$backend" 1 "batch = false"
    stop_knockd
    starts "$backend: starts without batches" -v
    knock_all 1 $crowd
    ok "$backend: all open one by one" poll 20 said ' opened for ' $crowd
    ok "$backend: and close" poll 20 said ' closed for ' $crowd
    ok "$backend: nothing went together" not said 'commands together'
    is "$backend: nothing is left" "$(in_chain)" 0
    stop_knockd
    checks_by_the_table
    [ $backend = legacy ] || opens_a_thousand_a_second
    on_gate iptables-$backend -X knock
    rm -rf "$WORK/state" && mkdir "$WORK/state"
done
elements_go_together
hangs_by_itself
done_testing
