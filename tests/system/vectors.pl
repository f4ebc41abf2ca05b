# Checks the messages of tests/data/sealed.txt by a second implementation: makes and opens them, spreads and recovers
# them, makes and reads the packets that carry them, and compares. SEED repeats the random choice of slots. Prints TAP.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use List::Util qw(shuffle);
use Second;
use Test::More;
no warnings "portable"; # hex of 48 bits

# Rows of the table: the words behind the first, which says what they are.

my %secrets;

sub row_secret { my ($name, $hex) = @_; $secrets{$name} = pack "H*", $hex }

sub row_message {
    my ($secret, $server, $time, $bound, @request) = @_;
    my $expected = pop @request;
    my $request = request(@request);
    my @key = ($secrets{$secret}, $server);
    is(unpack("H*", seal(@key, hex $time, $bound, $request)), $expected, "makes @_[0 .. 8]");
    is(unpack("H*", unseal(@key, $bound, pack "H*", $expected) // ""), unpack("H*", $request), "opens it");
}

sub row_refused {
    my ($secret, $server, $source, $message) = @_;
    ok(!defined unseal($secrets{$secret}, $server, $source, pack "H*", $message), "refuses @_");
}

sub row_carrier {
    my ($window, $span, $message, $parity, @packets) = @_;
    my $w = $windows{$window};
    my $slots = slots($w, pack "H*", $message);
    my $made = join "", map { $slots->{$_} } $w->{n} .. $w->{n} + $w->{parity} - 1;
    is(unpack("H*", $made), $parity, "parity of $window $message");
    for (@packets) {
        my ($slot, $packet) = split /:/;
        is(packet($w, $span, $slot, $slots->{$slot}), $packet, "span $span, $window slot $slot");
    }
    is(unpack("H*", recover($w, $slots, 0 .. $w->{n} - 1)), $message, "the message's slots give it");
    is(unpack("H*", recover($w, $slots, some($w))), $message, "some slots give it") for 1 .. 5;
}

sub row_packet {
    my ($from, $sport, $to, $port, $message, $hex) = @_;
    is(unpack("H*", datagram($from, $sport, $to, $port, pack "H*", $message)), $hex, "the packet of $message");
    is(unpack("H*", payload(pack("H*", $hex), $port) // ""), $message, "has the message");
}

sub row_nomessage {
    my ($port, $hex) = @_;
    ok(!defined payload(pack("H*", $hex), $port), "no message to port $port: $hex");
}

sub some { my ($w) = @_; return (shuffle 0 .. $w->{n} + $w->{parity} - 1)[0 .. $w->{n} - 1] }

sub recover {
    my ($w, $slots, @heard) = @_;
    my %pieces = map { $_ => $slots->{$_} } @heard;
    my $again = interpolate($w, \%pieces, 0 .. $w->{n} - 1);
    return join "", map { $again->{$_} } 0 .. $w->{n} - 1;
}

my $seed = $ENV{SEED} // time;
print "# SEED=$seed\n";
srand $seed;

my %rows = (
    secret => \&row_secret, message => \&row_message, refused => \&row_refused, carrier => \&row_carrier,
    packet => \&row_packet, nomessage => \&row_nomessage,
);
open my $table, "<", $ARGV[0] or die "$ARGV[0]: $!";
while (<$table>) {
    s/#.*//;
    my ($kind, @words) = split or next;
    ($rows{$kind} // die "$ARGV[0]:$.: no such row: $kind")->(@words);
}
done_testing();
