/* From which time on the messages of each key are good, and what of that is recorded. */
#include "keeper/in_force.h"

#include "lib/log.h"

/* In the place of a key: that a door takes unbound messages. */
static const uint8_t unbound_id[SEALED_ID_SIZE] = "unbound";

/* Numbers of the store. */
static const char newest_refused[] = "refused"; /* time of the newest unknown message */
static const char last_skew[] = "skew";         /* max_skew in s */

/* Nothing that isn't stale is later than that. */
static uint64_t latest(struct in_force_time time)
{
    return time.now + ((uint64_t)time.skew << 16);
}

static uint64_t no_later(uint64_t begin, struct in_force_time time)
{
    return begin < latest(time) ? begin : latest(time);
}

/* What was too old for a shorter max_skew stays that. */
static uint64_t begin_of_skew(int64_t old_skew, struct in_force_time time)
{
    return old_skew >= 0 && time.skew > old_skew ? time.now - ((uint64_t)old_skew << 16) : 0;
}

static void set_begins(struct keyring *keyring, const struct refused *refused, uint64_t all,
                       struct in_force_time time)
{
    for (unsigned i = 0; i < keyring->count; i++) {
        struct key *key = &keyring->keys[i];
        uint64_t begin = key->fresh ? refused_newest_of(refused, &keyring->secrets[i]) : 0;
        key->since = sealed_later(key->since, sealed_later(all, no_later(begin, time)));
    }
    if (keyring->unbound_fresh)
        keyring->unbound_since = no_later(refused_newest_unbound(refused), time);
}

static int write_keys(const struct keyring *keyring, struct store *store)
{
    for (unsigned i = 0; i < keyring->count; i++)
        if (store_sealed_force(store, keyring->secrets[i].id, keyring->keys[i].since) < 0)
            return -1;
    if (keyring->unbound && store_sealed_force(store, unbound_id, keyring->unbound_since) < 0)
        return -1;
    return store_sealed_force_end(store);
}

static void record_keys(const struct keyring *keyring, struct store *store, uint64_t all,
                        struct in_force_time time)
{
    if (write_keys(keyring, store) < 0 || store_sealed_begin(store, all) < 0 ||
        store_number_set(store, last_skew, time.skew) < 0 ||
        store_number_set(store, newest_refused, -1) < 0 || store_commit(store) < 0)
        log_error("which keys are in force can't be recorded: %s", store_error(store));
}

/* As the last life of knockd left them. */
static void find_fresh(struct keyring *keyring, struct store *store)
{
    uint64_t since = 0;
    int64_t used;
    for (unsigned i = 0; i < keyring->count; i++)
        keyring->keys[i].fresh = store_sealed_forced(store, keyring->secrets[i].id) != 1;
    keyring->unbound_fresh = store_sealed_forced(store, unbound_id) != 1;
    if (store_sealed_last(store, unbound_id, &since, &used) == 0)
        keyring->unbound_since = since;
}

void in_force_start(struct keyring *keyring, struct store *store, struct refused *refused,
                    struct in_force_time time)
{
    int64_t newest = store_number(store, newest_refused);
    uint64_t all = begin_of_skew(store_number(store, last_skew), time);
    refused_note_all(refused, newest < 0 ? latest(time) : no_later((uint64_t)newest, time));
    find_fresh(keyring, store);
    set_begins(keyring, refused, all, time);
    record_keys(keyring, store, all, time);
}

void in_force_reload(struct keyring *keyring, const struct keyring *old, int64_t old_skew,
                     struct store *store, const struct refused *refused, struct in_force_time time)
{
    uint64_t all = begin_of_skew(old_skew, time);
    keyring_follow(keyring, old);
    set_begins(keyring, refused, all, time);
    record_keys(keyring, store, all, time);
}

void in_force_end(struct store *store, const struct refused *refused)
{
    if (store_number_set(store, newest_refused, (int64_t)refused_newest(refused)) < 0 ||
        store_commit(store) < 0)
        log_error("which sealed knocks were refused can't be recorded, so new keys wait for "
                  "max_skew after the next start: %s",
                  store_error(store));
}
