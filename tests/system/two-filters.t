#!/bin/bash
# Rules in both of the kernel's packet filters, iptables-legacy's beside nft's: knockd -t, its start and knockctl rules
# --check say so, which of them iptables is, and which rules bar what doors open; whichever of the two iptables is.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

needs_gate
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
for kind in legacy nft; do
    for program in iptables ip6tables; do
        [ -x "/usr/sbin/$program-$kind" ] || skip_all "no iptables-$kind"
    done
done
command -v nft >/dev/null || skip_all "needs the command nft; see scripts/deps.sh"

both="both of the kernel's packet filters hold rules for"
kind=nft    # what iptables is
other=legacy

# with_kind COMMAND...: on the gate, where iptables is of that kind, as update-alternatives has it.
with_kind() {
    # shellcheck disable=SC2016 # the inner shell's
    on_gate unshare -m bash -c '
        mount --make-rprivate /
        mount --bind "$1" /etc/alternatives
        shift
        exec "$@"' sh "$WORK/alternatives-$kind" "$@"
}

make_config() {
    configure 'type = kmsg' <<EOF2
door "ssh" {
    sequence = { 7412, 8733:udp, 5199 }
    port     = 2222
    ${1:-rule = \"INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT\"}
}
EOF2
}

# The rules that knockctl makes, in the filter that iptables is of; the other one is empty, its tables accept.
clean() {
    local program
    on_gate nft flush ruleset
    for program in iptables ip6tables; do
        on_gate "$program-legacy" -P INPUT ACCEPT
        on_gate "$program-legacy" -F
        on_gate "$program-legacy" -X
    done
    on_gate "$KNOCKCTL" rules -c "$CONFIG" -4 2>/dev/null | with_kind iptables-restore --noflush
    on_gate "$KNOCKCTL" rules -c "$CONFIG" -6 2>/dev/null | with_kind ip6tables-restore --noflush
}

# Each sets OUT: status and what is said.
check() {
    OUT=$(with_kind "$KNOCKCTL" rules --check -c "$CONFIG" "$@" 2>&1)
    OUT="$? $OUT"
}

try() {
    OUT=$(verdict with_kind "$KNOCKD" -t -c "$CONFIG")
}

says_nothing() {
    check
    is "iptables is $kind: $1: nothing is found" "$OUT" "0 "
    try
    is "iptables is $kind: $1: -t warns of nothing" "$OUT" "configuration OK"
}

# bars WHAT FAMILIES TEXT: both are said to hold rules of these families, and a rule of the other is found.
bars() {
    local one="iptables is the $kind one here"
    try
    like "iptables is $kind: $1: -t says so" "$OUT" "^$CONFIG: warning: $both $2: [^"$'\n'"]*; $one.*OK$"
    is "iptables is $kind: $1: -t says nothing else" "$(wc -l <<<"$OUT")" 2
    check
    like "iptables is $kind: $1: --check says so" "$OUT" "^1 note: $both $2: .*; $one"
    like "iptables is $kind: $1: --check finds it" "$OUT" "$3: drops 2222:tcp even when a door has opened them"
    is "iptables is $kind: $1: --check finds nothing else" "$(wc -l <<<"$OUT")" 2
}

# A rule of the other filter that leaves sessions alone.
drop_in_other() {
    on_gate "$1-$other" -I INPUT -p tcp --dport 2222 -m conntrack --ctstate NEW -j DROP
}

for_kind() {
    make_config
    clean
    says_nothing "an empty one beside it"
    on_gate "iptables-$other" -N EMPTY
    on_gate "iptables-$other" -t nat -A PREROUTING -p tcp --dport 81 -j REDIRECT --to-ports 80
    says_nothing "an empty chain, and nat"

    drop_in_other iptables
    bars "IPv4" IPv4 "IPv4: iptables-$other: -A INPUT .*--dport 2222 .*-j DROP"
    check -6
    is "iptables is $kind: nothing is found for IPv6" "$OUT" "0 "
    clean
    drop_in_other ip6tables
    bars "IPv6" IPv6 "IPv6: iptables-$other: -A INPUT .*--dport 2222 .*-j DROP"
    drop_in_other iptables
    try
    like "iptables is $kind: of both families one line" "$OUT" "$both IPv4 and IPv6: "

    clean
    on_gate "iptables-$other" -A INPUT -p tcp --dport 80 -j ACCEPT
    check
    like "iptables is $kind: a rule that drops nothing: told, not a finding" "$OUT" "^0 note: $both IPv4: "
    is "iptables is $kind: a rule that drops nothing: one line" "$(wc -l <<<"$OUT")" 1

    clean
    on_gate "iptables-$other" -A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
    on_gate "iptables-$other" -P INPUT DROP
    check
    like "iptables is $kind: a policy" "$OUT" "^1 .*iptables-$other: -P INPUT DROP: drops 2222:tcp even when"
    on_gate "iptables-$other" -F
    try
    like "iptables is $kind: a policy without a rule: -t says so" "$OUT" "$both IPv4: "
    on_gate "iptables-$other" -P INPUT ACCEPT

    clean
    drop_in_other iptables
    make_config "start_command = \"/usr/sbin/iptables -I INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT\"
        stop_command = \"/usr/sbin/iptables -D INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT\""
    check
    like "iptables is $kind: doors with commands" "$OUT" "iptables-$other: .*-j DROP: drops 2222:tcp even when"
    make_config "start_command = \"/usr/sbin/iptables-$other -I INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT\"
        stop_command = \"/usr/sbin/iptables-$other -D INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT\""
    check
    like "iptables is $kind: doors of the other kind are barred by this one" "$OUT" \
        "IPv4: -A KNOCKD-DENY -j DROP: drops 2222:tcp even when"
}

# nft's own table beside iptables-legacy.
native() {
    kind=legacy other=nft
    make_config
    clean
    on_gate nft -f - <<<'table inet own { chain in { type filter hook input priority 0; policy accept;
        tcp dport 2222 ct state new drop; }; }'
    check
    like "nft's own table beside legacy: both" "$OUT" "^1 note: $both IPv4 and IPv6: "
    like "nft's own table beside legacy: found" "$OUT" "table inet own, chain in: .*: drops 2222:tcp even when"
}

