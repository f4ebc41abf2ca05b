#include "listener/setup.h"

#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"

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
    return setup->sources && setup->doors;
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
        record->sequence.count > STEPS_MAX || record->interface[IF_NAMESIZE - 1] != '\0')
        return false;
    struct match_door *door = &setup->doors[setup->door_count++];
    door->sequence = record->sequence;
    door->timeout = record->timeout;
    door->flags = record->flags;
    door->target = record->target;
    door->strict = record->strict != 0;
    memcpy(door->interface, record->interface, IF_NAMESIZE);
    return true;
}

static bool take_ignore(struct setup *setup, const struct record_ignore *record)
{
    if (setup->door_count == 0)
        return false;
    struct match_door *door = &setup->doors[setup->door_count - 1];
    struct step *steps = malloc((door->ignore_count + 1) * sizeof(*steps));
    if (!steps)
        return false;
    if (door->ignore_count > 0)
        memcpy(steps, door->ignore, door->ignore_count * sizeof(*steps));
    steps[door->ignore_count++] = record->step;
    free((void *)(uintptr_t)door->ignore);
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
    unsigned all = 0, kept = 0;
    for (unsigned i = 0; i < setup->door_count; i++)
        all += setup->doors[i].sequence.count;
    setup->steps = calloc(all + 1, sizeof(*setup->steps));
    if (!setup->steps)
        return false;
    all = 0;
    for (unsigned i = 0; i < setup->door_count; i++)
        for (unsigned j = 0; j < setup->doors[i].sequence.count; j++)
            setup->steps[all++] = (struct setup_step){setup->doors[i].sequence.steps[j], i};
    qsort(setup->steps, all, sizeof(*setup->steps), compare_steps);
    for (unsigned i = 0; i < all; i++)
        if (kept == 0 || compare_steps(&setup->steps[kept - 1], &setup->steps[i]) != 0)
            setup->steps[kept++] = setup->steps[i];
    setup->step_count = kept;
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
        free((void *)(uintptr_t)setup->doors[i].ignore);
    free(setup->steps);
    free(setup->sources);
    free(setup->doors);
    *setup = (struct setup){0};
}
