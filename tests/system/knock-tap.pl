#!/usr/bin/perl
# knock-tap.pl FILE: writes what arrives on all interfaces of this network namespace to FILE, a line a packet, until it
# is ended: "PROTO SOURCE SPORT DPORT LENGTH HEX" for each SYN without ACK and each UDP datagram, LENGTH and HEX of
# UDP's payload. Says "ready" first.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_ntop AF_INET AF_INET6);

my ($file) = @ARGV;
open my $out, '>', $file or die "$file: $!\n";
$out->autoflush(1);
socket(my $tap, 17, SOCK_DGRAM, unpack('S', pack('n', 3))) or die "packet socket: $!\n"; # ETH_P_ALL
setsockopt($tap, SOL_SOCKET, SO_RCVBUF, pack('i', 1 << 22));
$| = 1;
print "ready\n";
while (defined(my $from = recv($tap, my $packet, 65536, 0))) {
    my ($kind) = unpack 'x10 C', $from;
    next if $kind == 4; # PACKET_OUTGOING
    my ($proto, $source, $rest);
    if (ord($packet) >> 4 == 4) {
        ($proto, $source) = (ord(substr $packet, 9, 1), inet_ntop(AF_INET, substr $packet, 12, 4));
        $rest = substr $packet, 4 * (ord($packet) & 15);
    } else {
        ($proto, $source) = (ord(substr $packet, 6, 1), inet_ntop(AF_INET6, substr $packet, 8, 16));
        $rest = substr $packet, 40;
    }
    next unless $proto == 17 || $proto == 6 && (ord(substr $rest, 13, 1) & 0x17) == 2;
    my ($sport, $dport, $length) = unpack 'nnn', $rest;
    my $payload = $proto == 17 ? substr $rest, 8, $length - 8 : '';
    printf $out "%s %s %d %d %d %s\n", $proto == 17 ? 'udp' : 'tcp', $source, $sport, $dport, length $payload,
        length $payload == 32 || length $payload == 48 ? unpack 'H*', $payload : '-';
}
