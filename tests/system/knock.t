#!/bin/bash
# The client in a network namespace of its own: which packets leave, and what it says when none can.
# Run as root from the repository root. KNOCK names another binary.
set -u

KNOCK=$(realpath "${KNOCK:-${BUILD:-build}/knock/knock}" 2>/dev/null)

skip_all() {
    echo "1..0 # SKIP $1"
    exit 0
}

[ "$(id -u)" = 0 ] || skip_all "needs root to make a network namespace"
for tool in ip iptables ip6tables perl; do
    command -v "$tool" >/dev/null || skip_all "$tool is missing"
done
[ -x "$KNOCK" ] || {
    echo "not ok 1 - no knock at ${KNOCK:-${BUILD:-build}/knock/knock}: run make first"
    exit 1
}

NS=knockd-test-$$-knock
DIR=$(mktemp -d)
cleanup() {
    ip netns del "$NS" 2>/dev/null
    rm -rf "$DIR"
}
trap cleanup EXIT
trap 'exit 1' INT TERM HUP

in_ns() { ip netns exec "$NS" "$@"; }

# One end sends, nobody answers at the other; without ARP nothing but knocks is sent.
if ! ip netns add "$NS" 2>/dev/null || ! ip -n "$NS" link add out type veth peer name far; then
    skip_all "cannot make a network namespace with a veth pair"
fi
ip -n "$NS" link set lo up
ip -n "$NS" link set out arp off
ip -n "$NS" link set far up
ip -n "$NS" link set out up
ip -n "$NS" addr add 192.0.2.1/24 dev out
ip -n "$NS" addr add 2001:db8::1/64 dev out nodad

# Runs a command and prints each TCP and UDP packet that leaves meanwhile, as the kernel sees it go:
# "PROTO DESTINATION PORT FLAGS PAYLOAD", source ports to the file `sports`, addresses to `sources`, numbers of
# interfaces to `interfaces`, times (µs) to `times`.
# A packet is in the socket before the call that sent it returns, so nothing is waited for.
cat >"$DIR/capture" <<'PERL'
use strict;
use warnings;
use Socket;
my ($dir, @command) = @ARGV;
socket(my $tap, 17, SOCK_DGRAM, unpack("S", pack("n", 3))) or die "packet socket: $!"; # ETH_P_ALL
setsockopt($tap, SOL_SOCKET, SO_RCVBUF, pack("i", 1 << 20));
my $stamp = "\0" x 16;
ioctl($tap, 0x8906, $stamp); # SIOCGSTAMP: asking once turns the times on
my $status = system(@command) >> 8;
open(my $sports, ">", "$dir/sports") or die;
open(my $times, ">", "$dir/times") or die;
open(my $sources, ">", "$dir/sources") or die;
open(my $interfaces, ">", "$dir/interfaces") or die;
while (defined(my $from = recv($tap, my $packet, 65536, MSG_DONTWAIT))) {
    my ($interface, $kind) = unpack("x4 l x2 C", $from);
    next unless $kind == 4; # PACKET_OUTGOING
    ioctl($tap, 0x8906, $stamp) or die "time of a packet: $!";
    my ($proto, $to, $source, $rest);
    if (ord($packet) >> 4 == 4) {
        $proto = ord(substr($packet, 9, 1));
        $to = inet_ntoa(substr($packet, 16, 4));
        $source = inet_ntoa(substr($packet, 12, 4));
        $rest = substr($packet, 4 * (ord($packet) & 15));
    } else {
        $proto = ord(substr($packet, 6, 1));
        $to = Socket::inet_ntop(AF_INET6, substr($packet, 24, 16));
        $source = Socket::inet_ntop(AF_INET6, substr($packet, 8, 16));
        $rest = substr($packet, 40);
    }
    next unless $proto == 6 || $proto == 17;
    my ($sport, $port, $length) = unpack("nnn", $rest);
    print $proto == 6 ? sprintf("tcp %s %d 0x%02x\n", $to, $port, ord(substr($rest, 13, 1)))
        : sprintf("udp %s %d %d\n", $to, $port, $length - 8);
    print $sports "$sport\n";
    print $sources "$source\n";
    print $interfaces "$interface\n";
    my ($s, $us) = unpack("l!l!", $stamp);
    print $times $s * 1000000 + $us, "\n";
}
exit $status;
PERL

