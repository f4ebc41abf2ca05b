#!/usr/bin/perl
# send-packets.pl FROM TO SPORT: sends the packets that standard input names, lines "tcp PORT" or "udp PORT LENGTH", from
# one source port, 2 ms apart: those of a sealed knock by whoever has them. Other lines are left out.
use strict;
use warnings;
use Errno qw(EINPROGRESS ECONNREFUSED);
use Fcntl;
use Socket qw(:DEFAULT inet_pton pack_sockaddr_in6 AF_INET6);

my ($from, $to, $sport) = @ARGV;
my $family = $to =~ /:/ ? AF_INET6 : AF_INET;
my $place = $family == AF_INET ? \&pack_sockaddr_in : \&pack_sockaddr_in6;
my ($source, $target) = map { inet_pton($family, $_) // die "no address: $_\n" } $from, $to;

sub bound {
    my ($kind) = @_;
    socket my $socket, $family, $kind, 0 or die "no socket: $!\n";
    setsockopt $socket, SOL_SOCKET, SO_REUSEADDR, 1;
    bind $socket, $place->($sport, $source) or die "cannot send from $from port $sport: $!\n";
    return $socket;
}

# Closed at once, so that the kernel doesn't send its SYN again.
sub send_syn {
    my ($port) = @_;
    my $socket = bound(SOCK_STREAM);
    fcntl $socket, F_SETFL, fcntl($socket, F_GETFL, 0) | O_NONBLOCK;
    return if connect $socket, $place->($port, $target) or $! == EINPROGRESS or $! == ECONNREFUSED;
    die "cannot send to port $port: $!\n";
}

while (<STDIN>) {
    my ($proto, $port, $length) = /^(tcp|udp) (\d+)(?: (\d+))?/ or next;
    if ($proto eq 'tcp') { send_syn($port) }
    else { send bound(SOCK_DGRAM), 'x' x $length, 0, $place->($port, $target) // die "cannot send: $!\n" }
    select undef, undef, undef, 0.002;
}
