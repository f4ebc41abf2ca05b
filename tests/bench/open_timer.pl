#!/usr/bin/perl
# open_timer.pl KERN_LOG DAEMON_LOG KNOCKS: how long a door takes to open, seen by knockd's own log. One knock after the
# other, each from an address of its own from 10.1.0.1 on: appends the lines of its sequence to KERN_LOG by one write,
# waits until DAEMON_LOG says that its door is open, and prints after how many ms that was. Exit status 1 when it didn't
# open within 30 s.
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($kern_log, $daemon_log, $knocks) = @ARGV;
my @months = qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec);

sub knock_lines {
    my ($source) = @_;
    my (undef, undef, undef, $day, $month) = my @now = localtime;
    my $stamp = sprintf '%s %2d %02d:%02d:%02d', $months[$month], $day, @now[2, 1, 0];
    return join '', map {
        "$stamp gate kernel: [ 1.1] [DENY] IN=eth0 OUT= MAC= SRC=$source DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=64"
            . " ID=1 DF PROTO=TCP SPT=4711 DPT=$_ WINDOW=64240 RES=0x00 SYN URGP=0 \n"
    } 7412, 28733, 51990;
}

open my $says, '<', $daemon_log or die "$daemon_log: $!\n";
open my $kernel, '>>', $kern_log or die "$kern_log: $!\n";
for my $number (1 .. $knocks) {
    my $source = "10.1.0.$number";
    my $said = '';
    my $lines = knock_lines($source);
    seek $says, 0, 2;
    my $began = time;
    syswrite $kernel, $lines;
    until ($said =~ / opened for \Q$source\E,/) {
        die "no door opened for $source\n" if time - $began > 30;
        sleep 0.0002;
        sysread $says, $said, 65536, length $said;
    }
    printf "%.1f\n", 1000 * (time - $began);
}