# Runs knock with the arguments; leaves STATUS and the files packets, out, err, sports, times.
knock() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    in_ns perl "$DIR/capture" "$DIR" \
        sh -c 'exec "$@" >"$0/out" 2>"$0/err"' "$DIR" "$KNOCK" "$@" >"$DIR/packets"
    STATUS=$?
}

count=0
# result NAME CONDITION...: one test; when it fails, all that knock did.
result() {
    local name=$1
    shift
    count=$((count + 1))
    if "$@"; then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        echo "# status $STATUS; failed: $*"
        for file in packets out err; do
            sed "s/^/# $file: /" "$DIR/$file"
        done
    fi
}

# The file has these lines and no other.
holds() {
    local file=$1
    shift
    [ "$(cat "$DIR/$file")" = "$(printf '%s\n' "$@")" ]
}

has_error() { grep -qF -- "$1" "$DIR/err"; }
exited() { [ "$STATUS" = "$1" ]; }
empty() { [ ! -s "$DIR/$1" ]; }
distinct() { [ "$(sort -u "$DIR/sports" | wc -l)" = "$1" ]; }
succeeded() { exited 0 && empty err; }
refused() { exited 1 && has_error "$1" && empty packets && empty out; }

# --- what is sent -----------------------------------------------------------------------------
knock -d 0 192.0.2.99 7000 8000:udp 9000:TCP 7000:Udp
result "IPv4: exits 0, says nothing" succeeded
result "IPv4: SYNs and empty datagrams in order" holds packets \
    "tcp 192.0.2.99 7000 0x02" "udp 192.0.2.99 8000 0" \
    "tcp 192.0.2.99 9000 0x02" "udp 192.0.2.99 7000 0"

knock 2001:db8::99 7000 8000:udp -d 1 9000
result "IPv6: exits 0, says nothing" succeeded
# ECN is off by default for outgoing connections, so that a SYN is a SYN alone.
result "IPv6: SYNs and empty datagrams in order" holds packets \
    "tcp 2001:db8::99 7000 0x02" "udp 2001:db8::99 8000 0" "tcp 2001:db8::99 9000 0x02"

knock -u -d0 192.0.2.99 7000 8000:tcp 9000
result "-u: UDP where nothing is said" holds packets \
    "udp 192.0.2.99 7000 0" "tcp 192.0.2.99 8000 0x02" "udp 192.0.2.99 9000 0"

repeats=$(yes 7000 | head -32)
# shellcheck disable=SC2086 # words are meant
knock -d 0 192.0.2.99 $repeats
result "a TCP port repeated: each time a new source port" distinct 32
# shellcheck disable=SC2086
knock -d 0 --bind 192.0.2.1 192.0.2.99 $repeats
result "the same with --bind" distinct 32
# So few source ports that random ones would be sure to repeat.
in_ns sh -c 'echo 40000 40063 >/proc/sys/net/ipv4/ip_local_port_range'
# shellcheck disable=SC2086
knock -d 0 -u 192.0.2.99 $repeats
result "a UDP port repeated: each time a new source port" distinct 32

# More knocks than a sequence has steps, with few descriptors: sockets aren't piled up.
# shellcheck disable=SC2046,SC2016
in_ns perl "$DIR/capture" "$DIR" bash -c 'ulimit -n 64; exec "$@" >/dev/null 2>"$0/err"' "$DIR" \
    "$KNOCK" -u -d 0 192.0.2.99 $(seq 1 200) >"$DIR/packets"
STATUS=$?
result "200 knocks with 64 descriptors" exited 0
result "200 knocks: all leave" holds packets "$(seq -f 'udp 192.0.2.99 %.0f 0' 1 200)"

