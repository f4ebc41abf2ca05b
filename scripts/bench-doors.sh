#!/bin/bash
# bench-doors.sh: a part of bench.sh. First how long the keeper takes from a message to a command's start, then what
# many open doors cost, with real rules of both backends of iptables and with the recipes for sets of nft and ipset, in a
# network namespace of its own, as root: how late the last of those closes that are due at one moment, how long a SIGTERM
# takes that closes all, and one more door beside them, in the median of KNOCKS, with its start command by itself beside
# it; and with iptables, how late the last closes when ABOVE rules of others come before those of doors in their chain.
# COUNTS says how many doors are open, FIREWALLS by what. Then how late the last door of other programs closes, of as
# many as PEER_COUNTS says; one that has not closed all after PATIENCE s is given up.
# shellcheck source-path=SCRIPTDIR source=bench-programs.sh
. "$(dirname "${BASH_SOURCE[0]}")/bench-programs.sh"

timers=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/bench" && pwd) || exit 1
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")/../etc/examples" && pwd) || exit 1
[ -z "$QUICK" ] || : "${COUNTS:=1 20}" "${PEER_COUNTS:=1 20}" "${PATIENCE:=10}" "${KNOCKS:=3}" "${ABOVE:=20}"
: "${COUNTS:=1 10 100 1000 10000}" "${PEER_COUNTS:=1 10 100 1000}" "${PATIENCE:=60}" "${BATCH:=true}"
: "${KNOCKS:=9}" "${ABOVE:=10000}"
: "${FIREWALLS:=iptables-nft iptables-legacy nft-set ipset}"
if [ "${BENCH_ALONE:-}" != $$ ]; then
    [ -n "$QUICK" ] || "$built/bench/bench_doors" || exit 1
    BENCH_ALONE=$$ exec unshare --net "$BASH" "${BASH_SOURCE[0]}"
fi

# rules: how many are in the chain, or elements in the set.
rules() {
    case $firewall in
    nft-set) nft list set inet filter knock4 | grep -c ' expires ' ;;
    ipset) ipset save knock4 | grep -c '^add ' ;;
    *) "$firewall" -S knock | grep -c '^-A' ;;
    esac
}

# expanded COMMAND: as knockd has it for an address of IPv4, which is still to be put in.
expanded() {
    local text=${1//%FAMILY%/4}
    text=${text//%TIMEOUT%/3600}
    echo "$(PATH=/usr/sbin:/usr/bin:/sbin:/bin command -v "${text%% *}") ${text#* }"
}

# crowd COUNT DUE: a state with so many open doors, which are due to close at that time in ms, and their rules or
# elements.
crowd() {
    local line load=("$firewall-restore" --noflush)
    case $firewall in
    nft-set) line="add element inet filter knock4 { %IP% timeout 3600s }" load=(nft -f -) ;;
    ipset) line="add knock4 %IP% timeout 3600" load=(ipset restore) ;;
    *)
        "$firewall" -F knock
        line="-I knock -s %IP% -p tcp --dport 22 -j ACCEPT"
        ;;
    esac
    rm -rf state
    mkdir -m 700 state
    {
        [[ $firewall != iptables* ]] || echo '*filter'
        "$built/bench/bench_crowd" "$PWD/state" "$1" "$2" "$(expanded "$start")" "$(expanded "$stop")" \
            "${check:+$(expanded "$check")}" "$line"
        [[ $firewall != iptables* ]] || echo COMMIT
    } | "${load[@]}" || die "no rules"
}

# tell QUANTITY TEXT COUNT MS [RUNS]
tell() {
    record "knockd/$firewall" "$3" "$1" ms "$4" "${5:-1}"
    echo "doors: $firewall, $3 open: $2 $4 ms"
}

# median FILE: of as many numbers as KNOCKS says.
median() {
    sort -n "$1" | sed -n $(((KNOCKS + 1) / 2))p
}

