#!/bin/bash
# Rules that are deleted by their handles, as a batch of closings is: what goes is what iptables-restore deletes by the
# same words, or nothing, also while something else changes the firewall, or makes its table anew. SEED repeats the
# choices.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

: "${ROUNDS:=40}" "${SEED:=$((RANDOM * 32768 + RANDOM))}"

# random_rules FAMILY ROUND: tables and batches, into the files "table" and "batch".
random_rules() {
    perl -e '
        my ($family, $work) = @ARGV;
        srand $ARGV[2];
        my $bits = $family == 4 ? 32 : 128;
        sub address { $family == 4 ? "10.1.0." . int rand 9 : "2001:db8::" . (1 + int rand 9) }
        sub rule {
            my $chain = ("knock", "knock", "other")[rand 3];
            my $match = ("-p tcp -m tcp --dport 22", "-p udp -m udp --dport 53", "-i eth0", "",
                "-p tcp -m multiport --dports 22,80", "! -i lo -p tcp")[rand 6];
            my $comment = ("", q{-m comment --comment "knockd ssh"}, q{-m comment --comment "knockd web"},
                q{-m comment --comment "a note"})[rand 4];
            join " ", grep length, $chain, "-s " . address() . "/$bits", $match, $comment,
                "-j " . ("ACCEPT", "DROP")[rand 1.2];
        }
        my @rules = map { rule() } 1 .. 5 + rand 80;
        # Equal ones, too.
        push @rules, map { $rules[rand @rules] } 1 .. rand 20;
        open my $table, ">", "$work/table" or die;
        print $table "*filter\n:INPUT ACCEPT [0:0]\n:knock - [0:0]\n:other - [0:0]\n-A INPUT -j knock\n",
            map({ "-A $_\n" } @rules), "COMMIT\n";
        my %left = map { $_ => 1 } 0 .. $#rules;
        my @gone = map { my $i = (keys %left)[rand keys %left]; delete $left{$i}; $rules[$i] } 1 .. 1 + rand @rules * 0.7;
        # Every fourth batch has one that is perhaps not there.
        push @gone, rule() if rand() < 0.25;
        open my $batch, ">", "$work/batch" or die;
        print $batch "*filter\n", map({ "-D $_\n" } @gone), "COMMIT\n";' "$1" "$WORK" $((SEED + $2))
}

# load: the table as it was made.
load() {
    on_gate "$iptables-restore" <"$WORK/table"
}

print_table() {
    on_gate "$iptables-save" -t filter | grep '^-A'
}

# deletes [SLOW]: the batch, by handles; what isn't sure is left to SLOW, else to a program that fails.
deletes() {
    on_gate "$KNOCKD" --delete-rules "$iptables" filter "${1:-/bin/false}" --noflush <"$WORK/batch" 2>"$WORK/said"
}

# same_as_restore FAMILY ROUND
same_as_restore() {
    local wanted status
    random_rules "$1" "$2"
    load || return
    on_gate "$iptables-restore" --noflush <"$WORK/batch" 2>/dev/null
    status=$?
    wanted=$(print_table)
    load || return
    deletes "$WORK/slow"
    [ "$((status != 0)):$wanted" = "$(($? != 0)):$(print_table)" ] && return
    diag "SEED=$SEED, round $2, iptables-restore: $status"$'\n'"$(diff <(echo "$wanted") <(print_table))"
    return 1
}

# What is left to iptables-restore is counted.
all_the_same() {
    local round
    printf '#!/bin/sh\necho >>%q\nexec %s "$@"\n' "$WORK/left" "$iptables-restore" >"$WORK/slow"
    chmod 700 "$WORK/slow"
    : >"$WORK/left"
    for ((round = 0; round < ROUNDS; round++)); do
        same_as_restore "$1" "$round" || return
    done
    diag "$(wc -l <"$WORK/left") of $ROUNDS batches were left to $iptables-restore"
    [ "$(wc -l <"$WORK/left")" -lt $((ROUNDS / 2)) ]
}

# many COUNT FROM TO: the table of so many rules, and a batch that deletes some.
many() {
    perl -e 'my ($work, $count, $from, $to) = @ARGV;
        sub rule { sprintf "knock -s 10.1.%d.%d/32 -p tcp -m tcp --dport 22 -j ACCEPT\n", $_[0] / 256, $_[0] % 256 }
        open my $table, ">", "$work/table" or die;
        print $table "*filter\n:knock - [0:0]\n", map({ "-I " . rule($_) } 1 .. $count), "COMMIT\n";
        open my $batch, ">", "$work/batch" or die;
        print $batch "*filter\n", map({ "-D " . rule($_) } $from .. $to), "COMMIT\n"' "$WORK" "$@"
}

