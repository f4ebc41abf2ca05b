/* Decides what is reported of lines that don't count, of stalled knocks, and of silence. */
#include "listener/diagnostics.h"

#include <string.h>

#define SECOND INT64_C(1000000000)

/* After a stalled knock was reported, no other is for so long. */
static const int64_t quiet = 10 * SECOND;

/* And after a line was reported that isn't of now. */
static const int64_t stale_quiet = 60 * SECOND;

/* A log without any denied packet for so long is rare enough on a public address to be reported. */
static const int64_t silence = 600 * SECOND;

/* --- stalled knocks --- */

static struct stalled_knock *find(struct stalled *stalled, uint32_t source, uint32_t door,
                                  const struct addr *address)
{
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *k = &stalled->list[i];
        if (k->stage > 0 && k->source == source && k->door == door &&
            addr_equal(&k->address, address))
            return k;
    }
    return NULL;
}

void stalled_reach(struct stalled *stalled, const struct stalled_knock *knock)
{
    struct stalled_knock *known = find(stalled, knock->source, knock->door, &knock->address);
    if (known) {
        if (knock->stage >= known->stage) {
            known->stage = knock->stage;
            known->instead = (struct port_proto){0};
        }
        return;
    }
    for (int i = 0; i < STALLED_MAX; i++) {
        if (stalled->list[i].stage == 0) {
            stalled->list[i] = *knock;
            return;
        }
    }
    stalled->unreported++;
}

static unsigned place_of(const struct addr *address)
{
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(address->bytes); i++)
        sum = sum * 31 + address->bytes[i];
    return sum % FINISHED_MAX;
}

bool stalled_is_finished(const struct stalled *stalled, const struct stalled_knock *knock,
                         int64_t since)
{
    const struct finished_knock *finished = &stalled->finished[place_of(&knock->address)];
    return addr_equal(&finished->address, &knock->address) && finished->source != knock->source &&
           finished->time >= since;
}

void stalled_finish(struct stalled *stalled, uint32_t source, const struct addr *address,
                    int64_t now)
{
    stalled->finished[place_of(address)] = (struct finished_knock){*address, source, now};
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *k = &stalled->list[i];
        if (k->stage > 0 && addr_equal(&k->address, address))
            k->stage = 0;
    }
}

/* Of what several sources bring of one knock, the farthest is told. Whether that isn't this one,
 * which is removed already; if it is, the others go with it. */
static bool goes_farther_elsewhere(struct stalled *stalled, const struct stalled_knock *knock)
{
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *k = &stalled->list[i];
        if (k->stage == 0 || k->door != knock->door || k->source == knock->source ||
            !addr_equal(&k->address, &knock->address))
            continue;
        if (k->stage > knock->stage)
            return true;
        k->stage = 0;
    }
    return false;
}

static bool have_room(const struct stalled *stalled)
{
    for (int i = 0; i < STALLED_MAX; i++)
        if (stalled->list[i].stage == 0)
            return true;
    return false;
}

int64_t stalled_next(const struct stalled *stalled)
{
    int64_t next = INT64_MAX;
    for (int i = 0; i < STALLED_MAX; i++)
        if (stalled->list[i].stage > 0 && stalled->list[i].until < next)
            next = stalled->list[i].until;
    return next;
}

bool stalled_expire(struct stalled *stalled, int64_t now, struct stalled_knock *out)
{
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *k = &stalled->list[i];
        if (k->stage == 0 || k->until > now)
            continue;
        *out = *k;
        k->stage = 0;
        if (goes_farther_elsewhere(stalled, out))
            continue;
        if (now >= stalled->quiet_until) {
            stalled->quiet_until = now + quiet;
            return true;
        }
        stalled->unreported++;
    }
    return false;
}

/* Whether the packet, a stray or the first step again, came in place of the knock's next step. */
static bool came_instead(const struct listener_config *setup, const struct stalled_knock *knock,
                         unsigned source, const struct packet *packet, int64_t now)
{
    return knock->stage > 0 && knock->instead.port == 0 && knock->source == source &&
           addr_equal(&knock->address, &packet->src) && now < knock->until &&
           setup->doors[knock->door].strict &&
           matcher_stage(setup->matcher, source, &packet->src, now, knock->door) < knock->stage;
}

