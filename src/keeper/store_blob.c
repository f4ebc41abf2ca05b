#include "keeper/store_blob.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"

enum { LISTS = 4, OK_WORDS = 4, OK_SIZE = OK_WORDS * 8, SUM_SIZE = 8 };
enum { COUNT_SIZE = 4, COMMAND_HEAD = 4 + 4 };

struct input {
    const uint8_t *at;
    size_t left;
};

static void list_all(struct stored_door *door, struct commands *lists[LISTS])
{
    lists[0] = &door->start;
    lists[1] = &door->stop;
    lists[2] = &door->extend;
    lists[3] = &door->check;
}

static uint8_t *put(uint8_t *at, uint64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (uint8_t)(number >> 8 * i);
    return at + bytes;
}

static bool get(struct input *in, unsigned bytes, uint64_t *number)
{
    if (in->left < bytes)
        return false;
    *number = 0;
    for (unsigned i = 0; i < bytes; i++)
        *number |= (uint64_t)in->at[i] << 8 * i;
    in->at += bytes;
    in->left -= bytes;
    return true;
}

/* No secret is needed: this is to notice accidents, not forgers. */
static uint64_t sum(const uint8_t *body, size_t size, const struct stored_door *door)
{
    static const uint8_t key[CRYPTO_KEY_SIZE];
    uint8_t whole[3 * 8 + sizeof(door->name) + 1 + sizeof(door->address.bytes) + 3] = {0};
    uint8_t *at = put(whole, crypto_keyed_hash(key, body, size), 8);
    at = put(at, (uint64_t)door->opened_wall, 8);
    at = put(at, (uint64_t)door->length, 8);
    memcpy(at, door->name, strlen(door->name));
    at += sizeof(door->name);
    *at++ = door->address.family;
    memcpy(at, door->address.bytes, sizeof(door->address.bytes));
    at += sizeof(door->address.bytes);
    /* Openings of the store's first version have none. */
    if (door->port.port)
        at = put(put(at, door->port.port, 2), door->port.proto, 1);
    return crypto_keyed_hash(key, whole, (size_t)(at - whole));
}

static size_t list_size(const struct commands *list)
{
    size_t size = COUNT_SIZE;
    for (unsigned i = 0; i < list->count; i++)
        size += COMMAND_HEAD + list->items[i].size;
    return size;
}

static uint8_t *put_list(uint8_t *at, const struct commands *list)
{
    at = put(at, list->count, COUNT_SIZE);
    for (unsigned i = 0; i < list->count; i++) {
        const struct command *command = &list->items[i];
        assert(command->words > 0 && command->size <= UINT32_MAX);
        at = put(at, command->words, 4);
        at = put(at, command->size, 4);
        memcpy(at, command->text, command->size);
        at += command->size;
    }
    return at;
}

uint8_t *store_blob_encode(const struct stored_door *door, size_t *size)
{
    const struct commands *lists[LISTS] = {&door->start, &door->stop, &door->extend, &door->check};
    *size = OK_SIZE + SUM_SIZE;
    for (unsigned i = 0; i < LISTS; i++)
        *size += list_size(lists[i]);
    uint8_t *blob = malloc(*size);
    if (!blob)
        return NULL;
    uint8_t *at = blob;
    for (unsigned i = 0; i < OK_WORDS; i++)
        at = put(at, door->stop_ok[i], 8);
    for (unsigned i = 0; i < LISTS; i++)
        at = put_list(at, lists[i]);
    put(at, sum(blob, (size_t)(at - blob), door), SUM_SIZE);
    return blob;
}

/* A text is as long as its words, and each of them ends. */
static bool words_fit(const uint8_t *text, size_t size, uint64_t words)
{
    uint64_t ends = 0;
    for (size_t i = 0; i < size; i++)
        ends += text[i] == '\0';
    return words > 0 && ends == words && text[size - 1] == '\0';
}

static int get_command(struct input *in, struct command *out)
{
    uint64_t words, size;
    if (!get(in, 4, &words) || !get(in, 4, &size) || size > in->left ||
        !words_fit(in->at, size, words))
        return -1;
    out->text = malloc(size);
    if (!out->text)
        return -2;
    memcpy(out->text, in->at, size);
    out->words = (unsigned)words;
    out->size = size;
    in->at += size;
    in->left -= size;
    return 0;
}

static int get_list(struct input *in, struct commands *out)
{
    uint64_t count;
    /* Memory is taken for no more commands than there are bytes for. */
    if (!get(in, COUNT_SIZE, &count) || count > in->left / COMMAND_HEAD)
        return -1;
    out->items = calloc(count + 1, sizeof(*out->items));
    if (!out->items)
        return -2;
    for (; out->count < count; out->count++) {
        int rc = get_command(in, &out->items[out->count]);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int get_lists(struct input *in, struct stored_door *door)
{
    struct commands *lists[LISTS];
    list_all(door, lists);
    for (unsigned i = 0; i < LISTS; i++) {
        int rc = get_list(in, lists[i]);
        if (rc < 0)
            return rc;
    }
    return in->left == 0 ? 0 : -1;
}

int store_blob_decode(const uint8_t *blob, size_t size, struct stored_door *door)
{
    if (size < OK_SIZE + SUM_SIZE)
        return -1;
    struct input in = {blob, size - SUM_SIZE}, end = {blob + size - SUM_SIZE, SUM_SIZE};
    uint64_t stored;
    if (!get(&end, SUM_SIZE, &stored) || stored != sum(blob, in.left, door))
        return -1;
    uint64_t ok[OK_WORDS];
    for (unsigned i = 0; i < OK_WORDS; i++)
        get(&in, 8, &ok[i]);
    int rc = get_lists(&in, door);
    if (rc < 0)
        stored_door_free(door);
    else
        memcpy(door->stop_ok, ok, sizeof(ok));
    return rc;
}

void stored_door_free(struct stored_door *door)
{
    struct commands *lists[LISTS];
    list_all(door, lists);
    for (unsigned i = 0; i < LISTS; i++)
        commands_free(lists[i]);
}