# At the end of a long chain: iptables compares each with all that stand before it.
far_down() {
    local began by_handles
    many 10000 1 1000
    load
    began=$(now_ms)
    ok "a thousand at the end of ten thousand: deleted" deletes
    by_handles=$(($(now_ms) - began))
    is "a thousand at the end of ten thousand: nothing else" "$(print_table | wc -l)" 9000
    load
    began=$(now_ms)
    on_gate "$iptables-restore" --noflush <"$WORK/batch"
    ok "in $by_handles ms, by iptables-restore $(($(now_ms) - began))" [ $((by_handles * 3)) -lt $(($(now_ms) - began)) ]
    many 10000 1 1000
    sed -i 's/-s 10.1.2.7/-s 10.9.9.9/' "$WORK/batch"
    load
    ok "one of them isn't there: fails" not deletes "$iptables-restore"
    is "and none is deleted" "$(print_table | wc -l)" 10000
}

# Others insert and delete rules of the same chain, or of another one, all the time.
amid_changes() {
    local chain left
    for chain in knock other; do
        many 2000 1 500
        load
        on_gate "$iptables" -N other 2>/dev/null
        : >"$WORK/changing"
        while [ -e "$WORK/changing" ]; do
            on_gate "$iptables" -I $chain -s 10.9.0.1 -j DROP
            on_gate "$iptables" -D $chain -s 10.9.0.1 -j DROP
        done &
        deletes "$iptables-restore"
        left=$?
        rm "$WORK/changing"
        wait $!
        is "while $chain changes: all or none" "$left:$(print_table | grep -c -- '-A knock')" \
            "$left:$((left == 0 ? 1500 : 2000))"
    done
}

# other_table PREFIX: as many rules as `many 40` makes, of other addresses.
other_table() {
    local i
    printf '%s\n' '*filter' ':knock - [0:0]'
    for ((i = 1; i <= 40; i++)); do
        echo "-A knock -s $1.$i/32 -j ACCEPT"
    done
    echo COMMIT
}

# Once the table is printed, other rules take the place of those in it: as many, so that each number is another rule's.
# printed_and_replaced COMMAND: that is run before: a new table has new handles, from the beginning.
printed_and_replaced() {
    many 40 1 10
    load
    mkdir -p "$WORK/fake"
    other_table 10.7.0 >"$WORK/other"
    : >"$WORK/once"
    cat >"$WORK/fake/iptables-nft" <<END
#!/bin/sh
$iptables-save "\$@"
[ -e "$WORK/once" ] || exit 0
rm "$WORK/once"
$1
$iptables-restore <"$WORK/other"
END
    chmod 700 "$WORK/fake/iptables-nft"
    ln -sf iptables-nft "$WORK/fake/iptables-nft-save"
    iptables=$WORK/fake/iptables-nft deletes
    is "replaced once it was printed, by '${1:-iptables-restore}': nothing is deleted" \
        "$?:$(print_table | grep -c 10.7.0)" 1:40
    ok "the table was looked at" [ ! -e "$WORK/once" ]
}

needs_hosts
needs_knockd
diag "SEED=$SEED"
for iptables in /usr/sbin/iptables-nft /usr/sbin/ip6tables-nft; do
    [ -x $iptables ] || { skip "$iptables" "isn't installed"; continue; }
    family=4
    [[ $iptables != */ip6* ]] || family=6
    ok "IPv$family: what goes is what iptables-restore deletes" all_the_same $family
    on_gate $iptables-restore </dev/null
done
iptables=/usr/sbin/iptables-nft
if [ -x $iptables ]; then
    on_gate $iptables -F
    far_down
    amid_changes
    printed_and_replaced ''
    if command -v nft >/dev/null; then printed_and_replaced 'nft flush ruleset'; else skip "a new table" "no nft"; fi
    on_gate $iptables-restore </dev/null
    on_gate $iptables -F
    on_gate $iptables -X
    printf '%s\n' '*filter' '-I knock -s 10.1.0.1 -j ACCEPT' COMMIT >"$WORK/batch"
    on_gate $iptables -N knock
    deletes $iptables-restore
    is "what isn't a deletion is left to iptables-restore" "$(print_table)" "-A knock -s 10.1.0.1/32 -j ACCEPT"
fi
done_testing
