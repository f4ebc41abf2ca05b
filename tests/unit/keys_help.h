/* Sealed keys without files, and messages that they make, for the tests of the keeper. */
#ifndef TEST_KEYS_HELP_H
#define TEST_KEYS_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "keeper/keyring.h"
#include "lib/crypto.h"

#define KEYS_SERVER "gate.example"

/* The secret of key number `number`. */
static inline void keys_secret(unsigned number, uint8_t out[SEALED_SECRET_SIZE])
{
    for (unsigned i = 0; i < SEALED_SECRET_SIZE; i++)
        out[i] = (uint8_t)(i < 4 ? number >> 8 * i : i);
}

static inline struct sealed_key keys_derive(unsigned number)
{
    uint8_t secret[SEALED_SECRET_SIZE];
    struct sealed_key key;
    keys_secret(number, secret);
    sealed_key_derive(secret, KEYS_SERVER, &key);
    return key;
}

/* Keys number 0 to `count`, that one not. The caller frees them. */
static inline struct sealed_key *keys_make(unsigned count)
{
    struct sealed_key *keys = calloc(count + 1, sizeof(*keys));
    assert_non_null(keys);
    for (unsigned i = 0; i < count; i++)
        keys[i] = keys_derive(i);
    return keys;
}

/* Writes the key file DIR/NAME.key of key number `number`; `more` are further lines. */
static inline void keys_write(const char *dir, const char *name, unsigned number, const char *more)
{
    uint8_t secret[SEALED_SECRET_SIZE];
    char path[160];
    snprintf(path, sizeof(path), "%s/%s.key", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    keys_secret(number, secret);
    fputs("key = \"", file);
    for (unsigned i = 0; i < sizeof(secret); i++)
        fprintf(file, "%02x", secret[i]);
    fprintf(file, "\"\n%s\n", more);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

#endif
