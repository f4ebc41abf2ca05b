# Sourced by the parts of the benchmark that have programs side by side: each is started with so many doors open, in the
# network namespace of the part, where all knock at 10.1.255.254 by the loopback; those who have a door are 10.2.0.1 to
# .250, 10.2.1.1 and so on. Another program is a name in `programs`, a case in start_program and one in way_of.
# shellcheck shell=bash
# shellcheck disable=SC2034 # for those who source this

# shellcheck source-path=SCRIPTDIR source=bench-daemon.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-daemon.sh"
# shellcheck source-path=SCRIPTDIR source=bench-peers.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-peers.sh"

[ "$(id -u)" = 0 ] || die "needs root, for a network namespace and its firewall"
find_peers
programs=(knockd/nflog "${peers[@]}")
main_pid=''

# make_network: once.
make_network() {
    ip link set lo up
    ip address add 10.1.0.0/16 dev lo
    ip address add 10.1.255.254/32 dev lo
    "$IPTABLES" -N knock
    "$IPTABLES" -N FWKNOP_INPUT
    firewall_for nobody
}

# firewall_for PROGRAM: what is denied goes to the program that hears by NFLOG. The floor has a port of its own.
firewall_for() {
    "$IPTABLES" -F INPUT
    "$IPTABLES" -F knock
    "$IPTABLES" -F FWKNOP_INPUT
    "$IPTABLES" -A INPUT -j "$(chain_of "$1")"
    "$IPTABLES" -A INPUT -p udp --dport 9 -j NFLOG --nflog-group 6 --nflog-prefix "[DENY] "
    "$IPTABLES" -A INPUT -p udp --dport 9 -j DROP
    [ "$1" != knockd/nflog ] || "$IPTABLES" -A INPUT -j NFLOG --nflog-group 5 --nflog-prefix "[DENY] "
    "$IPTABLES" -A INPUT -j DROP
}

chain_of() {
    [ "$1" = fwknop ] && echo FWKNOP_INPUT || echo knock
}

# rules_of PROGRAM: how many rules of doors there are.
rules_of() {
    "$IPTABLES" -S "$(chain_of "$1")" 2>/dev/null | grep -c '^-A'
}

# crowd_rules CHAIN COUNT [MATCH [HOW]]: the rules of so many doors, at the end of the chain, or by -I before it.
crowd_rules() {
    awk -v chain="$1" -v count="$2" -v more="${3-}" -v how="${4:--A}" 'BEGIN {
        print "*filter"
        for (i = 0; i < count; i++)
            printf "%s %s -s 10.2.%d.%d -p tcp --dport 22 %s -j ACCEPT\n", how, chain, i / 250, 1 + i % 250, more
        print "COMMIT" }' | "$IPTABLES-restore" --noflush
}

# start_program PROGRAM DOORS SECONDS: with so many doors open, for about so many seconds from now. Sets main_pid, and
# due_ms: when all are due to close.
start_program() {
    firewall_for "$1"
    case $1 in
    knockd/nflog) start_ours "type = nflog group = 5 prefix = \"[DENY] \"" "$2" "$3" ;;
    knockd-0.8) start_knockd08 "$2" "$3" ;;
    fwknop) start_fwknop "$2" "$3" ;;
    esac
}

# end_program: kill -9; its rules stay.
end_program() {
    local pids
    trap - EXIT
    mapfile -t pids < <(pids_of)
    kill -KILL "${pids[@]}"
    wait "$main_pid"
    main_pid=''
} 2>/dev/null

# pids_of: the program and its children.
pids_of() {
    echo "$main_pid"
    pgrep -P "$main_pid"
}

# way_of PROGRAM: the arguments of bench_latency by which it is knocked at.
way_of() {
    case $1 in
    fwknop) echo "payload 62201 $PWD/spa" ;;
    *) echo "ports 7412 28733 51990" ;;
    esac
}

now_ms() {
    echo $((${EPOCHREALTIME/./} / 1000))
}

