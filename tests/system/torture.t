#!/bin/bash
# Opens doors, kills knockd at random moments, starts it again: no rule is left, none is there twice, and no door stays
# in the store. ROUNDS of it by kill -9, each with a real chain and with commands that fail one time in five, and
# fewer with sets of nft and of ipset, by SIGTERM to the whole process group, by storms of SIGHUP, and with a full disk. SEED repeats the choices, not
# the moments. In a mount namespace of its own, for the disks.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
if [ "${TORTURE_ALONE:-}" != $$ ]; then
    unshare --mount true 2>/dev/null || { echo "1..0 # SKIP needs a mount namespace of its own"; exit 0; }
    TORTURE_ALONE=$$ exec unshare --mount --propagation private "$BASH" "$0" "$@"
fi
. "$(dirname "$0")/knockd.sh"

: "${ROUNDS:=${TORTURE_ROUNDS:-60}}" "${SEED:=$((RANDOM * 32768 + RANDOM))}"
# For each of kill's two, half as many for the others. More of them only wait for the machine: with 36 knockds at once,
# built with sanitizers, one took a minute to start on a slow one.
: "${WORKERS:=${TORTURE_WORKERS:-4}}"

right=(7412 28733:udp 51990)
keeper='' lives=0 last_knock=0 nft_gate=''

# --- doors ---

rule_door() {
    cat <<EOF
door "ssh" {
    sequence    = { 7412, 28733:udp, 51990 }
    cmd_timeout = 1
    check_interval = 1
    rule        = "$chain -s %IP% -p tcp --dport 22 -j ACCEPT"
}
EOF
}

# Every second worker's door has a check, which fails as often as all else.
flaky_door() {
    local text="$chain -s %IP% -p tcp --dport 22 -j ACCEPT"
    cat <<EOF
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = 1
    start_command = "$TOP/flaky iptables -w 5 -I $text"
    stop_command  = "$TOP/flaky iptables -w 5 -D $text"
    stop_ok       = { 0, 1 }
EOF
    [ $((me % 2)) = 0 ] || echo "check_command = \"$TOP/flaky iptables -w 5 -C $text\" check_interval = 1"
    echo "}"
}

# With sets, an element that is gone makes what deletes it fail; no check tells, and no other status is right. nft reads
# the whole ruleset anew whenever somebody changed it meanwhile: beside the others it would take seconds.
nft_door() {
    cat <<EOF
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = 2
    start_command = "nft add element ip $chain allowed { %IP% }"
    stop_command  = "nft delete element ip $chain allowed { %IP% }"
}
EOF
}

ipset_door() {
    cat <<EOF
door "ssh" {
    sequence      = { 7412, 28733:udp, 51990 }
    cmd_timeout   = 1
    start_command = "ipset add $chain %IP%"
    stop_command  = "ipset del $chain %IP%"
}
EOF
}

# Half of those that fail have done their work. None fails more than three times in a row: knockd waits longer after
# each failure, and once in some hundred runs would wait longer than the test.
make_flaky() {
    cat >"$WORK/flaky" <<'EOF'
#!/bin/bash
streak=$0.${*//[!A-Za-z0-9]/_} failures=0 die=$((RANDOM % 10))
[ ! -e "$streak" ] || read -r failures <"$streak"
if [ $die -lt 2 ] && [ "${failures:-3}" -lt 3 ]; then
    echo $((failures + 1)) >"$streak"
    [ $die = 0 ] || "$@"
    exit 3
fi
[ ! -e "$streak" ] || rm -f "$streak"
exec "$@"
EOF
    chmod +x "$WORK/flaky"
}

# --- a worker's knockd ---

# fault TEXT: noted for the end, with what there is to see.
fault() {
    {
        echo "$kind $me, round $round: $*"
        rules_there | sed 's/^/    rule: /'
        tail -n 30 "$KNOCKD_LOG" | sed 's/^/    /'
    } >>"$TOP/faults"
}

rules_there() {
    case $kind in
    nft) on_gate nft list set ip "$chain" allowed | grep -oE '([0-9]+\.){3}[0-9]+' ;;
    ipset) on_gate ipset save "$chain" | grep '^add' ;;
    *) on_gate iptables -S "$chain" | grep '^-A' ;;
    esac
}

make_chain() {
    case $kind in
    nft)
        GATE=$nft_gate
        on_gate nft add table ip "$chain"
        on_gate nft add set ip "$chain" allowed '{ type ipv4_addr; }'
        ;;
    ipset) on_gate ipset create "$chain" hash:ip ;;
    *) on_gate iptables -N "$chain" ;;
    esac
}

