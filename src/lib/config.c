/*
 * Loads knockd.conf: its sections become values, over the defaults; then they are checked together.
 */
#include "lib/config.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/addr_scope.h"
#include "lib/carrier.h"
#include "lib/config_check.h"
#include "lib/config_values.h"
#include "lib/sealed.h"

static void free_commands(struct config_commands *commands)
{
    config_list_free(&commands->start);
    config_list_free(&commands->stop);
    config_list_free(&commands->extend);
    config_list_free(&commands->check);
}

static void free_door(struct config_door *door)
{
    free(door->name);
    free(door->once_path.text);
    free(door->ignore);
    free(door->allow);
    free(door->ports);
    config_list_free(&door->keys);
    config_list_free(&door->closes);
    config_list_free(&door->sources);
    config_list_free(&door->rules);
    free_commands(&door->ip4);
    free_commands(&door->ip6);
}

static void free_source(struct config_source *source)
{
    free(source->name);
    free(source->path);
    free(source->command.text);
    config_list_free(&source->prefixes);
    config_list_free(&source->interfaces);
}

void config_free(struct config *config)
{
    if (!config)
        return;
    for (unsigned i = 0; i < config->source_count; i++)
        free_source(&config->sources[i]);
    for (unsigned i = 0; i < config->door_count; i++)
        free_door(&config->doors[i]);
    for (unsigned i = 0; i < config->file_count; i++)
        free(config->files[i]);
    config_list_free(&config->init);
    config_list_free(&config->exit);
    free(config->sources);
    free(config->doors);
    free(config->files);
    free(config->path);
    free(config->user);
    free(config->state_dir);
    free(config->control);
    free(config->key_dir);
    free(config->sealed.server);
    free(config);
}

/* A host without a name has to get one by sealed { server } before keys can be made for it. */
static void set_sealed_defaults(struct parse_context *context, struct config_sealed *sealed)
{
    char host[SEALED_SERVER_MAX + 1] = "";
    if (gethostname(host, sizeof(host)) < 0)
        host[0] = '\0';
    host[SEALED_SERVER_MAX] = '\0';
    read_copy(context, host, &sealed->server);
    sealed->span_configured = CARRIER_SPAN_DEFAULT;
    sealed->max_skew = INT64_C(120) * 1000000000;
}

static void set_defaults(struct parse_context *context, const char *path, struct config *config)
{
    read_copy(context, path, &config->path);
    read_copy(context, "knockd", &config->user);
    read_copy(context, CONFIG_STATE_DIR, &config->state_dir);
    read_copy(context, CONFIG_CONTROL, &config->control);
    read_copy(context, DEFAULT_KEY_DIR, &config->key_dir);
    config->user_pos = (struct config_pos){config->files[0], 0};
    config->facility = LOG_AUTHPRIV;
    config->stop_timeout = INT64_C(60) * 1000000000;
    config->batch = true;
    config->run_timeout = INT64_C(10) * 1000000000;
    config->max_sources = 65536;
    config->max_open = CONFIG_MAX_OPEN;
    config->comment = true;
    set_sealed_defaults(context, &config->sealed);
}

/* --- from sections to values --- */

/* Copies the title of a section, which is the name of a `what`; reports one that can't be. */
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

/* A key that only one type of source may have, and needs if there is an `example` for it. */
static void check_source_key(struct parse_context *context, const struct config_section *section,
                             bool fits, const char *key, const char *example)
{
    bool has = config_given(section, key);
    if (fits && example && !has)
        report_error(context->report, section->pos, "source \"%s\" has no %s: expected %s",
                     section->title, key, example);
    if (has && !fits)
        report_error(context->report, section->pos,
                     "source \"%s\": %s has no meaning for its type: remove it, or write another "
                     "type",
                     section->title, key);
}

/* Files and programs may bring another host's lines, and all but the kernel's own log lines that
 * somebody writes again. */
