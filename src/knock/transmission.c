/* Makes a message or takes a sequence, and sends it round after round. */
#include "knock/transmission.h"

#include <string.h>

#include "knock/once_file.h"
#include "knock/output.h"
#include "knock/send.h"
#include "lib/crypto.h"

/* ms between packets: a sequence has to arrive in its order, pieces of a message don't. */
enum { SEQUENCE_DELAY = 20, SEALED_DELAY = 2 };

void transmission_open(struct transmission *message)
{
    message->round_port.fd = -1;
    message->failure = 0;
    replies_open(&message->replies, message->target, true);
}

const char *transmission_failure(const struct transmission *message, char *out, size_t size)
{
    char point[KNOCK_POINT_SIZE];
    const char *advice = knock_target_advice(message->target, message->failure);
    snprintf(out, size, "cannot send to %s: %s%s%s",
             knock_target_point(message->target, message->failed, point),
             strerror(message->failure), advice ? "; " : "", advice ? advice : "");
    return out;
}

static bool next_sealed(struct transmission *message)
{
    const struct profile *profile = message->profile;
    const struct addr *bound = &message->source->bound;
    size_t len = message->only_list ? seal_sample(message->seal, bound, message->bytes)
                                    : seal_make(message->seal, bound, message->bytes);
    if (len == 0)
        return false;
    struct packets_options options = {.carrier = profile->carrier,
                                      .span = (uint16_t)profile->span,
                                      .packet_port = (uint16_t)profile->packet_port};
    packets_make(options, message->bytes, len, &message->packets);
    return true;
}

static bool next_sequence(struct transmission *message, bool unsent)
{
    const char *once = message->profile->once;
    if (once)
        return unsent || once_file_next(once, message->only_list, &message->sequence);
    message->sequence = message->profile->sequence;
    return true;
}

bool transmission_next(struct transmission *message)
{
    bool unsent = message->made && message->failure != 0;
    message->rounds = 0;
    message->failure = 0;
    message->made = message->profile->key ? next_sealed(message) : next_sequence(message, unsent);
    return message->made;
}

static void list(const struct transmission *message, struct port_proto step, int length)
{
    char point[KNOCK_POINT_SIZE];
    if (!message->list)
        return;
    knock_target_point(message->target, step, point);
    if (length < 0)
        fprintf(message->list, "hitting %s\n", point);
    else
        fprintf(message->list, "hitting %s with %d bytes\n", point, length);
}

void transmission_collect(struct transmission *message, bool done)
{
    round_port_collect(&message->round_port);
    if (done)
        replies_close(&message->replies);
    else
        replies_collect(&message->replies);
}

static unsigned delay_of(const struct profile *profile)
{
    if (profile->delay_ms != PROFILE_UNSET)
        return profile->delay_ms;
    return profile->key ? SEALED_DELAY : SEQUENCE_DELAY;
}

/* In a long pause the sockets of TCP have to be closed in time. */
static void wait_between(struct transmission *messages, unsigned count)
{
    unsigned left = delay_of(messages[0].profile);
    unsigned first = left < REPLIES_TCP_MS ? left : REPLIES_TCP_MS;
    if (messages[0].only_list)
        return;
    knock_pause(first);
    for (unsigned m = 0; m < count; m++)
        transmission_collect(&messages[m], false);
    knock_pause(left - first);
}

/* The port of the round before is known to those who saw it, and may be spoilt. */
static int take_port(struct transmission *message)
{
    if (message->only_list)
        return 0;
    round_port_leave(&message->round_port);
    return round_port_open(&message->round_port, message->target, message->source,
                           message->packets.all[0].proto, &message->replies);
}

static void begin_round(struct transmission *message, bool whole)
{
    uint32_t random[CARRIER_SLOTS_MAX];
    message->rounds++;
    message->error = 0;
    message->count = message->sequence.count;
    if (!message->profile->key)
        return;
    crypto_random(random, sizeof(random));
    message->count = packets_round(&message->packets, whole, random);
    message->error = take_port(message);
}

static struct port_proto step_at(const struct transmission *message, unsigned i)
{
    const struct carrier_packet *packet = &message->packets.all[i];
    if (!message->profile->key)
        return message->sequence.steps[i];
    return (struct port_proto){.port = packet->port, .proto = packet->proto};
}

static int send_sealed(struct transmission *message, unsigned i)
{
    const struct carrier_packet *packet = &message->packets.all[i];
    list(message, step_at(message, i), packet->proto == IPPROTO_UDP ? packet->length : -1);
    return message->only_list
               ? 0
               : round_port_send(&message->round_port, packet, message->packets.payload);
}

static int send_step(struct transmission *message, unsigned i)
{
    struct port_proto step = message->sequence.steps[i];
    list(message, step, -1);
    return message->only_list
               ? 0
               : knock_send(message->source, message->target, step, &message->replies);
}

/* Without its step before, no step of a sequence is worth sending; any packets carry a message. */
static bool is_over(const struct transmission *message, unsigned i)
{
    return !message->made || message->failure || i >= message->count ||
           (message->error && !message->profile->key);
}

static void send_packet(struct transmission *message, unsigned i)
{
    bool first = message->rounds == 1, ported = i > 0 || !message->error;
    if (is_over(message, i))
        return;
    if (ported || !first)
        message->error = message->profile->key ? send_sealed(message, i) : send_step(message, i);
    if (message->error && first) {
        message->failure = message->error;
        message->failed = step_at(message, i);
    }
}

/*
 * Whether packet `i` completes a message behind another one's. Of two messages of a key, the server
 * takes none that is older than one that it took: the second, which is the later one, mustn't be
 * whole before the first.
 */
static bool completes_second(const struct transmission *messages, unsigned m, unsigned i)
{
    return m > 0 && messages[m].profile->key && i + 1 == messages[m].packets.count &&
           messages[0].made && !messages[0].failure;
}

bool transmission_send(struct transmission *messages, unsigned count, bool whole)
{
    unsigned longest = 0;
    bool good = false, pause = messages[0].rounds > 0;
    for (unsigned m = 0; m < count; m++) {
        if (!messages[m].made || messages[m].failure)
            continue;
        begin_round(&messages[m], whole);
        longest = messages[m].count > longest ? messages[m].count : longest;
    }
    for (unsigned i = 0; i < longest; i++, pause = true) {
        if (pause) /* between packets, not before the very first */
            wait_between(messages, count);
        for (unsigned m = 0; m < count; m++) {
            if (completes_second(messages, m, i))
                wait_between(messages, count);
            send_packet(&messages[m], i);
        }
    }
    for (unsigned m = 0; m < count; m++)
        good |= messages[m].made && messages[m].failure == 0;
    return good;
}

void transmission_close(struct transmission *message)
{
    replies_close(&message->replies);
    round_port_close(&message->round_port);
}
