/*
 * One line, read from top to bottom: header and fields make it a packet -> it is counted -> it goes
 * into the history -> it is matched, or reassembled if it is of a sealed knock -> the keeper is
 * sent what came of it.
 */
#include "listener/pipeline.h"

#include <string.h>

#include "listener/why.h"

void pipeline_init(struct pipeline *p, const struct listener_config *setup,
                   void (*send)(void *arg, struct message *message), void *arg, int64_t now)
{
    *p = (struct pipeline){.setup = setup, .send = send, .arg = arg};
    diagnostics_init(&p->diagnostics, now);
}

static void send_seen(const struct pipeline *p, const struct message_seen *seen)
{
    struct message message = {.type = MESSAGE_SEEN, .u.seen = *seen};
    p->send(p->arg, &message);
}

static void send_event(const struct pipeline *p, const struct message_event *event)
{
    struct message message = {.type = MESSAGE_EVENT, .u.event = *event};
    p->send(p->arg, &message);
}

static void send_open(const struct pipeline *p, unsigned source, unsigned door,
                      const struct addr *address)
{
    struct message message = {.type = MESSAGE_OPEN,
                              .u.open = {.source = source, .door = door, .address = *address}};
    p->send(p->arg, &message);
}

static void send_sealed(const struct pipeline *p, unsigned source, const struct addr *address,
                        const struct reassembled *made)
{
    struct message message = {
        .type = MESSAGE_SEALED,
        .u.sealed = {.source = source, .address = *address, .length = made->length}};
    memcpy(message.u.sealed.message, made->message, made->length);
    p->send(p->arg, &message);
}

static void send_stage(const struct pipeline *p, unsigned source, const struct addr *address,
                       struct match_stage reached)
{
    send_event(p, &(struct message_event){.kind = EVENT_STAGE,
                                          .source = source,
                                          .door = reached.door,
                                          .address = *address,
                                          .number = reached.stage});
}

/* A packet of sealed knocks: a message that is whole, or a fragment. */
static void reassemble(struct pipeline *p, unsigned source, const struct packet *packet,
                       const struct ip_packet *bytes, int64_t now, struct reassembled *made)
{
    struct reassembly *reassembly = p->setup->reassembly;
    if (bytes && reassembly_whole(reassembly, source, bytes, now, made))
        history_whole(&p->history, made->length > 0);
    else
        reassembly_feed(reassembly, source, packet, now, made);
}

/* A packet that counts: into the history, matched or reassembled, and what came of it sent. `bytes`
 * is the same with its payload; NULL: a log has none. */
static void pass_packet(struct pipeline *p, unsigned source, const struct packet *packet,
                        const struct ip_packet *bytes, int64_t now)
{
    const struct listener_config *setup = p->setup;
    struct reassembled made = {0};
    history_add(&p->history, source, packet, now);
    struct match_result matched = matcher_feed(setup->matcher, source, packet, now,
                                               diagnostics_stages(&p->diagnostics, setup));
    if (matched.verdict == MATCH_SEALED)
        reassemble(p, source, packet, bytes, now, &made);
    diagnostics_packet(&p->diagnostics, setup, source, packet, &matched, now);
    for (unsigned i = 0; i < matched.opened_count; i++)
        send_open(p, source, matched.opened[i], &packet->src);
    if (made.length > 0)
        send_sealed(p, source, &packet->src, &made);
    for (unsigned i = 0; setup->config.debug && i < matched.reached_count; i++)
        send_stage(p, source, &packet->src, matched.reached[i]);
}

enum line_verdict pipeline_line(struct pipeline *p, unsigned source, const char *line, size_t len,
                                int64_t now)
{
    const struct listener_config *setup = p->setup;
    struct listener_config_source *from = &setup->sources[source];
    struct packet packet;
    struct message_seen seen;
    enum line_verdict verdict =
        line_cache_parse(&from->line_cache, &from->spec, line, len, &packet);
    if (diagnostics_line(&p->diagnostics, setup, source, verdict, line, len, now, &seen))
        send_seen(p, &seen);
    if (verdict == LINE_PACKET)
        pass_packet(p, source, &packet, NULL, now);
    return verdict;
}

void pipeline_packet(struct pipeline *p, unsigned source, enum line_verdict verdict,
                     const char *prefix, size_t len, const struct ip_packet *packet, int64_t now)
{
    struct message_seen seen;
    if (diagnostics_record(&p->diagnostics, p->setup, source, verdict, prefix, len, now, &seen))
        send_seen(p, &seen);
    if (verdict == LINE_PACKET)
        pass_packet(p, source, &packet->packet, packet, now);
}

void pipeline_gap(struct pipeline *p, unsigned source, int64_t now)
{
    matcher_gap(p->setup->matcher, source);
    history_gap(&p->history, source, now);
    diagnostics_gap(&p->diagnostics, p->setup, source);
}

void pipeline_query(struct pipeline *p, const struct message_query *asked)
{
    struct message done = {.type = MESSAGE_ANSWERED, .u.answered = {.query = asked->query}};
    if (asked->address.family != 0)
        why_answer(p->setup, &p->history, asked, p->send, p->arg);
    diagnostics_answer(&p->diagnostics, p->setup, asked->query, p->send, p->arg);
    p->send(p->arg, &done);
}

int64_t pipeline_next(const struct pipeline *p)
{
    return diagnostics_next(&p->diagnostics);
}

void pipeline_due(struct pipeline *p, int64_t now)
{
    struct message_event event;
    while (diagnostics_due(&p->diagnostics, p->setup, now, &event))
        send_event(p, &event);
}