# start_ours SOURCE DOORS SECONDS
start_ours() {
    rm -rf state
    mkdir -m 700 state
    cat >knockd.conf <<END
user = "nobody"
state_dir = "$PWD/state"
control = "$PWD/control"
key_dir = "$PWD"
source "firewall" { $1 }
door "ssh" {
    sequence       = { 7412:udp, 28733:udp, 51990:udp }
    cmd_timeout    = 3600
    check_interval = 1h
    rule           = "knock -s %IP% -p tcp --dport 22 -j ACCEPT"
}
END
    local rule="knock -s %IP% -p tcp --dport 22 -j ACCEPT"
    due_ms=$(($(now_ms) + $3 * 1000))
    {
        echo '*filter'
        "$built/bench/bench_crowd" "$PWD/state" "$2" "$due_ms" "$IPTABLES -w 5 -I $rule" "$IPTABLES -w 5 -D $rule" "" "-I $rule"
        echo COMMIT
    } | "$IPTABLES-restore" --noflush || die "no rules"
    start_daemon
    main_pid=$daemon
}

hears() { grep -q "$1" program.log; }

start_knockd08() {
    local round
    write_knockd08 knockd08.conf "$2"
    : >program.log
    LD_LIBRARY_PATH=$peer_libs "$KNOCKD08" -v -c "$PWD/knockd08.conf" -i lo >program.log 2>&1 &
    main_pid=$!
    trap end_program EXIT
    poll hears 'listening on' || die "knockd 0.8 did not start: $(cat program.log)"
    crowd_rules knock "$1"
    for ((round = 0; round < 10 && $(opened_08) < $1; round++)); do
        knock_crowd "$1"
    done
    [ "$(opened_08)" -ge "$1" ] || die "knockd 0.8 has $(opened_08) of $1 doors open"
    due_ms=$(($(now_ms) + $2 * 1000))
}

opened_08() {
    grep -c 'crowd: OPEN SESAME' program.log
}

# knock_crowd COUNT: knocks for all who have no door open yet: when the machine is busy, knocks are lost. Waits until
# nothing more opens.
knock_crowd() {
    local before=-1 still=0
    awk -v count="$1" '/crowd: OPEN SESAME/ { split($1, part, /[.:]/); open[part[3] * 250 + part[4] - 1] }
        END { for (i = 0; i < count; i++) if (!(i in open)) print i }' program.log |
        "$built/bench/bench_packets" knocks 1500 7413 28734
    while [ "$(opened_08)" -lt "$1" ] && [ $still -lt 15 ]; do
        [ "$(opened_08)" = "$before" ] && still=$((still + 1)) || still=0
        before=$(opened_08)
        sleep 0.02
    done
}

# The rules are another's, which it closes at their time as its own.
start_fwknop() {
    local due
    rm -rf fwknop
    write_fwknop "$PWD/fwknop" lo 300
    cat >spa <<END
#!/bin/sh
export LD_LIBRARY_PATH=$peer_libs HOME=$PWD
rm -f spa.out
$FWKNOP ${fwknop_key[*]} -T -A tcp/22 -a "\$1" -D 10.1.255.254 -B spa.out >spa.log 2>&1 && tr -d '\n' <spa.out
END
    chmod +x spa
    : >program.log
    LD_LIBRARY_PATH=$peer_libs "$FWKNOPD" "${fwknopd_args[@]}" >program.log 2>&1 &
    main_pid=$!
    trap end_program EXIT
    poll hears 'Starting fwknopd main' || die "fwknopd did not start: $(cat program.log)"
    due=$(($(date +%s) + $2)) due_ms=${due}000
    crowd_rules FWKNOP_INPUT "$1" "-m comment --comment _exp_$due"
}

# --- what it takes ---

# cpu_of_all: ns on a processor of the program and its children so far.
cpu_of_all() {
    pids_of | sed 's,.*,/proc/&/schedstat,' | xargs cat 2>/dev/null | awk '{ n += $1 } END { printf "%.0f\n", n }'
}

# wakes_of_all: how often they were woken.
wakes_of_all() {
    pids_of | sed 's,.*,/proc/&/status,' | xargs cat 2>/dev/null | awk '/ctxt_switches/ { n += $2 } END { print n + 0 }'
}

# memory_of_all: KiB of it, what is shared counted in parts.
memory_of_all() {
    pids_of | sed 's,.*,/proc/&/smaps_rollup,' | xargs cat 2>/dev/null | awk '/^Pss:/ { n += $2 } END { print n + 0 }'
}
