#!/bin/bash
# knockctl rules --check on a host of its own: each fault is found where it is, and not where it isn't; nothing is
# found wrong with what knockctl rules makes; and that lets sealed knocks through to the log, many at once.
# shellcheck disable=SC2016 # perl's
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

SPAN=20000

needs_gate
[ -x "$KNOCKCTL" ] || bail "no knockctl at $KNOCKCTL; run make first, or say KNOCKCTL=PATH"
command -v nft >/dev/null || skip_all "needs the command nft; see scripts/deps.sh"

with_rule='rule = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"'
with_set='start_command = "nft add element inet knockd knock%FAMILY% { %IP% . %PROTO% . %PORT% timeout %TIMEOUT%s }"
    stop_command  = "nft delete element inet knockd knock%FAMILY% { %IP% . %PROTO% . %PORT% }"'

# make_config HOW: a door that opens so, by a sequence and by sealed knocks.
make_config() {
    configure 'type = kmsg' <<EOF
door "ssh" {
    sequence = { 7412, 8733:udp, 5199 }
    key      = "alice"
    port     = 2222
    $1
}
sealed { server = "gate.example"  span = $SPAN }
EOF
}

rules() {
    on_gate "$KNOCKCTL" rules -c "$CONFIG" "$@" 2>/dev/null
}

apply() {
    on_gate nft flush ruleset
    if [ "$1" = nft ]; then
        rules --nft | on_gate nft -f -
    else
        rules -4 | on_gate iptables-restore --noflush && rules -6 | on_gate ip6tables-restore --noflush
    fi
}

# check OPTION...: sets FOUND and STATUS.
check() {
    FOUND=$(on_gate "$KNOCKCTL" rules --check -c "$CONFIG" "$@" 2>"$WORK/said")
    STATUS=$?
}

# json EXPRESSION: what it makes of FOUND, as $j.
json() {
    LC_ALL=C perl -MJSON::PP -e 'my $j = eval { decode_json(join "", <STDIN>) } or print("no JSON: $@"), exit;
        no strict "vars"; print eval shift, $@' "$1" <<<"$FOUND"
}

# Each kind that was found, where, in one line.
kinds() {
    json 'my %k; push @{$k{$_->{kind}}}, join(" and ", @{$_->{families}}) . ($_->{chain} ? " $_->{chain}" : "") for @$j;
        join "; ", map { join(", ", sort @{$k{$_}}) . ": $_" } sort keys %k'
}

finds_nothing() {
    local what=$1
    shift
    check "$@"
    is "$what: nothing is found" "$STATUS $FOUND" "0 "
}

# finds WHAT TEXT [OPTION...]: one line, which says that.
finds() {
    local what=$1 text=$2
    shift 2
    check "$@"
    is "$what: status" $STATUS 1
    is "$what: one line" "$(wc -l <<<"$FOUND")" 1
    like "$what: says so" "$FOUND" "$text"
}

# in_front COMMAND RULE: puts the rule in front of all, and takes it away again by `unmake`.
in_front() {
    unmake=("$1" -D "${@:2}")
    on_gate "$1" -I "${@:2}"
}

unmade() {
    on_gate "${unmake[@]}"
}

