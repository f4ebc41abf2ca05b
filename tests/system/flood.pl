#!/usr/bin/perl
# A flood of spoofed first steps as the kernel logs them, and knocks in the middle of it. Lines go to standard output.
#   flood.pl LOG PID KNOCKS SPOOFED RATE PREFIX GATE
# KNOCKS from an address each, with steps 200 ms apart, begin when SPOOFED / 4 lines are out; the flood goes on from
# SPOOFED different addresses, at RATE lines a second, until they are used up and the last knock was answered. LOG is
# where knockd says "opened for ADDRESS", PID the listener. Prints to standard error:
#   lines N  rate N  opened N  slowest MS  full KB  end KB
# with the time from a knock's last line to its open door, and the listener's memory when the knocks begin and at the end.
use strict;
use warnings;
use POSIX qw(strftime);
use Time::HiRes qw(time sleep);

my ($log, $pid, $knocks, $spoofed, $rate, $prefix, $gate) = @ARGV;
my ($tick, $apart, $patience) = (0.005, 0.2, 20);
my @steps = ([TCP => 7412], [UDP => 28733], [TCP => 51990]);
my $spt = 1024;

# Of the present: lines that are older open nothing.
my ($stamped, $stamp) = (0, '');

sub line {
    my ($from, $proto, $port) = @_;
    my $rest = $proto eq 'UDP' ? 'LEN=9 ' : 'WINDOW=64240 RES=0x00 SYN URGP=0 ';
    $spt = 1024 if ++$spt > 60000;
    my $second = int time;
    ($stamped, $stamp) = ($second, strftime('%b %e %T', localtime $second)) if $second != $stamped;
    return "$stamp gate kernel: [ 4711.123456] ${prefix}IN=eth0 OUT= MAC=02:00:00:00:00:01 SRC=$from DST=$gate "
        . "LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 PROTO=$proto SPT=$spt DPT=$port $rest\n";
}

sub resident {
    open my $status, '<', "/proc/$pid/status" or return 0;
    return (map { /^VmRSS:\s+(\d+)/ } <$status>)[0] // 0;
}

# All different, up to 2^24, and none a neighbour of the one before.
sub spoofed { my ($n) = @_; my $m = $n * 7919 % 2**24; return join '.', 10, $m >> 16, $m >> 8 & 255, $m & 255 }

$| = 1;
open my $said, '<', $log or die "$log: $!\n";
my $begin = my $next = time;
my ($lines, $sent, $opened, $slowest, $full, $step, $due, %asked) = (0, 0, 0, 0, 0, 0, 0);
my $end = $begin + $spoofed / $rate * 5 + $knocks * 1 + $patience;
while (time < $end && ($lines < $spoofed || $opened < $knocks)) {
    my $out = join '', map { line(spoofed($lines++), @{$steps[0]}) } 1 .. $rate * $tick;
    my $now = time;
    if ($lines >= $spoofed / 4 && $sent < $knocks && $now >= $due) {
        $full ||= resident();
        my $from = '192.0.2.' . (10 + $sent);
        $out .= line($from, @{$steps[$step++]});
        $due = $now + $apart;
        ($asked{$from}, $step, $sent) = ($now, 0, $sent + 1) if $step == @steps;
    }
    print $out or die "the reader is gone\n";
    seek $said, 0, 1;
    while (<$said>) {
        my ($from) = /: opened for (\S+),/ or next;
        my $took = (time - ($asked{$from} // time)) * 1000;
        ($opened, $slowest) = ($opened + 1, $took > $slowest ? $took : $slowest);
    }
    $next += $tick;
    my $pause = $next - time;
    # Who is behind by more than a moment stays behind: no bursts beyond the rate.
    if ($pause > 0) { sleep $pause } elsif ($pause < -0.1) { $next = time }
}
printf STDERR "lines %d rate %d opened %d slowest %d full %d end %d\n", $lines, $lines / (time - $begin), $opened,
    $slowest, $full, resident();
