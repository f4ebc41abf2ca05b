#!/usr/bin/perl
# promised.pl DIR KEY=VALUE...: writes a configuration of so many things into DIR: knockd.conf with its includes, key
# files, one-time sequences, logs. Everything that isn't said is 0, or 1 source, and 3 steps.
#
#   sources, prefixes   log.0 ...; prefixes of each source, of which `prefix` is the last
#   doors, steps        door-0 ..., with a sequence of so many steps each
#   once                one-time sequences, the last 16 of them in the last door's file, the others in the first one's
#   keys                key-0 ... in the last 64 doors
#   ports               that each of these 64 doors has in `ports`, and in `ignore`
#   global              text for the top of the file
use strict;
use warnings;

my ($dir, @settings) = @ARGV;
my %is = (sources => 1, prefixes => 1, doors => 0, steps => 3, once => 0, keys => 0, ports => 0,
    prefix => '', global => '', map { split /=/, $_, 2 } @settings);
my $keyed = 64;

sub write_file {
    my ($name, @lines) = @_;
    open my $file, '>', "$dir/$name" or die "$dir/$name: $!\n";
    chmod 0600, $file;
    print $file @lines;
    close $file or die "$dir/$name: $!\n";
}

# The steps of sequence number NUMBER: far from each other, none a port of sealed knocks (20000 to 32287) or one that a
# door opens (40000 and more).
sub steps {
    my ($number) = @_;
    my $at = ($number * 2654435761) % 4294967296;
    my @steps;
    while (@steps < $is{steps}) {
        $at = ($at * 1103515245 + 12345) % 2147483648;
        my $port = 1024 + ($at >> 9) % 18000;
        push @steps, @steps % 3 == 1 ? "$port:udp" : $port unless @steps && abs($port - ($steps[-1] =~ /^(\d+)/)[0]) < 2;
    }
    return @steps;
}

sub list { return '{ ' . join(', ', @_) . ' }' }

sub sources {
    my @prefixes = ((map { "\"[OTHER-$_]\"" } 2 .. $is{prefixes}), "\"$is{prefix}\"");
    return map { qq(source "source-$_" { type = file  path = "$dir/log.$_"  prefix = ${\list(@prefixes)} }\n) }
        0 .. $is{sources} - 1;
}

sub door {
    my ($number) = @_;
    my $door = qq(door "door-$number" { sequence = ${\list(steps($number))}  cmd_timeout = 1 );
    my $slot = $number - ($is{doors} - $keyed);
    if ($is{keys} && $slot >= 0) {
        my @keys = grep { $_ < $is{keys} } map { $slot + $keyed * $_ } 0 .. $is{keys} / $keyed;
        $door .= 'key = ' . list(map { "key-$_" } @keys) . ' ';
        $door .= 'ports = ' . list(map { 40000 + $_ } 0 .. $is{ports} - 1) . ' ' if $is{ports};
        $door .= 'ignore = ' . list(map { 50000 + $_ } 0 .. $is{ports} - 1) . ' ' if $is{ports};
    }
    $door .= qq(one_time_sequences = "$dir/once.first" ) if $is{once} && $number == 0;
    $door .= qq(one_time_sequences = "$dir/once.last" ) if $is{once} && $number > 0 && $number == $is{doors} - 1;
    return qq($door start_command = "/bin/true"  stop_command = "/bin/true" }\n);
}

my @doors = map { door($_) } 0 .. $is{doors} - 1;
my @includes;
while (my @some = splice @doors, 0, 64) {
    push @includes, "include(\"doors.${\scalar @includes}\")\n";
    write_file("doors.$#includes", @some);
}
write_file('knockd.conf', qq(user = "nobody"  state_dir = "$dir/state"  control = "$dir/control"  key_dir = "$dir/keys"\n),
    qq(sealed { server = "gate.example" }\n), "$is{global}\n", sources(), @includes);
my @once = map { join(',', steps(1000000 + $_)) . "\n" } 0 .. $is{once} - 1;
my @last = splice @once, @once > 16 ? -16 : 0;
write_file('once.first', @once);
write_file('once.last', @last);
write_file("log.$_") for 0 .. $is{sources} - 1;
mkdir "$dir/$_", 0700 for 'keys', 'state';
write_file("keys/key-$_.key", sprintf("key = \"%064x\"\n", $_ + 1), qq(server = "gate.example"\n)) for 0 .. $is{keys} - 1;
