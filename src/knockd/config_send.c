/* Makes the messages of which listener/config_receive.c makes the configuration again. */
#include "knockd/config_send.h"

#include <string.h>

#include "listener/config_receive.h"

typedef void send_call(void *arg, const struct message *message);

static void send_source(const struct config_source *source, send_call *send, void *arg)
{
    struct message message = {.type = MESSAGE_SOURCE,
                              .u.source = {.type = source->type,
                                           .format = source->format,
                                           .remote = source->remote,
                                           .max_age = source->max_age}};
    send(arg, &message);
    for (unsigned i = 0; i < source->prefixes.count; i++) {
        struct message prefix = {.type = MESSAGE_PREFIX};
        strncpy(prefix.u.prefix.text, source->prefixes.items[i].text, MESSAGE_PREFIX_MAX);
        send(arg, &prefix);
    }
    /* A replay makes a source that captures one of a log, which hears of every interface. */
    unsigned heard_count = source->type == SOURCE_PCAP ? source->interfaces.count : 0;
    for (unsigned i = 0; i < heard_count; i++) {
        struct message heard = {.type = MESSAGE_HEARD};
        strncpy(heard.u.heard.interface, source->interfaces.items[i].text, IF_NAMESIZE - 1);
        send(arg, &heard);
    }
}

static void send_ignored(const struct port_proto *steps, unsigned count, send_call *send, void *arg)
{
    for (unsigned i = 0; i < count; i += STEPS_MAX) {
        struct message message = {.type = MESSAGE_IGNORE};
        struct sequence *ports = &message.u.ignore.ports;
        ports->count = count - i < STEPS_MAX ? count - i : STEPS_MAX;
        memcpy(ports->steps, steps + i, ports->count * sizeof(*steps));
        send(arg, &message);
    }
}

/* `like`: 1 + number of the earlier door whose ignored ports it has; 0: its own are sent. */
static void send_door(const struct config_door *door, const struct sequence *sequence,
                      uint32_t like, send_call *send, void *arg)
{
    struct message message = {
        .type = MESSAGE_DOOR,
        .u.door = {.sequence = *sequence,
                   .timeout = door->seq_timeout,
                   .flags = door->flags,
                   .target = door->target,
                   .unheard = door->unheard,
                   .strict = door->strict,
                   .strays = {door->strays < 0 ? 0 : (uint32_t)door->strays,
                              door->strays < 0 ? STRAYS_CAPTURED : (uint32_t)door->strays},
                   .like = like},
    };
    memcpy(message.u.door.interface, door->interface, sizeof(door->interface));
    send(arg, &message);
    if (like == 0)
        send_ignored(door->ignore, door->ignore_count, send, arg);
}

static struct message_config make_config(const struct config *config, const struct one_time *once)
{
    unsigned packet_port = config->sealed.span > 0 ? config->sealed.packet_port : 0;
    return (struct message_config){.sources = config->source_count,
                                   .doors = config->door_count + (once ? once->count : 0),
                                   .plain = config->door_count,
                                   .max_sources = config->max_sources,
                                   .span = config->sealed.span,
                                   .packet_port = packet_port};
}

uint64_t config_send_memory(const struct config *config, const struct one_time *once)
{
    struct message_config first = make_config(config, once);
    uint64_t ignored = 0;
    for (unsigned i = 0; i < config->door_count; i++)
        ignored += config->doors[i].ignore_count;
    return listener_config_memory(&first, ignored);
}

void config_send(const struct config *config, const struct one_time *once, bool debug,
                 send_call *send, void *arg)
{
    struct message first = {.type = MESSAGE_CONFIG, .u.config = make_config(config, once)};
    first.u.config.debug = debug;
    crypto_random(first.u.config.key, sizeof(first.u.config.key));
    send(arg, &first);
    for (unsigned i = 0; i < config->source_count; i++)
        send_source(&config->sources[i], send, arg);
    for (unsigned i = 0; i < config->door_count; i++)
        send_door(&config->doors[i], &config->doors[i].sequence, 0, send, arg);
    for (unsigned i = 0; once && i < once->count; i++)
        send_door(&config->doors[once->lines[i].door], &once->lines[i].sequence,
                  once->lines[i].door + 1, send, arg);
    struct message last = {.type = MESSAGE_START};
    send(arg, &last);
}
