/* Receives the listener's configuration, message by message, and makes matcher and reassembly of
 * it. */
#include "listener/config_receive.h"

#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "listener/lines.h"
#include "listener/port_scan.h"
#include "listener/reassembly_table.h"
#include "listener/source_table.h"

_Static_assert((int)CONFIG_SOURCES_MAX <= (int)MATCH_SOURCES, "the matcher knows every source");

static bool receive_config(struct listener_config *setup, const struct message_config *config)
{
    if (setup->sources || config->sources > CONFIG_SOURCES_MAX ||
        config->doors > LISTENER_CONFIG_DOORS_MAX || config->plain > config->doors ||
        config->max_sources == 0 || config->max_sources > CONFIG_MAX_SOURCES ||
        config->span > CARRIER_SPAN_END - CARRIER_SPAN_SIZE ||
        (config->span > 0 && config->max_sources < 2) ||
        config->packet_port > (config->span > 0 ? UINT16_MAX : 0))
        return false;
    setup->config = *config;
    setup->sources = calloc(config->sources + 1, sizeof(*setup->sources));
    setup->doors = calloc(config->doors + 1, sizeof(*setup->doors));
    setup->shares_ignore = calloc(config->doors + 1, sizeof(*setup->shares_ignore));
    return setup->sources && setup->doors && setup->shares_ignore;
}

static bool receive_source(struct listener_config *setup, const struct message_source *message)
{
    if (setup->source_count >= setup->config.sources || message->remote > 1 ||
        message->max_age < 0 || message->max_age > CONFIG_AGE_MAX)
        return false;
    struct listener_config_source *source = &setup->sources[setup->source_count++];
    source->type = message->type;
    source->remote = message->remote;
    source->max_age = message->max_age;
    source->spec.format = message->type == SOURCE_KMSG      ? LOG_KMSG
                          : message->format == FORMAT_ULOGD ? LOG_ULOGD
                                                            : LOG_KERNEL;
    return true;
}

static bool receive_prefix(struct listener_config *setup, const struct message_prefix *message)
{
    if (setup->source_count == 0 || setup->door_count > 0 ||
        message->text[MESSAGE_PREFIX_MAX] != '\0')
        return false;
    struct listener_config_source *source = &setup->sources[setup->source_count - 1];
    unsigned count = source->spec.prefix_count;
    char **prefixes = realloc(source->prefixes, (count + 1) * sizeof(*prefixes));
    if (!prefixes)
        return false;
    source->prefixes = prefixes;
    prefixes[count] = strdup(message->text);
    source->spec.prefixes = (const char *const *)prefixes;
    source->spec.prefix_count += prefixes[count] != NULL;
    return prefixes[count] != NULL;
}

static bool receive_heard(struct listener_config *setup, const struct message_heard *message)
{
    if (setup->source_count == 0 || setup->door_count > 0 ||
        message->interface[IF_NAMESIZE - 1] != '\0')
        return false;
    struct listener_config_source *source = &setup->sources[setup->source_count - 1];
    if (source->type != SOURCE_PCAP || source->heard_count == INTERFACES_MAX)
        return false;
    void *heard = realloc(source->heard, (source->heard_count + 1) * sizeof(*source->heard));
    if (!heard)
        return false;
    source->heard = heard;
    memcpy(source->heard[source->heard_count++], message->interface, IF_NAMESIZE);
    return true;
}

bool listener_config_hears(const struct listener_config_source *source, const char *interface)
{
    for (unsigned i = 0; i < source->heard_count; i++)
        if (strcmp(source->heard[i], interface) == 0)
            return true;
    return source->heard_count == 0;
}

static bool receive_door(struct listener_config *setup, const struct message_door *message)
{
    if (setup->source_count != setup->config.sources || setup->door_count >= setup->config.doors ||
        message->sequence.count > STEPS_MAX || message->interface[IF_NAMESIZE - 1] != '\0' ||
        message->like > setup->door_count || message->strays[0] > STRAYS_MAX ||
        message->strays[1] > STRAYS_MAX)
        return false;
    struct match_door *door = &setup->doors[setup->door_count++];
    door->sequence = message->sequence;
    door->timeout = message->timeout;
    door->flags = message->flags;
    door->target = message->target;
    door->unheard = message->unheard;
    door->strict = message->strict != 0;
    for (int i = 0; i < 2; i++)
        door->strays[i] = (uint8_t)message->strays[i];
    door->one_time = setup->door_count > setup->config.plain;
    memcpy(door->interface, message->interface, IF_NAMESIZE);
    if (message->like > 0) {
        setup->shares_ignore[setup->door_count - 1] = true;
        door->ignore = setup->doors[message->like - 1].ignore;
        door->ignore_count = setup->doors[message->like - 1].ignore_count;
    }
    return true;
}

