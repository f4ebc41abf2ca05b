#!/usr/bin/perl
# The packets of the demo and the system tests, made with perl-base alone: netcat isn't everywhere.
#   netns-peer.pl serve PORT                            a TCP service that echoes, for IPv4 and IPv6
#   netns-peer.pl connect SECONDS FROM HOST PORT        exit 0 connected, 1 no answer, 2 refused
#   netns-peer.pl talk SECONDS FROM HOST PORT           connects, then passes lines from stdin and back
#   netns-peer.pl knock FROM HOST PORT[:PROTO]...       one packet each, 10 ms apart
#   netns-peer.pl record SECONDS PORT                   prints source port and payload of the first IPv4 UDP packet to PORT
#   netns-peer.pl send HOST PORT SPORT HEX              that packet once more
# FROM is a source address, or - for the system's choice.
use strict;
use warnings;
use Errno qw(ECONNREFUSED);
use IO::Select;
use IO::Socket::IP;

$| = 1;

sub open_socket {
    my ($proto, $from, $host, $port, %more) = @_;
    my @local = $from eq '-' ? () : (LocalHost => $from);
    return IO::Socket::IP->new(PeerHost => $host, PeerPort => $port, Proto => $proto, @local, %more);
}

# Returns the socket, or undef with $! set: ECONNREFUSED if somebody answered.
sub connect_within {
    my ($seconds, @to) = @_;
    return open_socket('tcp', @to, Timeout => $seconds);
}

sub answer {
    my ($select, $ready) = @_;
    if (sysread($ready, my $bytes, 4096)) {
        syswrite($ready, $bytes);
        return;
    }
    $select->remove($ready);
    close $ready;
}

sub serve {
    my ($port) = @_;
    my $server = IO::Socket::IP->new(LocalHost => '::', LocalPort => $port, Proto => 'tcp', V6Only => 0,
        Listen => 16, ReuseAddr => 1) or die "cannot listen on port $port: $@\n";
    print "listening\n";
    my $select = IO::Select->new($server);
    while (my @ready = $select->can_read) {
        for my $one (@ready) {
            if ($one == $server) { $select->add($server->accept // next) }
            else                 { answer($select, $one) }
        }
    }
}

sub talk {
    my $socket = connect_within(@_) or die "no connection: $!\n";
    print "connected\n";
    while (my $line = <STDIN>) {
        syswrite($socket, $line) // die "the connection broke: $!\n";
        IO::Select->new($socket)->can_read(2) or die "no echo within 2 s\n";
        sysread($socket, my $back, 4096) or die "the connection was closed\n";
        print $back;
    }
}

sub knock {
    my ($from, $host, @steps) = @_;
    for my $step (@steps) {
        my ($port, $proto) = split /:/, $step;
        my $socket = open_socket($proto // 'tcp', $from, $host, $port, Blocking => 0)
            or die "cannot send to $host $step: $@\n";
        $socket->send("x") if $socket->socktype == SOCK_DGRAM;
        close $socket;
        select undef, undef, undef, 0.01;
    }
}

# A packet socket sees what this host sends, too.
sub record {
    my ($seconds, $port) = @_;
    socket(my $tap, 17, SOCK_DGRAM, unpack('S', pack('n', 3))) or die "packet socket: $!\n"; # ETH_P_ALL
    print "listening\n";
    my $select = IO::Select->new($tap);
    while ($select->can_read($seconds) && defined recv($tap, my $packet, 65536, 0)) {
        next unless (ord($packet) >> 4) == 4 && ord(substr $packet, 9, 1) == 17;
        my ($sport, $dport, $length, undef, $payload) = unpack 'n4 a*', substr $packet, 4 * (ord($packet) & 15);
        next unless $dport == $port;
        printf "recorded %d %s\n", $sport, unpack 'H*', substr $payload, 0, $length - 8;
        return;
    }
    die "no UDP packet to port $port within $seconds s\n";
}

sub send_again {
    my ($host, $port, $sport, $hex) = @_;
    my $socket = IO::Socket::IP->new(PeerHost => $host, PeerPort => $port, Proto => 'udp', LocalPort => $sport)
        or die "cannot send to $host port $port from port $sport: $@\n";
    $socket->send(pack 'H*', $hex) // die "cannot send to $host port $port: $!\n";
}

my $what = shift // '';
if    ($what eq 'serve' && @ARGV == 1)   { $SIG{PIPE} = 'IGNORE'; serve(@ARGV) }
elsif ($what eq 'connect' && @ARGV == 4) { exit(connect_within(@ARGV) ? 0 : $! == ECONNREFUSED ? 2 : 1) }
elsif ($what eq 'talk' && @ARGV == 4)    { talk(@ARGV) }
elsif ($what eq 'knock' && @ARGV >= 3)   { knock(@ARGV) }
elsif ($what eq 'record' && @ARGV == 2)  { record(@ARGV) }
elsif ($what eq 'send' && @ARGV == 4)    { send_again(@ARGV) }
else                                     { die "usage: see the head of $0\n" }
