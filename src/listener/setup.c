#include "listener/setup.h"

#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/sort.h"
#include "listener/assemblies.h"
#include "listener/lines.h"
#include "listener/peers.h"

_Static_assert((int)CONFIG_SOURCES_MAX <= (int)MATCH_SOURCES, "the matcher knows every source");

static bool take_config(struct setup *setup, const struct record_config *config)
{
    if (setup->sources || config->sources > CONFIG_SOURCES_MAX || config->doors > SETUP_DOORS_MAX ||
        config->plain > config->doors || config->max_sources == 0 ||
        config->max_sources > CONFIG_MAX_SOURCES ||
        config->span > CARRIER_SPAN_END - CARRIER_SPAN_SIZE ||
        (config->span > 0 && config->max_sources < 2))
        return false;
    setup->config = *config;
    setup->sources = calloc(config->sources + 1, sizeof(*setup->sources));
    setup->doors = calloc(config->doors + 1, sizeof(*setup->doors));
    setup->shares_ignore = calloc(config->doors + 1, sizeof(*setup->shares_ignore));
    return setup->sources && setup->doors && setup->shares_ignore;
}

static bool take_source(struct setup *setup, const struct record_source *record)
{
    if (setup->source_count >= setup->config.sources)
        return false;
    struct setup_source *source = &setup->sources[setup->source_count++];
    source->type = record->type;
    source->spec.format = record->type == SOURCE_KMSG      ? LOG_KMSG
                          : record->format == FORMAT_ULOGD ? LOG_ULOGD
                                                           : LOG_KERNEL;
    return true;
}

static bool take_prefix(struct setup *setup, const struct record_prefix *record)
{
    if (setup->source_count == 0 || setup->door_count > 0 ||
        record->text[RECORD_PREFIX_MAX] != '\0')
        return false;
    struct setup_source *source = &setup->sources[setup->source_count - 1];
    unsigned count = source->spec.prefix_count;
    char **prefixes = realloc(source->prefixes, (count + 1) * sizeof(*prefixes));
    if (!prefixes)
        return false;
    source->prefixes = prefixes;
    prefixes[count] = strdup(record->text);
    source->spec.prefixes = (const char *const *)prefixes;
    source->spec.prefix_count += prefixes[count] != NULL;
    return prefixes[count] != NULL;
}

static bool take_door(struct setup *setup, const struct record_door *record)
{
    if (setup->source_count != setup->config.sources || setup->door_count >= setup->config.doors ||
        record->sequence.count > STEPS_MAX || record->interface[IF_NAMESIZE - 1] != '\0' ||
        record->like > setup->door_count)
        return false;
    struct match_door *door = &setup->doors[setup->door_count++];
    door->sequence = record->sequence;
    door->timeout = record->timeout;
    door->flags = record->flags;
    door->target = record->target;
    door->strict = record->strict != 0;
    memcpy(door->interface, record->interface, IF_NAMESIZE);
    if (record->like > 0) {
        setup->shares_ignore[setup->door_count - 1] = true;
        door->ignore = setup->doors[record->like - 1].ignore;
        door->ignore_count = setup->doors[record->like - 1].ignore_count;
    }
    return true;
}

static bool take_ignore(struct setup *setup, const struct record_ignore *record)
{
    const struct sequence *ports = &record->ports;
    if (setup->door_count == 0 || setup->shares_ignore[setup->door_count - 1] ||
        ports->count == 0 || ports->count > STEPS_MAX)
        return false;
    struct match_door *door = &setup->doors[setup->door_count - 1];
    size_t size = (door->ignore_count + ports->count) * sizeof(struct step);
    struct step *steps = realloc((void *)(uintptr_t)door->ignore, size);
    if (!steps)
        return false;
    memcpy(steps + door->ignore_count, ports->steps, ports->count * sizeof(*steps));
    door->ignore_count += ports->count;
    door->ignore = steps;
    return true;
}

static int compare_steps(const void *a, const void *b)
{
    const struct setup_step *x = a, *y = b;
    if (x->step.port != y->step.port)
        return x->step.port < y->step.port ? -1 : 1;
    if (x->step.proto != y->step.proto)
        return x->step.proto < y->step.proto ? -1 : 1;
    return x->door < y->door ? -1 : x->door > y->door;
}

