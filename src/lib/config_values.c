/* Readers of numbers, names and paths, and of names of other things. Those of sequences, ports,
 * addresses and commands are in config_door.c. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <syslog.h>

#include "lib/config_values.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

const struct config_text *read_one(struct parse_context *context, const struct config_key *key,
                                   const struct config_list *values)
{
    /* No item is left where the value itself was refused while parsing. */
    if (values->count == 1)
        return &values->items[0];
    if (values->count > 1)
        report_error(context->report, values->items[1].pos, "%s takes one value, not a list",
                     key->name);
    return NULL;
}

void config_read_keys(struct parse_context *context, const struct config_section *section,
                      void *object)
{
    for (size_t i = 0; i < section->count; i++) {
        const struct config_entry *entry = &section->entries[i];
        if (entry->key->read)
            entry->key->read(context, entry->key, &entry->values,
                             (char *)object + entry->key->offset);
        else
            report_error(context->report, entry->values.pos,
                         "%s is not supported by this version of knockd: remove it",
                         entry->key->name);
    }
}

/* One that begins with '-' would be an option to a command that gets it as %DOOR%. */
bool config_is_name(const char *text)
{
    bool good = *text != '\0' && *text != '-' && strlen(text) <= CONFIG_NAME_MAX;
    for (const char *p = text; *p; p++)
        good &= isalnum((unsigned char)*p) || strchr("_.-", *p);
    return good;
}

bool config_is_key_name(const char *name)
{
    return config_is_name(name) && strcmp(name, "sequence") != 0 && strcmp(name, "knockctl") != 0;
}

void read_copy(struct parse_context *context, const char *text, char **out)
{
    char *copy = strdup(text);
    if (!copy) {
        context->no_memory = true;
        return;
    }
    free(*out);
    *out = copy;
}

void read_user(struct parse_context *context, const struct config_key *key,
               const struct config_list *values, void *field)
{
    struct config *config = field;
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    size_t len = strlen(value->text);
    if (len == 0 || len > 32 || strpbrk(value->text, " \t:/,"))
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" is no user name: expected one like \"knockd\"", key->name,
                     value->text);
    read_copy(context, value->text, &config->user);
    config->user_pos = value->pos;
}

void read_path(struct parse_context *context, const struct config_key *key,
               const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    if (value->text[0] != '/')
        report_error(context->report, value->pos,
                     "%s: \"%.200s\" is no absolute path: expected one that begins with /",
                     key->name, value->text);
    else if (strlen(value->text) > (size_t)key->max)
        report_error(context->report, value->pos, "%s: the path is longer than %d bytes", key->name,
                     (int)key->max);
    else
        read_copy(context, value->text, field);
}

/* It stands in key files, and both sides must have the same bytes: nothing that could be quoted,
 * escaped or lost on the way. */
void read_server_name(struct parse_context *context, const struct config_key *key,
                      const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    size_t len = strlen(value->text);
    bool good = len >= (size_t)key->min && len <= (size_t)key->max;
    for (const char *p = value->text; *p; p++)
        good &= *p > ' ' && *p <= '~' && !strchr("\"'\\$/", *p);
    if (good)
        read_copy(context, value->text, field);
    else
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" won't do: expected 1 to %d characters without blanks, quotes, "
                     "\\, / and $, like gate.example",
                     key->name, value->text, (int)key->max);
}

void read_facility(struct parse_context *context, const struct config_key *key,
                   const struct config_list *values, void *field)
{
    static const struct {
        const char *name;
        int facility;
    } names[] = {
        {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"cron", LOG_CRON},
        {"daemon", LOG_DAEMON}, {"ftp", LOG_FTP},           {"lpr", LOG_LPR},
        {"mail", LOG_MAIL},     {"news", LOG_NEWS},         {"syslog", LOG_SYSLOG},
        {"user", LOG_USER},     {"uucp", LOG_UUCP},         {"local0", LOG_LOCAL0},
        {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2},     {"local3", LOG_LOCAL3},
        {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6},
        {"local7", LOG_LOCAL7},
    };
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcasecmp(value->text, names[i].name) == 0) {
            *(int *)field = names[i].facility;
            return;
        }
    report_error(context->report, value->pos,
                 "%s: \"%.80s\" is no syslog facility: expected authpriv, auth, daemon, user, "
                 "local0 to local7 or the like",
                 key->name, value->text);
}

