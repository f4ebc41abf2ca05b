/*
 * knockctl rules --check: runs the programs that print what is in force, of both packet filters
 * where both hold rules, has their rules read, and has the whole checked. Where nft's rules can't
 * be read, it says which tables were left out.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knockctl/check.h"
#include "knockctl/program.h"
#include "knockctl/strays.h"
#include "lib/netfilter.h"
#include "lib/saved_rules.h"

/* How much of the firewall in force was read. */
enum sight { SIGHT_WHOLE, SIGHT_PART, SIGHT_NONE };

static void tell_failure(char *const argv[], int status, const char *errors)
{
    fprintf(stderr, "knockctl rules: cannot read the rules in force with %s: ", argv[0]);
    int len = errors ? (int)strcspn(errors, "\n") : 0;
    if (len > 0)
        fprintf(stderr, "%.*s: ", len, errors);
    else if (status < 0)
        fputs("it didn't end by itself: ", stderr);
    fputs("is it installed, and are you root?\n", stderr);
}

/* What the program prints, to be freed. NULL after saying that it can't be had, unless it isn't
 * installed and `needed` is false. */
static char *output_of(char *const argv[], bool needed, bool *failed)
{
    char *text = NULL, *errors = NULL;
    int status = program_run(argv, NULL, &text, &errors);
    if (status != 0) {
        free(text);
        text = NULL;
    }
    if (status != 0 && (status != 127 || needed)) {
        tell_failure(argv, status, errors);
        *failed = true;
    }
    free(errors);
    return text;
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
    bool failed = false;
    char *text = output_of(argv, needed, &failed);
    if (text && strstr(text, SAVED_RULES_INCOMPATIBLE)) {
        fprintf(stderr,
                "knockctl rules: %s doesn't print the table filter, in which nft has rules that "
                "iptables has no words for; look there yourself: nft list ruleset\n",
                name);
        failed = true;
    }
    bool good = !text || firewall_read_iptables(firewall, text, family) || out_of_memory();
    *found |= text != NULL;
    free(text);
    return good && !failed;
}

/* Names the tables of nft that are left out: "table inet knockd". Returns how many there are. */
static unsigned tell_left_out(const char *tables, bool iptables, const char *why)
{
    unsigned count = 0;
    for (const char *line = tables; *line; line += strcspn(line, "\n"), line += *line != '\0') {
        char family[16], name[256];
        if (sscanf(line, "table %15s %255s", family, name) != 2)
            continue;
        bool ip = strcmp(family, "ip") == 0 || strcmp(family, "ip6") == 0;
        if ((!ip && strcmp(family, "inet") != 0) || (ip && iptables && strcmp(name, "filter") == 0))
            continue;
        fprintf(stderr, "%s%s %s",
                count++ == 0 ? "knockctl rules: these tables of nft were left out: " : ", ", family,
                name);
    }
    if (count > 0)
        fprintf(stderr, ": %s\n", why);
    return count;
}

/* What nft has can't be read: that is nothing to speak of where it has nothing. */
static enum sight leave_nft_out(bool iptables, bool needed, const char *why)
{
    char *argv[] = {(char[]){"nft"}, (char[]){"list"}, (char[]){"tables"}, NULL};
    bool failed = false;
    char *tables = output_of(argv, needed, &failed);
    unsigned count = tables ? tell_left_out(tables, iptables, why) : 0;
    free(tables);
    return failed ? SIGHT_NONE : count > 0 ? SIGHT_PART : SIGHT_WHOLE;
}

static enum sight read_listings(struct firewall *firewall, const char *json, bool iptables)
{
    char *argv[] = {(char[]){"nft"}, (char[]){"-a"}, (char[]){"list"}, (char[]){"ruleset"}, NULL};
    char why[FIREWALL_WHY_SIZE];
    bool failed = false;
    char *listed = output_of(argv, true, &failed);
    if (listed && !firewall_read_nft(firewall, json, iptables, why)) {
        fprintf(stderr, "knockctl rules: cannot read what `nft -j list ruleset` prints: %s\n", why);
        failed = true;
    } else if (listed && !firewall_name_nft(firewall, listed)) {
        failed = !out_of_memory();
    }
    free(listed);
    return failed ? SIGHT_NONE : SIGHT_WHOLE;
}

static enum sight read_nft(struct firewall *firewall, bool iptables, bool needed)
{
    char *argv[] = {(char[]){"nft"}, (char[]){"-j"}, (char[]){"list"}, (char[]){"ruleset"}, NULL};
    char *json = NULL, *errors = NULL;
    enum sight sight = SIGHT_WHOLE;
    if (!firewall_reads_nft())
        return leave_nft_out(iptables, needed,
                             "this knockctl was built without libjansson; install libjansson-dev, "
                             "and build knockctl again");
    int status = program_run(argv, NULL, &json, &errors);
    if (status == 0) {
        sight = read_listings(firewall, json, iptables);
    } else if (errors && strstr(errors, "JSON support")) {
        sight = leave_nft_out(iptables, needed,
                              "this nft was built without JSON support; install one that has it");
    } else if (status != 127 || needed) {
        tell_failure(argv, status, errors);
        sight = SIGHT_NONE;
    }
    free(json);
    free(errors);
    return sight;
}