each_fault() {
    make_config "$with_rule"
    apply iptables
    finds_nothing "what knockctl rules makes"
    in_front iptables INPUT -p tcp --dport $((SPAN + 22)) -j ACCEPT
    finds "a port of the span is accepted earlier" "^IPv4: -A INPUT .*--dport 20022 -j ACCEPT: accepts 20022:tcp"
    unmade
    in_front ip6tables INPUT -p udp --dport 8733 -j ACCEPT
    finds "a port of a sequence" "^IPv6: .*accepts 8733:udp"
    finds_nothing "asked of the other family alone" -4
    unmade
    in_front iptables INPUT -s 192.0.2.77 -p tcp --dport $((SPAN + 22)) -j ACCEPT
    finds_nothing "accepted for one source alone"
    unmade

    on_gate iptables -D KNOCKD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT
    finds "no ESTABLISHED rule" "^IPv4: -A KNOCKD-DENY -j DROP: cuts the sessions through 2222:tcp"
    in_front iptables INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT
    finds_nothing "an ESTABLISHED rule somewhere else"

    apply iptables
    on_gate iptables -I KNOCKD-DENY -m hashlimit --hashlimit-above 5/sec --hashlimit-name all -j DROP
    finds "a limit over all sources" "^IPv4: .*--hashlimit-name all -j DROP: lets few lines about "

    apply iptables
    on_gate iptables -I INPUT -p udp --dport 8733 -j LOG --log-prefix "[OTHER] "
    finds_nothing "a prefix that no source has, besides ours"
    sed -i "s/prefix *= .*/prefix = \"[OTHER]\"/" "$CONFIG"
    check -6 --json
    is "a prefix that no source has, as JSON" "$(kinds)" 'IPv6 KNOCKD-DENY, IPv6 KNOCKD-DENY, IPv6 KNOCKD-DENY: prefix'
    like "and the rule" "$(json '$j->[0]{rule}')" '^-A KNOCKD-DENY .*-j LOG'
    check -6
    is "a prefix that no source has: status" $STATUS 1
    is "a prefix that no source has: of each of the three LOG rules" \
        "$(grep -c '^IPv6: -A KNOCKD-DENY .*-j LOG .*: logs .* with a prefix that no source has; ' <<<"$FOUND")" 3

    make_config "$with_rule"
    apply iptables
    on_gate nft -f - <<<'table inet late { chain in { type filter hook input priority 10; policy drop;
        ct state established,related accept; tcp dport 80 accept; }; }'
    finds "a chain that drops afterwards" "^table inet late, chain in: policy drop: drops 2222:tcp"
    on_gate nft add rule inet late in tcp dport 2222 accept
    finds_nothing "one that doesn't drop what doors open"
    on_gate nft -f - <<<'table inet asleep { flags dormant;
        chain in { type filter hook input priority 10; policy drop; }; }'
    finds_nothing "a chain of a table that is dormant"
}

with_nft() {
    make_config "$with_set"
    apply nft
    finds_nothing "what knockctl rules --nft makes"
    check --json
    is "nothing is found, as JSON" "$STATUS $FOUND" "0 []"
    finds_nothing "asked of nft alone" --nft
    on_gate nft insert rule inet knockd input udp dport $((SPAN + 99)) accept
    finds "nft: a port of the span is accepted earlier" "^table inet knockd, chain input: udp dport 20099 accept: "
    on_gate nft flush ruleset
    check
    is "no rules at all: status" $STATUS 1
    like "no rules at all: said for IPv4" "$FOUND" "IPv4: -P INPUT ACCEPT: accepts 5199:tcp, 7412:tcp, 20000-32287:tcp"
    like "no rules at all: said for IPv6" "$FOUND" "IPv6: -P INPUT ACCEPT"
    like "no rules at all: and what that means" "$FOUND" \
        "^IPv4 and IPv6: the firewall is empty: everything is open to everyone, and the doors guard nothing"
    check --json
    is "no rules at all, as JSON: status" $STATUS 1
    is "no rules at all, as JSON: each finding, with its parts" "$(kinds)" \
        'IPv4 INPUT, IPv6 INPUT: accepts; IPv4 and IPv6: empty'
    is "as JSON: the text of each" "$(json 'join "\n", sort map { $_->{text} } @$j')" "$(check; sort <<<"$FOUND")"
    on_gate iptables -P INPUT DROP
    check
    like "one family is closed: said of the other" "$FOUND" "^IPv6: the firewall is empty"
    on_gate nft flush ruleset
    without_iptables
    is "no iptables, and nft is empty: one finding" "$STATUS $FOUND" \
        "1 IPv4 and IPv6: the firewall is empty: everything is open to everyone, and the doors guard nothing; see knockctl rules"
    apply nft
    without_iptables
    is "no iptables, and nft has rules: nothing is found" "$STATUS $FOUND" "0 "
}

