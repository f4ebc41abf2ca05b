/*
 * A program of its own that deletes rules of iptables-nft: `knockd --delete-rules`, which the
 * runner starts in place of iptables-nft-restore where a batch deletes. For each rule that is to
 * go, iptables compares with all that stand before it in the chain, so that a thousand at the end
 * of ten thousand take it longer than ten seconds; this looks once and deletes by handle.
 */
#ifndef KEEPER_RULE_DELETER_H
#define KEEPER_RULE_DELETER_H

/* How the program is called. The words behind it: that iptables, the table, and the command that
 * deletes the rules of standard input in the slow way, in three words or more. */
#define RULE_DELETER "--delete-rules"

/*
 * Deletes the rules in the batch at standard input, which is a file, all or none. Returns an exit
 * status as iptables-restore has it; or executes the other command, which has all to say, where it
 * isn't certain which rules are meant.
 */
int rule_deleter_main(int argc, char **argv);

#endif
