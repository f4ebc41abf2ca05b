#include "lib/config_schema.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/sealed.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, SOCKET_PATH_MAX = 107, PATH_BYTES_MAX = 4095 };

#define AT(type, field) offsetof(struct type, field)

static const struct config_key global_keys[] = {
    {"user", read_user, 0, 0, 0},
    {"state_dir", read_path, AT(config, state_dir), 1, PATH_BYTES_MAX},
    {"control", read_path, AT(config, control), 1, SOCKET_PATH_MAX},
    {"key_dir", read_path, AT(config, key_dir), 1, PATH_BYTES_MAX},
    {"facility", read_facility, AT(config, facility), 0, 0},
    {"stop_timeout", read_duration, AT(config, stop_timeout), 1, HOUR},
    {"run_timeout", read_duration, AT(config, run_timeout), 1, 10 * MINUTE},
    {"max_sources", read_number, AT(config, max_sources), 1024, CONFIG_MAX_SOURCES},
    {"max_failures", read_gone, 0, 0, 0},
    {"failure_window", read_gone, 0, 0, 0},
    {"penalty", read_gone, 0, 0, 0},
    {"allow_always", read_gone, 0, 0, 0},
    {"max_open", read_number, AT(config, max_open), 1, CONFIG_MAX_OPEN},
    {"init_command", read_commands, AT(config, init), 0, 0},
    {"exit_command", read_commands, AT(config, exit), 0, 0},
    {0},
};

static const struct config_key source_keys[] = {
    {"type", read_type, AT(config_source, type), 0, 0},
    {"path", read_path, AT(config_source, path), 1, PATH_BYTES_MAX},
    {"prefix", read_prefixes, AT(config_source, prefixes), 1, 127},
    {"format", read_format, AT(config_source, format), 0, 0},
    {.name = "group"},
    {.name = "interface"},
    {"command", read_command, AT(config_source, command), 0, 0},
    {0},
};

static const struct config_key door_keys[] = {
    {"sequence", read_sequence, 0, 0, 0},
    {"seq_timeout", read_duration, AT(config_door, seq_timeout), 1, HOUR},
    {"cmd_timeout", read_duration, AT(config_door, cmd_timeout), 1, 30 * DAY},
    {"tcpflags", read_flags, AT(config_door, flags), 0, 0},
    {"strict", read_boolean, AT(config_door, strict), 0, 0},
    {"port", read_port, AT(config_door, port), 0, 0},
    {"ignore", read_ignore, 0, 0, 0},
    {"target", read_address, AT(config_door, target), 0, 0},
    {"interface", read_interface, AT(config_door, interface), 0, 0},
    {"allow", read_allow, 0, 0, 0},
    {"rule", read_commands, AT(config_door, rules), 0, 0},
    {"start_command", read_commands, AT(config_door, ip4.start), 0, 0},
    {"stop_command", read_commands, AT(config_door, ip4.stop), 0, 0},
    {"extend_command", read_commands, AT(config_door, ip4.extend), 0, 0},
    {"check_command", read_commands, AT(config_door, ip4.check), 0, 0},
    {"start_command_6", read_commands, AT(config_door, ip6.start), 0, 0},
    {"stop_command_6", read_commands, AT(config_door, ip6.stop), 0, 0},
    {"extend_command_6", read_commands, AT(config_door, ip6.extend), 0, 0},
    {"check_command_6", read_commands, AT(config_door, ip6.check), 0, 0},
    {"check_interval", read_duration, AT(config_door, check_interval), 1, HOUR},
    {"start_delay", read_duration, AT(config_door, start_delay), 0, 10 * MINUTE},
    {"closes", read_door_names, AT(config_door, closes), 0, 0},
    {"stop_ok", read_statuses, AT(config_door, stop_ok), 0, 255},
    {"one_time_sequences", read_program, AT(config_door, once_path), 0, 0},
    {"key", read_key_names, AT(config_door, keys), 0, 0},
    {"ports", read_ports, 0, 0, 0},
    {"max_timeout", read_duration, AT(config_door, max_timeout), 1, 30 * DAY},
    {"bound", read_boolean, AT(config_door, bound), 0, 0},
    {"for", read_boolean, AT(config_door, for_others), 0, 0},
    {"max_open", read_number, AT(config_door, max_open), 1, CONFIG_MAX_OPEN},
    {"rate", read_rate, AT(config_door, rate), 0, 0},
    {0},
};