/* --- the packet filter that `iptables` isn't of --- */

static enum netfilter_kind iptables_kind(void)
{
    char *argv[] = {(char[]){"iptables"}, (char[]){"--version"}, NULL};
    char *text = NULL, *errors = NULL;
    enum netfilter_kind kind = NETFILTER_UNKNOWN;
    if (program_run(argv, NULL, &text, &errors) == 0)
        kind = netfilter_kind(text);
    free(text);
    free(errors);
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
    bool failed = false;
    char *text = output_of(argv, needed, &failed);
    snprintf(table, sizeof(table), "iptables-%s", kind);
    bool good = !text || (firewall_read_iptables(&other, text, family) || out_of_memory());
    good = good && !failed && (!text || add_as(firewall, &other, table));
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
static enum sight read_all(struct firewall *firewall, unsigned families, bool nft_alone,
                           enum netfilter_kind kind, const struct netfilter *netfilter)
{
    bool iptables = false;
    if (nft_alone)
        return read_nft(firewall, false, true);
    if ((families & FIREWALL_IP4) && !read_iptables(firewall, FIREWALL_IP4, false, &iptables))
        return SIGHT_NONE;
    if ((families & FIREWALL_IP6) && !read_iptables(firewall, FIREWALL_IP6, iptables, &iptables))
        return SIGHT_NONE;
    bool in_nft = iptables;
    if (!read_others(firewall, families, kind, netfilter, &in_nft))
        return SIGHT_NONE;
    return read_nft(firewall, in_nft, !iptables);
}

static bool has_rules(const struct firewall *firewall)
{
    for (unsigned i = 0; i < firewall->count; i++)
        if (firewall->chains[i].count > 0)
            return true;
    return false;
}

/* Whether nothing of a family is ever dropped: no chain has a rule, and each lets pass what comes.
 */
static bool filters_nothing(const struct firewall *firewall, unsigned family)
{
    for (unsigned i = 0; i < firewall->count; i++) {
        const struct firewall_chain *chain = &firewall->chains[i];
        if ((chain->families & family) &&
            (chain->count > 0 || (chain->input && chain->policy == FIREWALL_DROP)))
            return false;
    }
    return true;
}

/* Without a firewall no knock is denied, and each service answers everyone. */
static bool tell_of_nothing(struct findings *out, const struct firewall *firewall,
                            unsigned families)
{
    unsigned open = 0;
    for (unsigned family = FIREWALL_IP4; family <= FIREWALL_IP6; family++)
        if ((families & family) && filters_nothing(firewall, family))
            open |= family;
    if (open == 0)
        return false;
    fprintf(findings_line(out),
            "%s: the firewall is empty: everything is open to everyone, and the doors guard "
            "nothing; see knockctl rules\n",
            open == FIREWALL_BOTH  ? "IPv4 and IPv6"
            : open == FIREWALL_IP4 ? "IPv4"
                                   : "IPv6");
    findings_end(out, &(struct finding_parts){.kind = "empty", .families = open});
    return true;
}

static int check_whole(struct findings *out, const struct firewall *firewall,
                       const struct config *config, const struct rules *rules, unsigned families)
{
    bool empty = tell_of_nothing(out, firewall, families);
    unsigned found = check_firewall(out, firewall, config, rules, families);
    return empty || found > 0 ? CHECK_FOUND : CHECK_NOTHING;
}

/* What there is beside what the firewall lacks: rules that nobody closes. */
static int check_strays(struct findings *out, const struct config *config, unsigned families,
                        int status)
{
    int found = strays_check(out, config, families);
    return found < 0 ? CHECK_FAILED : found > 0 && status == CHECK_NOTHING ? CHECK_FOUND : status;
}

int check_run(struct findings *out, const struct config *config, const struct rules *rules,
              enum rules_kind kind, bool kind_said)
{
    struct firewall firewall = {0};
    char both[512];
    /* Of a family that is off, nothing is to be said. */
    unsigned families = access("/proc/net/if_inet6", F_OK) == 0 ? FIREWALL_BOTH : FIREWALL_IP4;
    if (kind_said && kind != RULES_NFT)
        families = kind == RULES_IP4 ? FIREWALL_IP4 : FIREWALL_IP6;
    bool nft_alone = kind_said && kind == RULES_NFT;
    struct netfilter netfilter = netfilter_read();
    netfilter.legacy &= families;
    enum netfilter_kind iptables = netfilter.legacy ? iptables_kind() : NETFILTER_UNKNOWN;
    if (netfilter_tell_both(&netfilter, iptables, both, sizeof(both)))
        fprintf(out->json ? stderr : out->out, "note: %s\n", both);
    int status = CHECK_FAILED;
    enum sight sight = read_all(&firewall, families, nft_alone, iptables, &netfilter);
    if (sight == SIGHT_WHOLE) {
        status = check_whole(out, &firewall, config, rules, families);
    } else if (sight == SIGHT_PART && has_rules(&firewall)) {
        fputs("knockctl rules: what is found in iptables alone may be otherwise with nft\n",
              stderr);
        check_firewall(out, &firewall, config, rules, families);
    }
    firewall_free(&firewall);
    if (sight != SIGHT_NONE && !nft_alone)
        status = check_strays(out, config, families, status);
    return status;
}
