/* knockctl status --prometheus: the text format of Prometheus, version 0.0.4 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knockctl/show.h"
#include "lib/config.h"
#include "lib/log.h"

static const struct metric {
    const char *key;
    const char *name;
    const char *type;
    const char *label; /* its value for this one of several; NULL: there is one */
    const char *help;
} metrics[] = {
    {"uptime", "knockd_uptime_seconds", "gauge", NULL, "Time since the start."},
    {"recorded", "knockd_state_recorded", "gauge", NULL,
     "Whether the state can be recorded; else nothing opens."},
    {"listener_pid", "knockd_listener_up", "gauge", NULL, "Whether there is a listener."},
    {"generation", "knockd_listener_starts_total", "counter", NULL,
     "Listeners started, by reloads or after one died."},
    {"doors", "knockd_doors", "gauge", NULL, "Doors that are configured."},
    {"open", "knockd_openings", "gauge", "state=\"open\"", "Openings by state."},
    {"opening", "knockd_openings", "gauge", "state=\"opening\"", NULL},
    {"closing", "knockd_openings", "gauge", "state=\"closing\"", NULL},
    {"not_closed", "knockd_openings", "gauge", "state=\"not-closed\"", NULL},
    {"opened_total", "knockd_opened_total", "counter", NULL, "Openings so far."},
    {"extended_total", "knockd_extended_total", "counter", NULL, "Knocks on open doors so far."},
    {"refused_total", "knockd_refused_total", "counter", NULL,
     "Knocks that opened nothing so far."},
    {"failed_total", "knockd_start_failures_total", "counter", NULL, "Start commands that failed."},
    {"failed_stops_total", "knockd_stop_failures_total", "counter", NULL,
     "Stop commands that failed."},
    {"messages_dropped", "knockd_messages_dropped_total", "counter", NULL,
     "Messages left out of the log, since there were too many a second."},
    {"keys", "knockd_keys", "gauge", NULL, "Keys of sealed knocks."},
    {"sealed_served_total", "knockd_sealed_total", "counter", "verdict=\"served\"",
     "Sealed messages so far, by what became of them."},
    {"sealed_refused_total", "knockd_sealed_total", "counter", "verdict=\"refused\"", NULL},
    {"sealed_stale_total", "knockd_sealed_total", "counter", "verdict=\"stale\"", NULL},
    {"sealed_unknown_total", "knockd_sealed_total", "counter", "verdict=\"unknown\"", NULL},
    {"sealed_replayed_total", "knockd_sealed_total", "counter", "verdict=\"replayed\"", NULL},
    {"sealed_new_state_total", "knockd_sealed_total", "counter", "verdict=\"new_state\"", NULL},
    {"sealed_copies_total", "knockd_sealed_total", "counter", "verdict=\"copy\"", NULL},
    {"sealed_unheard_total", "knockd_sealed_total", "counter", "verdict=\"unheard\"", NULL},
    {"sealed_dropped_total", "knockd_sealed_total", "counter", "verdict=\"dropped\"", NULL},
};

/* The same of the row that the listener's counters make. */
static const struct metric listener_metrics[] = {
    {"ignored_repeat", "knockd_packets_ignored_total", "counter", "reason=\"repeat\"",
     "Packets that were no part of a knock, by reason, since the listener started."},
    {"ignored_idle", "knockd_packets_ignored_total", "counter", "reason=\"idle\"", NULL},
    {"ignored_flags", "knockd_packets_ignored_total", "counter", "reason=\"flags\"", NULL},
    {"ignored_protocol", "knockd_packets_ignored_total", "counter", "reason=\"protocol\"", NULL},
    {"ignored_group", "knockd_packets_ignored_total", "counter", "reason=\"group\"", NULL},
    {"ignored_martian", "knockd_packets_ignored_total", "counter", "reason=\"martian\"", NULL},
    {"ignored_outgoing", "knockd_packets_ignored_total", "counter", "reason=\"outgoing\"", NULL},
    {"ignored_stale", "knockd_packets_ignored_total", "counter", "reason=\"stale\"", NULL},
    {"ignored_sealed", "knockd_packets_ignored_total", "counter", "reason=\"sealed\"", NULL},
    {"evicted", "knockd_addresses_evicted_total", "counter", NULL,
     "Addresses that were forgotten to make room for others (max_sources)."},
    {"unsaid", "knockd_stalled_unsaid_total", "counter", NULL,
     "Knocks that stayed behind without a message."},
    {"sealed_pieces", "knockd_sealed_pieces_total", "counter", NULL,
     "Packets that were pieces of a sealed knock."},
    {"sealed_messages", "knockd_sealed_messages_total", "counter", NULL,
     "Sealed messages that were assembled."},
    {"sealed_mixtures", "knockd_sealed_mixtures_total", "counter", NULL,
     "Sealed messages that no further piece agreed with."},
    {"sealed_evicted", "knockd_sealed_evicted_total", "counter", NULL,
     "Sealed knocks under way that were forgotten to make room for others (max_sources)."},
    {"sealed_spent", "knockd_sealed_dropped_total", "counter", "limit=\"record\"",
     "Sealed messages that a limit kept from the keeper."},
    {"sealed_spent_common", "knockd_sealed_dropped_total", "counter", "limit=\"common-record\"",
     NULL},
    {"sealed_limited", "knockd_sealed_dropped_total", "counter", "limit=\"rate\"", NULL},
    {"sealed_limited_common", "knockd_sealed_dropped_total", "counter", "limit=\"common-rate\"",
     NULL},
};

