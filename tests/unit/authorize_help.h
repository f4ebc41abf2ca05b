/* A keeper without its processes: configuration, keys, store and doors, and sealed messages. */
#ifndef TEST_AUTHORIZE_HELP_H
#define TEST_AUTHORIZE_HELP_H

#include "config_help.h"
#include "keys_help.h"
#include "writeback_help.h"

#include "keeper/authorize.h"
#include "keeper/in_force.h"

#define HOME   "198.51.100.7"
#define SERVER "server = \"" KEYS_SERVER "\""

enum { ALICE = 1, BOB };

struct authorize_world {
    struct told told;
    struct kept_world kept; /* its doors and store alone */
    struct config *config;
    struct plans *plans;
    struct keyring *keyring;
    struct authorize_limits limits;
    struct one_time once; /* none */
    struct refused *refused;
    struct refusal_log *refusals;
    struct copies *copies; /* none */
    struct timespec wall;  /* what the clock says */
    unsigned skew;         /* max_skew in s; 0: the default */
    int64_t now;
};

static inline void authorize_unload(struct authorize_world *w)
{
    keyring_free(w->keyring);
    plans_free(w->plans);
    config_free(w->config);
}

/* As a reload does: the doors of `text`, with the keys that there are. */
static inline void authorize_load(struct authorize_world *w, const char *text)
{
    char whole[2048];
    struct report report = {.say = hear, .arg = &w->told};
    struct authorize_world old = *w;
    snprintf(whole, sizeof(whole),
             "key_dir = %s sealed { server = " KEYS_SERVER " max_skew = %u }\n" SOURCE "%s",
             w->told.dir, w->skew ? w->skew : 120, text);
    w->config = load_text(&w->told, whole);
    w->plans = w->config ? plans_make(w->config, NULL, &report) : NULL;
    w->keyring = w->plans ? keyring_load(w->config, w->wall.tv_sec, &report) : NULL;
    if (!w->keyring)
        fail_msg("%s", w->told.lines);
    struct in_force_time time = {sealed_time(w->wall.tv_sec, (int32_t)w->wall.tv_nsec),
                                 w->config->sealed.max_skew / CLOCK_SECOND};
    if (old.keyring)
        in_force_reload(w->keyring, old.keyring, old.config->sealed.max_skew / CLOCK_SECOND,
                        w->kept.store, w->refused, time);
    else
        in_force_start(w->keyring, w->kept.store, w->refused, time);
    authorize_unload(&old);
}

static inline void authorize_make_world(struct authorize_world *w, const char *text)
{
    memset(w, 0, sizeof(*w));
    begin(&w->told);
    keys_write(w->told.dir, "alice", ALICE, SERVER);
    keys_write(w->told.dir, "bob", BOB, SERVER);
    kept_make(&w->kept, LONG, AT_ONCE, AT_ONCE);
    clock_gettime(CLOCK_REALTIME, &w->wall);
    w->wall.tv_sec += 1; /* the store is older than all that knock */
    w->now = clock_now();
    w->limits = authorize_limits_make(w->now);
    w->refused = refused_new();
    w->refusals = refusal_log_new((const uint8_t[16]){7});
    assert_non_null(w->refusals);
    assert_non_null(w->refused);
    assert_int_equal(store_number_set(w->kept.store, "refused", 0), 0);
    authorize_load(w, text);
}

/* Ends, in good order or by kill -9, and starts again with the doors of `text`. */
static inline void authorize_restart(struct authorize_world *w, bool killed, const char *text)
{
    if (!killed)
        in_force_end(w->kept.store, w->refused);
    refused_free(w->refused);
    w->refused = refused_new();
    assert_non_null(w->refused);
    kept_die(&w->kept);
    kept_begin(&w->kept);
    authorize_unload(w);
    w->keyring = NULL;
    w->config = NULL;
    w->plans = NULL;
    authorize_load(w, text);
}

static inline void authorize_end_world(struct authorize_world *w)
{
    authorize_unload(w);
    refused_free(w->refused);
    refusal_log_free(w->refusals);
    kept_end(&w->kept);
    remove_file(w->told.dir, "alice.key");
    remove_file(w->told.dir, "bob.key");
    end(&w->told);
}

/* What a client sends; what isn't said is that of a good knock of alice's at ssh. */
struct sent {
    unsigned key;
    const char *door;
    uint8_t op;
    uint16_t port, seconds;
    const char *bound; /* "": to nothing */
    const char *address;
    int later; /* in 1/65536 s from now */
};

static inline struct message_sealed authorize_seal(const struct authorize_world *w,
                                                   struct sent sent)
{
    struct sealed_key key = keys_derive(sent.key ? sent.key : ALICE);
    struct sealed_request request = {
        .op = sent.op ? sent.op : SEALED_OPEN, .port = sent.port, .seconds = sent.seconds};
    struct message_sealed msg = {.address = address_of(HOME)};
    struct addr bound = {0};
    if (!sent.bound)
        bound = msg.address;
    else if (*sent.bound)
        bound = msg.address = address_of(sent.bound);
    if (sent.address)
        request.address = address_of(sent.address);
    sealed_door(sent.door ? sent.door : "ssh", request.door);
    uint64_t time = sealed_time(w->wall.tv_sec, (int32_t)w->wall.tv_nsec) + (uint64_t)sent.later;
    msg.length =
        (uint32_t)sealed_make(&key, time, bound.family ? &bound : NULL, &request, msg.message);
    return msg;
}

static inline struct authorize authorize_of(struct authorize_world *w)
{
    return (struct authorize){.config = w->config,
                              .plans = w->plans,
                              .once = &w->once,
                              .keyring = w->keyring,
                              .store = w->kept.store,
                              .doors = w->kept.w.doors,
                              .refused = w->refused,
                              .refusals = w->refusals,
                              .copies = w->copies,
                              .limits = &w->limits};
}

/* What becomes of a message; UNSEAL_VERDICTS: there were too many, so it wasn't looked at. */
static inline enum unseal_verdict authorize(struct authorize_world *w,
                                            const struct message_sealed *msg)
{
    struct authorize service = authorize_of(w);
    struct authorize_limits before = w->limits;
    authorize_sealed(&service, msg, w->now, w->wall);
    for (int i = 0; i < UNSEAL_VERDICTS; i++)
        if (w->limits.sealed[i] != before.sealed[i])
            return (enum unseal_verdict)i;
    return UNSEAL_VERDICTS;
}

static inline unsigned authorize_open_doors(const struct authorize_world *w)
{
    return doors_count(w->kept.w.doors);
}

#endif
