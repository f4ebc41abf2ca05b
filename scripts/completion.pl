#!/usr/bin/perl
# completion.pl FOLDER: reads what build/tools/list_options prints of the programs' tables of commands and options, and
# writes the files that bash, zsh and fish complete their command lines by.
use strict;
use warnings;

my $folder = shift or die "usage: completion.pl FOLDER <TABLES\n";
my (@commands, %command, %options);    # options: program => command or "-" => rows

while (<STDIN>) {
    chomp;
    my ($kind, $program, @rest) = split /\t/;
    if ($kind eq 'command') {
        my ($name, $words, $help) = @rest;
        my @kinds = map { $_ eq 'OLD' ? 'FILE' : $_ } $words =~ /([A-Z]+)/g;
        push @commands, $command{$name} = { name => $name, words => \@kinds, help => $help };
    } elsif ($kind eq 'option') {
        my ($of, $long, $short, $argument, $help) = @rest;
        push @{ $options{$program}{$of} },
            { long => $long, short => $short eq '-' ? undef : $short, argument => kind_of($argument), help => $help };
    }
}
@commands && keys %options == 3 or die "completion.pl: these are no tables of commands and options\n";

# What an argument is completed by: some kinds, "=a b" by these words, "-" by nothing, undef: there is none.
sub kind_of {
    my ($argument) = @_;
    return undef if $argument eq '-';
    return '=' . join ' ', grep { !/[A-Z.]/ } split /\|/, $argument if $argument =~ /\|/;
    $argument =~ s/\W.*//;
    return $argument =~ /^(FILE|FOLDER|DOOR|KEY|HOST|INTERFACE)$/ ? $argument : '-';
}

# `help` stands in front of a command, or of the first word of several.
{
    my $own = $options{knockctl}{'-'};
    my %seen;
    for my $first (grep { !$seen{$_}++ } map { (split / /, $_->{name})[0] } @commands) {
        my $help = $command{$first} ? $command{$first}{help} : group_help($first);
        push @commands, $command{"help $first"} = { name => "help $first", words => [], help => $help };
        $options{knockctl}{"help $first"} = $own;
    }
}

# What commands of two words have in common.
sub group_help {
    my ($first) = @_;
    return $first eq 'help' ? 'how a command is used' : 'keys of sealed knocks';
}

# --- what the shells' files have in common ---

my $note = "made by scripts/completion.pl of the program's own tables; don't edit it: make completion\n";

