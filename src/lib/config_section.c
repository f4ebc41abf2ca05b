/* Owns the sections, keys and texts that were read of configuration files. */
#include "lib/config_section.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/config_messages.h"
#include "lib/config_schema.h"
#include "lib/crypto.h"
#include "lib/grow.h"

struct config_section *config_section_add(struct config_sections *sections, unsigned kind,
                                          const char *title, struct config_pos pos)
{
    struct config_section *more = grow(sections->items, sections->count, sizeof(*more));
    if (!more)
        return NULL;
    sections->items = more;
    struct config_section section = {.kind = kind, .pos = pos};
    if (title && !(section.title = strdup(title)))
        return NULL;
    if (title)
        config_printable(section.title);
    more[sections->count] = section;
    return &more[sections->count++];
}

struct config_entry *config_entry_find(struct config_section *section, const struct config_key *key)
{
    for (size_t i = 0; i < section->count; i++)
        if (section->entries[i].key == key)
            return &section->entries[i];
    return NULL;
}

struct config_entry *config_entry_add(struct config_section *section, const struct config_key *key,
                                      struct config_pos pos)
{
    struct config_entry *more = realloc(section->entries, (section->count + 1) * sizeof(*more));
    if (!more)
        return NULL;
    section->entries = more;
    more[section->count] = (struct config_entry){.key = key, .values = {.set = true, .pos = pos}};
    return &more[section->count++];
}

bool config_given(const struct config_section *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++)
        if (strcmp(section->entries[i].key->name, name) == 0)
            return true;
    return false;
}

bool config_list_add(struct config_list *list, const char *text, struct config_pos pos)
{
    struct config_text *more = realloc(list->items, (list->count + 1) * sizeof(*more));
    if (!more)
        return false;
    list->items = more;
    char *copy = strdup(text);
    if (!copy)
        return false;
    struct config_text *item = &more[list->count++];
    item->text = copy;
    item->pos = pos;
    return true;
}

void config_list_free(struct config_list *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        crypto_wipe(list->items[i].text, strlen(list->items[i].text));
        free(list->items[i].text);
    }
    free(list->items);
    *list = (struct config_list){0};
}

bool config_list_has(const struct config_list *list, const char *text)
{
    for (unsigned i = 0; i < list->count; i++)
        if (strcmp(list->items[i].text, text) == 0)
            return true;
    return false;
}

void config_sections_free(struct config_sections *sections)
{
    for (size_t i = 0; i < sections->count; i++) {
        struct config_section *section = &sections->items[i];
        for (size_t j = 0; j < section->count; j++)
            config_list_free(&section->entries[j].values);
        free(section->entries);
        free(section->title);
    }
    for (unsigned i = 0; i < sections->file_count; i++)
        free(sections->files[i]);
    free(sections->files);
    free(sections->items);
    *sections = (struct config_sections){0};
}

void config_printable(char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            *text = '?';
}
