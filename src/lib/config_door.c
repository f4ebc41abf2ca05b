/* Readers of sequences, ports, addresses and commands of a door; and a door by its name. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config_values.h"
#include "lib/nearest.h"
#include "lib/shell_syntax.h"

void read_sequence(struct parse_context *context, const struct config_key *key,
                   const struct config_list *values, void *field)
{
    struct config_door *door = field;
    const char *why;
    door->sequence_pos = values->pos;
    for (unsigned i = 0; i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        if (sequence_append(&door->sequence, value->text, &why))
            continue;
        report_error(context->report, value->pos, "%s: \"%.80s\" won't do: %s", key->name,
                     value->text, why);
        /* Half a sequence would only draw warnings about what isn't there. */
        door->sequence.count = 0;
        return;
    }
}

void read_flags(struct parse_context *context, const struct config_key *key,
                const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    const char *why;
    if (value && !flags_parse(value->text, field, &why))
        report_error(context->report, value->pos, "%s: \"%.80s\" won't do: %s", key->name,
                     value->text, why);
}

void read_port(struct parse_context *context, const struct config_key *key,
               const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    const char *why;
    if (value && !port_proto_parse(value->text, field, &why))
        report_error(context->report, value->pos, "%s: \"%.80s\" won't do: %s", key->name,
                     value->text, why);
}

/* The ports of a list, and how many they are. */
static struct port_proto *read_steps(struct parse_context *context, const struct config_key *key,
                                     const struct config_list *values, unsigned *count)
{
    enum { PORTS_MAX = 1024 };
    const char *why;
    if (values->count > PORTS_MAX) {
        report_error(context->report, values->pos, "%s: more than %d ports", key->name, PORTS_MAX);
        return NULL;
    }
    struct port_proto *steps = calloc(values->count + 1, sizeof(*steps));
    if (!steps)
        context->no_memory = true;
    for (unsigned i = 0; steps && i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        if (port_proto_parse(value->text, &steps[*count], &why))
            ++*count;
        else
            report_error(context->report, value->pos, "%s: \"%.80s\" won't do: %s", key->name,
                         value->text, why);
    }
    return steps;
}

void read_ignore(struct parse_context *context, const struct config_key *key,
                 const struct config_list *values, void *field)
{
    struct config_door *door = field;
    door->ignore = read_steps(context, key, values, &door->ignore_count);
}

void read_ports(struct parse_context *context, const struct config_key *key,
                const struct config_list *values, void *field)
{
    struct config_door *door = field;
    door->ports = read_steps(context, key, values, &door->port_count);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* A name is half of a path in key_dir, so nothing that could lead elsewhere is one. One empty text
 * means none, on purpose: the last key may have been removed. */
void read_key_names(struct parse_context *context, const struct config_key *key,
                    const struct config_list *values, void *field)
{
    enum { KEYS_MAX = 65535 };
    struct config_list *out = field;
    out->set = true;
    out->pos = values->pos;
    if (values->count == 1 && is_blank(values->items[0].text)) {
        report_warning(context->report, values->pos,
                       "%s: the list is empty, so no sealed knock opens this door", key->name);
        return;
    }
    if (values->count > KEYS_MAX)
        report_error(context->report, values->pos, "%s: more than %d keys", key->name, KEYS_MAX);
    for (unsigned i = 0; i < values->count && i < KEYS_MAX; i++) {
        const struct config_text *value = &values->items[i];
        if (!config_is_key_name(value->text))
            report_error(context->report, value->pos,
                         "%s: \"%.80s\" is no name for a key: expected 1 to 63 of the characters "
                         "A-Z a-z 0-9 _ . -, not beginning with -, and neither sequence nor "
                         "knockctl",
                         key->name, value->text);
        else if (!config_list_add(out, value->text, value->pos))
            context->no_memory = true;
    }
}

void read_address(struct parse_context *context, const struct config_key *key,
                  const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (value && !addr_parse(value->text, strlen(value->text), field))
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" is no address: expected one like 192.0.2.1 or 2001:db8::1; "
                     "names are not looked up",
                     key->name, value->text);
}

