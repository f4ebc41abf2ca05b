/*
 * Finds and removes what nobody closes: iptables-save -> rules that are a door's -> how many
 * openings may own each -> of equal rules those beyond that number. All of it happens between two
 * events of the doors: what an opening owns, or is about to insert or to delete, is in the table of
 * openings all the while, so it isn't taken for a stray. Equal rules can't be told apart, and
 * needn't: which of them is deleted makes no difference.
 */
#include "keeper/strays.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/process_output.h"
#include "keeper/program.h"
#include "keeper/rule_form.h"
#include "lib/clock.h"
#include "lib/grow.h"
#include "lib/log.h"

/* How long a look at the start may take, and how many rules are told of then. */
static const int64_t start_limit = 5 * CLOCK_SECOND;
enum { TOLD_MAX = 10 };

/* A stop command of an opening. One that isn't understood may delete any rule of its door, or of
 * any door when it names another one's comment. */
struct owner {
    const char *door; /* NULL: any */
    bool understood;
    struct rule_deletion deletion;
    char *text; /* that it points into; NULL: nowhere */
};

/* The form of a door's rule, in one family. */
struct pattern {
    const char *door;
    bool ip6;
    char *words; /* that the form points into */
    struct rule_form form;
};

/* A rule that is a door's, and how many openings may own it. */
struct candidate {
    struct stray stray;
    unsigned owners;
};

struct look {
    const struct config *config;
    struct strays *out;
    struct owner *owners; /* by the address that they take packets from, those without first */
    unsigned owner_count;
    struct pattern *patterns;
    unsigned pattern_count;
    struct candidate *candidates;
    unsigned count;
    bool no_memory;
};

/* Makes room for one more item; the array, or NULL when memory is short. */
static void *make_room(struct look *look, void *items, unsigned count, size_t size)
{
    void *more = grow(items, count, size);
    look->no_memory |= !more;
    return more;
}

/* --- what openings own --- */

/* Takes over the owner's text, unless memory is short: then it returns false. */
static bool add_owner(struct look *look, const struct owner *owner)
{
    struct owner *owners = make_room(look, look->owners, look->owner_count, sizeof(*owners));
    if (!owners)
        return false;
    look->owners = owners;
    owners[look->owner_count++] = *owner;
    return true;
}

/* Whether a word of the command has the comment of another door than this one. */
static bool names_other_door(const struct command *command, const char *door)
{
    const char *word = command->text;
    for (unsigned i = 0; i < command->words; i++, word += strlen(word) + 1) {
        const char *comment = strstr(word, SAVED_RULES_COMMENT);
        if (comment && strcmp(comment + strlen(SAVED_RULES_COMMENT), door) != 0)
            return true;
    }
    return false;
}

static void add_owners(struct look *look, const struct open_door *open)
{
    struct owner owner = {.door = open->door};
    struct commands stops;
    if (doors_stop_commands(open, &stops) < 0) {
        look->no_memory = true;
        return;
    }
    if (stops.count == 0)
        add_owner(look, &owner);
    for (unsigned i = 0; i < stops.count; i++) {
        struct command *stop = &stops.items[i];
        owner.understood = rule_deletion_read(&owner.deletion, stop->text, stop->words);
        owner.door = names_other_door(stop, open->door) ? NULL : open->door;
        owner.text = owner.understood ? stop->text : NULL;
        if (!owner.understood)
            owner.deletion = (struct rule_deletion){0};
        if (add_owner(look, &owner) && owner.understood)
            stop->text = NULL;
    }
    commands_free(&stops);
}

static int compare_addresses(const struct addr *a, const struct addr *b)
{
    return memcmp(a, b, sizeof(*a));
}

static int compare_owners(const void *a, const void *b)
{
    return compare_addresses(&((const struct owner *)a)->deletion.source,
                             &((const struct owner *)b)->deletion.source);
}

static void collect_owners(struct look *look, const struct doors *doors)
{
    const struct doors_choice all = {0};
    struct open_door open = {0};
    while (doors_next(doors, &all, &open))
        add_owners(look, &open);
    if (look->owner_count > 0)
        qsort(look->owners, look->owner_count, sizeof(*look->owners), compare_owners);
}

