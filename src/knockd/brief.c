#include "knockd/brief.h"

#include <string.h>

#include "listener/setup.h"

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

static void send_ignored(const struct step *steps, unsigned count, send_call *send, void *arg)
{
    for (unsigned i = 0; i < count; i += STEPS_MAX) {
        struct record record = {.type = RECORD_IGNORE};
        struct sequence *ports = &record.u.ignore.ports;
        ports->count = count - i < STEPS_MAX ? count - i : STEPS_MAX;
        memcpy(ports->steps, steps + i, ports->count * sizeof(*steps));
        send(arg, &record);
    }
}

/* `like`: 1 + number of the door, sent before, whose ignored ports it has; 0: they are sent. */
static void send_door(const struct config_door *door, const struct sequence *sequence,
                      uint32_t like, send_call *send, void *arg)
{
    struct record record = {
        .type = RECORD_DOOR,
        .u.door = {.sequence = *sequence,
                   .timeout = door->seq_timeout,
                   .flags = door->flags,
                   .target = door->target,
                   .strict = door->strict,
                   .like = like},
    };
    memcpy(record.u.door.interface, door->interface, sizeof(door->interface));
    send(arg, &record);
    if (like == 0)
        send_ignored(door->ignore, door->ignore_count, send, arg);
}

static struct record_config config_record(const struct config *config, const struct once *once)
{
    return (struct record_config){.sources = config->source_count,
                                  .doors = config->door_count + (once ? once->count : 0),
                                  .plain = config->door_count,
                                  .max_sources = config->max_sources,
                                  .span = config->sealed.span};
}

uint64_t brief_memory(const struct config *config, const struct once *once)
{
    struct record_config first = config_record(config, once);
    uint64_t ignored = 0;
    for (unsigned i = 0; i < config->door_count; i++)
        ignored += config->doors[i].ignore_count;
    return setup_memory(&first, ignored);
}

void brief_send(const struct config *config, const struct once *once, bool debug, send_call *send,
                void *arg)
{
    struct record first = {.type = RECORD_CONFIG, .u.config = config_record(config, once)};
    first.u.config.debug = debug;
    keyed_random(first.u.config.key, sizeof(first.u.config.key));
    send(arg, &first);
    for (unsigned i = 0; i < config->source_count; i++)
        send_source(&config->sources[i], send, arg);
    for (unsigned i = 0; i < config->door_count; i++)
        send_door(&config->doors[i], &config->doors[i].sequence, 0, send, arg);
    for (unsigned i = 0; once && i < once->count; i++)
        send_door(&config->doors[once->lines[i].door], &once->lines[i].sequence,
                  once->lines[i].door + 1, send, arg);
    struct record last = {.type = RECORD_START};
    send(arg, &last);
}
