/* What `nft -y list ruleset` prints; see nft(8). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/firewall.h"

struct listing {
    struct firewall *firewall;
    bool iptables; /* what it made is left out */
    char table[160];
    unsigned families; /* of the table; 0: none of ours */
    int chain;         /* its number; -1: not in one */
};

static void begin_table(struct listing *l, const struct rule_words *words)
{
    static const struct {
        const char *name;
        unsigned families;
    } known[] = {{"ip", FIREWALL_IP4}, {"ip6", FIREWALL_IP6}, {"inet", FIREWALL_BOTH}};
    const char *family = words->words[1], *name = words->words[2];
    l->families = 0;
    l->chain = -1;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strcmp(family, known[i].name) == 0)
            l->families = known[i].families;
    if (l->iptables && l->families != FIREWALL_BOTH && strcmp(name, "filter") == 0)
        l->families = 0;
    snprintf(l->table, sizeof(l->table), "%s %s", family, name);
}

/* "type filter hook input priority -10; policy drop;" */
static void read_hook(struct firewall_chain *chain, const struct rule_words *words)
{
    for (unsigned i = 0; i + 1 < words->count; i++) {
        const char *word = words->words[i], *value = words->words[i + 1];
        if (strcmp(word, "hook") == 0)
            chain->input = strncmp(value, "input", 5) == 0;
        else if (strcmp(word, "priority") == 0)
            chain->priority = atoi(value);
        else if (strcmp(word, "policy") == 0 && strncmp(value, "drop", 4) == 0)
            chain->policy = FIREWALL_DROP;
    }
}

static bool take_line(struct listing *l, const char *line, const struct rule_words *words)
{
    const char *first = words->count > 0 ? words->words[0] : "";
    if (*first == '\0' || *first == '#')
        return true;
    if (strcmp(first, "table") == 0 && words->count > 3) {
        begin_table(l, words);
    } else if (l->families && strcmp(first, "chain") == 0 && words->count == 3) {
        l->chain = (int)l->firewall->count;
        return firewall_add_chain(l->firewall, l->table, words->words[1], l->families) != NULL;
    } else if (strcmp(first, "}") == 0) {
        l->chain = -1;
    } else if (l->chain >= 0 && strcmp(first, "type") == 0) {
        read_hook(&l->firewall->chains[l->chain], words);
    } else if (l->chain >= 0) {
        struct firewall_rule *rule = firewall_add_rule(&l->firewall->chains[l->chain], line);
        if (rule)
            firewall_read_nft_rule(rule, words);
        return rule != NULL;
    }
    return true;
}

bool firewall_read_nft(struct firewall *firewall, const char *listed, bool iptables)
{
    struct listing l = {.firewall = firewall, .iptables = iptables, .chain = -1};
    for (const char *line = listed, *end; *line; line = *end ? end + 1 : end) {
        struct rule_words words;
        line += strspn(line, " \t");
        end = line + strcspn(line, "\n");
        char *text = strndup(line, (size_t)(end - line));
        bool good = rule_words_split(line, (size_t)(end - line), &words) && text &&
                    take_line(&l, text, &words);
        free(words.text);
        free(text);
        if (!good)
            return false;
    }
    return true;
}
