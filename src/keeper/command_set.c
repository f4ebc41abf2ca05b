/*
 * The way of the commands of an opening: texts -> packed, a mark for each of its names -> the set
 * that has the same bytes already, or a new one -> unpacked whenever they are to run. The packed
 * form is one command after the other: how many words, how many packed bytes, these bytes.
 */
#include "keeper/command_set.h"

#include <stdlib.h>
#include <string.h>

/* Bytes that mean something else than themselves; a mark's own byte comes behind ESCAPE. */
enum { ADDRESS_MARK = 1, BY_MARK, ESCAPE };

struct head {
    uint32_t words, size;
};

void command_sets_init(struct command_sets *sets)
{
    *sets = (struct command_sets){0};
    crypto_random(sets->key, sizeof(sets->key));
}

/* --- packing --- */

static bool begins_with(const char *text, size_t size, const char *name)
{
    size_t len = strlen(name);
    return len > 1 && len <= size && memcmp(text, name, len) == 0;
}

/* Packs the text of a command to `out`, where twice its size has room. Returns the packed size. */
static size_t pack_text(const struct command *command, const struct command_names *names, char *out)
{
    char *at = out;
    for (size_t i = 0; i < command->size;) {
        const char *text = command->text + i;
        if (begins_with(text, command->size - i, names->address)) {
            *at++ = ADDRESS_MARK;
            i += strlen(names->address);
        } else if (begins_with(text, command->size - i, names->by)) {
            *at++ = BY_MARK;
            i += strlen(names->by);
        } else {
            if (*text >= ADDRESS_MARK && *text <= ESCAPE)
                *at++ = ESCAPE;
            *at++ = *text;
            i++;
        }
    }
    return (size_t)(at - out);
}

static size_t most_packed(const struct commands lists[COMMAND_LISTS])
{
    size_t size = 1;
    for (unsigned i = 0; i < COMMAND_LISTS; i++)
        for (unsigned j = 0; j < lists[i].count; j++)
            size += sizeof(struct head) + 2 * lists[i].items[j].size;
    return size;
}

/* A set of its own, of which no table knows; NULL when memory is short. */
static struct command_set *pack(const struct commands lists[COMMAND_LISTS],
                                const struct command_names *names)
{
    struct command_set *set = calloc(1, sizeof(*set) + most_packed(lists));
    for (unsigned i = 0; set && i < COMMAND_LISTS; i++) {
        set->counts[i] = lists[i].count;
        for (unsigned j = 0; j < lists[i].count; j++) {
            const struct command *command = &lists[i].items[j];
            char *out = set->packed + set->size;
            struct head head = {.words = command->words};
            head.size = (uint32_t)pack_text(command, names, out + sizeof(head));
            memcpy(out, &head, sizeof(head));
            set->size += sizeof(head) + head.size;
        }
    }
    return set;
}

static bool sets_equal(const struct command_set *a, const struct command_set *b)
{
    return a->hash == b->hash && a->size == b->size &&
           memcmp(a->counts, b->counts, sizeof(a->counts)) == 0 &&
           memcmp(a->stop_ok, b->stop_ok, sizeof(a->stop_ok)) == 0 &&
           memcmp(a->packed, b->packed, a->size) == 0;
}

struct command_set *command_set_refer(struct command_sets *sets,
                                      const struct commands lists[COMMAND_LISTS],
                                      const uint64_t stop_ok[4], const struct command_names *names)
{
    struct command_set *made = pack(lists, names), *set;
    if (!made)
        return NULL;
    memcpy(made->stop_ok, stop_ok, sizeof(made->stop_ok));
    made->hash = crypto_keyed_hash(sets->key, made->packed, made->size);
    struct command_set_list *chain = &sets->chains[made->hash % COMMAND_SETS_CHAINS];
    for (set = LIST_FIRST(chain); set && !sets_equal(set, made); set = LIST_NEXT(set, chain))
        ;
    if (set) {
        free(made);
    } else {
        /* Without the room that wasn't needed; no less is there if that fails. */
        set = realloc(made, sizeof(*made) + made->size);
        set = set ? set : made;
        LIST_INSERT_HEAD(chain, set, chain);
    }
    set->references++;
    return set;
}

void command_set_release(struct command_set *set)
{
    if (!set || --set->references > 0)
        return;
    LIST_REMOVE(set, chain);
    free(set);
}

/* --- unpacking --- */

/* The name that a mark stands for, or NULL. */
static const char *marked_name(char byte, const struct command_names *names)
{
    return byte == ADDRESS_MARK ? names->address : byte == BY_MARK ? names->by : NULL;
}

/* Writes the text to `out`, if that isn't NULL. Returns its size. */
static size_t unpack_text(const char *packed, size_t size, const struct command_names *names,
                          char *out)
{
    size_t used = 0;
    for (size_t i = 0; i < size; i++) {
        const char *name = marked_name(packed[i], names);
        size_t len = name ? strlen(name) : 1;
        i += packed[i] == ESCAPE;
        if (out)
            memcpy(out + used, name ? name : &packed[i], len);
        used += len;
    }
    return used;
}

static int unpack(const struct head *head, const char *packed, const struct command_names *names,
                  struct command *out)
{
    size_t size = unpack_text(packed, head->size, names, NULL);
    *out = (struct command){.words = head->words, .size = size, .text = malloc(size + 1)};
    if (!out->text)
        return -1;
    unpack_text(packed, head->size, names, out->text);
    return 0;
}

/* The first command of the list. */
static const char *find_list(const struct command_set *set, enum command_list list)
{
    const char *at = set->packed;
    unsigned before = 0;
    for (unsigned i = 0; i < (unsigned)list; i++)
        before += set->counts[i];
    for (; before > 0; before--) {
        struct head head;
        memcpy(&head, at, sizeof(head));
        at += sizeof(head) + head.size;
    }
    return at;
}

int command_set_expand(const struct command_set *set, enum command_list list,
                       const struct command_names *names, struct commands *out)
{
    const char *at = find_list(set, list);
    *out = (struct commands){.items = calloc(set->counts[list] + 1, sizeof(*out->items))};
    if (!out->items)
        return -1;
    for (; out->count < set->counts[list]; out->count++) {
        struct head head;
        memcpy(&head, at, sizeof(head));
        if (unpack(&head, at + sizeof(head), names, &out->items[out->count]) < 0) {
            commands_free(out);
            return -1;
        }
        at += sizeof(head) + head.size;
    }
    return 0;
}
