# Sealed knocks a second time, written from knock-protocol(7) and nothing else: makes and opens the messages of
# tests/data/sealed.txt, spreads and recovers them, and compares. BLAKE2b and ChaCha20-Poly1305 are CryptX's.
# SEED repeats the random choice of slots. Prints TAP.
use strict;
use warnings;
use Crypt::AuthEnc::ChaCha20Poly1305 qw(chacha20poly1305_encrypt_authenticate chacha20poly1305_decrypt_verify);
use Crypt::Digest::BLAKE2b_256 qw(blake2b_256);
use Crypt::Mac::BLAKE2b qw(blake2b);
use List::Util qw(shuffle);
use Socket qw(AF_INET AF_INET6 inet_pton);
use Test::More;
no warnings "portable"; # hex of 48 bits

# KEYS

sub keyed { my ($key, $text) = @_; return blake2b(32, $key, $text) }

# MESSAGE

sub address16 {
    my ($text) = @_;
    return "\0" x 16 if $text eq "any";
    my $ip4 = inet_pton(AF_INET, $text);
    return "\0" x 10 . "\xff\xff" . $ip4 if defined $ip4;
    return inet_pton(AF_INET6, $text) // die "no address: $text";
}

sub hint {
    my ($secret, $server, $time) = @_;
    my $period = int($time / 65536 / 128);
    return substr keyed(keyed($secret, "knockd sealed 1 hint $server"), pack("Q>", $period)), 0, 2;
}

# op, door, seconds, port, and an address or "-".
sub request {
    my ($op, $door, $seconds, $port, $address) = @_;
    my $request = pack("C a3 n n", $op, blake2b_256($door), $seconds, $port);
    return $address eq "-" ? $request : $request . address16($address);
}

sub seal {
    my ($secret, $server, $time, $bound, $request) = @_;
    my $head = hint($secret, $server, $time) . substr pack("Q>", $time), 2;
    my ($sealed, $tag) = chacha20poly1305_encrypt_authenticate(keyed($secret, "knockd sealed 1 seal $server"),
        "\0" x 4 . $head, "knockd sealed 1" . address16($bound), $request);
    return $head . $sealed . $tag;
}

# The request, undef if the message wasn't sealed so.
sub unseal {
    my ($secret, $server, $source, $message) = @_;
    my $length = length $message;
    return if $source eq "::" || $length != 32 && $length != 48;
    my $head = substr $message, 0, 8;
    my $time = unpack "Q>", "\0\0" . substr $head, 2;
    return if hint($secret, $server, $time) ne substr $head, 0, 2;
    # Copies: CryptX can't read what substr hands to a function.
    my ($sealed, $tag) = (substr($message, 8, $length - 24), substr($message, -16));
    return chacha20poly1305_decrypt_verify(keyed($secret, "knockd sealed 1 seal $server"), "\0" x 4 . $head,
        "knockd sealed 1" . address16($source), $sealed, $tag);
}

# PARITY

sub product {
    my ($a, $b) = @_;
    my $sum = 0;
    for (; $b; $b >>= 1) {
        $sum ^= $a if $b & 1;
        $a <<= 1;
        $a ^= 0x11d if $a & 0x100;
    }
    return $sum;
}

# The field's other elements but 0 are 255, so a to the 254th is 1 / a.
sub inverse {
    my ($a) = @_;
    my $power = 1;
    $power = product($power, $a) for 1 .. 254;
    return $power;
}

my @inverse = (undef, map { inverse($_) } 1 .. 255);

# The value at $s of the polynomial through the points { x => y }.
sub at {
    my ($s, $points) = @_;
    my $value = 0;
    for my $i (keys %$points) {
        my $term = $points->{$i};
        for my $k (keys %$points) {
            $term = product($term, product($s ^ $k, $inverse[$i ^ $k])) if $k != $i;
        }
        $value ^= $term;
    }
    return $value;
}

# CARRIERS

my %windows = (
    "tcp" => { length => 32, piece => 1, n => 32, parity => 16 },
    "udp" => { length => 32, piece => 2, n => 16, parity => 8, base => 0 },
    "udp-long" => { length => 48, piece => 2, n => 24, parity => 12, base => 2048 },
);

# The pieces of the slots asked for, from those of n others: { slot => piece }.
sub interpolate {
    my ($w, $pieces, @slots) = @_;
    my %result = map { $_ => "" } @slots;
    for my $column (0 .. $w->{piece} - 1) {
        my %points = map { $_ => ord substr $pieces->{$_}, $column, 1 } keys %$pieces;
        $result{$_} .= chr($points{$_} // at($_, \%points)) for @slots;
    }
    return \%result;
}

sub slots {
    my ($w, $message) = @_;
    my %pieces = map { $_ => substr $message, $_ * $w->{piece}, $w->{piece} } 0 .. $w->{n} - 1;
    return interpolate($w, \%pieces, 0 .. $w->{n} + $w->{parity} - 1);
}

# "PORT", of UDP "PORT/BYTES".
sub packet {
    my ($w, $span, $slot, $piece) = @_;
    return $span + 256 * $slot + ord $piece if $w->{piece} == 1;
    my $bits = unpack "n", $piece;
    return $span + $w->{base} + 64 * $slot + ($bits >> 10) . "/" . $bits % 1024;
}

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

my %rows = (secret => \&row_secret, message => \&row_message, refused => \&row_refused, carrier => \&row_carrier);
open my $table, "<", $ARGV[0] or die "$ARGV[0]: $!";
while (<$table>) {
    s/#.*//;
    my ($kind, @words) = split or next;
    ($rows{$kind} // die "$ARGV[0]:$.: no such row: $kind")->(@words);
}
done_testing();