# Like check, on a host without iptables.
without_iptables() {
    [ -d "$WORK/none" ] || mkdir "$WORK/none"
    # shellcheck disable=SC2016 # it is for the inner shell
    FOUND=$(on_gate unshare --mount bash -c 'mount --bind "$1" /etc/alternatives && shift && exec "$@"' - \
        "$WORK/none" "$KNOCKCTL" rules --check -c "$CONFIG" 2>&1)
    STATUS=$?
}

cannot_look() {
    on_gate "$KNOCKCTL" rules --json -c "$CONFIG" >"$WORK/out" 2>"$WORK/said"
    is "--json without --check: status, nothing printed" "$?:$(cat "$WORK/out")" 2:
    check --again
    is "with --again: status" $STATUS 2
    like "with --again: said" "$(cat "$WORK/said")" "changes nothing"
    check -c /nonexistent
    is "no configuration: status" $STATUS 2
    on_gate nft -f - <<'END'
table ip filter {
    set seen { type ipv4_addr; flags dynamic; timeout 1m; }
    chain INPUT { type filter hook input priority filter; tcp dport 9 add @seen { ip saddr } accept; }
}
END
    check
    is "a table that iptables doesn't print: status" $STATUS 2
    like "a table that iptables doesn't print: said" "$(cat "$WORK/said")" "iptables-save doesn't print the table filter, in which nft"
    on_gate nft delete table ip filter
    chmod 644 "$CONFIG"
    setpriv --reuid 65534 --clear-groups "$KNOCKCTL" rules --check -c "$CONFIG" >/dev/null 2>"$WORK/said"
    is "without privilege: status" $? 2
    like "without privilege: said" "$(cat "$WORK/said")" "ermission denied.*are you root"
    on_gate setpriv --reuid 65534 --clear-groups "$KNOCKCTL" rules --check --nft -c "$CONFIG" \
        >/dev/null 2>"$WORK/said"
    is "without privilege, nft: status" $? 2
    chmod 600 "$CONFIG"
    like "without privilege, nft: said" "$(cat "$WORK/said")" "with nft: Operation not permitted.*are you root"
}

# Beside the configuration that a host has by default, another one's rules take the place of its rules.
of_a_second() {
    mkdir "$WORK/etc"
    cp /etc/passwd /etc/group "$WORK/etc/"
    : >"$WORK/etc/knockd.conf"
    # shellcheck disable=SC2016 # it is for the inner shell
    like "rules of a second knockd: what they do is said" \
        "$(unshare --mount sh -c 'mount --bind "$1" /etc && exec "$2" rules -c "$3" 2>&1 >/dev/null' - "$WORK/etc" "$KNOCKCTL" "$CONFIG")" \
        "knockctl rules: these fill the chains KNOCKD and KNOCKD-DENY, as those of /etc/knockd.conf do"
    is "rules of the only one: it isn't" "$("$KNOCKCTL" rules -c "$CONFIG" 2>&1 >/dev/null | grep -c 'as those of')" \
        "$([ -e /etc/knockd.conf ] && echo 1 || echo 0)"
}

# with_nft_that SCRIPT OPTION...: like check, with a program in place of nft; $NFT is the real one.
with_nft_that() {
    local script=$1
    shift
    cp "$(command -v nft)" "$WORK/real-nft"
    printf '#!/bin/bash\nNFT=%s\n%s\n' "$WORK/real-nft" "$script" >"$WORK/other-nft"
    chmod 755 "$WORK/other-nft"
    # shellcheck disable=SC2016 # it is for the inner shell
    FOUND=$(on_gate unshare --mount bash -c 'mount --bind "$1" "$(command -v nft)" && shift && exec "$@"' - \
        "$WORK/other-nft" "$KNOCKCTL" rules --check -c "$CONFIG" "$@" 2>"$WORK/said")
    STATUS=$?
}

