# rotate.pl: a log that is rotated by rename, in two ways; prints how many lines were written.
#
#   rotate.pl each FILE COUNT PID             COUNT rotations, each as soon as process PID has the new file open
#   rotate.pl load FILE COUNT PERIOD RATE PID COUNT rotations, PERIOD ms apart, under RATE lines a second, whose writer
#                                             goes on with the old file for up to half a period; a rotation waits until
#                                             process PID has the file open, since one that comes and goes while a busy
#                                             machine doesn't let it run can't be read by anybody
use strict;
use warnings;
use Fcntl;
use POSIX qw(strftime);
use Time::HiRes qw(time sleep);

my ($mode, $file, $count, @rest) = @ARGV;
my $rest = " gate kernel: [ 4711.123456] $ENV{LOG_PREFIX}IN=eth0 OUT= MAC=02:00:00:00:00:01 SRC=203.0.113.1"
    . " DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=4711 DF PROTO=TCP SPT=4711 DPT=20000 WINDOW=64240 RES=0x00"
    . " SYN URGP=0 \n";

sub fresh {
    sysopen(my $handle, $file, O_WRONLY | O_CREAT | O_APPEND) or die "$file: $!";
    return $handle;
}

# In pieces that end anywhere but at the last.
sub put {
    my ($handle, $lines) = @_;
    my $line = strftime('%b %e %T', localtime) . $rest;
    my ($text, $at) = ($line x $lines, 0);
    while ($at < length $text) {
        my $got = syswrite($handle, $text, 1 + int rand 60000, $at) // die "$file: $!";
        $at += $got;
    }
}

sub has_open {
    my ($pid, $inode) = @_;
    for my $fd (3 .. 63) {
        my $found = (stat "/proc/$pid/fd/$fd")[1];
        return 1 if defined $found && $found == $inode;
    }
    return 0;
}

sub rotate_each {
    my ($pid) = @_;
    for (1 .. $count) {
        rename $file, "$file.1" or die "$file: $!";
        my $handle = fresh();
        put($handle, 1);
        my $inode = (stat $handle)[1];
        my $end = time + 20;
        until (has_open($pid, $inode)) {
            die "rotation $_ isn't noticed" if time > $end;
            sleep 0.0002;
        }
        put($handle, 1);
    }
    return 2 * $count;
}

sub rotate_under_load {
    my ($period, $rate, $pid) = ($rest[0] / 1000, @rest[1, 2]);
    my ($handle, $written, $rotated, $late, $begin) = (fresh(), 0, 0, 0, time);
    my $inode = (stat $handle)[1];
    while ($rotated < $count || $late) {
        my $now = time - $begin;
        if ($rotated < $count && $now >= ($rotated + 1) * $period && !$late && has_open($pid, $inode)) {
            rename $file, "$file.1" or die "$file: $!";
            $rotated++;
            $inode = (stat fresh())[1];
            $late = $now + rand($period / 2);
        }
        die "rotation $rotated isn't noticed" if $now > ($rotated + 1) * $period + 60;
        my $due = int($rate * $now) - $written;
        put($handle, $due) if $due > 0;
        $written += $due;
        if ($late && $now >= $late) {
            $handle = fresh();
            $late = 0;
        }
        sleep 0.005;
    }
    printf STDERR "# %d lines/s\n", $written / (time - $begin);
    return $written;
}

my $seed = $ENV{SEED} // int rand 1e9;
srand $seed;
print STDERR "# SEED=$seed\n" if $mode eq 'load';
print $mode eq 'each' ? rotate_each(@rest) : rotate_under_load(), "\n";