static bool may_own(const struct owner *owner, const struct saved_rule *rule, bool ip6)
{
    if (owner->understood)
        return rule_deletion_may_be_of(&owner->deletion, rule, ip6);
    return rule->door[0] && (!owner->door || strcmp(owner->door, rule->door) == 0);
}

/* The number of the first owner whose address isn't lower. */
static unsigned first_owner(const struct look *look, const struct addr *source)
{
    unsigned low = 0, high = look->owner_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (compare_addresses(&look->owners[middle].deletion.source, source) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Of the owners that take packets from this address, or from (family 0) no particular one. */
static unsigned count_owners_from(const struct look *look, const struct addr *source,
                                  const struct saved_rule *rule, bool ip6)
{
    unsigned count = 0;
    for (unsigned i = first_owner(look, source);
         i < look->owner_count && addr_equal(&look->owners[i].deletion.source, source); i++)
        count += may_own(&look->owners[i], rule, ip6);
    return count;
}

static unsigned count_owners(const struct look *look, const struct saved_rule *rule, bool ip6)
{
    const struct addr none = {0}, source = rule_saved_source(rule);
    unsigned count = count_owners_from(look, &none, rule, ip6);
    return source.family ? count + count_owners_from(look, &source, rule, ip6) : count;
}

/* --- what doors' rules say --- */

/* The port of a door that opens no other is what its rules say, and no other port. */
static void set_port(struct values *values, const struct config_door *door, char *text, size_t size)
{
    if (door->port.port == 0 || door->port_count > 0)
        return;
    snprintf(text, size, "%u", door->port.port);
    values->port = text;
    values->proto = proto_name(door->port.proto);
}

/* Sets *pattern to the form of the rule. False when it can't be compared. */
static bool make_pattern(struct pattern *pattern, const struct config_door *door, const char *rule,
                         bool ip6)
{
    struct values values = rule_form_wildcards;
    struct words words;
    char why[160], port[8];
    values.door = door->name;
    set_port(&values, door, port, sizeof(port));
    values.family = ip6 ? "6" : "4";
    *pattern = (struct pattern){.door = door->name, .ip6 = ip6};
    if (!template_expand(rule, &values, &words, why, sizeof(why)))
        return false;
    pattern->words = malloc(words.size);
    if (!pattern->words)
        return false;
    memcpy(pattern->words, words.text, words.size);
    if (rule_form_of_door(&pattern->form, pattern->words, words.count))
        return true;
    free(pattern->words);
    return false;
}

static void add_pattern(struct look *look, const struct config_door *door, const char *rule,
                        bool ip6)
{
    struct pattern *patterns =
        make_room(look, look->patterns, look->pattern_count, sizeof(*look->patterns));
    if (!patterns)
        return;
    look->patterns = patterns;
    look->pattern_count += make_pattern(&patterns[look->pattern_count], door, rule, ip6);
}

static void collect_patterns(struct look *look, const struct config *config,
                             const struct plans *plans)
{
    for (unsigned i = 0; i < config->door_count; i++) {
        const struct config_door *door = &config->doors[i];
        for (unsigned j = 0; j < door->rules.count; j++)
            for (int ip6 = 0; ip6 < 2; ip6++)
                if (plans_get(plans, i, ip6 ? 6 : 4)->usable)
                    add_pattern(look, door, door->rules.items[j].text, ip6);
    }
}

/* The door whose rule says what this one says; NULL: none. */
static const char *door_of_form(const struct look *look, const struct saved_rule *rule, bool ip6)
{
    struct rule_form form;
    if (look->pattern_count == 0 || !rule_form_of_saved(&form, rule))
        return NULL;
    for (unsigned i = 0; i < look->pattern_count; i++)
        if (look->patterns[i].ip6 == ip6 && rule_form_matches(&look->patterns[i].form, &form))
            return look->patterns[i].door;
    return NULL;
}

/* --- what is in the firewall --- */

static enum stray_kind kind_of(const struct look *look, const struct saved_rule *rule)
{
    if (!rule->door[0])
        return STRAY_ALIKE;
    return config_find_door(look->config, rule->door) ? STRAY_OURS : STRAY_UNKNOWN;
}

static void add_candidate(struct look *look, const struct saved_rule *rule, bool ip6)
{
    const char *door = rule->door[0] ? rule->door : door_of_form(look, rule, ip6);
    if (!door)
        return;
    struct candidate *candidates =
        make_room(look, look->candidates, look->count, sizeof(*look->candidates));
    if (!candidates)
        return;
    look->candidates = candidates;
    struct candidate *candidate = &candidates[look->count];
    *candidate = (struct candidate){
        .stray = {.ip6 = ip6, .kind = kind_of(look, rule), .order = look->count}};
    snprintf(candidate->stray.door, sizeof(candidate->stray.door), "%s", door);
    candidate->owners = count_owners(look, rule, ip6);
    candidate->stray.table = strdup(rule->table);
    candidate->stray.text = strdup(rule->text);
    look->no_memory |= !candidate->stray.table || !candidate->stray.text;
    look->count++;
}

/* Runs iptables-save (`input` -1), or what restores from there. NULL where it isn't installed, or
 * after writing to `why`. */
static FILE *run_program(const char *name, int input, int64_t deadline, char *why, size_t size)
{
    /* What restores waits 5 s for the lock, and leaves what it isn't told of. */
    static const char *const restores[] = {"--noflush", "-w", "5", NULL}, *const saves[] = {NULL};
    char *path = program_find(name), line[200] = "";
    struct command command;
    FILE *output = NULL;
    int status = -1;
    if (!path)
        return NULL;
    if (command_of_program(path, input < 0 ? saves : restores, &command) == 0) {
        output = process_output_of(&command, input, input >= 0, deadline, &status);
        free(command.text);
    }
    free(path);
    if (status == 0)
        return output;
    if (output && input >= 0 && fgets(line, sizeof(line), output))
        line[strcspn(line, "\n")] = '\0';
    if (output)
        fclose(output);
    snprintf(why, size, "%s %s%s%s", name, status < 0 ? "didn't end in time" : "failed",
             *line ? ": " : "", line);
    return NULL;
}

static void read_family(struct look *look, bool ip6, int64_t deadline)
{
    struct strays *out = look->out;
    struct saved_rules rules = {.file = run_program(ip6 ? "ip6tables-save" : "iptables-save", -1,
                                                    deadline, out->why, sizeof(out->why))};
    const struct saved_rule *rule;
    if (!rules.file)
        return;
    while (!look->no_memory && (rule = saved_rules_next(&rules)))
        add_candidate(look, rule, ip6);
    look->no_memory |= rules.no_memory;
    if (rules.incompatible)
        snprintf(out->why, sizeof(out->why),
                 "%s doesn't print a table in which nft has rules that iptables has no words for; "
                 "look there yourself: nft list ruleset",
                 ip6 ? "ip6tables-save" : "iptables-save");
    saved_rules_end(&rules);
    fclose(rules.file);
}

static int compare_rules(const void *a, const void *b)
{
    const struct stray *one = &((const struct candidate *)a)->stray;
    const struct stray *other = &((const struct candidate *)b)->stray;
    int order = (int)one->ip6 - (int)other->ip6;
    if (order == 0)
        order = strcmp(one->table, other->table);
    return order ? order : strcmp(one->text, other->text);
}

static int compare_order(const void *a, const void *b)
{
    unsigned one = ((const struct stray *)a)->order, other = ((const struct stray *)b)->order;
    return (one > other) - (one < other);
}

static void free_stray(struct stray *stray)
{
    free(stray->table);
    free(stray->text);
}

/* Of equal rules, as many are strays as there are more than openings that may own them. */
static void keep_strays(struct look *look)
{
    struct strays *out = look->out;
    unsigned i = 0;
    qsort(look->candidates, look->count, sizeof(*look->candidates), compare_rules);
    while (i < look->count) {
        unsigned first = i, owners = look->candidates[i].owners;
        while (i < look->count &&
               compare_rules(&look->candidates[first], &look->candidates[i]) == 0)
            i++;
        for (unsigned j = first; j < i; j++) {
            if (j - first < owners)
                free_stray(&look->candidates[j].stray);
            else
                out->items[out->count++] = look->candidates[j].stray;
        }
    }
    qsort(out->items, out->count, sizeof(*out->items), compare_order);
}

static void free_look(struct look *look)
{
    for (unsigned i = 0; i < look->owner_count; i++)
        free(look->owners[i].text);
    free(look->owners);
    for (unsigned i = 0; i < look->pattern_count; i++)
        free(look->patterns[i].words);
    free(look->patterns);
    free(look->candidates);
}

void strays_find(const struct doors *doors, const struct config *config, const struct plans *plans,
                 int64_t deadline, struct strays *out)
{
    struct look look = {.config = config, .out = out};
    *out = (struct strays){0};
    collect_owners(&look, doors);
    collect_patterns(&look, config, plans);
    for (int ip6 = 0; ip6 < 2 && !look.no_memory; ip6++)
        read_family(&look, ip6, deadline);
    if (look.count > 0 && !look.no_memory)
        out->items = calloc(look.count, sizeof(*out->items));
    if (out->items) {
        keep_strays(&look);
    } else {
        for (unsigned i = 0; i < look.count; i++)
            free_stray(&look.candidates[i].stray);
        if (look.count > 0 || look.no_memory)
            snprintf(out->why, sizeof(out->why), "out of memory");
    }
    free_look(&look);
}

void strays_free(struct strays *strays)
{
    for (unsigned i = 0; i < strays->count; i++)
        free_stray(&strays->items[i]);
    free(strays->items);
    *strays = (struct strays){0};
}

/* --- removing --- */

/* Has one or all (`only` NULL) of a family deleted, those of a table at once or not at all. */
static bool delete_rules(struct strays *strays, bool ip6, const struct stray *only,
                         int64_t deadline)
{
    FILE *input = tmpfile();
    const char *table = NULL;
    if (!input)
        return false;
    for (unsigned i = 0; i < strays->count; i++) {
        const struct stray *stray = &strays->items[i];
        if (stray->kind != STRAY_OURS || stray->ip6 != ip6 || stray->removed ||
            (only && stray != only))
            continue;
        if (!table || strcmp(table, stray->table) != 0)
            fprintf(input, "%s*%s\n", table ? "COMMIT\n" : "", stray->table);
        table = stray->table;
        fprintf(input, "-D%s\n", stray->text + strlen("-A"));
    }
    if (table)
        fputs("COMMIT\n", input);
    bool written = fflush(input) == 0 && lseek(fileno(input), 0, SEEK_SET) == 0;
    FILE *output = !table || !written
                       ? NULL
                       : run_program(ip6 ? "ip6tables-restore" : "iptables-restore", fileno(input),
                                     deadline, strays->why, sizeof(strays->why));
    fclose(input);
    if (output)
        fclose(output);
    return output != NULL;
}

static bool any_left(const struct strays *strays, bool ip6)
{
    for (unsigned i = 0; i < strays->count; i++)
        if (strays->items[i].kind == STRAY_OURS && strays->items[i].ip6 == ip6 &&
            !strays->items[i].removed)
            return true;
    return false;
}

/* At once, or where that fails, perhaps since another program was quicker with one, one by one. */
static void remove_family(struct strays *strays, bool ip6, int64_t deadline)
{
    if (!any_left(strays, ip6))
        return;
    bool all = delete_rules(strays, ip6, NULL, deadline);
    for (unsigned i = 0; i < strays->count; i++) {
        struct stray *stray = &strays->items[i];
        if (stray->kind == STRAY_OURS && stray->ip6 == ip6)
            stray->removed =
                all || (clock_now() < deadline && delete_rules(strays, ip6, stray, deadline));
    }
}

void strays_remove(struct strays *strays, int64_t deadline)
{
    strays->why[0] = '\0';
    for (int ip6 = 0; ip6 < 2; ip6++)
        remove_family(strays, ip6, deadline);
    /* What failed at once may have succeeded one by one. */
    if (!any_left(strays, false) && !any_left(strays, true))
        strays->why[0] = '\0';
}

/* --- telling --- */

static bool needs_quotes(const char *word)
{
    return *word == '\0' || word[strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                              "0123456789_.,:/+=@%-")] != '\0';
}

/* Adds a word as a shell reads it. False when it doesn't fit. */
static bool add_shell_word(char *out, size_t size, const char *word)
{
    size_t used = strlen(out);
    bool quotes = needs_quotes(word);
    int len = snprintf(out + used, size - used, " %s", quotes ? "'" : "");
    for (const char *p = word; *p && len >= 0 && (size_t)len < size - used; p++)
        len += snprintf(out + used + len, size - used - (size_t)len, "%s",
                        *p == '\'' ? "'\\''" : (char[]){*p, '\0'});
    if (quotes && (size_t)len < size - used)
        len += snprintf(out + used + len, size - used - (size_t)len, "'");
    return (size_t)len < size - used;
}

const char *stray_command(const struct stray *stray, char *out, size_t size)
{
    struct rule_words rule;
    snprintf(out, size, "%s -w 5", stray->ip6 ? "ip6tables" : "iptables");
    if (!rule_words_split(stray->text, strlen(stray->text), &rule)) {
        out[0] = '\0';
        return out;
    }
    bool fits = true;
    if (strcmp(stray->table, "filter") != 0)
        fits = add_shell_word(out, size, "-t") && add_shell_word(out, size, stray->table);
    for (unsigned i = 0; fits && i < rule.count; i++)
        fits = add_shell_word(out, size, i == 0 ? "-D" : rule.words[i]);
    free(rule.text);
    if (!fits)
        out[0] = '\0';
    return out;
}

static void log_stray(const struct stray *stray)
{
    char command[1024];
    stray_command(stray, command, sizeof(command));
    if (stray->kind == STRAY_OURS)
        log_warning(
            "door %s: a rule of it is in the firewall that no opening owns, so nobody closes "
            "it; was the firewall saved while the door was open (netfilter-persistent "
            "save)? knockctl close --stray removes it, as does: %s",
            stray->door, command);
    else if (stray->kind == STRAY_UNKNOWN)
        log_warning("door %s: a rule of it is in the firewall, and this configuration has no such "
                    "door, so nobody closes it, unless it is another knockd's; this removes it: %s",
                    stray->door, command);
    else
        log_warning(
            "door %s: a rule in the firewall says what its own say, and no opening owns it, "
            "so nobody closes it; if it isn't meant to stay (was the firewall saved while "
            "the door was open?), this removes it: %s",
            stray->door, command);
}

void strays_log(const struct doors *doors, const struct config *config, const struct plans *plans)
{
    struct strays strays;
    bool any = false;
    for (unsigned i = 0; i < config->door_count; i++)
        any |= config->doors[i].rules.count > 0;
    if (!any)
        return;
    strays_find(doors, config, plans, clock_now() + start_limit, &strays);
    for (unsigned i = 0; i < strays.count && i < TOLD_MAX; i++)
        log_stray(&strays.items[i]);
    if (strays.count > TOLD_MAX)
        log_warning("%u such rules are in the firewall; knockctl rules --check tells of all",
                    strays.count);
    if (strays.why[0])
        log_warning("rules that nobody closes weren't looked for: %s", strays.why);
    strays_free(&strays);
}

void strays_log_removed(const struct strays *strays)
{
    char command[1024];
    unsigned removed = 0;
    for (unsigned i = 0; i < strays->count; i++) {
        const struct stray *stray = &strays->items[i];
        if (stray->removed && removed++ < TOLD_MAX)
            log_notice("door %s: removed by knockctl close --stray, as no opening owned it: %s",
                       stray->door, stray_command(stray, command, sizeof(command)));
    }
    if (removed > TOLD_MAX)
        log_notice("removed by knockctl close --stray: %u rules in all", removed);
    if (strays->why[0])
        log_warning("knockctl close --stray: not all was removed: %s", strays->why);
}
