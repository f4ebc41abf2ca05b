#!/usr/bin/perl
# check.pl [-v] [-j JOBS] [-a FILE]... TEST...: runs the tests, JOBS at a time, those of -a one after another before
# them. A failure stops nothing. Ends with what took longest, what was skipped, why, what failed, and the line "N passed,
# N failed, N skipped"; exits 0 only if every test did what it promised, and something was tested.
use strict;
use warnings;
use Getopt::Long qw(:config bundling);
use TAP::Harness;
use Time::HiRes qw(time);

my ($verbose, $jobs, @alone) = (0, 1);
GetOptions('v' => \$verbose, 'j=i' => \$jobs, 'a=s' => \@alone) && (@ARGV || @alone)
    or die "usage: check.pl [-v] [-j JOBS] [-a FILE]... TEST...\n";

my %took;       # test -> seconds
my %reasons;    # why tests were skipped -> how many
my @failures;   # what failed, a line each
my ($fine, $passed, $failed, $skipped) = (1, 0, 0, 0);

# run JOBS TEST...: adds to the counts. A file that is skipped as a whole is one skipped test; one that dies or breaks
# its plan is a failed one, whatever its tests said.
sub run {
    my ($jobs, @tests) = @_;
    return unless @tests;
    my $harness = TAP::Harness->new({ exec => [], jobs => $jobs, verbosity => $verbose });
    $harness->callback(made_parser => sub {
        my ($parser, $job) = @_;
        my $began = time;
        $parser->callback(test => sub { $reasons{ $_[0]->explanation }++ if $_[0]->has_skip });
        $parser->callback(test => sub { push @failures, "$job->[1]: " . $_[0]->as_string unless $_[0]->is_ok });
        $parser->callback(EOF => sub { $took{ $job->[1] } = time - $began });
        $parser->callback(EOF => sub { $skipped++, $reasons{ $_[0]->skip_all }++ if $_[0]->skip_all });
        $parser->callback(EOF => sub {
            push @failures, map { "$job->[1]: $_" } $_[0]->parse_errors;
            push @failures, "$job->[1]: exit status " . $_[0]->exit if $_[0]->exit;
        });
    });
    my $result = $harness->runtests(@tests);
    $fine &&= $result->all_passed || $result->get_status eq 'NOTESTS';
    $failed += $result->failed || ($result->has_problems ? 1 : 0);
    $skipped += $result->skipped;
    $passed += $result->passed - $result->skipped;
}

run(1, @alone);
run($jobs, @ARGV);
my @slowest = (sort { $took{$b} <=> $took{$a} } keys %took)[0 .. 19];
print "\nSlowest:\n";
printf "%5.1f s  %s\n", $took{$_}, $_ for grep { defined } @slowest;
print "\nSkipped:\n" if %reasons;
printf "%5d  %s\n", $reasons{$_}, $_ for sort { $reasons{$b} <=> $reasons{$a} || $a cmp $b } keys %reasons;
print map { "$_\n" } "\nFailed:", @failures if @failures;
printf "%d passed, %d failed, %d skipped\n", $passed, $failed, $skipped;
exit($fine && $passed > 0 ? 0 : 1);
