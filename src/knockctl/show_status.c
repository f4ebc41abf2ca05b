/* knockctl status and knockctl sources, in words */
#include <string.h>

#include "knockctl/show.h"
#include "knockctl/table.h"
#include "lib/log.h"

static long long number(const struct row_fields *row, const char *key)
{
    return (long long)row_get_number(row, key);
}

static bool is_true(const struct row_fields *row, const char *key)
{
    const char *value = row_get(row, key);
    return value && strcmp(value, "true") == 0;
}

static void print_warnings(const struct row_fields *row)
{
    if (!row_get(row, "listener_pid"))
        puts("WARNING: there is no listener, so no knock is heard; knockd's log says why");
    if (!is_true(row, "recorded"))
        puts("WARNING: the state can't be recorded, so nothing new is opened; knockd's log says "
             "why");
    if (number(row, "not_closed") > 0)
        printf("WARNING: %lld NOT CLOSED: the stop command fails; see knockctl doors\n",
               number(row, "not_closed"));
}

static void print_keys(const struct row_fields *row)
{
    if (number(row, "keys") == 0)
        return;
    printf("keys: %lld; sealed knocks: %lld served, %lld copies of them, %lld refused; of "
           "strangers: %lld stale, %lld unknown, %lld replayed, %lld too early for a new state, "
           "%lld not looked at\n",
           number(row, "keys"), number(row, "sealed_served_total"),
           number(row, "sealed_copies_total"), number(row, "sealed_refused_total"),
           number(row, "sealed_stale_total"), number(row, "sealed_unknown_total"),
           number(row, "sealed_replayed_total"), number(row, "sealed_new_state_total"),
           number(row, "sealed_dropped_total"));
}

/* Where several sources bring knocks, or doors don't hear all of them. */
static void print_copies(const struct row_fields *row)
{
    if (number(row, "copies_total") > 0)
        printf("copies of knocks that were brought before: %lld; knocks forgotten to make room: "
               "%lld\n",
               number(row, "copies_total"), number(row, "copies_evicted_total"));
    if (number(row, "sealed_unheard_total") > 0)
        printf("sealed knocks by a source that their door doesn't hear: %lld\n",
               number(row, "sealed_unheard_total"));
}

static void print_keeper(const struct row_fields *row)
{
    char uptime[TEXT_MAX], version[ROW_MAX], phase[ROW_MAX], config[ROW_MAX], pid[ROW_MAX];
    printf("knockd %s, %s for %s, configuration %s\n", text_of(row, "version", version),
           text_of(row, "phase", phase), text_seconds(number(row, "uptime"), uptime),
           text_of(row, "config", config));
    printf("listener: process %s, generation %lld\n", text_of(row, "listener_pid", pid),
           number(row, "generation"));
    printf("doors: %lld configured; %lld open, %lld opening, %lld closing, %lld not closed\n",
           number(row, "doors"), number(row, "open"), number(row, "opening"),
           number(row, "closing"), number(row, "not_closed"));
    printf("since the start: %lld opened, %lld extended, %lld refused, %lld failed; %lld messages "
           "left out of the log\n",
           number(row, "opened_total"), number(row, "extended_total"), number(row, "refused_total"),
           number(row, "failed_total"), number(row, "messages_dropped"));
    print_keys(row);
    print_copies(row);
    print_warnings(row);
}

static void print_sealed(const struct row_fields *row)
{
    printf(
        "sealed knocks: %lld packets to their ports, %lld of them pieces, %lld messages, %lld mixtures\n",
        number(row, "ignored_sealed"), number(row, "sealed_pieces"), number(row, "sealed_messages"),
        number(row, "sealed_mixtures"));
    printf("  dropped: %lld knocks under way that made room for others; messages above the limits: "
           "%lld of a port, %lld of an address behind a NAT that scatters ports, %lld and %lld of "
           "all such\n",
           number(row, "sealed_evicted"), number(row, "sealed_spent"),
           number(row, "sealed_spent_common"), number(row, "sealed_limited"),
           number(row, "sealed_limited_common"));
}

static void print_listener(const struct row_fields *row)
{
    printf("ignored packets: %lld retransmissions, %lld that begin no sequence, %lld by their TCP "
           "flags, %lld neither TCP nor UDP, %lld of groups, %lld of addresses "
           "that no host elsewhere has, %lld sent by this host\n",
           number(row, "ignored_repeat"), number(row, "ignored_idle"), number(row, "ignored_flags"),
           number(row, "ignored_protocol"), number(row, "ignored_group"),
           number(row, "ignored_martian"), number(row, "ignored_outgoing"));
    printf("dropped: %lld addresses that made room for others; %lld knocks that stayed behind "
           "without a message\n",
           number(row, "evicted"), number(row, "unsaid"));
    if (number(row, "ignored_sealed") > 0)
        print_sealed(row);
}

static const char *text_ago(const struct row_fields *row, const char *key, char out[TEXT_MAX])
{
    char text[TEXT_MAX];
    if (!row_get(row, key))
        return "never";
    snprintf(out, TEXT_MAX, "%.40s ago", text_seconds(number(row, key), text));
    return out;
}

/* "A" or "B" or ... */
static void print_prefixes(const struct row_fields *row)
{
    char prefix[ROW_MAX];
    const char *between = "";
    for (unsigned i = 0; i < row->count; i++) {
        const struct row_field *field = &row->fields[i];
        if (!field->listed || strcmp(field->key, "prefixes") != 0)
            continue;
        log_encode(field->value, strlen(field->value), prefix, sizeof(prefix));
        printf("%s\"%s\"", between, prefix);
        between = " or ";
    }
}

