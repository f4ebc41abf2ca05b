#include "listener/intake.h"

#include <string.h>

#include "listener/why.h"

/* A log without any denied packet for so long is rare enough on a public address to be told. */
static const int64_t silence = INT64_C(600) * 1000000000;

void intake_init(struct intake *intake, const struct setup *setup,
                 void (*tell)(void *arg, struct record *record), void *arg, int64_t now)
{
    *intake = (struct intake){.setup = setup, .tell = tell, .arg = arg, .silent_at = now + silence};
    for (unsigned i = 0; i < CONFIG_SOURCES_MAX; i++)
        tally_reset(&intake->tallies[i]);
}

static void tell_event(struct intake *intake, const struct record_event *event)
{
    struct record record = {.type = RECORD_EVENT, .u.event = *event};
    intake->tell(intake->arg, &record);
}

static void tell_open(struct intake *intake, unsigned door)
{
    struct record record = {
        .type = RECORD_OPEN,
        .u.open = {.source = intake->source, .door = door, .address = intake->packet.src}};
    attempts_finish(&intake->attempts, intake->source, &intake->packet.src);
    intake->tell(intake->arg, &record);
}

static struct step step_of(const struct packet *packet)
{
    return (struct step){.port = packet->dpt, .proto = (uint8_t)packet->proto};
}

/* Whether the packet, a stray or the first step again, came in place of the attempt's next step. */
static bool came_instead(const struct intake *intake, const struct attempt *attempt)
{
    const struct setup *setup = intake->setup;
    return attempt->stage > 0 && attempt->instead.port == 0 && attempt->source == intake->source &&
           addr_equal(&attempt->address, &intake->packet.src) && intake->now < attempt->until &&
           setup->doors[attempt->door].strict &&
           matcher_stage(setup->matcher, attempt->source, &attempt->address, intake->now,
                         attempt->door) < attempt->stage;
}

static void note_strays(struct intake *intake)
{
    for (int i = 0; i < ATTEMPTS_MAX; i++)
        if (came_instead(intake, &intake->attempts.list[i]))
            intake->attempts.list[i].instead = step_of(&intake->packet);
}

/* The packet just took a step of this door: remembered, and told if stages are wanted. */
static void note_stage(struct intake *intake, unsigned door, unsigned stage)
{
    struct attempt attempt = {.source = intake->source,
                              .door = door,
                              .address = intake->packet.src,
                              .stage = stage,
                              .until = intake->now + intake->setup->doors[door].timeout};
    attempts_reach(&intake->attempts, &attempt);
    if (intake->setup->config.debug)
        tell_event(intake, &(struct record_event){.kind = EVENT_STAGE,
                                                  .source = intake->source,
                                                  .door = door,
                                                  .address = intake->packet.src,
                                                  .number = stage});
}

/* How far the packet brought its address with each door that it may be a step of. */
static void note_stages(struct intake *intake)
{
    const struct setup *setup = intake->setup;
    unsigned count;
    const struct setup_step *found = setup_doors_with(setup, step_of(&intake->packet), &count);
    for (unsigned i = 0; i < count && i < ATTEMPTS_MAX; i++) {
        unsigned door = found[i].door;
        /* A one-time sequence isn't spoken of before it is used. */
        if (door >= setup->config.plain)
            continue;
        unsigned stage =
            matcher_reached(setup->matcher, intake->source, &intake->packet, intake->now, door);
        if (stage > 0)
            note_stage(intake, door, stage);
    }
}

static void tell_seen(struct intake *intake, const struct record_seen *seen)
{
    struct record record = {.type = RECORD_SEEN, .u.seen = *seen};
    record.u.seen.source = intake->source;
    intake->tell(intake->arg, &record);
}

/* None of the packets has our prefix: tells what they have. */
static void tell_prefix(struct intake *intake)
{
    const struct tally *tally = &intake->tallies[intake->source];
    const struct tally_prefix *seen = tally_commonest(tally);
    struct record_seen record = {.kind = SEEN_PREFIX, .packets = tally->verdicts[LINE_PREFIX]};
    if (seen) {
        record.count = seen->count;
        memcpy(record.text, seen->text, sizeof(seen->text));
    }
    tell_seen(intake, &record);
}

