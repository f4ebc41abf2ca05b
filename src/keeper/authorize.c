#include "keeper/authorize.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/addr_scope.h"
#include "lib/clock.h"
#include "lib/log.h"

/*
 * A second, and at once. A thousand who knock at one moment are let in; but a listener in an
 * attacker's hands can't ask for more doors than can be closed in time, nor have more written.
 */
enum { OPEN_RATE = 50, OPEN_BURST = 1000, ONE_TIME_RATE = 2, ONE_TIME_BURST = 20 };
enum { SEALED_OPEN_RATE = 5000, SEALED_OPEN_BURST = 10000 };
enum { LOGGED_REFUSAL_RATE = 20, LOGGED_REFUSAL_BURST = 200 };

/* What an honest listener's assembler hands over at most, and a burst of as much. */
enum { SEALED_RATE = 22000, SEALED_BURST = 22000, STRANGER_RATE = 10, STRANGER_BURST = 200 };

struct admission authorize_make(int64_t now)
{
    return (
        struct admission){.openings = limit_make(OPEN_RATE, OPEN_BURST, now),
                          .one_time = limit_make(ONE_TIME_RATE, ONE_TIME_BURST, now),
                          .sealed_openings = limit_make(SEALED_OPEN_RATE, SEALED_OPEN_BURST, now),
                          .refusals = limit_make(LOGGED_REFUSAL_RATE, LOGGED_REFUSAL_BURST, now),
                          .messages = limit_make(SEALED_RATE, SEALED_BURST, now),
                          .strangers = limit_make(STRANGER_RATE, STRANGER_BURST, now)};
}

bool gate_address(const struct addr *address)
{
    if (address->family != 4)
        return address->family == 6;
    for (int i = 4; i < 16; i++)
        if (address->bytes[i] != 0)
            return false;
    return true;
}

enum gate_verdict gate_judge(const struct config *config, const struct plans *plans,
                             const struct message_open *open, const char **why)
{
    if (open->door >= config->door_count || open->source >= config->source_count ||
        !gate_address(&open->address))
        return GATE_BAD;
    const struct config_door *door = &config->doors[open->door];
    if (addr_scope(&open->address) == ADDR_SCOPE_NONE) {
        *why = "no host can have that address";
        return GATE_REFUSED;
    }
    if (!config_allows(door, &open->address)) {
        *why = "not in its list of allowed networks";
        return GATE_REFUSED;
    }
    if (!plans_get(plans, open->door, open->address.family)->usable) {
        *why = open->address.family == 6 ? "it has no commands for IPv6"
                                         : "it has no commands for IPv4";
        return GATE_REFUSED;
    }
    return GATE_OPEN;
}

/* What a listener calls a door beyond the configuration's is a one-time sequence of one of them. */
static bool find_once(const struct config *config, const struct one_time *once,
                      struct message_open *open, unsigned *line)
{
    *line = open->door - config->door_count;
    if (*line >= once->count)
        return false;
    open->door = once->lines[*line].door;
    return true;
}

static const char too_many[] = "too many openings a second";

/* A line that is refused, as most of a hostile listener's are, costs neither a token nor a look
 * into the store. NULL: it is used up, durably, before anything runs, and whatever comes of it. */
static const char *spend(struct admission *admission, struct one_time *once, unsigned line,
                         const struct config *config, struct store *store, int64_t now)
{
    const char *why = once->known ? one_time_refuse(once, line) : NULL;
    if (why)
        return why;
    if (!limit_take(&admission->one_time, now))
        return too_many;
    if (one_time_recall(once, config, store) < 0)
        return "what one-time sequences are used up can't be looked up";
    why = one_time_refuse(once, line);
    return why ? why : one_time_spend(once, line, config, store);
}

static void refuse(struct admission *admission, const struct doors *doors,
                   const struct config_door *door, const struct addr *address, const char *why,
                   int64_t now)
{
    char text[ADDR_TEXT_SIZE];
    doors_report_refused(doors, door->name, address, why);
    if (limit_take(&admission->refusals, now))
        log_notice("door %s: refused %s: %s", door->name, addr_format(address, text), why);
}