static bool is_type(const struct row_fields *row, const char *type)
{
    const char *value = row_get(row, "type");
    return value && strcmp(value, type) == 0;
}

/* Of a source that brings packets, no lines. */
static void print_silence(const struct row_fields *row)
{
    char listening[TEXT_MAX], reads[ROW_MAX];
    text_seconds(number(row, "listening"), listening);
    if (is_type(row, "pcap"))
        printf("  WARNING: no packet in %s by %s; is that where knocks come in?\n",
               row_get(row, "last_match") ? "a long time" : listening,
               text_of(row, "reads", reads));
    else if (row_get(row, "last_match"))
        printf("  WARNING: silent; does a rule still hand denied packets to %s? See knockctl "
               "rules\n",
               text_of(row, "reads", reads));
    else
        printf("  WARNING: no denied packet in %s; does a rule hand them to %s? See knockctl "
               "rules\n",
               listening, text_of(row, "reads", reads));
}

/* Which times of lines count, where not every one does. */
static void print_age(const struct row_fields *row)
{
    char age[TEXT_MAX], reason[ROW_MAX];
    bool remote = is_true(row, "remote"), bounded = row_get(row, "max_age") != NULL;
    long long stale = number(row, "stale"), apart = number(row, "stale_age");
    if (!remote && stale == 0)
        return;
    printf("  %smax_age %s", remote ? "remote, " : "",
           bounded ? text_seconds(number(row, "max_age"), age) : "off");
    if (stale > 0)
        printf(": %lld %s refused, ", stale, stale == 1 ? "line" : "lines");
    if (stale > 0 && strcmp(text_of(row, "stale_reason", reason), "undated") == 0)
        printf("the last without a time");
    else if (stale > 0)
        printf("the last %s %s", text_seconds(apart < 0 ? -apart : apart, age),
               apart < 0 ? "ahead" : "old");
    putchar('\n');
}

static void print_source_warning(const struct row_fields *row)
{
    char listening[TEXT_MAX];
    const char *warning = row_get(row, "warning");
    if (warning && strcmp(warning, "prefix") == 0) {
        printf("  WARNING: %lld denied packets logged, none with prefix ", number(row, "others"));
        print_prefixes(row);
        putchar('\n');
    } else if (warning && strcmp(warning, "zone") == 0) {
        puts("  WARNING: its lines seem to be written in another time zone, which they don't name, "
             "and open no door: see max_age in knockd.conf(5)");
    } else if (warning && (is_type(row, "nflog") || is_type(row, "pcap")))
        print_silence(row);
    else if (warning && row_get(row, "last_match"))
        puts("  WARNING: silent; does a rule still log denied packets? See knockctl rules");
    else if (warning)
        printf("  WARNING: no denied packet in %s; does a rule log them? See knockctl rules\n",
               text_seconds(number(row, "listening"), listening));
}

/* What there is to say of a source that isn't the only one. */
static void print_hearing(const struct row_fields *row)
{
    if (number(row, "unheard_by") > 0)
        printf("  doors that don't hear it: %lld\n", number(row, "unheard_by"));
    if (number(row, "copies") > 0)
        printf("  copies of knocks that were brought before: %lld\n", number(row, "copies"));
}

static void print_source(const struct row_fields *row)
{
    char name[ROW_MAX], type[ROW_MAX], reads[ROW_MAX], line[TEXT_MAX], match[TEXT_MAX],
        listening[TEXT_MAX];
    bool packets = is_type(row, "nflog") || is_type(row, "pcap"), one = number(row, "lines") == 1;
    const char *unit = packets ? (one ? "packet" : "packets") : (one ? "line" : "lines");
    printf("source %s (%s%s%s): last %s %s, last match %s\n", text_of(row, "source", name),
           text_of(row, "type", type), packets ? ", " : "",
           packets ? text_of(row, "reads", reads) : "", packets ? "packet" : "line",
           text_ago(row, "last_line", line), text_ago(row, "last_match", match));
    printf("  in %s: %lld %s; %lld matches, %lld with another prefix, %lld not of the firewall, "
           "%lld damaged\n",
           text_seconds(number(row, "listening"), listening), number(row, "lines"), unit,
           number(row, "matches"), number(row, "others"), number(row, "foreign"),
           number(row, "damaged") + number(row, "partial"));
    print_hearing(row);
    print_age(row);
    print_source_warning(row);
}

static void print_other(const struct row_fields *row)
{
    char prefix[ROW_MAX];
    printf("  seen: \"%s\" (%lld)%s\n", text_of(row, "prefix", prefix), number(row, "lines"),
           is_true(row, "accepted") ? ", of accepted packets" : "");
}

static void print_header(const struct row_fields *row)
{
    char line[ROW_MAX], advice[ROW_MAX];
    printf("  WARNING: %lld lines look like the firewall's, but for their header, so they don't "
           "count; %s; the first: \"%s\"\n",
           number(row, "lines"), text_of(row, "advice", advice), text_of(row, "line", line));
}

void show_source_row(const struct row_fields *row)
{
    if (strcmp(row->kind, "status") == 0)
        print_keeper(row);
    else if (strcmp(row->kind, "listener") == 0)
        print_listener(row);
    else if (strcmp(row->kind, "sources") == 0)
        print_source(row);
    else if (strcmp(row->kind, "other_prefixes") == 0)
        print_other(row);
    else if (strcmp(row->kind, "unknown_headers") == 0)
        print_header(row);
}

void show_status(struct reply *reply, int *status)
{
    struct row_fields row;
    while (client_row(reply, &row, status))
        show_source_row(&row);
}

void show_sources(struct reply *reply, int *status)
{
    show_status(reply, status);
}