static bool receive_ignore(struct listener_config *setup, const struct message_ignore *message)
{
    const struct sequence *ports = &message->ports;
    if (setup->door_count == 0 || setup->shares_ignore[setup->door_count - 1] ||
        ports->count == 0 || ports->count > STEPS_MAX)
        return false;
    struct match_door *door = &setup->doors[setup->door_count - 1];
    size_t size = (door->ignore_count + ports->count) * sizeof(struct port_proto);
    struct port_proto *steps = realloc((void *)(uintptr_t)door->ignore, size);
    if (!steps)
        return false;
    memcpy(steps + door->ignore_count, ports->steps, ports->count * sizeof(*steps));
    door->ignore_count += ports->count;
    door->ignore = steps;
    return true;
}

uint64_t listener_config_memory(const struct message_config *config, uint64_t ignored)
{
    /* The program and its libraries, malloc's waste, and what an answer to `why` takes. */
    const uint64_t program = UINT64_C(128) << 20;
    /* The entries of matcher and reassembly, with their links and buckets, and the ports that it
     * scanned. */
    const uint64_t address =
        sizeof(struct source_entry) + sizeof(struct reassembly_entry) + 512 + PORT_SCAN_BYTES;
    /* A door in three copies, and what the index and `why` have of it and of its steps. */
    const uint64_t door = 4096;
    const uint64_t source = LOG_FILES * sizeof(struct lines) + 64 * (MESSAGE_PREFIX_MAX + 64);
    return program + config->max_sources * address + config->doors * door +
           config->sources * source + ignored * 2 * sizeof(struct port_proto);
}

bool listener_config_match(const struct listener_config *setup, unsigned max,
                           struct matcher **matcher, struct reassembly **reassembly)
{
    const struct message_config *config = &setup->config;
    *reassembly = NULL;
    *matcher = matcher_new(setup->doors, setup->door_count, max, config->key);
    for (unsigned i = 0; *matcher && i < setup->source_count; i++)
        if (setup->sources[i].type == SOURCE_PCAP && !matcher_set_captured(*matcher, i))
            return false;
    for (unsigned i = 0; *matcher && i < setup->source_count; i++)
        if (setup->sources[i].remote)
            matcher_set_remote(*matcher, i);
    if (!*matcher || config->span == 0)
        return *matcher != NULL;
    matcher_set_span(*matcher, (uint16_t)config->span, (uint16_t)config->packet_port);
    *reassembly = reassembly_new((uint16_t)config->span, max, config->key);
    if (*reassembly)
        reassembly_set_packet_port(*reassembly, (uint16_t)config->packet_port);
    return *reassembly != NULL;
}

static bool receive_start(struct listener_config *setup)
{
    if (!setup->sources || setup->source_count != setup->config.sources ||
        setup->door_count != setup->config.doors || setup->matcher)
        return false;
    return listener_config_match(setup, setup->config.max_sources, &setup->matcher,
                                 &setup->reassembly);
}

enum listener_config_result listener_config_receive(struct listener_config *setup,
                                                    const struct message *message)
{
    bool ok = false;
    switch (message->type) {
    case MESSAGE_CONFIG:
        setup->generation = message->generation;
        ok = receive_config(setup, &message->u.config);
        break;
    case MESSAGE_SOURCE:
        ok = receive_source(setup, &message->u.source);
        break;
    case MESSAGE_PREFIX:
        ok = receive_prefix(setup, &message->u.prefix);
        break;
    case MESSAGE_HEARD:
        ok = receive_heard(setup, &message->u.heard);
        break;
    case MESSAGE_DOOR:
        ok = receive_door(setup, &message->u.door);
        break;
    case MESSAGE_IGNORE:
        ok = receive_ignore(setup, &message->u.ignore);
        break;
    case MESSAGE_START:
        return receive_start(setup) ? LISTENER_CONFIG_COMPLETE : LISTENER_CONFIG_BAD;
    }
    return ok ? LISTENER_CONFIG_MORE : LISTENER_CONFIG_BAD;
}

void listener_config_free(struct listener_config *setup)
{
    matcher_free(setup->matcher);
    reassembly_free(setup->reassembly);
    for (unsigned i = 0; i < setup->source_count; i++) {
        for (unsigned j = 0; j < setup->sources[i].spec.prefix_count; j++)
            free(setup->sources[i].prefixes[j]);
        free(setup->sources[i].prefixes);
        free(setup->sources[i].heard);
    }
    for (unsigned i = 0; i < setup->door_count; i++)
        if (!setup->shares_ignore[i])
            free((void *)(uintptr_t)setup->doors[i].ignore);
    free(setup->shares_ignore);
    free(setup->sources);
    free(setup->doors);
    *setup = (struct listener_config){0};
}
