/* What libsodium does for us: randomness, hashes, sealing, memory for secrets. */
#ifndef LIB_CRYPTO_H
#define LIB_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    CRYPTO_KEY_SIZE = 16,
    CRYPTO_SECRET_SIZE = 32,
    CRYPTO_DIGEST_SIZE = 32,
    CRYPTO_NONCE_SIZE = 12,
    CRYPTO_TAG_SIZE = 16,
};

/* Bytes that a seal covers without hiding them. */
struct keyed_extra {
    const void *data;
    size_t len;
};

/* SipHash-2-4 of `len` bytes (Aumasson and Bernstein 2012). */
uint64_t crypto_keyed_hash(const uint8_t key[CRYPTO_KEY_SIZE], const void *data, size_t len);

/* Fills `out` from the kernel's generator. */
void crypto_random(void *out, size_t len);

/* BLAKE2b of `len` bytes with an output of 32 (RFC 7693), keyed with `secret` unless it is NULL. */
void crypto_digest(const uint8_t *secret, const void *data, size_t len,
                   uint8_t out[CRYPTO_DIGEST_SIZE]);

/* ChaCha20-Poly1305 (RFC 8439): `len` bytes and the tag behind them. */
void crypto_seal(const uint8_t secret[CRYPTO_SECRET_SIZE], const uint8_t nonce[CRYPTO_NONCE_SIZE],
                 struct keyed_extra extra, const void *plain, size_t len, uint8_t *out);

/* Undoes it; `len` counts the tag. False, and *out zero, when it wasn't sealed so. */
bool crypto_unseal(const uint8_t secret[CRYPTO_SECRET_SIZE], const uint8_t nonce[CRYPTO_NONCE_SIZE],
                   struct keyed_extra extra, const uint8_t *sealed, size_t len, void *out);

/*
 * Memory for secrets, zeroed: kept out of core dumps, between guard pages, wiped when freed, and
 * locked as far as RLIMIT_MEMLOCK goes. It takes four pages at least: one block for many secrets.
 * NULL when there is none.
 */
void *crypto_alloc(size_t len);
void crypto_free(void *secret);

/* Overwrites a secret where the compiler would think it useless. */
void crypto_wipe(void *secret, size_t len);

#endif