enum {
    METRICS = sizeof(metrics) / sizeof(*metrics),
    LISTENER_METRICS = sizeof(listener_metrics) / sizeof(*listener_metrics),
    SOURCES_MAX = CONFIG_SOURCES_MAX
};

/* What there is to say of every source, kept because all of one metric must stand together. */
static const struct source_metric {
    const char *key;
    const char *name;
    const char *type;
    const char *label; /* likewise */
    const char *help;
} source_metrics[] = {
    {"lines", "knockd_source_lines_total", "counter", NULL,
     "Lines or packets read, since the listener started."},
    {"matches", "knockd_source_matches_total", "counter", NULL,
     "Lines that tell of a denied packet, and packets."},
    {"others", "knockd_source_other_prefix_total", "counter", NULL,
     "Lines or packets with another prefix."},
    {"copies", "knockd_source_copies_total", "counter", NULL,
     "Copies of knocks that were brought before, since knockd started."},
    {"damaged", "knockd_source_damaged_total", "counter", NULL,
     "Lines or packets that are cut or garbled."},
    {"stale_old", "knockd_source_stale_total", "counter", "reason=\"old\"",
     "Lines refused since their time isn't of now (max_age), by reason."},
    {"stale_ahead", "knockd_source_stale_total", "counter", "reason=\"ahead\"", NULL},
    {"stale_undated", "knockd_source_stale_total", "counter", "reason=\"undated\"", NULL},
    {"stale_zone", "knockd_source_stale_total", "counter", "reason=\"zone\"", NULL},
    {"last_match", "knockd_source_last_match_timestamp_seconds", "gauge", NULL,
     "When the last match was, since 1970; 0: there was none since the listener started."},
};

enum { SOURCE_METRICS = sizeof(source_metrics) / sizeof(*source_metrics) };

struct log_sources {
    unsigned count;
    struct {
        char name[CONFIG_NAME_MAX + 1];
        long long values[SOURCE_METRICS];
    } list[SOURCES_MAX];
};

/* true is 1; of a listener it counts only that it has a number. */
static const char *value_of(const struct metric *metric, const struct row_fields *row)
{
    const char *value = row_get(row, metric->key);
    if (strcmp(metric->key, "listener_pid") == 0)
        return value ? "1" : "0";
    if (!value || strcmp(value, "false") == 0)
        return "0";
    return strcmp(value, "true") == 0 ? "1" : value;
}

static void print_head(const char *name, const char *type, const char *help)
{
    printf("# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Which version runs where, by the convention that others follow: its number is a label. */
static void print_version(const struct row_fields *row)
{
    char version[64];
    const char *text = row_get(row, "version");
    log_encode(text ? text : "", text ? strlen(text) : 0, version, sizeof(version));
    print_head("knockd_build_info", "gauge", "The version that runs, as a label; always 1.");
    printf("knockd_build_info{version=\"%s\"} 1\n", version);
}

static void print_metric(const struct metric *metric, const struct row_fields *row)
{
    if (metric->help)
        print_head(metric->name, metric->type, metric->help);
    printf("%s", metric->name);
    if (metric->label)
        printf("{%s}", metric->label);
    printf(" %s\n", value_of(metric, row));
}

/* The moment that was so many seconds ago: a file of metrics may be read minutes after it was
 * written. */
static long long moment(const char *seconds_ago)
{
    return seconds_ago ? (long long)time(NULL) - strtoll(seconds_ago, NULL, 10) : 0;
}

static long long source_value(const struct row_fields *row, const char *key)
{
    if (strcmp(key, "last_match") == 0)
        return moment(row_get(row, key));
    return (long long)row_get_number(row, key);
}

static void keep_source(struct log_sources *sources, const struct row_fields *row)
{
    const char *name = row_get(row, "source");
    if (!name || sources->count == SOURCES_MAX)
        return;
    unsigned i = sources->count++;
    log_encode(name, strlen(name), sources->list[i].name, sizeof(sources->list[i].name));
    for (int m = 0; m < SOURCE_METRICS; m++)
        sources->list[i].values[m] = source_value(row, source_metrics[m].key);
}

/* A name has no character that a label would have to escape (knockd.conf(5)). */
static void print_sources(const struct log_sources *sources)
{
    for (int m = 0; sources->count > 0 && m < SOURCE_METRICS; m++) {
        const struct source_metric *metric = &source_metrics[m];
        if (metric->help)
            print_head(metric->name, metric->type, metric->help);
        for (unsigned i = 0; i < sources->count; i++)
            printf("%s{source=\"%s\"%s%s} %lld\n", metric->name, sources->list[i].name,
                   metric->label ? "," : "", metric->label ? metric->label : "",
                   sources->list[i].values[m]);
    }
}

void show_prometheus(struct reply *reply, int *status)
{
    struct row_fields row;
    struct log_sources sources = {0};
    while (client_row(reply, &row, status)) {
        if (strcmp(row.kind, "sources") == 0)
            keep_source(&sources, &row);
        if (strcmp(row.kind, "status") == 0)
            print_version(&row);
        for (int i = 0; strcmp(row.kind, "status") == 0 && i < METRICS; i++)
            print_metric(&metrics[i], &row);
        for (int i = 0; strcmp(row.kind, "listener") == 0 && i < LISTENER_METRICS; i++)
            print_metric(&listener_metrics[i], &row);
    }
    print_sources(&sources);
}
