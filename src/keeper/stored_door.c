/*
 * The text in which the store keeps a command, and the sum over an opening by which damage is
 * noticed.
 */
#include "keeper/stored_door.h"

#include <stdlib.h>
#include <string.h>

#include "lib/crypto.h"

const struct commands *stored_commands(const struct stored_door *door, enum stored_kind kind)
{
    const struct commands *const lists[STORED_KINDS] = {
        [STORED_START] = &door->start,
        [STORED_STOP] = &door->stop,
        [STORED_EXTEND] = &door->extend,
        [STORED_CHECK] = &door->check,
    };
    return lists[kind];
}

char *stored_command_text(const struct command *command)
{
    char *text = malloc(2 * command->size + 1), *at = text;
    if (!text)
        return NULL;
    for (size_t i = 0; i < command->size; i++) {
        char c = command->text[i];
        if (c == '\n' || c == '\\')
            *at++ = '\\';
        *at++ = (char)(c == '\n' ? 'n' : c == '\0' ? '\n' : c);
    }
    *at = '\0';
    return text;
}

/* Takes the next byte of a word, or its end, off the text. False when it is none. */
static bool take_byte(const char **at, const char *end, char *out)
{
    char c = *(*at)++;
    *out = c == '\n' ? '\0' : c;
    if (c != '\\')
        return c != '\0';
    c = *at < end ? *(*at)++ : '\0';
    *out = c == 'n' ? '\n' : '\\';
    return c == 'n' || c == '\\';
}

int stored_command_parse(const char *text, size_t size, struct command *out)
{
    const char *at = text, *end = text + size;
    *out = (struct command){.text = malloc(size + 1)};
    if (!out->text)
        return -2;
    bool good = true;
    while (good && at < end) {
        out->words += *at == '\n';
        good = take_byte(&at, end, &out->text[out->size++]);
    }
    if (good && out->words > 0 && end[-1] == '\n')
        return 0;
    free(out->text);
    *out = (struct command){0};
    return -1;
}

/* Each sum is the key by which the next value is hashed. */
static uint64_t add_bytes(uint64_t sum, const void *bytes, size_t size)
{
    uint8_t key[CRYPTO_KEY_SIZE] = {0};
    memcpy(key, &sum, sizeof(sum));
    return crypto_keyed_hash(key, bytes, size);
}

static uint64_t add_number(uint64_t sum, uint64_t number)
{
    return add_bytes(sum, &number, sizeof(number));
}

static uint64_t add_commands(uint64_t sum, const struct commands *list)
{
    sum = add_number(sum, list->count);
    for (unsigned i = 0; i < list->count; i++)
        sum = add_bytes(sum, list->items[i].text, list->items[i].size);
    return sum;
}

uint64_t stored_door_sum(const struct stored_door *door)
{
    uint64_t sum = add_bytes(0, door->name, strlen(door->name));
    sum = add_number(sum, door->address.family);
    sum = add_bytes(sum, door->address.bytes, sizeof(door->address.bytes));
    sum = add_number(sum, door->port.port);
    sum = add_number(sum, door->port.proto);
    sum = add_bytes(sum, door->by, strlen(door->by));
    sum = add_number(sum, (uint64_t)door->opened_wall);
    sum = add_number(sum, (uint64_t)door->length);
    for (unsigned i = 0; i < 4; i++)
        sum = add_number(sum, door->stop_ok[i]);
    for (unsigned i = 0; i < STORED_KINDS; i++)
        sum = add_commands(sum, stored_commands(door, i));
    return sum;
}

void stored_door_free(struct stored_door *door)
{
    commands_free(&door->start);
    commands_free(&door->stop);
    commands_free(&door->extend);
    commands_free(&door->check);
}
