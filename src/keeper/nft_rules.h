/*
 * The rules of a chain of nf_tables by their handles, which is how iptables-nft keeps its own:
 * which there are, and deleting them, if nothing at all has changed in the firewall since a
 * generation.
 */
#ifndef KEEPER_NFT_RULES_H
#define KEEPER_NFT_RULES_H

#include <stdint.h>

/* A socket for all that follows. -1 and errno. The caller closes it. */
int nft_rules_socket(void);

/* The number of the firewall's generation: each change of anything in it, by whomever, makes
 * another. -1 and errno. */
int nft_rules_generation(int fd, uint32_t *out);

/* The handles of all rules of the chain, in their order; the caller frees *handles. `family` is 4
 * or 6. -1 and errno; EINTR: something changed meanwhile. */
int nft_rules_list(int fd, int family, const char *table, const char *chain, uint64_t **handles,
                   unsigned *count);

/* A rule to be deleted. */
struct nft_rule {
    const char *chain;
    uint64_t handle;
};

/* Deletes all of the rules or none. -1 and errno; ERESTART: the generation is another one by now.
 */
int nft_rules_delete(int fd, int family, const char *table, const struct nft_rule *rules,
                     unsigned count, uint32_t generation);

#endif
