# relist.pl [FILE...]: for root: has the nft that is installed list the rulesets of the files here once more, each in a
# network namespace of its own. Section "nft" is what `nft -a list ruleset` prints for people, "nft-json" what `nft -j
# list ruleset` prints for rules --check. In rules.nft every rule gets its JSON. What is here came from nft 1.0.6.
use strict;
use warnings;
use File::Basename qw(dirname);
use JSON::PP;

@ARGV = glob dirname($0) . '/{*.txt,rules.nft}' if !@ARGV;
# Every ruleset is flushed: never that of the host.
exec 'unshare', '--net', $^X, $0, @ARGV or die "relist: unshare: $!\n" if !$ENV{RELISTING}++;
my ($here, $outside) = map { readlink "/proc/$_/ns/net" or die "relist: $_: $!\n" } 'self', getppid;
die "relist: not in a network namespace of its own\n" if $here eq $outside;

sub feed {
    my ($text, @command) = @_;
    open my $pipe, '|-', @command or die "relist: $command[0]: $!\n";
    print $pipe $text;
    close $pipe or die "relist: @command failed\n";
}

sub listing {
    open my $pipe, '-|', 'nft', @_ or die "relist: nft: $!\n";
    local $/;
    my $text = <$pipe>;
    close $pipe or die "relist: nft @_ failed\n";
    return $text;
}

# One object a line, its keys in order, so that differences can be read.
sub lines_of {
    my $json = JSON::PP->new->canonical;
    return "{\"nftables\": [\n" . join(",\n", map { $json->encode($_) } @{decode_json($_[0])->{nftables}}) . "\n]}\n";
}

sub slurp {
    open my $in, '<', $_[0] or die "relist: $_[0]: $!\n";
    local $/;
    return <$in>;
}

sub spew {
    my ($path, @text) = @_;
    open my $out, '>', $path or die "relist: $path: $!\n";
    print $out @text;
    close $out or die "relist: $path: $!\n";
}

sub relist_ruleset {
    my ($path) = @_;
    my ($head, @sections) = split /^(?==== )/m, slurp($path);
    my %text = map { /^=== (\S+)\n(.*)/s } @sections;
    return if !defined $text{nft};
    my $own = $text{nft};
    $own =~ s/ # handle \d+$//mg;
    # These are what iptables made.
    $own =~ s/^table ip6? filter \{\n.*?^\}\n//msg;
    feed('flush ruleset', qw(nft -f -));
    feed($text{'iptables-save'}, 'iptables-nft-restore');
    feed($text{'ip6tables-save'}, 'ip6tables-nft-restore');
    feed($own, qw(nft -f -));
    my $new = "=== nft\n" . listing(qw(-a list ruleset)) . "=== nft-json\n" . lines_of(listing(qw(-j list ruleset)));
    spew($path, $head, map { /^=== nft\n/ ? $new : $_ } grep { !/^=== nft-json\n/ } @sections);
}

# Rules of one chain: "PORTS: RULE", and below it, after a tab, its JSON.
sub relist_rules {
    my ($path) = @_;
    my @lines = grep { !/^\t/ } split /^/m, slurp($path);
    my @rules = map { /^[\d ]*: (.*)/ ? $1 : () } @lines;
    feed('flush ruleset', qw(nft -f -));
    feed(join("\n", 'table inet t {', 'set knock { type ipv4_addr . inet_service; }', 'set open { type inet_service; }',
        'set a { type ipv4_addr; size 9; flags dynamic,timeout; timeout 5s; }', 'limit few { rate 3/minute; }',
        'chain nowhere { }', 'chain c {', @rules, '}', '}'), qw(nft -f -));
    my @json = map { $_->{rule} ? $_->{rule}{expr} : () } @{decode_json(listing(qw(-j list ruleset)))->{nftables}};
    @json == @rules or die "relist: $path: some rules are missing\n";
    spew($path, map { $_, /^[\d ]*: / ? "\t" . JSON::PP->new->canonical->encode(shift @json) . "\n" : () } @lines);
}

for my $path (@ARGV) {
    $path =~ /\.nft$/ ? relist_rules($path) : relist_ruleset($path);
}