nap_ms() {
    local part
    printf -v part %03d $(($1 % 1000))
    nap "$(($1 / 1000)).$part"
}

alive() {
    [ -e "/proc/$keeper/exe" ]
}

ready_or_gone() {
    grep -q ready "$KNOCKD_LOG" || ! alive
}

# In a process group of its own.
begin_life() {
    KNOCKD_LOG=$WORK/life.$((++lives)).log
    : >"$KNOCKD_LOG"
    setsid ip netns exec "$GATE" "$KNOCKD" -c "$CONFIG" </dev/null >"$KNOCKD_LOG" 2>&1 &
    keeper=$!
    poll 30 ready_or_gone
    grep -q ready "$KNOCKD_LOG" && return
    fault "knockd did not start"
    return 1
}

knock_some() {
    local i
    for ((i = RANDOM % 4; i >= 0; i--)); do
        log_packets "198.51.100.$((1 + RANDOM % 6))" "${right[@]}"
        [ $((RANDOM % 2)) = 0 ] || nap_ms $((RANDOM % 60))
    done
    last_knock=$(now_ms)
}

no_rule_twice() {
    [ -z "$(rules_there | sort | uniq -d)" ] || fault "a rule is there twice"
}

strike() {
    local i listener
    listener=$(pgrep -x -P "$keeper" knockd-listener)
    case $1 in
    keeper) kill -KILL "$keeper" ;;
    listener) [ -z "$listener" ] || kill -KILL "$listener" ;;
    both) kill -KILL "$keeper" ${listener:+"$listener"} ;;
    term) kill -TERM -- "-$keeper" ;;
    hup)
        for ((i = RANDOM % 12; i >= 0; i--)); do
            kill -HUP "$keeper"
            [ $((RANDOM % 4)) != 0 ] || knock_some
            nap_ms $((RANDOM % 40))
        done
        ;;
    esac 2>/dev/null
    [[ $1 != @(keeper|both|term) ]] || wait "$keeper" 2>/dev/null
}

# All that this life has taken up and opened it has closed again; what failed without having done anything is over.
settled() {
    [ -z "$(rules_there)" ] && awk '
        /: opened for / || (/: failed for / && !/; nothing is left to undo$/) { open++ }
        / taking up / { open += $4 }
        /: closed for / || /: undone for / { open-- }
        END { exit open != 0 }' "$KNOCKD_LOG"
}

# knock_last: knocks until it is answered, opened or failed: what was logged before has been read by then. What is
# logged while a listener starts again may be lost.
knock_last() {
    local last=198.51.100.99 tries=0
    mark_log
    while [ $((tries++)) -lt 15 ]; do
        log_packets $last "${right[@]}"
        ! says "door ssh: (opened|failed) for ${last}[,:]" 2 || return 0
    done
    return 1
}

# After the doors' time nothing is left: not in the chain, nor in knockd; and the next start finds nothing in the store.
settle() {
    local status
    knock_last || fault "a last knock wasn't answered"
    last_knock=$(now_ms)
    while [ $(($(now_ms) - last_knock)) -lt 1800 ]; do
        nap_ms 100
        no_rule_twice
    done
    POLL_STEP=0.1 poll 40 settled || fault "not everything was closed"
    kill -TERM "$keeper"
    wait "$keeper"
    status=$?
    [ $status = 0 ] || fault "ended with status $status"
    grep -q 'stopping on SIGTERM: closing 0 open doors' "$KNOCKD_LOG" || fault "had doors open after their time"
    cat "$WORK"/life.*.log >>"$WORK/all.log"
    rm -f "$WORK"/life.*.log
}

# The journal of the store has room in its own blocks: openings from all over use that up.
fill_disk() {
    local i
    dd if=/dev/zero of="$WORK/state/filler" bs=4k 2>/dev/null
    for ((i = RANDOM % 100; i > 0; i--)); do
        log_packets "203.0.113.$((RANDOM % 250))" "${right[@]}"
    done
    last_knock=$(now_ms)
}

# full_round STRIKE...: what is open when the disk is full closes all the same; with space again the store follows.
full_round() {
    begin_life || return
    ! grep -q 'taking up' "$KNOCKD_LOG" || fault "a door was left in the store"
    knock_some
    nap_ms $((RANDOM % 500))
    fill_disk
    nap_ms $((RANDOM % 1000))
    strike "${@:1 + RANDOM % $#:1}"
    alive || begin_life || return
    knock_some
    nap_ms 1500
    POLL_STEP=0.1 poll 30 settled || fault "not everything was closed while the disk was full"
    grep -c "the state can't be recorded" "$WORK"/life.*.log >/dev/null && echo full >>"$WORK/full"
    rm "$WORK/state/filler"
    # A knock has it tried at once.
    knock_some
    settle
}

