/*
 * A configuration file as libconfuse read it, with what it includes: sections of keys of texts,
 * each with its place. What the texts mean is for the readers of the schema's keys.
 */
#ifndef LIB_CONFIG_SECTION_H
#define LIB_CONFIG_SECTION_H

#include "lib/config_file.h"
#include "lib/config_schema.h"

enum {
    CONFIG_FILES_MAX = 256, /* files in all, so that includes can't multiply for ever */
    CONFIG_INCLUDE_DEPTH_MAX = 10,
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

struct config_sections {
    struct config_section *items; /* items[0]: what stands outside of any section */
    size_t count;
    char **files; /* names of the files read; every config_pos points to one */
    unsigned file_count;
};

/*
 * Reads the file at `path` and what it includes. Reports what is wrong with the syntax, and returns
 * false. The caller calls config_sections_free() either way, after its last use of a position; or
 * it takes `files` before.
 */
bool config_parse(const char *path, const struct config_schema *schema, struct report *report,
                  struct config_sections *out);

/* The same of a file that was read, which is freed. `path` is its name in messages. */
bool config_parse_file(const char *path, struct config_file *file,
                       const struct config_schema *schema, struct report *report,
                       struct config_sections *out);

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

/* Puts ? for what could steer a terminal, since texts of the file are repeated in messages. */
void config_printable(char *text);

#endif
