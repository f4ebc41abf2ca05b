/* What knockd.conf lacks, contradicts itself in, or invites a port scan by. */
#include "lib/config_check.h"

#include <stdio.h>
#include <string.h>

#include "lib/message.h"

static bool is_step(const struct sequence *sequence, struct port_proto step)
{
    for (unsigned i = 0; i < sequence->count; i++)
        if (port_proto_equal(sequence->steps[i], step))
            return true;
    return false;
}

/* Whether two captures hear one interface; without a list they hear all. */
static bool share_interface(const struct config_list *a, const struct config_list *b)
{
    bool shared = a->count == 0 || b->count == 0;
    for (unsigned i = 0; i < a->count && !shared; i++)
        shared = config_list_has(b, a->items[i].text);
    return shared;
}

static bool same_log(const struct config_source *a, const struct config_source *b)
{
    if (a->type != b->type || a->type == SOURCE_UNKNOWN)
        return false;
    if (a->type == SOURCE_FILE)
        return a->path && b->path && strcmp(a->path, b->path) == 0;
    if (a->type == SOURCE_NFLOG)
        return a->group == b->group;
    if (a->type == SOURCE_PCAP)
        return share_interface(&a->interfaces, &b->interfaces);
    return a->type != SOURCE_COMMAND;
}

/* Two readers of one log would see every knock twice. */
static void check_sources(const struct config *config, struct report *report)
{
    if (config->source_count == 0)
        report_error(report, (struct config_pos){config->files[0], 0},
                     "there is no source: expected source \"NAME\" { type = kmsg } or the like");
    for (unsigned i = 0; i < config->source_count; i++)
        for (unsigned j = 0; j < i; j++) {
            const struct config_source *a = &config->sources[i], *b = &config->sources[j];
            if (!same_log(a, b))
                continue;
            report_error(
                report, a->pos,
                source_is_captured(a->type)
                    ? "source \"%s\" hears the same packets as source \"%s\" in %s:%d: put "
                      "the interfaces of both into one"
                    : "source \"%s\" reads the same log as source \"%s\" in %s:%d: put the "
                      "prefixes of both into one",
                a->name, b->name, b->pos.file, b->pos.line);
        }
}

/* When the stream is away, a gateway's own source still opens its own doors. */
static void check_streams(const struct config *config, struct report *report)
{
    unsigned own = 0;
    for (unsigned i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        own += !source->remote;
        if (source->remote && source->max_age == 0)
            report_warning(report, source->pos,
                           "source \"%s\" is remote and has no max_age: what was kept in an outage "
                           "opens doors when the stream comes back; expected max_age = 10 or the "
                           "like",
                           source->name);
    }
    if (own == 0 && config->source_count > 0)
        report_warning(
            report, config->sources[0].pos,
            "all sources are remote: while the stream is away, nothing opens; add one of "
            "this host's own, of type kmsg or file");
}

/* Once doors name the sources that they hear, one may be left over. */
static void check_heard(const struct config *config, struct report *report)
{
    uint64_t unheard = config->door_count > 0 ? UINT64_MAX : 0;
    for (unsigned i = 0; i < config->door_count; i++)
        unheard &= config->doors[i].unheard;
    for (unsigned i = 0; i < config->source_count; i++)
        if (unheard >> i & 1)
            report_warning(report, config->sources[i].pos,
                           "source \"%s\": no door hears it: name it in a door's source, or remove "
                           "it",
                           config->sources[i].name);
}

/* Who reads or writes what several hosts share knows the sequences in it. */
static void check_remote(const struct config *config, const struct config_source *source,
                         struct report *report)
{
    const struct config_door *first = NULL;
    char others[32] = "";
    unsigned count = 0;
    for (unsigned i = 0; source->remote && i < config->door_count; i++) {
        const struct config_door *door = &config->doors[i];
        if (door->sequence.count == 0 || door->sources.set)
            continue;
        first = first ? first : door;
        count++;
    }
    if (count > 1)
        snprintf(others, sizeof(others), " and %u more", count - 1);
    if (first)
        report_warning(report, source->pos,
                       "source \"%s\": whoever can write into what it reads opens door \"%s\"%s by "
                       "sequence: name the sources that each door hears, as source = { ... }, this "
                       "one or not",
                       source->name, first->name, others);
}