# All options of a program, each once; of knockctl those of all commands.
sub all_options {
    my ($program) = @_;
    my (%seen, @all);
    for my $of ('-', map { $_->{name} } @commands) {
        push @all, grep { !$seen{ $_->{long} }++ } @{ $options{$program}{$of} // [] };
    }
    return @all;
}

sub spellings {
    return map { ($_->{short} // ()), $_->{long} } @_;
}

# The options that stand in front of another word, by what that is: kind => options.
sub by_argument {
    my %kinds;
    push @{ $kinds{ $_->{argument} } }, spellings($_) for grep { defined $_->{argument} } all_options(@_);
    return %kinds;
}

# The options of a command; before there is one, those that any takes.
sub options_of {
    my ($program, $of) = @_;
    return @{ $options{$program}{$of} } if $of ne '-' || $program ne 'knockctl';
    return all_options($program);
}

sub quoted {
    my ($text) = @_;
    $text =~ s/'/'\\''/g;
    return "'$text'";
}

sub write_file {
    my ($name, $text) = @_;
    open my $out, '>', "$folder/$name" or die "completion.pl: $folder/$name: $!\n";
    print $out $text;
    close $out or die "completion.pl: $folder/$name: $!\n";
}

# The words that may begin a command: key once.
sub first_words {
    my %seen;
    return grep { !$seen{$_}++ } map { (split / /, $_->{name})[0] } @commands;
}

# key => new, list, remove
sub second_words {
    my %seconds;
    for (@commands) {
        my ($first, $second) = split / /, $_->{name};
        push @{ $seconds{$first} }, $second if defined $second;
    }
    return %seconds;
}

# --- bash ---

sub bash_arguments {
    my ($program) = @_;
    my %kinds = by_argument($program);
    return join '', map { '    ' . join('|', @{ $kinds{$_} }) . ") kind=" . quoted($_) . " ;;\n" } sort keys %kinds;
}

sub bash_commands {
    my $text = '';
    my %seconds = second_words();
    for (@commands) {
        my $kinds = join ' ', @{ $_->{words} };
        $text .= "    " . quoted($_->{name}) . ") kinds=($kinds)\n        options='"
            . join(' ', spellings(options_of('knockctl', $_->{name}))) . "' ;;\n";
    }
    $text .= "    $_) kinds=('=@{$seconds{$_}}') ;;\n" for sort keys %seconds;
    return $text;
}

my $bash = <<'END';
# bash completion of PROGRAM, NOTE
# shellcheck shell=bash

# Sets `words` to the arguments in front of the cursor, `cur` to what is to be completed, `kind` to what that is to be
# where it belongs to an option, `with` to the options that the answers of PROGRAM depend on.
_PROGRAM_split() {
    local line=${COMP_LINE:0:COMP_POINT} word last='' all=()
    read -ra all <<<"$line"
    cur='' words=() with=() kind=''
    if [[ $line != *[[:blank:]] ]]; then
        cur=${all[${#all[@]} - 1]}
        unset "all[${#all[@]} - 1]"
    fi
    for word in "${all[@]:1}"; do
        _PROGRAM_kind "$last"
        if [[ $last = -* && -n $kind ]]; then
            case $last in -c | -s | --config | --socket) with+=("$last" "$word") ;; esac
            last=''
            continue
        fi
        case $word in
        --config=* | --socket=*) with+=("$word") ;;
        -*) ;;
        *) words+=("$word") ;;
        esac
        last=$word
    done
    if [[ $cur = --*=* ]]; then
        last=${cur%%=*} cur=${cur#*=}
    fi
    _PROGRAM_kind "$last"
}

# What belongs to an option.
_PROGRAM_kind() {
    kind=''
    case $1 in
ARGUMENTS    esac
}

# Proposes what compgen makes of the arguments.
_PROGRAM_propose() {
    local found
    mapfile -t found < <(compgen "$@" -- "$cur")
    COMPREPLY+=("${found[@]}")
}

# Proposes the lines of standard input that begin as the word at the cursor; for the shell that word begins behind its
# last colon.
_PROGRAM_propose_lines() {
    local line
    while read -r line; do
        [[ $line != "$cur"* ]] || COMPREPLY+=("$(printf %q "${line#"${cur%"${cur##*:}"}"}")")
    done
}

_PROGRAM_names() {
    case $1 in
    =*) _PROGRAM_propose -W "${1#=}" ;; # words of the program's own
    FILE)
        compopt -o filenames 2>/dev/null
        _PROGRAM_propose -f ;;
    FOLDER)
        compopt -o filenames 2>/dev/null
        _PROGRAM_propose -d ;;
    HOST) _PROGRAM_propose -A hostname ;;
    INTERFACE) _PROGRAM_propose_lines < <(ls /sys/class/net 2>/dev/null) ;;
NAMES    esac
}
END

my %bash_names = (
    knock => <<'END',
    PROFILE)
        _knock_propose -A hostname
        _knock_propose_lines < <(knock --list "${with[@]}" 2>/dev/null | cut -f1) ;;
END
    knockctl => <<'END',
    DOOR) _knockctl_propose_lines < <(_knockctl_doors | awk '{ print $1 }' | sort -u) ;;
    ADDRESS) [[ ${words[0]} != @(close|forget) ]] ||
        _knockctl_propose_lines < <(_knockctl_doors | awk -v door="${words[1]}" '$1 == door { print $2 }') ;;
    KEY) _knockctl_propose_lines < <(knockctl key list "${with[@]}" 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
END
    knockd => '',
);

