/* Readers of values: each checks the texts of a key, and puts what they mean into a field. */
#ifndef LIB_CONFIG_VALUES_H
#define LIB_CONFIG_VALUES_H

#include "lib/config_section.h"

/* The largest max_skew, in seconds. */
enum { CONFIG_SKEW_MAX = 600 };

#define CONFIG_SOURCE_TYPES "kmsg, journal, file, command, stdin, nflog or pcap"

/* Puts the section's values into `object`, which holds the defaults. */
void config_read_keys(struct parse_context *context, const struct config_section *section,
                      void *object);

/* By the type of their field. */
config_read read_user;        /* struct config */
config_read read_path;        /* char *: absolute, at most max bytes */
config_read read_facility;    /* int */
config_read read_duration;    /* int64_t: ns */
config_read read_bound;       /* the same, 0 for off */
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
config_read read_port;        /* struct port_proto */
config_read read_ignore;      /* struct config_door */
config_read read_ports;       /* struct config_door */
config_read read_key_names;   /* struct config_list */
config_read read_door_names;  /* struct config_list */
config_read read_sources;     /* struct config_list */
config_read read_server_name; /* char * */
config_read read_address;     /* struct addr */
config_read read_interface;   /* char[IF_NAMESIZE] */
config_read read_interfaces;  /* struct config_list: none for "any" */
config_read read_allow;       /* struct config_door */
config_read read_commands;    /* struct config_list */
config_read read_statuses;    /* uint64_t[4] */
config_read read_gone;        /* no field: reports what to use instead */

/* The one text of a key that takes no list; NULL, reported already, if it was given another number.
 */
const struct config_text *read_one(struct parse_context *context, const struct config_key *key,
                                   const struct config_list *values);

/* Whether a door, source or profile may be called that. */
bool config_is_name(const char *text);

/* Reports what only a shell would act on, in a command or rule, as an error. */
void check_shell_syntax(struct parse_context *context, const struct config_key *key,
                        const struct config_text *value);

/* Reads "30", "15s", "2m", "1h" or "1d" as ns. False when it is none of these. */
bool parse_duration(const char *text, int64_t *out);

/* Copies `text` to *out, over what was there. */
void read_copy(struct parse_context *context, const char *text, char **out);

#endif
