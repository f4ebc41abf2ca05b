/*
 * A configuration as read but not yet understood: sections of keys of texts, each with its place.
 * Which keys and sections there may be is the schema's matter, of which there is one for each kind
 * of file.
 */
#ifndef LIB_CONFIG_SECTION_H
#define LIB_CONFIG_SECTION_H

#include "lib/config.h"
#include "lib/config_text.h"

enum { CONFIG_KINDS_MAX = 4 };

struct config_key;

/* A kind of section. */
struct config_kind {
    const char *name;              /* "door"; NULL for what stands outside of any section */
    const struct config_key *keys; /* at least one; behind the last, one without a name */
    unsigned max;                  /* sections of this kind in a file */
    bool titled;                   /* door "TITLE" { ... }, each title once; else door { ... } */
};

/* kinds[0] is what stands outside of any section. */
struct config_schema {
    struct config_kind kinds[CONFIG_KINDS_MAX];
    unsigned kind_count;
    bool secret; /* keeps values from libconfuse, and words that hold a digit out of messages */
};

/* One key of a section with the texts that it was given. */
struct config_entry {
    const struct config_key *key;
    struct config_list values;
};

struct config_section {
    unsigned kind; /* of the schema's */
    char *title;   /* NULL: none */
    struct config_pos pos;
    struct config_entry *entries;
    size_t count;
};

/* sections[0] is the global one. */
struct config_sections {
    struct config_section *sections;
    size_t count;
};

/* Reads the text by libconfuse into *sections, tells `report` of mistakes; false: the syntax is
 * wrong. The caller frees *sections either way; its entries point to the schema's keys. The text of
 * a secret schema is of no use afterwards. */
bool config_parse(const struct config_text_out *text, const struct config_schema *schema,
                  struct report *report, struct config_sections *sections);

/* These return NULL or false when memory ran out. Texts are copied; what could steer a terminal
 * becomes ? in a title, where it is wrong anyway. */
struct config_section *config_section_add(struct config_sections *sections, unsigned kind,
                                          const char *title, struct config_pos pos);
struct config_entry *config_entry_add(struct config_section *section, const struct config_key *key,
                                      struct config_pos pos);
bool config_list_add(struct config_list *list, const char *text, struct config_pos pos);

/* The entry of `key`, NULL if it wasn't given. */
struct config_entry *config_entry_find(struct config_section *section,
                                       const struct config_key *key);

/* Whether the section has the key of that name. */
bool config_given(const struct config_section *section, const char *name);

/* These wipe the texts: any may be a secret. */
void config_list_free(struct config_list *list);
void config_sections_free(struct config_sections *sections);

#endif