/* Whether the text names an interface; reports it if it doesn't. */
static bool check_interface(struct parse_context *context, const struct config_key *key,
                            const struct config_text *value)
{
    const char *text = value->text;
    size_t len = strlen(text), name = strcspn(text, ":@");
    bool label = name > 0 && text[name];
    bool wrong = len == 0 || len >= IF_NAMESIZE || strpbrk(text, " \t/:@*?") ||
                 text[len - 1] == '+' || strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
    if (label)
        report_error(context->report, value->pos, "%s: \"%.80s\" is %s: expected %s = \"%.*s\"",
                     key->name, text,
                     text[name] == '@' ? "how ip(8) shows a pair; its name ends before the @"
                                       : "a label of an address, and no interface",
                     key->name, name < 64 ? (int)name : 64, text);
    else if (wrong)
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" is no interface: expected a whole name like eth0, %d "
                     "characters at most",
                     key->name, text, IF_NAMESIZE - 1);
    return !label && !wrong;
}

void read_interface(struct parse_context *context, const struct config_key *key,
                    const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    if (strchr(value->text, ','))
        report_error(context->report, value->pos,
                     "%s takes one name: give each interface a door of its own, or leave the key "
                     "out for all",
                     key->name);
    else if (check_interface(context, key, value))
        memcpy(field, value->text, strlen(value->text) + 1);
}

void read_interfaces(struct parse_context *context, const struct config_key *key,
                     const struct config_list *values, void *field)
{
    struct config_list *out = field;
    out->set = true;
    out->pos = values->pos;
    if (values->count == 0)
        report_error(context->report, values->pos, "%s: expected names of interfaces, or any",
                     key->name);
    for (unsigned i = 0; i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        bool any = strcmp(value->text, "any") == 0;
        if (any && values->count == 1)
            return;
        if (any)
            report_error(context->report, value->pos,
                         "%s: any stands for all interfaces: expected it alone, or names",
                         key->name);
        else if (check_interface(context, key, value) &&
                 !config_list_add(out, value->text, value->pos))
            context->no_memory = true;
    }
}

static void read_nets(struct parse_context *context, const struct config_key *key,
                      const struct config_list *values, struct net **out, unsigned *count)
{
    *out = calloc(values->count + 1, sizeof(**out));
    if (!*out)
        context->no_memory = true;
    for (unsigned i = 0; *out && i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        if (net_parse(value->text, &(*out)[*count]))
            ++*count;
        else
            report_error(context->report, value->pos,
                         "%s: \"%.80s\" is no network: expected one like 192.0.2.0/24, with all "
                         "bits behind the first 24 zero, or an address",
                         key->name, value->text);
    }
}

void read_allow(struct parse_context *context, const struct config_key *key,
                const struct config_list *values, void *field)
{
    struct config_door *door = field;
    read_nets(context, key, values, &door->allow, &door->allow_count);
}

/* How the key's text calls a shell, where one is needed. */
static const char *shell_call(const struct config_key *key)
{
    if (strcmp(key->name, "rule") == 0)
        return "start_command and stop_command in place of rule";
    return strstr(key->name, "_command") && strncmp(key->name, "init", 4) != 0 &&
                   strncmp(key->name, "exit", 4) != 0 && strncmp(key->name, "address", 7) != 0
               ? "/bin/sh -c '... \"$1\"' sh %IP%"
               : "/bin/sh -c '...'";
}

void check_shell_syntax(struct parse_context *context, const struct config_key *key,
                        const struct config_text *value)
{
    struct command_word word;
    enum shell_finding finding = shell_syntax_find(value->text, &word);
    if (finding == SHELL_PLACEHOLDER)
        report_error(context->report, value->pos,
                     "%s: what a knock brings must not stand in the script of a shell: hand it "
                     "over as an argument, as in %s",
                     key->name, shell_call(key));
    else if (finding != SHELL_NOTHING)
        report_error(context->report, value->pos,
                     "%s: \"%.*s\" is shell syntax, but no shell runs this: write %s, or put it in "
                     "single quotes if the program is to get it as it stands",
                     key->name, word.len < 80 ? (int)word.len : 80, word.text, shell_call(key));
}

