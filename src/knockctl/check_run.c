/* knockctl rules --check: the programs that print what is in force, of both packet filters where
 * both hold rules. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knockctl/check.h"
#include "knockctl/program.h"
#include "lib/netfilter.h"

/* What the program prints; NULL after saying that it can't be had, unless it isn't installed and
 * `needed` is false. */
static char *output_of(char *const argv[], bool needed, bool *blind)
{
    char *text = NULL;
    int status = program_run(argv, NULL, &text, true);
    if (status == 0)
        return text;
    free(text);
    if (status == 127 && !needed)
        return NULL;
    fprintf(stderr,
            "knockctl rules: cannot read the rules in force with %s: is it installed, and are you "
            "root?\n",
            argv[0]);
    *blind = true;
    return NULL;
}

static bool out_of_memory(void)
{
    fputs("knockctl rules: out of memory\n", stderr);
    return false;
}

static bool read_iptables(struct firewall *firewall, enum firewall_family family, bool needed,
                          bool *found)
{
    char name[16];
    snprintf(name, sizeof(name), "%s", family == FIREWALL_IP6 ? "ip6tables-save" : "iptables-save");
    char *argv[] = {name, (char[]){"-t"}, (char[]){"filter"}, NULL};
    bool blind = false;
    char *text = output_of(argv, needed, &blind);
    bool good = !text || firewall_read_iptables(firewall, text, family) || out_of_memory();
    *found |= text != NULL;
    free(text);
    return good && !blind;
}

static bool read_nft(struct firewall *firewall, bool iptables, bool needed, bool *found)
{
    char *argv[] = {(char[]){"nft"}, (char[]){"-y"}, (char[]){"list"}, (char[]){"ruleset"}, NULL};
    bool blind = false;
    char *text = output_of(argv, needed, &blind);
    bool good = !text || firewall_read_nft(firewall, text, iptables) || out_of_memory();
    *found |= text != NULL;
    free(text);
    return good && !blind;
}

/* --- the packet filter that `iptables` isn't of --- */

static enum netfilter_kind iptables_kind(void)
{
    char *argv[] = {(char[]){"iptables"}, (char[]){"--version"}, NULL};
    char *text = NULL;
    enum netfilter_kind kind = NETFILTER_UNKNOWN;
    if (program_run(argv, NULL, &text, true) == 0)
        kind = netfilter_kind(text);
    free(text);
    return kind;
}

/* Moves the chains of `from` behind those of `to`, as of a table of that name. */
static bool add_as(struct firewall *to, struct firewall *from, const char *table)
{
    struct firewall_chain *chains =
        realloc(to->chains, (to->count + from->count + 1) * sizeof(*chains));
    if (!chains)
        return out_of_memory();
    to->chains = chains;
    for (unsigned i = 0; i < from->count; i++) {
        char *name = strdup(table);
        if (!name)
            return out_of_memory();
        free(from->chains[i].table);
        from->chains[i].table = name;
    }
    memcpy(&chains[to->count], from->chains, from->count * sizeof(*chains));
    to->count += from->count;
    from->count = 0;
    return true;
}

/* Adds what iptables-legacy or iptables-nft (`kind`) holds of a family, as a table of that name. */
static bool read_other(struct firewall *firewall, const char *kind, enum firewall_family family,
                       bool needed, bool *found)
{
    struct firewall other = {0};
    char name[32];
    snprintf(name, sizeof(name), "%s-%s-save", family == FIREWALL_IP6 ? "ip6tables" : "iptables",
             kind);
    /* Not -t filter, which would make the table where there is none. */
    char *argv[] = {name, NULL}, table[32];
    bool blind = false;
    char *text = output_of(argv, needed, &blind);
    snprintf(table, sizeof(table), "iptables-%s", kind);
    bool good = !text || (firewall_read_iptables(&other, text, family) || out_of_memory());
    good = good && !blind && (!text || add_as(firewall, &other, table));
    *found |= text != NULL;
    firewall_free(&other);
    free(text);
    return good;
}

/* Adds what the filter holds that `iptables` isn't of. `in_nft`: what iptables made in nf_tables
 * has been read. */
static bool read_others(struct firewall *firewall, unsigned families, enum netfilter_kind kind,
                        const struct netfilter *netfilter, bool *in_nft)
{
    bool legacy = kind == NETFILTER_LEGACY, found = false;
    unsigned holds = families & (legacy ? netfilter->nf_tables : netfilter->legacy);
    for (unsigned family = FIREWALL_IP4; family <= FIREWALL_IP6; family++)
        if ((holds & family) &&
            !read_other(firewall, legacy ? "nft" : "legacy", family, !legacy, &found))
            return false;
    if (legacy)
        *in_nft = found;
    return true;
}

/* --- all --- */

/* All that there is, unless a family or nft alone was asked for. */
static bool read_all(struct firewall *firewall, unsigned families, bool nft_alone,
                     enum netfilter_kind kind, const struct netfilter *netfilter)
{
    bool iptables = false, nft = false;
    if (nft_alone)
        return read_nft(firewall, false, true, &nft);
    if ((families & FIREWALL_IP4) && !read_iptables(firewall, FIREWALL_IP4, false, &iptables))
        return false;
    if ((families & FIREWALL_IP6) && !read_iptables(firewall, FIREWALL_IP6, iptables, &iptables))
        return false;
    bool in_nft = iptables;
    return read_others(firewall, families, kind, netfilter, &in_nft) &&
           read_nft(firewall, in_nft, !iptables, &nft);
}

int check_run(const struct config *config, const struct rules *rules, enum rules_kind kind,
              bool kind_said)
{
    struct firewall firewall = {0};
    char both[512];
    /* Of a family that is off, nothing is to be said. */
    unsigned families = access("/proc/net/if_inet6", F_OK) == 0 ? FIREWALL_BOTH : FIREWALL_IP4;
    if (kind_said && kind != RULES_NFT)
        families = kind == RULES_IP4 ? FIREWALL_IP4 : FIREWALL_IP6;
    struct netfilter netfilter = netfilter_read();
    netfilter.legacy &= families;
    enum netfilter_kind iptables = netfilter.legacy ? iptables_kind() : NETFILTER_UNKNOWN;
    if (netfilter_tell_both(&netfilter, iptables, both, sizeof(both)))
        printf("note: %s\n", both);
    int status = CHECK_FAILED;
    if (read_all(&firewall, families, kind_said && kind == RULES_NFT, iptables, &netfilter))
        status = check_firewall(stdout, &firewall, config, rules, families) ? CHECK_FOUND
                                                                            : CHECK_NOTHING;
    firewall_free(&firewall);
    return status;
}
