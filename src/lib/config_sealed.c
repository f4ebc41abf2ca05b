/* What sealed knocks demand of a configuration as a whole. */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/config_check.h"
#include "lib/sealed.h"

/* Whether packets to this port are sealed knocks, and so never reach a sequence. */
static bool carries(const struct config_sealed *sealed, struct port_proto step)
{
    return carrier_has((uint16_t)sealed->span, step.proto, step.port);
}

/* Nor do those that may be a sealed knock in one packet. */
static bool is_packet_port(const struct config_sealed *sealed, struct port_proto step)
{
    return step.proto == IPPROTO_UDP && step.port == sealed->packet_port;
}

static void report_step(const struct config_sealed *sealed, const struct config_door *door,
                        struct port_proto step, struct report *report)
{
    if (carries(sealed, step))
        report_error(report, door->sequence_pos,
                     "door \"%s\": %u:%s carries sealed knocks, from port %u on, so no sequence "
                     "can use it: choose another port, or another span (sealed { span })",
                     door->name, step.port, proto_name(step.proto), sealed->span);
    else
        report_error(report, door->sequence_pos,
                     "door \"%s\": %u:udp is the packet_port, so no sequence can use it: choose "
                     "another port, or another packet_port (sealed { packet_port })",
                     door->name, step.port);
}

static void check_sequence(const struct config_sealed *sealed, const struct config_door *door,
                           struct report *report)
{
    for (unsigned i = 0; i < door->sequence.count; i++) {
        struct port_proto step = door->sequence.steps[i];
        if (carries(sealed, step) || is_packet_port(sealed, step)) {
            report_step(sealed, door, step, report);
            return;
        }
    }
}

/* A port that is open is not logged, so what it should carry would be lost. */
static void check_opened(const struct config_sealed *sealed, const struct config_door *door,
                         struct port_proto step, struct report *report)
{
    if (step.port && carries(sealed, step))
        report_error(
            report, door->pos,
            "door \"%s\": %u:%s carries sealed knocks, from port %u on, so no door can open "
            "it: choose another span (sealed { span })",
            door->name, step.port, proto_name(step.proto), sealed->span);
}

/* A sealed knock names a port by its number alone. */
static void check_ports(const struct config_door *door, struct report *report)
{
    for (unsigned i = 0; i < door->port_count; i++) {
        struct port_proto step = door->ports[i];
        bool twice = step.port == door->port.port && step.proto != door->port.proto;
        for (unsigned j = 0; j < i; j++)
            twice |= step.port == door->ports[j].port;
        if (twice)
            report_error(report, door->pos,
                         "door \"%s\": port %u stands twice in ports, and a sealed knock names a "
                         "number alone: give each protocol a door of its own",
                         door->name, step.port);
    }
}

static void check_door(const struct config *config, const struct config_door *door,
                       struct report *report)
{
    const struct config_sealed *sealed = &config->sealed;
    check_sequence(sealed, door, report);
    check_opened(sealed, door, door->port, report);
    for (unsigned i = 0; i < door->port_count; i++)
        check_opened(sealed, door, door->ports[i], report);
    if (door->keys.count == 0)
        return;
    check_ports(door, report);
    if (door->max_timeout && door->max_timeout < door->cmd_timeout)
        report_error(
            report, door->pos,
            "door \"%s\": max_timeout is shorter than cmd_timeout, the time of a knock that "
            "asks for none: make it at least as long",
            door->name);
}

/* A door by the name that requests have for it. */
struct named {
    uint8_t id[SEALED_DOOR_SIZE];
    const struct config_door *door;
};

static int compare(const void *a, const void *b)
{
    return memcmp(((const struct named *)a)->id, ((const struct named *)b)->id, SEALED_DOOR_SIZE);
}

static void check_names(const struct config *config, struct report *report)
{
    unsigned count = 0;
    struct named *list = calloc(config->door_count + 1, sizeof(*list));
    if (!list) {
        report_error(report, (struct config_pos){config->files[0], 0},
                     "out of memory while checking the configuration");
        return;
    }
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].keys.count > 0) {
            sealed_door(config->doors[i].name, list[count].id);
            list[count++].door = &config->doors[i];
        }
    qsort(list, count, sizeof(*list), compare);
    for (unsigned i = 1; i < count; i++)
        if (compare(&list[i - 1], &list[i]) == 0)
            report_error(
                report, list[i].door->pos,
                "door \"%s\": sealed knocks can't tell its name from \"%s\" (%s:%d), by the "
                "three bytes that they have for it: call one of them otherwise",
                list[i].door->name, list[i - 1].door->name, list[i - 1].door->pos.file,
                list[i - 1].door->pos.line);
    free(list);
}

/* A source that captures packets couldn't tell one from the other. */
static void check_packet_port(const struct config *config, struct report *report)
{
    const struct config_sealed *sealed = &config->sealed;
    struct carrier_piece piece;
    if (carrier_read((uint16_t)sealed->span, IPPROTO_UDP, (uint16_t)sealed->packet_port, 0, &piece))
        report_error(report, sealed->pos,
                     "packet_port: %u carries pieces of sealed knocks, from port %u on: choose "
                     "another port",
                     sealed->packet_port, sealed->span);
}

void config_check_sealed(const struct config *config, struct report *report)
{
    if (config->sealed.span == 0)
        return;
    if (config->sealed.server[0] == '\0')
        report_error(
            report, config->sealed.pos,
            "this host has no name: expected sealed { server = \"gate.example\" }, the name "
            "that key files have");
    for (unsigned i = 0; i < config->door_count; i++)
        check_door(config, &config->doors[i], report);
    check_names(config, report);
    check_packet_port(config, report);
}
