/* knockctl sources, and those of status: what each source brought, asked of the listener. */
#include <stdio.h>
#include <string.h>

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
    case SOURCE_NFLOG:
        return "nflog";
    case SOURCE_PCAP:
        return "pcap";
    case SOURCE_UNKNOWN:
        break;
    }
    return "-";
}

static const char *text_interfaces(const struct config_list *interfaces, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "capture on %s",
                                  interfaces->count ? interfaces->items[0].text : "any interface");
    for (unsigned i = 1; i < interfaces->count && len < size; i++)
        len += (size_t)snprintf(out + len, size - len, ", %s", interfaces->items[i].text);
    return out;
}

/* What the source reads, in words. */
static const char *text_reads(const struct config_source *source, char *out, size_t size)
{
    switch (source->type) {
    case SOURCE_KMSG:
        return "/dev/kmsg";
    case SOURCE_FILE:
        return source->path;
    case SOURCE_JOURNAL:
        return "the kernel's messages in the journal";
    case SOURCE_COMMAND:
        return source->command.text;
    case SOURCE_STDIN:
        return "standard input";
    case SOURCE_NFLOG:
        snprintf(out, size, "NFLOG group %u", source->group);
        return out;
    case SOURCE_PCAP:
        return text_interfaces(&source->interfaces, out, size);
    case SOURCE_UNKNOWN:
        break;
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
    if (stats->reason == STALE_ZONE)
        return "zone";
    if (listening >= SILENT_SECONDS && (silent < 0 || silent >= SILENT_SECONDS))
        return "silent";
    return NULL;
}

static const char *const stale_reasons[STALE_REASONS] = {
    [STALE_OLD] = "old",
    [STALE_FUTURE] = "ahead",
    [STALE_UNDATED] = "undated",
    [STALE_ZONE] = "zone",
};

static const char *const stale_counts[STALE_REASONS] = {
    [STALE_OLD] = "stale_old",
    [STALE_FUTURE] = "stale_ahead",
    [STALE_UNDATED] = "stale_undated",
    [STALE_ZONE] = "stale_zone",
};

/* Whose lines they are, which of them count by their time, and what became of the others. */
static void add_age(struct row *row, const struct config_source *source,
                    const struct message_stats *stats)
{
    row_flag(row, "remote", source->remote);
    if (source->max_age > 0)
        row_number(row, "max_age", source->max_age / CLOCK_SECOND);
    else
        row_null(row, "max_age");
    int64_t stale = 0;
    for (int reason = STALE_NOT + 1; reason < STALE_REASONS; reason++)
        stale += (int64_t)stats->stale[reason];
    row_number(row, "stale", stale);
    for (int reason = STALE_NOT + 1; reason < STALE_REASONS; reason++)
        row_number(row, stale_counts[reason], (int64_t)stats->stale[reason]);
    if (stats->reason != STALE_NOT)
        row_text(row, "stale_reason", stale_reasons[stats->reason]);
    else
        row_null(row, "stale_reason");
    row_number(row, "stale_age", stats->age / CLOCK_SECOND);
}

static void add_prefixes(struct row *row, const struct config_source *source)
{
    if (source->prefixes.count == 0)
        row_list(row, "prefixes", NULL);
    for (unsigned i = 0; i < source->prefixes.count; i++)
        row_list(row, "prefixes", source->prefixes.items[i].text);
}

/* How many doors don't hear the source. */
static int64_t count_deaf_doors(const struct config *config, const struct config_source *source)
{
    int64_t count = 0;
    for (unsigned i = 0; i < config->door_count; i++)
        count += !config_hears(&config->doors[i], (unsigned)(source - config->sources));
    return count;
}

void request_list_source(const struct requests *requests, const struct pending *pending,
                         const struct config_source *source, const struct message_stats *stats)
{
    struct row row;
    char reads[256];
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
    add_age(&row, source, stats);
    add_prefixes(&row, source);
    row_number(&row, "unheard_by", count_deaf_doors(requests_state(requests).config, source));
    row_number(&row, "copies", (int64_t)copies_of(requests->services.copies, source->name));
    row_text(&row, "reads", text_reads(source, reads, sizeof(reads)));
    answer_row(pending->answer, &row);
}

/* A prefix is told as the configuration has it: blanks at its end don't count. */
static void trim_end(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t", text[len - 1]))
        text[--len] = '\0';
}

void request_list_other(const struct pending *pending, const struct message_other *other)
{
    struct row row;
    bool header = other->kind == SEEN_HEADER;
    char text[sizeof(other->text)];
    snprintf(text, sizeof(text), "%s", other->text);
    if (!header)
        trim_end(text);
    row_begin(&row, pending->depth + 1, header ? "unknown_headers" : "other_prefixes");
    row_text(&row, header ? "line" : "prefix", text);
    row_number(&row, "lines", (int64_t)other->count);
    if (header)
        row_text(&row, "advice", header_advice((enum header_hint)other->hint));
    else
        row_flag(&row, "accepted", other->kind == SEEN_ACCEPTED);
    answer_row(pending->answer, &row);
}

void request_list_counters(const struct pending *pending, const struct message_counters *counters)
{
    static const char *const names[LISTENER_COUNTS] = {
        [COUNT_OUTGOING] = "ignored_outgoing",
        [COUNT_GROUP] = "ignored_group",
        [COUNT_MARTIAN] = "ignored_martian",
        [COUNT_PROTOCOL] = "ignored_protocol",
        [COUNT_FLAGS] = "ignored_flags",
        [COUNT_REPEAT] = "ignored_repeat",
        [COUNT_IDLE] = "ignored_idle",
        [COUNT_SEALED] = "ignored_sealed",
        [COUNT_STALE] = "ignored_stale",
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
    /* `sources` and `why` list no counters. */
    if (pending->depth == 0 || pending->address.family != 0)
        return;
    row_begin(&row, pending->depth, "listener");
    for (int i = 0; i < LISTENER_COUNTS; i++)
        row_number(&row, names[i], (int64_t)counters->counts[i]);
    answer_row(pending->answer, &row);
}
