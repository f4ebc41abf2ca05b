/*
 * Two sorted lists of hashes are made of the rules: of all that a rule says, in whatever order, and
 * of its chain with the one address that it takes packets from. What is in the first is there; what
 * has an address, with which the second has no rule in that chain, is not.
 */
#include "keeper/rule_search.h"

#include <stdlib.h>
#include <string.h>

#include "keeper/batch.h"
#include "keeper/rule_form.h"
#include "lib/crypto.h"
#include "lib/grow.h"

struct hashes {
    unsigned count;
    uint64_t *items;
};

struct rule_search {
    struct hashes rules, chains, sources;
    bool whole;
    bool no_memory;
    uint8_t key[CRYPTO_KEY_SIZE];
};

static void add_hash(struct rule_search *search, struct hashes *hashes, uint64_t hash)
{
    uint64_t *items = grow(hashes->items, hashes->count, sizeof(*items));
    if (!items) {
        search->no_memory = true;
        return;
    }
    hashes->items = items;
    items[hashes->count++] = hash;
}

static int compare_hashes(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void sort_hashes(struct hashes *hashes)
{
    if (hashes->count > 0)
        qsort(hashes->items, hashes->count, sizeof(*hashes->items), compare_hashes);
}

static bool has_hash(const struct hashes *hashes, uint64_t hash)
{
    return hashes->count > 0 &&
           bsearch(&hash, hashes->items, hashes->count, sizeof(*hashes->items), compare_hashes);
}

static uint64_t hash_text(const struct rule_search *search, const char *text)
{
    return crypto_keyed_hash(search->key, text, strlen(text));
}

static uint64_t hash_source(const struct rule_search *search, const char *chain,
                            const struct addr *source)
{
    return hash_text(search, chain) + crypto_keyed_hash(search->key, source, sizeof(*source));
}

/* Of a rule of that door, by its comment; "" is none. */
static uint64_t hash_rule(const struct rule_search *search, const struct rule_form *form,
                          const char *door)
{
    return rule_form_hash(form, search->key) + hash_text(search, form->chain) +
           3 * hash_text(search, door);
}

/* --- what is there --- */

static void add_rule(struct rule_search *search, const struct saved_rule *rule)
{
    struct rule_form form;
    struct addr source = rule_saved_source(rule);
    if (rule_form_of_saved(&form, rule))
        add_hash(search, &search->rules, hash_rule(search, &form, rule->door));
    if (source.family)
        add_hash(search, &search->sources, hash_source(search, form.chain, &source));
}

/* Lines that name a chain, or end the table, which saved_rules passes over. */
static void add_line(struct rule_search *search, const char *line, size_t len)
{
    if (len > 1 && *line == ':')
        add_hash(search, &search->chains,
                 crypto_keyed_hash(search->key, line + 1, strcspn(line + 1, " ")));
    search->whole |= len == strlen("COMMIT") && memcmp(line, "COMMIT", len) == 0;
}

static void read_lines(struct rule_search *search, const char *saved, size_t size)
{
    while (size > 0) {
        const char *end = memchr(saved, '\n', size);
        size_t len = end ? (size_t)(end - saved) : size;
        if (end)
            add_line(search, saved, len);
        len += end != NULL;
        saved += len;
        size -= len;
    }
}

static void read_rules(struct rule_search *search, const char *saved, size_t size)
{
    struct saved_rules rules = {.file = fmemopen((char *)(uintptr_t)saved, size, "r")};
    const struct saved_rule *rule;
    while (rules.file && !search->no_memory && (rule = saved_rules_next(&rules)))
        add_rule(search, rule);
    search->no_memory |= !rules.file || rules.no_memory;
    saved_rules_end(&rules);
    if (rules.file)
        fclose(rules.file);
}

struct rule_search *rule_search_new(const char *saved, size_t size)
{
    struct rule_search *search = calloc(1, sizeof(*search));
    if (!search)
        return NULL;
    crypto_random(search->key, sizeof(search->key));
    if (size > 0) {
        read_lines(search, saved, size);
        read_rules(search, saved, size);
    }
    sort_hashes(&search->rules);
    sort_hashes(&search->chains);
    sort_hashes(&search->sources);
    if (!search->no_memory)
        return search;
    rule_search_free(search);
    return NULL;
}

/* --- what is looked for --- */

/* The door of a comment among the words; "": there is none. */
static void find_door(const char *word, unsigned count, char out[SAVED_RULES_NAME])
{
    out[0] = '\0';
    for (; count > 1 && !out[0]; count--) {
        const char *next = word + strlen(word) + 1;
        if (strcmp(word, "--comment") == 0)
            saved_rules_door(next, out);
        word = next;
    }
}

enum rule_found rule_search_look(const struct rule_search *search, const struct command *command)
{
    char door[SAVED_RULES_NAME];
    struct rule_form form;
    unsigned count;
    const char *rule = batch_rule(command, &count);
    if (!search->whole || !rule || !rule_form_of_door(&form, rule, count) ||
        !has_hash(&search->chains, hash_text(search, form.chain)))
        return RULE_UNSURE;
    find_door(rule, count, door);
    if (has_hash(&search->rules, hash_rule(search, &form, door)))
        return RULE_THERE;
    struct addr source = rule_form_source(&form);
    bool absent =
        source.family && !has_hash(&search->sources, hash_source(search, form.chain, &source));
    return absent ? RULE_ABSENT : RULE_UNSURE;
}

void rule_search_free(struct rule_search *search)
{
    if (!search)
        return;
    free(search->rules.items);
    free(search->chains.items);
    free(search->sources.items);
    free(search);
}