my %bash_main = (
    knock => <<'END',
_knock() {
    local cur words with kind
    COMPREPLY=()
    _knock_split
    if [[ " ${COMP_LINE:0:COMP_POINT}" = *' -- '* ]]; then
        _knock_propose -c
    elif [ -n "$kind" ]; then
        _knock_names "$kind"
    elif [[ $cur = -* ]]; then
        _knock_propose -W 'OPTIONS'
    elif [ ${#words[@]} = 0 ]; then
        _knock_names PROFILE
    fi
}
END
    knockctl => <<'END',
# The doors, a line each: those that are open where one is to be closed, else all.
_knockctl_doors() {
    [[ ${words[0]} = @(close|forget) ]] || with+=(--all)
    knockctl doors "${with[@]}" 2>/dev/null | tail -n +2
}

_knockctl() {
    local cur words with kind kinds=() options='OPTIONS' count=1
    COMPREPLY=()
    _knockctl_split
    case "${words[0]} ${words[1]}" in
TWO    esac
    case "${words[*]:0:count}" in
COMMANDS    '') count=0 kinds=('=FIRST') ;;
    esac
    if [ -n "$kind" ]; then
        _knockctl_names "$kind"
    elif [[ $cur = -* ]]; then
        _knockctl_propose -W "$options"
    else
        _knockctl_names "${kinds[${#words[@]} - count]}"
    fi
}
END
    knockd => <<'END',
_knockd() {
    local cur words with kind
    COMPREPLY=()
    _knockd_split
    if [ -n "$kind" ]; then
        _knockd_names "$kind"
    elif [[ $cur = -* || -z $cur ]]; then
        _knockd_propose -W 'OPTIONS'
    fi
}
END
);

sub bash_file {
    my ($program) = @_;
    my $options = join ' ', spellings(all_options($program));
    my $text = "$bash\n$bash_main{$program}\ncomplete -F _PROGRAM PROGRAM\n";
    $text =~ s/NAMES/$bash_names{$program}/;
    $text =~ s/NOTE\n/$note/;
    $text =~ s/ARGUMENTS/bash_arguments($program)/e;
    $text =~ s/TWO/join '', map { "    " . quoted($_) . ") count=2 ;;\n" } grep { \/ \/ } map { $_->{name} } @commands/e;
    $text =~ s/COMMANDS/bash_commands()/e;
    $text =~ s/FIRST/join ' ', first_words()/e;
    $text =~ s/OPTIONS/$options/;
    $text =~ s/PROGRAM/$program/g;
    return $text;
}

# --- zsh ---

sub zsh_rows {
    return join '', map { my ($name, $help) = @$_; $help =~ s/:/\\:/g; '        ' . quoted("$name:$help") . "\n" } @_;
}

sub zsh_options {
    my @rows;
    for my $option (@_) {
        push @rows, map { [$_, $option->{help}] } spellings($option);
    }
    return zsh_rows(@rows);
}

sub zsh_commands {
    my $text = '';
    for (@commands) {
        $text .= "    " . quoted($_->{name}) . ") kinds=(@{ $_->{words} }) options=(\n"
            . zsh_options(options_of('knockctl', $_->{name})) . "    ) ;;\n";
    }
    return $text;
}

# The words that commands begin with, and those that follow: with what they do.
sub zsh_words {
    my ($first) = @_;
    my @rows;
    for my $word (defined $first ? @{ { second_words() }->{$first} } : first_words()) {
        my $name = defined $first ? "$first $word" : $word;
        push @rows, [$word, $command{$name} ? $command{$name}{help} : group_help($word)];
    }
    return zsh_rows(@rows);
}

my $zsh = <<'END';
#compdef PROGRAM
# zsh completion of PROGRAM, NOTE

# What belongs to an option.
_PROGRAM_kind() {
    kind=
    case $1 in
ARGUMENTS    esac
}

_PROGRAM_names() {
    case $1 in
    '='*) compadd -- ${=1#=} ;;
    FILE) _files ;;
    FOLDER) _files -/ ;;
    HOST) _hosts ;;
    INTERFACE) compadd -- /sys/class/net/*(N:t) ;;
NAMES    esac
}

MAIN
_PROGRAM "$@"
END

my $zsh_split = <<'END';
    local word last= kind=
    local -a given with kinds options
    for word in "${(@)words[2,CURRENT - 1]}"; do
        _PROGRAM_kind "$last"
        if [[ $last = -* && -n $kind ]]; then
            [[ $last != (-c|-s|--config|--socket) ]] || with+=("$last" "$word")
            last=
            continue
        fi
        case $word in
        --config=*|--socket=*) with+=("$word") ;;
        -*) ;;
        *) given+=("$word") ;;
        esac
        last=$word
    done
    if [[ $PREFIX = --*=* ]]; then
        last=${PREFIX%%=*}
        compset -P '*='
    fi
    _PROGRAM_kind "$last"
END

my %zsh_names = (
    knock => <<'END',
    PROFILE)
        compadd -- ${(f)"$(knock --list "${with[@]}" 2>/dev/null | cut -f1)"}
        _hosts ;;
END
    knockctl => <<'END',
    DOOR) compadd -- ${(f)"$(_knockctl_doors | awk '{ print $1 }')"} ;;
    ADDRESS) [[ ${given[1]} != (close|forget) ]] ||
        compadd -- ${(f)"$(_knockctl_doors | awk -v door="${given[2]}" '$1 == door { print $2 }')"} ;;
    KEY) compadd -- ${(f)"$(knockctl key list "${with[@]}" 2>/dev/null | awk 'NR > 1 { print $1 }')"} ;;
END
    knockd => '',
);

my %zsh_main = (
    knock => <<'END',
_knock() {
SPLIT    options=(
OPTIONS    )
    if [[ ${words[(I)--]} -gt 1 && ${words[(I)--]} -lt $CURRENT ]]; then
        _command_names -e
    elif [[ -n $kind ]]; then
        _knock_names "$kind"
    elif [[ $PREFIX = -* ]]; then
        _describe -o option options
    elif (( ! $#given )); then
        _knock_names PROFILE
    fi
}
END
    knockctl => <<'END',
# The doors, a line each: those that are open where one is to be closed, else all.
_knockctl_doors() {
    [[ ${given[1]} = (close|forget) ]] || with+=(--all)
    knockctl doors "${with[@]}" 2>/dev/null | tail -n +2
}

_knockctl() {
    local count=1
    local -a commands=(
FIRST    )
SPLIT    [[ ${given[1]} != (GROUPS) || -z ${given[2]} ]] || count=2
    options=(
OPTIONS    )
    case "${given[1,count]}" in
COMMANDSGROUP    esac
    if [[ -n $kind ]]; then
        _knockctl_names "$kind"
    elif [[ $PREFIX = -* ]]; then
        _describe -o option options
    elif [[ $#given = 0 || ( $#given = 1 && ${given[1]} = (GROUPS) ) ]]; then
        _describe command commands
    else
        _knockctl_names "${kinds[$#given - count + 1]}"
    fi
}
END
    knockd => <<'END',
_knockd() {
SPLIT    options=(
OPTIONS    )
    if [[ -n $kind ]]; then
        _knockd_names "$kind"
    elif [[ -z $PREFIX || $PREFIX = -* ]]; then
        _describe -o option options
    fi
}
END
);

sub zsh_file {
    my ($program) = @_;
    my %seconds = second_words();
    my $groups = join '|', sort keys %seconds;
    my $group = join '', map { "    $_) commands=(\n" . zsh_words($_) . "    ) ;;\n" } sort keys %seconds;
    my $text = $zsh;
    $text =~ s/MAIN\n/$zsh_main{$program}/;
    $text =~ s/SPLIT/$zsh_split/;
    $text =~ s/NAMES/$zsh_names{$program}/;
    $text =~ s/NOTE\n/$note/;
    $text =~ s/ARGUMENTS/bash_arguments($program)/e;
    $text =~ s/COMMANDSGROUP/zsh_commands() . $group/e;
    $text =~ s/GROUPS/$groups/g;
    $text =~ s/FIRST/zsh_words()/e;
    $text =~ s/OPTIONS/zsh_options(all_options($program))/e;
    $text =~ s/PROGRAM/$program/g;
    return $text;
}

# --- fish ---

my $fish = <<'END';
# fish completion of PROGRAM, NOTE

# The words in front of the cursor that are neither options nor belong to one.
function __PROGRAM_words
    set -l last
    for word in (commandline -opc)[2..]
        if contains -- "$last" ARGUMENTS
            set last
            continue
        end
        string match -q -- '-*' $word; or echo $word
        set last $word
    end
end

# The options that the answers of PROGRAM depend on.
function __PROGRAM_with
    set -l last
    for word in (commandline -opc)[2..]
        contains -- "$last" -c -s --config --socket; and printf '%s\n' $last $word
        string match -q -- '--config=*' $word; or string match -q -- '--socket=*' $word; and echo $word
        set last $word
    end
end

# Whether so many words stand there, of which these are the first.
function __PROGRAM_at
    set -l words (__PROGRAM_words)
    test (count $words) = $argv[1]; and __PROGRAM_in $argv[2..]
end

function __PROGRAM_in
    set -l words (__PROGRAM_words)
    test (count $argv) = 0; or test "$words[1..$(count $argv)]" = "$argv"
end

END

my %fish_names = (
    knock => <<'END',
function __knock_profiles
    knock --list (__knock_with) 2>/dev/null | string replace -r '^([^\t]*)\t([^\t]*)\t.*' '$1\t$2'
end

END
    knockctl => <<'END',
# The doors: those that are open where one is to be closed, else all.
function __knockctl_doors
    __knockctl_in close; or __knockctl_in forget; or set -l all --all
    knockctl doors $all (__knockctl_with) 2>/dev/null | awk 'NR > 1 { print $1 }' | sort -u
end

function __knockctl_addresses
    set -l words (__knockctl_words)
    __knockctl_in close; or __knockctl_in forget; or return
    knockctl doors (__knockctl_with) 2>/dev/null | awk -v door="$words[2]" 'NR > 1 && $1 == door { print $2 }'
end

function __knockctl_keys
    knockctl key list (__knockctl_with) 2>/dev/null | awk 'NR > 1 { print $1 }'
end

END
    knockd => '',
);

my %fish_kinds = (
    FILE => '-F', FOLDER => q{-x -a '(__fish_complete_directories)'}, HOST => q{-x -a '(__fish_print_hostnames)'},
    INTERFACE => q{-x -a '(ls /sys/class/net)'}, DOOR => q{-x -a '(__knockctl_doors)'},
    ADDRESS => q{-x -a '(__knockctl_addresses)'}, KEY => q{-x -a '(__knockctl_keys)'}, '-' => '-x',
);

# What follows an option or a command, as `complete` has it.
sub fish_kind {
    my ($kind) = @_;
    return '' if !defined $kind;
    return '-x -a ' . quoted(substr $kind, 1) if $kind =~ /^=/;
    return $fish_kinds{$kind} // '';
}

sub fish_options {
    my ($program, $condition, @options) = @_;
    my $text = '';
    for (@options) {
        my $short = $_->{short} ? '-s ' . substr($_->{short}, 1) . ' ' : '';
        my $kind = fish_kind($_->{argument});
        $kind = "-r $kind" if $kind eq '-F';
        $text .= "complete -c $program$condition $short-l " . substr($_->{long}, 2) . ($kind ? " $kind" : '')
            . ' -d ' . quoted($_->{help}) . "\n";
    }
    return $text;
}

sub fish_command {
    my ($row) = @_;
    my ($name, @kinds) = ($row->{name}, @{ $row->{words} });
    my @words = split / /, $name;
    my $before = join ' ', scalar(@words) - 1, @words[0 .. $#words - 1];
    my $text = "\ncomplete -c knockctl -n '__knockctl_at $before' -a $words[-1] -d " . quoted($row->{help}) . "\n";
    for my $i (0 .. $#kinds) {
        my $kind = fish_kind($kinds[$i]) or next;
        $kind =~ s/^-x //;
        $text .= "complete -c knockctl -n '__knockctl_at " . (@words + $i) . " $name' $kind\n";
    }
    return $text . fish_options('knockctl', " -n '__knockctl_in $name'", options_of('knockctl', $name));
}

sub fish_file {
    my ($program) = @_;
    my %kinds = by_argument($program);
    my $text = $fish . $fish_names{$program} . "complete -c $program" . ($program eq 'knockctl' ? ' -f' : '') . "\n";
    $text =~ s/complete -c PROGRAM -f/complete -c PROGRAM -f/;
    if ($program eq 'knockctl') {
        my %seconds = second_words();
        $text .= "complete -c knockctl -n '__knockctl_at 0' -a $_ -d " . quoted(group_help($_)) . "\n" for sort keys %seconds;
        $text .= join '', map { fish_command($_) } @commands;
        $text .= "\n" . fish_options('knockctl', " -n '__knockctl_at 0'", options_of('knockctl', '-'));
    } else {
        $text =~ s/complete -c $program\n$/complete -c $program -f\n/;
        $text .= "complete -c knock -n '__knock_at 0' -a '(__knock_profiles)'\n"
            . "complete -c knock -n '__knock_at 0' -a '(__fish_print_hostnames)'\n" if $program eq 'knock';
        $text .= fish_options($program, '', options_of($program, '-'));
    }
    $text =~ s/NOTE\n/$note/;
    $text =~ s/ARGUMENTS/join ' ', map { @{ $kinds{$_} } } sort keys %kinds/e;
    $text =~ s/PROGRAM/$program/g;
    return $text;
}

for ('knock', 'knockctl', 'knockd') {
    write_file("$_.bash", bash_file($_));
    write_file("_$_", zsh_file($_));
    write_file("$_.fish", fish_file($_));
}
