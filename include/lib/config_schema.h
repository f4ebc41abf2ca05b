/*
 * Keys of configurations: how each is read, what it may be; and those of knockd.conf, and where
 * they may stand.
 */
#ifndef LIB_CONFIG_SCHEMA_H
#define LIB_CONFIG_SCHEMA_H

#include "lib/config_section.h"

/* The largest max_skew, in seconds. */
enum { CONFIG_SKEW_MAX = 600 };

#define CONFIG_SOURCE_TYPES "kmsg, journal, file, command or stdin"

/* What readers of values tell, and whether memory ran out on the way. */
struct parse_context {
    struct report *report;
    bool no_memory;
};

/*
 * `read` puts the value into `field`, `offset` bytes into the section's object (of knockd.conf a
 * struct config, config_source, config_door or config_sealed), or reports why it can't. NULL: a key
 * of the design that this version doesn't have.
 */
struct config_key {
    const char *name;
    void (*read)(struct parse_context *context, const struct config_key *key,
                 const struct config_list *values, void *field);
    size_t offset;
    int64_t min, max; /* durations: seconds; else the number itself, or lengths */
};

/* The kinds of sections of knockd.conf. */
enum { CONFIG_GLOBAL, CONFIG_SOURCE, CONFIG_DOOR, CONFIG_SEALED, CONFIG_KINDS };
const struct config_schema *config_schema(void);

/* Puts the section's values into `object`, which holds the defaults. */
void config_read_keys(struct parse_context *context, const struct config_section *section,
                      void *object);

/* Whether a door, source or profile may be called that. */
bool config_is_name(const char *text);

/* Puts the sections' values into `config`, which holds the defaults. */
void config_fill(struct parse_context *context, const struct config_sections *sections,
                 struct config *config);

/* What no single value shows: what is missing, what contradicts, what invites a scan. */
void config_check(const struct config *config, struct report *report);

/* Finds out which doors close others, by `closes` or by what their commands undo, and so how long
 * each is open. Tells of doors that can't close others, and of keys without an effect. */
void config_settle_closes(struct parse_context *context, struct config *config);

/* The same for sealed knocks: doors that can't be told apart, ports that would mean two things. */
void config_check_sealed(const struct config *config, struct report *report);

/* Readers of values, by the type of their field. */
typedef void config_read(struct parse_context *context, const struct config_key *key,
                         const struct config_list *values, void *field);
config_read read_user;        /* struct config */
config_read read_path;        /* char *: absolute, at most max bytes */
config_read read_facility;    /* int */
config_read read_duration;    /* int64_t: ns */
config_read read_number;      /* unsigned */
config_read read_type;        /* enum source_type */
config_read read_program;     /* struct config_text */
config_read read_command;     /* struct config_text, without shell syntax */
config_read read_format;      /* enum source_format */
config_read read_prefixes;    /* struct config_list */
config_read read_sequence;    /* struct config_door */
config_read read_flags;       /* struct flag_match */
config_read read_boolean;     /* bool */
config_read read_rate;        /* struct config_rate */
config_read read_port;        /* struct step */
config_read read_ignore;      /* struct config_door */
config_read read_ports;       /* struct config_door */
config_read read_key_names;   /* struct config_list */
config_read read_server_name; /* char * */
config_read read_address;     /* struct addr */
config_read read_interface;   /* char[IF_NAMESIZE] */
config_read read_allow;       /* struct config_door */
config_read read_door_names;  /* struct config_list */
config_read read_commands;    /* struct config_list */
config_read read_statuses;    /* uint64_t[4] */
config_read read_gone;        /* no field: tells what to use instead */

/* The one text of a key that takes no list; NULL, told already, if it was given another number. */
const struct config_text *read_one(struct parse_context *context, const struct config_key *key,
                                   const struct config_list *values);

/* Reports what only a shell would act on, in a command or rule, as an error. */
void check_shell_syntax(struct parse_context *context, const struct config_key *key,
                        const struct config_text *value);

/* Reads "30", "15s", "2m", "1h" or "1d" as ns. False when it is none of these. */
bool parse_duration(const char *text, int64_t *out);

/* Puts networks into *out, which the configuration owns. */
void read_nets(struct parse_context *context, const struct config_key *key,
               const struct config_list *values, struct net **out, unsigned *count);

/* Copies `text` to *out, over what was there. */
void read_copy(struct parse_context *context, const char *text, char **out);

#endif
