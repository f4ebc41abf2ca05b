/* Decides whether a knock opens a door, and says in the log why not. */
#include "keeper/authorize.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr_scope.h"
#include "lib/clock.h"
#include "lib/log.h"

/*
 * A second, and at once, of each source. A thousand who knock in any second are let in; but a
 * listener in an attacker's hands can't ask for more doors than can be closed in time, nor have
 * more written. Thousands of rules come and go by one command, so that the burst is what a
 * transaction and a batch take in a fraction of a second; where each opening takes processes of its
 * own, fifty a second leave the processors to those that close.
 */
enum { OPEN_RATE = 1000, OPEN_BURST = 1000, LONE_RATE = 50, LONE_BURST = 1000 };
enum { ONE_TIME_RATE = 2, ONE_TIME_BURST = 20 };
enum { SEALED_OPEN_RATE = 5000, SEALED_OPEN_BURST = 10000 };
enum { LOGGED_REFUSAL_RATE = 20, LOGGED_REFUSAL_BURST = 200 };

/* What an honest listener reassembles at most, and a burst of as much. */
enum { SEALED_RATE = 22000, SEALED_BURST = 22000, STRANGER_RATE = 10, STRANGER_BURST = 200 };

struct authorize_limits authorize_limits_make(int64_t now)
{
    struct authorize_limits limits = {
        .one_time = limit_make(ONE_TIME_RATE, ONE_TIME_BURST, now),
        .sealed_openings = limit_make(SEALED_OPEN_RATE, SEALED_OPEN_BURST, now),
        .messages = limit_make(SEALED_RATE, SEALED_BURST, now),
    };
    for (unsigned i = 0; i < CONFIG_SOURCES_MAX; i++)
        limits.sources[i] = (struct authorize_source){
            .openings = limit_make(OPEN_RATE, OPEN_BURST, now),
            .lone_openings = limit_make(LONE_RATE, LONE_BURST, now),
            .refusals = limit_make(LOGGED_REFUSAL_RATE, LOGGED_REFUSAL_BURST, now),
            .strangers = limit_make(STRANGER_RATE, STRANGER_BURST, now),
        };
    return limits;
}

uint64_t authorize_messages_dropped(const struct authorize_limits *limits)
{
    uint64_t dropped = 0;
    for (unsigned i = 0; i < CONFIG_SOURCES_MAX; i++)
        dropped += limits->sources[i].refusals.dropped + limits->sources[i].strangers.dropped;
    return dropped;
}

const char *authorize_refusal(const struct config *config, const struct plans *plans, unsigned door,
                              const struct addr *address)
{
    if (addr_scope(address) == ADDR_SCOPE_NONE)
        return "no host can have that address";
    if (!config_allows(&config->doors[door], address))
        return "not in its list of allowed networks";
    if (!plans_get(plans, door, address->family)->usable)
        return address->family == 6 ? "it has no commands for IPv6" : "it has no commands for IPv4";
    return NULL;
}

static const char too_many[] = "too many openings a second";

/* --- copies --- */

/* By how much sources without a max_age may bring one knock apart. */
static const int64_t copies_apart = 10 * CLOCK_SECOND;

/* While a door is open, but no longer than so, it is remembered what opened it. */
static const int64_t copies_longest = 3600 * CLOCK_SECOND;

static struct copies_knock copies_knock_of(char kind, const void *what, size_t len,
                                           const struct addr *address, uint16_t port)
{
    struct copies_knock knock = {.port = port, .address = *address, .what = {kind}};
    memcpy(knock.what + 1, what, len);
    return knock;
}

/* By how much any two sources may. */
static int64_t find_apart(const struct config *config)
{
    int64_t apart = copies_apart;
    for (unsigned i = 0; i < config->source_count; i++)
        if (config->sources[i].max_age > apart)
            apart = config->sources[i].max_age;
    return apart;
}

/*
 * Whether another source brought the same knock, which is remembered as long as what it opens
 * lives, and then as long as sources may be apart; or the stream of other hosts did, which may
 * bring a line twice. `length` is the time that it opens for.
 */
static bool is_copied(const struct authorize *a, const struct copies_knock *knock, uint32_t source,
                      int64_t length, int64_t now)
{
    const struct config_source *from = &a->config->sources[source];
    if (!a->copies || (a->config->source_count < 2 && !from->remote))
        return false;
    struct copies_source by = {.name = from->name};
    if (from->remote)
        by.again = from->max_age > 0 ? from->max_age : copies_apart;
    length = length < copies_longest ? length : copies_longest;
    return copies_note(a->copies, knock, &by, now, now + length + find_apart(a->config));
}

