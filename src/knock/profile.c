/* Profiles: the keys of knock.conf(5) and of the command line, and how each is read; then the one
 * that is asked for, checked as a whole. */
#include "knock/profile.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "knock/output.h"
#include "lib/addr_scope.h"
#include "lib/command_words.h"
#include "lib/config_values.h"
#include "lib/host_port.h"
#include "lib/nearest.h"

/* --- keys --- */

enum { PROFILE_GLOBAL, PROFILE_PROFILE };
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

/* The file holds sequences and names hosts: nobody else may read or write it. */
static bool check_owner(const struct config_file *file, const char *path, struct report *report)
{
    static const struct config_file_rule rule = {
        .what = "the profiles", .forbidden = 077, .advice = "chmod 600 the file"};
    return config_file_trusted(file, &rule, (struct config_pos){path, 0}, report);
}

const struct config_schema *profile_schema(void)
{
    static const struct config_schema schema = {
        .kinds = {{.keys = keys + FIRST_GLOBAL},
                  {.name = "profile", .keys = keys, .max = PROFILES_MAX, .titled = true}},
        .kind_count = 2,
        .check_file = check_owner,
    };
    return &schema;
}

static const struct config_key *profile_key(const char *name)
{
    for (const struct config_key *key = keys; key->name; key++)
        if (strcmp(key->name, name) == 0)
            return key;
    return NULL;
}

static uint32_t profile_key_bit(const struct config_key *key)
{
    return UINT32_C(1) << (key - keys);
}

static const char *profile_sealed_key(const struct profile *profile)
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

/* -1, reported already, if the one value of the key is none of the words. */
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
    char host[HOST_PORT_MAX + 1];
    uint16_t port;
    const struct config_text *value = read_one(context, key, values);
    if (value && host_port_parse(value->text, host, &port))
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

/* --- profiles --- */

static void set_defaults(struct profile *profile)
{
    *profile = (struct profile){.ask_port = PROFILE_UNSET,
                                .retries = 3,
                                .delay_ms = PROFILE_UNSET,
                                .span = CARRIER_SPAN_DEFAULT};
}

static void apply_section(struct parse_context *context, const struct config_section *section,
                          struct profile *profile)
{
    config_read_keys(context, section, profile);
    for (size_t i = 0; i < section->count && section->kind == PROFILE_PROFILE; i++)
        profile->given |= profile_key_bit(section->entries[i].key);
}

/* Reads that one profile alone, so that a mistake in another one does no harm; false: there is none
 * of that name. */
static bool find_profile(struct parse_context *context, const struct config_sections *sections,
                         const char *name, struct profile *profile)
{
    for (size_t i = 1; i < sections->count; i++) {
        if (strcmp(sections->items[i].title, name) != 0)
            continue;
        apply_section(context, &sections->items[0], profile);
        apply_section(context, &sections->items[i], profile);
        read_copy(context, name, &profile->name);
        return true;
    }
    return false;
}

/* One word is a profile, or a host whose ports were forgotten. */
#define PORTS_MISSING "if that is a host, its ports are missing: knock %s PORT[:PROTO]..."

static void say_no_profile(const char *path, const struct config_sections *sections,
                           const char *name)
{
    struct nearest nearest = nearest_to(name);
    for (size_t i = 1; i < sections->count; i++)
        nearest_compare(&nearest, sections->items[i].title);
    if (nearest.found)
        output_error("there is no profile \"%s\" in %s; did you mean %s? Or " PORTS_MISSING, name,
                     path, nearest.found, name);
    else
        output_error(
            "there is no profile \"%s\" in %s: add it, see knock.conf(5); or " PORTS_MISSING, name,
            path, name);
}

static void say_no_file(const char *path, const char *name)
{
    const char *why = errno == ENOENT ? "there is no such file" : strerror(errno);
    output_error("there is no profile \"%s\" in %s: %s, see knock.conf(5); or " PORTS_MISSING, name,
                 path, why, name);
}

static void read_file_into(struct parse_context *context, const char *path, const char *name,
                           struct profile *profile)
{
    struct config_sections sections;
    if (config_parse(path, profile_schema(), context->report, &sections) &&
        !find_profile(context, &sections, name, profile)) {
        say_no_profile(path, &sections, name);
        context->report->errors++;
    }
    config_sections_free(&sections);
}

static void read_profile(struct parse_context *context, const char *path, const char *name,
                         struct profile *profile)
{
    if (access(path, F_OK) == 0) {
        read_file_into(context, path, name, profile);
        return;
    }
    say_no_file(path, name);
    context->report->errors++;
}

static void apply_value(struct parse_context *context, const struct profile_value *value,
                        struct profile *profile)
{
    struct config_pos pos = {"command line", 0};
    const struct config_key *key = profile_key(value->key);
    struct config_list list = {.set = true, .pos = pos};
    if (!config_list_add(&list, value->text, pos))
        context->no_memory = true;
    else
        key->read(context, key, &list, (char *)profile + key->offset);
    config_list_free(&list);
    profile->given |= profile_key_bit(key);
}

