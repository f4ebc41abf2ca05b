/* Takes rules to options with their values, and compares those. */
#include "keeper/rule_form.h"

#include <ctype.h>
#include <string.h>

#include "keeper/command.h"
#include "lib/command_words.h"

/* --- options --- */

/* iptables-save prints the second. */
static const struct {
    const char *written, *printed;
} names[] = {
    {"--source", "-s"},
    {"--src", "-s"},
    {"--destination", "-d"},
    {"--dst", "-d"},
    {"--protocol", "-p"},
    {"--proto", "-p"},
    {"--in-interface", "-i"},
    {"--out-interface", "-o"},
    {"--jump", "-j"},
    {"--goto", "-g"},
    {"--match", "-m"},
    {"--table", "-t"},
    {"--delete", "-D"},
    {"--destination-port", "--dport"},
    {"--source-port", "--sport"},
    {"--destination-ports", "--dports"},
    {"--source-ports", "--sports"},
};

static const char *printed_name(const char *name)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(names[i].written, name) == 0)
            return names[i].printed;
    return name;
}

static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0' && !isdigit((unsigned char)word[1]);
}

/* Matches that iptables adds to -p by itself, or that say nothing without an option of theirs; and
 * our comment. */
static bool says_nothing(const struct rule_option *option)
{
    static const char *const matches[] = {"tcp", "udp", "comment"};
    char door[SAVED_RULES_NAME];
    if (option->negated || option->values != 1)
        return false;
    if (strcmp(option->name, "--comment") == 0)
        return saved_rules_door(option->value[0], door);
    for (size_t i = 0; strcmp(option->name, "-m") == 0 && i < sizeof(matches) / sizeof(*matches);
         i++)
        if (strcmp(option->value[0], matches[i]) == 0)
            return true;
    return false;
}

static void drop_idle_option(struct rule_form *form)
{
    if (form->count > 0 && says_nothing(&form->options[form->count - 1]))
        form->count--;
}

/* Adds a word; false when there is no room for it. *negated: "!" stands before it, or, set here,
 * before the next one. */
static bool add_word(struct rule_form *form, const char *word, bool *negated)
{
    bool was_negated = *negated;
    *negated = strcmp(word, "!") == 0;
    if (*negated)
        return true;
    if (is_option(word)) {
        drop_idle_option(form);
        if (form->count == RULE_FORM_OPTIONS)
            return false;
        form->options[form->count++] =
            (struct rule_option){.name = printed_name(word), .negated = was_negated};
        return true;
    }
    if (form->count == 0)
        return false;
    struct rule_option *option = &form->options[form->count - 1];
    if (option->values == RULE_FORM_VALUES)
        return false;
    option->value[option->values++] = word;
    return true;
}

bool rule_form_of_saved(struct rule_form *out, const struct saved_rule *rule)
{
    bool negated = false, good = true;
    *out = (struct rule_form){.table = rule->table, .chain = rule->words.words[1]};
    for (unsigned i = 2; good && i < rule->words.count; i++)
        good = add_word(out, rule->words.words[i], &negated);
    drop_idle_option(out);
    return good;
}

bool rule_form_of_door(struct rule_form *out, const char *text, unsigned count)
{
    const char *word = text;
    unsigned left = count;
    bool negated = false, good = true;
    *out = (struct rule_form){.table = "filter"};
    if (left > 2 && strcmp(word, "-t") == 0) {
        out->table = word + strlen(word) + 1;
        word = out->table + strlen(out->table) + 1;
        left -= 2;
    }
    out->chain = word;
    while (good && --left > 0) {
        word += strlen(word) + 1;
        good = add_word(out, word, &negated);
    }
    drop_idle_option(out);
    return good;
}

/* --- comparing --- */

/* Bytes that no rule has, each for the characters that stand in its place. */
const struct values rule_form_wildcards = {.ip = "\1",
                                           .iptables = "iptables",
                                           .family = "\3",
                                           .door = "\5",
                                           .port = "\3",
                                           .proto = "\4",
                                           .timeout = "\3",
                                           .key = "\5"};

static const char *const wild_characters[] = {
    [1] = "0123456789abcdef.:",
    [3] = "0123456789",
    [4] = "abcdefghijklmnopqrstuvwxyz",
    [5] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-",
};

/* Without the length of a whole address, which iptables-save adds. */
static size_t value_length(const char *value)
{
    size_t len = strlen(value);
    if (len > 3 && strcmp(value + len - 3, "/32") == 0)
        return len - 3;
    return len > 4 && strcmp(value + len - 4, "/128") == 0 ? len - 4 : len;
}

static bool value_matches(const char *door, const char *saved)
{
    const char *door_end = door + value_length(door), *end = saved + value_length(saved);
    for (; door < door_end; door++) {
        unsigned char byte = (unsigned char)*door;
        if (byte < sizeof(wild_characters) / sizeof(*wild_characters) && wild_characters[byte]) {
            size_t run = strspn(saved, wild_characters[byte]);
            if (run == 0)
                return false;
            saved += run;
        } else if (saved >= end || *door != *saved++) {
            return false;
        }
    }
    return saved == end;
}