static void note_stray(struct diagnostics *d, const struct listener_config *setup, unsigned source,
                       const struct packet *packet, int64_t now)
{
    struct port_proto instead = {.port = packet->dpt, .proto = (uint8_t)packet->proto};
    for (int i = 0; i < STALLED_MAX; i++)
        if (came_instead(setup, &d->stalled.list[i], source, packet, now))
            d->stalled.list[i].instead = instead;
}

unsigned diagnostics_stages(const struct diagnostics *d, const struct listener_config *setup)
{
    /* In a flood of first steps there is no room to remember more of them, and nobody to report
     * them to. */
    return setup->config.debug || have_room(&d->stalled) ? STALLED_MAX : 0;
}

void diagnostics_packet(struct diagnostics *d, const struct listener_config *setup, unsigned source,
                        const struct packet *packet, const struct match_result *matched,
                        int64_t now)
{
    if (matched->opened_count + matched->scanned_count > 0)
        stalled_finish(&d->stalled, source, &packet->src, now);
    if (matched->verdict == MATCH_SEEN)
        note_stray(d, setup, source, packet, now);
    for (unsigned i = 0; i < matched->reached_count; i++) {
        unsigned door = matched->reached[i].door;
        struct stalled_knock knock = {.source = source,
                                      .door = door,
                                      .address = packet->src,
                                      .stage = matched->reached[i].stage,
                                      .until = now + setup->doors[door].timeout};
        if (!stalled_is_finished(&d->stalled, &knock, now - setup->doors[door].timeout))
            stalled_reach(&d->stalled, &knock);
    }
}

bool diagnostics_scan(struct diagnostics *d, unsigned source, const struct packet *packet,
                      const struct match_result *matched, int64_t now, struct message_event *out)
{
    if (matched->scanned_count == 0 || now < d->stalled.quiet_until)
        return false;
    d->stalled.quiet_until = now + quiet;
    *out = (struct message_event){.kind = EVENT_SCAN,
                                  .source = source,
                                  .door = matched->scanned[0],
                                  .address = packet->src,
                                  .number = matched->scanned_ports};
    return true;
}

bool diagnostics_stale(struct diagnostics *d, unsigned source, const struct addr *address,
                       enum stale_reason reason, int64_t age, int64_t now,
                       struct message_event *out)
{
    struct stats *stats = &d->stats[source];
    stats->stale[reason]++;
    stats->stale_reason = reason;
    stats->stale_age = age;
    if (now < d->stale_quiet_until[source][reason])
        return false;
    d->stale_quiet_until[source][reason] = now + stale_quiet;
    *out = (struct message_event){.kind = EVENT_STALE,
                                  .source = source,
                                  .door = reason,
                                  .address = *address,
                                  .number = (uint64_t)((age < 0 ? -age : age) / SECOND)};
    return true;
}

void diagnostics_fresh(struct diagnostics *d, unsigned source)
{
    struct stats *stats = &d->stats[source];
    if (stats->stale_reason == STALE_ZONE)
        stats->stale_reason = stats->stale_age < 0 ? STALE_FUTURE : STALE_OLD;
}

void diagnostics_gap(struct diagnostics *d, const struct listener_config *setup, unsigned source)
{
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled_knock *knock = &d->stalled.list[i];
        if (knock->source == source && setup->doors[knock->door].strict)
            knock->stage = 0;
    }
}

/* --- lines --- */

void diagnostics_init(struct diagnostics *d, int64_t now)
{
    *d = (struct diagnostics){.silent_at = now + silence};
    for (unsigned i = 0; i < CONFIG_SOURCES_MAX; i++)
        stats_reset(&d->stats[i]);
}

/* None of the packets has our prefix: which one they have. */
static struct message_seen seen_prefix(const struct stats *stats)
{
    const struct stats_prefix *commonest = stats_commonest(stats);
    struct message_seen seen = {.kind = SEEN_PREFIX, .packets = stats->verdicts[LINE_PREFIX]};
    if (commonest) {
        seen.count = commonest->count;
        memcpy(seen.text, commonest->text, sizeof(commonest->text));
    }
    return seen;
}

/* Any prefix counts, and this one says that the packet was accepted. */
static struct message_seen seen_accepted(const char *prefix, size_t len)
{
    struct message_seen seen = {.kind = SEEN_ACCEPTED, .packets = 1, .count = 1};
    memcpy(seen.text, prefix, len < PREFIX_MAX ? len : PREFIX_MAX);
    return seen;
}

