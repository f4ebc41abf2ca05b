#!/usr/bin/perl
# The packets of tests/data/knocks.txt, made by hand on raw sockets, since connect() chooses flags and ports itself.
#   knocks.pl NET4 GATE4 NET6 GATE6 CLIENT PACKET...
# Each packet goes to both gates, from the addresses NET4 and NET6 with the client's number behind.
use strict;
use warnings;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6 IPPROTO_ICMP IPPROTO_ICMPV6 IPPROTO_TCP IPPROTO_UDP);

my %bit = ('-' => 0, fin => 1, syn => 2, rst => 4, psh => 8, ack => 16, urg => 32, ece => 64, cwr => 128);
my ($net4, $gate4, $net6, $gate6, $client, @packets) = @ARGV;
die "usage: see the head of $0\n" unless @packets;

# Of the 16-bit words (RFC 1071).
sub checksum {
    my $sum = 0;
    $sum += $_ for unpack 'n*', $_[0] . (length($_[0]) % 2 ? "\0" : '');
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    return ~$sum & 0xffff;
}

# Header and payload for one pair of packed addresses; the checksum covers these too.
sub segment {
    my ($packet, $from, $to) = @_;
    my ($spt, $dpt, $flags) = @$packet{qw(spt dpt flags)};
    my $make = $packet->{proto} == IPPROTO_TCP
        ? sub { pack 'nnNNCCnnn', $spt, $dpt, 4711, 0, 5 << 4, $flags, 64240, $_[0], 0 }
        : sub { pack 'nnnna*', $spt, $dpt, 9, $_[0], 'x' };
    my $blank = $make->(0);
    return $make->(checksum($from . $to . pack('NN', length $blank, $packet->{proto}) . $blank));
}

# The kernel fills in an ICMPv6 checksum.
sub echo_request {
    my ($family) = @_;
    return pack 'CCnnn', 128, 0, 0, 1, 1 if $family == AF_INET6;
    return pack 'CCnnn', 8, 0, checksum(pack 'CCnnn', 8, 0, 0, 1, 1), 1, 1;
}

sub send_packet {
    my ($packet, $family, $from, $to) = @_;
    my ($proto, $place) = ($packet->{proto}, $family == AF_INET ? \&pack_sockaddr_in : \&pack_sockaddr_in6);
    my @packed = map { inet_pton($family, $_) // die "no address: $_\n" } $from, $to;
    $proto = IPPROTO_ICMPV6 if $proto == IPPROTO_ICMP && $family == AF_INET6;
    socket my $socket, $family, SOCK_RAW, $proto or die "no raw socket: $!\n";
    bind $socket, $place->(0, $packed[0]) or die "cannot send from $from: $!\n";
    my $bytes = $packet->{proto} == IPPROTO_ICMP ? echo_request($family) : segment($packet, @packed);
    send $socket, $bytes, 0, $place->(0, $packed[1]) or die "cannot send to $to: $!\n";
}

my $next_port = 20000 + $$ % 20000;

sub parse {
    my ($text) = @_;
    return { proto => IPPROTO_ICMP, from => $client } if $text eq 'ping';
    my ($dpt, $proto, $flags, $from) = $text =~ m{^(\d+)(?::(tcp|udp))?(?:/([a-z,-]+))?(?:\@(\d+))?$}
        or die "not a packet: $text\n";
    my $bits = 0;
    $bits |= $bit{$_} // die "no flag '$_': $text\n" for split /,/, $flags // 'syn';
    return { proto => ($proto // 'tcp') eq 'udp' ? IPPROTO_UDP : IPPROTO_TCP, dpt => $dpt, spt => $next_port++,
        flags => $bits, from => $from // $client };
}

my $last;
for my $text (@packets) {
    if ($text =~ /^\+([\d.]+)$/) {
        select undef, undef, undef, $1;
        next;
    }
    $last = parse($text) unless $text eq '=' && $last;
    send_packet($last, AF_INET, $net4 . $last->{from}, $gate4);
    send_packet($last, AF_INET6, $net6 . $last->{from}, $gate6);
    # A wire with one queue, but what reads the log shall see them one by one.
    select undef, undef, undef, 0.005;
}