void read_program(struct parse_context *context, const struct config_key *key,
                  const struct config_list *values, void *field)
{
    struct config_text *out = field;
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    read_copy(context, value->text, &out->text);
    out->pos = value->pos;
}

void read_command(struct parse_context *context, const struct config_key *key,
                  const struct config_list *values, void *field)
{
    for (unsigned i = 0; i < values->count; i++)
        check_shell_syntax(context, key, &values->items[i]);
    read_program(context, key, values, field);
}

/* One empty text means none, on purpose: such a list is set, but holds nothing. */
void read_commands(struct parse_context *context, const struct config_key *key,
                   const struct config_list *values, void *field)
{
    struct config_list *out = field;
    out->set = true;
    out->pos = values->pos;
    if (values->count == 1 && is_blank(values->items[0].text))
        return;
    for (unsigned i = 0; i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        check_shell_syntax(context, key, value);
        if (is_blank(value->text))
            report_error(context->report, value->pos, "%s: an empty text among others: remove it",
                         key->name);
        else if (!config_list_add(out, value->text, value->pos))
            context->no_memory = true;
    }
}

void read_rate(struct parse_context *context, const struct config_key *key,
               const struct config_list *values, void *field)
{
    struct config_rate *rate = field;
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    size_t digits = strspn(value->text, "0123456789");
    unsigned long count = digits > 0 && digits < 6 ? strtoul(value->text, NULL, 10) : 0;
    const char *period = value->text[digits] == '/' ? value->text + digits + 1 : "";
    if (count > 0 && parse_duration(period, &rate->period) && rate->period > 0)
        rate->count = (unsigned)count;
    else
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" won't do: expected openings and a time, like \"3/10m\"",
                     key->name, value->text);
}

struct config_door *config_find_door(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->door_count; i++)
        if (strcmp(config->doors[i].name, name) == 0)
            return &config->doors[i];
    return NULL;
}

const char *config_nearest_door(const struct config *config, const char *name)
{
    struct nearest nearest = nearest_to(name);
    for (unsigned i = 0; i < config->door_count; i++)
        nearest_compare(&nearest, config->doors[i].name);
    return nearest.found;
}

enum { HINT_NAMES = 10 };

/* Ten names of the greatest length, and what stands around them. */
static_assert(CONFIG_DOOR_HINT_SIZE > HINT_NAMES * (CONFIG_NAME_MAX + 2) + 64, "a hint has room");

static const char *door_name(const struct config *config, unsigned i)
{
    return config->doors[i].name;
}

static const char *source_name(const struct config *config, unsigned i)
{
    return config->sources[i].name;
}

/* The end of a message that none of `count` sections has the name that was written for `meant`. */
static const char *hint_names(const struct config *config, unsigned count,
                              const char *(*name)(const struct config *config, unsigned i),
                              const char *meant, char out[CONFIG_DOOR_HINT_SIZE])
{
    unsigned more = count > HINT_NAMES ? count - HINT_NAMES : 0;
    int len = snprintf(out, CONFIG_DOOR_HINT_SIZE, "; %s%s%s",
                       meant       ? "did you mean "
                       : count > 0 ? "there are"
                                   : "there is none",
                       meant ? meant : "", meant ? "?" : "");
    for (unsigned i = 0; !meant && i < count - more; i++)
        len += snprintf(out + len, CONFIG_DOOR_HINT_SIZE - (size_t)len, "%s %s", i ? "," : "",
                        name(config, i));
    if (!meant && more > 0)
        snprintf(out + len, CONFIG_DOOR_HINT_SIZE - (size_t)len, ", and %u more", more);
    return out;
}

const char *config_door_hint(const struct config *config, const char *name,
                             char out[CONFIG_DOOR_HINT_SIZE])
{
    return hint_names(config, config->door_count, door_name, config_nearest_door(config, name),
                      out);
}

const char *config_source_hint(const struct config *config, const char *name,
                               char out[CONFIG_DOOR_HINT_SIZE])
{
    struct nearest nearest = nearest_to(name);
    for (unsigned i = 0; i < config->source_count; i++)
        nearest_compare(&nearest, config->sources[i].name);
    return hint_names(config, config->source_count, source_name, nearest.found, out);
}
