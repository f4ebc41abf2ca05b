#include "knock/profile_keys.h"

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "knock/port.h"
#include "lib/addr_scope.h"
#include "lib/command_words.h"

enum { HOUR = 3600, PROFILES_MAX = 1024, TEXT_MAX = 255, PORT_MAX = 65535 };

static config_read read_text, read_file, read_steps, read_carrier, read_bind, read_family,
    read_stun, read_address_command;

#define AT(field) offsetof(struct profile, field)

static const struct config_key keys[] = {
    {"host", read_text, AT(host), 1, TEXT_MAX},
    {"port", read_number, AT(port), 0, PORT_MAX},
    {"key", read_file, AT(key), 0, 0},
    {"once", read_file, AT(once), 0, 0},
    {"sequence", read_steps, AT(sequence), 0, 0},
    /* Those that only sealed knocks have. */
    {"door", read_text, AT(door), 1, CONFIG_NAME_MAX},
    {"for", read_address, AT(open_for), 0, 0},
    {"ask_port", read_number, AT(ask_port), 0, PORT_MAX},
    {"seconds", read_duration, AT(seconds), 0, PORT_MAX},
    {"unbound", read_boolean, AT(unbound), 0, 0},
    /* From here on they may stand outside of a profile as well, and hold for all then. */
    {"carrier", read_carrier, AT(carrier), 0, 0},
    {"span", read_number, AT(span), 1, CARRIER_SPAN_END - CARRIER_SPAN_SIZE},
    {"packet_port", read_number, AT(packet_port), 1, PORT_MAX},
    {"stun", read_stun, AT(stun), 0, 0},
    {"address_command", read_address_command, AT(address_command), 0, 0},
    /* Those of any knock again. */
    {"bind", read_bind, 0, 0, 0},
    {"interface", read_text, AT(interface), 1, IF_NAMESIZE - 1},
    {"timeout", read_duration, AT(timeout), 1, HOUR},
    {"retries", read_number, AT(retries), 0, 20},
    {"delay", read_number, AT(delay_ms), 0, 60000},
    {"family", read_family, AT(family), 0, 0},
    {0},
};

enum { FIRST_SEALED = 5, FIRST_GLOBAL = 10, LAST_SEALED = 14 };

/* It holds sequences, and names who is knocked at: nobody else may read it, let alone write. */
static bool check_owner(const struct config_file *file, const char *path, struct report *report)
{
    struct config_pos pos = {path, 0};
    if (file->owner != geteuid() && file->owner != 0)
        report_error(report, pos, "it belongs to another user: make it your own");
    else if (file->mode & 077)
        report_error(report, pos, "others may read or write it (mode %04o): chmod 600 it",
                     file->mode);
    else
        return true;
    return false;
}

const struct config_schema profile_schema = {
    .kinds = {{.keys = keys + FIRST_GLOBAL},
              {.name = "profile", .keys = keys, .max = PROFILES_MAX, .titled = true}},
    .kind_count = 2,
    .check_file = check_owner,
};

