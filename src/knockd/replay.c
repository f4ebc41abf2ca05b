/*
 * Replays a log or a capture: its packets -> the matcher, configured as a listener's is -> the
 * doors that would have opened, with its own time. Counters at the end; hints for people on stderr.
 */
#include "knockd/replay.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "knockd/capture_reader.h"
#include "knockd/config_send.h"
#include "knockd/log_clock.h"
#include "knockd/log_doors.h"
#include "knockd/log_reader.h"
#include "knockd/replay_input.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "listener/config_receive.h"

/* A knock whose time has no year yet. */
struct held {
    struct timestamp timestamp;
    struct addr address;
    enum log_knock knock;
    unsigned door;
};

/* A knock that opened nothing, and how far it came. */
struct stalled {
    struct addr address;
    unsigned door, stage; /* stage 0: the place is free */
    uint64_t number;      /* of the packet that brought it there: larger is later */
};

enum { STALLED_MAX = 5 };

struct replay {
    struct config *config;        /* NULL: none is read */
    struct listener_config setup; /* as the listener has it, with its matcher */
    struct replay_input input;
    struct log_reader reader;          /* of a log */
    struct capture_reader capture;     /* or of a capture */
    struct capture_filter *filters[2]; /* of a capture that is matched: IPv4, IPv6 */
    struct log_clock clock;
    struct log_doors *doors;
    unsigned steps, boots; /* of the clock that were taken note of */
    int64_t skipped;       /* ns that the matcher took to have gone by in them */
    struct held *held;     /* until the log's years are settled, in order */
    size_t held_count, held_room;
    struct stalled stalled[STALLED_MAX];
    uint64_t packet_number;
    const struct packet *packet; /* that is being matched */
    FILE *out;
    bool heard;      /* there is something to count */
    int write_error; /* errno of the first write that failed; 0: none */
    bool no_memory;
    uint64_t filtered, refused, scanned, opened, extended, sealed;
};

static bool failed(const struct replay *r)
{
    return r->write_error != 0 || r->no_memory;
}

/* Keeps the error of the first write that failed: later ones may have another, or none. */
static void check_write(struct replay *r, int result)
{
    if (result < 0 && r->write_error == 0)
        r->write_error = errno ? errno : EIO;
}

/* --- doors --- */

static void print_knock(struct replay *r, const struct held *knock)
{
    char timestamp[TIMESTAMP_TEXT_SIZE], address[ADDR_TEXT_SIZE];
    check_write(r,
                fprintf(r->out, "%s %s %s %s\n", timestamp_format(&knock->timestamp, timestamp),
                        knock->knock == LOG_KNOCK_EXTEND ? "extend" : "open",
                        r->config->doors[knock->door].name, addr_format(&knock->address, address)));
}

static void hold_knock(struct replay *r, const struct held *knock)
{
    if (r->held_count == r->held_room) {
        size_t room = r->held_room ? 2 * r->held_room : 64;
        struct held *held = reallocarray(r->held, room, sizeof(*held));
        if (!held) {
            r->no_memory = true;
            return;
        }
        r->held = held;
        r->held_room = room;
    }
    r->held[r->held_count++] = *knock;
}

/* The log's years are settled: prints the knocks that waited for that. Later ones needn't wait. */
static void release_knocks(struct replay *r)
{
    log_clock_settle(&r->clock);
    for (size_t i = 0; i < r->held_count; i++) {
        timestamps_redate(&r->clock.timestamps, &r->held[i].timestamp);
        print_knock(r, &r->held[i]);
    }
    r->held_count = 0;
}

static void complete_knock(struct replay *r, unsigned number)
{
    const struct config_door *door = &r->config->doors[number];
    int64_t now = r->clock.elapsed;
    if (!config_allows(door, &r->packet->src)) {
        r->refused++;
        return;
    }
    enum log_knock outcome =
        log_doors_knock(r->doors, number, &r->packet->src, now, now + door->cmd_timeout);
    if (outcome == LOG_KNOCK_NO_MEMORY) {
        r->no_memory = true;
        return;
    }
    *(outcome == LOG_KNOCK_EXTEND ? &r->extended : &r->opened) += 1;
    struct held knock = {r->clock.now, r->packet->src, outcome, number};
    bool waits = knock.timestamp.yearless && !r->clock.timestamps.settled;
    if (waits || r->held_count > 0)
        hold_knock(r, &knock);
    else
        print_knock(r, &knock);
}

/* --- stalled knocks --- */

