/* Draws random ports for a sequence, and leaves out those that serve or are taken. */
#include "knockctl/generate.h"

#include <netinet/in.h>
#include <stdlib.h>

/* Fewer are soon tried through. */
enum { PORTS_WANTED = 4096 };

/* 0 to limit - 1, each as likely: the uneven rest of 2^32 is thrown away. */
static uint32_t below(struct random_source random, uint32_t limit)
{
    uint32_t rest = (UINT32_MAX - limit + 1) % limit, value;
    do
        value = random.next(random.arg);
    while (value < rest);
    return value % limit;
}

static bool is_free(const struct port_set *taken, uint16_t port)
{
    return !port_set_has(taken, IPPROTO_TCP, port) && !port_set_has(taken, IPPROTO_UDP, port);
}

static unsigned count_free(const struct port_set *taken)
{
    unsigned count = 0;
    for (unsigned port = GENERATE_FIRST; port <= GENERATE_LAST; port++)
        count += is_free(taken, (uint16_t)port);
    return count;
}

static bool is_near(const struct sequence *seq, uint16_t port)
{
    for (unsigned i = 0; i < seq->count; i++)
        if (abs((int)seq->steps[i].port - (int)port) <= GENERATE_GAP)
            return true;
    return false;
}

/* Ends: PORTS_WANTED are free, and 31 steps bar 651 of them at most. */
static uint16_t pick_port(const struct port_set *taken, const struct sequence *seq,
                          struct random_source random)
{
    uint16_t port;
    do
        port = (uint16_t)(GENERATE_FIRST + below(random, GENERATE_LAST - GENERATE_FIRST + 1));
    while (!is_free(taken, port) || is_near(seq, port));
    return port;
}

/* Both protocols, and both directions: what scans one protocol or in one direction never fits. */
static bool is_mixed(const struct sequence *seq)
{
    bool tcp = false, udp = false, up = false, down = false;
    for (unsigned i = 0; i < seq->count; i++) {
        const struct port_proto *step = &seq->steps[i];
        *(step->proto == IPPROTO_UDP ? &udp : &tcp) = true;
        if (i > 0)
            *(step->port > step[-1].port ? &up : &down) = true;
    }
    return tcp && udp && up && down;
}

bool generate_sequence(const struct port_set *taken, unsigned count, struct random_source random,
                       struct sequence *out)
{
    if (count_free(taken) < PORTS_WANTED)
        return false;
    do {
        out->count = 0;
        while (out->count < count) {
            struct port_proto step = {pick_port(taken, out, random),
                                      below(random, 3) == 0 ? IPPROTO_UDP : IPPROTO_TCP};
            out->steps[out->count++] = step;
        }
    } while (!is_mixed(out));
    return true;
}

void generate_print(FILE *out, const struct sequence *sequence)
{
    fputs("sequence = { ", out);
    for (unsigned i = 0; i < sequence->count; i++)
        fprintf(out, "%s\"%u:%s\"", i > 0 ? ", " : "", sequence->steps[i].port,
                proto_name(sequence->steps[i].proto));
    fputs(" }\n", out);
}
