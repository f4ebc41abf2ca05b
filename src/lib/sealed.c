/* Seals and opens messages, and derives what a secret is used for. */
#include "lib/sealed.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "lib/crypto.h"

_Static_assert((int)SEALED_SECRET_SIZE == (int)CRYPTO_SECRET_SIZE, "one size of secrets");
_Static_assert((int)SEALED_ID_SIZE == (int)CRYPTO_DIGEST_SIZE, "an id is a digest");

enum {
    HINT = 2, /* bytes */
    TIME = 6,
    ADDRESS = 16,
    REQUEST = SEALED_SHORT - HINT - TIME - CRYPTO_TAG_SIZE,
    REQUEST_LONG = REQUEST + ADDRESS,
};

_Static_assert(REQUEST_LONG == SEALED_LONG - HINT - TIME - CRYPTO_TAG_SIZE, "an address longer");

static const char label[] = "knockd sealed 1";

/* What isn't sent, but must be the same on both sides. */
struct covered {
    uint8_t label[sizeof(label) - 1];
    uint8_t source[ADDRESS];
};

static void put(uint8_t *out, size_t bytes, uint64_t value)
{
    for (size_t i = bytes; i > 0; i--, value >>= 8)
        out[i - 1] = (uint8_t)value;
}

static uint64_t get(const uint8_t *in, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++)
        value = value << 8 | in[i];
    return value;
}

static void put_address(uint8_t out[ADDRESS], const struct addr *a)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (a->family == 6) {
        memcpy(out, a->bytes, ADDRESS);
        return;
    }
    memcpy(out, mapped, sizeof(mapped));
    memcpy(out + sizeof(mapped), a->bytes, 4);
}

static struct addr get_address(const uint8_t in[ADDRESS])
{
    struct addr a = {.family = 6};
    memcpy(a.bytes, in, ADDRESS);
    if (!addr_is_mapped(&a))
        return a;
    struct addr folded = {.family = 4};
    memcpy(folded.bytes, in + 12, 4);
    return folded;
}

void sealed_key_derive(const uint8_t secret[SEALED_SECRET_SIZE], const char *server,
                       struct sealed_key *out)
{
    char text[sizeof(label) + sizeof(" seal ") + SEALED_SERVER_MAX];
    assert(*server && strlen(server) <= SEALED_SERVER_MAX);
    int len = snprintf(text, sizeof(text), "%s seal %s", label, server);
    crypto_digest(secret, text, (size_t)len, out->seal);
    len = snprintf(text, sizeof(text), "%s hint %s", label, server);
    crypto_digest(secret, text, (size_t)len, out->hint);
    crypto_digest(NULL, secret, SEALED_SECRET_SIZE, out->id);
}

void sealed_door(const char *name, uint8_t out[SEALED_DOOR_SIZE])
{
    uint8_t digest[CRYPTO_DIGEST_SIZE];
    crypto_digest(NULL, name, strlen(name), digest);
    memcpy(out, digest, SEALED_DOOR_SIZE);
}

uint64_t sealed_time(int64_t seconds, int32_t nanoseconds)
{
    if (seconds < 0)
        return 0;
    if (seconds > UINT32_MAX)
        return SEALED_TIME_MAX;
    return (uint64_t)seconds << 16 | (uint64_t)nanoseconds * 65536 / 1000000000;
}

uint16_t sealed_hint(const struct sealed_key *key, uint64_t time)
{
    uint8_t period[8], digest[CRYPTO_DIGEST_SIZE];
    put(period, sizeof(period), (time >> 16) / SEALED_HINT_PERIOD);
    crypto_digest(key->hint, period, sizeof(period), digest);
    return (uint16_t)get(digest, HINT);
}

static struct covered cover(const struct addr *source)
{
    struct covered c = {{0}, {0}};
    memcpy(c.label, label, sizeof(c.label));
    if (source)
        put_address(c.source, source);
    return c;
}

/* Hint and time stand at the head of the message, and make its nonce. */
static void make_nonce(const uint8_t *message, uint8_t nonce[CRYPTO_NONCE_SIZE])
{
    memset(nonce, 0, CRYPTO_NONCE_SIZE);
    memcpy(nonce + CRYPTO_NONCE_SIZE - HINT - TIME, message, HINT + TIME);
}

static size_t put_request(uint8_t out[REQUEST_LONG], const struct sealed_request *r)
{
    out[0] = r->op;
    memcpy(out + 1, r->door, SEALED_DOOR_SIZE);
    put(out + 4, 2, r->seconds);
    put(out + 6, 2, r->port);
    if (r->address.family == 0)
        return REQUEST;
    put_address(out + REQUEST, &r->address);
    return REQUEST_LONG;
}

/* The address that would be taken for none at all: bound to it, a message were bound to nothing. */
static bool like_unbound(const struct addr *source)
{
    return source->family == 6 && addr_is_unspecified(source);
}

size_t sealed_make(const struct sealed_key *key, uint64_t time, const struct addr *bound,
                   const struct sealed_request *request, uint8_t out[SEALED_LONG])
{
    assert(time <= SEALED_TIME_MAX && (!bound || (bound->family && !like_unbound(bound))));
    uint8_t plain[REQUEST_LONG], nonce[CRYPTO_NONCE_SIZE];
    size_t len = put_request(plain, request);
    put(out, HINT, sealed_hint(key, time));
    put(out + HINT, TIME, time);
    make_nonce(out, nonce);
    struct covered c = cover(bound);
    crypto_seal(key->seal, nonce, (struct keyed_extra){&c, sizeof(c)}, plain, len,
                out + HINT + TIME);
    crypto_wipe(plain, sizeof(plain));
    return HINT + TIME + len + CRYPTO_TAG_SIZE;
}

uint16_t sealed_message_hint(const uint8_t *message)
{
    return (uint16_t)get(message, HINT);
}

uint64_t sealed_message_time(const uint8_t *message)
{
    return get(message + HINT, TIME);
}

static struct sealed_request get_request(const uint8_t *plain, bool with_address)
{
    struct sealed_request r = {.op = plain[0],
                               .seconds = (uint16_t)get(plain + 4, 2),
                               .port = (uint16_t)get(plain + 6, 2)};
    memcpy(r.door, plain + 1, SEALED_DOOR_SIZE);
    if (with_address)
        r.address = get_address(plain + REQUEST);
    return r;
}

bool sealed_open(const struct sealed_key *key, const uint8_t *message, size_t len,
                 const struct addr *source, struct sealed_request *out)
{
    uint8_t plain[REQUEST_LONG], nonce[CRYPTO_NONCE_SIZE];
    if (len != SEALED_SHORT && len != SEALED_LONG)
        return false;
    if (source && (source->family == 0 || like_unbound(source)))
        return false;
    make_nonce(message, nonce);
    struct covered c = cover(source);
    if (!crypto_unseal(key->seal, nonce, (struct keyed_extra){&c, sizeof(c)}, message + HINT + TIME,
                       len - HINT - TIME, plain))
        return false;
    *out = get_request(plain, len == SEALED_LONG);
    crypto_wipe(plain, sizeof(plain));
    return true;
}
