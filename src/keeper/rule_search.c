/*
 * Two sorted lists of hashes are made of the rules: of all that a rule says, in whatever order, and
 * of its chain with the one address that it takes packets from. What is in the first is there; what
 * has an address, with which the second has no rule in that chain, is not. A third list, of the
 * chains, counts their rules, so that each has a number.
 */
#include "keeper/rule_search.h"

#include <stdlib.h>
#include <string.h>

#include "keeper/batch.h"
#include "keeper/rule_form.h"
#include "lib/crypto.h"
#include "lib/grow.h"

struct entry {
    uint64_t hash;
    unsigned number; /* of a rule: which one of its chain; of a chain: rules that were read */
    unsigned lines;  /* of a chain: rules that were printed */
    bool taken;
};

struct hashes {
    unsigned count;
    struct entry *items;
};

struct rule_search {
    struct hashes rules, chains, sources;
    bool whole;
    bool no_memory;
    uint8_t key[CRYPTO_KEY_SIZE];
};

static void add_hash(struct rule_search *search, struct hashes *hashes, uint64_t hash,
                     unsigned number)
{
    struct entry *items = grow(hashes->items, hashes->count, sizeof(*items));
    if (!items) {
        search->no_memory = true;
        return;
    }
    hashes->items = items;
    items[hashes->count++] = (struct entry){.hash = hash, .number = number};
}

static int compare_hashes(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Of equal ones the first rule first. */
static int compare_entries(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = compare_hashes(x, y);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static void sort_hashes(struct hashes *hashes)
{
    if (hashes->count > 0)
        qsort(hashes->items, hashes->count, sizeof(*hashes->items), compare_entries);
}

/* NULL: there is none. */
static struct entry *find_hash(const struct hashes *hashes, uint64_t hash)
{
    struct entry key = {.hash = hash};
    return hashes->count == 0 ? NULL
                              : bsearch(&key, hashes->items, hashes->count, sizeof(*hashes->items),
                                        compare_hashes);
}

static bool has_hash(const struct hashes *hashes, uint64_t hash)
{
    return find_hash(hashes, hash) != NULL;
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
    const char *chain = rule->words.words[1];
    struct entry *entry = find_hash(&search->chains, hash_text(search, chain));
    unsigned number = entry ? entry->number++ : 0;
    if (rule_form_of_saved(&form, rule))
        add_hash(search, &search->rules, hash_rule(search, &form, rule->door), number);
    if (source.family)
        add_hash(search, &search->sources, hash_source(search, chain, &source), 0);
}

/* Of the name that begins at `text`. */
static uint64_t hash_name(const struct rule_search *search, const char *text, size_t len)
{
    const char *end = memchr(text, ' ', len);
    return crypto_keyed_hash(search->key, text, end ? (size_t)(end - text) : len);
}

/* Lines that name a chain, or end the table, which saved_rules passes over. */
static void add_chain(struct rule_search *search, const char *line, size_t len)
{
    if (len > 1 && *line == ':')
        add_hash(search, &search->chains, hash_name(search, line + 1, len - 1), 0);
    search->whole |= len == strlen("COMMIT") && memcmp(line, "COMMIT", len) == 0;
}

static void count_line(struct rule_search *search, const char *line, size_t len)
{
    static const char append[] = "-A ";
    size_t before = sizeof(append) - 1;
    if (len <= before || memcmp(line, append, before) != 0)
        return;
    struct entry *chain =
        find_hash(&search->chains, hash_name(search, line + before, len - before));
    if (chain)
        chain->lines++;
}

static void read_lines(struct rule_search *search, const char *saved, size_t size,
                       void (*read)(struct rule_search *search, const char *line, size_t len))
{
    while (size > 0) {
        const char *end = memchr(saved, '\n', size);
        size_t len = end ? (size_t)(end - saved) : size;
        if (end)
            read(search, saved, len);
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
        read_lines(search, saved, size, add_chain);
        sort_hashes(&search->chains);
        read_lines(search, saved, size, count_line);
        read_rules(search, saved, size);
    }
    sort_hashes(&search->rules);
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

/* What the command's rule says: of what *hash is. False when the table can't tell. */
static bool read_command(const struct rule_search *search, const struct command *command,
                         struct rule_form *form, uint64_t *hash)
{
    char door[SAVED_RULES_NAME];
    unsigned count;
    const char *rule = batch_rule(command, &count);
    if (!search->whole || !rule || !rule_form_of_door(form, rule, count) ||
        !has_hash(&search->chains, hash_text(search, form->chain)))
        return false;
    find_door(rule, count, door);
    *hash = hash_rule(search, form, door);
    return true;
}

/* Of a rule that isn't in the list. */
static enum rule_found tell_absent(const struct rule_search *search, const struct rule_form *form)
{
    struct addr source = rule_form_source(form);
    bool absent =
        source.family && !has_hash(&search->sources, hash_source(search, form->chain, &source));
    return absent ? RULE_ABSENT : RULE_UNSURE;
}

enum rule_found rule_search_look(const struct rule_search *search, const struct command *command)
{
    struct rule_form form;
    uint64_t hash;
    if (!read_command(search, command, &form, &hash))
        return RULE_UNSURE;
    return has_hash(&search->rules, hash) ? RULE_THERE : tell_absent(search, &form);
}

/* The first one of that hash that isn't taken; NULL: there is none. */
static struct entry *find_free(const struct hashes *hashes, uint64_t hash)
{
    const struct entry *end = hashes->items + hashes->count;
    struct entry *entry = find_hash(hashes, hash);
    while (entry && entry > hashes->items && entry[-1].hash == hash)
        entry--;
    while (entry && entry->taken)
        entry = entry + 1 < end && entry[1].hash == hash ? entry + 1 : NULL;
    return entry;
}

enum rule_found rule_search_take(struct rule_search *search, const struct command *command,
                                 unsigned *number, unsigned *count)
{
    struct rule_form form;
    uint64_t hash;
    if (!read_command(search, command, &form, &hash))
        return RULE_UNSURE;
    const struct entry *chain = find_hash(&search->chains, hash_text(search, form.chain));
    struct entry *rule = find_free(&search->rules, hash);
    /* Where a line couldn't be read, those that follow have other numbers. */
    if (chain->number != chain->lines)
        return RULE_UNSURE;
    if (!rule)
        return tell_absent(search, &form);
    rule->taken = true;
    *number = rule->number;
    *count = chain->lines;
    return RULE_THERE;
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
