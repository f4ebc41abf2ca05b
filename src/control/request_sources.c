/* What the sources brought: asked of the listener, whose answer is not believed blindly. */
#include <stdio.h>

#include "control/request_parts.h"
#include "lib/clock.h"

/* No packet for so long is worth a warning. */
enum { SILENT_SECONDS = 600 };

void requests_serve_sources(void *arg, struct answer *answer, char *const *words)
{
    struct requests *requests = arg;
    (void)words;
    if (!requests_state(requests).listener) {
        answer_error(answer, "there is no listener just now; knockd's log says why");
        return;
    }
    answer_begin(answer, ANSWER_LIST);
    query_listener(requests, answer, 0, NULL);
}

static const char *type_name(enum source_type type)
{
    switch (type) {
    case SOURCE_KMSG:
        return "kmsg";
    case SOURCE_FILE:
        return "file";
    case SOURCE_JOURNAL:
        return "journal";
    case SOURCE_COMMAND:
        return "command";
    case SOURCE_STDIN:
        return "stdin";
    }
    return "-";
}

/* Seconds since then; -1: never. */
static int64_t ago(int64_t then)
{
    int64_t now = clock_now();
    if (then <= 0)
        return -1;
    return then < now ? (now - then) / CLOCK_SECOND : 0;
}

static void add_ago(struct row *row, const char *key, int64_t seconds)
{
    if (seconds < 0)
        row_null(row, key);
    else
        row_number(row, key, seconds);
}

static const char *warning(const struct message_stats *stats, int64_t listening)
{
    int64_t silent = ago(stats->last_packet);
    if (stats->packets == 0 && stats->others > 0)
        return "prefix";
    if (listening >= SILENT_SECONDS && (silent < 0 || silent >= SILENT_SECONDS))
        return "silent";
    return NULL;
}

static void add_prefixes(struct row *row, const struct config_source *source)
{
    if (source->prefixes.count == 0)
        row_list(row, "prefixes", NULL);
    for (unsigned i = 0; i < source->prefixes.count; i++)
        row_list(row, "prefixes", source->prefixes.items[i].text);
}

static void list_source(const struct requests *requests, const struct pending *pending,
                        const struct config_source *source, const struct message_stats *stats)
{
    struct row row;
    int64_t listening = ago(requests_state(requests).listening_since);
    const char *warned = warning(stats, listening);
    row_begin(&row, pending->depth, "sources");
    row_text(&row, "source", source->name);
    row_text(&row, "type", type_name(source->type));
    add_ago(&row, "listening", listening);
    add_ago(&row, "last_line", ago(stats->last_line));
    add_ago(&row, "last_match", ago(stats->last_packet));
    row_number(&row, "lines", (int64_t)stats->lines);
    row_number(&row, "matches", (int64_t)stats->packets);
    row_number(&row, "others", (int64_t)stats->others);
    row_number(&row, "foreign", (int64_t)stats->foreign);
    row_number(&row, "damaged", (int64_t)stats->damaged);
    row_number(&row, "partial", (int64_t)stats->partial);
    if (warned)
        row_text(&row, "warning", warned);
    else
        row_null(&row, "warning");
    add_prefixes(&row, source);
    answer_row(pending->answer, &row);
}

static void list_other(const struct pending *pending, const struct message_other *other)
{
    struct row row;
    bool header = other->kind == SEEN_HEADER;
    row_begin(&row, pending->depth + 1, header ? "unknown_headers" : "other_prefixes");
    row_text(&row, header ? "line" : "prefix", other->text);
    row_number(&row, "lines", (int64_t)other->count);
    if (header)
        row_text(&row, "advice", header_advice((enum header_hint)other->hint));
    else
        row_flag(&row, "accepted", other->kind == SEEN_ACCEPTED);
    answer_row(pending->answer, &row);
}

