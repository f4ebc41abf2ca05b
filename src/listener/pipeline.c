#include "listener/pipeline.h"

#include <string.h>

#include "listener/why.h"

/* A log without any denied packet for so long is rare enough on a public address to be told. */
static const int64_t silence = INT64_C(600) * 1000000000;

void pipeline_init(struct pipeline *pipeline, const struct listener_config *setup,
                   void (*tell)(void *arg, struct message *msg), void *arg, int64_t now)
{
    *pipeline =
        (struct pipeline){.setup = setup, .tell = tell, .arg = arg, .silent_at = now + silence};
    for (unsigned i = 0; i < CONFIG_SOURCES_MAX; i++)
        stats_reset(&pipeline->tallies[i]);
}

static void tell_event(struct pipeline *pipeline, const struct message_event *event)
{
    struct message msg = {.type = MESSAGE_EVENT, .u.event = *event};
    pipeline->tell(pipeline->arg, &msg);
}

static void tell_open(struct pipeline *pipeline, unsigned door)
{
    struct message msg = {
        .type = MESSAGE_OPEN,
        .u.open = {.source = pipeline->source, .door = door, .address = pipeline->packet.src}};
    stalled_finish(&pipeline->attempts, pipeline->source, &pipeline->packet.src);
    pipeline->tell(pipeline->arg, &msg);
}

static struct port_proto step_of(const struct packet *packet)
{
    return (struct port_proto){.port = packet->dpt, .proto = (uint8_t)packet->proto};
}

/* Whether the packet, a stray or the first step again, came in place of the attempt's next step. */
static bool came_instead(const struct pipeline *pipeline, const struct stalled_knock *attempt)
{
    const struct listener_config *setup = pipeline->setup;
    return attempt->stage > 0 && attempt->instead.port == 0 &&
           attempt->source == pipeline->source &&
           addr_equal(&attempt->address, &pipeline->packet.src) && pipeline->now < attempt->until &&
           setup->doors[attempt->door].strict &&
           matcher_stage(setup->matcher, attempt->source, &attempt->address, pipeline->now,
                         attempt->door) < attempt->stage;
}

static void note_strays(struct pipeline *pipeline)
{
    for (int i = 0; i < STALLED_MAX; i++)
        if (came_instead(pipeline, &pipeline->attempts.list[i]))
            pipeline->attempts.list[i].instead = step_of(&pipeline->packet);
}

/* The packet just took a step of this door: remembered, and told if stages are wanted. */
static void note_stage(struct pipeline *pipeline, unsigned door, unsigned stage)
{
    struct stalled_knock attempt = {.source = pipeline->source,
                                    .door = door,
                                    .address = pipeline->packet.src,
                                    .stage = stage,
                                    .until = pipeline->now + pipeline->setup->doors[door].timeout};
    stalled_reach(&pipeline->attempts, &attempt);
    if (pipeline->setup->config.debug)
        tell_event(pipeline, &(struct message_event){.kind = EVENT_STAGE,
                                                     .source = pipeline->source,
                                                     .door = door,
                                                     .address = pipeline->packet.src,
                                                     .number = stage});
}

static void tell_seen(struct pipeline *pipeline, const struct message_seen *seen)
{
    struct message msg = {.type = MESSAGE_SEEN, .u.seen = *seen};
    msg.u.seen.source = pipeline->source;
    pipeline->tell(pipeline->arg, &msg);
}

/* None of the packets has our prefix: tells what they have. */
static void tell_prefix(struct pipeline *pipeline)
{
    const struct stats *stats = &pipeline->tallies[pipeline->source];
    const struct stats_prefix *seen = stats_commonest(stats);
    struct message_seen msg = {.kind = SEEN_PREFIX, .packets = stats->verdicts[LINE_PREFIX]};
    if (seen) {
        msg.count = seen->count;
        memcpy(msg.text, seen->text, sizeof(seen->text));
    }
    tell_seen(pipeline, &msg);
}

/* Any prefix counts, and this one says that the packet was accepted. */
static void tell_accepted(struct pipeline *pipeline, const char *prefix, size_t len)
{
    struct message_seen msg = {.kind = SEEN_ACCEPTED, .packets = 1, .count = 1};
    memcpy(msg.text, prefix, len < PREFIX_MAX ? len : PREFIX_MAX);
    tell_seen(pipeline, &msg);
}

static void tell_header(struct pipeline *pipeline)
{
    const struct foreign *foreign = &pipeline->tallies[pipeline->source].foreign;
    struct message_seen msg = {.kind = SEEN_HEADER,
                               .hint = foreign->hint,
                               .packets = foreign->count,
                               .count = foreign->count};
    memcpy(msg.text, foreign->example, sizeof(foreign->example));
    tell_seen(pipeline, &msg);
}