at_start() {
    kind=nft other=legacy
    make_config
    clean
    starts "knockd starts beside an empty one"
    ok "it says nothing of two filters" not said "packet filters"
    stop_knockd
    drop_in_other iptables
    starts "knockd starts beside one that drops"
    ok "it says so" says "$both IPv4: .*; iptables is the nft one here"
    stop_knockd
}

# switch KIND: from now on iptables is of that kind, for the knockd that runs.
switch() {
    cp -a --remove-destination "$WORK/alternatives-$1/." "$WORK/alternatives-switched"
}

# iptables becomes the other kind while a door is open: it closes where it was opened.
switched() {
    local from=$1 to=$2 by=$3 program=$KNOCKD
    kind=$from other=$to
    on_gate nft flush ruleset
    on_gate iptables-legacy -F
    configure_file <<EOF2
door "ssh" {
    sequence    = { 7412, 8733:udp, 5199 }
    cmd_timeout = 4
    rule        = "INPUT -s %IP% -p tcp --dport 2222 -j ACCEPT"
}
EOF2
    switch "$from"
    cat >"$WORK/inside" <<EOF2
#!/bin/bash
exec unshare -m bash -c 'mount --make-rprivate / && mount --bind "\$0" /etc/alternatives && exec "\$@"' \
    "$WORK/alternatives-switched" "$program" "\$@"
EOF2
    chmod +x "$WORK/inside"
    KNOCKD=$WORK/inside starts "$from to $to, $by: knockd starts"
    log_packets 192.0.2.7 7412 8733:udp 5199
    ok "$from to $to, $by: opens" says ': opened for 192.0.2.7,'
    ok "$from to $to, $by: there" on_gate "iptables-$from" -C INPUT -s 192.0.2.7 -p tcp --dport 2222 -j ACCEPT \
        -m comment --comment "knockd ssh"
    switch "$to"
    if [ "$by" = "kill -9" ]; then
        kill -KILL "$KNOCKD_PID"
        wait "$KNOCKD_PID" 2>/dev/null
        KNOCKD=$WORK/inside starts "$from to $to, $by: knockd starts again"
    fi
    ok "$from to $to, $by: closes" says ': closed for 192.0.2.7 .*: its time is over'
    is "$from to $to, $by: nothing is left" "$(on_gate "iptables-$from" -S INPUT | grep -c "^-A")" 0
    KNOCKD=$program
    stop_knockd
}

make_alternatives
cp -a "$WORK/alternatives-nft" "$WORK/alternatives-switched"
for by in time "kill -9"; do
    switched nft legacy "$by"
    switched legacy nft "$by"
done
kind=nft other=legacy
for_kind
kind=legacy other=nft
for_kind
native
at_start
done_testing
