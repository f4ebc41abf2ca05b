/* Sealed knocks, really sealed by a key of the keeper's, and their authorization, for
 * fuzz_messages.c. */
#ifndef FUZZ_SEALED_H
#define FUZZ_SEALED_H

#include "fuzz.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/authorize.h"
#include "lib/message.h"

#define SEALED_SERVER "gate.example"

/* What it is when the keeper judges: in the middle of a hint's period. */
static const struct timespec sealed_wall = {.tv_sec = 1800000064};
static const uint8_t sealed_secret[SEALED_SECRET_SIZE] = {1, 2, 3};

struct sealed_keeper {
    const struct config *config;
    const struct plans *plans;
    struct keyring *keyring;
    struct doors *doors;
    struct sealed_key key;
    /* The message that was made last, and where it may come from. */
    struct message_sealed made;
    bool bound;
};

/* Makes `dir` and the file of the one key in it. */
static inline void sealed_write_key(char *dir)
{
    char path[64];
    CLAIM(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/alice.key", dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    CLAIM(fd >= 0 && dprintf(fd, "server = " SEALED_SERVER "\nkey = ") > 0);
    for (unsigned i = 0; i < SEALED_SECRET_SIZE; i++)
        dprintf(fd, "%02x", sealed_secret[i]);
    close(fd);
}

static inline void sealed_remove_key(const char *dir)
{
    char path[64];
    snprintf(path, sizeof(path), "%s/alice.key", dir);
    unlink(path);
    rmdir(dir);
}

/* Every message of the key counts as used up, so that nothing is recorded or run. */
static inline void sealed_keeper_make(struct sealed_keeper *k, struct report *report)
{
    k->keyring = keyring_load(k->config, sealed_wall.tv_sec, report);
    k->doors = doors_new(loop_new(), NULL, NULL);
    CLAIM(k->keyring && k->keyring->count == 1 && k->doors);
    k->keyring->keys[0].known = true;
    k->keyring->keys[0].last = SEALED_TIME_MAX;
    sealed_key_derive(sealed_secret, SEALED_SERVER, &k->key);
}

/* A good record, of a request that the next seven bytes tell. */
static inline void sealed_record(struct sealed_keeper *k, struct input *in, struct message *r)
{
    static const struct addr other = {4, {192, 0, 2, 9}};
    unsigned how = input_byte(in), op = input_byte(in);
    struct sealed_request request = {.op = (uint8_t)(how & 4 ? op : SEALED_OPEN + op % 2)};
    uint64_t time = sealed_time(sealed_wall.tv_sec, 0);
    uint8_t seconds[2] = {0}, port[2] = {0};
    struct message_sealed *sealed = &r->u.sealed;
    sealed_door(k->config->doors[input_byte(in) % k->config->door_count].name, request.door);
    input_bytes(in, seconds, sizeof(seconds));
    input_bytes(in, port, sizeof(port));
    request.seconds = (uint16_t)(seconds[0] << 8 | seconds[1]);
    request.port = (uint16_t)(port[0] << 8 | port[1]);
    if (how & 1)
        request.address = other;
    r->type = MESSAGE_SEALED;
    r->generation = 1;
    sealed->address = (struct addr){4, {192, 0, 2, 1}};
    k->bound = how & 2;
    sealed->length = (uint32_t)sealed_make(&k->key, time, k->bound ? &sealed->address : NULL,
                                           &request, sealed->message);
    k->made = *sealed;
}

/* Whether the record is the message that was made, from where it may come. Sealing knows an IPv4
 * address and that address written as IPv6 for the same one. */
static inline bool sealed_is_genuine(const struct sealed_keeper *k,
                                     const struct message_sealed *msg)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const struct addr *from = &msg->address, *made = &k->made.address;
    bool same = addr_equal(from, made) ||
                (from->family == 6 && memcmp(from->bytes, mapped, sizeof(mapped)) == 0 &&
                 memcmp(from->bytes + sizeof(mapped), made->bytes, 4) == 0);
    return k->made.length > 0 && msg->length == k->made.length && (same || !k->bound) &&
           memcmp(msg->message, k->made.message, msg->length) == 0;
}

/* What a genuine message asks for is within what the configuration lets it. */
static inline void sealed_claim_wish(const struct sealed_keeper *k,
                                     const struct message_sealed *msg)
{
    struct unsealed message;
    struct sealed_wish wish = {0};
    uint64_t now = sealed_time(sealed_wall.tv_sec, 0);
    CLAIM(unseal_open(k->keyring, msg, now, k->config->sealed.max_skew, &message) == UNSEAL_GOOD);
    if (unseal_validate(k->config, k->keyring, &message, &msg->address, sealed_wall.tv_sec,
                        &wish) != UNSEAL_GOOD)
        return;
    CLAIM(wish.door == &k->config->doors[wish.number] && wish.door->keys.count > 0);
    CLAIM(message.bound || !wish.door->bound);
    CLAIM(addr_equal(&wish.address, &msg->address) || wish.door->for_others);
    CLAIM(config_allows(wish.door, &wish.address));
    CLAIM(wish.op == SEALED_OPEN || wish.op == SEALED_CLOSE);
    CLAIM(wish.length > 0 && wish.length <= (wish.door->max_timeout ? wish.door->max_timeout
                                                                    : wish.door->cmd_timeout));
}

/* Serves a message that may be served. What no key sealed comes to nothing, what one did is found
 * used up. */
static inline void sealed_serve(const struct sealed_keeper *k, const struct authorize *service,
                                const struct message_sealed *msg)
{
    struct authorize_limits limits = authorize_limits_make(0);
    struct authorize authorize = *service;
    authorize.limits = &limits;
    authorize_sealed(&authorize, msg, 0, sealed_wall);
    bool genuine = sealed_is_genuine(k, msg);
    CLAIM(limits.sealed[UNSEAL_REPLAYED] == genuine);
    CLAIM(limits.sealed[UNSEAL_STALE] + limits.sealed[UNSEAL_UNKNOWN] == !genuine);
    if (genuine)
        sealed_claim_wish(k, msg);
}

#endif
