#include "knock/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knock/profile_keys.h"
#include "knock/say.h"
#include "lib/addr_scope.h"

static void set_defaults(struct profile *profile)
{
    *profile = (struct profile){.ask_port = PROFILE_UNSET,
                                .retries = 3,
                                .delay_ms = PROFILE_UNSET,
                                .span = CARRIER_SPAN_DEFAULT};
}

static void take_section(struct parse_context *context, const struct config_section *section,
                         struct profile *profile)
{
    config_read_keys(context, section, profile);
    for (size_t i = 0; i < section->count && section->kind == PROFILE_PROFILE; i++)
        profile->given |= profile_key_bit(section->entries[i].key);
}

/* Only the profile asked for is understood: a mistake in another must not keep this one shut. */
static bool take_profile(struct parse_context *context, const struct config_sections *sections,
                         const char *name, struct profile *profile)
{
    for (size_t i = 1; i < sections->count; i++) {
        if (strcmp(sections->items[i].title, name) != 0)
            continue;
        take_section(context, &sections->items[0], profile);
        take_section(context, &sections->items[i], profile);
        read_copy(context, name, &profile->name);
        return true;
    }
    return false;
}

static void no_profile(const char *path, const char *name)
{
    say("there is no profile \"%s\" in %s: add it, see knock.conf(5); or to knock at ports of a "
        "host, give them: knock HOST PORT[:PROTO]...",
        name, path);
}

static void read_file_into(struct parse_context *context, const char *path, const char *name,
                           struct profile *profile)
{
    struct config_sections sections;
    if (config_parse(path, &profile_schema, context->report, &sections) &&
        !take_profile(context, &sections, name, profile)) {
        no_profile(path, name);
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
    no_profile(path, name);
    context->report->errors++;
}

static void take_value(struct parse_context *context, const struct profile_value *value,
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
static const char *find_binding_fault(const struct profile *profile)
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
static const char *find_fault(const struct profile *profile)
{
    if (!profile->host)
        return "host is missing: say whom to knock at";
    if ((profile->key != NULL) + (profile->once != NULL) + (profile->sequence.count > 0) != 1)
        return "expected one of key, sequence and once";
    const char *fault = find_binding_fault(profile);
    if (fault || !profile->key)
        return fault;
    if (!profile->door)
        return "door is missing: say which door the key opens, as the server's knockd.conf calls it";
    if (profile->open_for.family && profile->carrier == PACKETS_TCP)
        return "a knock for another address doesn't fit the carrier tcp: say udp or packet";
    if (profile->open_for.family && addr_scope(&profile->open_for) < ADDR_SCOPE_SITE)
        return "for: expected the address of a host";
    return NULL;
}

static bool check(const char *path, const struct profile *profile)
{
    const char *fault = find_fault(profile), *key = profile_sealed_key(profile);
    char where[512] = "command line";
    if (profile->name)
        snprintf(where, sizeof(where), "%s: profile %s", path, profile->name);
    if (fault)
        say("%s: %s", where, fault);
    else if (!profile->key && key)
        say("%s: %s is about sealed knocks, and here is no key: remove it, or give a key and a door",
            where, key);
    else
        return true;
    return false;
}

/* The file of --once takes the place of the profile's own way to knock. */
static void make_way(struct profile *profile, const struct profile_value *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (strcmp(values[i].key, "once") == 0) {
            free(profile->key);
            profile->key = NULL;
            profile->sequence.count = 0;
            profile->given = 0;
        }
}

static void take_values(struct parse_context *context, const struct profile_value *values,
                        unsigned count, struct profile *profile)
{
    for (unsigned i = 0; context->report->errors == 0 && i < count; i++)
        take_value(context, &values[i], profile);
    if (context->no_memory)
        say("out of memory");
}

bool profile_of_values(const struct profile_value *values, unsigned count, struct profile *profile)
{
    struct report report = {.say = say_finding};
    struct parse_context context = {.report = &report};
    set_defaults(profile);
    take_values(&context, values, count, profile);
    if (report.errors > 0 || context.no_memory)
        return false;
    const char *fault = find_binding_fault(profile);
    if (fault)
        say("%s", fault);
    return !fault;
}

bool profile_load(const char *path, const char *name, const struct profile_value *values,
                  unsigned count, struct profile *profile)
{
    struct report report = {.say = say_finding};
    struct parse_context context = {.report = &report};
    set_defaults(profile);
    if (name)
        read_profile(&context, path, name, profile);
    if (report.errors == 0)
        make_way(profile, values, count);
    take_values(&context, values, count, profile);
    if (profile->packet_port == 0)
        profile->packet_port = profile->span + CARRIER_SPAN_SIZE - 1;
    return report.errors == 0 && !context.no_memory && check(path, profile);
}

static bool see_one(const char *path, const struct config_sections *sections, const char *name,
                    profile_see *see)
{
    struct report report = {.say = say_finding};
    struct parse_context context = {.report = &report};
    struct profile profile;
    set_defaults(&profile);
    bool good = take_profile(&context, sections, name, &profile) && report.errors == 0 &&
                !context.no_memory && check(path, &profile);
    if (profile.name)
        see(&profile, good);
    profile_free(&profile);
    return good;
}

bool profile_each(const char *path, profile_see *see)
{
    struct report report = {.say = say_finding};
    struct config_sections sections;
    if (access(path, F_OK) < 0) {
        say("there are no profiles in %s: %s; see knock.conf(5)", path, strerror(errno));
        return false;
    }
    bool good = config_parse(path, &profile_schema, &report, &sections);
    for (size_t i = 1; report.errors == 0 && i < sections.count; i++)
        good &= see_one(path, &sections, sections.items[i].title, see);
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