/* Who asks for the sources alone, or why an address opened nothing, isn't told. */
static void list_counters(const struct pending *pending, const struct message_counters *counters)
{
    static const char *const names[LISTENER_COUNTS] = {
        [COUNT_OUTGOING] = "ignored_outgoing",
        [COUNT_GROUP] = "ignored_group",
        [COUNT_PROTOCOL] = "ignored_protocol",
        [COUNT_FLAGS] = "ignored_flags",
        [COUNT_REPEAT] = "ignored_repeat",
        [COUNT_IDLE] = "ignored_idle",
        [COUNT_SEALED] = "ignored_sealed",
        [COUNT_EVICTED] = "evicted",
        [COUNT_UNSAID] = "unsaid",
        [COUNT_PIECES] = "sealed_pieces",
        [COUNT_MESSAGES] = "sealed_messages",
        [COUNT_MIXTURES] = "sealed_mixtures",
        [COUNT_PIECES_EVICTED] = "sealed_evicted",
        [COUNT_SPENT] = "sealed_spent",
        [COUNT_SPENT_COMMON] = "sealed_spent_common",
        [COUNT_LIMITED] = "sealed_limited",
        [COUNT_LIMITED_COMMON] = "sealed_limited_common",
    };
    struct row row;
    if (pending->depth == 0 || pending->address.family != 0)
        return;
    row_begin(&row, pending->depth, "listener");
    for (int i = 0; i < LISTENER_COUNTS; i++)
        row_number(&row, names[i], (int64_t)counters->counts[i]);
    answer_row(pending->answer, &row);
}

/* Nobody has counted that far. */
static bool is_sound(uint64_t count)
{
    return count <= INT64_MAX;
}

static bool counters_are_sound(const struct message_counters *counters)
{
    bool sound = true;
    for (int i = 0; i < LISTENER_COUNTS; i++)
        sound = sound && is_sound(counters->counts[i]);
    return sound;
}

static bool stats_is_sound(const struct config *config, const struct message_stats *stats)
{
    return stats->source < config->source_count && is_sound(stats->lines) &&
           is_sound(stats->packets) && is_sound(stats->foreign) && is_sound(stats->others) &&
           is_sound(stats->damaged) && is_sound(stats->partial);
}

static bool other_is_sound(const struct config *config, const struct message_other *other)
{
    return other->source < config->source_count && is_sound(other->count) &&
           other->kind < SEEN_KINDS && other->hint < HEADER_HINTS &&
           other->text[MESSAGE_TEXT_MAX] == '\0';
}

/* The configuration may have been replaced since the question: then its answer isn't wanted. */
static struct pending *find_asker(struct requests *requests, const struct config *config,
                                  uint32_t query)
{
    return config == requests_state(requests).config ? query_find(requests, query) : NULL;
}

/* What an answer to `why` is made of, a row each. */
static bool make_row(const struct config *config, const struct message *message,
                     const struct pending *pending, struct row *row)
{
    if (message->type == MESSAGE_PACKET)
        return requests_list_packet(config, &message->u.packet, row);
    return requests_list_effect(config, &message->u.effect, pending ? &pending->address : NULL,
                                row);
}

bool requests_record(struct requests *requests, const struct config *config,
                     const struct message *message)
{
    struct row row;
    if (!message_is_answer(message->type))
        return false;
    /* What it says is judged, whether anybody waits for it or not. */
    struct pending *pending = find_asker(requests, config, message_answers(message));
    bool sound = true;
    switch (message->type) {
    case MESSAGE_COUNTERS:
        sound = counters_are_sound(&message->u.counters);
        if (sound && pending)
            list_counters(pending, &message->u.counters);
        break;
    case MESSAGE_STATS:
        sound = stats_is_sound(config, &message->u.stats);
        if (sound && pending)
            list_source(requests, pending, &config->sources[message->u.stats.source],
                        &message->u.stats);
        break;
    case MESSAGE_OTHER:
        sound = other_is_sound(config, &message->u.other);
        if (sound && pending)
            list_other(pending, &message->u.other);
        break;
    case MESSAGE_ANSWERED:
        query_answered(requests, pending);
        break;
    default:
        sound = make_row(config, message, pending, &row);
        if (sound && pending)
            answer_row(pending->answer, &row);
        break;
    }
    return sound;
}
