#!/usr/bin/perl
# stun-server.pl ADDRESS FIRST [OTHER]: STUN servers at ADDRESS, good and bad, each at its port, the first being FIRST, in
# the order of @kinds. OTHER is another address of the host, that one of them answers from. Each request is a line "KIND
# FROM" of standard output.
use strict;
use warnings;
use IO::Select;
use IO::Socket::IP;
use Socket qw(:DEFAULT inet_pton AF_INET6);
use Time::HiRes qw(time);

my ($address, $first, $other) = @ARGV;
my @kinds = qw(good old lossy silent late elsewhere id refuses junk private family liar stranger);
my $cookie = pack 'N', 0x2112a442;
my (@due, %asked);
$| = 1;

sub attribute {
    my ($type, $value) = @_;
    return pack('nn', $type, length $value) . $value . "\0" x (-length($value) % 4);
}

sub message {
    my ($type, $id, @attributes) = @_;
    my $body = join '', @attributes;
    return pack('nn', $type, length $body) . $cookie . $id . $body;
}

# XOR-MAPPED-ADDRESS.
sub mapped {
    my ($id, $port, $ip) = @_;
    my $mask = substr $cookie . $id, 0, length $ip;
    return attribute(0x20, pack('CCn', 0, length $ip == 16 ? 2 : 1, $port ^ 0x2112) . ($ip ^ $mask));
}

sub success {
    return message(0x0101, $_[0], mapped(@_));
}

# What a server of that kind sends.
my %answer = (
    old      => sub { message(0x0101, $_[0], attribute(0x01, pack('CCn', 0, 1, $_[1]) . $_[2])) },
    id       => sub { success(~$_[0] & "\xff" x 12, @_[1, 2]) },
    refuses  => sub { message(0x0111, $_[0], attribute(0x09, pack('nCC', 0, 5, 0) . "No\e[2J time")) },
    junk     => sub { substr success(@_), 0, -3 },
    private  => sub { success(@_[0, 1], inet_aton('10.1.2.3')) },
    family   => sub { success(@_[0, 1], inet_pton(AF_INET6, '2001:db8::77')) },
    liar     => sub { success(@_[0, 1], inet_aton('198.51.100.9')) },
    stranger => sub { message(0x0101, $_[0], mapped(@_), attribute(0x7ffe, 'what?')) },
);

sub open_socket {
    my ($local, $port) = @_;
    return IO::Socket::IP->new(LocalHost => $local, LocalPort => $port, Proto => 'udp') // die "$local:$port: $@\n";
}

my $elsewhere = open_socket($other // $address, $first - 1);
my %kind;
my $select = IO::Select->new;
for my $i (0 .. $#kinds) {
    my $socket = open_socket($address, $first + $i);
    $kind{$socket} = $kinds[$i];
    $select->add($socket);
}

sub serve {
    my ($socket) = @_;
    my $from = $socket->recv(my $request, 2048) // return;
    my ($type, $id) = unpack 'n x6 a12', $request;
    my ($port, $ip) = sockaddr_in($from);
    my $kind = $kind{$socket};
    printf "%s %s\n", $kind, inet_ntoa($ip);
    return if $kind eq 'silent' || ($kind eq 'lossy' && ++$asked{$id} < 3);
    my $bytes = ($answer{$kind} // \&success)->($id, $port, $ip);
    my $by = $kind eq 'elsewhere' ? $elsewhere : $socket;
    push @due, [time + ($kind eq 'late' ? 5 : 0), $by, $bytes, $from];
}

print "ready\n";
while (1) {
    serve($_) for $select->can_read(@due ? 0.02 : undef);
    my @now = grep { $_->[0] <= time } @due;
    @due = grep { $_->[0] > time } @due;
    $_->[1]->send($_->[2], 0, $_->[3]) for @now;
}
