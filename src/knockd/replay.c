#include "knockd/replay.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "knockd/brief.h"
#include "knockd/events.h"
#include "knockd/log_doors.h"
#include "knockd/log_reader.h"
#include "lib/log.h"
#include "listener/log_clock.h"
#include "listener/setup.h"

struct replay {
    struct config *config; /* NULL: none is read */
    struct setup setup;    /* as the listener has it, with its matcher */
    struct log_reader reader;
    struct log_clock clock;
    struct log_doors *doors;
    const struct packet *packet; /* of the line that is being read */
    FILE *out;
    int write_error; /* errno of the first write that failed; 0: none */
    bool no_memory;
    uint64_t refused, opened, extended, sealed;
};

static bool failed(const struct replay *r)
{
    return r->write_error != 0 || r->no_memory;
}

/* Keeps what the first write that failed said: later ones may say something else, or nothing. */
static void wrote(struct replay *r, int result)
{
    if (result < 0 && r->write_error == 0)
        r->write_error = errno ? errno : EIO;
}

/* --- doors --- */

static void print_knock(struct replay *r, enum log_knock knock, const char *door)
{
    char stamp[STAMP_TEXT_SIZE], address[ADDR_TEXT_SIZE];
    wrote(r, fprintf(r->out, "%s %s %s %s\n", stamp_format(log_clock_now(&r->clock), stamp),
                     knock == LOG_KNOCK_EXTEND ? "extend" : "open", door,
                     addr_format(&r->packet->src, address)));
}

static void take_knock(struct replay *r, unsigned number)
{
    const struct config_door *door = &r->config->doors[number];
    int64_t now = log_clock_now(&r->clock)->time;
    if (!config_allows(door, &r->packet->src)) {
        r->refused++;
        return;
    }
    enum log_knock knock =
        log_doors_knock(r->doors, number, &r->packet->src, now, now + door->cmd_timeout);
    if (knock == LOG_KNOCK_NO_MEMORY) {
        r->no_memory = true;
        return;
    }
    *(knock == LOG_KNOCK_EXTEND ? &r->extended : &r->opened) += 1;
    print_knock(r, knock, door->name);
}

/* The messages that come in whole are counted; to judge them takes keys, and the time they are of.
 */
static void count_sealed(struct replay *r, const struct packet *packet)
{
    struct assembled made;
    assembler_feed(r->setup.assembler, 0, packet, log_clock_now(&r->clock)->time, &made);
    r->sealed += made.length > 0;
}

static void match_packet(void *arg, enum log_format format, const char *line, size_t len,
                         const struct packet *packet)
{
    struct replay *r = arg;
    log_clock_pass(&r->clock, format, line, len);
    if (matcher_leaves(r->setup.matcher, 0, packet))
        return;
    r->packet = packet;
    int64_t now = log_clock_now(&r->clock)->time;
    struct match_result matched = matcher_feed(r->setup.matcher, 0, packet, now);
    for (unsigned i = 0; i < matched.opened_count; i++)
        take_knock(r, matched.opened[i]);
    if (matched.verdict == MATCH_SEALED)
        count_sealed(r, packet);
}

/* Other programs read these names: add to them, but leave what is there. */
static void print_counters(struct replay *r)
{
    const struct matcher_counters *matched = matcher_counters(r->setup.matcher);
    const uint64_t *judged = r->reader.judged;
    uint64_t too_long = r->reader.lines->too_long, lines = too_long;
    for (int i = 0; i < LINE_VERDICTS; i++)
        lines += judged[i];
    const struct {
        const char *name;
        uint64_t value;
    } counters[] = {
        {"lines", lines},
        {"packets", judged[LINE_PACKET]},
        /* lines of no packet: these and `packets` make up `lines` */
        {"ignored_foreign", judged[LINE_FOREIGN]},
        {"ignored_prefix", judged[LINE_PREFIX]},
        {"ignored_damaged", judged[LINE_DAMAGED]},
        {"ignored_partial", judged[LINE_PARTIAL]},
        {"ignored_too_long", too_long},
        /* packets that the matcher left out */
        {"ignored_outgoing", matched->packets[MATCH_OUTGOING]},
        {"ignored_group", matched->packets[MATCH_GROUP]},
        {"ignored_protocol", matched->packets[MATCH_PROTOCOL]},
        {"ignored_flags", matched->packets[MATCH_FLAGS]},
        {"ignored_repeat", matched->packets[MATCH_REPEAT]},
        {"ignored_idle", matched->packets[MATCH_IDLE]},
        {"ignored_sealed", matched->packets[MATCH_SEALED]},
        /* addresses forgotten in the middle of an attempt, since there were max_sources of them */
        {"evicted", matched->evicted},
        /* sequences that were completed, by what came of them */
        {"refused_allow", r->refused},
        {"opened", r->opened},
        {"extended", r->extended},
        /* sealed knocks, good or not, as far as their pieces make a message */
        {"sealed_messages", r->sealed},
    };
    for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++)
        wrote(r, fprintf(r->out, "%s %" PRIu64 "\n", counters[i].name, counters[i].value));
}