/* Reads a whole number without sign of at most 9 digits; points *end behind it. */
static bool read_digits(const char *text, int64_t *out, const char **end)
{
    size_t len = strspn(text, "0123456789");
    if (len == 0 || len > 9)
        return false;
    *out = strtol(text, NULL, 10);
    *end = text + len;
    return true;
}

static int64_t unit_seconds(const char *unit)
{
    static const struct {
        const char *unit;
        int64_t seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    for (size_t i = 0; i < COUNT(units); i++)
        if (strcmp(unit, units[i].unit) == 0)
            return units[i].seconds;
    return 0;
}

/* "90s", "10m", "1h", "30d": by the largest unit that leaves no rest. */
static void show_seconds(int64_t seconds, char *out, size_t size)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t i = seconds == 0 ? COUNT(units) - 1 : 0;
    while (seconds % units[i].seconds != 0)
        i++;
    snprintf(out, size, "%d%c", (int)(seconds / units[i].seconds), units[i].unit);
}

bool parse_duration(const char *text, int64_t *out)
{
    const char *unit;
    int64_t number;
    /* Thirty years are longer than any limit here, and fit when counted in ns. */
    const int64_t longest = 1000000000;
    if (!read_digits(text, &number, &unit) || unit_seconds(unit) == 0 ||
        number > longest / unit_seconds(unit))
        return false;
    *out = number * unit_seconds(unit) * 1000000000;
    return true;
}

/* `besides`: what the value may be as well, for messages. */
static void read_time(struct parse_context *context, const struct config_key *key,
                      const struct config_text *value, const char *besides, int64_t *field)
{
    int64_t duration = -1;
    bool good = parse_duration(value->text, &duration);
    if (!good || duration < key->min * 1000000000 || duration > key->max * 1000000000) {
        char min[24], max[24];
        show_seconds(key->min, min, sizeof(min));
        show_seconds(key->max, max, sizeof(max));
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" won't do: expected a time from %s to %s, as seconds or with "
                     "s, m, h or d behind the number%s",
                     key->name, value->text, min, max, besides);
        return;
    }
    *field = duration;
}

void read_duration(struct parse_context *context, const struct config_key *key,
                   const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (value)
        read_time(context, key, value, "", field);
}

void read_bound(struct parse_context *context, const struct config_key *key,
                const struct config_list *values, void *field)
{
    static const char *const open[] = {"0", "off", "no", "none", "false"};
    const struct config_text *value = read_one(context, key, values);
    for (size_t i = 0; value && i < COUNT(open); i++)
        if (strcasecmp(value->text, open[i]) == 0) {
            *(int64_t *)field = 0;
            return;
        }
    if (value)
        read_time(context, key, value, ", or off", field);
}

/* Reports a text that isn't a number within the key's bounds, and returns false. */
static bool read_range(struct parse_context *context, const struct config_key *key,
                       const struct config_text *value, int64_t *number)
{
    const char *end;
    if (read_digits(value->text, number, &end) && *end == '\0' && *number >= key->min &&
        *number <= key->max)
        return true;
    report_error(context->report, value->pos,
                 "%s: \"%.80s\" won't do: expected a number from %d to %d", key->name, value->text,
                 (int)key->min, (int)key->max);
    return false;
}

void read_number(struct parse_context *context, const struct config_key *key,
                 const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    int64_t number;
    if (value && read_range(context, key, value, &number))
        *(unsigned *)field = (unsigned)number;
}

void read_statuses(struct parse_context *context, const struct config_key *key,
                   const struct config_list *values, void *field)
{
    uint64_t *bits = field;
    for (unsigned i = 0; i < values->count; i++) {
        int64_t status;
        if (read_range(context, key, &values->items[i], &status))
            bits[status / 64] |= UINT64_C(1) << (status % 64);
    }
}

/* Penalties went, since forged packets brought them upon the innocent. */
void read_gone(struct parse_context *context, const struct config_key *key,
               const struct config_list *values, void *field)
{
    (void)field;
    report_error(context->report, values->pos,
                 "%s: knockd has no penalties any more, since forged packets could shut out "
                 "others: remove the key. fail2ban can ban addresses by what knockd logs, see "
                 "fail2ban.conf among the examples",
                 key->name);
}

void read_boolean(struct parse_context *context, const struct config_key *key,
                  const struct config_list *values, void *field)
{
    static const struct {
        const char *name;
        bool value;
    } names[] = {{"true", true},   {"yes", true}, {"on", true},
                 {"false", false}, {"no", false}, {"off", false}};
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcasecmp(value->text, names[i].name) == 0) {
            *(bool *)field = names[i].value;
            return;
        }
    report_error(context->report, value->pos, "%s: \"%.80s\" won't do: expected true or false",
                 key->name, value->text);
}

