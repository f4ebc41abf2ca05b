#include "knock/message.h"

#include <string.h>

#include "knock/once_file.h"
#include "knock/say.h"
#include "knock/send.h"
#include "lib/keyed.h"

/* ms between packets: a sequence has to arrive in its order, pieces of a message don't. */
enum { SEQUENCE_DELAY = 20, SEALED_DELAY = 2 };

bool message_open(struct message *message, enum sealed_op op, int64_t until)
{
    message->volley.fd = message->seal.last.fd = -1;
    if (!message->profile->key)
        return true;
    return seal_open(&message->seal, message->profile, message->source, op) &&
           (message->only_list || seal_lock(&message->seal, until));
}

static bool tell(const struct message *message, struct step step, int error)
{
    char point[KNOCK_POINT_SIZE];
    const char *advice = knock_target_advice(message->target, error);
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
    return true;
}

bool message_next(struct message *message)
{
    message->rounds = 0;
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

static struct step step_of(const struct carrier_packet *packet)
{
    return (struct step){.port = packet->port, .proto = packet->proto};
}

/* The port of the round before is known to those who saw it, and may be spoilt. */
static int take_port(struct message *message)
{
    if (message->only_list)
        return 0;
    volley_close(&message->volley);
    return volley_open(&message->volley, message->target, message->source,
                       message->packets.all[0].proto);
}

static bool send_sealed(struct message *message, bool whole)
{
    uint32_t random[CARRIER_SLOTS_MAX];
    bool first = message->rounds++ == 0;
    const struct carrier_packet *packet = message->packets.all;
    keyed_random(random, sizeof(random));
    unsigned count = packets_round(&message->packets, whole, random);
    int error = take_port(message);
    for (unsigned i = 0; i < count && (!error || !first); i++, packet++) {
        wait_between(message, !first + i, SEALED_DELAY);
        list(message, step_of(packet), packet->proto == IPPROTO_UDP ? packet->length : -1);
        if (!message->only_list)
            error = volley_send(&message->volley, packet, message->packets.payload);
    }
    return !error || !first || tell(message, step_of(packet), error);
}

static bool send_sequence(struct message *message)
{
    struct knock_sender sender;
    bool first = message->rounds++ == 0;
    int error = 0;
    knock_sender_open(&sender, message->source);
    for (unsigned i = 0; !error && i < message->sequence.count; i++) {
        struct step step = message->sequence.steps[i];
        wait_between(message, !first + i, SEQUENCE_DELAY);
        list(message, step, -1);
        error = message->only_list ? 0 : knock_send(&sender, message->target, step);
        if (error && first)
            tell(message, step, error);
    }
    knock_sender_close(&sender);
    return !error || !first;
}

bool message_send(struct message *message, bool whole)
{
    return message->profile->key ? send_sealed(message, whole) : send_sequence(message);
}

void message_close(struct message *message)
{
    seal_close(&message->seal);
    volley_close(&message->volley);
}