# one_round STRIKE...: one or two of these strikes, at moments of their own.
one_round() {
    local strikes=$((1 + (RANDOM % 3 == 0)))
    begin_life || return
    ! grep -q 'taking up' "$KNOCKD_LOG" || fault "a door was left in the store"
    while [ $((strikes--)) -gt 0 ]; do
        knock_some
        nap_ms $((RANDOM % 1300))
        no_rule_twice
        strike "${@:1 + RANDOM % $#:1}"
        alive || begin_life || return
        no_rule_twice
    done
    settle
}

# worker NUMBER KIND DOOR ROUNDS STRIKE...: by itself, beside the others.
worker() {
    local me=$1 kind=$2 door=$3 rounds=$4 play=one_round chain=KNOCK-$1-$2 round TOP=$WORK WORK=$WORK/$2.$1
    shift 4
    RANDOM=$(((SEED + me) % 32768))
    mkdir "$WORK" "$WORK/state"
    KERN_LOG=$WORK/kern.log CONFIG=$WORK/conf
    : >"$KERN_LOG"
    if [ "$kind" = full ]; then
        # More than the 4 MB to which the store's journal grows by itself.
        mount -t tmpfs -o size=6m,mode=700 none "$WORK/state" || return
        play=full_round
    fi
    make_chain
    "$door" | configure_file
    for ((round = 1; round <= rounds; round++)); do
        $play "$@"
        echo "$round" >>"$WORK/rounds"
    done
}

number=0
# begin_work KIND WORKERS ROUNDS DOOR STRIKE...: ROUNDS in all, shared by so many.
begin_work() {
    local kind=$1 share=$((($3 + $2 - 1) / $2)) i
    for ((i = 0; i < $2; i++)); do
        number=$((number + 1))
        worker $number "$kind" "$4" $share "${@:5}" &
    done
}

lines_in() {
    cat "$@" 2>/dev/null | wc -l
}

opened_in() {
    cat "$WORK/$1".*/all.log | grep -c ': opened for '
}

# report KIND ROUNDS DESCRIPTION
report() {
    local rounds faults
    rounds=$(lines_in "$WORK/$1".*/rounds)
    ok "$3: $rounds rounds, $(opened_in "$1") openings" [ "$rounds" -ge "$2" ]
    # The first fault stands in the description: the list of failed tests at the end shows no more.
    faults=$(grep "^$1 " "$WORK/faults" | head -n 1)
    is "$3: nothing left, nothing twice${faults:+: $faults}" "$(grep -A 30 "^$1 " "$WORK/faults")" ""
    ok "$3: doors did open" [ "$(opened_in "$1")" -ge "$rounds" ]
}

needs_gate
# Else what is mounted there would keep WORK from being removed.
trap 'status=$?; umount "$WORK"/full.*/state 2>/dev/null; (exit $status); tap_end' EXIT
diag "SEED=$SEED ROUNDS=$ROUNDS"
: >"$WORK/faults"
make_flaky
few=$(((ROUNDS + 3) / 4))
nft_gate=$GATE-nft
make_host "$nft_gate" || exit
has_ipset=''
! on_gate ipset create probe hash:ip 2>/dev/null || has_ipset=yes
begin_work kill "$WORKERS" "$ROUNDS" rule_door keeper listener both
begin_work flaky "$WORKERS" "$ROUNDS" flaky_door keeper listener both
begin_work nft $((WORKERS / 2)) $few nft_door keeper both
[ -z "$has_ipset" ] || begin_work ipset $((WORKERS / 2)) $few ipset_door keeper both
begin_work term $((WORKERS / 2)) $few rule_door term
begin_work hup $((WORKERS / 2)) $few rule_door hup
begin_work full $((WORKERS / 2)) $few rule_door none keeper both term
wait
report kill "$ROUNDS" "kill -9"
report flaky "$ROUNDS" "kill -9, commands that fail"
report nft $few "kill -9, a set of nft"
if [ -n "$has_ipset" ]; then
    report ipset $few "kill -9, a set of ipset"
else
    skip "kill -9, a set of ipset" "the kernel has no ipset"
fi
report term $few "SIGTERM to the group"
report hup $few "SIGHUP storms"
report full $few "disk full"
ok "disk full: the store said so $(lines_in "$WORK"/full.*/full) times" [ "$(lines_in "$WORK"/full.*/full)" -gt 0 ]
done_testing