static int64_t open_length(const struct config_door *door)
{
    int64_t longest = door->max_timeout > door->cmd_timeout ? door->max_timeout : door->cmd_timeout;
    return door->start_delay + longest;
}

/* --- sequences --- */

/*
 * Uses up a one-time sequence, durably, before anything runs, and whatever comes of it. Returns
 * NULL, or why it opens nothing. A refused line, as most of a hostile listener's are, costs neither
 * a token of the limit nor a look into the store.
 */
static const char *use_up_line(const struct authorize *a, unsigned line, int64_t now)
{
    const char *why = a->once->known ? one_time_refuse(a->once, line) : NULL;
    if (why)
        return why;
    if (!limit_take(&a->limits->one_time, now))
        return too_many;
    if (one_time_recall(a->once, a->config, a->store) < 0)
        return "what one-time sequences are used up can't be looked up";
    why = one_time_refuse(a->once, line);
    return why ? why : one_time_spend(a->once, line, a->config, a->store);
}

/* Why a plain sequence opens nothing more by now, NULL: it does. What finds no room takes nothing
 * of its source's rate. */
static const char *take_opening(const struct authorize *a, const struct knock *knock,
                                uint32_t source, int64_t now)
{
    struct authorize_source *limits = &a->limits->sources[source];
    bool together = knock->plan->together && a->config->batch;
    const char *why = doors_no_room(a->doors, knock);
    if (!why && !limit_take(together ? &limits->openings : &limits->lone_openings, now))
        why = too_many;
    return why;
}

static void refuse_sequence(const struct authorize *a, const struct config_door *door,
                            const struct message_open *asked, const char *why, int64_t now)
{
    char text[ADDR_TEXT_SIZE];
    doors_report_refused(a->doors, door->name, &asked->address, why);
    if (limit_take(&a->limits->sources[asked->source].refusals, now))
        log_notice("door %s: refused %s: %s", door->name, addr_format(&asked->address, text), why);
}

/* Whether another source brought the sequence; `line` -1: it is no one-time sequence. */
static bool is_copied_sequence(const struct authorize *a, const struct message_open *asked,
                               const struct config_door *door, int line, int64_t now)
{
    char text[ADDR_TEXT_SIZE];
    struct copies_knock knock =
        copies_knock_of(line < 0 ? 's' : 'o', door->name, strlen(door->name), &asked->address,
                        line < 0 ? asked->port : (uint16_t)line);
    bool copied = is_copied(a, &knock, asked->source, open_length(door), now);
    if (copied)
        log_debug("door %s: source %s brings the knock of %s, too", door->name,
                  a->config->sources[asked->source].name, addr_format(&asked->address, text));
    return copied;
}

void authorize_open(const struct authorize *a, const struct message_open *asked, int64_t now)
{
    bool one_time = asked->door >= a->config->door_count;
    unsigned line = one_time ? asked->door - a->config->door_count : 0;
    unsigned number = one_time_door(a->once, a->config->door_count, asked->door);
    const struct config_door *door = &a->config->doors[number];
    if (is_copied_sequence(a, asked, door, one_time ? (int)line : -1, now))
        return;
    const char *why = authorize_refusal(a->config, a->plans, number, &asked->address);
    struct knock knock = knock_plain(door, plans_get(a->plans, number, asked->address.family),
                                     &asked->address, one_time ? "one-time sequence" : "sequence");
    knock.source = a->config->sources[asked->source].name;
    knock.remote = !one_time && a->config->sources[asked->source].remote;
    knock.refusals = &a->limits->sources[asked->source].refusals;
    /* Refused or not, a one-time sequence was spoken aloud. */
    const char *spent = one_time ? use_up_line(a, line, now) : NULL;
    if (!why)
        why = one_time ? spent : take_opening(a, &knock, asked->source, now);
    if (why)
        refuse_sequence(a, door, asked, why, now);
    else
        why = doors_knock(a->doors, &knock);
    if (why && a->refusals)
        refusal_log_note(a->refusals, &asked->address, door->name, why, 0, now);
}

/* --- sealed knocks --- */

