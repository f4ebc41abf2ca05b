/*
 * One line, read from top to bottom: header and fields make it a packet -> it is counted -> if a
 * door would heed it, its age is judged -> it goes into the history -> it is matched, or
 * reassembled if it is of a sealed knock -> the keeper is sent what came of it.
 */
#include "listener/pipeline.h"

#include <string.h>

#include "listener/log_header.h"
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
                      const struct packet *packet)
{
    struct message message = {
        .type = MESSAGE_OPEN,
        .u.open = {.source = source, .door = door, .address = packet->src, .port = packet->spt}};
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
 * is the same with its payload; NULL: a log has none. `verdict` is what matcher_classify said. */
static void pass_packet(struct pipeline *p, unsigned source, enum match_verdict verdict,
                        const struct packet *packet, const struct ip_packet *bytes, int64_t now)
{
    const struct listener_config *setup = p->setup;
    struct reassembled made = {0};
    struct message_event scan;
    history_add(&p->history, source, packet, now);
    struct match_result matched = matcher_take(setup->matcher, verdict, source, packet, now,
                                               diagnostics_stages(&p->diagnostics, setup));
    if (matched.verdict == MATCH_SEALED)
        reassemble(p, source, packet, bytes, now, &made);
    diagnostics_packet(&p->diagnostics, setup, source, packet, &matched, now);
    if (matched.scanned_count > 0)
        history_scan(&p->history);
    if (diagnostics_scan(&p->diagnostics, source, packet, &matched, now, &scan))
        send_event(p, &scan);
    for (unsigned i = 0; i < matched.opened_count; i++)
        send_open(p, source, matched.opened[i], packet);
    if (made.length > 0)
        send_sealed(p, source, &packet->src, &made);
    for (unsigned i = 0; setup->config.debug && i < matched.reached_count; i++)
        send_stage(p, source, &packet->src, matched.reached[i]);
}

/* Whether the line that tells of the packet isn't of now: then that is all that comes of it. */
static bool refuse_stale(struct pipeline *p, unsigned source, const struct packet *packet,
                         const struct freshness_line *line, int64_t now)
{
    const struct listener_config_source *from = &p->setup->sources[source];
    struct freshness_bound bound = {.max_age = from->max_age, .remote = from->remote};
    struct message_event event;
    char host[HOST_NAME_SIZE];
    int64_t age;
    enum stale_reason reason = freshness_judge(&p->freshness[source], &bound, &p->zone, line, &age);
    if (reason == STALE_NOT) {
        diagnostics_fresh(&p->diagnostics, source);
        return false;
    }
    history_add(&p->history, source, packet, now);
    log_header_host(line->format, line->text, line->len, host);
    history_stale(&p->history, reason, age, host);
    if (diagnostics_stale(&p->diagnostics, source, &packet->src, reason, age, now, &event)) {
        memcpy(event.host, host, sizeof(event.host));
        send_event(p, &event);
    }
    return true;
}

/* A packet that no door would heed may be of any time. */
static void pass_line(struct pipeline *p, unsigned source, const struct packet *packet,
                      const struct freshness_line *line, int64_t now)
{
    enum match_verdict verdict = matcher_classify(p->setup->matcher, source, packet);
    bool heeded = verdict == MATCH_SEEN || verdict == MATCH_SEALED;
    if (!heeded || p->setup->sources[source].max_age == 0 ||
        !refuse_stale(p, source, packet, line, now))
        pass_packet(p, source, verdict, packet, NULL, now);
}

enum line_verdict pipeline_line(struct pipeline *p, unsigned source, const char *line, size_t len,
                                struct line_moment moment)
{
    const struct listener_config *setup = p->setup;
    struct listener_config_source *from = &setup->sources[source];
    struct packet packet;
    struct message_seen seen;
    enum line_verdict verdict =
        line_cache_parse(&from->line_cache, &from->spec, line, len, &packet);
    if (diagnostics_line(&p->diagnostics, setup, source, verdict, line, len, moment.now, &seen))
        send_seen(p, &seen);
    if (verdict == LINE_PACKET)
        pass_line(p, source, &packet,
                  &(struct freshness_line){
                      .text = line, .len = len, .format = from->spec.format, .wall = moment.wall},
                  moment.now);
    return verdict;
}

void pipeline_packet(struct pipeline *p, unsigned source, enum line_verdict verdict,
                     const char *prefix, size_t len, const struct ip_packet *packet, int64_t now)
{
    struct message_seen seen;
    if (diagnostics_record(&p->diagnostics, p->setup, source, verdict, prefix, len, now, &seen))
        send_seen(p, &seen);
    if (verdict == LINE_PACKET)
        pass_packet(p, source, matcher_classify(p->setup->matcher, source, &packet->packet),
                    &packet->packet, packet, now);
    if (verdict == LINE_DAMAGED && packet->packet.src.family != 0) {
        history_add(&p->history, source, &packet->packet, now);
        history_malformed(&p->history);
    }
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
