/*
 * The schema of a kind of configuration file: its sections, their keys, and how the value of each
 * key is read. There is one for knockd.conf, key files and knock.conf each.
 */
#ifndef LIB_CONFIG_SCHEMA_H
#define LIB_CONFIG_SCHEMA_H

#include "lib/config.h"

enum { CONFIG_KINDS_MAX = 4 };

/* What the readers of values report to, and whether memory ran out. */
struct parse_context {
    struct report *report;
    bool no_memory;
};

struct config_key;
typedef void config_read(struct parse_context *context, const struct config_key *key,
                         const struct config_list *values, void *field);

/*
 * `read` puts the value into `field`, `offset` bytes into the section's object (of knockd.conf a
 * struct config, config_source, config_door or config_sealed), or reports why it can't. NULL: a key
 * of the design that this version doesn't have.
 */
struct config_key {
    const char *name;
    config_read *read;
    size_t offset;
    int64_t min, max; /* durations: seconds; else the number itself, or lengths */
};

/* A kind of section. */
struct config_kind {
    const char *name;              /* "door"; NULL for what stands outside of any section */
    const struct config_key *keys; /* at least one; behind the last, one without a name */
    unsigned max;                  /* sections of this kind in a file */
    bool titled;                   /* door "TITLE" { ... }, each title once; else door { ... } */
};

/* A key that another program or version has: what to write instead. */
struct config_replaced {
    const char *name; /* in any case */
    const char *kind; /* the section that it stands in; NULL: outside of any */
    const char *advice;
};

struct config_file;

/* kinds[0] is what stands outside of any section. */
struct config_schema {
    struct config_kind kinds[CONFIG_KINDS_MAX];
    unsigned kind_count;
    bool secret; /* keeps values from libconfuse, and words that may be one out of messages; such a
                  * file includes no other */
    const struct config_replaced *replaced; /* behind the last, one without a name; NULL: none */
    const char *ini; /* the command that converts a file that begins like an INI file; NULL: none */
    /* Whether the file may be used; reports why not. NULL: each may. */
    bool (*check_file)(const struct config_file *file, const char *path, struct report *report);
};

/* The kinds of sections of knockd.conf, and its schema. */
enum { CONFIG_GLOBAL, CONFIG_SOURCE, CONFIG_DOOR, CONFIG_SEALED, CONFIG_KINDS };
const struct config_schema *config_schema(void);

/* Whether several texts may be given to the key. */
bool config_takes_list(const struct config_key *key);

#endif
