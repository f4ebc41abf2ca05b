#!/bin/bash
# Many at once: twenty who knock, and scans of all ports in every order, which open nothing and keep nobody out.
# shellcheck source-path=SCRIPTDIR source=knockd.sh
. "$(dirname "$0")/knockd.sh"

right=(7412 28733:udp 51990)

doors() {
    cat <<'EOF'
door "ssh" {
    sequence    = { 7412, 28733:udp, 51990 }
    port        = 2222
    rule        = "INPUT -s %IP% -p %PROTO% --dport %PORT% -j ACCEPT"
    cmd_timeout = 60
}
door "ascending" {
    sequence      = { 1000, 30000, 65000 }
    start_command = "/bin/true"
    stop_command  = ""
}
door "descending" {
    sequence      = { 65000, 30000, 1000 }
    start_command = "/bin/true"
    stop_command  = ""
}
EOF
}

in_for_all() {
    local i
    for i in {101..120}; do
        can_connect -s "192.0.2.$i" "$GATE4" 2222 || return 1
    done
}

twenty() {
    local i knocking=()
    for i in {101..120}; do
        client_address "192.0.2.$i"
    done
    for i in {101..120}; do
        send_knock "192.0.2.$i" "$GATE4" "${right[@]}" &
        knocking+=($!)
    done
    wait "${knocking[@]}"
    ok "twenty knock at once: all open" says 'opened for 192.0.2.1(01|02|03|04|05|06|07|08|09|10)' &&
        ok "each once" poll 5 said 'ssh: opened for 192\.0\.2\.1[0-9][0-9],' 20
    ok "and all get in" in_for_all
    is "each by a rule of its own" "$(rules iptables | sort -u | wc -l)" 20
}

# scan ORDER FIRST LAST: the client's SYNs to the ports, over a raw socket, ten a millisecond: the kernel's buffer of
# messages is small, and what it overwrites would be no part of the scan any more. The checksum is right, or
# the firewall would take them for damaged.
scan() {
    # shellcheck disable=SC2016 # perl's own
    on_client perl -MSocket -e '
        my ($order, $from, $to, $first, $last, $seed) = @ARGV;
        my $sent = 0;
        socket(my $raw, PF_INET, SOCK_RAW, 6) or die $!;
        my ($src, $dst) = (inet_aton($from), inet_aton($to));
        bind($raw, sockaddr_in(0, $src)) or die $!;
        my @ports = ($first .. $last);
        @ports = reverse @ports if $order eq "descending";
        srand $seed;
        if ($order eq "random") { for (reverse 1 .. $#ports) { my $j = int rand $_ + 1; @ports[$_, $j] = @ports[$j, $_] } }
        for my $port (@ports) {
            my $tcp = pack "nnNNCCnnn", 40000, $port, 1, 0, 0x50, 2, 1024, 0, 0;
            my $sum = unpack "%32n*", $src . $dst . pack("nn", 6, length $tcp) . $tcp;
            $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
            substr($tcp, 16, 2) = pack "n", ~$sum & 0xffff;
            send($raw, $tcp, 0, sockaddr_in(0, $dst));
            select undef, undef, undef, 0.001 unless ++$sent % 10;
        }' "$1" "$CLIENT4" "$GATE4" "$2" "$3" "$SEED"
}

real_scans() {
    local order scanning
    client_address 192.0.2.77 192.0.2.78
    for order in ascending descending random; do
        mark_log
        scan $order 50000 52000 &
        scanning=$!
        send_knock 192.0.2.77 "$GATE4" "${right[@]}"
        ok "a scan of the client's, $order: a knock during it opens" \
            says "door ssh: (opened|extended) for 192.0.2.77,"
        wait $scanning
        send_knock 192.0.2.78 "$GATE4" "${right[@]}"
        ok "$order: so does one after it" says "door ssh: (opened|extended) for 192.0.2.78,"
        ok "$order: nothing opens for the scanner" not said "for $CLIENT4"
    done
    is "nor is there a rule" "$(rules iptables | grep -F -- "-s $CLIENT4/")" ""
}


# lines ORDER FROM PROTO: all ports, as the kernel writes them, with a right knock of another's in between, each time
# from other source ports: the same ones would be packets sent again.
lines() {
    log_time
    # shellcheck disable=SC2016 # perl's own
    perl -e '
        my ($order, $from, $prefix, $seed, $proto, $spt, $stamp) = @ARGV;
        my @ports = 1 .. 65535;
        @ports = reverse @ports if $order eq "descending";
        srand $seed;
        if ($order eq "random") { for (reverse 1 .. $#ports) { my $j = int rand $_ + 1; @ports[$_, $j] = @ports[$j, $_] } }
        my $line = sub {
            my ($src, $port, $proto) = @_;
            $spt = 1024 + ($spt + 1) % 60000;
            print "$stamp gate kernel: [ 4711.123456] ${prefix}IN=eth0 OUT= MAC=02:00:00:00:00:01 SRC=$src ",
                "DST=192.0.2.1 LEN=44 TOS=0x00 PREC=0x00 TTL=64 ID=$spt PROTO=", $proto eq "tcp"
                ? "TCP SPT=$spt DPT=$port WINDOW=1024 RES=0x00 SYN URGP=0 \n" : "UDP SPT=$spt DPT=$port LEN=9 \n";
        };
        my @knock = ([7412, "tcp"], [28733, "udp"], [51990, "tcp"]);
        for my $i (0 .. $#ports) {
            $line->($from, $ports[$i], $proto);
            $line->("198.51.100.1", @{$knock[$i / 20000 - 1]}) if $i && $i % 20000 == 0;
        }' "$1" "$2" "$LOG_PREFIX" "$SEED" "$3" $((who * 1000)) "$TIME_STAMP" >>"$KERN_LOG"
}

full_scans() {
    local order proto who=10
    for order in ascending descending random; do
        for proto in tcp udp; do
            mark_log
            lines $order "203.0.113.$((++who))" $proto
            ok "all ports, $order, $proto: a knock in between opens" \
                says "door ssh: (opened|extended) for 198.51.100.1," 10
            ok "$order, $proto: nothing opens for the scanner" not said "for 203.0.113.$who"
        done
    done
    mark_log
    log_packets 198.51.100.2 "${right[@]}"
    ok "after all of them, a knock opens" says "opened for 198.51.100.2,"
    is "not one scan opened anything" "$(grep -c 'for 203' "$KNOCKD_LOG")" 0
    ok "nothing was lost or skipped" not grep -qE 'overwritten|too long' "$KNOCKD_LOG"
}

needs_gate
SEED=${SEED:-$RANDOM}
diag "SEED=$SEED"
{ firewall4 && serve 2222; } || bail "no firewall or no service"
doors | configure "type = kmsg"
starts "starts"
twenty
real_scans
stop_knockd
is "ends well" $? 0
is "no rule left" "$(rules iptables)" ""
: >"$KERN_LOG"
doors | configure_file
starts "starts with a file"
full_scans
stop_knockd
is "ends well" $? 0
done_testing
