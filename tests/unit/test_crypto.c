/* What libsodium does for us: published vectors show that it is asked rightly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/crypto.h"
#include "sealed_help.h"

/* BLAKE2b's own vectors (blake2b-kat.txt) have outputs of 64 bytes; these are Python's hashlib. */
static void digests(void **state)
{
    (void)state;
    uint8_t secret[CRYPTO_SECRET_SIZE], digest[CRYPTO_DIGEST_SIZE];
    char hex[2 * CRYPTO_DIGEST_SIZE + 1];
    for (unsigned i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)i;
    crypto_digest(NULL, "abc", 3, digest);
    assert_string_equal(to_hex(digest, sizeof(digest), hex),
                        "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319");
    crypto_digest(secret, "abc", 3, digest);
    assert_string_equal(to_hex(digest, sizeof(digest), hex),
                        "d63a32d3e44738d7907f964316c241adaba0abfeabc32349677578a15a203f7f");
    crypto_digest(NULL, "", 0, digest);
    assert_string_equal(to_hex(digest, sizeof(digest), hex),
                        "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8");
}

/* RFC 8439, 2.8.2. */
static void seals(void **state)
{
    (void)state;
    static const char plain[] =
        "Ladies and Gentlemen of the class of '99: If I could offer you only "
        "one tip for the future, sunscreen would be it.";
    enum { LEN = sizeof(plain) - 1 };
    uint8_t secret[CRYPTO_SECRET_SIZE], nonce[CRYPTO_NONCE_SIZE], aad[12], sealed[LEN + 16],
        out[LEN];
    char hex[33];
    for (unsigned i = 0; i < sizeof(secret); i++)
        secret[i] = (uint8_t)(0x80 + i);
    unhex("070000004041424344454647", nonce, sizeof(nonce));
    unhex("50515253c0c1c2c3c4c5c6c7", aad, sizeof(aad));
    struct keyed_extra extra = {aad, sizeof(aad)};
    crypto_seal(secret, nonce, extra, plain, LEN, sealed);
    assert_string_equal(to_hex(sealed, 16, hex), "d31a8d34648e60db7b86afbc53ef7ec2");
    assert_string_equal(to_hex(sealed + LEN, 16, hex), "1ae10b594f09e26a7e902ecbd0600691");
    assert_true(crypto_unseal(secret, nonce, extra, sealed, sizeof(sealed), out));
    assert_memory_equal(out, plain, LEN);
    sealed[LEN] ^= 1;
    assert_false(crypto_unseal(secret, nonce, extra, sealed, sizeof(sealed), out));
    assert_false(crypto_unseal(secret, nonce, extra, sealed, 15, out));
}

static void wipes(void **state)
{
    (void)state;
    uint8_t a[32] = {[31] = 1};
    crypto_wipe(a, sizeof(a));
    assert_int_equal(a[31], 0);
}

static void keeps_secrets(void **state)
{
    (void)state;
    for (size_t len = 0; len < 100; len++) {
        uint8_t *secret = crypto_alloc(len);
        assert_non_null(secret);
        assert_int_equal((uintptr_t)secret % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < len; i++)
            assert_int_equal(secret[i], 0);
        memset(secret, 0xff, len);
        crypto_free(secret);
    }
    crypto_free(NULL);
    assert_null(crypto_alloc(SIZE_MAX));
    assert_null(crypto_alloc(SIZE_MAX / 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests),
        cmocka_unit_test(seals),
        cmocka_unit_test(wipes),
        cmocka_unit_test(keeps_secrets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
