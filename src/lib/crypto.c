/* The one file that calls libsodium. */
#include "lib/crypto.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

_Static_assert(CRYPTO_KEY_SIZE == crypto_shorthash_KEYBYTES, "SipHash takes a key of 16 bytes");
_Static_assert(CRYPTO_SECRET_SIZE == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "RFC 8439");
_Static_assert(CRYPTO_SECRET_SIZE == crypto_generichash_KEYBYTES, "BLAKE2b's usual key");
_Static_assert(CRYPTO_DIGEST_SIZE == crypto_generichash_BYTES, "BLAKE2b's usual output");
_Static_assert(CRYPTO_NONCE_SIZE == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "RFC 8439");
_Static_assert(CRYPTO_TAG_SIZE == crypto_aead_chacha20poly1305_ietf_ABYTES, "RFC 8439");

uint64_t crypto_keyed_hash(const uint8_t key[CRYPTO_KEY_SIZE], const void *data, size_t len)
{
    uint8_t digest[crypto_shorthash_BYTES];
    uint64_t hash;
    crypto_shorthash(digest, data, len, key);
    memcpy(&hash, digest, sizeof(hash));
    return hash;
}

void crypto_random(void *out, size_t len)
{
    randombytes_buf(out, len);
}

void crypto_digest(const uint8_t *secret, const void *data, size_t len,
                   uint8_t out[CRYPTO_DIGEST_SIZE])
{
    int failed = crypto_generichash(out, CRYPTO_DIGEST_SIZE, data, len, secret,
                                    secret ? CRYPTO_SECRET_SIZE : 0);
    assert(!failed); /* it refuses wrong sizes only */
    (void)failed;
}

void crypto_seal(const uint8_t secret[CRYPTO_SECRET_SIZE], const uint8_t nonce[CRYPTO_NONCE_SIZE],
                 struct keyed_extra extra, const void *plain, size_t len, uint8_t *out)
{
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, extra.data, extra.len, NULL,
                                              nonce, secret);
}

bool crypto_unseal(const uint8_t secret[CRYPTO_SECRET_SIZE], const uint8_t nonce[CRYPTO_NONCE_SIZE],
                   struct keyed_extra extra, const uint8_t *sealed, size_t len, void *out)
{
    return crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, len, extra.data,
                                                     extra.len, nonce, secret) == 0;
}

/* libsodium puts the end of the memory at a guard page, and thus its beginning where no struct may
 * stand, unless the length is a multiple of every alignment. */
void *crypto_alloc(size_t len)
{
    const size_t align = _Alignof(max_align_t);
    if (len > SIZE_MAX - align || sodium_init() < 0)
        return NULL;
    size_t size = (len + align - 1) / align * align;
    void *secret = sodium_malloc(size);
    if (secret)
        memset(secret, 0, size);
    return secret;
}

void crypto_free(void *secret)
{
    sodium_free(secret);
}

void crypto_wipe(void *secret, size_t len)
{
    sodium_memzero(secret, len);
}