/* The prefix of a line that should be told of: another than ours, or, where any counts, one of
 * packets that were accepted. */
static const char *telling_prefix(const struct line_spec *spec, enum line_verdict verdict,
                                  const char *line, size_t len, size_t *prefix_len)
{
    bool any_counts = verdict == LINE_PACKET && spec->prefix_count == 0;
    if (verdict != LINE_PREFIX && !any_counts)
        return NULL;
    const char *prefix = logline_prefix(spec->format, line, len, prefix_len);
    return any_counts && prefix && !prefix_is_of_accepted(prefix, *prefix_len) ? NULL : prefix;
}

static void count(struct pipeline *pipeline, enum line_verdict verdict, const char *line,
                  size_t len)
{
    struct stats *stats = &pipeline->tallies[pipeline->source];
    const struct line_spec *spec = &pipeline->setup->sources[pipeline->source].spec;
    size_t prefix_len = 0;
    const char *prefix = telling_prefix(spec, verdict, line, len, &prefix_len);
    stats_line(stats, verdict, prefix, prefix_len);
    stats->last_line = pipeline->now;
    if (verdict == LINE_PACKET)
        stats->last_packet = pipeline->now;
    if (verdict == LINE_FOREIGN && foreign_is_firewall(spec, line, len)) {
        foreign_note(&stats->foreign, line, len);
        if (stats_speaks_of_headers(stats))
            tell_header(pipeline);
    }
    if (verdict == LINE_PREFIX && stats_speaks(stats))
        tell_prefix(pipeline);
    if (verdict == LINE_PACKET && prefix && stats->accepted == 1)
        tell_accepted(pipeline, prefix, prefix_len);
}

static void assemble(struct pipeline *pipeline)
{
    struct assembled made;
    reassembly_feed(pipeline->setup->reassembly, pipeline->source, &pipeline->packet, pipeline->now,
                    &made);
    struct message msg = {.type = MESSAGE_SEALED,
                          .u.sealed = {.source = pipeline->source,
                                       .address = pipeline->packet.src,
                                       .length = made.length}};
    memcpy(msg.u.sealed.message, made.message, made.length);
    if (made.length > 0)
        pipeline->tell(pipeline->arg, &msg);
}

static void match_packet(struct pipeline *pipeline)
{
    /* In a flood of first steps there is no room to remember more of them, and nobody to tell. */
    bool stages = pipeline->setup->config.debug || stalled_have_room(&pipeline->attempts);
    struct match_result matched =
        matcher_feed(pipeline->setup->matcher, pipeline->source, &pipeline->packet, pipeline->now,
                     stages ? STALLED_MAX : 0);
    for (unsigned i = 0; i < matched.opened_count; i++)
        tell_open(pipeline, matched.opened[i]);
    if (matched.verdict == MATCH_SEALED)
        assemble(pipeline);
    if (matched.verdict != MATCH_SEEN)
        return;
    note_strays(pipeline);
    for (unsigned i = 0; i < matched.reached_count; i++)
        note_stage(pipeline, matched.reached[i].door, matched.reached[i].stage);
}

enum line_verdict pipeline_line(struct pipeline *pipeline, unsigned source, const char *line,
                                size_t len, int64_t now)
{
    pipeline->source = source;
    pipeline->now = now;
    struct listener_config_source *from = &pipeline->setup->sources[source];
    enum line_verdict verdict =
        line_cache_parse(&from->line_cache, &from->spec, line, len, &pipeline->packet);
    count(pipeline, verdict, line, len);
    if (verdict != LINE_PACKET)
        return verdict;
    history_add(&pipeline->trace, source, &pipeline->packet, now);
    match_packet(pipeline);
    return verdict;
}

void pipeline_gap(struct pipeline *pipeline, unsigned source, int64_t now)
{
    matcher_gap(pipeline->setup->matcher, source);
    history_gap(&pipeline->trace, source, now);
    /* Of those that start over for that there is nothing to tell: what came isn't known. */
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *attempt = &pipeline->attempts.list[i];
        if (attempt->source == source && pipeline->setup->doors[attempt->door].strict)
            attempt->stage = 0;
    }
}

int64_t pipeline_next(const struct pipeline *pipeline)
{
    int64_t next = stalled_next(&pipeline->attempts);
    return next < pipeline->silent_at ? next : pipeline->silent_at;
}

