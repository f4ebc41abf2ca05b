#!/usr/bin/perl
# bench-figures.pl: the tables and pictures of what `make bench` measured, in README.md and in manual pages.
# scripts/bench.sh describes its file.
#   bench-figures.pl table RESULTS PART         prints the table of one part
#   bench-figures.pl draw RESULTS FOLDER        draws the pictures into the folder, by gnuplot
#   bench-figures.pl take NEW RESULTS           RESULTS gets the parts that are in NEW, and keeps its others
#   bench-figures.pl set RESULTS README.md      sets what is between "<!-- figures: PART -->" and "<!-- end -->" there,
#                                               and draws the pictures in etc/pictures beside it
#   bench-figures.pl check RESULTS README.md    says what that would change; exit status 1 if something
# PAGE.7 in place of README.md: a manual page, whose tables are between '.\" figures: PART' and '.\" end'.
use strict;
use warnings;

my (%of, %any, %version); # rows by part, program, doors, quantity; a row of each part; versions of programs

sub read_results {
    my ($path) = @_;
    open my $in, '<', $path or die "bench-figures: $path: $!\n";
    while (<$in>) {
        chomp;
        next if /^#/;
        my ($part, $program, $doors, $quantity, $unit, $value, $runs, $version, $date, $machine) = my @row = split /\t/;
        die "bench-figures: $path:$.: " . @row . " fields, not 10\n" if @row != 10;
        my $row = {value => $value, runs => $runs, version => $version, date => $date, machine => $machine};
        $of{$part}{$program}{$doors}{$quantity} = $row;
        $any{$part} //= $row;
        $version{$program} = $version;
    }
}

# --- numbers ---

sub grouped { my $n = reverse shift; $n =~ s/(\d{3})(?=\d)/$1,/g; return scalar reverse $n }

# Three digits are what a measurement is worth.
sub rounded {
    my ($n) = @_;
    return grouped(sprintf '%.0f', $n) if $n >= 100;
    return sprintf $n >= 10 ? '%.0f' : $n >= 1 ? '%.1f' : '%.2f', $n;
}

sub seconds {
    my ($ms) = @_;
    return 'before its time' if $ms < 0;
    return $ms < 1000 ? sprintf('%.0f ms', $ms) : sprintf '%.1f s', $ms / 1000;
}

# value PART, PROGRAM, DOORS, QUANTITY: undef where it was not measured.
sub value {
    my ($part, $program, $doors, $quantity) = @_;
    my $row = $of{$part} && $of{$part}{$program} && $of{$part}{$program}{$doors};
    return $row && $row->{$quantity} && $row->{$quantity}{value};
}

sub runs { my ($part, $program, $doors, $quantity) = @_; return $of{$part}{$program}{$doors}{$quantity}{runs} }