/* The place of the door and address; else the one that may be replaced: the least far, of equals
 * the oldest. */
static struct stalled *stalled_place(struct replay *r, unsigned door, const struct addr *address)
{
    struct stalled *least = &r->stalled[0];
    for (int i = 0; i < STALLED_MAX; i++) {
        struct stalled *s = &r->stalled[i];
        if (s->stage > 0 && s->door == door && addr_equal(&s->address, address))
            return s;
        if (s->stage < least->stage || (s->stage == least->stage && s->number < least->number))
            least = s;
    }
    return least;
}

static void stalled_note(struct replay *r, unsigned door, unsigned stage)
{
    struct stalled *s = stalled_place(r, door, &r->packet->src);
    if (stage >= s->stage)
        *s = (struct stalled){r->packet->src, door, stage, r->packet_number};
}

/* The address opened a door: nothing that it began is stalled. */
static void stalled_forget(struct replay *r, const struct addr *address)
{
    for (int i = 0; i < STALLED_MAX; i++)
        if (r->stalled[i].stage > 0 && addr_equal(&r->stalled[i].address, address))
            r->stalled[i].stage = 0;
}

/* Notes how far the packet brought its address. */
static void note_stages(struct replay *r, const struct match_result *matched)
{
    r->packet_number++;
    for (unsigned i = 0; i < matched->reached_count; i++)
        stalled_note(r, matched->reached[i].door, matched->reached[i].stage);
}

static void hint_stalled(const struct replay *r)
{
    char address[ADDR_TEXT_SIZE];
    for (int i = 0; i < STALLED_MAX; i++) {
        const struct stalled *s = &r->stalled[i];
        if (s->stage > 0)
            fprintf(stderr, "knockd: door %s: %s reached step %u of %u\n",
                    r->config->doors[s->door].name, addr_format(&s->address, address), s->stage,
                    r->config->doors[s->door].sequence.count);
    }
}

/* --- time --- */

/* More than any attempt may take, and than the fragments of a sealed knock are kept. */
static int64_t longer_than_attempts(const struct config *config)
{
    int64_t longest = 60 * CLOCK_SECOND;
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].seq_timeout >= longest)
            longest = config->doors[i].seq_timeout + 1;
    return longest;
}

/*
 * The log's clock stepped back, and how much time went by meanwhile is unknown: attempts start
 * over, since for the matcher more went by than they may take. What was open before a start of the
 * machine isn't any more.
 */
static void skip_time(struct replay *r)
{
    r->steps = r->clock.steps;
    if (r->skipped < INT64_MAX / 4)
        r->skipped += longer_than_attempts(r->config);
    if (r->boots != r->clock.boots)
        log_doors_clear(r->doors);
    r->boots = r->clock.boots;
}

/* The time for the matcher. */
static int64_t matcher_time(struct replay *r)
{
    int64_t elapsed = r->clock.elapsed;
    if (r->steps != r->clock.steps)
        skip_time(r);
    return elapsed + r->skipped;
}

/* Counts the sealed messages that come in whole, be it in one packet, whose payload only a capture
 * has (`captured`, or NULL). To unseal them would take the keys, and the time that they are of. */
static void count_sealed(struct replay *r, const struct packet *packet,
                         const struct ip_packet *captured)
{
    struct reassembled made;
    int64_t now = matcher_time(r);
    if (!captured || !reassembly_whole(r->setup.reassembly, 0, captured, now, &made))
        reassembly_feed(r->setup.reassembly, 0, packet, now, &made);
    r->sealed += made.length > 0;
}

/* What came of a packet that doors have seen. */
static void pass_match(struct replay *r, const struct match_result *matched)
{
    note_stages(r, matched);
    r->scanned += matched->scanned_count;
    if (matched->opened_count + matched->scanned_count > 0)
        stalled_forget(r, &r->packet->src);
    for (unsigned i = 0; i < matched->opened_count; i++)
        complete_knock(r, matched->opened[i]);
}

/* Returns what the matcher takes the packet for. */
static enum match_verdict match_packet(struct replay *r, const struct packet *packet)
{
    struct match_result matched =
        matcher_feed(r->setup.matcher, 0, packet, matcher_time(r), UINT_MAX);
    r->packet = packet;
    if (matched.verdict == MATCH_SEEN)
        pass_match(r, &matched);
    return matched.verdict;
}

static void match_logged(void *arg, enum log_format format, const char *line, size_t len,
                         const struct packet *packet)
{
    struct replay *r = arg;
    log_clock_pass(&r->clock, format, line, len);
    if (match_packet(r, packet) == MATCH_SEALED)
        count_sealed(r, packet, NULL);
}

