# Sealed knocks a second time, written from knock-protocol(7) and nothing else, for vectors.pl and sealed-packet.pl.
# BLAKE2b and ChaCha20-Poly1305 are CryptX's.
package Second;
use strict;
use warnings;
use Crypt::AuthEnc::ChaCha20Poly1305 qw(chacha20poly1305_encrypt_authenticate chacha20poly1305_decrypt_verify);
use Crypt::Digest::BLAKE2b_256 qw(blake2b_256);
use Crypt::Mac::BLAKE2b qw(blake2b);
use Exporter qw(import);
use Socket qw(AF_INET AF_INET6 inet_pton);

our @EXPORT = qw(%windows seal unseal request packet slots interpolate datagram payload);

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

our %windows = (
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

# THE SINGLE PACKET

# Of the 16-bit words (RFC 1071).
sub checksum {
    my $sum = 0;
    $sum += $_ for unpack "n*", $_[0] . (length($_[0]) % 2 ? "\0" : "");
    $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
    return ~$sum & 0xffff;
}

# The whole IP packet that carries the message.
sub datagram {
    my ($from, $sport, $to, $port, $message) = @_;
    my $family = $from =~ /:/ ? AF_INET6 : AF_INET;
    my ($source, $target) = map { inet_pton($family, $_) // die "no address: $_" } $from, $to;
    my $length = 8 + length $message;
    my $sum = checksum($source . $target . pack("NN n4", $length, 17, $sport, $port, $length, 0) . $message);
    my $udp = pack("n4", $sport, $port, $length, $sum || 0xffff) . $message;
    return pack("N n C C", 0x6 << 28, $length, 17, 64) . $source . $target . $udp if $family == AF_INET6;
    my $head = sub { pack("C C n n n C C n", 0x45, 0, 20 + $length, 0, 0x4000, 64, 17, $_[0]) . $source . $target };
    return $head->(checksum($head->(0))) . $udp;
}

# What the IP packet carries as a message to the port; undef: it carries none. Knows no extension headers.
sub payload {
    my ($packet, $port) = @_;
    return if length $packet < 20;
    my ($proto, $rest);
    if (ord($packet) >> 4 == 4) {
        my $header = 4 * (ord($packet) & 15);
        my ($total, undef, $fragment) = unpack "x2 n n n", $packet;
        return if $fragment & 0x3fff || $total > length $packet || $header > $total;
        ($proto, $rest) = (ord(substr $packet, 9, 1), substr $packet, $header, $total - $header);
    } elsif (ord($packet) >> 4 == 6) {
        my $length = unpack "x4 n", $packet;
        return if 40 + $length > length $packet;
        ($proto, $rest) = (ord(substr $packet, 6, 1), substr $packet, 40, $length);
    } else {
        return;
    }
    return if $proto != 17 || length $rest < 8;
    my (undef, $to, $length) = unpack "n3", $rest;
    return if $to != $port || $length != length $rest || $length != 8 + 32 && $length != 8 + 48;
    return substr $rest, 8;
}

1;