sub doors_of { my ($part, $program) = @_; return sort { $a <=> $b } keys %{$of{$part}{$program} // {}} }

# Programs of a part, by these names or that begin with one of them and "/", in this order.
sub programs {
    my ($part, @names) = @_;
    return map { my $name = $_; grep { $_ eq $name || index($_, "$name/") == 0 } sort keys %{$of{$part}} } @names;
}

sub table {
    my ($head, @rows) = @_;
    my $line = sub { '| ' . join(' | ', @_) . " |\n" };
    return $line->(@$head) . '|' . '---|' x @$head . "\n" . join '', map { $line->(@$_) } @rows;
}

# Prose in lines as long as README.md's.
sub wrapped {
    my @lines = ('');
    for (split ' ', join ' ', @_) {
        push @lines, '' if length($lines[-1]) + 1 + length > 120;
        $lines[-1] .= ($lines[-1] eq '' ? '' : ' ') . $_;
    }
    return join("\n", @lines) . "\n";
}

sub measured { my ($part) = @_; return "On $any{$part}{date}, $any{$part}{machine}" }

# --- a part each ---

my %reader = (wc => '`wc -l`', grep => "`LC_ALL=C grep -cF '[DENY] '`", 'knockd/few' => '`knockd -r`, 50,000 sources',
    'knockd/many' => '`knockd -r`, 1,000,000 sources', sshguard => '`sshg-parser`', fail2ban => '`fail2ban-regex`');

sub readers {
    my ($lines, $bytes) = map { value('log', 'log', 0, $_) } qw(lines bytes);
    my ($wc, $grep) = map { value('log', $_, 0, 'CPU time') || 0.001 } qw(wc grep);
    my @rows;
    for my $program (grep { $of{log}{$_} } qw(wc grep knockd/few knockd/many sshguard fail2ban)) {
        my $s = value('log', $program, 0, 'CPU time') || 0.001;
        push @rows, [$reader{$program}, sprintf('%.3f s', $s), sprintf('%.2f million', $lines / $s / 1e6),
            sprintf('%.0f MB', $bytes / $s / 1e6), sprintf('%.2f', $s / $grep), sprintf('%.1f', $s / $wc)];
    }
    my $text = wrapped(measured('log') . '; CPU time of one thread, median of ' . runs('log', 'grep', 0, 'CPU time'),
        "in turn, files in memory:") . "\n"
        . table([grouped($lines) . ' lines', 'CPU time', 'lines/s', 'bytes/s', 'to `grep -c`', 'to `wc -l`'], @rows);
    my %ms = map { $_ => value('log', 'knockd', 0, "$_ CPU time") } qw(listener keeper);
    return $text unless defined $ms{keeper};
    my %kib = map { my $who = $_; map { ("$who $_" => value('log', 'knockd', 0, "$who memory $_")) } qw(before after) }
        qw(keeper listener);
    my $all = ($ms{listener} + $ms{keeper}) / 1000;
    return $text . "\n" . wrapped(sprintf('The running daemon, to whose log the same lines are appended in blocks of'
        . ' 64 KiB, takes %.3f s (listener %d ms, keeper %d ms), %.2f times what the replay takes. Its memory (PSS) at'
        . ' rest: keeper %.1f MiB, listener %.1f MiB; after the lines %.1f and %.1f.', $all, @ms{qw(listener keeper)},
        $all / value('log', 'knockd/few', 0, 'CPU time'), map { $_ / 1024 } @kib{'keeper before', 'listener before',
        'keeper after', 'listener after'}));
}

my @knocks = (['sealed, carrier UDP', 'knockd/udp', 'knockd/udp'], ['sealed, carrier TCP', 'knockd/tcp', 'knockd/tcp'],
    ['sealed, in one packet, heard by NFLOG', 'knockd/packet', 'knockd/packet-nflog'],
    ['the same, captured', 'knockd/packet', 'knockd/packet-pcap'],
    ['a plain sequence of 3 ports', 'knockd/plain', 'knockd/plain'],
    ['`fwknop`, one packet, captured', 'fwknop', 'fwknop']);

sub sealed {
    my @rows;
    for (@knocks) {
        my ($title, $wire, $opens) = @$_;
        my @cells = map {
            my ($packets, $bytes) = (value('sealed', $wire, 0, "$_ packets"), value('sealed', $wire, 0, "$_ bytes"));
            defined $packets ? "$packets, $bytes bytes" : '-';
        } 'first round', 'no port', 'nothing opens';
        next unless grep { $_ ne '-' } @cells;
        my @ms = map { value('sealed', $opens, 0, "open $_") } qw(p50 p1 p100);
        push @rows, [$title, @cells, defined $ms[0] ? sprintf('%.0f ms (%.0f-%.0f)', @ms) : '-'];
    }
    return wrapped(measured('sealed') . ':') . "\n" . table(['a knock', 'packets: first round',
        'no port to wait for', 'all rounds, nothing opens', 'door open after'], @rows);
}

sub junk {
    return '' unless defined value('junk', 'knockd', 0, 'opened');
    my %v = map { $_ => value('junk', 'knockd', 0, $_) } 'keys', 'messages', 'packets', 'keeper CPU time',
        'listener CPU time', 'knocks', 'opened';
    return wrapped(measured('junk') . ': with', grouped($v{keys}), 'keys, a second of it takes the keeper',
        "$v{'keeper CPU time'} ms of CPU time and the listener, who reads the packets, $v{'listener CPU time'};",
        "of $v{knocks} real knocks among", grouped($v{messages}), 'such messages (', grouped($v{packets}),
        "packets) $v{opened} opened.") =~ s/\( /(/r;
}

sub latency {
    my @rows;
    for my $program (programs('latency', qw(knockd knockd-0.8 fwknop))) {
        for my $doors (doors_of('latency', $program)) {
            my ($floor, $ours) = map { my $p = $_;
                [map { value('latency', $p, $doors, "latency $_") } qw(p50 p95 p99)] }
                $program =~ s/^\w+/floor/r, $program;
            my $ms = sub { defined $_[0][0] ? join(', ', map { sprintf '%.1f', $_ } @{$_[0]}) . ' ms' : '-' };
            next unless defined $ours->[0];
            push @rows, ["`$program`", grouped($doors), $ms->($floor), $ms->($ours),
                defined $floor->[0] ? sprintf('%.2f, %.2f', $ours->[0] / $floor->[0], $ours->[2] / $floor->[2]) : '-'];
        }
    }
    return wrapped(measured('latency') . ':') . "\n" . table(['program', 'doors open', 'floor: median, p95, p99',
        'it opens after: median, p95, p99', 'ratio to the floor: median, p99'], @rows) . flood() . at_rest();
}

my %heard = (file => 'a file', kmsg => '`/dev/kmsg`');

sub sources {
    my @rows;
    for my $name (grep { $of{sources}{"knockd/$_"} } sort keys %heard) {
        my ($floor, $ours) = map { my $p = $_; [map { value('sources', "$p/$name", 1, "latency $_") } qw(p50 p95 p99)] }
            qw(floor knockd);
        push @rows, [$heard{$name}, (map { join(', ', map { sprintf '%.1f', $_ } @$_) . ' ms' } $floor, $ours),
            sprintf '%.2f, %.2f', $ours->[0] / $floor->[0], $ours->[2] / $floor->[2]];
    }
    return wrapped(measured('sources') . ':') . "\n" . table(['a line that comes by', 'floor: median, p95, p99',
        'it opens after: median, p95, p99', 'ratio to the floor: median, p99'], @rows);
}

sub flood {
    my @rows;
    for my $program (programs('latency', qw(knockd knockd-0.8 fwknop))) {
        for my $to ('other ports', "a knock's port") {
            my ($rate, $ns, $lost) = map { value('latency', $program, 1, $_) } "flood to $to rate",
                "flood to $to CPU time", "latency in a flood to $to lost";
            next unless defined $rate;
            my @ms = grep { defined } map { value('latency', $program, 1, "latency in a flood to $to $_") } qw(p50 p95);
            push @rows, ["`$program`", $to, grouped($rate), rounded($ns / 1000) . ' us',
                @ms ? join(', ', map { sprintf '%.1f', $_ } @ms) . ' ms' : '-', sprintf '%.0f %%', 100 - ($lost // 0)];
        }
    }
    return '' unless @rows;
    return "\n" . wrapped('In a flood of denied packets, as fast as one processor can send them, each from',
        'another address:') . "\n" . table(['program', 'flood to', 'packets/s', 'CPU time for each',
        'it opens after: median, p95', 'knocks that open'], @rows);
}

sub at_rest {
    my @rows;
    for my $program (programs('latency', qw(knockd knockd-0.8 fwknop))) {
        for my $doors (doors_of('latency', $program)) {
            my ($kib, @rest) = map { value('latency', $program, $doors, $_) } 'memory', 'processes', 'wake-ups';
            next unless defined $kib;
            push @rows, ["`$program`", grouped($doors), rounded($kib / 1024) . ' MiB', grouped($rest[0]),
                rounded($rest[1])];
        }
    }
    return '' unless @rows;
    return "\n" . wrapped('At rest:') . "\n"
        . table(['program', 'doors open', 'memory (PSS)', 'processes', 'wake-ups a second'], @rows);
}

sub doors {
    my @rows;
    for my $program (programs('doors', qw(knockd knockd-0.8 fwknop))) {
        for my $doors (doors_of('doors', $program)) {
            my ($close, @ms) = map { value('doors', $program, $doors, $_) } 'close', 'stop', 'restart', 'open', 'command';
            my ($given_up, $left) = map { value('doors', $program, $doors, $_) } 'close, not all', 'left open';
            $close = defined $close ? seconds($close) : defined $left
                && grouped($left) . ' still open after ' . seconds($given_up);
            push @rows, ["`$program`", grouped($doors), $close, map { defined $_ ? seconds($_) : '-' } @ms] if $close;
        }
    }
    return wrapped(measured('doors') . ':') . "\n" . table(['program', 'doors open', 'the last closes after its time',
        'SIGTERM closes all', 'after kill -9 all are closed', 'one more opens', 'its command by itself'], @rows)
        . below();
}

# Doors whose rules come last in a chain.
sub below {
    my (@rows, $above);
    for my $program (programs('doors', 'knockd')) {
        for my $doors (doors_of('doors', $program)) {
            my $close = value('doors', $program, $doors, 'close below') // next;
            $above = value('doors', $program, $doors, 'rules above');
            push @rows, ["`$program`", grouped($doors), seconds($close)];
        }
    }
    return '' unless @rows;
    return "\n" . wrapped('Where', grouped($above), "rules of others come before the doors' in their chain:") . "\n"
        . table(['program', 'doors open', 'the last closes after its time'], @rows);
}

# Title, program, and what a manual page calls it.
my @ways = (['rsyslog, RELP and TLS, a hub', 'knockd/rsyslog', 'rsyslog, a hub'],
    ['rsyslog, RELP and TLS, a mesh', 'knockd/mesh', 'rsyslog, a mesh'],
    ['nats-server, by MQTT and TLS', 'knockd/nats', 'NATS'],
    ['Redis, PUBLISH and SUBSCRIBE, TLS', 'knockd/redis', 'Redis']);

# delays PROGRAM: ms from a line to an open door.
sub delays {
    my ($program) = @_;
    return map { value('fleet', $program, 0, $_) } 'own p50', 'own p99', 'other p50', 'other p99';
}

sub fleet {
    my ($file, $pipe) = map { value('fleet', "knockd/$_", 0, 'lines per CPU second') } qw(file command);
    my @rows;
    for (@ways) {
        my ($title, $program) = @$_;
        my @ms = delays($program);
        push @rows, [$title, (map { defined $_ ? sprintf '%.1f ms', $_ : '-' } @ms),
            map { grouped(value('fleet', $program, 0, $_) // '-') } 'burst', 'burst lost'] if grep { defined $_ } @ms;
    }
    return wrapped(measured('fleet') . ':', sprintf('of the merged stream of %s gateways, mixed line by line, one knockd'
        . ' takes %.2f million lines for each second of CPU time from a file, %.2f million from a pipe; %s lines a second,'
        . ' as they come, take %.1f %% of a core.', value('fleet', 'fleet', 0, 'hosts'), $file / 1e6, $pipe / 1e6,
        grouped(value('fleet', 'fleet', 0, 'rate')), value('fleet', 'knockd/paced', 0, 'share of a core')))
        . (@rows ? "\n" . table(['from a line to an open door', "the gateway's own, median", 'p99', "another's, median",
        'p99', 'lines a second in a burst', 'lost of it'], @rows) : '');
}

# The same in mdoc(7), for knockd-fleet(7).
sub fleet_page {
    my $text = ".Bl -column \"rsyslog, a mesh\" \"5.9 (226.2) ms\" \"5.9 (226.7) ms\" \"15,000/s\"\n"
        . ".It Sy way Ta Sy own door Ta Sy another's Ta Sy burst\n.It Ta median (p99) Ta median (p99) Ta\n";
    for (@ways) {
        my (undef, $program, $name) = @$_;
        my @ms = delays($program);
        next unless defined $ms[0];
        $text .= sprintf(".It %s Ta %.1f (%.1f) ms Ta %.1f (%.1f) ms Ta %s/s\n", $name, @ms,
            grouped(value('fleet', $program, 0, 'burst')));
    }
    my $file = value('fleet', 'knockd/file', 0, 'lines per CPU second');
    return "Measured on $any{fleet}{date}, " . $any{fleet}{machine} =~ s/, /,\n/r . ".\n$text.El\n.Pp\n"
        . sprintf("Of the merged stream of %s gateways, one\n.Xr knockd 8\ntakes %.2f million lines for each second of CPU"
        . " time; %s lines a second\nare %.1f %% of a processor.\n", value('fleet', 'fleet', 0, 'hosts'), $file / 1e6,
        grouped(value('fleet', 'fleet', 0, 'rate')), value('fleet', 'knockd/paced', 0, 'share of a core'));
}

my %page = (fleet => \&fleet_page);
my %make = (fleet => \&fleet, log => \&readers, sealed => \&sealed, junk => \&junk, latency => \&latency,
    sources => \&sources, doors => \&doors);

# filled TEXT: with the tables of what was measured.
sub filled {
    my ($text) = @_;
    $text =~ s{(<!-- figures: (\w+) -->\n).*?(?=<!-- end -->)}
        {my ($head, $part) = ($1, $2); $of{$part} && $make{$part} ? "$head\n" . $make{$part}->() . "\n" : $&}gse;
    $text =~ s{(\.\\" figures: (\w+)\n).*?(?=\.\\" end\n)}
        {my ($head, $part) = ($1, $2); $of{$part} && $page{$part} ? $head . $page{$part}->() : $&}gse;
    return $text;
}

# --- pictures ---

# Colours for light pages, and what they are on dark ones.
my %dark = ('#ffffff' => '#0d1117', '#1f2328' => '#e6edf3', '#656d76' => '#8d96a0', '#d0d7de' => '#30363d',
    '#0550ae' => '#79c0ff', '#0a7ea4' => '#56d4dd', '#1a7f37' => '#56d364', '#8250df' => '#d2a8ff',
    '#bc4c00' => '#ffa657', '#bf3989' => '#f778ba', '#6e7781' => '#8b949e', '#953800' => '#ffc680');
my @own = ('#0550ae', '#0a7ea4', '#1a7f37', '#bf3989', '#953800');
my %other = ('knockd-0.8' => '#bc4c00', fwknop => '#8250df');

# series PART, POINTS: [title, colour, dashes, points] of each program of which POINTS finds some.
sub series {
    my ($part, $points) = @_;
    my ($next, @series) = 0;
    for my $program (programs($part, qw(knockd knockd-0.8 fwknop floor))) {
        my @points = $points->($program) or next;
        my $floor = $program =~ /^floor/;
        my $name = $program =~ /\// ? $program =~ s/\// by /r : ($program =~ /^(\w+)/)[0] . " $version{$program}";
        push @series, [$name, $other{$program} // ($floor ? '#6e7781' : $own[$next++ % @own]), $floor ? 2 : 1, @points];
    }
    return @series;
}

# How many of a hundred knocks have opened after so many ms, where one door is open.
sub latency_picture {
    my ($doors) = grep { defined value('latency', 'knockd/nflog', $_, 'latency p50') }
        doors_of('latency', 'knockd/nflog');
    return unless defined $doors;
    my @series = series('latency', sub {
        my ($program) = @_;
        return map { my $ms = value('latency', $program, $doors, "latency p$_"); defined $ms ? "$ms $_" : () } 1 .. 100;
    });
    return ('How soon a knock opens: from its last packet to the rule in the kernel', 'ms', '% of knocks',
        "set logscale x\nset yrange [0:100]\n", 'lines', @series);
}

# Where not all had closed, how long that was waited for.
sub closing_picture {
    my @series = series('doors', sub {
        my ($program) = @_;
        return map {
            my $ms = value('doors', $program, $_, 'close') // value('doors', $program, $_, 'close, not all');
            defined $ms ? "$_ " . ($ms < 1 ? 1 : $ms) : ();
        } doors_of('doors', $program);
    });
    return unless @series;
    my $settings = "set logscale xy\nset yrange [1:]\nset xrange [0.8:20000]\n";
    for my $program (sort keys %other) {
        for my $doors (doors_of('doors', $program)) {
            my ($ms, $left) = map { value('doors', $program, $doors, $_) } 'close, not all', 'left open';
            $settings .= sprintf "set label '%s still open' at %s,%s right offset -1,0 textcolor rgb '%s'\n",
                grouped($left), $doors, $ms, $other{$program} if defined $ms;
        }
    }
    return ('Doors that are due at one moment: how late the last of them closes', 'open doors', 'ms', $settings,
        'linespoints pt 7 ps 0.6', @series);
}

my %picture = (latency => \&latency_picture, closing => \&closing_picture);

# script NAME: what gnuplot gets; nothing where it was not measured.
sub script {
    my ($title, $x, $y, $settings, $style, @series) = $picture{$_[0]}->() or return;
    my $ink = "textcolor rgb '#1f2328'";
    my $text = "set terminal svg size 900,420 font 'sans-serif,13' name '$_[0]'\nset title '$title' $ink\n"
        . "set xlabel '$x' $ink\nset ylabel '$y' $ink\n" . "set key outside right top Left reverse $ink\n$settings"
        . "set grid lt 1 lw 1 lc rgb '#d0d7de'\nset border 3 lc rgb '#656d76'\n"
        . "set tics nomirror textcolor rgb '#656d76'\n";
    my @plots;
    for (@series) {
        my ($name, $colour, $dashes, @points) = @$_;
        $text .= join "\n", '$s' . @plots . ' << END', @points, "END\n";
        push @plots, '$s' . @plots . " with $style dt $dashes lw 2 lc rgb '$colour' title '$name'";
    }
    return $text . 'plot ' . join(', ', @plots) . "\n";
}

# What the picture is made of, in one number.
sub mark {
    my ($script) = @_;
    return sprintf '<!-- made of %d bytes, %08x -->', length $script, unpack '%32N*', "$script\0\0\0";
}

# What is alike on light and dark pages comes from gnuplot, the rest from a style.
sub draw {
    my ($name, $path) = @_;
    my $script = script($name) or return;
    my ($in, $out) = ("$path.gnuplot", "$path.new");
    open my $to, '>', $in or die "bench-figures: $in: $!\n";
    print $to "set output '$out'\n$script";
    close $to or die "bench-figures: $in: $!\n";
    system('gnuplot', $in) == 0 or die "bench-figures: gnuplot can't draw $path; scripts/deps.sh bench installs it\n";
    my $svg = slurp($out);
    unlink $in, $out;
    my $hex = sub { sprintf '"#%02x%02x%02x"', @_ };
    $svg =~ s/['"]rgb\( *(\d+), *(\d+), *(\d+)\)['"]/$hex->($1, $2, $3)/ge;
    $svg =~ s/(<rect [^>]*) fill="none"\/>/$1 rx="8" fill="#ffffff" stroke="#d0d7de"\/>/;
    my $style = '';
    for my $light (sort keys %dark) {
        $style .= "[$_=\"$light\"] { $_: $dark{$light}; }\n" for qw(fill stroke color);
    }
    $style = "<style>\n\@media (prefers-color-scheme: dark) {\n$style}\n</style>";
    $svg =~ s/<desc>.*?<\/desc>/mark($script) . "\n$style"/se;
    $svg =~ s/<g [^>]*>\s*<\/g>\n//g;
    $svg =~ s/[ \t]+$//mg;
    spill($path, $svg);
}

sub pictures {
    my ($folder) = @_;
    draw($_, "$folder/$_.svg") for sort keys %picture;
}

# --- what is asked for ---

sub slurp {
    my ($path) = @_;
    open my $in, '<', $path or die "bench-figures: $path: $!\n";
    local $/;
    return scalar <$in>;
}

sub spill {
    my ($path, $text) = @_;
    open my $out, '>', $path or die "bench-figures: $path: $!\n";
    print $out $text;
    close $out or die "bench-figures: $path: $!\n";
}

sub take {
    my ($from, $to) = @_;
    my @new = split /^/, slurp($from);
    my %part = map { /^(?!#)(\w+)\t/ ? ($1 => 1) : () } @new;
    my @kept = grep { /^(?!#)(\w+)\t/ && !$part{$1} } -e $to ? split /^/, slurp($to) : ();
    my ($head, @rows) = (grep({ /^#/ } @new), grep { !/^#/ } @new);
    spill($to, join '', $head, sort { ($a =~ /^(\w+)/)[0] cmp ($b =~ /^(\w+)/)[0] } @kept, @rows);
}

# Manual pages have no pictures.
sub is_page { my ($path) = @_; return $path =~ /\.[1-8]$/ }

sub set_readme {
    my ($readme) = @_;
    my $old = slurp($readme);
    spill($readme, filled($old)) if filled($old) ne $old;
    return if is_page($readme);
    pictures($readme =~ s/[^\/]*$/etc\/pictures/r);
}

# Of a picture, whether it was made of these figures: another gnuplot draws it in other words.
sub check {
    my ($results, $readme) = @_;
    my $old = slurp($readme);
    my $new = filled($old);
    my %has = map { $_ => 1 } split /\n/, $old;
    my @wrong = map { "$readme: lacks: $_\n" } grep { !$has{$_} } split /\n/, $new;
    push @wrong, "$readme: has figures that are none of $results\n" if $new ne $old && !@wrong;
    for my $name (is_page($readme) ? () : sort keys %picture) {
        my $script = script($name) or next;
        my $path = $readme =~ s/[^\/]*$/etc\/pictures\/$name.svg/r;
        push @wrong, "$path: was not drawn of $results\n" unless -e $path && index(slurp($path), mark($script)) >= 0;
    }
    print @wrong, @wrong ? "make figures makes them of $results\n" : ();
    return !@wrong;
}

my ($what, @paths) = @ARGV;
die "usage: bench-figures.pl table|draw|take|set|check FILE FILE\n"
    unless @paths == 2 && $what =~ /^(table|draw|take|set|check)$/;
if ($what eq 'take') { take(@paths); exit }
read_results($paths[0]);
print $make{$paths[1]}->() if $what eq 'table' && $of{$paths[1]} && $make{$paths[1]};
pictures($paths[1]) if $what eq 'draw';
set_readme($paths[1]) if $what eq 'set';
exit !check(@paths) if $what eq 'check';