/* Where most lines about packets were lost on us, who reads the counters wonders why. */
static void complain_of_headers(const struct replay *r)
{
    const struct foreign *foreign = &r->reader.foreign;
    char example[4 * RECORD_TEXT_MAX + 1];
    if (foreign->count == 0 || foreign->count <= r->reader.judged[LINE_PACKET])
        return;
    log_encode(foreign->example, strlen(foreign->example), example, sizeof(example));
    fprintf(stderr,
            "knockd: %" PRIu64 " lines look like the firewall's, but for their header, so they "
            "don't count; %s; the first: \"%s\"\n",
            foreign->count, header_advice(foreign->hint), example);
}

/* --- packets --- */

static void list_packet(void *arg, enum log_format format, const char *line, size_t len,
                        const struct packet *packet)
{
    struct replay *r = arg;
    char text[PACKET_TEXT_SIZE];
    (void)format, (void)line, (void)len;
    size_t size = strlen(packet_format(packet, text));
    text[size++] = '\n';
    if (fwrite(text, 1, size, r->out) != size)
        wrote(r, -1);
}

/* --- the log --- */

static int complain(const char *what, int error)
{
    fprintf(stderr, "knockd: can't %s: %s\n", what, strerror(error));
    return 1;
}

/* Who pipes a log that grows wants to see each door when it opens. */
static bool on_pause(void *arg, bool live)
{
    struct replay *r = arg;
    if (live)
        wrote(r, fflush(r->out));
    return !failed(r);
}

static void on_last_line(void *arg, enum log_format format, const char *line, size_t len)
{
    struct replay *r = arg;
    stamps_end(&r->clock.stamps, format, line, len);
}

static int read_log(struct replay *r, const char *log)
{
    char what[512];
    bool standard = strcmp(log, "-") == 0;
    int fd = standard ? STDIN_FILENO : open(log, O_RDONLY | O_CLOEXEC);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        log_reader_peek(&r->reader, fd, on_last_line, r);
        error = log_reader_run(&r->reader, fd);
    }
    if (fd >= 0 && !standard)
        close(fd);
    snprintf(what, sizeof(what), "read %s", standard ? "standard input" : log);
    return error ? complain(what, error) : 0;
}

/* --- before and after --- */

static void say_error(void *arg, bool error, const char *text)
{
    (void)arg;
    /* Doubts about the configuration are for -t and for the start. */
    if (error)
        fprintf(stderr, "knockd: %s\n", text);
}

static void take_record(void *arg, const struct record *record)
{
    struct replay *r = arg;
    if (!r->no_memory && setup_take(&r->setup, record) == SETUP_BAD)
        r->no_memory = true;
}

static bool prepare(struct replay *r, const struct options *options)
{
    struct log_calls calls = {options->packets ? list_packet : match_packet, on_pause, r};
    r->no_memory = !log_reader_init(&r->reader, r->config, calls);
    if (!options->packets) {
        r->doors = log_doors_new();
        r->no_memory |= !r->doors;
        brief_send(r->config, NULL, false, take_record, r);
    }
    return !r->no_memory;
}

/* Status 1: the output isn't all of it. Who closed the pipe knows, and is told nothing. */
static int finish(struct replay *r, int status)
{
    wrote(r, fflush(r->out));
    if (r->write_error && r->write_error != EPIPE)
        complain("write the output", r->write_error);
    if (r->no_memory)
        fputs("knockd: out of memory\n", stderr);
    return failed(r) ? 1 : status;
}

static void free_all(struct replay *r)
{
    log_doors_free(r->doors);
    log_reader_free(&r->reader);
    setup_free(&r->setup);
    config_free(r->config);
}

int replay_log(const struct options *options, int64_t today, FILE *out)
{
    struct replay r = {.out = out};
    struct report report = {.say = say_error};
    if (!options->packets || options->config_given) {
        r.config = config_load(options->config, &report);
        if (!r.config)
            return 1;
    }
    stamps_init(&r.clock.stamps, today);
    int status = prepare(&r, options) ? read_log(&r, options->log) : 1;
    if (status == 0 && !options->packets && !failed(&r))
        print_counters(&r);
    if (status == 0 && !options->packets && !failed(&r))
        complain_of_headers(&r);
    status = finish(&r, status);
    free_all(&r);
    return status;
}

int replay_run(const struct options *options)
{
    time_t now = time(NULL);
    struct tm local;
    int64_t east = localtime_r(&now, &local) ? local.tm_gmtoff : 0;
    return replay_log(options, (now + east) * INT64_C(1000000000), stdout);
}