bool authorize_open(struct admission *admission, const struct config *config,
                    const struct plans *plans, struct one_time *once, struct store *store,
                    struct doors *doors, const struct message_open *asked, int64_t now)
{
    const char *why = NULL;
    struct message_open open = *asked;
    unsigned line = 0;
    bool one_time = open.door >= config->door_count;
    if (one_time && !find_once(config, once, &open, &line))
        return false;
    /* What only keys or one-time sequences open isn't a listener's to ask for. */
    if (!one_time && config->doors[open.door].sequence.count == 0)
        return false;
    enum gate_verdict verdict = gate_judge(config, plans, &open, &why);
    if (verdict == GATE_BAD)
        return false;
    if (verdict == GATE_OPEN && one_time)
        why = spend(admission, once, line, config, store, now);
    else if (verdict == GATE_OPEN && !limit_take(&admission->openings, now))
        why = too_many;
    const struct config_door *door = &config->doors[open.door];
    if (why) {
        refuse(admission, doors, door, &open.address, why, now);
        return true;
    }
    const struct plan *plan = plans_get(plans, open.door, open.address.family);
    struct knock knock =
        knock_plain(door, plan, &open.address, one_time ? "one-time sequence" : "sequence");
    doors_knock(doors, &knock);
    return true;
}

/* --- sealed knocks --- */

static bool is_acceptable(const struct config *config, const struct message_sealed *msg)
{
    return config->sealed.span != 0 && msg->source < config->source_count &&
           (msg->length == SEALED_SHORT || msg->length == SEALED_LONG) &&
           gate_address(&msg->address);
}

/* How many messages the log didn't tell of, since it last said so: "; 12 more left out". */
static const char *left_out(struct admission *a, char out[40])
{
    uint64_t count = a->strangers.dropped - a->strangers_told;
    a->strangers_told = a->strangers.dropped;
    out[0] = '\0';
    if (count > 0)
        snprintf(out, 40, "; %llu more left out", (unsigned long long)count);
    return out;
}

/* Notes it for `knockctl why`. Returns whether the log may tell of this address, and of any. */
static bool note(struct admission *a, const struct sealed_service *s, const struct addr *address,
                 const char *why, int64_t apart, int64_t now)
{
    bool fresh = !s->refusals || refusal_log_note(s->refusals, address, why, apart, now);
    if (!fresh)
        a->strangers.dropped++;
    return fresh;
}

/* Anyone can cause these, as many as he likes: some are logged, all are counted. */
static void refuse_stranger(struct admission *a, const struct sealed_service *s,
                            const struct message_sealed *msg, enum unseal_verdict verdict,
                            int64_t now, struct timespec wall)
{
    char text[ADDR_TEXT_SIZE], apart[64] = "", more[40];
    const char *why = unseal_reason(verdict);
    int64_t ahead = 0;
    if (verdict == UNSEAL_STALE)
        ahead = (int64_t)(sealed_message_time(msg->message) >> 16) - wall.tv_sec;
    if (!note(a, s, &msg->address, why, ahead, now) || !limit_take(&a->strangers, now))
        return;
    if (verdict == UNSEAL_STALE)
        snprintf(apart, sizeof(apart), ": %lld s %s; set the clocks of both", llabs(ahead),
                 ahead < 0 ? "behind" : "ahead");
    log_notice("sealed knock from %s refused: %s%s%s", addr_format(&msg->address, text), why, apart,
               left_out(a, more));
    doors_report_refused(s->doors, NULL, &msg->address, why);
}

