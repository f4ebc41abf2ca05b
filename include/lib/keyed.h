/* What libsodium does for us: randomness, hashes, sealing, memory for secrets. */
#ifndef LIB_KEYED_H
#define LIB_KEYED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    KEYED_KEY_SIZE = 16,
    KEYED_SECRET_SIZE = 32,
    KEYED_DIGEST_SIZE = 32,
    KEYED_NONCE_SIZE = 12,
    KEYED_TAG_SIZE = 16,
};

/* Bytes that a seal covers without hiding them. */
struct keyed_extra {
    const void *data;
    size_t len;
};

/* SipHash-2-4 of `len` bytes (Aumasson and Bernstein 2012). */
uint64_t keyed_hash(const uint8_t key[KEYED_KEY_SIZE], const void *data, size_t len);

/* Fills `out` from the kernel's generator. */
void keyed_random(void *out, size_t len);

/* BLAKE2b of `len` bytes with an output of 32 (RFC 7693), keyed with `secret` unless it is NULL. */
void keyed_digest(const uint8_t *secret, const void *data, size_t len,
                  uint8_t out[KEYED_DIGEST_SIZE]);

/* ChaCha20-Poly1305 (RFC 8439): `len` bytes and the tag behind them. */
void keyed_seal(const uint8_t secret[KEYED_SECRET_SIZE], const uint8_t nonce[KEYED_NONCE_SIZE],
                struct keyed_extra extra, const void *plain, size_t len, uint8_t *out);

/* Undoes it; `len` counts the tag. False, and *out zero, when it wasn't sealed so. */
bool keyed_unseal(const uint8_t secret[KEYED_SECRET_SIZE], const uint8_t nonce[KEYED_NONCE_SIZE],
                  struct keyed_extra extra, const uint8_t *sealed, size_t len, void *out);

/*
 * Memory for secrets, zeroed: kept out of core dumps, between guard pages, wiped when freed, and
 * locked as far as RLIMIT_MEMLOCK goes. It takes four pages at least: one block for many secrets.
 * NULL when there is none.
 */
void *keyed_alloc(size_t len);
void keyed_free(void *secret);

/* Overwrites a secret where the compiler would think it useless. */
void keyed_wipe(void *secret, size_t len);

#endif