/* How many messages the log didn't tell of, since it last said so: "; 12 more left out". */
static const char *left_out(struct authorize_source *limits, char out[40])
{
    uint64_t count = limits->strangers.dropped - limits->strangers_told;
    limits->strangers_told = limits->strangers.dropped;
    out[0] = '\0';
    if (count > 0)
        snprintf(out, 40, "; %llu more left out", (unsigned long long)count);
    return out;
}

/* Notes it for `knockctl why`. Returns whether the log has said little enough of this address. */
static bool note_stranger(const struct authorize *a, const struct message_sealed *msg,
                          const char *why, int64_t apart, int64_t now)
{
    bool may_log =
        !a->refusals || refusal_log_note(a->refusals, &msg->address, NULL, why, apart, now);
    if (!may_log)
        a->limits->sources[msg->source].strangers.dropped++;
    return may_log;
}

/* Anyone can cause these refusals, as many as he likes: some are logged, all are counted. */
static void refuse_stranger(const struct authorize *a, const struct message_sealed *msg,
                            enum unseal_verdict verdict, int64_t now, struct timespec wall)
{
    char text[ADDR_TEXT_SIZE], apart[64] = "", more[40];
    const char *why = verdict == UNSEAL_NEW_STATE ? a->limits->new_state : unseal_reason(verdict);
    struct authorize_source *limits = &a->limits->sources[msg->source];
    int64_t ahead = 0;
    if (verdict == UNSEAL_STALE)
        ahead = (int64_t)(sealed_message_time(msg->message) >> 16) - wall.tv_sec;
    if (!note_stranger(a, msg, why, ahead, now) || !limit_take(&limits->strangers, now))
        return;
    if (verdict == UNSEAL_STALE)
        snprintf(apart, sizeof(apart), ": %lld s %s; set the clocks of both", llabs(ahead),
                 ahead < 0 ? "behind" : "ahead");
    log_notice("sealed knock from %s refused: %s%s%s", addr_format(&msg->address, text), why, apart,
               left_out(limits, more));
    doors_report_refused(a->doors, NULL, &msg->address, why);
}

static void refuse_key(const struct authorize *a, const struct unsealed *message,
                       const struct addr *source, const struct sealed_wish *wish, const char *why,
                       int64_t now)
{
    const struct key *key = &a->keyring->keys[message->key];
    char text[ADDR_TEXT_SIZE];
    const char *door = wish->door ? wish->door->name : NULL;
    doors_report_refused(a->doors, door, &wish->address, why);
    if (a->refusals)
        refusal_log_note(a->refusals, source, NULL, why, 0, now);
    if (!limit_take(&a->limits->sources[message->source].refusals, now))
        return;
    if (door)
        log_notice("door %s: refused %s: %s (%s)", door, addr_format(&wish->address, text), why,
                   key->name);
    else
        log_notice("sealed knock of %s from %s refused: %s", key->name,
                   addr_format(&wish->address, text), why);
}