static void check_commands(const struct config_door *door, struct report *report)
{
    bool starts = door->ip4.start.count || door->ip6.start.count;
    const struct config_list *command = door->ip4.start.set   ? &door->ip4.start
                                        : door->ip4.stop.set  ? &door->ip4.stop
                                        : door->ip6.start.set ? &door->ip6.start
                                        : door->ip6.stop.set  ? &door->ip6.stop
                                                              : NULL;
    if (door->rules.count && command)
        report_error(report, command->pos,
                     "door \"%s\" has both rule and start or stop commands: keep one; knockd "
                     "derives the commands of a rule itself",
                     door->name);
    else if (!door->rules.count && !starts && !door->closes.set)
        report_error(report, door->pos,
                     "door \"%s\" opens nothing: expected rule = \"INPUT -s %%IP%% ... -j ACCEPT\" "
                     "or start_command",
                     door->name);
}

/* An empty stop_command means that nothing need be undone: no reason to warn. */
static void check_undo(const struct config_door *door, struct report *report)
{
    if (door->closer || door->closes.count > 0 || door->expires)
        return;
    bool missing = door->ip4.start.count && !door->ip4.stop.set;
    bool missing6 = door->ip6.start.count && !door->ip6.stop.set && !door->ip4.stop.set;
    if (missing || missing6)
        report_warning(report, missing ? door->ip4.start.pos : door->ip6.start.pos,
                       "door \"%s\" has no %s: what it opens stays open; see closes in "
                       "knockd.conf(5)",
                       door->name, missing ? "stop_command" : "stop_command_6");
}

static bool has_neighbours(const struct sequence *s)
{
    for (unsigned i = 1; i < s->count; i++) {
        int distance = s->steps[i].port - s->steps[i - 1].port;
        if (s->steps[i].proto == s->steps[i - 1].proto && (distance == 1 || distance == -1))
            return true;
    }
    return false;
}