static struct message_seen seen_header(const struct foreign *foreign)
{
    struct message_seen seen = {.kind = SEEN_HEADER,
                                .hint = foreign->hint,
                                .packets = foreign->count,
                                .count = foreign->count};
    memcpy(seen.text, foreign->example, sizeof(foreign->example));
    return seen;
}

/* Whether the prefix should be reported: another than ours, or, where any counts, one of packets
 * that were accepted. */
static bool is_to_report(const struct line_spec *spec, enum line_verdict verdict,
                         const char *prefix, size_t len)
{
    return verdict == LINE_PREFIX || (verdict == LINE_PACKET && spec->prefix_count == 0 &&
                                      prefix_is_of_accepted(prefix, len));
}

static const char *prefix_of_line(const struct line_spec *spec, enum line_verdict verdict,
                                  const char *line, size_t len, size_t *prefix_len)
{
    bool wanted = verdict == LINE_PREFIX || (verdict == LINE_PACKET && spec->prefix_count == 0);
    return wanted ? logline_prefix(spec->format, line, len, prefix_len) : NULL;
}

bool diagnostics_record(struct diagnostics *d, const struct listener_config *setup, unsigned source,
                        enum line_verdict verdict, const char *prefix, size_t len, int64_t now,
                        struct message_seen *out)
{
    struct stats *stats = &d->stats[source];
    if (prefix && !is_to_report(&setup->sources[source].spec, verdict, prefix, len))
        prefix = NULL;
    stats_line(stats, verdict, prefix, prefix ? len : 0);
    stats->last_line = now;
    if (verdict == LINE_PACKET)
        stats->last_packet = now;
    if (verdict == LINE_PREFIX && stats_report_prefixes(stats))
        *out = seen_prefix(stats);
    else if (verdict == LINE_PACKET && prefix && stats->accepted == 1)
        *out = seen_accepted(prefix, len);
    else
        return false;
    out->source = source;
    return true;
}

bool diagnostics_line(struct diagnostics *d, const struct listener_config *setup, unsigned source,
                      enum line_verdict verdict, const char *line, size_t len, int64_t now,
                      struct message_seen *out)
{
    struct stats *stats = &d->stats[source];
    const struct line_spec *spec = &setup->sources[source].spec;
    size_t prefix_len = 0;
    const char *prefix = prefix_of_line(spec, verdict, line, len, &prefix_len);
    if (diagnostics_record(d, setup, source, verdict, prefix, prefix_len, now, out))
        return true;
    if (verdict != LINE_FOREIGN || !foreign_is_firewall(spec, line, len))
        return false;
    foreign_note(&stats->foreign, line, len);
    if (!stats_report_headers(stats))
        return false;
    *out = seen_header(&stats->foreign);
    out->source = source;
    return true;
}

/* --- what is due --- */

int64_t diagnostics_next(const struct diagnostics *d)
{
    int64_t next = stalled_next(&d->stalled);
    return next < d->silent_at ? next : d->silent_at;
}

static bool is_silent(const struct stats *stats)
{
    return stats->verdicts[LINE_PACKET] + stats->verdicts[LINE_PREFIX] + stats->foreign.count == 0;
}

bool diagnostics_due(struct diagnostics *d, const struct listener_config *setup, int64_t now,
                     struct message_event *out)
{
    struct stalled_knock knock;
    if (stalled_expire(&d->stalled, now, &knock)) {
        *out = (struct message_event){.kind = EVENT_STALLED,
                                      .source = knock.source,
                                      .door = knock.door,
                                      .address = knock.address,
                                      .number = knock.stage,
                                      .instead = knock.instead};
        return true;
    }
    if (now < d->silent_at)
        return false;
    while (d->silent_next < setup->source_count) {
        unsigned source = d->silent_next++;
        if (is_silent(&d->stats[source])) {
            *out = (struct message_event){
                .kind = EVENT_SILENT, .source = source, .number = (uint64_t)(silence / SECOND)};
            return true;
        }
    }
    d->silent_at = INT64_MAX;
    return false;
}

/* --- the answer to a query --- */

