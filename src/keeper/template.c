/* Splits a command into words, and replaces the placeholders in each. */
#include "keeper/template.h"

#include <stdio.h>
#include <string.h>

/* Where the expansion stands: writes to `out`, explains itself in `why`. */
struct expansion {
    const struct values *values;
    struct words *out;
    char *why;
    size_t why_size;
};

static bool put(struct expansion *e, const char *text, size_t len)
{
    if (len > WORDS_SIZE - e->out->size) {
        snprintf(e->why, e->why_size, "the command is longer than %d characters", WORDS_SIZE);
        return false;
    }
    memcpy(e->out->text + e->out->size, text, len);
    e->out->size += len;
    return true;
}

static const char *const *find_value(const struct values *v, const char *name, size_t len)
{
    const struct {
        const char *name;
        const char *const *value;
    } table[] = {{"IP", &v->ip},           {"IPTABLES", &v->iptables},
                 {"FAMILY", &v->family},   {"DOOR", &v->door},
                 {"PORT", &v->port},       {"PROTO", &v->proto},
                 {"TIMEOUT", &v->timeout}, {"KEY", &v->key}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return table[i].value;
    return NULL;
}

/* Replaces the %NAME% or %% that *in points to, and moves *in behind it, up to `end`. */
static bool expand_placeholder(struct expansion *e, const char **in, const char *end)
{
    const char *name = *in + 1;
    size_t len = strcspn(name, "% \t'\"");
    if (name + len >= end || name[len] != '%') {
        snprintf(e->why, e->why_size,
                 "'%%' begins a placeholder that doesn't end; write %%%% for a percent sign");
        return false;
    }
    *in = name + len + 1;
    if (len == 0)
        return put(e, "%", 1);
    const char *const *value = find_value(e->values, name, len);
    if (!value || !*value) {
        bool of_port = value == &e->values->port || value == &e->values->proto;
        snprintf(e->why, e->why_size, "%s %%%.*s%%%s",
                 value ? "nothing here gives a value to the placeholder" : "unknown placeholder",
                 (int)(len < 40 ? len : 40), name,
                 of_port  ? ": set port, as port = 22"
                 : !value ? ": there are %IP%, %PORT%, %PROTO%, %TIMEOUT%, %KEY%, %DOOR%, "
                            "%FAMILY%, %IPTABLES%"
                          : "");
        return false;
    }
    return put(e, *value, strlen(*value));
}

static bool expand_part(struct expansion *e, const struct command_part *part)
{
    const char *in = part->text, *end = part->text + part->len;
    while (in < end) {
        const char *percent = memchr(in, '%', (size_t)(end - in));
        const char *stop = percent ? percent : end;
        if (!put(e, in, (size_t)(stop - in)))
            return false;
        in = stop;
        if (percent && !expand_placeholder(e, &in, end))
            return false;
    }
    if (part->open)
        snprintf(e->why, e->why_size, "the quote %c isn't closed", part->quote);
    return !part->open;
}

static bool expand_word(struct expansion *e, struct command_word word)
{
    struct command_part part;
    while (command_part_take(&word, &part))
        if (!expand_part(e, &part))
            return false;
    e->out->count++;
    return put(e, "", 1);
}

bool template_expand(const char *text, const struct values *values, struct words *out, char *why,
                     size_t why_size)
{
    struct expansion e = {values, out, why, why_size};
    struct command_word word;
    out->count = 0;
    out->size = 0;
    while (command_word_take(&text, &word)) {
        if (out->count == WORDS_MAX) {
            snprintf(why, why_size, "the command has more than %d words", WORDS_MAX);
            return false;
        }
        if (!expand_word(&e, word))
            return false;
    }
    if (out->count > 0 && out->text[0] != '\0')
        return true;
    snprintf(why, why_size, "the command is empty");
    return false;
}