static unsigned common_divisor(unsigned a, unsigned b)
{
    while (b > 0) {
        unsigned rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/*
 * Real scanners try 1000, 2000, 3000 and so on, upwards or downwards, or divide all ports among
 * workers that go side by side. Neighbours are another case.
 */
static bool lies_on_stride(const struct sequence *s)
{
    enum { STRIDE_LEAST = 100 };
    unsigned stride = 0;
    bool up = s->count > 1 && s->steps[1].port > s->steps[0].port;
    for (unsigned i = 1; i < s->count; i++) {
        int distance = s->steps[i].port - s->steps[i - 1].port;
        if ((distance > 0) != up || s->steps[i].proto != s->steps[0].proto)
            return false;
        stride = common_divisor(stride, (unsigned)(up ? distance : -distance));
    }
    return s->count >= STEPS_SAFE && stride >= STRIDE_LEAST;
}

static bool ascends(const struct sequence *s)
{
    for (unsigned i = 1; i < s->count; i++)
        if (s->steps[i].port <= s->steps[i - 1].port)
            return false;
    return s->count > 1;
}

static void check_scans(const struct config_door *door, struct report *report)
{
    const struct sequence *s = &door->sequence;
    unsigned different = sequence_different(s);
    if (s->count > 0 && s->count < STEPS_SAFE)
        report_warning(report, door->sequence_pos,
                       "door \"%s\": a sequence of fewer than 3 steps is opened by many port "
                       "scans: add steps",
                       door->name);
    else if (s->count > 0 && different < STEPS_SAFE)
        report_warning(report, door->sequence_pos,
                       "door \"%s\": a sequence of fewer than 3 different steps is opened by port "
                       "scans that try each port several times: use different ports",
                       door->name);
    if (has_neighbours(s))
        report_warning(report, door->sequence_pos,
                       "door \"%s\": neighbouring ports are what a port scan tries one after "
                       "another: choose ports further apart",
                       door->name);
    if (lies_on_stride(s))
        report_warning(
            report, door->sequence_pos,
            "door \"%s\": ports at multiples of one distance are what some port "
            "scans try one after another: choose ports without a pattern (knockctl sequence)",
            door->name);
    if (!door->strict && ascends(s))
        report_warning(report, door->sequence_pos,
                       "door \"%s\": with strict = false a port scan from low to high opens an "
                       "ascending sequence: change the order",
                       door->name);
}

/* A tolerant door forgives any number of strays anyway. */
static void check_strays(const struct config_door *door, struct report *report)
{
    if (!door->strict && door->strays >= 0)
        report_error(report, door->pos,
                     "door \"%s\" has both strays and strict = false, which forgives any number "
                     "of strays: keep one",
                     door->name);
    else if (door->strays >= 0 && door->sequence.count == 0 && !door->once_path.text)
        report_error(report, door->pos,
                     "door \"%s\" has strays, but no sequence: remove it, sealed knocks have no "
                     "strays",
                     door->name);
}

/* A packet can't both count as a step and never count. */
static void check_ignored(const struct config_door *door, struct report *report)
{
    for (unsigned i = 0; i < door->ignore_count; i++) {
        struct port_proto step = door->ignore[i];
        if (!is_step(&door->sequence, step))
            continue;
        bool opens = door->port.port && port_proto_equal(step, door->port);
        for (unsigned j = 0; j < door->port_count; j++)
            opens |= port_proto_equal(step, door->ports[j]);
        report_error(report, door->sequence_pos,
                     "door \"%s\": %u:%s is a step of the sequence, but %s: choose another port",
                     door->name, step.port, proto_name(step.proto),
                     opens ? "it is a port that the door opens" : "ignore names it as well");
        return;
    }
}

/* Without %IP%, one knock opens for every address. */
static void check_rules(const struct config_door *door, struct report *report)
{
    for (unsigned i = 0; i < door->rules.count; i++)
        if (!strstr(door->rules.items[i].text, "%IP%"))
            report_warning(report, door->rules.items[i].pos,
                           "door \"%s\": a rule without %%IP%% opens for everybody, whoever knocks",
                           door->name);
}

static void check_door(const struct config_door *door, struct report *report)
{
    if (door->once_path.text && door->once_path.text[0] != '/')
        report_error(report, door->once_path.pos,
                     "one_time_sequences: \"%.200s\" is no absolute path: expected one that begins "
                     "with /",
                     door->once_path.text);
    if (door->sequence_pos.line == 0 && !door->once_path.text && !door->keys.set)
        report_error(report, door->pos,
                     "door \"%s\" has no sequence: expected sequence = { 40112, 28733:udp, 51990 } "
                     "or the like, or key = { alice } for sealed knocks",
                     door->name);
    check_commands(door, report);
    check_undo(door, report);
    check_rules(door, report);
    check_scans(door, report);
    check_strays(door, report);
    check_ignored(door, report);
}

/* Whether the steps of `a` are the last steps of `b`. */
static bool is_suffix(const struct sequence *a, const struct sequence *b)
{
    if (a->count == 0 || a->count > b->count)
        return false;
    for (unsigned i = 1; i <= a->count; i++)
        if (!port_proto_equal(a->steps[a->count - i], b->steps[b->count - i]))
            return false;
    return true;
}

/* Whether there may be packets that both doors listen to, of a source that both hear. */
static bool may_meet(const struct config_door *a, const struct config_door *b)
{
    if (a->target.family && b->target.family && !addr_equal(&a->target, &b->target))
        return false;
    if ((~a->unheard & ~b->unheard) == 0)
        return false;
    return !a->interface[0] || !b->interface[0] || strcmp(a->interface, b->interface) == 0;
}

static void check_overlap(const struct config *config, struct report *report)
{
    for (unsigned i = 0; i < config->door_count; i++)
        for (unsigned j = 0; j < config->door_count; j++) {
            const struct config_door *a = &config->doors[i], *b = &config->doors[j];
            bool equal = a->sequence.count == b->sequence.count;
            if (i == j || (equal && i < j) || !is_suffix(&a->sequence, &b->sequence) ||
                !may_meet(a, b))
                continue;
            report_warning(report, a->sequence_pos,
                           "door \"%s\": whoever knocks at door \"%s\" (%s:%d) opens this one as "
                           "well, since its sequence is %s",
                           a->name, b->name, b->sequence_pos.file, b->sequence_pos.line,
                           equal ? "the same" : "the end of that one");
        }
}

/* Each door uses the lines of its file up by itself. */
static void check_shared_lists(const struct config *config, struct report *report)
{
    for (unsigned i = 1; i < config->door_count; i++)
        for (unsigned j = 0; j < i; j++) {
            const struct config_door *first = &config->doors[j], *door = &config->doors[i];
            if (!first->once_path.text || !door->once_path.text ||
                strcmp(first->once_path.text, door->once_path.text) != 0)
                continue;
            report_warning(report, door->once_path.pos,
                           "door \"%s\": door \"%s\" (%s:%d) has the same file of one-time "
                           "sequences: one that is used up there may still open here; give each "
                           "door a file of its own",
                           door->name, first->name, first->once_path.pos.file,
                           first->once_path.pos.line);
            break;
        }
}

/* Names of interfaces, each once, as the listener gets them. */
struct names {
    unsigned count;
    const char *names[INTERFACES_MAX];
};

/* False: there are too many. */
static bool count_name(struct names *names, const char *name)
{
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->names[i], name) == 0)
            return true;
    if (*name == '\0')
        return true;
    if (names->count == INTERFACES_MAX)
        return false;
    names->names[names->count++] = name;
    return true;
}