const struct config_key *profile_key(const char *name)
{
    for (const struct config_key *key = keys; key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

uint32_t profile_key_bit(const struct config_key *key)
{
    return UINT32_C(1) << (key - keys);
}

const char *profile_sealed_key(const struct profile *profile)
{
    for (unsigned i = FIRST_SEALED; i <= LAST_SEALED; i++)
        if (profile->given & profile_key_bit(&keys[i]))
            return keys[i].name;
    return NULL;
}

static void read_text(struct parse_context *context, const struct config_key *key,
                      const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    size_t len = strlen(value->text);
    if (len < (size_t)key->min || len > (size_t)key->max)
        report_error(context->report, value->pos, "%s: expected 1 to %d characters", key->name,
                     (int)key->max);
    else
        read_copy(context, value->text, field);
}

/* "~/" is the home directory; other paths begin where the file does that holds them, or where the
 * client was called if they come from an option. */
static bool expand(const struct config_text *value, char *out, size_t size)
{
    const char *text = value->text, *home = getenv("HOME");
    const char *slash = strrchr(value->pos.file, '/');
    int len;
    if (strncmp(text, "~/", 2) == 0 && home)
        len = snprintf(out, size, "%s%s", home, text + 1);
    else if (text[0] == '/' || !slash)
        len = snprintf(out, size, "%s", text);
    else
        len = snprintf(out, size, "%.*s/%s", (int)(slash - value->pos.file), value->pos.file, text);
    return len > 0 && (size_t)len < size;
}

static void read_file(struct parse_context *context, const struct config_key *key,
                      const struct config_list *values, void *field)
{
    char path[4096];
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    if (expand(value, path, sizeof(path)))
        read_copy(context, path, field);
    else
        report_error(context->report, value->pos, "%s: expected the path of a file", key->name);
}

static void read_steps(struct parse_context *context, const struct config_key *key,
                       const struct config_list *values, void *field)
{
    struct sequence sequence = {0};
    const char *why;
    for (unsigned i = 0; i < values->count; i++)
        if (!sequence_append(&sequence, values->items[i].text, &why)) {
            report_error(context->report, values->items[i].pos, "%s: \"%.80s\": %s", key->name,
                         values->items[i].text, why);
            return;
        }
    *(struct sequence *)field = sequence;
}

/* A word that stands for a number. */
struct word {
    const char *word;
    int value;
};

/* -1, told already, if the one value of the key is none of the words. */
static int read_word(struct parse_context *context, const struct config_key *key,
                     const struct config_list *values, const struct word *words,
                     const char *expected)
{
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return -1;
    for (; words->word; words++)
        if (strcmp(value->text, words->word) == 0)
            return words->value;
    report_error(context->report, value->pos, "%s: \"%.80s\" won't do: expected %s", key->name,
                 value->text, expected);
    return -1;
}

static void read_carrier(struct parse_context *context, const struct config_key *key,
                         const struct config_list *values, void *field)
{
    static const struct word words[] = {
        {"udp", PACKETS_UDP}, {"tcp", PACKETS_TCP}, {"packet", PACKETS_ONE}, {0}};
    int carrier = read_word(context, key, values, words, "udp, tcp or packet");
    if (carrier >= 0)
        *(enum packets_carrier *)field = (enum packets_carrier)carrier;
}

static void read_family(struct parse_context *context, const struct config_key *key,
                        const struct config_list *values, void *field)
{
    static const struct word words[] = {
        {"4", AF_INET}, {"6", AF_INET6}, {"any", AF_UNSPEC}, {"both", AF_MAX}, {0}};
    int family = read_word(context, key, values, words, "4, 6, both or any");
    if (family >= 0)
        *(int *)field = family == AF_MAX ? FAMILY_BOTH : family;
}

static void read_bind(struct parse_context *context, const struct config_key *key,
                      const struct config_list *values, void *field)
{
    struct profile *profile = field;
    static const struct word words[] = {{"auto", BIND_AUTO},
                                        {"any", BIND_ANY},
                                        {"stun", BIND_STUN},
                                        {"command", BIND_COMMAND},
                                        {0}};
    struct addr address;
    int bind = BIND_ADDRESS;
    if (values->count == 1 &&
        addr_parse(values->items[0].text, strlen(values->items[0].text), &address))
        profile->bind_address = address;
    else
        bind = read_word(context, key, values, words,
                         "auto, any, stun, command or the address that the server sees, as "
                         "198.51.100.7");
    if (bind == BIND_ADDRESS && addr_scope(&profile->bind_address) == ADDR_SCOPE_NONE)
        report_error(context->report, values->items[0].pos,
                     "%s: \"%.80s\" won't do: no host has this address", key->name,
                     values->items[0].text);
    else if (bind >= 0)
        profile->bind = (enum profile_bind)bind;
}

static void read_stun(struct parse_context *context, const struct config_key *key,
                      const struct config_list *values, void *field)
{
    char host[KNOCK_HOST_MAX + 1];
    uint16_t port;
    const struct config_text *value = read_one(context, key, values);
    if (value && knock_host_port_parse(value->text, host, &port))
        read_copy(context, value->text, field);
    else if (value)
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" won't do: expected HOST or HOST:PORT, an IPv6 address with a "
                     "port as [ADDRESS]:PORT",
                     key->name, value->text);
}

static void read_address_command(struct parse_context *context, const struct config_key *key,
                                 const struct config_list *values, void *field)
{
    struct command_words words;
    const struct config_text *value = read_one(context, key, values);
    const char *why = value ? command_words_split(value->text, &words) : NULL;
    if (!value)
        return;
    check_shell_syntax(context, key, value);
    if (why)
        report_error(context->report, value->pos, "%s: %s", key->name, why);
    else
        read_copy(context, value->text, field);
}
