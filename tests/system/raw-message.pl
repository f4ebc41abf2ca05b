#!/usr/bin/perl
# raw-message.pl FROM TO PORT FORM MESSAGE: sends the message, in hex, to a port as one IP packet made by hand. FORM:
#   whole      as it should be, by UDP                cut      without its last byte
#   long       with a byte more                       less     the UDP header says that there is a byte less
#   tcp        behind a TCP header with SYN           udplite  by UDP-Lite
#   fragments  whole, in two fragments                first    the first of these alone
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6 IPPROTO_IP IPPROTO_RAW);

my ($from, $to, $port, $form, $hex) = @ARGV;
my $family = $from =~ /:/ ? AF_INET6 : AF_INET;
my ($source, $target) = map { inet_pton($family, $_) // die "no address: $_\n" } $from, $to;
my $message = pack 'H*', $hex // die "usage: see the head of $0\n";
my $sport = 20000 + $$ % 20000;

# Of the 16-bit words (RFC 1071).
sub checksum {
    my $sum = 0;
    $sum += $_ for unpack 'n*', $_[0] . (length($_[0]) % 2 ? "\0" : '');
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    return ~$sum & 0xffff;
}

# Of a header and payload that has 0 where the checksum stands.
sub summed {
    my ($proto, $bytes, $at) = @_;
    substr($bytes, $at, 2) = pack 'n', checksum($source . $target . pack('NN', length $bytes, $proto) . $bytes);
    return $bytes;
}

sub datagram {
    my ($proto, $payload, $less) = @_;
    return summed($proto, pack('n4', $sport, $port, 8 + length($payload) - ($less // 0), 0) . $payload, 6);
}

sub syn {
    return summed(6, pack('nnNNCCnnn', $sport, $port, 4711, 0, 5 << 4, 2, 64240, 0, 0) . $message, 16);
}

# A packet, or a fragment, of which $more follow behind $offset.
sub ip {
    my ($proto, $bytes, $offset, $more) = @_;
    my $part = defined $offset;
    if ($family == AF_INET) {
        my $flags = $part ? $offset / 8 | ($more ? 0x2000 : 0) : 0x4000;
        return pack('CCnnnCCn', 0x45, 0, 20 + length $bytes, $$ % 65535 + 1, $flags, 64, $proto, 0) . $source . $target . $bytes;
    }
    $bytes = pack('CCnN', $proto, 0, $offset | ($more ? 1 : 0), $$) . $bytes if $part;
    return pack('NnCC', 6 << 28, length $bytes, $part ? 44 : $proto, 64) . $source . $target . $bytes;
}

sub fragments {
    my $bytes = datagram(17, $message);
    return (ip(17, substr($bytes, 0, 24), 0, 1), ip(17, substr($bytes, 24), 24, 0));
}

my %forms = (
    whole => sub { ip(17, datagram(17, $message)) },
    cut => sub { ip(17, datagram(17, substr $message, 0, -1)) },
    long => sub { ip(17, datagram(17, "$message\0")) },
    less => sub { ip(17, datagram(17, $message, 1)) },
    tcp => sub { ip(6, syn()) },
    udplite => sub { ip(136, datagram(136, $message)) },
    fragments => \&fragments,
    first => sub { (fragments())[0] },
);
my @packets = ($forms{$form} // die "no such form: $form\n")->();
socket my $socket, $family, SOCK_RAW, IPPROTO_RAW or die "no raw socket: $!\n";
setsockopt $socket, IPPROTO_IP, 3, 1 if $family == AF_INET; # IP_HDRINCL
my $place = $family == AF_INET ? pack_sockaddr_in(0, $target) : pack_sockaddr_in6(0, $target);
send $socket, $_, 0, $place or die "cannot send: $!\n" for @packets;