static bool option_matches(const struct rule_option *door, const struct rule_option *saved)
{
    if (strcmp(door->name, saved->name) != 0 || door->negated != saved->negated ||
        door->values != saved->values)
        return false;
    for (unsigned i = 0; i < door->values; i++)
        if (!value_matches(door->value[i], saved->value[i]))
            return false;
    return true;
}

bool rule_form_matches(const struct rule_form *door, const struct rule_form *saved)
{
    bool taken[RULE_FORM_OPTIONS] = {false};
    if (door->count != saved->count || strcmp(door->table, saved->table) != 0 ||
        !value_matches(door->chain, saved->chain))
        return false;
    for (unsigned i = 0; i < door->count; i++) {
        unsigned j = 0;
        while (j < saved->count &&
               (taken[j] || !option_matches(&door->options[i], &saved->options[j])))
            j++;
        if (j == saved->count)
            return false;
        taken[j] = true;
    }
    return true;
}

static uint64_t hash_option(const struct rule_option *option, const uint8_t key[CRYPTO_KEY_SIZE])
{
    uint64_t hash = crypto_keyed_hash(key, option->name, strlen(option->name)) + option->negated;
    for (unsigned i = 0; i < option->values; i++) {
        const uint64_t next[2] = {hash, crypto_keyed_hash(key, option->value[i],
                                                          value_length(option->value[i]))};
        hash = crypto_keyed_hash(key, next, sizeof(next));
    }
    return hash;
}

uint64_t rule_form_hash(const struct rule_form *form, const uint8_t key[CRYPTO_KEY_SIZE])
{
    uint64_t sum = form->count;
    for (unsigned i = 0; i < form->count; i++)
        sum += hash_option(&form->options[i], key);
    return sum;
}

/* --- what deletes it --- */

/* A whole address, with its length or without. Family 0: it is none. */
static struct addr whole_address(const char *text)
{
    struct addr address = {0};
    size_t len = value_length(text);
    if (!addr_parse(text, len, &address))
        return (struct addr){0};
    bool full = text[len] == '\0' || strcmp(text + len, address.family == 6 ? "/128" : "/32") == 0;
    return full ? address : (struct addr){0};
}

/* The words of a command that is being read. */
struct reading {
    const char *word;
    unsigned left;  /* words, with this one */
    bool negated;   /* "!" stands before it */
    bool maybe_its; /* it may be the value of the option before it, which isn't known */
};

static const char *next_word(struct reading *reading)
{
    if (reading->left <= 1)
        return NULL;
    reading->left--;
    return reading->word += strlen(reading->word) + 1;
}

static bool begins(const char *name, const char *word, size_t len)
{
    return strncmp(name, word, len) == 0;
}

/* The printed name of an option that takes a value; NULL: it is another one. */
static const char *option_with_value(const char *word, size_t len)
{
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if ((begins(names[i].written, word, len) && names[i].written[len] == '\0') ||
            (begins(names[i].printed, word, len) && names[i].printed[len] == '\0'))
            return names[i].printed;
    return len == strlen("--comment") && begins("--comment", word, len) ? "--comment" : NULL;
}

/* Whether a long option may be short for one that is to be understood: which one iptables takes it
 * for depends on the matches that it has loaded. Or it chooses the family. */
static bool is_abbreviated(const char *word, size_t len)
{
    if (begins("--comment", word, len) || begins(word, "--ip", strlen("--ip")))
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (begins(names[i].written, word, len) || begins(names[i].printed, word, len))
            return true;
    return false;
}

static bool is_flag(const char *word)
{
    static const char *const flags[] = {"-f",     "-n",        "-v",        "-w",         "-x",
                                        "--wait", "--verbose", "--numeric", "--fragment", "--syn"};
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (strcmp(word, flags[i]) == 0)
            return true;
    return false;
}

static bool set_once(const char **field, const char *value)
{
    if (*field)
        return false;
    *field = value;
    return true;
}

/* Of several comments, the one that a rule in the firewall is known by. */
static void set_comment(struct rule_deletion *out, const char *value)
{
    char door[SAVED_RULES_NAME];
    if (!out->comment || !saved_rules_door(out->comment, door))
        out->comment = value;
}

/* False when it isn't sure what iptables makes of it. */
static bool read_option(struct rule_deletion *out, const char *name, const char *value,
                        bool negated)
{
    bool table = strcmp(name, "-t") == 0;
    if (table || strcmp(name, "-D") == 0)
        return !negated && set_once(table ? &out->table : &out->chain, value);
    if (strcmp(name, "--comment") == 0) {
        set_comment(out, value);
        return !negated;
    }
    if (negated)
        return true;
    if (strcmp(name, "--dport") == 0 && command_is_number(value, strlen(value)) && *value != '0')
        return set_once(&out->port, value);
    if (strcmp(name, "-s") == 0)
        out->source = whole_address(value);
    else if (strcmp(name, "-d") == 0)
        out->destination = whole_address(value);
    return true;
}

