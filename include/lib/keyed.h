/* Randomness and the keyed hash of tables that strangers fill, from libsodium. */
#ifndef LIB_KEYED_H
#define LIB_KEYED_H

#include <stddef.h>
#include <stdint.h>

enum { KEYED_KEY_SIZE = 16 };

/* SipHash-2-4 of `len` bytes (Aumasson and Bernstein 2012). */
uint64_t keyed_hash(const uint8_t key[KEYED_KEY_SIZE], const void *data, size_t len);

/* Fills `out` from the kernel's generator. */
void keyed_random(void *out, size_t len);

#endif