void read_type(struct parse_context *context, const struct config_key *key,
               const struct config_list *values, void *field)
{
    static const struct {
        const char *name;
        enum source_type type;
    } types[] = {{"kmsg", SOURCE_KMSG},       {"file", SOURCE_FILE},   {"journal", SOURCE_JOURNAL},
                 {"command", SOURCE_COMMAND}, {"stdin", SOURCE_STDIN}, {"nflog", SOURCE_NFLOG},
                 {"pcap", SOURCE_PCAP}};
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    for (size_t i = 0; i < COUNT(types); i++)
        if (strcmp(value->text, types[i].name) == 0) {
            *(enum source_type *)field = types[i].type;
            return;
        }
    report_error(context->report, value->pos,
                 "%s: there is no type \"%.80s\": expected " CONFIG_SOURCE_TYPES, key->name,
                 value->text);
}

void read_format(struct parse_context *context, const struct config_key *key,
                 const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    if (strcmp(value->text, "kernel") == 0)
        *(enum source_format *)field = FORMAT_KERNEL;
    else if (strcmp(value->text, "ulogd") == 0)
        *(enum source_format *)field = FORMAT_ULOGD;
    else
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" is no format: expected kernel or ulogd", key->name,
                     value->text);
}

static void warn_of_repeated(struct parse_context *context, const struct config_key *key,
                             const struct config_list *list, const char *text,
                             struct config_pos pos)
{
    if (config_list_has(list, text))
        report_warning(context->report, pos, "%s: the list has \"%.80s\" twice: remove one",
                       key->name, text);
}

/* The kernel writes a prefix as it is, but users forget its last blank: that one doesn't count. */
static void read_prefix(struct parse_context *context, const struct config_key *key,
                        const struct config_text *value, struct config_list *out)
{
    size_t len = strlen(value->text);
    while (len > 0 && strchr(" \t", value->text[len - 1]))
        len--;
    if (len == 0 || len > (size_t)key->max) {
        report_error(context->report, value->pos,
                     "%s: expected 1 to %d characters, the --log-prefix of the firewall's rule; "
                     "without the key any prefix will do",
                     key->name, (int)key->max);
        return;
    }
    char text[128];
    snprintf(text, sizeof(text), "%.*s", (int)len, value->text);
    warn_of_repeated(context, key, out, text, value->pos);
    if (!config_list_add(out, text, value->pos))
        context->no_memory = true;
}

void read_prefixes(struct parse_context *context, const struct config_key *key,
                   const struct config_list *values, void *field)
{
    enum { PREFIXES_MAX = 32 };
    struct config_list *out = field;
    out->set = true;
    out->pos = values->pos;
    if (values->count > PREFIXES_MAX)
        report_error(context->report, values->items[PREFIXES_MAX].pos, "%s: more than %d prefixes",
                     key->name, PREFIXES_MAX);
    for (unsigned i = 0; i < values->count && i < PREFIXES_MAX; i++)
        read_prefix(context, key, &values->items[i], out);
}

/* Names of sections of the kind `what`. */
static void read_names(struct parse_context *context, const struct config_key *key,
                       const struct config_list *values, const char *what, struct config_list *out)
{
    out->set = true;
    out->pos = values->pos;
    if (values->count == 1 && *values->items[0].text == '\0') {
        report_error(context->report, values->pos,
                     "%s: the list is empty: name a %s, or leave the key out", key->name, what);
        return;
    }
    for (unsigned i = 0; i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        warn_of_repeated(context, key, out, value->text, value->pos);
        if (!config_is_name(value->text))
            report_error(context->report, value->pos,
                         "%s: \"%.80s\" is no name of a %s: expected 1 to 63 of the characters "
                         "A-Z a-z 0-9 _ . -, not beginning with -; or leave the key out",
                         key->name, value->text, what);
        else if (!config_list_add(out, value->text, value->pos))
            context->no_memory = true;
    }
}

void read_door_names(struct parse_context *context, const struct config_key *key,
                     const struct config_list *values, void *field)
{
    read_names(context, key, values, "door", field);
}

void read_sources(struct parse_context *context, const struct config_key *key,
                  const struct config_list *values, void *field)
{
    read_names(context, key, values, "source", field);
}