# Of two addresses the second, by the interface that is named.
ip -n "$NS" addr add 192.0.2.5/24 dev out
ip -n "$NS" addr add 2001:db8::5/64 dev out nodad preferred_lft 0
from() { sort -u "$DIR/sources" | xargs; }
knock -d 0 --bind 192.0.2.5 192.0.2.99 7000 8000:udp
result "--bind: packets from that address" [ "$(from)" = 192.0.2.5 ]
knock -d 0 --bind 2001:db8::5 2001:db8::99 7000 8000:udp
result "--bind: IPv6, too" [ "$(from)" = 2001:db8::5 ]
ip -n "$NS" route add 203.0.113.0/24 dev out
knock -d 0 --interface out 203.0.113.1 7000 8000:udp
result "--interface: packets by it" holds packets "tcp 203.0.113.1 7000 0x02" "udp 203.0.113.1 8000 0"
knock -d 0 --interface lo 203.0.113.1 7000
result "--interface: against the route" [ "$(cat "$DIR/interfaces")" = 1 ]
ip -n "$NS" route del 203.0.113.0/24 dev out

# Lower bounds only: a busy machine may take longer.
smallest_gap() {
    [ "$(awk 'NR > 1 && (m == "" || $1 - last < m) { m = $1 - last } { last = $1 } END { print m }' \
        "$DIR/times")" -ge "$1" ]
}
knock -d 60 192.0.2.99 7000 8000:udp 9000
result "-d 60: 60 ms between any two" smallest_gap 60000
knock 192.0.2.99 7000 8000:udp 9000
result "without -d: 20 ms between any two" smallest_gap 20000

# --- what is printed --------------------------------------------------------------------------
knock -v -d 0 192.0.2.99 7000 8000:udp
result "-v prints each knock" holds out "hitting tcp 192.0.2.99:7000" "hitting udp 192.0.2.99:8000"
knock --verbose --delay=0 --ipv6 --udp 2001:db8::99 7000
result "long options; IPv6 in brackets" holds out "hitting udp [2001:db8::99]:7000"
result "long options: the packet" holds packets "udp 2001:db8::99 7000 0"

knock -4v -d 0 localhost 7000 7001
result "a name: its address once, then the knocks" holds out "localhost is 127.0.0.1" \
    "hitting tcp 127.0.0.1:7000" "hitting tcp 127.0.0.1:7001"
knock -4 -d 0 localhost 7000
result "a refused connection is a knock sent" succeeded

knock --dry-run -4 localhost 7000 8000:udp
result "--dry-run exits 0" succeeded
result "--dry-run sends nothing" empty packets
result "--dry-run prints what -v prints" holds out "localhost is 127.0.0.1" \
    "hitting tcp 127.0.0.1:7000" "hitting udp 127.0.0.1:8000"

if getent services ssh/tcp domain/udp >/dev/null; then
    knock --dry-run 192.0.2.99 ssh domain:udp
    result "names of services" holds out "hitting tcp 192.0.2.99:22" "hitting udp 192.0.2.99:53"
else
    count=$((count + 1))
    echo "ok $count # SKIP no services(5)"
fi

knock -V
result "-V prints name and version" grep -qE '^knock [0-9]+\.[0-9.]+$' "$DIR/out"
knock --help
result "--help prints the usage on stdout" grep -q '^usage: knock ' "$DIR/out"
result "--help exits 0" succeeded

# --- what can't be sent -----------------------------------------------------------------------
knock 203.0.113.1 7000 8000
result "IPv4 without a route: exits 1, says why" refused \
    "knock: cannot send to tcp 203.0.113.1:7000: Network is unreachable"
knock -u 2001:db8:1::1 7000
result "IPv6 without a route: exits 1, says why" refused \
    "knock: cannot send to udp [2001:db8:1::1]:7000: Network is unreachable"
knock fe80::1 7000
result "a link-local address without interface" refused "needs its interface"

for verdict in DROP REJECT; do
    in_ns iptables -I OUTPUT -p udp --dport 8000 -j "$verdict"
    knock -d 0 192.0.2.99 7000 8000:udp 9000
    result "$verdict in OUTPUT: says so" has_error \
        "knock: cannot send to udp 192.0.2.99:8000: Operation not permitted; a firewall rule"
    result "$verdict in OUTPUT: exits 1" exited 1
    result "$verdict in OUTPUT: stops there" holds packets "tcp 192.0.2.99 7000 0x02"
    in_ns iptables -D OUTPUT -p udp --dport 8000 -j "$verdict"
