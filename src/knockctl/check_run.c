/* knockctl rules --check: the programs that print what is in force. */
#include <stdlib.h>
#include <unistd.h>

#include "knockctl/check.h"
#include "knockctl/program.h"

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

static bool read_iptables(struct filter *filter, enum filter_family family, bool needed,
                          bool *found)
{
    char name[16];
    snprintf(name, sizeof(name), "%s", family == FILTER_IP6 ? "ip6tables-save" : "iptables-save");
    char *argv[] = {name, (char[]){"-t"}, (char[]){"filter"}, NULL};
    bool blind = false;
    char *text = output_of(argv, needed, &blind);
    bool good = !text || filter_read_iptables(filter, text, family) || out_of_memory();
    *found |= text != NULL;
    free(text);
    return good && !blind;
}

static bool read_nft(struct filter *filter, bool iptables, bool needed, bool *found)
{
    char *argv[] = {(char[]){"nft"}, (char[]){"-y"}, (char[]){"list"}, (char[]){"ruleset"}, NULL};
    bool blind = false;
    char *text = output_of(argv, needed, &blind);
    bool good = !text || filter_read_nft(filter, text, iptables) || out_of_memory();
    *found |= text != NULL;
    free(text);
    return good && !blind;
}

/* All that there is, unless a family or nft alone was asked for. */
static bool read_all(struct filter *filter, unsigned families, bool nft_alone)
{
    bool iptables = false, nft = false;
    if (!nft_alone && (families & FILTER_IP4) &&
        !read_iptables(filter, FILTER_IP4, false, &iptables))
        return false;
    if (!nft_alone && (families & FILTER_IP6) &&
        !read_iptables(filter, FILTER_IP6, iptables, &iptables))
        return false;
    return read_nft(filter, iptables, nft_alone || !iptables, &nft);
}

int check_run(const struct config *config, const struct rules *rules, enum rules_kind kind,
              bool kind_said)
{
    struct filter filter = {0};
    /* Of a family that is off, nothing is to be said. */
    unsigned families = access("/proc/net/if_inet6", F_OK) == 0 ? FILTER_BOTH : FILTER_IP4;
    if (kind_said && kind != RULES_NFT)
        families = kind == RULES_IP4 ? FILTER_IP4 : FILTER_IP6;
    int status = CHECK_FAILED;
    if (read_all(&filter, families, kind_said && kind == RULES_NFT))
        status =
            check_filter(stdout, &filter, config, rules, families) ? CHECK_FOUND : CHECK_NOTHING;
    filter_free(&filter);
    return status;
}
