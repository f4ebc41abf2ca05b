#!/usr/bin/perl
# picture.pl [FILE]: reads what `make demo` prints and writes a picture of it, an SVG of a terminal, to standard
# output: the first part, from "without a knock" to "nothing answers again", its long lines cut, rules that are no
# door's left out. Light or dark as the reader's system is. `make picture` renews that of README.md.
use strict;
use warnings;

use constant { COLUMNS => 108, CHAR => 7.83, LINE => 19, MARGIN => 18, BAR => 34, INDENT => 66 };

# The steps that are shown; those before and after are of no door.
my ($first, $last) = (qr/without a knock/, qr/for a new connection/);

# steps LINE...: [title, [kind, text]...] of the first part's steps.
sub steps {
    my (@steps, $parts);
    for (@_) {
        $parts++ if /^IPv\d: knockd reads/;
        last if ($parts // 0) > 1;
        if (/^ *(\d+) ms  +\d+\. (.*)/) { push @steps, [$2, $1] }
        elsif (!@steps)               { next }
        elsif (/^ {16}\| (.*)/)       { push @{ $steps[-1] }, [said    => $1] }
        elsif (/^ {16}\$ (.*)/)       { push @{ $steps[-1] }, [command => $1] }
        elsif (/^ {16}(.*:)$/)        { push @{ $steps[-1] }, [said    => $1] }
        elsif (/^ {16}(.*)/)          { push @{ $steps[-1] }, [seen    => $1] }
    }
    return @steps;
}

# Rules of the firewall that stand there all the time tell nothing.
sub is_background {
    my ($text) = @_;
    return $text =~ /^-[AP] / && $text !~ /--dport/;
}

# lines STEP...: [kind, text, time] of each line of the picture.
sub lines {
    my @lines;
    for my $step (@_) {
        my ($title, $ms, @rest) = @$step;
        push @lines, [blank => ''] if @lines;
        push @lines, [title => $title, sprintf '%.1f s', $ms / 1000];
        push @lines, map { [$_->[0], ($_->[0] eq 'command' ? '$ ' : '') . $_->[1]] }
            grep { !is_background($_->[1]) } @rest;
    }
    return @lines;
}

sub shorten {
    my ($text) = @_;
    $text =~ s/\s+$//;
    return length $text > COLUMNS ? substr($text, 0, COLUMNS - 1) . "\x{2026}" : $text;
}

sub escape {
    my ($text) = @_;
    $text =~ s/[^\x20-\x7e\x{2026}]/?/g;
    my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');
    $text =~ s/([&<>])/$entity{$1}/g;
    return $text;
}

sub text {
    my ($x, $y, $class, $text) = @_;
    return sprintf qq{<text x="%d" y="%d" class="%s">%s</text>\n}, $x, $y, $class, escape($text);
}

sub svg {
    my @lines = @_;
    my ($width, $height) = (int(2 * MARGIN + INDENT + COLUMNS * CHAR), 2 * MARGIN + BAR + LINE * @lines);
    my $text = '';
    for my $at (0 .. $#lines) {
        my ($kind, $line, $time) = @{ $lines[$at] };
        my $y = BAR + MARGIN + LINE * ($at + 1) - 5;
        $text .= text(MARGIN, $y, said => $time) if $time;
        $text .= text(MARGIN + INDENT, $y, $kind, shorten($line)) if $line ne '';
    }
    return <<"END";
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 $width $height" width="$width" height="$height" role="img">
<title>A real run of make demo: nothing answers, a knock, the door opens, closes by itself, nothing answers</title>
<style>
rect { fill: #ffffff; stroke: #d0d7de; }
path, circle { fill: #f6f8fa; stroke: #d0d7de; }
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #656d76; }
text.title { fill: #1f2328; font-weight: bold; }
text.command { fill: #0550ae; }
text.seen { fill: #1a7f37; }
\@media (prefers-color-scheme: dark) {
rect { fill: #0d1117; stroke: #30363d; }
path, circle { fill: #161b22; stroke: #30363d; }
text { fill: #8d96a0; }
text.title { fill: #e6edf3; }
text.command { fill: #79c0ff; }
text.seen { fill: #56d364; }
}
</style>
<rect x="0.5" y="0.5" width="@{[$width - 1]}" height="@{[$height - 1]}" rx="8"/>
<path d="M0.5 34.5 V8.5 a8 8 0 0 1 8 -8 H@{[$width - 8.5]} a8 8 0 0 1 8 8 V34.5 z"/>
<circle cx="20" cy="18" r="5.5"/><circle cx="38" cy="18" r="5.5"/><circle cx="56" cy="18" r="5.5"/>
<text x="78" y="22">\$ sudo make demo</text>
$text</svg>
END
}

binmode STDOUT, ':encoding(UTF-8)';
my @steps = steps(map { s/\e\[[0-9;]*m//gr } <>);
my ($from) = grep { $steps[$_][0] =~ $first } 0 .. $#steps;
my ($to)   = grep { $steps[$_][0] =~ $last } 0 .. $#steps;
defined $from && defined $to or die "picture: this is no complete output of make demo: it lacks one of its steps\n";
print svg(lines(@steps[$from .. $to]));