static void report_interfaces(struct config_pos pos, struct report *report)
{
    report_error(report, pos,
                 "interface: more than %d different interfaces: expected fewer, where a source is "
                 "of type nflog or pcap",
                 INTERFACES_MAX);
}

/* Packets name their interface by a number, and the listener has a table of those. */
static void check_interfaces(const struct config *config, struct report *report)
{
    struct names names = {0};
    bool packets = false;
    for (unsigned i = 0; i < config->source_count; i++)
        packets |= source_is_of_packets(config->sources[i].type);
    for (unsigned i = 0; packets && i < config->source_count; i++)
        for (unsigned j = 0; j < config->sources[i].interfaces.count; j++) {
            const struct config_text *name = &config->sources[i].interfaces.items[j];
            if (!count_name(&names, name->text)) {
                report_interfaces(name->pos, report);
                return;
            }
        }
    for (unsigned i = 0; packets && i < config->door_count; i++)
        if (!count_name(&names, config->doors[i].interface)) {
            report_interfaces(config->doors[i].pos, report);
            return;
        }
}

void config_check(const struct config *config, struct report *report)
{
    check_sources(config, report);
    check_interfaces(config, report);
    check_heard(config, report);
    check_streams(config, report);
    for (unsigned i = 0; i < config->source_count; i++)
        check_remote(config, &config->sources[i], report);
    if (config->door_count == 0)
        report_error(report, (struct config_pos){config->files[0], 0},
                     "there is no door: expected door \"NAME\" { sequence = ... rule = ... }");
    for (unsigned i = 0; i < config->door_count; i++)
        check_door(&config->doors[i], report);
    check_overlap(config, report);
    check_shared_lists(config, report);
    config_check_sealed(config, report);
}
