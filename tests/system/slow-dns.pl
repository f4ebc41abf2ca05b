#!/usr/bin/perl
# slow-dns.pl SECONDS ADDRESS: a name server at 127.0.0.1 that answers each question for an IPv4 address by ADDRESS, any
# other by nothing, after that time. Says "ready" first.
use strict;
use warnings;
use IO::Socket::INET;
use Time::HiRes qw(sleep);

my ($seconds, $address) = @ARGV;
my $server = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => 53, Proto => 'udp') or die "port 53: $!\n";
$| = 1;
print "ready\n";
while (defined(my $from = recv($server, my $query, 1500, 0))) {
    next if fork; # others may ask meanwhile
    my ($name) = substr($query, 12) =~ /^((?:[^\0].*?)?\0)/s;
    my ($type) = unpack 'n', substr $query, 12 + length $name;
    my $question = substr $query, 12, length($name) + 4;
    my $answer = $type == 1 ? pack('nnnNn', 0xc00c, 1, 1, 60, 4) . pack('C4', split /\./, $address) : '';
    sleep $seconds;
    send $server, substr($query, 0, 2) . pack('nnnnn', 0x8180, 1, $answer ? 1 : 0, 0, 0) . $question . $answer, 0, $from;
    exit;
}
