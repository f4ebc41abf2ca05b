#!/usr/bin/perl
# closed_timer.pl DAEMON_LOG COUNT: waits until knockd has said of so many doors that they are closed, a minute at most,
# and prints when it said the last, in ms since the epoch. Exit status 1 when it didn't.
use strict;
use warnings;
use Time::HiRes qw(time sleep);

my ($daemon_log, $count) = @ARGV;
open my $says, '<', $daemon_log or die "$daemon_log: $!\n";
my ($deadline, $closed, $said) = (time + 60, 0, '');
while (1) {
    while (sysread $says, $said, 65536, length $said) {
        # What follows the last line's end is the beginning of the next.
        my $end = rindex($said, "\n") + 1;
        $closed += () = substr($said, 0, $end, '') =~ / closed for /g;
    }
    last if $closed >= $count;
    die "closed $closed of $count\n" if time > $deadline;
    sleep 0.001;
}
printf "%d\n", 1000 * time;