# run_bare: the door's start command as it is, for addresses that don't knock, into the file commands: its times in ms.
run_bare() {
    local words number
    read -r -a words < <(expanded "$start")
    perl -MTime::HiRes=time -e 'my ($runs, @words) = @ARGV;
        for my $run (1 .. $runs) {
            my @command = map { s/%IP%/10.3.0.$run/r } @words;
            my $began = time;
            system(@command) == 0 or die "@command failed\n";
            printf "%.1f\n", 1000 * (time - $began);
        }' "$KNOCKS" "${words[@]}" >commands || die "the start command failed"
    for ((number = 1; number <= KNOCKS; number++)); do
        eval "$(expanded "${stop//%IP%/10.3.0.$number}")" || die "the stop command failed"
    done
}

# all_close QUANTITY TEXT COUNT MS [ABOVE]: waits until all are closed, and tells how long after MS that is. So many
# rules of others stay.
all_close() {
    local ms
    ms=$(perl "$timers/closed_timer.pl" daemon.log "$3") || die "not all doors closed: $(tail -n 3 daemon.log)"
    tell "$1" "$2" "$3" $((ms - $4))
    [ "$(rules)" = "${5:-0}" ] || die "$(rules) rules are left, not ${5:-0}"
    end_daemon
    trap - EXIT
}

# rests: what was taken up has been looked at; for half a second the keeper has had nothing to do.
rests() {
    local before
    before=$(spent "$daemon")
    sleep 0.5
    [ "$(spent "$daemon")" = "$before" ]
}

# due_for COUNT: sets due to a time by which so many rules are written and knockd has started.
due_for() {
    due=$(($(now_ms) + 2000 + $1 * 1000 / 1500))
}

# measure_below COUNT: doors that come last in a long chain, after rules that differ from theirs.
measure_below() {
    local count=$1 due
    : >daemon.log
    due_for $((count + ABOVE))
    crowd "$count" "$due"
    IPTABLES=$firewall crowd_rules knock "$ABOVE" "--sport 4711" -I || die "no rules above"
    start_daemon
    record "knockd/$firewall" "$count" "rules above" 1 "$ABOVE"
    all_close "close below" "below $ABOVE rules the last closed after its time by" "$count" "$due" "$ABOVE"
}

# measure COUNT: all of it for so many.
measure() {
    local count=$1 began due
    : >daemon.log
    # Taken up while their time is over: as after a kill -9, or when all are due at one moment.
    crowd "$count" "$(now_ms)"
    began=$(now_ms)
    start_daemon
    all_close restart "closed after a restart in" "$count" "$began"

    due_for "$count"
    crowd "$count" "$due"
    start_daemon
    all_close close "the last closed after its time by" "$count" "$due"

    crowd "$count" $(($(now_ms) + 3600000))
    start_daemon
    poll rests || die "knockd doesn't come to rest"
    perl "$timers/open_timer.pl" kern.log daemon.log "$KNOCKS" >knocks || die "one more didn't open: $(tail -n 3 daemon.log)"
    run_bare
    tell open "one more opened in" "$count" "$(median knocks)" "$KNOCKS"
    tell command "its command by itself takes" "$count" "$(median commands)" "$KNOCKS"
    began=$(now_ms)
    end_daemon
    trap - EXIT
    tell stop "SIGTERM closed all in" "$count" $(($(now_ms) - began))
    [ "$(rules)" = 0 ] || die "$(rules) rules are left"
}

# set_up: what the firewall needs, and the door's commands; those of sets as the recipes have them.
set_up() {
    local set="inet filter knock%FAMILY%" rule="knock -s %IP% -p tcp --dport 22 -j ACCEPT"
    case $firewall in
    nft-set)
        nft -f "$examples/nftables-set.nft" || return
        start="nft add element $set { %IP% timeout %TIMEOUT%s }"
        stop="nft 'add element $set { %IP% }; delete element $set { %IP% }'"
        check="nft get element $set { %IP% }"
        ;;
    ipset)
        ipset create knock4 hash:ip timeout 0 || return
        start="ipset -exist add knock%FAMILY% %IP% timeout %TIMEOUT%" stop="ipset -exist del knock%FAMILY% %IP%"
        check="ipset test knock%FAMILY% %IP%"
        ;;
    *)
        "$firewall" -N knock || return
        start="$firewall -w 5 -I $rule" stop="$firewall -w 5 -D $rule" check=''
        ;;
    esac
    cat >knockd.conf <<END
user = "nobody"
state_dir = "$PWD/state"
control = "$PWD/control"
key_dir = "$PWD"
batch = $BATCH
source "firewall" { type = file path = "$PWD/kern.log" prefix = "[DENY] " }
door "ssh" {
    sequence      = { 7412, 28733, 51990 }
    cmd_timeout   = 3600
    start_command = "$start"
    stop_command  = "$stop"
    ${check:+check_command = \"$check\"}
    stop_ok       = { 0, 1 }
}
END
}

for firewall in $FIREWALLS; do
    set_up || continue
    for count in $COUNTS; do
        measure "$count"
        [[ $firewall != iptables* ]] || measure_below "$count"
    done
done

# --- other programs ---

is_over() {
    [ "$(rules_of "$1")" = 0 ] || [ $((SECONDS - began)) -ge "$PATIENCE" ] || { [ "$1" = knockd-0.8 ] && has_ended; }
}

# The process of each door has run its command, whatever became of it.
has_ended() {
    [ "$(now_ms)" -gt $((due_ms + 1000)) ] && ! pgrep -P "$main_pid" >/dev/null
}

# close_all PROGRAM COUNT
close_all() {
    local began ms left
    start_program "$1" "$2" $((2 + $2 / 300))
    began=$SECONDS
    until is_over "$1"; do
        sleep 0.01
    done
    ms=$(($(now_ms) - due_ms)) left=$(rules_of "$1")
    [ "$left" = 0 ] && record "$1" "$2" close ms $ms
    [ "$left" = 0 ] || record "$1" "$2" "close, not all" ms $ms
    record "$1" "$2" "left open" 1 "$left"
    echo "doors: $1, $2 open: the last closed after its time by $ms ms; left open: $left"
    end_program
}

make_network
for program in "${peers[@]}"; do
    for count in $PEER_COUNTS; do
        (close_all "$program" "$count")
    done
done
