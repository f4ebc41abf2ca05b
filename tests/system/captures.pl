#!/usr/bin/perl
# captures.pl KIND [PACKETS]: writes a capture of a KIND of link to standard output, byte by byte. PACKETS names what is
# in it, below; the default is "knock": 7000, 8000:udp, 9000 from 203.0.113.9 to 192.0.2.2, a second apart from
# 2026-11-23T14:00:00 on. Options before KIND: -n nanoseconds, -b big-endian, -g pcapng, -sSECONDS between packets, -cBYTES that were
# captured of a packet at most, -4FROM,TO and -6FROM,TO other addresses.
use strict;
use warnings;
use Socket qw(inet_aton inet_pton AF_INET6);

my ($nano, $big, $ng, $between, $snap) = (0, 0, 0, 1, 262144);
my ($from4, $to4, $from6, $to6) = qw(203.0.113.9 192.0.2.2 2001:db8::9 2001:db8::2);
while (@ARGV && $ARGV[0] =~ /^-([nbgsc46])([-0-9a-f.:,]*)$/) {
    shift;
    ($from4, $to4) = split /,/, $2 if $1 eq '4';
    ($from6, $to6) = split /,/, $2 if $1 eq '6';
    $between = $2 if $1 eq 's';
    $snap = $2 if $1 eq 'c';
    $nano = 1 if $1 eq 'n';
    $big = 1 if $1 eq 'b';
    $ng = 1 if $1 eq 'g';
}
my ($kind, $what) = (@ARGV, 'knock');
my $start = 1795442400; # 2026-11-23T14:00:00Z
my ($long, $short) = $big ? ('N', 'n') : ('V', 'v');
binmode STDOUT;

# --- packets ---

# The checksum of a header of IPv4 that has none.
sub checksum {
    my $sum = unpack '%32n*', $_[0];
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    return ~$sum & 0xffff;
}