static void refuse_key(struct admission *a, const struct sealed_service *s, const struct key *key,
                       const struct addr *source, const struct sealed_wish *wish, const char *why,
                       int64_t now)
{
    char text[ADDR_TEXT_SIZE];
    const char *door = wish->door ? wish->door->name : NULL;
    doors_report_refused(s->doors, door, &wish->address, why);
    if (s->refusals)
        refusal_log_note(s->refusals, source, why, 0, now);
    if (!limit_take(&a->refusals, now))
        return;
    if (door)
        log_notice("door %s: refused %s: %s (%s)", door, addr_format(&wish->address, text), why,
                   key->name);
    else
        log_notice("sealed knock of %s from %s refused: %s", key->name,
                   addr_format(&wish->address, text), why);
}

/* A key's last time is looked up when it knocks for the first time. */
static bool know_last(const struct sealed_service *s, unsigned number)
{
    struct key *key = &s->keyring->keys[number];
    int64_t used;
    if (!key->known &&
        store_sealed_last(s->store, s->keyring->secrets[number].id, &key->last, &used) == 0)
        key->known = true;
    return key->known;
}

/* Longer than the rounds of a message take. */
static const int64_t copy_time = 30 * CLOCK_SECOND;

/*
 * Clients send a message again until they see its door open, and the next round leaves from another
 * port, so that the listener can't know it. It is no replay, and opens nothing either.
 */
static bool is_copy(const struct key *key, const struct unsealed *message,
                    const struct addr *source, int64_t now)
{
    return message->time == key->last && addr_equal(&key->last_from, source) &&
           now - key->last_came < copy_time;
}

/* Uses it up in the store, where that becomes durable by the commit that comes before anything is
 * done or refused by this message. */
static enum unseal_verdict use_up(const struct sealed_service *s, const struct unsealed *message,
                                  const struct addr *source, int64_t now, int64_t wall)
{
    struct key *key = &s->keyring->keys[message->key];
    if (!know_last(s, message->key))
        return UNSEAL_UNRECORDED;
    if (is_copy(key, message, source, now))
        return UNSEAL_COPY;
    if (message->time <= key->last ||
        keyring_is_early(s->keyring, message->key, message->bound, message->time))
        return UNSEAL_REPLAYED;
    /* Not used up then, but good for no longer than max_skew, and the key can knock again. */
    if (!limit_take(&key->rate, now))
        return UNSEAL_HASTY;
    int rc = store_sealed_use(s->store, s->keyring->secrets[message->key].id, message->time, wall);
    if (rc > 0)
        store_commit(s->store);
    return rc < 0 ? UNSEAL_UNRECORDED : rc > 0 ? UNSEAL_REPLAYED : UNSEAL_GOOD;
}

/* It is durably used up, and stays that, whatever follows. */
static void remember_use(const struct sealed_service *s, const struct unsealed *message,
                         const struct addr *source, int64_t now)
{
    struct key *key = &s->keyring->keys[message->key];
    key->last = message->time;
    key->last_from = *source;
    key->last_came = now;
}

/* What the door makes of a wish to open: the knock, or why there is none. */
static enum unseal_verdict make_knock(struct admission *a, const struct sealed_service *s,
                                      const struct key *key, const struct sealed_wish *wish,
                                      int64_t now, struct knock *knock, const char **why)
{
    struct message_open open = {.door = wish->number, .address = wish->address};
    if (gate_judge(s->config, s->plans, &open, why) != GATE_OPEN)
        return UNSEAL_DOOR;
    if (!limit_take(&a->sealed_openings, now)) {
        *why = "too many openings a second";
        return UNSEAL_DOOR;
    }
    *knock = (struct knock){.door = wish->door,
                            .plan = plans_get(s->plans, wish->number, wish->address.family),
                            .address = wish->address,
                            .port = wish->port,
                            .length = wish->length,
                            .by = key->name,
                            .key = key->name};
    return UNSEAL_GOOD;
}

static enum unseal_verdict close_door(const struct sealed_service *s, const struct key *key,
                                      const struct sealed_wish *wish)
{
    struct doors_choice choice = {.door = wish->door->name,
                                  .address = &wish->address,
                                  .port = wish->port.port,
                                  .key = key->name};
    return doors_close(s->doors, &choice) > 0 ? UNSEAL_GOOD : UNSEAL_NOTHING;
}

