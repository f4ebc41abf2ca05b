#!/usr/bin/perl
# Many packets, made by hand on raw sockets.
#   packets.pl scan PROTO ORDER FROM TO RATE   all ports once; ORDER: up, down, random or a stride
#   packets.pl spoof TO PORT RATE SECONDS      SYNs from addresses of 10.0.0.0/8, each once
#   packets.pl load FROM TO PORT RATE SECONDS  UDP of 1200 bytes from one socket
#   packets.pl tun NAME FROM TO PORT:PROTO...  as if they came in by a tun interface, which this makes; ends with input
#   packets.pl inject NAME MAC   the packets of a capture of raw IP in standard input, as frames for MAC
# RATE is packets a second. Prints how many were sent, and the seconds that it took.
use strict;
use warnings;
use List::Util qw(shuffle);
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6 IPPROTO_TCP IPPROTO_UDP IPPROTO_IP);
use Time::HiRes qw(time sleep);

$| = 1;
my $mode = shift // '';

sub family { return $_[0] =~ /:/ ? AF_INET6 : AF_INET }

sub place {
    my ($address, $port) = @_;
    my $packed = inet_pton(family($address), $address) // die "no address: $address\n";
    return family($address) == AF_INET ? pack_sockaddr_in($port, $packed) : pack_sockaddr_in6($port, $packed);
}

# What reads it here doesn't look at their checksums.
sub tcp { my ($spt, $dpt) = @_; return pack 'nnNNCCnnn', $spt, $dpt, 1, 0, 5 << 4, 2, 64240, 0, 0 }
sub udp { my ($spt, $dpt, $data) = @_; return pack 'nnnna*', $spt, $dpt, 8 + length $data, 0, $data }

sub ipv4 {
    my ($from, $to, $proto, $rest) = @_;
    my $head = pack 'CCnnnCCna4a4', 0x45, 0, 20 + length $rest, 0, 0, 64, $proto, 0, inet_pton(AF_INET, $from),
        inet_pton(AF_INET, $to);
    my $sum = unpack '%32n*', $head;
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    substr($head, 10, 2) = pack 'n', ~$sum & 0xffff;
    return $head . $rest;
}

sub ipv6 {
    my ($from, $to, $proto, $rest) = @_;
    return pack 'NnCCa16a16a*', 6 << 28, length $rest, $proto, 64, inet_pton(AF_INET6, $from),
        inet_pton(AF_INET6, $to), $rest;
}

# Calls for each number below COUNT, RATE times a second.
sub paced {
    my ($count, $rate, $call) = @_;
    my ($begin, $sent) = (time, 0);
    while ($sent < $count) {
        my $due = int((time - $begin) * $rate) + 1;
        $call->($sent++) while $sent < $due && $sent < $count;
        sleep 0.002;
    }
    printf "sent %d seconds %.2f\n", $sent, time - $begin;
}

sub scan {
    my ($proto, $order, $from, $to, $rate) = @_;
    my $number = $proto eq 'tcp' ? IPPROTO_TCP : IPPROTO_UDP;
    socket my $socket, family($to), SOCK_RAW, $number or die "no raw socket: $!\n";
    bind $socket, place($from, 0) or die "cannot send from $from: $!\n";
    my @ports = $order eq 'up' ? (0 .. 65535) : $order eq 'down' ? reverse(0 .. 65535) : shuffle(0 .. 65535);
    if ($order =~ /^\d+$/) {
        @ports = map { my $first = $_; map { $first + $order * $_ } 0 .. (65535 - $first) / $order } 0 .. $order - 1;
    }
    my $where = place($to, 0);
    paced(scalar @ports, $rate, sub {
        my $port = $ports[$_[0]];
        send $socket, $proto eq 'tcp' ? tcp(40000, $port) : udp(40000, $port, 'x'), 0, $where;
    });
}

sub spoof {
    my ($to, $port, $rate, $seconds) = @_;
    socket my $socket, AF_INET, SOCK_RAW, 255 or die "no raw socket: $!\n";
    my $where = place($to, 0);
    paced($rate * $seconds, $rate, sub {
        my $m = $_[0] * 7919 % 2**24;
        send $socket, ipv4(join('.', 10, $m >> 16, $m >> 8 & 255, $m & 255), $to, IPPROTO_TCP, tcp(40000, $port)), 0,
            $where;
    });
}

sub load {
    my ($from, $to, $port, $rate, $seconds) = @_;
    socket my $socket, family($to), SOCK_DGRAM, 0 or die "no socket: $!\n";
    bind $socket, place($from, 0) or die "cannot send from $from: $!\n";
    my ($where, $data) = (place($to, $port), 'x' x 1200);
    paced($rate * $seconds, $rate, sub { send $socket, $data, 0, $where });
}

# TUNSETIFF with IFF_TUN | IFF_NO_PI.
sub tun {
    my ($name, $from, $to, @steps) = @_;
    open my $tun, '+<', '/dev/net/tun' or die "no /dev/net/tun: $!\n";
    my $request = pack 'a16sx22', $name, 0x1001;
    ioctl $tun, 0x400454ca, $request or die "no tun interface: $!\n";
    system('ip', 'link', 'set', $name, 'up') == 0 or die "can't set $name up\n";
    print "up\n";
    <STDIN>;
    for my $step (@steps) {
        my ($port, $proto) = $step =~ /^(\d+)(?::(udp))?$/;
        my $rest = $proto ? udp(40000, $port, 'x') : tcp(40000, $port);
        my $number = $proto ? IPPROTO_UDP : IPPROTO_TCP;
        syswrite $tun, $to =~ /:/ ? ipv6($from, $to, $number, $rest) : ipv4($from, $to, $number, $rest);
        sleep 0.01;
    }
    print "sent\n";
    <STDIN>;
}

sub inject {
    my ($name, $mac) = @_;
    my ($all, $number);
    open my $index, '<', "/sys/class/net/$name/ifindex" or die "no interface $name\n";
    chomp($number = <$index>);
    socket my $socket, 17, SOCK_RAW, 0 or die "no packet socket: $!\n"; # AF_PACKET
    binmode STDIN;
    read STDIN, $all, 24;
    while (read(STDIN, my $head, 16)) {
        my (undef, undef, $len) = unpack 'V3', $head;
        read(STDIN, my $packet, $len);
        my $type = ord($packet) >> 4 == 6 ? 0x86dd : 0x0800;
        my $to = pack 'H12', $mac =~ tr/://dr;
        send $socket, $to . "\2\0\0\0\0\x99" . pack('n', $type) . $packet, 0,
            pack('SnlSCCa8', 17, $type, $number, 0, 0, 6, $to) or die "cannot send: $!\n";
        sleep 0.002;
    }
}

my %modes = (inject => \&inject, scan => \&scan, spoof => \&spoof, load => \&load, tun => \&tun);
($modes{$mode} // die "usage: see the head of $0\n")->(@ARGV);
