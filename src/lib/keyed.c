#include "lib/keyed.h"

#include <sodium.h>
#include <string.h>

_Static_assert(KEYED_KEY_SIZE == crypto_shorthash_KEYBYTES, "SipHash takes a key of 16 bytes");

uint64_t keyed_hash(const uint8_t key[KEYED_KEY_SIZE], const void *data, size_t len)
{
    uint8_t digest[crypto_shorthash_BYTES];
    uint64_t hash;
    crypto_shorthash(digest, data, len, key);
    memcpy(&hash, digest, sizeof(hash));
    return hash;
}

void keyed_random(void *out, size_t len)
{
    randombytes_buf(out, len);
}
