/* The listener's configuration as it arrives, message by message. */
#ifndef LISTENER_CONFIG_RECEIVE_H
#define LISTENER_CONFIG_RECEIVE_H

#include "lib/config.h"
#include "lib/message.h"
#include "listener/line_cache.h"
#include "listener/matcher.h"
#include "listener/reassembly.h"

/* The configuration's doors and all one-time sequences. */
enum { LISTENER_CONFIG_DOORS_MAX = 32000 };

struct listener_config_source {
    uint32_t type; /* enum source_type */
    struct line_spec spec;
    struct line_cache line_cache; /* of the lines read so far */
    bool remote;
    int64_t max_age; /* ns; 0: lines may have any time */
    char **prefixes;
    char (*heard)[IF_NAMESIZE]; /* interfaces whose packets count */
    unsigned heard_count;       /* 0: all do */
};

struct listener_config {
    uint32_t generation;
    struct message_config config;
    unsigned source_count; /* arrived so far; as many as config says at the end */
    struct listener_config_source *sources;
    unsigned door_count;
    struct match_door *doors;
    bool *shares_ignore;           /* of each door: its `ignore` is an earlier door's */
    struct matcher *matcher;       /* made when all has arrived */
    struct reassembly *reassembly; /* likewise; NULL: no door takes sealed knocks */
};

enum listener_config_result { LISTENER_CONFIG_MORE, LISTENER_CONFIG_COMPLETE, LISTENER_CONFIG_BAD };

/* Takes the next message. LISTENER_CONFIG_BAD: it doesn't belong here, or memory is short. */
enum listener_config_result listener_config_receive(struct listener_config *setup,
                                                    const struct message *message);
void listener_config_free(struct listener_config *setup);

/* Whether packets that come by `interface` count for the source. */
bool listener_config_hears(const struct listener_config_source *source, const char *interface);

/*
 * The most address space, in bytes, that a listener takes with this configuration: what it is and
 * reads, its doors, whose lists of ignored ports have `ignored` ports together, and all the tables
 * that grow with max_sources.
 */
uint64_t listener_config_memory(const struct message_config *config, uint64_t ignored);

/* A matcher, and a reassembly where there are sealed knocks, for what has arrived and up to `max`
 * addresses or entries. False when memory is short; the caller frees them either way. */
bool listener_config_match(const struct listener_config *setup, unsigned max,
                           struct matcher **matcher, struct reassembly **reassembly);

#endif
