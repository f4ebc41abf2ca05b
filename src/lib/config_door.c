/* Values of doors: sequences, ports, addresses, commands. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config_keys.h"

void read_sequence(struct reading *r, const struct config_key *key,
                   const struct config_list *values, void *field)
{
    struct config_door *door = field;
    const char *why;
    door->sequence_pos = values->pos;
    for (unsigned i = 0; i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        if (sequence_append(&door->sequence, value->text, &why))
            continue;
        report_error(r->report, value->pos, "%s: \"%.80s\" won't do: %s", key->name, value->text,
                     why);
        /* Half a sequence would only draw warnings about what isn't there. */
        door->sequence.count = 0;
        return;
    }
}

void read_flags(struct reading *r, const struct config_key *key, const struct config_list *values,
                void *field)
{
    const struct config_text *value = read_one(r, key, values);
    const char *why;
    if (value && !flags_parse(value->text, field, &why))
        report_error(r->report, value->pos, "%s: \"%.80s\" won't do: %s", key->name, value->text,
                     why);
}

void read_port(struct reading *r, const struct config_key *key, const struct config_list *values,
               void *field)
{
    const struct config_text *value = read_one(r, key, values);
    const char *why;
    if (value && !step_parse(value->text, field, &why))
        report_error(r->report, value->pos, "%s: \"%.80s\" won't do: %s", key->name, value->text,
                     why);
}

void read_ignore(struct reading *r, const struct config_key *key, const struct config_list *values,
                 void *field)
{
    enum { IGNORED_MAX = 1024 };
    struct config_door *door = field;
    const char *why;
    if (values->count > IGNORED_MAX) {
        report_error(r->report, values->pos, "%s: more than %d ports", key->name, IGNORED_MAX);
        return;
    }
    door->ignore = calloc(values->count + 1, sizeof(*door->ignore));
    if (!door->ignore)
        r->no_memory = true;
    for (unsigned i = 0; door->ignore && i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        if (step_parse(value->text, &door->ignore[door->ignore_count], &why))
            door->ignore_count++;
        else
            report_error(r->report, value->pos, "%s: \"%.80s\" won't do: %s", key->name,
                         value->text, why);
    }
}

void read_address(struct reading *r, const struct config_key *key, const struct config_list *values,
                  void *field)
{
    const struct config_text *value = read_one(r, key, values);
    if (value && !addr_parse(value->text, strlen(value->text), field))
        report_error(r->report, value->pos,
                     "%s: \"%.80s\" is no address: expected one like 192.0.2.1 or 2001:db8::1; "
                     "names are not looked up",
                     key->name, value->text);
}

void read_interface(struct reading *r, const struct config_key *key,
                    const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(r, key, values);
    if (!value)
        return;
    size_t len = strlen(value->text);
    if (len == 0 || len >= IF_NAMESIZE || strpbrk(value->text, " \t/"))
        report_error(r->report, value->pos,
                     "%s: \"%.80s\" is no interface: expected a name like eth0, %d characters at "
                     "most",
                     key->name, value->text, IF_NAMESIZE - 1);
    else
        memcpy(field, value->text, len + 1);
}

void read_nets(struct reading *r, const struct config_key *key, const struct config_list *values,
               struct net **out, unsigned *count)
{
    *out = calloc(values->count + 1, sizeof(**out));
    if (!*out)
        r->no_memory = true;
    for (unsigned i = 0; *out && i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        if (net_parse(value->text, &(*out)[*count]))
            ++*count;
        else
            report_error(r->report, value->pos,
                         "%s: \"%.80s\" is no network: expected one like 192.0.2.0/24, with all "
                         "bits behind the first 24 zero, or an address",
                         key->name, value->text);
    }
}

void read_allow(struct reading *r, const struct config_key *key, const struct config_list *values,
                void *field)
{
    struct config_door *door = field;
    read_nets(r, key, values, &door->allow, &door->allow_count);
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* One empty text says that there is none, on purpose: such a list is set, but holds nothing. */
void read_commands(struct reading *r, const struct config_key *key,
                   const struct config_list *values, void *field)
{
    struct config_list *out = field;
    out->set = true;
    out->pos = values->pos;
    if (values->count == 1 && is_blank(values->items[0].text))
        return;
    for (unsigned i = 0; i < values->count; i++) {
        const struct config_text *value = &values->items[i];
        if (is_blank(value->text))
            report_error(r->report, value->pos, "%s: an empty text among others: remove it",
                         key->name);
        else if (!config_list_add(out, value->text, value->pos))
            r->no_memory = true;
    }
}

void read_rate(struct reading *r, const struct config_key *key, const struct config_list *values,
               void *field)
{
    struct config_rate *rate = field;
    const struct config_text *value = read_one(r, key, values);
    if (!value)
        return;
    size_t digits = strspn(value->text, "0123456789");
    unsigned long count = digits > 0 && digits < 6 ? strtoul(value->text, NULL, 10) : 0;
    const char *period = value->text[digits] == '/' ? value->text + digits + 1 : "";
    if (count > 0 && parse_duration(period, &rate->period) && rate->period > 0)
        rate->count = (unsigned)count;
    else
        report_error(r->report, value->pos,
                     "%s: \"%.80s\" won't do: expected openings and a time, like \"3/10m\"",
                     key->name, value->text);
}