/* What is wrong with `bind`; NULL: nothing. */
static const char *find_binding_mistake(const struct profile *profile)
{
    if (!profile->key && (profile->bind == BIND_STUN || profile->bind == BIND_COMMAND))
        return "only sealed knocks are bound to what stun or address_command tells: bind this one to "
               "an address of this machine, or leave bind out";
    if (profile->bind == BIND_STUN && !profile->stun)
        return "bind = stun needs stun = HOST[:PORT], or --stun: no server is built in";
    if (profile->bind == BIND_COMMAND && !profile->address_command)
        return "bind = command needs an address_command";
    return NULL;
}

/* What is wrong with the profile as a whole; NULL: nothing. */
static const char *find_mistake(const struct profile *profile)
{
    if (!profile->host)
        return "host is missing: say whom to knock at";
    int ways = (profile->key != NULL) + (profile->once != NULL) + (profile->sequence.count > 0);
    if (ways != 1)
        return ways == 0 ? "expected one of key, sequence and once"
                         : "expected one of key, sequence and once: leave the others out";
    const char *mistake = find_binding_mistake(profile);
    if (mistake || !profile->key)
        return mistake;
    if (!profile->door)
        return "door is missing: say which door the key opens, as the server's knockd.conf calls it";
    if (profile->open_for.family && profile->carrier == PACKETS_TCP)
        return "a knock for another address doesn't fit the carrier tcp: say udp or packet";
    if (profile->open_for.family && addr_scope(&profile->open_for) < ADDR_SCOPE_SITE)
        return "for: expected the address of a host";
    return NULL;
}

static bool check_profile(const char *path, const struct profile *profile)
{
    const char *mistake = find_mistake(profile), *key = profile_sealed_key(profile);
    char where[512] = "command line";
    if (profile->name)
        snprintf(where, sizeof(where), "%s: profile %s", path, profile->name);
    if (mistake)
        output_error("%s: %s", where, mistake);
    else if (!profile->key && key)
        output_error(
            "%s: %s is about sealed knocks, and here is no key: remove it, or give a key and a door",
            where, key);
    else
        return true;
    return false;
}

/* --once replaces the key or sequence of the profile. */
static void use_once_file(struct profile *profile, const struct profile_value *values,
                          unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(values[i].key, "once") == 0) {
            free(profile->key);
            profile->key = NULL;
            profile->sequence.count = 0;
            profile->given = 0;
        }
}

static void apply_values(struct parse_context *context, const struct profile_value *values,
                         unsigned count, struct profile *profile)
{
    for (unsigned i = 0; context->report->errors == 0 && i < count; i++)
        apply_value(context, &values[i], profile);
    if (context->no_memory)
        output_error("out of memory");
}

bool profile_of_values(const struct profile_value *values, unsigned count, struct profile *profile)
{
    struct report report = {.say = output_finding};
    struct parse_context context = {.report = &report};
    set_defaults(profile);
    apply_values(&context, values, count, profile);
    if (report.errors > 0 || context.no_memory)
        return false;
    const char *mistake = find_binding_mistake(profile);
    if (mistake)
        output_error("%s", mistake);
    return !mistake;
}

bool profile_load(const char *path, const char *name, const struct profile_value *values,
                  unsigned count, struct profile *profile)
{
    struct report report = {.say = output_finding};
    struct parse_context context = {.report = &report};
    set_defaults(profile);
    if (name)
        read_profile(&context, path, name, profile);
    if (report.errors == 0)
        use_once_file(profile, values, count);
    apply_values(&context, values, count, profile);
    if (profile->packet_port == 0)
        profile->packet_port = profile->span + CARRIER_SPAN_SIZE - 1;
    return report.errors == 0 && !context.no_memory && check_profile(path, profile);
}

static bool report_profile(const char *path, const struct config_sections *sections,
                           const char *name, profile_visit *visit)
{
    struct report report = {.say = output_finding};
    struct parse_context context = {.report = &report};
    struct profile profile;
    set_defaults(&profile);
    bool good = find_profile(&context, sections, name, &profile) && report.errors == 0 &&
                !context.no_memory && check_profile(path, &profile);
    if (profile.name)
        visit(&profile, good);
    profile_free(&profile);
    return good;
}

bool profile_each(const char *path, profile_visit *visit)
{
    struct report report = {.say = output_finding};
    struct config_sections sections;
    if (access(path, F_OK) < 0) {
        output_error("there are no profiles in %s: %s; see knock.conf(5)", path, strerror(errno));
        return false;
    }
    bool good = config_parse(path, profile_schema(), &report, &sections);
    for (size_t i = 1; report.errors == 0 && i < sections.count; i++)
        good &= report_profile(path, &sections, sections.items[i].title, visit);
    config_sections_free(&sections);
    return good;
}

void profile_free(struct profile *profile)
{
    free(profile->name);
    free(profile->host);
    free(profile->door);
    free(profile->key);
    free(profile->once);
    free(profile->interface);
    free(profile->stun);
    free(profile->address_command);
    *profile = (struct profile){0};
}