static void answer_others(struct pipeline *pipeline, uint32_t query, unsigned source)
{
    const struct stats *stats = &pipeline->tallies[source];
    for (int i = 0; i < STATS_PREFIXES; i++) {
        const struct stats_prefix *seen = &stats->seen[i];
        bool accepted = prefix_is_of_accepted(seen->text, strlen(seen->text));
        struct message msg = {.type = MESSAGE_OTHER,
                              .u.other = {.query = query,
                                          .source = source,
                                          .kind = accepted ? SEEN_ACCEPTED : SEEN_PREFIX,
                                          .count = seen->count}};
        memcpy(msg.u.other.text, seen->text, sizeof(seen->text));
        if (seen->count > 0)
            pipeline->tell(pipeline->arg, &msg);
    }
    struct message msg = {.type = MESSAGE_OTHER,
                          .u.other = {.query = query,
                                      .source = source,
                                      .kind = SEEN_HEADER,
                                      .hint = stats->foreign.hint,
                                      .count = stats->foreign.count}};
    memcpy(msg.u.other.text, stats->foreign.example, sizeof(stats->foreign.example));
    if (stats->foreign.count > 0)
        pipeline->tell(pipeline->arg, &msg);
}

static void count_sealed(struct reassembly_counters sealed, uint64_t counts[LISTENER_COUNTS])
{
    counts[COUNT_PIECES] = sealed.pieces;
    counts[COUNT_MESSAGES] = sealed.messages;
    counts[COUNT_MIXTURES] = sealed.mixtures;
    counts[COUNT_PIECES_EVICTED] = sealed.evicted;
    counts[COUNT_SPENT] = sealed.spent[0];
    counts[COUNT_SPENT_COMMON] = sealed.spent[1];
    counts[COUNT_LIMITED] = sealed.limited[0];
    counts[COUNT_LIMITED_COMMON] = sealed.limited[1];
}

static void answer_counters(const struct pipeline *pipeline, uint32_t query)
{
    _Static_assert((int)COUNT_SEALED - COUNT_OUTGOING == (int)MATCH_SEALED - MATCH_OUTGOING,
                   "the reasons for leaving out a packet are in one order");
    const struct matcher_counters *matched = matcher_counters(pipeline->setup->matcher);
    struct message msg = {.type = MESSAGE_COUNTERS, .u.counters = {.query = query}};
    uint64_t *counts = msg.u.counters.counts;
    for (int i = COUNT_OUTGOING; i <= COUNT_SEALED; i++)
        counts[i] = matched->packets[MATCH_OUTGOING + i - COUNT_OUTGOING];
    counts[COUNT_EVICTED] = matched->evicted;
    counts[COUNT_UNSAID] = pipeline->attempts.unsaid;
    if (pipeline->setup->reassembly)
        count_sealed(reassembly_counters(pipeline->setup->reassembly), counts);
    pipeline->tell(pipeline->arg, &msg);
}

void pipeline_query(struct pipeline *pipeline, const struct message_query *asked)
{
    uint32_t query = asked->query;
    if (asked->address.family != 0) {
        why_tell(pipeline->setup, &pipeline->trace, query, &asked->address, pipeline->tell,
                 pipeline->arg);
    }
    answer_counters(pipeline, query);
    for (unsigned i = 0; i < pipeline->setup->source_count; i++) {
        const struct stats *stats = &pipeline->tallies[i];
        struct message msg = {.type = MESSAGE_STATS,
                              .u.stats = {.query = query,
                                          .source = i,
                                          .lines = stats->lines,
                                          .packets = stats->verdicts[LINE_PACKET],
                                          .foreign = stats->verdicts[LINE_FOREIGN],
                                          .others = stats->verdicts[LINE_PREFIX],
                                          .damaged = stats->verdicts[LINE_DAMAGED],
                                          .partial = stats->verdicts[LINE_PARTIAL],
                                          .last_line = stats->last_line,
                                          .last_packet = stats->last_packet}};
        pipeline->tell(pipeline->arg, &msg);
        answer_others(pipeline, query, i);
    }
    struct message msg = {.type = MESSAGE_ANSWERED, .u.answered = {.query = query}};
    pipeline->tell(pipeline->arg, &msg);
}

static void tell_silence(struct pipeline *pipeline)
{
    for (unsigned i = 0; i < pipeline->setup->source_count; i++) {
        const struct stats *stats = &pipeline->tallies[i];
        if (stats->verdicts[LINE_PACKET] + stats->verdicts[LINE_PREFIX] + stats->foreign.count > 0)
            continue;
        tell_event(pipeline, &(struct message_event){.kind = EVENT_SILENT,
                                                     .source = i,
                                                     .number = (uint64_t)silence / 1000000000});
    }
}

void pipeline_due(struct pipeline *pipeline, int64_t now)
{
    struct stalled_knock attempt;
    while (stalled_expire(&pipeline->attempts, now, &attempt))
        tell_event(pipeline, &(struct message_event){.kind = EVENT_STALLED,
                                                     .source = attempt.source,
                                                     .door = attempt.door,
                                                     .address = attempt.address,
                                                     .number = attempt.stage,
                                                     .instead = attempt.instead});
    if (now < pipeline->silent_at)
        return;
    tell_silence(pipeline);
    pipeline->silent_at = INT64_MAX;
}