static const struct config_key sealed_keys[] = {
    {"span", read_number, AT(config_sealed, span_said), 1, CARRIER_SPAN_END - CARRIER_SPAN_SIZE},
    {"max_skew", read_duration, AT(config_sealed, max_skew), 1, CONFIG_SKEW_MAX},
    {"server", read_server_name, AT(config_sealed, server), 1, SEALED_SERVER_MAX},
    {"packet_port", read_number, AT(config_sealed, packet_port), 1, UINT16_MAX},
    {0},
};

const struct config_schema *config_schema(void)
{
    static const struct config_schema schema = {
        .kinds = {[CONFIG_GLOBAL] = {NULL, global_keys, 1, false},
                  [CONFIG_SOURCE] = {"source", source_keys, CONFIG_SOURCES_MAX, true},
                  [CONFIG_DOOR] = {"door", door_keys, CONFIG_DOORS_MAX, true},
                  [CONFIG_SEALED] = {"sealed", sealed_keys, 1, false}},
        .kind_count = CONFIG_KINDS,
    };
    return &schema;
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

/* Copies the title of a section, the name of a `what`; tells if it is none. */
static void read_title(struct parse_context *context, const struct config_section *section,
                       const char *what, char **name)
{
    const char *title = section->title;
    if (!config_is_name(title))
        report_error(context->report, section->pos,
                     "\"%.80s\" is no name for a %s: expected 1 to 63 of the characters A-Z a-z "
                     "0-9 _ . -, not beginning with -",
                     title, what);
    read_copy(context, title, name);
}

/* The key that a type of source needs, and that no other may have. */
static void check_source_key(struct parse_context *context, const struct config_section *section,
                             bool needed, const char *key, const char *example)
{
    bool has = config_given(section, key);
    if (needed && !has)
        report_error(context->report, section->pos, "source \"%s\" has no %s: expected %s",
                     section->title, key, example);
    if (has && !needed)
        report_error(context->report, section->pos,
                     "source \"%s\" has a %s, which its type doesn't use: remove it, or write "
                     "another type",
                     section->title, key);
}

static void check_source_keys(struct parse_context *context, const struct config_section *section,
                              const struct config_source *source)
{
    bool kernel = source->type == SOURCE_KMSG || source->type == SOURCE_JOURNAL;
    check_source_key(context, section, source->type == SOURCE_FILE, "path",
                     "path = \"/var/log/kern.log\" or the like");
    check_source_key(context, section, source->type == SOURCE_COMMAND, "command",
                     "command = \"/usr/bin/tail -n 0 -F /var/log/kern.log\" or the like");
    if (kernel && source->format == FORMAT_ULOGD)
        report_error(context->report, section->pos,
                     "source \"%s\": ulogd writes no kernel messages: expected format = kernel "
                     "with this type",
                     section->title);
}

/* Firewalls log what they accept, too: ufw with "[UFW ALLOW] ", Shorewall with ":ACCEPT:". */
static void warn_of_any_prefix(struct parse_context *context, const struct config_section *section)
{
    report_warning(context->report, section->pos,
                   "source \"%s\" has no prefix, so each packet that the firewall logs counts as "
                   "one of a knock, even if it was accepted: expected prefix = \"[KNOCK] \" or "
                   "the like, the --log-prefix of what is denied",
                   section->title);
}

static void fill_source(struct parse_context *context, const struct config_section *section,
                        struct config_source *source)
{
    source->pos = section->pos;
    read_title(context, section, "source", &source->name);
    unsigned before = context->report->errors;
    config_read_keys(context, section, source);
    if (!config_given(section, "type"))
        report_error(context->report, section->pos,
                     "source \"%s\" has no type: expected " CONFIG_SOURCE_TYPES, section->title);
    /* What contradicts a type or path that wasn't understood would only confuse. */
    if (context->report->errors == before)
        check_source_keys(context, section, source);
    if (context->report->errors == before && !source->prefixes.set)
        warn_of_any_prefix(context, section);
}

static void add_ignored(struct parse_context *context, struct config_door *door,
                        struct port_proto step)
{
    size_t size = (door->ignore_count + 1) * sizeof(struct port_proto);
    struct port_proto *more = realloc(door->ignore, size);
    if (!more) {
        context->no_memory = true;
        return;
    }
    door->ignore = more;
    more[door->ignore_count++] = step;
}

/* What a door says about sealed knocks that it doesn't take. */
static void warn_of_unused(struct parse_context *context, const struct config_section *section)
{
    static const char *const names[] = {"ports", "max_timeout", "bound", "for"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (config_given(section, names[i]))
            report_warning(context->report, section->pos,
                           "door \"%s\": %s is about sealed knocks, and without key it takes none",
                           section->title, names[i]);
}

static void fill_door(struct parse_context *context, const struct config_section *section,
                      struct config_door *door)
{
    door->pos = section->pos;
    door->seq_timeout = INT64_C(25) * 1000000000;
    door->cmd_timeout = INT64_C(10) * 1000000000;
    door->flags = (struct flag_match){.set = TCP_SYN, .clear = TCP_ACK};
    door->strict = door->bound = true;
    door->check_interval = CONFIG_CHECK_INTERVAL;
    read_title(context, section, "door", &door->name);
    config_read_keys(context, section, door);
    for (size_t i = 0; i < section->count; i++)
        if (strcmp(section->entries[i].key->name, "cmd_timeout") == 0)
            door->timeout_pos = section->entries[i].values.pos;
    if (door->port.port)
        add_ignored(context, door, door->port);
    for (unsigned i = 0; i < door->port_count; i++)
        add_ignored(context, door, door->ports[i]);
    if (!config_given(section, "key"))
        warn_of_unused(context, section);
    /* A rule that is gone already makes `iptables -D` exit with 1: closed, as wanted. */
    if (!config_given(section, "stop_ok"))
        door->stop_ok[0] = config_given(section, "rule") ? 3 : 1;
}

static void fill_global(struct parse_context *context, const struct config_section *section,
                        struct config *config)
{
    config_read_keys(context, section, config);
}

static void fill_sealed(struct parse_context *context, const struct config_section *section,
                        struct config_sealed *sealed)
{
    sealed->pos = section->pos;
    config_read_keys(context, section, sealed);
}

/* The listener looks for sealed knocks only if there is a door for them. */
static void settle_sealed(struct config *config)
{
    struct config_sealed *sealed = &config->sealed;
    if (sealed->packet_port == 0)
        sealed->packet_port = sealed->span_said + CARRIER_SPAN_SIZE - 1;
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].keys.count > 0)
            sealed->span = sealed->span_said;
}

void config_fill(struct parse_context *context, const struct config_sections *sections,
                 struct config *config)
{
    config->sources = calloc(sections->count + 1, sizeof(*config->sources));
    config->doors = calloc(sections->count + 1, sizeof(*config->doors));
    if (!config->sources || !config->doors) {
        context->no_memory = true;
        return;
    }
    for (size_t i = 0; i < sections->count; i++) {
        const struct config_section *section = &sections->sections[i];
        if (section->kind == CONFIG_GLOBAL)
            fill_global(context, section, config);
        else if (section->kind == CONFIG_SOURCE)
            fill_source(context, section, &config->sources[config->source_count++]);
        else if (section->kind == CONFIG_DOOR)
            fill_door(context, section, &config->doors[config->door_count++]);
        else
            fill_sealed(context, section, &config->sealed);
    }
    settle_sealed(config);
    config_settle_closes(context, config);
}
