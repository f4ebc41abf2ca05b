# seeds.pl DIR: the seeds of the fuzzing targets, each in DIR/TARGET/: the files of tests/fuzz/seeds, and what the
# tables of other tests hold.
use strict;
use warnings;

my ($dir) = @ARGV;
my %count;

sub seed {
    my ($target, $bytes) = @_;
    my $path = "$dir/$target";
    if (!$count{$target}++) {
        system('mkdir', '-p', $path) == 0 or die "seeds: can't make $path\n";
    }
    open my $out, '>:raw', sprintf('%s/%04d', $path, $count{$target}) or die "seeds: $path: $!\n";
    print $out $bytes;
    close $out or die "seeds: $path: $!\n";
}

sub slurp {
    my ($path) = @_;
    open my $in, '<:raw', $path or die "seeds: $path: $!\n";
    local $/;
    return <$in>;
}

# The escapes of the tables.
sub unescape {
    my ($text) = @_;
    my %is = (t => "\t", n => "\n", r => "\r", 0 => "\0", s => ' ', '\\' => '\\');
    $text =~ s/\\([tnr0s\\])/$is{$1}/g;
    return $text;
}

# A format and whether there are prefixes as fuzz_logline.c numbers them.
my %format = (kernel => 0, kmsg => 1, ulogd => 2);
my $stream = '';

sub line {
    my ($format, $prefixed, $text) = @_;
    my $line = unescape($text);
    seed('logline', chr($format{$format} + ($prefixed ? 3 : 0)) . $line);
    seed('kmsg', "$line\0$line") if $format eq 'kmsg';
    $stream .= "$line\n" if length $stream < 3000;
}

for (split /\n/, slurp('tests/data/loglines.txt')) {
    my ($format, $prefixes, undef, $text) = split / \| /, $_, 4;
    line($format, $prefixes ne '-', $text) if !/^#/ && defined $text;
}
for (split /\n/, slurp('tests/data/hostile.txt')) {
    my ($format, undef, $text) = split / \| /, $_, 3;
    line($format, 1, $text) if !/^#/ && defined $text;
}
seed('lines', "\x05\x40\x01\x09$stream");

# A firewall's listings, with either kind of packets, as fuzz_firewall.c and fuzz_nft.c number them.
for my $path (glob 'tests/data/firewall/*.txt') {
    my (undef, %parts) = split /^=== (\S+)\n/m, slurp($path), -1;
    for my $kind (0, 8) {
        seed('firewall', chr(4 + $kind) . $parts{'iptables-save'}) if exists $parts{'iptables-save'};
        seed('firewall', chr(1 + $kind) . $parts{'ip6tables-save'}) if exists $parts{'ip6tables-save'};
        seed('nft', chr(4 + $kind) . "$parts{'nft-json'}\0$parts{nft}") if exists $parts{'nft-json'};
    }
}
# The vectors of RFC 5769 and what else the unit test reads, as fuzz_stun.c takes them.
my $stun = slurp('tests/unit/test_stun_message.c');
my %named = (COOKIE => '2112a442', ID => '2112a442b7e7a701bc34d686fa87dfae');
while ($stun =~ /((?:"[0-9a-f]*"|\bID\b|\bCOOKIE\b)(?:[\s\\]*(?:"[0-9a-f]*"|\bID\b|\bCOOKIE\b))+)/g) {
    my $hex = $1 =~ s/\b(ID|COOKIE)\b/$named{$1}/gr =~ s/[^0-9a-f]//gr;
    seed('stun', "\0" . pack('H*', 'b7e7a701bc34d686fa87dfae' . $hex));
}
# The packets of the unit test: its macros, expanded, as fuzz_ip_packet.c takes them.
my $packets = slurp('tests/unit/test_ip_packet.c');
my %macro;
$macro{$1} = [[split /, /, $2 // ''], $3]
    while $packets =~ /^#define (\w+)(?:\(([^)]*)\))?[ \\\n]+((?:\w+[ \\\n]+|"[^"]*"[ \\\n]+)+?)(?=#define|\n|\/\*)/mg;

sub packet_hex {
    my ($text) = @_;
    my $hex = '';
    while ($text =~ /"([0-9a-f]*)"|(\w+)(?:\(([^)]*)\))?/g) {
        my ($literal, $name, @values) = ($1, $2, split /, */, $3 // '');
        if (!defined $name) {
            $hex .= $literal;
        } elsif ($macro{$name}) {
            my ($names, $body) = @{$macro{$name}};
            my %value;
            @value{@$names} = @values;
            $hex .= packet_hex($body =~ s/\b([a-z]\w*)\b(?=(?:[^"]*"[^"]*")*[^"]*$)/$value{$1} \/\/ $1/ger);
        }
    }
    return $hex;
}
while ($packets =~ /^    \{((?:IP4|IP6|")[^;]*?),\s*(?:LOG|LINE)/mg) {
    seed('ip_packet', "\0" . pack('H*', packet_hex($1)));
}
# The links of the unit test, by the numbers that the header has, as fuzz_link_header.c takes them.
my %link = slurp('include/listener/link_header.h') =~ /(LINK_\w+) = (\d+)/g;
my $links = slurp('tests/unit/test_link_header.c') =~ s/\bMACS\b/"020000000001020000000002"/gr;
while ($links =~ /\{((?:"[0-9a-f]*" *)+), V([46]), (LINK_\w+),/g) {
    my ($hex, $version, $type) = ($1, $2, $3);
    $hex =~ s/[^0-9a-f]//g;
    seed('link_header', pack('n', $link{$type}) . pack 'H*', "$hex${version}500");
}
# Rules of nft by themselves, each a ruleset.
my $base = '{"nftables":[{"metainfo":{"json_schema_version":1}},{"chain":{"family":"inet","table":"t","name":"c",'
    . '"hook":"input","prio":0,"policy":"drop"}},{"rule":{"family":"inet","table":"t","chain":"c","handle":5,"expr":';
for my $rule (slurp('tests/data/firewall/rules.nft') =~ /^\t(.*)/mg) {
    my $text = "table inet t {\n\tchain c {\n\t\taccept # handle 5\n\t}\n}\n";
    seed('nft', "\x04$base$rule}}]}\0$text");
}
seed('profile', slurp('etc/examples/knock.conf') =~ s/"home"/"p"/r);
seed('config', slurp($_)) for glob 'tests/data/config/*.conf etc/*.conf etc/examples/*.conf';
for my $path (glob 'tests/fuzz/seeds/*/*') {
    my ($target) = $path =~ m{seeds/(\w+)/};
    seed($target, slurp($path));
}