sub ip4 {
    my ($proto, $body, %with) = @_;
    my $len = $with{total} // 20 + length($body);
    my $head = pack 'CCnnnCCna4a4', $with{first} // 0x45, 0, $len, 1, $with{fragment} // 0, $with{ttl} // 64, $proto,
        0, inet_aton($with{from} // $from4), inet_aton($with{to} // $to4);
    my $packet = $head . $body;
    substr($packet, 10, 2) = pack 'n', $with{sum} // checksum(substr $packet, 0, 4 * (ord($packet) & 15));
    return $packet;
}

sub ip6 {
    my ($proto, $body, %with) = @_;
    return pack('NnCCa16a16', 0x60000000, $with{payload} // length $body, $proto, $with{ttl} // 64,
        inet_pton(AF_INET6, $with{from} // $from6), inet_pton(AF_INET6, $to6)) . $body;
}

sub tcp { return pack 'nnNNCCnnn', 4711, $_[0], 1, 0, $_[2] // 0x50, $_[1] // 2, 64240, 0, 0 }

sub udp {
    my ($port, $payload, $len) = @_;
    return pack('nnnn', 4712, $port, $len // 8 + length $payload, 0) . $payload;
}

my @steps = ([6, tcp(7000)], [17, udp(8000, 'x' x 32)], [6, tcp(9000)]);

# The steps, with another header of TCP, or another UDP length.
sub steps_with {
    my (%with) = @_;
    return [6, tcp(7000, $with{flags}, $with{offset})], [17, udp(8000, 'x' x 32, $with{length})],
        [6, tcp(9000, $with{flags}, $with{offset})];
}

# The steps of IPv6 behind an extension header of 8 bytes: its protocol, and what it has behind its length.
sub behind6 { my ($kind, $rest) = @_; return map { ip6($kind, pack('CC', $_->[0], 0) . $rest . $_->[1]) } @steps }
my %packets = (
    knock    => sub { map { ip4(@$_) } @steps },
    knock6   => sub { map { ip6(@$_) } @steps },
    padded   => sub { map { ip4(@$_) . "\0" x 6 } @steps },
    # Headers that hosts may put before the steps.
    options  => sub { map { ip4($_->[0], "\1\1\1\1$_->[1]", first => 0x46) } @steps },
    headers6 => sub { map { ip6(0, pack('CCa6', $_->[0], 0, "\1\4") . $_->[1]) } @steps },
    atomic6  => sub { map { ip6(44, pack('CCnN', $_->[0], 0, 0, 7) . $_->[1]) } @steps },
    # None of these opens anything, in whatever way they are malformed.
    later    => sub { map { ip4(@$_, fragment => 1) } @steps },
    later6   => sub { map { ip6(44, pack('CCnN', $_->[0], 0, 8, 7) . $_->[1]) } @steps },
    tunnel   => sub { map { ip4(4, ip4(@$_)) } @steps },
    tunnel6  => sub { map { ip4(41, ip6(@$_)) } @steps },
    gre      => sub { map { ip4(47, pack('nn', 0, 0x0800) . ip4(@$_)) } @steps },
    ihl      => sub { map { ip4(@$_, first => 0x44) } @steps },
    ihl15    => sub { map { ip4(@$_, first => 0x4f) } @steps },
    total    => sub { map { ip4(@$_, total => 20) } @steps },
    total0   => sub { map { ip4(@$_, total => 0) } @steps },
    payload6 => sub { map { ip6(@$_, payload => 4) } @steps },
    version  => sub { map { ip4(@$_, first => 0x55) } @steps },
    header   => sub { map { substr ip4(@$_), 0, 27 } @steps },
    nothing  => sub { map { '' } @steps },
    ack      => sub { map { ip4(6, tcp($_, 0x12)) } 7000, 8000, 9000 },
    sum      => sub { map { ip4(@$_, sum => 0) } @steps },
    beyond   => sub { map { ip4(@$_, total => 21 + length $_->[1]) } @steps },
    beyond6  => sub { map { ip6(@$_, payload => 1 + length $_->[1]) } @steps },
    route    => sub { map { ip4($_->[0], "\x83\3\4\0$_->[1]", first => 0x46) } @steps },
    strict   => sub { map { ip4($_->[0], "\x89\3\4\0$_->[1]", first => 0x46) } @steps },
    option   => sub { map { ip4($_->[0], "\1\x94\4\0$_->[1]", first => 0x46) } @steps },
    first    => sub { map { ip4(@$_, fragment => 0x2000) } @steps },
    first6   => sub { behind6(44, pack('nN', 1, 7)) },
    offset4  => sub { map { ip4(@$_) } steps_with(offset => 0x40) },
    offset15 => sub { map { ip4(@$_) } steps_with(offset => 0xf0) },
    offset6  => sub { map { ip6(@$_) } steps_with(offset => 0x40) },
    length7  => sub { map { ip4(@$_) } steps_with(length => 7) },
    length41 => sub { map { ip4(@$_) } steps_with(length => 41) },
    length6  => sub { map { ip6(@$_) } steps_with(length => 41) },
    synfin   => sub { map { ip4(@$_) } steps_with(flags => 3) },
    synrst   => sub { map { ip4(@$_) } steps_with(flags => 6) },
    from127  => sub { map { ip4(@$_, from => '127.0.0.1') } @steps },
    nobody   => sub { map { ip4(@$_, from => '0.0.0.0') } @steps },
    fromgroup => sub { map { ip4(@$_, from => '224.0.0.9') } @steps },
    fromall  => sub { map { ip4(@$_, from => '255.255.255.255') } @steps },
    fromlo6  => sub { map { ip6(@$_, from => '::1') } @steps },
    mapped6  => sub { map { ip6(@$_, from => '::ffff:203.0.113.9') } @steps },
    fromgroup6 => sub { map { ip6(@$_, from => 'ff02::9') } @steps },
    route6   => sub { behind6(43, "\0\1\0\0\0\0") },
    option6  => sub { behind6(0, "\x5e\4\0\0\0\0") },
    jumbo6   => sub {
        map { ip6(0, pack('CCnN', $_->[0], 0, 0xc204, 8 + length $_->[1]) . $_->[1], payload => 0) } @steps;
    },
    hop6     => sub {
        map { ip6(60, pack('CCa6CCa6', 0, 0, "\1\4", $_->[0], 0, "\1\4") . $_->[1]) } @steps;
    },
    # Hosts take these.
    ttl0     => sub { map { ip4(@$_, ttl => 0) } @steps },
    hops0    => sub { map { ip6(@$_, ttl => 0) } @steps },
    routed6  => sub { behind6(43, "\0\0\0\0\0\0") },
    # Endless extension headers, up to a packet's length.
    endless6 => sub { ip6(0, pack('CCa6', 0, 0, "\1\4") x 8000) },
    arp      => sub { pack 'nnCCn', 1, 0x0800, 6, 4, 1 },
    # What the kernel leaves out for a source that captures, and strays that are forgiven, or not.
    others   => sub { map { ip4(17, udp($_, 'x')) } 53, 443, 51820 },
    strays   => sub { map { ip4(@$_) } $steps[0], [6, tcp(443)], [6, tcp(80)], @steps[1, 2] },
    strays3  => sub { map { ip4(@$_) } $steps[0], (map { [6, tcp($_)] } 443, 80, 25), @steps[1, 2] },
    decoy    => sub { map { ip4(@$_) } $steps[0], [6, tcp(7001)], @steps[1, 2] },
    group    => sub { map { ip4(@$_, to => '224.0.0.251') } @steps },
    # Sealed messages, or what looks like one: 32 and 48 bytes; 33 bytes are none.
    whole    => sub { map { ip4(17, udp(32287, "\x5a" x $_)) } 32, 48, 33 },
    cut      => sub { ip4(17, udp(32287, "\x5a" x 32)) },
);

# --- links ---

sub version { return ord($_[0] || 'E') >> 4 == 6 ? 6 : 4 }

sub ethertype {
    my ($packet) = @_;
    return 0x0806 if $packet =~ /^\x00\x01/; # ARP
    return version($packet) == 6 ? 0x86dd : 0x0800;
}

sub ppp { return pack 'n', version($_[0]) == 6 ? 0x57 : 0x21 }
my $macs = "\x02\0\0\0\0\1\x02\0\0\0\0\2";

sub sll2 {
    my ($packet, $type) = @_;
    return pack('nnNnCCa8', ethertype($packet), 0, 2, 1, $type, 6, "\x02\0\0\0\0\2") . $packet;
}

my %links = (
    ethernet => [1, sub { $macs . pack('n', ethertype($_[0])) . $_[0] }],
    vlan     => [1, sub { $macs . pack('nnn', 0x8100, 5, ethertype($_[0])) . $_[0] }],
    qinq     => [1, sub { $macs . pack('n5', 0x88a8, 5, 0x8100, 6, ethertype($_[0])) . $_[0] }],
    pppoe    => [1, sub { $macs . pack('nnnn', 0x8864, 0x1100, 7, 2 + length $_[0]) . ppp($_[0]) . $_[0] }],
    multicast => [1, sub { "\x01\0\x5e\0\0\xfb" . substr($macs, 6) . pack('n', ethertype($_[0])) . $_[0] }],
    wrong    => [1, sub { $macs . pack('n', 0x86dd) . $_[0] }],
    tags     => [1, sub { $macs . pack('nn', 0x8100, 5) x 20 }],
    short    => [1, sub { substr $macs, 0, 9 }],
    raw      => [101, sub { $_[0] }],
    ip4      => [228, sub { $_[0] }],
    ip6      => [229, sub { $_[0] }],
    sll      => [113, sub { pack('nnna8n', 0, 1, 6, "\x02\0\0\0\0\2", ethertype($_[0])) . $_[0] }],
    'sll-out' => [113, sub { pack('nnna8n', 4, 1, 6, '', ethertype($_[0])) . $_[0] }],
    sll2     => [276, sub { sll2($_[0], 0) }],
    'sll2-group' => [276, sub { sll2($_[0], 1) }],
    'sll2-other' => [276, sub { sll2($_[0], 3) }],
    'sll2-out'   => [276, sub { sll2($_[0], 4) }],
    null     => [0, sub { pack($long, version($_[0]) == 6 ? 30 : 2) . $_[0] }],
    'null-swapped' => [0, sub { pack($big ? 'V' : 'N', version($_[0]) == 6 ? 24 : 2) . $_[0] }],
    loop     => [108, sub { pack('N', version($_[0]) == 6 ? 24 : 2) . $_[0] }],
    ppp      => [9, sub { ppp($_[0]) . $_[0] }],
    'ppp-hdlc' => [9, sub { "\xff\3" . ppp($_[0]) . $_[0] }],
    'ppp-short' => [9, sub { substr(ppp($_[0]), 1) . $_[0] }],
    'ppp-serial' => [50, sub { "\xff\3" . ppp($_[0]) . $_[0] }],
    cisco    => [50, sub { pack('nn', 0x0f00, ethertype($_[0])) . $_[0] }],
    'ppp-in' => [166, sub { "\0\3" . ppp($_[0]) . $_[0] }],
    'ppp-out' => [166, sub { "\1\3" . ppp($_[0]) . $_[0] }],
    wifi     => [105, sub { "\x08\0" . "\0" x 22 . "\xaa\xaa\3\0\0\0" . pack('n', 0x0800) . $_[0] }],
);

# --- files ---

my ($link, $frame) = @{$links{$kind} // die "captures.pl: no such link: $kind\n"};
my $packets = $packets{$what} // die "captures.pl: no such packets: $what\n";
my $fraction = $nano ? 123456789 : 123456;

sub block {
    my ($type, $body) = @_;
    $body .= "\0" x (-length($body) % 4);
    return pack("$long$long", $type, 12 + length $body) . $body . pack($long, 12 + length $body);
}

if ($ng) {
    my $resolution = $nano ? pack("$short${short}Ca3$short$short", 9, 1, 9, '', 0, 0) : '';
    print block(0x0a0d0d0a, pack("$long$short$short$long$long", 0x1a2b3c4d, 1, 0, 0xffffffff, 0xffffffff)),
        block(1, pack("$short$short$long", $link, 0, 262144) . $resolution);
} else {
    print pack "$long$short$short$long$long$long$long", $nano ? 0xa1b23c4d : 0xa1b2c3d4, 2, 4, 0, 0, 262144, $link;
}
my $second = $start;
for my $packet ($packets->()) {
    my $bytes = $frame->($packet);
    my $whole = length $bytes;
    $bytes = substr $bytes, 0, $snap;
    if ($ng) {
        my $time = $second * ($nano ? 1000000000 : 1000000) + $fraction;
        print block(6, pack("$long$long$long$long$long", 0, $time >> 32, $time & 0xffffffff, length $bytes,
            $whole) . $bytes);
    } else {
        print pack("$long$long$long$long", $second, $fraction, length $bytes, $whole), $bytes;
    }
    $second += $between;
}
