#include "keeper/template.h"

#include <stdio.h>
#include <string.h>

/* Where the expansion stands: reads from `in`, writes to `out`, explains itself in `why`. */
struct expansion {
    const char *in;
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

/* At a percent sign: replaces %NAME% or %%. */
static bool expand_placeholder(struct expansion *e)
{
    const char *name = e->in + 1;
    size_t len = strcspn(name, "% \t'\"");
    if (name[len] != '%') {
        snprintf(e->why, e->why_size,
                 "'%%' begins a placeholder that doesn't end; write %%%% for a percent sign");
        return false;
    }
    e->in = name + len + 1;
    if (len == 0)
        return put(e, "%", 1);
    const char *const *value = find_value(e->values, name, len);
    if (!value || !*value) {
        bool of_port = value == &e->values->port || value == &e->values->proto;
        snprintf(e->why, e->why_size, "%s %%%.*s%%%s",
                 value ? "nothing here gives a value to the placeholder" : "unknown placeholder",
                 (int)(len < 40 ? len : 40), name, of_port ? ": set port, as port = 22" : "");
        return false;
    }
    return put(e, *value, strlen(*value));
}

/* Text up to `stop`: the closing quote, or 0 for a bare word, which ends at a blank or quote. */
static bool expand_run(struct expansion *e, char stop)
{
    const char *ends = stop == '\'' ? "'%" : stop == '"' ? "\"%" : " \t\r\n'\"%";
    for (;;) {
        size_t len = strcspn(e->in, ends);
        if (!put(e, e->in, len))
            return false;
        e->in += len;
        if (*e->in != '%')
            break;
        if (!expand_placeholder(e))
            return false;
    }
    if (!stop)
        return true;
    if (*e->in != stop) {
        snprintf(e->why, e->why_size, "the quote %c isn't closed", stop);
        return false;
    }
    e->in++;
    return true;
}

static bool expand_word(struct expansion *e)
{
    while (*e->in != '\0' && !strchr(" \t\r\n", *e->in)) {
        char quote = *e->in == '\'' || *e->in == '"' ? *e->in++ : '\0';
        if (!expand_run(e, quote))
            return false;
    }
    e->out->count++;
    return put(e, "", 1);
}

bool template_expand(const char *text, const struct values *values, struct words *out, char *why,
                     size_t why_size)
{
    struct expansion e = {text, values, out, why, why_size};
    out->count = 0;
    out->size = 0;
    for (;;) {
        e.in += strspn(e.in, " \t\r\n");
        if (*e.in == '\0')
            break;
        if (out->count == WORDS_MAX) {
            snprintf(why, why_size, "the command has more than %d words", WORDS_MAX);
            return false;
        }
        if (!expand_word(&e))
            return false;
    }
    if (out->count > 0 && out->text[0] != '\0')
        return true;
    snprintf(why, why_size, "the command is empty");
    return false;
}