/* A number behind the chain: it deletes whichever rule has that. */
static bool is_by_number(const struct reading *reading, const char *name)
{
    const char *next = reading->word + strlen(reading->word) + 1;
    return strcmp(name, "-D") == 0 && reading->left > 1 && *next != '-' && *next != '!';
}

/* An option that takes a value: `joined`, or (NULL) the next word. */
static bool read_value(struct reading *reading, struct rule_deletion *out, const char *name,
                       const char *joined)
{
    bool negated = reading->negated;
    const char *value = joined ? joined : next_word(reading);
    reading->negated = false;
    return value && !reading->maybe_its && read_option(out, name, value, negated) &&
           !is_by_number(reading, name);
}

/* NAME, or NAME=VALUE. */
static bool read_long(struct reading *reading, struct rule_deletion *out)
{
    const char *word = reading->word;
    size_t len = strcspn(word, "=");
    const char *name = option_with_value(word, len);
    if (name)
        return read_value(reading, out, name, word[len] ? word + len + 1 : NULL);
    return !is_abbreviated(word, len);
}

/* -X, or -XVALUE; but no -X=VALUE, which iptables takes in no sense, nor several in one word. */
static bool read_short(struct reading *reading, struct rule_deletion *out)
{
    const char *word = reading->word;
    const char *name = option_with_value(word, 2);
    if (name)
        return word[2] != '=' && read_value(reading, out, name, word[2] ? word + 2 : NULL);
    return is_flag(word) || begins(word, "-w", 2);
}

static bool read_word(struct reading *reading, struct rule_deletion *out)
{
    const char *word = reading->word;
    bool negates = strcmp(word, "!") == 0, good = true, unknown = false;
    if (strcmp(word, "-4") == 0 || strcmp(word, "-6") == 0)
        return false;
    if (is_option(word)) {
        bool is_long = word[1] == '-';
        size_t len = strcspn(word, "=");
        unknown = is_long && !word[len] && !option_with_value(word, len) && !is_flag(word);
        good = is_long ? read_long(reading, out) : read_short(reading, out);
    }
    reading->maybe_its = unknown;
    reading->negated = negates;
    return good;
}

bool rule_deletion_read(struct rule_deletion *out, const char *text, unsigned count)
{
    struct reading reading = {.word = text, .left = count};
    *out = (struct rule_deletion){0};
    int family = count > 0 ? command_iptables_family(text) : 0;
    bool good = family != 0;
    out->ip6 = family == 6;
    while (good && next_word(&reading))
        good = read_word(&reading, out);
    if (!out->table)
        out->table = "filter";
    return good && out->chain;
}

/* The value of an option of the rule that isn't negated; NULL: there is none. */
static const char *saved_value(const struct saved_rule *rule, const char *name)
{
    for (unsigned i = 2; i + 1 < rule->words.count; i++)
        if (strcmp(rule->words.words[i], name) == 0 && strcmp(rule->words.words[i - 1], "!") != 0)
            return rule->words.words[i + 1];
    return NULL;
}

static struct addr saved_address(const struct saved_rule *rule, const char *name)
{
    const char *value = saved_value(rule, name);
    return value ? whole_address(value) : (struct addr){0};
}

struct addr rule_form_source(const struct rule_form *form)
{
    struct addr source = {0};
    for (unsigned i = 0; i < form->count; i++) {
        const struct rule_option *option = &form->options[i];
        if (strcmp(option->name, "-s") == 0 && !option->negated && option->values == 1)
            source = whole_address(option->value[0]);
    }
    return source;
}

struct addr rule_saved_source(const struct saved_rule *rule)
{
    return saved_address(rule, "-s");
}

/* Comments are printed as they are, so ours are known by their words. */
static bool comment_may_be_of(const struct rule_deletion *deletion, const struct saved_rule *rule)
{
    char door[SAVED_RULES_NAME] = "";
    if (deletion->comment)
        saved_rules_door(deletion->comment, door);
    return strcmp(door, rule->door) == 0;
}

/* The match multiport prints --dport as --dports. */
static bool port_may_be_of(const struct rule_deletion *deletion, const struct saved_rule *rule)
{
    const char *port = saved_value(rule, "--dport");
    return !deletion->port || saved_value(rule, "--dports") ||
           (port && strcmp(deletion->port, port) == 0);
}

bool rule_deletion_may_be_of(const struct rule_deletion *deletion, const struct saved_rule *rule,
                             bool ip6)
{
    struct addr source = saved_address(rule, "-s"), destination = saved_address(rule, "-d");
    return deletion->ip6 == ip6 && strcmp(deletion->table, rule->table) == 0 &&
           strcmp(deletion->chain, rule->words.words[1]) == 0 &&
           comment_may_be_of(deletion, rule) &&
           (deletion->source.family == 0 || addr_equal(&deletion->source, &source)) &&
           (deletion->destination.family == 0 ||
            addr_equal(&deletion->destination, &destination)) &&
           port_may_be_of(deletion, rule);
}
