/* The listener's configuration as it arrives, record by record. */
#ifndef LISTENER_SETUP_H
#define LISTENER_SETUP_H

#include "lib/config.h"
#include "lib/record.h"
#include "listener/assembler.h"
#include "listener/heads.h"
#include "listener/matcher.h"

/* The configuration's doors and all one-time sequences. */
enum { SETUP_DOORS_MAX = 32000 };

struct setup_source {
    uint32_t type; /* enum source_type */
    struct line_spec spec;
    struct heads heads; /* of the lines read so far */
    char **prefixes;
};

/* That a port is some step of a door: who a packet may bring further. */
struct setup_step {
    struct step step;
    unsigned door;
};

struct setup {
    uint32_t generation;
    struct record_config config;
    unsigned source_count; /* arrived so far; as many as config says at the end */
    struct setup_source *sources;
    unsigned door_count;
    struct match_door *doors;
    bool *shares_ignore;         /* of each door: its `ignore` is an earlier door's */
    struct matcher *matcher;     /* made when all has arrived */
    struct assembler *assembler; /* likewise; NULL: no door takes sealed knocks */
    struct setup_step *steps;    /* of all doors, by port, sorted; each once */
    unsigned step_count;
};

enum setup_result { SETUP_MORE, SETUP_COMPLETE, SETUP_BAD };

/* Takes the next record. SETUP_BAD: it doesn't belong here, or memory is short. */
enum setup_result setup_take(struct setup *setup, const struct record *record);
void setup_free(struct setup *setup);

/*
 * The most address space, in bytes, that a listener takes with this configuration: what it is and
 * reads, its doors, whose lists of ignored ports have `ignored` ports together, and all the tables
 * that grow with max_sources.
 */
uint64_t setup_memory(const struct record_config *config, uint64_t ignored);

/* A matcher, and an assembler where there are sealed knocks, for what has arrived and up to `max`
 * addresses or records. False when memory is short; the caller frees them either way. */
bool setup_match(const struct setup *setup, unsigned max, struct matcher **matcher,
                 struct assembler **assembler);

/* The entries of `steps` for one port: returns the first and sets *count. */
const struct setup_step *setup_doors_with(const struct setup *setup, struct step step,
                                          unsigned *count);

#endif
