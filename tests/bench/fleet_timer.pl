#!/usr/bin/perl
# fleet_timer.pl ROUNDS BURST FROM_LOG STREAM OWN_LOG OTHER_LOG PORT[:udp]...: how long after a gateway's own log and what carries
# it to the others (STREAM: a log, or a pipe that stands for the kernel's) have a knock's last line, that gateway and
# another one have opened, by what their knockd says in OWN_LOG and OTHER_LOG. Prints "own MS" and "other MS", a line each.
# Another address knocks each time. Then BURST lines of others are written to STREAM as fast as it takes them.
use strict;
use warnings;
use POSIX qw(strftime);
use Time::HiRes qw(time sleep);

my ($rounds, $burst, $log, $stream, $own, $other, @steps) = @ARGV;
my %said;
for my $path ($own, $other) {
    open $said{$path}, '<', $path or die "$path: $!\n";
    seek $said{$path}, 0, 2;
}
sub appender { my ($path) = @_; open my $out, (-p $path ? '+<' : '>>'), $path or die "$path: $!\n"; return $out }
my ($to_log, $to_stream) = map { appender($_) } $log, $stream;
my $packets = 0;

sub arrives {
    my ($from, $step, $stream_alone) = @_;
    my ($port, $proto) = split /:/, $step;
    my $spt = 1024 + $packets++ % 60000;
    my $packet = "[KNOCK] IN=eth0 OUT= MAC=02:00:00:00:00:01 SRC=$from DST=198.51.100.7 LEN=60 TOS=0x00 PREC=0x00"
        . " TTL=64 ID=$spt DF " . ($proto ? "PROTO=UDP SPT=$spt DPT=$port LEN=9 " :
        "PROTO=TCP SPT=$spt DPT=$port WINDOW=64240 RES=0x00 SYN URGP=0 ");
    my $now = time;
    my $line = strftime('%Y-%m-%dT%H:%M:%S', gmtime $now) . sprintf('.%06d+00:00 gw-a kernel: [ 4711.123456] ',
        ($now - int $now) * 1e6) . "$packet\n";
    syswrite $to_log, $line unless $stream_alone;
    syswrite $to_stream, -p $stream ? "<4>[ 4711.123456] $packet\n" : $line;
}

# How long it took each of them to open, in ms.
sub wait_for {
    my ($from, $began, @logs) = @_;
    my (%ms, %text);
    until (keys %ms == @logs) {
        for my $path (grep { !defined $ms{$_} } @logs) {
            sysread $said{$path}, $text{$path}, 65536, length($text{$path} // '');
            $ms{$path} = 1000 * (time - $began) if $text{$path} =~ /opened for \Q$from\E,/;
        }
        die "$from opened nothing within 20 s\n" if time - $began > 20;
        sleep 0.0003;
    }
    return @ms{@logs};
}

for my $round (1 .. $rounds) {
    my $from = '198.19.' . int($round / 250) . '.' . (1 + $round % 250);
    for my $step (@steps[0 .. $#steps - 1]) {
        arrives($from, $step);
        sleep 0.02;
    }
    my $began = time;
    arrives($from, $steps[-1]);
    printf "own %.2f\nother %.2f\n", wait_for($from, $began, $own, $other);
    sleep 0.02;
}
arrives('198.18.9.' . $_ % 250, 9, 1) for 1 .. $burst;