/* Any prefix counts, and this one says that the packet was accepted. */
static void tell_accepted(struct intake *intake, const char *prefix, size_t len)
{
    struct record_seen record = {.kind = SEEN_ACCEPTED, .packets = 1, .count = 1};
    memcpy(record.text, prefix, len < PREFIX_MAX ? len : PREFIX_MAX);
    tell_seen(intake, &record);
}

static void tell_header(struct intake *intake)
{
    const struct foreign *foreign = &intake->tallies[intake->source].foreign;
    struct record_seen record = {.kind = SEEN_HEADER,
                                 .hint = foreign->hint,
                                 .packets = foreign->count,
                                 .count = foreign->count};
    memcpy(record.text, foreign->example, sizeof(foreign->example));
    tell_seen(intake, &record);
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

static void count(struct intake *intake, enum line_verdict verdict, const char *line, size_t len)
{
    struct tally *tally = &intake->tallies[intake->source];
    const struct line_spec *spec = &intake->setup->sources[intake->source].spec;
    size_t prefix_len = 0;
    const char *prefix = telling_prefix(spec, verdict, line, len, &prefix_len);
    tally_line(tally, verdict, prefix, prefix_len);
    tally->last_line = intake->now;
    if (verdict == LINE_PACKET)
        tally->last_packet = intake->now;
    if (verdict == LINE_FOREIGN && foreign_is_firewall(spec, line, len)) {
        foreign_note(&tally->foreign, line, len);
        if (tally_speaks_of_headers(tally))
            tell_header(intake);
    }
    if (verdict == LINE_PREFIX && tally_speaks(tally))
        tell_prefix(intake);
    if (verdict == LINE_PACKET && prefix && tally->accepted == 1)
        tell_accepted(intake, prefix, prefix_len);
}

static void assemble(struct intake *intake)
{
    struct assembled made;
    assembler_feed(intake->setup->assembler, intake->source, &intake->packet, intake->now, &made);
    struct record record = {.type = RECORD_SEALED,
                            .u.sealed = {.source = intake->source,
                                         .address = intake->packet.src,
                                         .length = made.length}};
    memcpy(record.u.sealed.message, made.message, made.length);
    if (made.length > 0)
        intake->tell(intake->arg, &record);
}

static void match_packet(struct intake *intake)
{
    struct match_result matched =
        matcher_feed(intake->setup->matcher, intake->source, &intake->packet, intake->now);
    for (unsigned i = 0; i < matched.opened_count; i++)
        tell_open(intake, matched.opened[i]);
    if (matched.verdict == MATCH_SEALED)
        assemble(intake);
    if (matched.verdict != MATCH_SEEN)
        return;
    note_strays(intake);
    /* In a flood of first steps there is no room to remember more of them, and nobody to tell. */
    if (intake->setup->config.debug || attempts_have_room(&intake->attempts))
        note_stages(intake);
}

enum line_verdict intake_line(struct intake *intake, unsigned source, const char *line, size_t len,
                              int64_t now)
{
    intake->source = source;
    intake->now = now;
    struct setup_source *from = &intake->setup->sources[source];
    enum line_verdict verdict = heads_parse(&from->heads, &from->spec, line, len, &intake->packet);
    count(intake, verdict, line, len);
    if (verdict != LINE_PACKET)
        return verdict;
    trace_add(&intake->trace, source, &intake->packet, now);
    match_packet(intake);
    return verdict;
}

void intake_gap(struct intake *intake, unsigned source, int64_t now)
{
    matcher_gap(intake->setup->matcher, source);
    trace_gap(&intake->trace, source, now);
    /* Of those that start over for that there is nothing to tell: what came isn't known. */
    for (int i = 0; i < ATTEMPTS_MAX; i++) {
        struct attempt *attempt = &intake->attempts.list[i];
        if (attempt->source == source && intake->setup->doors[attempt->door].strict)
            attempt->stage = 0;
    }
}

int64_t intake_next(const struct intake *intake)
{
    int64_t next = attempts_next(&intake->attempts);
    return next < intake->silent_at ? next : intake->silent_at;
}

static void answer_others(struct intake *intake, uint32_t query, unsigned source)
{
    const struct tally *tally = &intake->tallies[source];
    for (int i = 0; i < TALLY_PREFIXES; i++) {
        const struct tally_prefix *seen = &tally->seen[i];
        bool accepted = prefix_is_of_accepted(seen->text, strlen(seen->text));
        struct record record = {.type = RECORD_OTHER,
                                .u.other = {.query = query,
                                            .source = source,
                                            .kind = accepted ? SEEN_ACCEPTED : SEEN_PREFIX,
                                            .count = seen->count}};
        memcpy(record.u.other.text, seen->text, sizeof(seen->text));
        if (seen->count > 0)
            intake->tell(intake->arg, &record);
    }
    struct record record = {.type = RECORD_OTHER,
                            .u.other = {.query = query,
                                        .source = source,
                                        .kind = SEEN_HEADER,
                                        .hint = tally->foreign.hint,
                                        .count = tally->foreign.count}};
    memcpy(record.u.other.text, tally->foreign.example, sizeof(tally->foreign.example));
    if (tally->foreign.count > 0)
        intake->tell(intake->arg, &record);
}

static void count_sealed(struct assembler_counters sealed, uint64_t counts[LISTENER_COUNTS])
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

static void answer_counters(const struct intake *intake, uint32_t query)
{
    _Static_assert((int)COUNT_SEALED - COUNT_OUTGOING == (int)MATCH_SEALED - MATCH_OUTGOING,
                   "the reasons for leaving out a packet are in one order");
    const struct matcher_counters *matched = matcher_counters(intake->setup->matcher);
    struct record record = {.type = RECORD_COUNTERS, .u.counters = {.query = query}};
    uint64_t *counts = record.u.counters.counts;
    for (int i = COUNT_OUTGOING; i <= COUNT_SEALED; i++)
        counts[i] = matched->packets[MATCH_OUTGOING + i - COUNT_OUTGOING];
    counts[COUNT_EVICTED] = matched->evicted;
    counts[COUNT_UNSAID] = intake->attempts.unsaid;
    if (intake->setup->assembler)
        count_sealed(assembler_counters(intake->setup->assembler), counts);
    intake->tell(intake->arg, &record);
}

void intake_query(struct intake *intake, const struct record_query *asked)
{
    uint32_t query = asked->query;
    if (asked->address.family != 0) {
        why_tell(intake->setup, &intake->trace, query, &asked->address, intake->tell, intake->arg);
    }
    answer_counters(intake, query);
    for (unsigned i = 0; i < intake->setup->source_count; i++) {
        const struct tally *tally = &intake->tallies[i];
        struct record record = {.type = RECORD_TALLY,
                                .u.tally = {.query = query,
                                            .source = i,
                                            .lines = tally->lines,
                                            .packets = tally->verdicts[LINE_PACKET],
                                            .foreign = tally->verdicts[LINE_FOREIGN],
                                            .others = tally->verdicts[LINE_PREFIX],
                                            .damaged = tally->verdicts[LINE_DAMAGED],
                                            .partial = tally->verdicts[LINE_PARTIAL],
                                            .last_line = tally->last_line,
                                            .last_packet = tally->last_packet}};
        intake->tell(intake->arg, &record);
        answer_others(intake, query, i);
    }
    struct record record = {.type = RECORD_ANSWERED, .u.answered = {.query = query}};
    intake->tell(intake->arg, &record);
}

static void tell_silence(struct intake *intake)
{
    for (unsigned i = 0; i < intake->setup->source_count; i++) {
        const struct tally *tally = &intake->tallies[i];
        if (tally->verdicts[LINE_PACKET] + tally->verdicts[LINE_PREFIX] + tally->foreign.count > 0)
            continue;
        tell_event(intake, &(struct record_event){.kind = EVENT_SILENT,
                                                  .source = i,
                                                  .number = (uint64_t)silence / 1000000000});
    }
}

void intake_due(struct intake *intake, int64_t now)
{
    struct attempt attempt;
    while (attempts_expire(&intake->attempts, now, &attempt))
        tell_event(intake, &(struct record_event){.kind = EVENT_STALLED,
                                                  .source = attempt.source,
                                                  .door = attempt.door,
                                                  .address = attempt.address,
                                                  .number = attempt.stage,
                                                  .instead = attempt.instead});
    if (now < intake->silent_at)
        return;
    tell_silence(intake);
    intake->silent_at = INT64_MAX;
}
