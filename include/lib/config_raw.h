/* A configuration as read but not yet understood: sections of keys of texts, each with its place.
 */
#ifndef LIB_CONFIG_RAW_H
#define LIB_CONFIG_RAW_H

#include "lib/config.h"
#include "lib/config_text.h"

enum config_kind { CONFIG_GLOBAL, CONFIG_SOURCE, CONFIG_DOOR, CONFIG_SEALED, CONFIG_KINDS };

struct config_key;

/* One key of a section with the texts that it was given. */
struct config_entry {
    const struct config_key *key;
    struct config_list values;
};

struct config_section {
    enum config_kind kind;
    char *title; /* NULL: none */
    struct config_pos pos;
    struct config_entry *entries;
    size_t count;
};

/* sections[0] is the global one. */
struct config_raw {
    struct config_section *sections;
    size_t count;
};

/* Reads the text by libconfuse into *raw, tells `report` of mistakes; false: the syntax is wrong.
 * The caller frees *raw either way. */
bool config_parse(const struct config_text_out *text, struct report *report,
                  struct config_raw *raw);

/* These return NULL or false when memory ran out. Texts are copied; what could steer a terminal
 * becomes ? in a title, where it is wrong anyway. */
struct config_section *config_raw_section(struct config_raw *raw, enum config_kind kind,
                                          const char *title, struct config_pos pos);
struct config_entry *config_raw_entry(struct config_section *section, const struct config_key *key,
                                      struct config_pos pos);
bool config_list_add(struct config_list *list, const char *text, struct config_pos pos);

/* The entry of `key`, NULL if it wasn't given. */
struct config_entry *config_raw_find(struct config_section *section, const struct config_key *key);

void config_list_free(struct config_list *list);
void config_raw_free(struct config_raw *raw);

/* "door", "source", "sealed"; NULL for the global one. */
const char *config_kind_name(enum config_kind kind);

#endif
