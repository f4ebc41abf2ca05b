/* Reads the key, reserves a time, and seals the request. */
#include "knock/seal.h"

#include <time.h>

#include "knock/output.h"
#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/key_file.h"

static bool read_key(const char *path, struct sealed_key *out)
{
    struct report report = {.say = output_finding};
    struct key_file *file = crypto_alloc(sizeof(*file));
    if (!file) {
        output_error("out of memory for the key");
        return false;
    }
    bool good = key_file_read(path, &report, file);
    if (good)
        sealed_key_derive(file->secret, file->server, out);
    key_file_free(file);
    crypto_free(file);
    return good;
}

static struct sealed_request request_of(const struct profile *profile, enum sealed_op op)
{
    struct sealed_request request = {.op = (uint8_t)op, .address = profile->open_for};
    sealed_door(profile->door, request.door);
    request.seconds = (uint16_t)(profile->seconds / CLOCK_SECOND);
    request.port =
        (uint16_t)(profile->ask_port == PROFILE_UNSET ? profile->port : profile->ask_port);
    return request;
}

bool seal_open(struct seal *seal, const struct profile *profile, enum sealed_op op)
{
    *seal = (struct seal){.last = {.fd = -1}};
    seal->request = request_of(profile, op);
    seal->key = crypto_alloc(sizeof(*seal->key));
    if (!seal->key)
        output_error("out of memory for the key");
    return seal->key && read_key(profile->key, seal->key);
}

bool seal_lock(struct seal *seal, int64_t until)
{
    return last_time_open(&seal->last, seal->key->id, until);
}

static size_t make(const struct seal *seal, const struct sealed_key *key, uint64_t time,
                   const struct addr *bound, uint8_t *out)
{
    return sealed_make(key, time, bound->family ? bound : NULL, &seal->request, out);
}

size_t seal_make(struct seal *seal, const struct addr *bound, uint8_t out[SEALED_LONG])
{
    uint64_t time;
    return last_time_reserve(&seal->last, &time) ? make(seal, seal->key, time, bound, out) : 0;
}

size_t seal_sample(const struct seal *seal, const struct addr *bound, uint8_t out[SEALED_LONG])
{
    struct sealed_key nobody = *seal->key;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    crypto_random(nobody.seal, sizeof(nobody.seal));
    size_t len = make(seal, &nobody, sealed_time(now.tv_sec, (int32_t)now.tv_nsec), bound, out);
    crypto_wipe(&nobody, sizeof(nobody));
    return len;
}

void seal_close(struct seal *seal)
{
    last_time_close(&seal->last);
    if (seal->key)
        crypto_free(seal->key);
    seal->key = NULL;
}
