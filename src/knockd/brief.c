#include "knockd/brief.h"

#include <string.h>

typedef void send_call(void *arg, const struct record *record);

static void send_source(const struct config_source *source, send_call *send, void *arg)
{
    struct record record = {.type = RECORD_SOURCE,
                            .u.source = {.type = source->type, .format = source->format}};
    send(arg, &record);
    for (unsigned i = 0; i < source->prefixes.count; i++) {
        struct record prefix = {.type = RECORD_PREFIX};
        strncpy(prefix.u.prefix.text, source->prefixes.items[i].text, RECORD_PREFIX_MAX);
        send(arg, &prefix);
    }
}

static void send_door(const struct config_door *door, const struct sequence *sequence,
                      send_call *send, void *arg)
{
    struct record record = {
        .type = RECORD_DOOR,
        .u.door = {.sequence = *sequence,
                   .timeout = door->seq_timeout,
                   .flags = door->flags,
                   .target = door->target,
                   .strict = door->strict},
    };
    memcpy(record.u.door.interface, door->interface, sizeof(door->interface));
    send(arg, &record);
    for (unsigned i = 0; i < door->ignore_count; i++) {
        struct record ignore = {.type = RECORD_IGNORE, .u.ignore = {.step = door->ignore[i]}};
        send(arg, &ignore);
    }
}

void brief_send(const struct config *config, const struct once *once, bool debug, send_call *send,
                void *arg)
{
    struct record first = {
        .type = RECORD_CONFIG,
        .u.config = {.sources = config->source_count,
                     .doors = config->door_count + (once ? once->count : 0),
                     .plain = config->door_count,
                     .max_sources = config->max_sources,
                     .debug = debug,
                     .span = config->sealed.span},
    };
    keyed_random(first.u.config.key, sizeof(first.u.config.key));
    send(arg, &first);
    for (unsigned i = 0; i < config->source_count; i++)
        send_source(&config->sources[i], send, arg);
    for (unsigned i = 0; i < config->door_count; i++)
        send_door(&config->doors[i], &config->doors[i].sequence, send, arg);
    for (unsigned i = 0; once && i < once->count; i++)
        send_door(&config->doors[once->lines[i].door], &once->lines[i].sequence, send, arg);
    struct record last = {.type = RECORD_START};
    send(arg, &last);
}