/* Whether a source that captures would have got the packet. One of this host is counted by the
 * matcher. */
static bool would_hear(const struct replay *r, const struct captured *captured)
{
    unsigned filter = captured->ip.packet.src.family == 6;
    return captured->direction == LINK_OUTGOING || captured->direction == LINK_GROUP ||
           (captured->direction == LINK_HERE &&
            capture_filter_takes(r->filters[filter], captured->bytes, captured->len));
}

static void match_captured(void *arg, const struct timestamp *timestamp,
                           const struct captured *captured)
{
    struct replay *r = arg;
    log_clock_follow(&r->clock, timestamp);
    if (!would_hear(r, captured))
        r->filtered++;
    else if (match_packet(r, &captured->ip.packet) == MATCH_SEALED)
        count_sealed(r, &captured->ip.packet, &captured->ip);
}

static void pass_time(void *arg, enum log_format format, const char *line, size_t len)
{
    struct replay *r = arg;
    log_clock_pass_other(&r->clock, format, line, len);
}

static const uint64_t *verdicts_of(const struct replay *r)
{
    return r->input.kind == INPUT_CAPTURE ? r->capture.verdicts : r->reader.verdicts;
}

/* Other programs read these names: add to them, but leave those that are there. */
static void print_counters(struct replay *r)
{
    const struct matcher_counters *matched = matcher_counters(r->setup.matcher);
    const uint64_t *verdicts = verdicts_of(r);
    uint64_t too_long = r->reader.lines->too_long, lines = too_long;
    for (int i = 0; i < LINE_VERDICTS; i++)
        lines += verdicts[i];
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"lines", lines},
        {"packets", verdicts[LINE_PACKET]},
        /* lines of no packet: these and `packets` make up `lines` */
        {"ignored_foreign", verdicts[LINE_FOREIGN]},
        {"ignored_prefix", verdicts[LINE_PREFIX]},
        {"ignored_damaged", verdicts[LINE_DAMAGED]},
        {"ignored_partial", verdicts[LINE_PARTIAL]},
        {"ignored_too_long", too_long},
        /* packets that a source which captures doesn't get */
        {"ignored_filter", r->filtered},
        /* packets that the matcher left out */
        {"ignored_outgoing", matched->packets[MATCH_OUTGOING]},
        {"ignored_group", matched->packets[MATCH_GROUP]},
        {"ignored_martian", matched->packets[MATCH_MARTIAN]},
        {"ignored_protocol", matched->packets[MATCH_PROTOCOL]},
        {"ignored_flags", matched->packets[MATCH_FLAGS]},
        {"ignored_repeat", matched->packets[MATCH_REPEAT]},
        {"ignored_idle", matched->packets[MATCH_IDLE]},
        {"ignored_sealed", matched->packets[MATCH_SEALED]},
        /* addresses forgotten in the middle of an attempt, since there were max_sources of them */
        {"evicted", matched->evicted},
        /* sequences that were completed, by what came of them */
        {"refused_allow", r->refused},
        {"refused_scan", r->scanned},
        {"opened", r->opened},
        {"extended", r->extended},
        /* sealed knocks, good or not, as far as their fragments make a message */
        {"sealed_messages", r->sealed},
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
        check_write(r, fprintf(r->out, "%s %" PRIu64 "\n", counters[i].name, counters[i].value));
}

/* A hint where more lines about packets had an unknown header than a known one. */
static void hint_headers(const struct replay *r)
{
    const struct foreign *foreign = &r->reader.foreign;
    char example[4 * MESSAGE_TEXT_MAX + 1];
    if (foreign->count == 0 || foreign->count <= r->reader.verdicts[LINE_PACKET])
        return;
    log_encode(foreign->example, strlen(foreign->example), example, sizeof(example));
    fprintf(stderr,
            "knockd: %" PRIu64 " lines look like the firewall's, but for their header, so they "
            "don't count; %s; the first: \"%s\"\n",
            foreign->count, header_advice(foreign->hint), example);
}