/*
 * Judges a message that is used up, but not durably yet, and does what it asks for. A door that
 * opens is recorded in the transaction of the use, so that the disk is waited for once; whatever
 * else follows waits until the use is durable.
 */
static enum unseal_verdict carry_out(struct admission *a, const struct sealed_service *s,
                                     const struct unsealed *message, const struct addr *source,
                                     struct sealed_wish *wish, int64_t now, int64_t wall,
                                     const char **why)
{
    const struct key *key = &s->keyring->keys[message->key];
    struct knock knock;
    enum unseal_verdict verdict = unseal_judge(s->config, s->keyring, message, source, wall, wish);
    bool opens = verdict == UNSEAL_GOOD && wish->op == SEALED_OPEN;
    if (opens)
        verdict = make_knock(a, s, key, wish, now, &knock, why);
    opens = opens && verdict == UNSEAL_GOOD;
    bool recorded_with_it = opens && doors_would_open(s->doors, &knock);
    if (recorded_with_it)
        doors_knock(s->doors, &knock);
    if ((recorded_with_it ? doors_record(s->doors) : store_commit(s->store)) < 0)
        return UNSEAL_UNRECORDED;
    remember_use(s, message, source, now);
    if (opens && !recorded_with_it)
        doors_knock(s->doors, &knock);
    else if (verdict == UNSEAL_GOOD && !opens)
        verdict = close_door(s, key, wish);
    return verdict;
}

/* A message that a key made. */
static enum unseal_verdict serve(struct admission *a, const struct sealed_service *s,
                                 const struct unsealed *message, const struct addr *source,
                                 int64_t now, int64_t wall)
{
    const struct key *key = &s->keyring->keys[message->key];
    struct sealed_wish wish = {.address = *source};
    const char *why = NULL;
    enum unseal_verdict verdict = use_up(s, message, source, now, wall);
    if (verdict == UNSEAL_REPLAYED || verdict == UNSEAL_COPY)
        return verdict;
    if (verdict == UNSEAL_GOOD)
        verdict = carry_out(a, s, message, source, &wish, now, wall, &why);
    if (verdict == UNSEAL_UNRECORDED && limit_take(&a->refusals, now))
        log_error("a sealed knock can't be recorded, so it isn't served: %s",
                  store_error(s->store));
    if (verdict != UNSEAL_GOOD)
        refuse_key(a, s, key, source, &wish, why ? why : unseal_reason(verdict), now);
    return verdict;
}

/* Should its key come into force, it is to stay refused. */
static void remember(const struct sealed_service *s, const struct message_sealed *msg)
{
    uint64_t time = sealed_message_time(msg->message);
    uint16_t hint = sealed_message_hint(msg->message);
    unsigned own;
    key_index_find(s->keyring->index, time, hint, &own);
    refused_note(s->refused, time, hint, own > 0);
}

bool authorize_sealed(struct admission *a, const struct sealed_service *s,
                      const struct message_sealed *msg, int64_t now, struct timespec wall)
{
    struct unsealed message;
    if (!is_acceptable(s->config, msg))
        return false;
    if (!limit_take(&a->messages, now))
        return true;
    enum unseal_verdict verdict =
        unseal_open(s->keyring, msg, sealed_time(wall.tv_sec, (int32_t)wall.tv_nsec),
                    s->config->sealed.max_skew, &message);
    if (verdict == UNSEAL_GOOD)
        verdict = serve(a, s, &message, &msg->address, now, wall.tv_sec);
    if (verdict == UNSEAL_UNKNOWN && s->refused)
        remember(s, msg);
    if (verdict == UNSEAL_STALE || verdict == UNSEAL_UNKNOWN || verdict == UNSEAL_REPLAYED)
        refuse_stranger(a, s, msg, verdict, now, wall);
    a->sealed[verdict]++;
    return true;
}
