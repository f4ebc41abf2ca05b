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

/* All that there is, unless a family or nft alone was asked for. */
static bool read_all(struct firewall *firewall, unsigned families, bool nft_alone)
{
    bool iptables = false, nft = false;
    if (!nft_alone && (families & FIREWALL_IP4) &&
        !read_iptables(firewall, FIREWALL_IP4, false, &iptables))
        return false;
    if (!nft_alone && (families & FIREWALL_IP6) &&
        !read_iptables(firewall, FIREWALL_IP6, iptables, &iptables))
        return false;
    return read_nft(firewall, iptables, nft_alone || !iptables, &nft);
}

int check_run(const struct config *config, const struct rules *rules, enum rules_kind kind,
              bool kind_said)
{
    struct firewall firewall = {0};
    /* Of a family that is off, nothing is to be said. */
    unsigned families = access("/proc/net/if_inet6", F_OK) == 0 ? FIREWALL_BOTH : FIREWALL_IP4;
    if (kind_said && kind != RULES_NFT)
        families = kind == RULES_IP4 ? FIREWALL_IP4 : FIREWALL_IP6;
    int status = CHECK_FAILED;
    if (read_all(&firewall, families, kind_said && kind == RULES_NFT))
        status = check_firewall(stdout, &firewall, config, rules, families) ? CHECK_FOUND
                                                                            : CHECK_NOTHING;
    firewall_free(&firewall);
    return status;
}
