/* The listener's configuration as it arrives, record by record. */
#ifndef LISTENER_SETUP_H
#define LISTENER_SETUP_H

#include "lib/config.h"
#include "lib/record.h"
#include "listener/logline.h"
#include "listener/matcher.h"

struct setup_source {
    uint32_t type; /* enum source_type */
    struct line_spec spec;
    char **prefixes;
};

struct setup {
    uint32_t generation;
    struct record_config config;
    unsigned source_count; /* arrived so far; as many as config says at the end */
    struct setup_source *sources;
    unsigned door_count;
    struct match_door *doors;
    struct matcher *matcher; /* made when all has arrived */
};

enum setup_result { SETUP_MORE, SETUP_COMPLETE, SETUP_BAD };

/* Takes the next record. SETUP_BAD: it doesn't belong here, or memory is short. */
enum setup_result setup_take(struct setup *setup, const struct record *record);
void setup_free(struct setup *setup);

#endif
