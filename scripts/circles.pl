#!/usr/bin/perl
# circles.pl: no circle of calls between files. Reads the symbols of the objects under the folder BUILD that it is given;
# a file uses another when it needs a symbol that the other defines. Prints each group of files that use one another in
# a circle, with the symbols by which they do, and exits 1 if there is one.
use strict;
use warnings;
use FindBin qw($RealBin);

chdir "$RealBin/.." or die "circles: $RealBin/..: $!\n";
my $build = shift // 'build';
my (%definer, %needs);

# Two programs may have a function of the same name: each room's own definition comes first, then that of lib.
sub read_symbols {
    for my $object (glob "$build/{lib,listener,keeper,control,knockd,knock,knockctl}/*.o") {
        my ($file) = $object =~ m{([a-z]+/[a-z_0-9]+)\.o$} or next;
        next if !-e "src/$file.c";    # built before the source went
        open my $nm, '-|', 'nm', $object or die "circles: nm: $!\n";
        while (<$nm>) {
            $definer{$2}{$file} = 1 if /^[0-9a-f]+ ([TDBRVW]) (\S+)/;
            $needs{$file}{$1} = 1 if /^\s+U (\S+)/;
        }
    }
    %needs or die "circles: $build: no objects there; run make first\n";
}

my %uses;    # file => file => symbols

sub link_files {
    for my $file (keys %needs) {
        my ($room) = split m{/}, $file;
        for my $symbol (keys %{ $needs{$file} }) {
            my @there = sort keys %{ $definer{$symbol} // {} };
            my @own = grep { m{^$room/} } @there;
            for my $other (@own ? @own : @there) {
                push @{ $uses{$file}{$other} }, $symbol if $other ne $file;
            }
        }
    }
}

# Tarjan 1972: the strongly connected components are the circles.
my (%number, %low, %waiting, @stack, @circles);

sub visit {
    my ($file) = @_;
    $number{$file} = $low{$file} = keys %number;
    push @stack, $file;
    $waiting{$file} = 1;
    for my $other (sort keys %{ $uses{$file} // {} }) {
        if (!exists $number{$other}) {
            visit($other);
            $low{$file} = $low{$other} if $low{$other} < $low{$file};
        } elsif ($waiting{$other}) {
            $low{$file} = $number{$other} if $number{$other} < $low{$file};
        }
    }
    return if $low{$file} != $number{$file};
    my @circle;
    do {
        push @circle, pop @stack;
        delete $waiting{ $circle[-1] };
    } until $circle[-1] eq $file;
    push @circles, [sort @circle] if @circle > 1;
}

sub show {
    my (@circle) = @_;
    print "circles: @circle\n";
    for my $file (@circle) {
        for my $other (grep { $uses{$file}{$_} } @circle) {
            print "    $file.c uses $other.c: @{[sort @{ $uses{$file}{$other} }]}\n";
        }
    }
}

no warnings 'recursion';
read_symbols();
link_files();
exists $number{$_} or visit($_) for sort keys %needs;
show(@$_) for @circles;
exit 1 if @circles;
print "circles: no file calls back into one that calls it\n";