/* The prefixes of lines that have none of the configuration's. */
static void hint_prefixes(const struct replay *r)
{
    const struct stats *stats = &r->reader.prefixes_seen;
    char prefix[4 * PREFIX_MAX + 1];
    if (r->reader.verdicts[LINE_PREFIX] == 0)
        return;
    fprintf(stderr, "knockd: %" PRIu64 " lines have none of the prefixes of the configuration",
            r->reader.verdicts[LINE_PREFIX]);
    for (int i = 0; i < STATS_PREFIXES && stats->seen[i].count > 0; i++) {
        log_encode(stats->seen[i].text, strlen(stats->seen[i].text), prefix, sizeof(prefix));
        fprintf(stderr, "%s\"%s\" (%" PRIu64 ")", i == 0 ? "; seen: " : ", ", prefix,
                stats->seen[i].count);
    }
    fputc('\n', stderr);
}

/* Hints go to stderr: standard output is for programs. */
static void print_hints(const struct replay *r)
{
    hint_headers(r);
    hint_prefixes(r);
    hint_stalled(r);
}

/* --- packets --- */

static void list_packet(struct replay *r, const struct packet *packet)
{
    char text[PACKET_TEXT_SIZE];
    size_t size = strlen(packet_format(packet, text));
    text[size++] = '\n';
    if (fwrite(text, 1, size, r->out) != size)
        check_write(r, -1);
}

static void list_logged(void *arg, enum log_format format, const char *line, size_t len,
                        const struct packet *packet)
{
    (void)format, (void)line, (void)len;
    list_packet(arg, packet);
}

static void list_captured(void *arg, const struct timestamp *timestamp,
                          const struct captured *captured)
{
    (void)timestamp;
    list_packet(arg, &captured->ip.packet);
}

/* --- the log or capture --- */

static int print_error(const char *what, const char *why)
{
    fprintf(stderr, "knockd: can't %s: %s\n", what, why);
    return 1;
}

enum { PATIENCE_MS = 1000 };

/* Of a log that grows, in a pipe, each door is to be seen when it opens. When nothing more comes,
 * the log has reached the present, which settles its years. */
static bool on_pause(void *arg, bool live)
{
    struct replay *r = arg;
    if (live && r->held_count > 0 && replay_input_is_quiet(&r->input, PATIENCE_MS))
        release_knocks(r);
    if (live)
        check_write(r, fflush(r->out));
    return !failed(r);
}

static int print_unreadable(const struct replay *r, const char *log, const char *why)
{
    char what[512];
    snprintf(what, sizeof(what), "read %s", r->input.standard ? "standard input" : log);
    return print_error(what, why);
}

static int print_compressed(const struct replay *r, const char *log)
{
    char why[512];
    snprintf(why, sizeof(why), "it is compressed; try: %s %s | knockd -r -", r->input.program,
             r->input.standard ? "FILE" : log);
    return print_unreadable(r, log, why);
}

/* Compiles what a source that captures would have. False: *why says what is wrong. */
static bool make_filters(struct replay *r, char *why, size_t size)
{
    struct capture_ports *ports = malloc(sizeof(*ports));
    snprintf(why, size, "out of memory");
    if (!ports)
        return false;
    capture_ports_init(ports, r->config, CAPTURE_ANY);
    r->filters[0] = capture_filter_new(ports, 4, why, size);
    r->filters[1] = r->filters[0] ? capture_filter_new(ports, 6, why, size) : NULL;
    free(ports);
    return r->filters[1];
}

/* Of a capture that is damaged, what comes before that counts. */
static int read_capture(struct replay *r, const char *log)
{
    char why[CAPTURE_ERROR_SIZE];
    if (!capture_is_built())
        return print_unreadable(r, log,
                                "it is a capture, and their reading was left out of this knockd, "
                                "which was built without libpcap; install libpcap-dev, and build "
                                "it again");
    if (r->doors && !make_filters(r, why, sizeof(why)))
        return print_unreadable(r, log, why);
    bool whole = capture_reader_run(&r->capture, &r->input, why);
    r->heard = whole || r->capture.began;
    return whole ? 0 : print_unreadable(r, log, why);
}

static int read_log(struct replay *r, const char *log)
{
    switch (r->input.kind) {
    case INPUT_COMPRESSED:
        return print_compressed(r, log);
    case INPUT_OTHER:
        return print_unreadable(r, log,
                                "it is no capture of the kinds pcap and pcapng; "
                                "editcap(1) makes them of others");
    case INPUT_CAPTURE:
        return read_capture(r, log);
    case INPUT_LOG:
        break;
    }
    int error = log_reader_run(&r->reader, &r->input);
    r->heard = error == 0;
    return error ? print_unreadable(r, log, strerror(error)) : 0;
}

/* --- before and after --- */

static void report_error_only(void *arg, bool error, const char *text)
{
    (void)arg;
    /* Warnings of the configuration are for -t and for the start. */
    if (error)
        fprintf(stderr, "knockd: %s\n", text);
}