done
in_ns ip6tables -I OUTPUT -p udp -j DROP
knock -u 2001:db8::99 8000
result "DROP in OUTPUT, IPv6: exits 1, says so" refused \
    "cannot send to udp [2001:db8::99]:8000: Operation not permitted"

# --- wrong arguments: "message | arguments" ----------------------------------------------------
while IFS='|' read -r message arguments; do
    eval "words=($arguments)"
    # shellcheck disable=SC2154 # set by eval
    knock "${words[@]}"
    result "wrong:$arguments" refused "knock: $message"
    result "wrong:$arguments: usage" has_error "usage: knock "
done <<'TABLE'
no HOST given|
no PORT given to knock at on host "192.0.2.99"| -- 192.0.2.99
--carrier is not for this form of the command| --carrier udp 192.0.2.99 7000
--udp is not for this form of the command| -u home
-k FILE is followed by HOST and DOOR| -k file 192.0.2.99
-k and --proxy exclude each other| -k file --proxy home gate 22
--proxy is followed by NAME, HOST and PORT| --proxy home
--key lacks its argument: --key FILE| -k
port "0"| 192.0.2.99 0
port "65536"| 192.0.2.99 7000 65536
port "-"| 192.0.2.99 7000 -
port ""| 192.0.2.99 7000 ''
port "7000:sctp"| 192.0.2.99 6999 7000:sctp
port "7000:"| 192.0.2.99 7000:
port "7000,8000:udp": give each port as an argument of its own, as in: 7000 8000:udp 9000| 192.0.2.99 7000,8000:udp
port "no-such-service"| 192.0.2.99 no-such-service
host "7000" is a port| 7000 8000 9000
-4 and -6 exclude each other| -4 -6 192.0.2.99 7000
delay "x"| -d x 192.0.2.99 7000
delay ""| -d '' 192.0.2.99 7000
delay "-1"| -d -1 192.0.2.99 7000
delay "60001"| -d 60001 192.0.2.99 7000
delay "99999999999999999999"| -d 99999999999999999999 192.0.2.99 7000
--delay lacks its argument: --delay MS| 192.0.2.99 7000 -d
no such option: -z; see knock --help| -z 192.0.2.99 7000
no such option: --nothing; see knock --help| --nothing 192.0.2.99 7000
no such option: --lst; did you mean --list?| --lst
TABLE

while IFS='|' read -r message arguments; do
    # shellcheck disable=SC2086 # words are meant
    knock $arguments
    result "wrong:$arguments" refused "knock: $message"
done <<'TABLE'
192.0.2.77 is not an address of this machine| --bind 192.0.2.77 192.0.2.99 7000
a knock to 192.0.2.99 can't come from 2001:db8::1| --bind 2001:db8::1 192.0.2.99 7000
command line: bind: "out" won't do| --bind out 192.0.2.99 7000
this machine has no interface "far2"| --interface far2 192.0.2.99 7000
TABLE

# One word is a profile: whoever forgot the ports is told both.
export HOME=$DIR
knock 192.0.2.99
result "one word: no such profile" refused \
    "knock: there is no profile \"192.0.2.99\" in $DIR/.config/knock/knock.conf: there is no such file, see knock.conf(5); or"
result "one word: the plain form" has_error "its ports are missing: knock 192.0.2.99 PORT[:PROTO]..."
knock -d 0 192.0.2.99 7000 -- 8000
result "-- among ports ends the options, as ever" holds packets "tcp 192.0.2.99 7000 0x02" "tcp 192.0.2.99 8000 0x02"

knock nosuchhost.invalid 7000
result "a host that doesn't resolve" refused 'knock: cannot resolve "nosuchhost.invalid"'
knock -6 192.0.2.99 7000
result "-6 with an IPv4 address" refused 'knock: cannot resolve "192.0.2.99" to an IPv6 address'
knock -4 2001:db8::99 7000
result "-4 with an IPv6 address" refused 'knock: cannot resolve "2001:db8::99" to an IPv4 address'

# shellcheck disable=SC2016
in_ns sh -c '"$0" --dry-run 192.0.2.99 7000 >/dev/full 2>"$1/err"' "$KNOCK" "$DIR"
STATUS=$?
result "output that can't be written: exits 1" exited 1
result "output that can't be written: says so" has_error "cannot write to standard output"

echo "1..$count"