static void check_source_age(struct parse_context *context, const struct config_section *section,
                             struct config_source *source)
{
    bool lines = source->type != SOURCE_KMSG && !source_is_of_packets(source->type);
    bool others = lines && source->type != SOURCE_JOURNAL;
    check_source_key(context, section, others, "remote", NULL);
    check_source_key(context, section, lines, "max_age", NULL);
    source->remote &= others;
}

/* What max_age is where it isn't given, or is wrong. With `remote`, the type may be what is wrong.
 */
static int64_t default_max_age(const struct config_source *source)
{
    if (source->remote)
        return INT64_C(10) * 1000000000;
    bool kernel = source->type == SOURCE_KMSG || source_is_of_packets(source->type);
    return kernel ? 0 : INT64_C(120) * 1000000000;
}

static void check_source_keys(struct parse_context *context, const struct config_section *section,
                              struct config_source *source)
{
    bool kernel = source->type == SOURCE_KMSG || source->type == SOURCE_JOURNAL;
    check_source_key(context, section, source->type == SOURCE_FILE, "path",
                     "path = \"/var/log/kern.log\" or the like");
    check_source_key(context, section, source->type == SOURCE_COMMAND, "command",
                     "command = \"/usr/bin/tail -n 0 -F /var/log/kern.log\" or the like");
    check_source_key(context, section, source->type == SOURCE_NFLOG, "group", NULL);
    check_source_key(context, section, source->type == SOURCE_PCAP, "interface", NULL);
    check_source_key(context, section, source->type != SOURCE_PCAP, "prefix", NULL);
    check_source_age(context, section, source);
    check_source_key(context, section, source->type != SOURCE_NFLOG && source->type != SOURCE_PCAP,
                     "format", NULL);
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

static void read_source(struct parse_context *context, const struct config_section *section,
                        struct config_source *source)
{
    source->pos = section->pos;
    source->type = SOURCE_UNKNOWN;
    read_title(context, section, "source", &source->name);
    source->max_age = -1;
    unsigned before = context->report->errors;
    config_read_keys(context, section, source);
    if (!config_given(section, "type"))
        report_error(context->report, section->pos,
                     "source \"%s\" has no type: expected " CONFIG_SOURCE_TYPES, section->title);
    /* Beside a type or path that is wrong, what contradicts it would only confuse. */
    if (context->report->errors == before)
        check_source_keys(context, section, source);
    if (source->max_age < 0)
        source->max_age = default_max_age(source);
    if (context->report->errors == before && !source->prefixes.set && source->type != SOURCE_PCAP)
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

/* Keys about sealed knocks of a door that sealed knocks don't open. */
static void warn_of_unused(struct parse_context *context, const struct config_section *section)
{
    static const char *const names[] = {"ports", "max_timeout", "bound", "for"};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (config_given(section, names[i]))
            report_warning(context->report, section->pos,
                           "door \"%s\": %s is about sealed knocks, and without key it takes none",
                           section->title, names[i]);
}

static void read_door(struct parse_context *context, const struct config_section *section,
                      struct config_door *door)
{
    door->pos = section->pos;
    door->seq_timeout = INT64_C(25) * 1000000000;
    door->cmd_timeout = INT64_C(10) * 1000000000;
    /* As iptables' --syn: a host discards a SYN with FIN or RST. */
    door->flags = (struct flag_match){.set = TCP_SYN, .clear = TCP_ACK | TCP_FIN | TCP_RST};
    door->strict = door->bound = true;
    door->strays = -1;
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

static void read_global(struct parse_context *context, const struct config_section *section,
                        struct config *config)
{
    config_read_keys(context, section, config);
}

static void read_sealed(struct parse_context *context, const struct config_section *section,
                        struct config_sealed *sealed)
{
    sealed->pos = section->pos;
    sealed->server_given = config_given(section, "server");
    config_read_keys(context, section, sealed);
}

/* What the file says of all doors may stand behind one that doesn't say. */
static void settle_comments(const struct config_sections *sections, struct config *config)
{
    struct config_door *door = config->doors;
    for (size_t i = 0; i < sections->count; i++) {
        const struct config_section *section = &sections->items[i];
        if (section->kind != CONFIG_DOOR)
            continue;
        if (!config_given(section, "comment"))
            door->comment = config->comment;
        door++;
    }
}

/* The listener looks for sealed knocks only if there is a door for them. */
static void settle_spans(struct config *config)
{
    struct config_sealed *sealed = &config->sealed;
    if (sealed->packet_port == 0)
        sealed->packet_port = sealed->span_configured + CARRIER_SPAN_SIZE - 1;
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].keys.count > 0)
            sealed->span = sealed->span_configured;
}

/* The number of the source of that name; as many as there are: there is none. */
static unsigned find_source(const struct config *config, const char *name)
{
    unsigned i = 0;
    while (i < config->source_count && strcmp(config->sources[i].name, name) != 0)
        i++;
    return i;
}

/* A door hears the sources that it names; all, if it names none. */
static void settle_heard(struct parse_context *context, struct config *config)
{
    char hint[CONFIG_DOOR_HINT_SIZE];
    for (unsigned i = 0; i < config->door_count; i++) {
        struct config_door *door = &config->doors[i];
        door->unheard = door->sources.count > 0 ? UINT64_MAX : 0;
        for (unsigned j = 0; j < door->sources.count; j++) {
            const struct config_text *name = &door->sources.items[j];
            unsigned source = find_source(config, name->text);
            if (source < config->source_count && source < CONFIG_SOURCES_MAX)
                door->unheard &= ~(UINT64_C(1) << source);
            else
                report_error(context->report, name->pos, "source: there is no source \"%s\"%s",
                             name->text, config_source_hint(config, name->text, hint));
        }
    }
}

static void read_sections(struct parse_context *context, const struct config_sections *sections,
                          struct config *config)
{
    config->sources = calloc(sections->count + 1, sizeof(*config->sources));
    config->doors = calloc(sections->count + 1, sizeof(*config->doors));
    if (!config->sources || !config->doors) {
        context->no_memory = true;
        return;
    }
    for (size_t i = 0; i < sections->count; i++) {
        const struct config_section *section = &sections->items[i];
        if (section->kind == CONFIG_GLOBAL)
            read_global(context, section, config);
        else if (section->kind == CONFIG_SOURCE)
            read_source(context, section, &config->sources[config->source_count++]);
        else if (section->kind == CONFIG_DOOR)
            read_door(context, section, &config->doors[config->door_count++]);
        else
            read_sealed(context, section, &config->sealed);
    }
    settle_comments(sections, config);
    settle_spans(config);
    settle_heard(context, config);
    config_settle_closes(context, config);
}

static void load_into(struct parse_context *context, const char *path, struct config *config)
{
    struct config_sections sections;
    bool good = config_parse(path, config_schema(), context->report, &sections);
    config->files = sections.files;
    config->file_count = sections.file_count;
    sections.files = NULL;
    sections.file_count = 0;
    if (good) {
        set_defaults(context, path, config);
        read_sections(context, &sections, config);
        if (!context->no_memory)
            config_check(config, context->report);
    }
    config_sections_free(&sections);
}

struct config *config_load(const char *path, struct report *report)
{
    unsigned before = report->errors;
    struct parse_context context = {.report = report};
    struct config *config = calloc(1, sizeof(*config));
    if (config)
        load_into(&context, path, config);
    if (!config || context.no_memory)
        report_error(report, (struct config_pos){path, 0},
                     "out of memory while reading the configuration");
    if (report->errors == before)
        return config;
    config_free(config);
    return NULL;
}

struct port_proto config_own_port(const struct config_door *door)
{
    return door->port.port == 0 && door->port_count > 0 ? door->ports[0] : door->port;
}

bool config_allows(const struct config_door *door, const struct addr *address)
{
    if (addr_scope(address) == ADDR_SCOPE_NONE)
        return false;
    for (unsigned i = 0; i < door->allow_count; i++)
        if (net_contains(&door->allow[i], address))
            return true;
    return door->allow_count == 0;
}
