#include "lib/config.h"

#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/addr_scope.h"
#include "lib/carrier.h"
#include "lib/config_schema.h"
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

/* sealed { }: a host without a name has to be given one before its keys can be made. */
static void set_sealed_defaults(struct parse_context *context, struct config_sealed *sealed)
{
    char host[SEALED_SERVER_MAX + 1] = "";
    if (gethostname(host, sizeof(host)) < 0)
        host[0] = '\0';
    host[SEALED_SERVER_MAX] = '\0';
    read_copy(context, host, &sealed->server);
    sealed->span_said = CARRIER_SPAN_DEFAULT;
    sealed->max_skew = INT64_C(120) * 1000000000;
}

static void set_defaults(struct parse_context *context, const char *path, struct config *config)
{
    read_copy(context, path, &config->path);
    read_copy(context, "knockd", &config->user);
    read_copy(context, CONFIG_STATE_DIR, &config->state_dir);
    read_copy(context, "/run/knockd/control", &config->control);
    read_copy(context, "/etc/knockd/keys", &config->key_dir);
    config->user_pos = (struct config_pos){config->files[0], 0};
    config->facility = LOG_AUTHPRIV;
    config->stop_timeout = INT64_C(60) * 1000000000;
    config->run_timeout = INT64_C(10) * 1000000000;
    config->max_sources = 65536;
    config->max_open = CONFIG_MAX_OPEN;
    set_sealed_defaults(context, &config->sealed);
}

/* The text and what libconfuse made of it live only as long as this takes. */
static void read_into(struct parse_context *context, const char *path, struct config *config)
{
    struct config_text_out text;
    struct config_sections sections = {0};
    bool good = config_text_read(path, context->report, &text);
    config->files = text.files;
    config->file_count = text.file_count;
    if (good && config_parse(&text, config_schema(), context->report, &sections)) {
        set_defaults(context, path, config);
        config_fill(context, &sections, config);
        if (!context->no_memory)
            config_check(config, context->report);
    }
    config_sections_free(&sections);
    config_text_free(&text);
}

struct config *config_load(const char *path, struct report *report)
{
    unsigned before = report->errors;
    struct parse_context context = {.report = report};
    struct config *config = calloc(1, sizeof(*config));
    if (config)
        read_into(&context, path, config);
    if (!config || context.no_memory)
        report_error(report, (struct config_pos){path, 0},
                     "out of memory while reading the configuration");
    if (report->errors == before)
        return config;
    config_free(config);
    return NULL;
}

bool config_list_has(const struct config_list *list, const char *text)
{
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp(list->items[i].text, text) == 0)
            return true;
    return false;
}

bool config_is_key_name(const char *name)
{
    return config_is_name(name) && strcmp(name, "sequence") != 0 && strcmp(name, "knockctl") != 0;
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