static struct message counters_message(const struct diagnostics *d,
                                       const struct listener_config *setup, uint32_t query)
{
    _Static_assert((int)COUNT_SEALED - COUNT_OUTGOING == (int)MATCH_SEALED - MATCH_OUTGOING,
                   "the reasons for leaving out a packet are in one order");
    const struct matcher_counters *matched = matcher_counters(setup->matcher);
    struct message message = {.type = MESSAGE_COUNTERS, .u.counters = {.query = query}};
    uint64_t *counts = message.u.counters.counts;
    for (int i = COUNT_OUTGOING; i <= COUNT_SEALED; i++)
        counts[i] = matched->packets[MATCH_OUTGOING + i - COUNT_OUTGOING];
    for (unsigned i = 0; i < setup->source_count; i++)
        for (int reason = 0; reason < STALE_REASONS; reason++)
            counts[COUNT_STALE] += d->stats[i].stale[reason];
    counts[COUNT_EVICTED] = matched->evicted;
    counts[COUNT_UNSAID] = d->stalled.unreported;
    return message;
}

static void count_sealed(struct reassembly_counters sealed, uint64_t counts[LISTENER_COUNTS])
{
    counts[COUNT_PIECES] = sealed.fragments;
    counts[COUNT_MESSAGES] = sealed.messages;
    counts[COUNT_MIXTURES] = sealed.inconsistent;
    counts[COUNT_PIECES_EVICTED] = sealed.evicted;
    counts[COUNT_SPENT] = sealed.spent[0];
    counts[COUNT_SPENT_COMMON] = sealed.spent[1];
    counts[COUNT_LIMITED] = sealed.limited[0];
    counts[COUNT_LIMITED_COMMON] = sealed.limited[1];
}

static struct message stats_message(const struct stats *stats, uint32_t query, unsigned source)
{
    struct message message = {.type = MESSAGE_STATS,
                              .u.stats = {.query = query,
                                          .source = source,
                                          .lines = stats->lines,
                                          .packets = stats->verdicts[LINE_PACKET],
                                          .foreign = stats->verdicts[LINE_FOREIGN],
                                          .others = stats->verdicts[LINE_PREFIX],
                                          .damaged = stats->verdicts[LINE_DAMAGED],
                                          .partial = stats->verdicts[LINE_PARTIAL],
                                          .reason = stats->stale_reason,
                                          .age = stats->stale_age,
                                          .last_line = stats->last_line,
                                          .last_packet = stats->last_packet}};
    memcpy(message.u.stats.stale, stats->stale, sizeof(stats->stale));
    return message;
}

static struct message prefix_message(const struct stats_prefix *prefix, uint32_t query,
                                     unsigned source)
{
    bool accepted = prefix_is_of_accepted(prefix->text, strlen(prefix->text));
    struct message message = {.type = MESSAGE_OTHER,
                              .u.other = {.query = query,
                                          .source = source,
                                          .kind = accepted ? SEEN_ACCEPTED : SEEN_PREFIX,
                                          .count = prefix->count}};
    memcpy(message.u.other.text, prefix->text, sizeof(prefix->text));
    return message;
}

static struct message header_message(const struct foreign *foreign, uint32_t query, unsigned source)
{
    struct message message = {.type = MESSAGE_OTHER,
                              .u.other = {.query = query,
                                          .source = source,
                                          .kind = SEEN_HEADER,
                                          .hint = foreign->hint,
                                          .count = foreign->count}};
    memcpy(message.u.other.text, foreign->example, sizeof(foreign->example));
    return message;
}

void diagnostics_answer(const struct diagnostics *d, const struct listener_config *setup,
                        uint32_t query, void (*send)(void *arg, struct message *message), void *arg)
{
    struct message message = counters_message(d, setup, query);
    if (setup->reassembly)
        count_sealed(reassembly_counters(setup->reassembly), message.u.counters.counts);
    send(arg, &message);
    for (unsigned i = 0; i < setup->source_count; i++) {
        const struct stats *stats = &d->stats[i];
        message = stats_message(stats, query, i);
        send(arg, &message);
        for (int j = 0; j < STATS_PREFIXES; j++) {
            if (stats->seen[j].count == 0)
                continue;
            message = prefix_message(&stats->seen[j], query, i);
            send(arg, &message);
        }
        if (stats->foreign.count == 0)
            continue;
        message = header_message(&stats->foreign, query, i);
        send(arg, &message);
    }
}