/* The time of a key's last message is looked up when the key knocks for the first time. */
static bool know_last(const struct authorize *a, unsigned number)
{
    struct key *key = &a->keyring->keys[number];
    int64_t used;
    if (!key->known &&
        store_sealed_last(a->store, a->keyring->secrets[number].id, &key->last, &used) == 0) {
        key->known = true;
        key->used = used > 0;
    }
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

/* Says in limits->new_state until when, which is the same for all who are refused so. */
static void name_new(const struct authorize *a, const char *what, const char *lest, uint64_t begin)
{
    char until[32];
    time_t end = (time_t)(begin >> 16) + 1;
    struct tm tm;
    if (!localtime_r(&end, &tm) || strftime(until, sizeof(until), "%F %T", &tm) == 0)
        snprintf(until, sizeof(until), "max_skew is over");
    snprintf(a->limits->new_state, sizeof(a->limits->new_state),
             "new %s knocks are refused until %s, lest one that was %s; knock once more then", what,
             until, lest);
}

/* Of a key that wasn't in force before: what was refused until then stays refused, by its time.
 * After an end that recorded nothing, such as a kill -9, that is all that there may have been. */
static enum unseal_verdict judge_early(const struct authorize *a, const struct key *key,
                                       const struct unsealed *message, int64_t wall)
{
    uint64_t since = key->since;
    if (!message->bound)
        since = sealed_later(since, a->keyring->unbound_since);
    if (message->time <= key->last || message->time >= since || (int64_t)(since >> 16) < wall)
        return UNSEAL_REPLAYED;
    name_new(a, "key: its", "refused before be good now", since);
    return UNSEAL_NEW_STATE;
}

/* Why the key's message of that time is too old. A state that isn't new begins in the past, and
 * where a key was used since, its last message counts. Who has no store has no new one. */
static enum unseal_verdict judge_old(const struct authorize *a, const struct key *key,
                                     const struct unsealed *message, int64_t wall)
{
    uint64_t begin;
    if (!a->store || store_sealed_begun(a->store, &begin) < 0 || message->time > begin ||
        (key->used && key->last > begin) || (int64_t)(begin >> 16) < wall)
        return judge_early(a, key, message, wall);
    name_new(a, "state, or an old copy: sealed", "used up be good again", begin);
    return UNSEAL_NEW_STATE;
}

/* Uses the message up in the store, where that becomes durable by the commit that comes before
 * anything is done or refused by this message. */
static enum unseal_verdict use_up_message(const struct authorize *a, const struct unsealed *message,
                                          const struct addr *source, int64_t now, int64_t wall)
{
    struct key *key = &a->keyring->keys[message->key];
    if (!know_last(a, message->key))
        return UNSEAL_UNRECORDED;
    if (is_copy(key, message, source, now))
        return UNSEAL_COPY;
    if (message->time <= key->last ||
        keyring_is_early(a->keyring, message->key, message->bound, message->time))
        return judge_old(a, key, message, wall);
    /* Not used up then, but good for no longer than max_skew, and the key can knock again. */
    if (!limit_take(&key->rate, now))
        return UNSEAL_HASTY;
    int rc = store_sealed_use(a->store, a->keyring->secrets[message->key].id, message->time, wall);
    if (rc > 0)
        store_commit(a->store);
    return rc < 0 ? UNSEAL_UNRECORDED : rc > 0 ? UNSEAL_REPLAYED : UNSEAL_GOOD;
}

/* It is durably used up, and stays that, whatever follows. */
static void remember_use(const struct authorize *a, const struct unsealed *message,
                         const struct addr *source, int64_t now)
{
    struct key *key = &a->keyring->keys[message->key];
    key->last = message->time;
    key->used = true;
    key->last_from = *source;
    key->last_came = now;
}

/* What the door makes of a wish to open: the knock, or why there is none. */
static enum unseal_verdict make_knock(const struct authorize *a, const struct key *key,
                                      const struct sealed_wish *wish, int64_t now,
                                      struct knock *knock, const char **why)
{
    *why = authorize_refusal(a->config, a->plans, wish->number, &wish->address);
    if (!*why && !limit_take(&a->limits->sealed_openings, now))
        *why = too_many;
    if (*why)
        return UNSEAL_DOOR;
    *knock = (struct knock){.door = wish->door,
                            .plan = plans_get(a->plans, wish->number, wish->address.family),
                            .address = wish->address,
                            .port = wish->port,
                            .length = wish->length,
                            .by = key->name,
                            .key = key->name};
    return UNSEAL_GOOD;
}

static enum unseal_verdict close_door(const struct authorize *a, const struct key *key,
                                      const struct sealed_wish *wish)
{
    struct doors_choice choice = {.door = wish->door->name,
                                  .address = &wish->address,
                                  .port = wish->port.port,
                                  .key = key->name};
    return doors_close(a->doors, &choice) > 0 ? UNSEAL_GOOD : UNSEAL_NOTHING;
}

/*
 * Judges a message that is used up, but not durably yet, and does what it asks for. A door that
 * opens is recorded in the transaction of the use, so that the disk is waited for once; whatever
 * else follows waits until the use is durable.
 */
static enum unseal_verdict carry_out(const struct authorize *a, const struct unsealed *message,
                                     const struct addr *source, struct sealed_wish *wish,
                                     int64_t now, int64_t wall, const char **why)
{
    const struct key *key = &a->keyring->keys[message->key];
    struct knock knock;
    enum unseal_verdict verdict =
        unseal_validate(a->config, a->keyring, message, source, wall, wish);
    bool opens = verdict == UNSEAL_GOOD && wish->op == SEALED_OPEN;
    if (opens)
        verdict = make_knock(a, key, wish, now, &knock, why);
    opens = opens && verdict == UNSEAL_GOOD;
    if (opens) {
        knock.source = a->config->sources[message->source].name;
        knock.refusals = &a->limits->sources[message->source].refusals;
    }
    /* While nothing can be recorded, the doors are to know nothing of a knock that isn't served. */
    bool recorded_with_it = opens && doors_recorded(a->doors) && doors_would_open(a->doors, &knock);
    if (recorded_with_it)
        doors_knock(a->doors, &knock);
    if ((recorded_with_it ? doors_record(a->doors) : store_commit(a->store)) < 0)
        return UNSEAL_UNRECORDED;
    remember_use(a, message, source, now);
    if (opens && !recorded_with_it)
        doors_knock(a->doors, &knock);
    else if (verdict == UNSEAL_GOOD && !opens)
        verdict = close_door(a, key, wish);
    return verdict;
}

/* Serves a message that a key made. */
static enum unseal_verdict serve_message(const struct authorize *a, const struct unsealed *message,
                                         const struct addr *source, int64_t now, int64_t wall)
{
    struct sealed_wish wish = {.address = *source};
    const char *why = NULL;
    enum unseal_verdict verdict = use_up_message(a, message, source, now, wall);
    if (verdict == UNSEAL_REPLAYED || verdict == UNSEAL_NEW_STATE || verdict == UNSEAL_COPY)
        return verdict;
    if (verdict == UNSEAL_GOOD)
        verdict = carry_out(a, message, source, &wish, now, wall, &why);
    if (verdict == UNSEAL_UNRECORDED &&
        limit_take(&a->limits->sources[message->source].refusals, now))
        log_error("a sealed knock can't be recorded, so it isn't served: %s",
                  store_error(a->store));
    if (verdict != UNSEAL_GOOD)
        refuse_key(a, message, source, &wish, why ? why : unseal_reason(verdict), now);
    return verdict;
}

/* Of a message that a key made: whether it is for a door that hears nothing of its source; then it
 * isn't used up, since another source may bring it. */
static bool is_unheard(const struct authorize *a, const struct unsealed *message)
{
    const struct config_door *door =
        unseal_door(a->config, a->keyring, message->request.door, &(unsigned){0});
    if (!door || config_hears(door, message->source))
        return false;
    log_debug("door %s: it doesn't hear source %s, which brings a sealed knock", door->name,
              a->config->sources[message->source].name);
    return true;
}

/* Whether another source brought the message. */
static bool is_copied_message(const struct authorize *a, const struct message_sealed *msg,
                              const struct unsealed *message, int64_t now)
{
    const struct config_door *door =
        unseal_door(a->config, a->keyring, message->request.door, &(unsigned){0});
    struct copies_knock knock = copies_knock_of('m', msg->message, msg->length, &msg->address, 0);
    return is_copied(a, &knock, msg->source, door ? open_length(door) : 0, now);
}

/* Should the key of an unknown message come into force, the message is to stay refused. */
static void remember_unknown(const struct authorize *a, const struct message_sealed *msg)
{
    uint64_t time = sealed_message_time(msg->message);
    uint16_t hint = sealed_message_hint(msg->message);
    unsigned own;
    key_index_find(a->keyring->index, time, hint, &own);
    refused_note(a->refused, time, hint, own > 0);
}

void authorize_sealed(const struct authorize *a, const struct message_sealed *msg, int64_t now,
                      struct timespec wall)
{
    struct unsealed message;
    if (!limit_take(&a->limits->messages, now))
        return;
    enum unseal_verdict verdict =
        unseal_open(a->keyring, msg, sealed_time(wall.tv_sec, (int32_t)wall.tv_nsec),
                    a->config->sealed.max_skew, &message);
    message.source = msg->source;
    if (verdict == UNSEAL_GOOD && is_unheard(a, &message))
        verdict = UNSEAL_UNHEARD;
    else if (verdict == UNSEAL_GOOD && is_copied_message(a, msg, &message, now))
        verdict = UNSEAL_COPY;
    if (verdict == UNSEAL_GOOD)
        verdict = serve_message(a, &message, &msg->address, now, wall.tv_sec);
    if (verdict == UNSEAL_UNKNOWN && a->refused)
        remember_unknown(a, msg);
    if (verdict == UNSEAL_STALE || verdict == UNSEAL_UNKNOWN || verdict == UNSEAL_REPLAYED ||
        verdict == UNSEAL_NEW_STATE)
        refuse_stranger(a, msg, verdict, now, wall);
    a->limits->sealed[verdict]++;
}