# left_out WHAT WHY: the status and what is said where nft's tables can't be read.
left_out() {
    is "$1: status" $STATUS 2
    like "$1: the table and what to do are named" "$(cat "$WORK/said")" \
        "^knockctl rules: these tables of nft were left out: inet knockd: $2"
}

# shellcheck disable=SC2016 # the scripts' variables are their own
cannot_read_nft() {
    local no_json='[ "$1" != -j ] || { echo "Error: JSON support not compiled-in" >&2; exit 1; }; exec $NFT "$@"'
    local said="without libjansson; install libjansson-dev"
    make_config "$with_set"
    apply nft
    with_nft_that 'exec $NFT "$@"'
    is "another program in place of nft: nothing is found" "$STATUS $FOUND" "0 "
    with_nft_that "$no_json"
    left_out "nft without JSON" "this nft was built without JSON support; install one that has it"
    is "nft without JSON: nothing is claimed" "$FOUND" ""
    with_nft_that '[ "$1" != -j ] || { echo "{\"nftables\": []}"; exit; }; exec $NFT "$@"'
    is "JSON without rules: status" $STATUS 2
    like "JSON without rules: said" "$(cat "$WORK/said")" "cannot read what .nft -j list ruleset. prints: "
    is "JSON without rules: nothing is claimed" "$FOUND" ""
    with_nft_that '[ "$1" != -j ] || exec $NFT "$@"; echo "out of luck" >&2; exit 1'
    is "no text: status" $STATUS 2
    like "no text: said" "$(cat "$WORK/said")" "cannot read the rules in force with nft: out of luck: "

    KNOCKCTL=$BUILT/tools/knockctl-no-nft check
    left_out "built without libjansson" "this knockctl was built $said"
    is "built without libjansson: nothing is claimed" "$FOUND" ""
    on_gate iptables -A INPUT -p tcp --dport 7412 -j ACCEPT
    KNOCKCTL=$BUILT/tools/knockctl-no-nft check
    left_out "rules of iptables beside" "this knockctl was built $said"
    like "rules of iptables beside: they are looked at" "$FOUND" "^IPv4: -A INPUT .*: accepts 7412:tcp"
    like "rules of iptables beside: with a caution" "$(cat "$WORK/said")" "may be otherwise with nft"
    on_gate nft flush ruleset
    KNOCKCTL=$BUILT/tools/knockctl-no-nft check
    is "no rules of nft: none are missed" "$STATUS $(cat "$WORK/said")" "1 "
}

# How many packets the LOG rules for sealed knocks have seen.
logged() {
    on_gate "$1-save" -c -t filter | sed -n "s/^\[\([0-9]*\):.*dports $SPAN:.*-j LOG.*/\1/p" |
        awk '{ sum += $1 } END { print sum }'
}

# Ten users behind one address, 96 packets each, as fast as they leave.
cat >"$WORK/burst.pl" <<'PERL'
use strict; use warnings; use IO::Socket::IP;
my ($host, $first) = @ARGV;
for my $user (1 .. 10) {
    for my $slot (0 .. 95) {
        my $s = IO::Socket::IP->new(PeerHost => $host, PeerPort => $first + 64 * $slot + $user, Proto => 'udp') or die $@;
        $s->send("x");
    }
}
PERL

room_for_many() {
    local ip
    make_config "$with_rule"
    apply iptables
    for ip in iptables ip6tables; do
        local gate=$GATE4
        [ $ip = iptables ] || gate=$GATE6
        on_client perl "$WORK/burst.pl" "$gate" $SPAN
        is "$ip: of 960 packets at once all are logged" "$(logged $ip)" 960
    done
}

each_fault
with_nft
cannot_look
of_a_second
cannot_read_nft
room_for_many
done_testing
