#!/usr/bin/perl
# sealed-packet.pl KEY SERVER BOUND FROM TO PORT OP DOOR SECONDS OPEN ADDRESS: sends a sealed knock in one packet, by the
# second implementation. KEY: 64 hex digits; BOUND: the address to bind to, or any; ADDRESS: to open for, or -. Prints
# the message.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Second;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6);
use Time::HiRes qw(time);

die "usage: see the head of $0\n" unless @ARGV == 11;
my ($key, $server, $bound, $from, $to, $port, @request) = @ARGV;
my $family = $to =~ /:/ ? AF_INET6 : AF_INET;
my $place = $family == AF_INET ? \&pack_sockaddr_in : \&pack_sockaddr_in6;
my $message = seal(pack("H*", $key), $server, int(time * 65536), $bound, request(@request));
socket my $socket, $family, SOCK_DGRAM, 0 or die "no socket: $!\n";
bind $socket, $place->(0, inet_pton($family, $from)) or die "cannot send from $from: $!\n";
send $socket, $message, 0, $place->($port, inet_pton($family, $to)) or die "cannot send to $to: $!\n";
print unpack("H*", $message), "\n";
