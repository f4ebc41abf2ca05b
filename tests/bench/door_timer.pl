#!/usr/bin/perl
# door_timer.pl ADDRESS PORT SECONDS: how long a door takes to open, seen by the one who knocks. Says "ready", waits for
# the first packet that leaves this network namespace for ADDRESS (IPv4), other than TCP to PORT; then tries to connect
# to PORT every millisecond, and prints after how many ms that succeeded. Exit status 1 when it didn't.
use strict;
use warnings;
use Errno qw(EINPROGRESS);
use IO::Handle;
use Socket qw(:DEFAULT pack_sockaddr_in inet_pton);
use Time::HiRes qw(clock_gettime CLOCK_REALTIME);

my ($address, $port, $seconds) = @ARGV;
my $server = inet_pton(AF_INET, $address);

sub is_of_a_knock {
    my ($packet) = @_;
    return 0 unless ord($packet) >> 4 == 4 && substr($packet, 16, 4) eq $server;
    my $proto = ord substr $packet, 9, 1;
    my $dport = unpack 'n', substr $packet, 4 * (ord($packet) & 15) + 2, 2;
    return $proto == 17 || $proto == 6 && $dport != $port;
}

# Within a millisecond: on a wire of this machine the answer to a SYN takes far less.
sub connects {
    socket(my $try, AF_INET, SOCK_STREAM, 0) or die "socket: $!\n";
    $try->blocking(0);
    return 1 if connect($try, pack_sockaddr_in($port, $server));
    die "connect: $!\n" if $! != EINPROGRESS;
    my $ready = '';
    vec($ready, fileno $try, 1) = 1;
    select(undef, $ready, undef, 0.001) or return 0;
    return unpack('i', getsockopt($try, SOL_SOCKET, SO_ERROR)) == 0;
}

socket(my $tap, 17, SOCK_DGRAM, unpack('S', pack('n', 3))) or die "packet socket: $!\n"; # ETH_P_ALL
# SIOCGSTAMP: the kernel's time of the packet, however late we get to it. The first call turns it on.
my $stamp = pack 'l!l!', 0, 0;
ioctl($tap, 0x8906, $stamp);
die "port $port is open already\n" if connects();
$| = 1;
print "ready\n";
my $packet;
do { recv($tap, $packet, 65536, 0) // die "packet socket: $!\n" } until is_of_a_knock($packet);
ioctl($tap, 0x8906, $stamp) or die "SIOCGSTAMP: $!\n";
my ($second, $microsecond) = unpack 'l!l!', $stamp;
my $began = $second + $microsecond / 1e6;
close $tap;
until (connects()) {
    die "port $port did not open\n" if clock_gettime(CLOCK_REALTIME) - $began > $seconds;
}
printf "%.1f\n", 1000 * (clock_gettime(CLOCK_REALTIME) - $began);