static void configure_matcher(void *arg, const struct message *message)
{
    struct replay *r = arg;
    if (!r->no_memory && listener_config_receive(&r->setup, message) == LISTENER_CONFIG_BAD)
        r->no_memory = true;
}

/*
 * All packets are those of one source, that which the matcher knows as number 0. Captures don't
 * tell by which interface a packet came, so that doors can't ask for one; nor for a source.
 */
static void be_one_source(struct replay *r)
{
    bool captured = r->input.kind == INPUT_CAPTURE;
    r->config->sources[0].type = captured ? SOURCE_PCAP : SOURCE_FILE;
    for (unsigned i = 0; i < r->config->door_count; i++) {
        r->config->doors[i].unheard = 0;
        if (captured)
            r->config->doors[i].interface[0] = '\0';
    }
}

static bool prepare(struct replay *r, const struct options *options)
{
    struct log_calls calls = {.packet = options->packets ? list_logged : match_logged,
                              .other = options->packets ? NULL : pass_time,
                              .pause = on_pause,
                              .arg = r};
    r->no_memory = !log_reader_init(&r->reader, r->config, calls);
    r->capture.calls = (struct capture_calls){
        .packet = options->packets ? list_captured : match_captured, .pause = on_pause, .arg = r};
    if (!options->packets) {
        r->doors = log_doors_new();
        r->no_memory |= !r->doors;
        be_one_source(r);
        config_send(r->config, NULL, false, configure_matcher, r);
    }
    return !r->no_memory;
}

/* Status 1: the output isn't complete. A reader that closed the pipe needs no message. */
static int finish(struct replay *r, int status)
{
    check_write(r, fflush(r->out));
    if (r->write_error && r->write_error != EPIPE)
        print_error("write the output", strerror(r->write_error));
    if (r->no_memory)
        fputs("knockd: out of memory\n", stderr);
    return failed(r) ? 1 : status;
}

static void free_all(struct replay *r)
{
    free(r->held);
    log_doors_free(r->doors);
    log_reader_free(&r->reader);
    capture_filter_free(r->filters[0]);
    capture_filter_free(r->filters[1]);
    replay_input_close(&r->input);
    listener_config_free(&r->setup);
    config_free(r->config);
}

int replay_log(const struct options *options, const struct replay_here *here, FILE *out)
{
    struct replay r = {.out = out, .input = {.fd = -1, .interrupt = -1}};
    struct report report = {.say = report_error_only};
    if (!options->packets || options->config_given) {
        r.config = config_load(options->config, &report);
        if (!r.config)
            return 1;
    }
    timestamps_init(&r.clock.timestamps, here->today);
    r.clock.timestamps.months = here->months;
    int error = replay_input_open(&r.input, options->log);
    int status = !prepare(&r, options) ? 1
                 : error               ? print_unreadable(&r, options->log, strerror(error))
                                       : read_log(&r, options->log);
    if (!options->packets && !r.no_memory)
        release_knocks(&r);
    if (r.heard && !options->packets && !failed(&r))
        print_counters(&r);
    check_write(&r, fflush(r.out));
    if (r.heard && !options->packets && !failed(&r))
        print_hints(&r);
    status = finish(&r, status);
    free_all(&r);
    return status;
}

/* `dmesg -T` in a pipe writes the months as this user's language has them. */
static void name_months(locale_t locale, const char *names[TIMESTAMP_MONTHS])
{
    static const nl_item items[TIMESTAMP_MONTHS] = {ABMON_1, ABMON_2,  ABMON_3,  ABMON_4,
                                                    ABMON_5, ABMON_6,  ABMON_7,  ABMON_8,
                                                    ABMON_9, ABMON_10, ABMON_11, ABMON_12};
    for (int i = 0; i < TIMESTAMP_MONTHS; i++)
        names[i] = nl_langinfo_l(items[i], locale);
}

int replay_run(const struct options *options)
{
    const char *names[TIMESTAMP_MONTHS];
    time_t now = time(NULL);
    struct tm local;
    int64_t east = localtime_r(&now, &local) ? local.tm_gmtoff : 0;
    struct replay_here here = {.today = (now + east) * INT64_C(1000000000)};
    locale_t locale = newlocale(LC_TIME_MASK, "", (locale_t)0);
    if (locale) {
        name_months(locale, names);
        here.months = names;
    }
    int status = replay_log(options, &here, stdout);
    if (locale)
        freelocale(locale);
    return status;
}
