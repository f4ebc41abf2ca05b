/*
 * Reads what people know the rules of nft(8) by: the text that `nft -a list ruleset` prints, a rule
 * a line, with the handle by which it is found. What the rules mean is known from elsewhere.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/firewall.h"

enum { TABLE_SIZE = 300 };

/* Where in the text a line stands. */
struct place {
    char table[TABLE_SIZE];
    char chain[TABLE_SIZE]; /* empty: in none */
    unsigned recent;        /* the number of the chain that was needed last */
    unsigned next;          /* of the rule that comes next in it, most likely */
};

/* How many bytes the character at `text` has; 0: it isn't UTF-8. */
static size_t utf8_size(const unsigned char *text)
{
    size_t size = text[0] < 0x80   ? 1
                  : text[0] < 0xc2 ? 0
                  : text[0] < 0xe0 ? 2
                  : text[0] < 0xf0 ? 3
                  : text[0] < 0xf5 ? 4
                                   : 0;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

/* A rule whose text isn't UTF-8 can't be written in JSON: nft leaves out of it what isn't. */
static bool is_utf8(const char *text)
{
    size_t size = 1;
    for (const char *p = text; *p && size > 0; p += size)
        size = utf8_size((const unsigned char *)p);
    return size > 0;
}

/* Gives the rule of that number its text. False when memory is short. */
static bool name_rule(struct firewall_chain *chain, struct place *place, int64_t handle,
                      const char *text, size_t len)
{
    for (unsigned i = 0; i < chain->count; i++) {
        unsigned number = (place->next + i) % chain->count;
        struct firewall_rule *rule = &chain->rules[number];
        if (rule->handle != handle)
            continue;
        free(rule->text);
        rule->text = strndup(text, len);
        rule->partly |= !rule->text || !is_utf8(rule->text);
        place->next = number + 1;
        return rule->text != NULL;
    }
    return true;
}

/* A table that sleeps has no say; of nft 1.0.6 the text alone tells which. */
static void let_sleep(struct firewall *firewall, const char *table)
{
    for (unsigned i = 0; i < firewall->count; i++)
        if (strcmp(firewall->chains[i].table, table) == 0)
            firewall->chains[i].input = false;
}

/* "accept # handle 5" */
static bool take_rule_line(struct firewall *firewall, struct place *place, const char *line,
                           size_t len)
{
    static const char mark[] = " # handle ";
    const char *text_end = NULL, *from = line, *at;
    while ((at = memmem(from, len - (size_t)(from - line), mark, sizeof(mark) - 1))) {
        text_end = at;
        from = at + 1;
    }
    struct firewall_chain *chain =
        text_end ? firewall_find_chain(firewall, &place->recent, place->table, place->chain) : NULL;
    int64_t handle = text_end ? strtoll(text_end + sizeof(mark) - 1, NULL, 10) : 0;
    return !chain || name_rule(chain, place, handle, line, (size_t)(text_end - line));
}

/* "table inet x { # handle 1", "flags dormant", "chain y { # handle 1", rules, "}" */
static bool take_line(struct firewall *firewall, struct place *place, const char *line, size_t len)
{
    char family[16], name[TABLE_SIZE - 16], begin[TABLE_SIZE];
    snprintf(begin, sizeof(begin), "%.*s", (int)(len < sizeof(begin) ? len : sizeof(begin)), line);
    if (sscanf(begin, "table %15s %283s {", family, name) == 2)
        snprintf(place->table, sizeof(place->table), "%s %s", family, name);
    else if (sscanf(begin, "chain %283s {", name) == 1) {
        snprintf(place->chain, sizeof(place->chain), "%s", name);
        place->next = 0;
    } else if (*line == '}')
        place->chain[0] = '\0';
    else if (place->chain[0] != '\0')
        return take_rule_line(firewall, place, line, len);
    else if (strncmp(begin, "flags ", 6) == 0 && strstr(begin, "dormant"))
        let_sleep(firewall, place->table);
    return true;
}

bool firewall_name_nft(struct firewall *firewall, const char *listed)
{
    struct place place = {.next = 0};
    for (const char *line = listed, *end; *line; line = *end ? end + 1 : end) {
        line += strspn(line, " \t");
        end = line + strcspn(line, "\n");
        if (!take_line(firewall, &place, line, (size_t)(end - line)))
            return false;
    }
    return true;
}
