#include "knock/message.h"

#include <string.h>

#include "knock/once_file.h"
#include "knock/say.h"
#include "knock/send.h"
#include "lib/keyed.h"

/* ms between packets: a sequence has to arrive in its order, pieces of a message don't. */
enum { SEQUENCE_DELAY = 20, SEALED_DELAY = 2 };

bool message_open(struct message *message, const struct source *source, enum sealed_op op)
{
    message->volley.fd = message->seal.last.fd = -1;
    if (!message->profile->key)
        return true;
    return seal_open(&message->seal, message->profile, source, op) &&
           (message->only_list || seal_lock(&message->seal));
}

static bool tell(const struct message *message, struct step step, int error)
{
    char point[KNOCK_POINT_SIZE];
    const char *advice = knock_send_advice(message->target, error);
    say("cannot send to %s: %s%s%s", knock_target_point(message->target, step, point),
        strerror(error), advice ? "; " : "", advice ? advice : "");
    return false;
}

static bool next_sealed(struct message *message)
{
    const struct profile *profile = message->profile;
    size_t len = message->only_list ? seal_sample(&message->seal, message->bytes)
                                    : seal_make(&message->seal, message->bytes);
    if (len == 0)
        return false;
    struct packets_way way = {.carrier = profile->carrier,
                              .span = (uint16_t)profile->span,
                              .packet_port = (uint16_t)profile->packet_port};
    packets_make(way, message->bytes, len, &message->packets);
    const struct carrier_packet *first = message->packets.all;
    volley_close(&message->volley);
    int error = volley_open(&message->volley, message->target, message->own, first->proto);
    struct step step = {.port = first->port, .proto = first->proto};
    return error == 0 || tell(message, step, error);
}

bool message_next(struct message *message)
{
    if (message->profile->key)
        return next_sealed(message);
    if (message->profile->once)
        return once_file_take(message->profile->once, message->only_list, &message->sequence);
    message->sequence = message->profile->sequence;
    return true;
}

static void list(const struct message *message, struct step step, int length)
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

/* Between packets, not before the very first. */
static void wait_between(const struct message *message, unsigned before, unsigned usual)
{
    unsigned said = message->profile->delay_ms;
    if (before > 0 && !message->only_list)
        knock_pause(said == PROFILE_UNSET ? usual : said);
}

static bool send_sealed(struct message *message, unsigned round)
{
    uint32_t random[CARRIER_SLOTS_MAX];
    const struct carrier_packet *packets;
    keyed_random(random, sizeof(random));
    unsigned count = packets_round(&message->packets, round, random, &packets);
    for (unsigned i = 0; i < count; i++) {
        struct step step = {.port = packets[i].port, .proto = packets[i].proto};
        wait_between(message, round + i, SEALED_DELAY);
        list(message, step, step.proto == IPPROTO_UDP ? packets[i].length : -1);
        int error = message->only_list
                        ? 0
                        : volley_send(&message->volley, &packets[i], message->packets.payload);
        if (error && round == 0)
            return tell(message, step, error);
    }
    return true;
}

static bool send_sequence(struct message *message, unsigned round)
{
    struct knock_sender sender;
    int error = 0;
    knock_sender_open(&sender);
    for (unsigned i = 0; !error && i < message->sequence.count; i++) {
        struct step step = message->sequence.steps[i];
        wait_between(message, round + i, SEQUENCE_DELAY);
        list(message, step, -1);
        error = message->only_list ? 0 : knock_send(&sender, message->target, step);
        if (error && round == 0)
            tell(message, step, error);
    }
    knock_sender_close(&sender);
    return !error || round > 0;
}

bool message_send(struct message *message, unsigned round)
{
    return message->profile->key ? send_sealed(message, round) : send_sequence(message, round);
}

void message_close(struct message *message)
{
    seal_close(&message->seal);
    volley_close(&message->volley);
}