static bool index_steps(struct setup *setup)
{
    unsigned all = 0;
    for (unsigned i = 0; i < setup->door_count; i++)
        all += setup->doors[i].sequence.count;
    setup->steps = calloc(all + 1, sizeof(*setup->steps));
    if (!setup->steps)
        return false;
    all = 0;
    for (unsigned i = 0; i < setup->door_count; i++)
        for (unsigned j = 0; j < setup->doors[i].sequence.count; j++)
            setup->steps[all++] = (struct setup_step){setup->doors[i].sequence.steps[j], i};
    setup->step_count =
        (unsigned)sort_unique(setup->steps, all, sizeof(*setup->steps), compare_steps);
    return true;
}

const struct setup_step *setup_doors_with(const struct setup *setup, struct step step,
                                          unsigned *count)
{
    struct setup_step wanted = {step, 0};
    unsigned low = 0, high = setup->step_count;
    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        if (compare_steps(&setup->steps[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low; high < setup->step_count && setup->steps[high].step.port == step.port &&
                     setup->steps[high].step.proto == step.proto;
         high++)
        ;
    *count = high - low;
    return setup->steps ? &setup->steps[low] : NULL;
}

uint64_t setup_memory(const struct record_config *config, uint64_t ignored)
{
    /* The program and its libraries, malloc's waste, and what an answer to `why` takes. */
    const uint64_t program = UINT64_C(128) << 20;
    /* The records of matcher and assembler, with their links and buckets. */
    const uint64_t address = sizeof(struct peer) + sizeof(struct assembly) + 512;
    /* A door in three copies, its steps one by one, and what the index and `why` have of it. */
    const uint64_t door = 4096;
    const uint64_t source = LOG_FILES * sizeof(struct lines) + 64 * (RECORD_PREFIX_MAX + 64);
    return program + config->max_sources * address + config->doors * door +
           config->sources * source + ignored * 2 * sizeof(struct step);
}

bool setup_match(const struct setup *setup, unsigned max, struct matcher **matcher,
                 struct assembler **assembler)
{
    const struct record_config *config = &setup->config;
    *assembler = NULL;
    *matcher = matcher_new(setup->doors, setup->door_count, max, config->key);
    if (!*matcher || config->span == 0)
        return *matcher != NULL;
    matcher_set_span(*matcher, (uint16_t)config->span);
    *assembler = assembler_new((uint16_t)config->span, max, config->key);
    return *assembler != NULL;
}

static bool take_start(struct setup *setup)
{
    if (!setup->sources || setup->source_count != setup->config.sources ||
        setup->door_count != setup->config.doors || setup->matcher || !index_steps(setup))
        return false;
    return setup_match(setup, setup->config.max_sources, &setup->matcher, &setup->assembler);
}

enum setup_result setup_take(struct setup *setup, const struct record *record)
{
    bool ok = false;
    switch (record->type) {
    case RECORD_CONFIG:
        setup->generation = record->generation;
        ok = take_config(setup, &record->u.config);
        break;
    case RECORD_SOURCE:
        ok = take_source(setup, &record->u.source);
        break;
    case RECORD_PREFIX:
        ok = take_prefix(setup, &record->u.prefix);
        break;
    case RECORD_DOOR:
        ok = take_door(setup, &record->u.door);
        break;
    case RECORD_IGNORE:
        ok = take_ignore(setup, &record->u.ignore);
        break;
    case RECORD_START:
        return take_start(setup) ? SETUP_COMPLETE : SETUP_BAD;
    }
    return ok ? SETUP_MORE : SETUP_BAD;
}

void setup_free(struct setup *setup)
{
    matcher_free(setup->matcher);
    assembler_free(setup->assembler);
    for (unsigned i = 0; i < setup->source_count; i++) {
        for (unsigned j = 0; j < setup->sources[i].spec.prefix_count; j++)
            free(setup->sources[i].prefixes[j]);
        free(setup->sources[i].prefixes);
    }
    for (unsigned i = 0; i < setup->door_count; i++)
        if (!setup->shares_ignore[i])
            free((void *)(uintptr_t)setup->doors[i].ignore);
    free(setup->shares_ignore);
    free(setup->steps);
    free(setup->sources);
    free(setup->doors);
    *setup = (struct setup){0};
}
