/*
 * The life of a file source: absent <-> open (watched: the file for what is written, the way to it
 * for what replaces it) -> replaced: the new file is open, the old one is still watched, since its
 * writer may go on for a while -> replaced again and again: the oldest watch is removed.
 *
 * The inotify instance is shared with the listener, which reads it; in its chroot it could not
 * add a watch. Where a watch can't be had or doesn't tell all, the listener looks at the file and
 * the keeper at its path by a timer.
 */
#include "keeper/log_sources.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "keeper/interfaces.h"
#include "keeper/log_command.h"
#include "keeper/packet_sockets.h"
#include "keeper/watched_file.h"
#include "lib/capture.h"
#include "lib/clock.h"
#include "lib/limit.h"
#include "lib/log.h"
#include "lib/nflog.h"
#include "lib/service.h"

/* How often a path is looked at where no watch can tell of it. */
static const int64_t look_again = 1 * CLOCK_SECOND;

/* How often a second the listener may have paths looked at at once; more wait, and share one look.
 */
enum { CHANGE_RATE = 100 };
static const int64_t change_pause = CLOCK_SECOND / 20;

struct log {
    struct log_sources *sources;
    const struct config_source *source;
    struct log_command *command; /* journal, command */
    struct watched_file file;    /* kmsg and stdin: its descriptor alone */
    int packets[PACKET_SOCKETS]; /* pcap */
    int packet_count;            /* of them */
    int writer;                  /* stdin, a FIFO: our own end to write to, so that it never ends */
    bool unreadable;             /* for a reason of which no watch tells when it is over */
    bool logged_unreadable;
    bool logged_polled;
    bool ended; /* stdin: that it came to an end was logged */
};

struct log_sources {
    struct loop *loop;
    struct timer look;
    struct timer changed; /* paths are to be looked at, since the listener said so */
    struct limit changes; /* of which the listener may tell */
    struct handover handover;
    const struct nflog_groups *groups; /* their sockets outlive us */
    int inotify;                       /* -1: none could be had */
    struct interfaces *interfaces;     /* of sources of packets; NULL: there is none of these */
    unsigned count;
    struct log logs[CONFIG_SOURCES_MAX];
};

static int open_kmsg(struct log *log)
{
    log->file.fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    /* What was logged before knockd came never opens a door. */
    return log->file.fd < 0 || lseek(log->file.fd, 0, SEEK_END) < 0 ? -1 : 0;
}

static bool is_used(const struct log_sources *sources, int watch)
{
    for (unsigned i = 0; i < sources->count; i++)
        if (watched_file_uses(&sources->logs[i].file, watch))
            return true;
    return false;
}

static void release(const struct log_sources *sources, const int *watches, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (watches[i] >= 0 && !is_used(sources, watches[i]))
            inotify_rm_watch(sources->inotify, watches[i]);
}

/* Looks at the path again, and removes the watches that are no longer needed. */
static int look_at(struct log *log)
{
    const struct log_sources *sources = log->sources;
    struct watched_file before = log->file;
    int rc = watched_file_look(&log->file, sources->inotify, log->source->path), error = errno;
    release(sources, before.path.watches, before.path.count);
    release(sources, before.old, LOG_FILES - 1);
    log->unreadable = rc < 0 && error != ENOENT && error != ENOTDIR;
    errno = error;
    return rc;
}

static void hand_over(const struct log *log, int fd, int64_t offset)
{
    const struct log_sources *sources = log->sources;
    struct message message = {
        .type = MESSAGE_FD,
        .u.fd = {.kind = source_is_of_packets(log->source->type) ? FD_PACKETS : FD_LOG,
                 .source = (uint32_t)(log - sources->logs),
                 .watch = log->file.watch,
                 .polled = log->file.polled,
                 .offset = offset},
    };
    sources->handover.send(sources->handover.arg, &message, fd);
}

/* Absence is no error: the log may come to be. */
static void open_first_file(struct log *log, struct report *report)
{
    const struct config_source *source = log->source;
    if (look_at(log) >= 0)
        return;
    if (errno == ENOENT)
        report_warning(report, source->pos, "source \"%s\": %s isn't there yet; waiting for it%s",
                       source->name, source->path, service_note(source->path));
    else
        report_error(report, source->pos, "source \"%s\": can't read %s: %s%s", source->name,
                     source->path, watched_file_reason(errno), service_note(source->path));
}

static void on_command_started(void *arg, int fd)
{
    hand_over(arg, fd, 0);
}

/* What a configuration is opened from. */
struct opening {
    const struct config *config;
    const struct one_time *once;
    struct report *report;
};

/* What a capture takes: the knocks at doors that hear the source, of which `number` is the number.
 */
static void fill_ports(const struct opening *from, unsigned number, struct capture_ports *ports)
{
    capture_ports_init(ports, from->config, UINT64_C(1) << number);
    for (unsigned i = 0; from->once && i < from->once->count; i++) {
        const struct one_time_line *line = &from->once->lines[i];
        const struct config_door *door = &from->config->doors[line->door];
        if (config_hears(door, number))
            capture_ports_add(ports, &line->sequence, door->flags);
    }
}

static void open_packets(struct log *log, const struct opening *from)
{
    const struct config_source *source = log->source;
    const char *why;
    struct capture_ports ports;
    fill_ports(from, (unsigned)(source - from->config->sources), &ports);
    int count = packet_sockets_open(&ports, source, log->packets, &why, from->report);
    if (count < 0)
        report_error(from->report, source->pos, "source \"%s\": can't hear packets: %s",
                     source->name, why);
    else
        log->packet_count = count;
}

/* Opens what one source reads for the first time. */
static void open_first(struct log_sources *sources, struct log *log, const struct opening *from)
{
    const struct config_source *source = log->source;
    struct report *report = from->report;
    switch (source->type) {
    case SOURCE_KMSG:
        if (open_kmsg(log) < 0)
            report_error(report, source->pos, "source \"%s\": can't read /dev/kmsg: %s",
                         source->name, strerror(errno));
        return;
    case SOURCE_FILE:
        open_first_file(log, report);
        return;
    case SOURCE_JOURNAL:
    case SOURCE_COMMAND:
        log->command =
            log_command_new(sources->loop, source, from->config->user, on_command_started, log);
        if (!log->command)
            report_error(report, source->pos, "source \"%s\": can't start its program: %s",
                         source->name, strerror(errno));
        return;
    case SOURCE_STDIN:
        log->file.fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
        if (log->file.fd < 0)
            report_error(report, source->pos, "source \"%s\": can't read standard input: %s",
                         source->name, strerror(errno));
        return;
    case SOURCE_NFLOG:
        /* Its group is bound already. */
        return;
    case SOURCE_PCAP:
        open_packets(log, from);
        return;
    case SOURCE_UNKNOWN:
        return;
    }
}

/* Whether a change of what the path means may go unnoticed. */
static bool is_blind(const struct log *log)
{
    return log->source->type == SOURCE_FILE && (log->unreadable || !log->file.path.whole);
}

static void look_later(struct log_sources *sources, const struct log *log)
{
    if (is_blind(log) && !timer_is_set(&sources->look))
        loop_timer_set(sources->loop, &sources->look, clock_now() + look_again);
}

static void log_polled(struct log *log)
{
    if (log->logged_polled || (!log->file.polled && log->file.path.whole))
        return;
    log_notice("source %s: %s can't be watched; looking once a second", log->source->name,
               log->source->path);
    log->logged_polled = true;
}

/* It was made while knockd ran, so all of it is new. */
static void hand_over_new_file(struct log *log)
{
    log_notice("source %s: reading the new %s", log->source->name, log->source->path);
    log_polled(log);
    hand_over(log, log->file.fd, 0);
}

static void reopen(struct log *log)
{
    int rc = look_at(log), error = errno;
    look_later(log->sources, log);
    if (rc < 0 && log->unreadable && !log->logged_unreadable)
        log_warning("source %s: can't read %s: %s; trying on", log->source->name, log->source->path,
                    watched_file_reason(error));
    log->logged_unreadable = rc < 0 && (log->logged_unreadable || log->unreadable);
    if (rc == 1)
        hand_over_new_file(log);
}

void log_sources_reopen(struct log_sources *sources, int watch)
{
    for (unsigned i = 0; i < sources->count; i++) {
        struct log *log = &sources->logs[i];
        if (log->source->type == SOURCE_FILE &&
            (watch < 0 || path_watch_has(&log->file.path, watch)))
            reopen(log);
    }
}

static void on_changed(void *arg)
{
    log_sources_reopen(arg, -1);
}

/* A look at paths costs system calls, so many looks are made one. */
void log_sources_changed(struct log_sources *sources, int watch)
{
    int64_t now = clock_now();
    if (limit_take(&sources->changes, now))
        log_sources_reopen(sources, watch);
    else if (!timer_is_set(&sources->changed))
        loop_timer_set(sources->loop, &sources->changed, now + change_pause);
}

/* With an end to write to in our hands, it waits for the next writer for ever. Only a FIFO that has
 * a name can get one. */
static bool wait_for_writer(struct log *log)
{
    struct stat st;
    struct statfs fs;
    if (fstat(log->file.fd, &st) < 0 || !S_ISFIFO(st.st_mode) || fstatfs(log->file.fd, &fs) < 0 ||
        fs.f_type == PIPEFS_MAGIC)
        return false;
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", log->file.fd);
    log->writer = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return log->writer >= 0;
}

void log_sources_closed(struct log_sources *sources, unsigned index)
{
    if (index >= sources->count || sources->logs[index].source->type != SOURCE_STDIN)
        return;
    struct log *log = &sources->logs[index];
    if (log->ended)
        return;
    log->ended = true;
    if (!wait_for_writer(log)) {
        log_error("source %s: nothing more will be read from it", log->source->name);
        return;
    }
    log_notice("source %s: going on when the FIFO gets another writer, and not saying so each time",
               log->source->name);
    hand_over(log, log->file.fd, 0);
}

static void on_look(void *arg)
{
    struct log_sources *sources = arg;
    for (unsigned i = 0; i < sources->count; i++)
        if (is_blind(&sources->logs[i]))
            reopen(&sources->logs[i]);
}

/* What was logged until now is the business of the listener before, if there is one: read by both,
 * a knock would run its door's commands twice. */
static int64_t begin_here(const struct log *log)
{
    off_t end = lseek(log->file.fd, 0, SEEK_END);
    if (log->source->type != SOURCE_FILE)
        return 0;
    return end >= 0 ? end : log->file.size;
}

/* Packets that may wait in a socket, at the very most. */
enum { WAITING_MAX = 1 << 16 };

/*
 * What came while nobody read, as after a listener's death, never opens a door: a packet has no
 * time of its own. It is dropped without a look at it.
 */
static void start_group(const struct log *log)
{
    int fd = nflog_groups_find(log->sources->groups, log->source->group);
    for (int i = 0; i < WAITING_MAX; i++)
        if (recv(fd, NULL, 0, MSG_DONTWAIT | MSG_TRUNC) < 0 && errno != EINTR && errno != ENOBUFS)
            break;
    hand_over(log, fd, 0);
}

/* Not before: what came in until now is the business of the listener before. */
static void start_packets(struct log *log)
{
    if (packet_sockets_begin(log->packets) < 0)
        log_error("source %s: can't hear packets: %s", log->source->name, strerror(errno));
    for (int i = 0; i < log->packet_count; i++)
        hand_over(log, log->packets[i], 0);
}

static void start(struct log *log)
{
    if (log->command)
        log_command_start(log->command);
    if (log->source->type == SOURCE_FILE)
        log_polled(log);
    if (log->packet_count > 0)
        start_packets(log);
    if (log->source->type == SOURCE_NFLOG)
        start_group(log);
    if (log->file.fd >= 0)
        hand_over(log, log->file.fd, log->source->type == SOURCE_STDIN ? 0 : begin_here(log));
}

static void send_interface(void *arg, const struct message *message)
{
    struct log_sources *sources = arg;
    sources->handover.send(sources->handover.arg, message, -1);
}

void log_sources_start(struct log_sources *sources, struct handover handover)
{
    struct message message = {.type = MESSAGE_FD, .u.fd.kind = FD_INOTIFY};
    sources->handover = handover;
    if (sources->inotify >= 0)
        handover.send(handover.arg, &message, sources->inotify);
    /* Before the first packet, which names one. */
    if (sources->interfaces)
        interfaces_start(sources->interfaces, send_interface, sources);
    for (unsigned i = 0; i < sources->count; i++)
        start(&sources->logs[i]);
    /* What came to be before the listener could tell. */
    log_sources_reopen(sources, -1);
}

/* What to do about a kernel's log that can't be read; of an ordinary user nothing is known. */
static const char *kmsg_advice(int error)
{
    if (error == ENOENT)
        return "in a container there is none: have its firewall hand the packets to knockd (type = "
               "nflog), or run knockd on the host";
    return "it takes the capability CAP_SYSLOG, which containers lack: have the firewall hand the "
           "packets to knockd (type = nflog), or run knockd on the host";
}

static bool hears_packets(const struct config *config)
{
    for (unsigned i = 0; i < config->source_count; i++)
        if (source_is_of_packets(config->sources[i].type))
            return true;
    return false;
}

/* Opening it succeeds or fails now as it would at a start. */
static void check_kmsg(const struct config_source *source, struct report *report)
{
    int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC), error = errno;
    if (fd >= 0)
        close(fd);
    else if (error == ENOENT || geteuid() == 0)
        report_error(report, source->pos, "source \"%s\": can't read /dev/kmsg: %s; %s",
                     source->name, strerror(error), kmsg_advice(error));
}

/* A source that this build leaves out, for want of a library. */
static void check_built(const struct config_source *source, struct report *report)
{
    const char *absent = NULL, *packages = NULL;
    if (source->type == SOURCE_NFLOG && !nflog_is_built())
        absent = "libnetfilter_log and libmnl", packages = "libnetfilter-log-dev and libmnl-dev";
    if (source->type == SOURCE_PCAP && !capture_is_built())
        absent = "libpcap", packages = "libpcap-dev";
    if (absent)
        report_error(
            report, source->pos,
            "source \"%s\": type = %s was left out of this knockd, which was built without "
            "%s; install %s, and build it again",
            source->name, source->type == SOURCE_PCAP ? "pcap" : "nflog", absent, packages);
}

/* One-time sequences aren't read here, so that they have no part in it. */
static void check_capture(const struct config *config, const struct config_source *source,
                          struct report *report)
{
    struct capture_ports ports;
    capture_ports_init(&ports, config, UINT64_C(1) << (source - config->sources));
    packet_sockets_check(&ports, source, report);
}

void log_sources_check(const struct config *config, bool only_check, struct report *report)
{
    if (only_check && hears_packets(config))
        interfaces_check(config, report);
    for (unsigned i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        struct stat st;
        check_built(source, report);
        log_command_check(source, report);
        if (source->type == SOURCE_KMSG)
            check_kmsg(source, report);
        if (only_check && source->type == SOURCE_PCAP && capture_is_built())
            check_capture(config, source, report);
        if (source->type != SOURCE_FILE)
            continue;
        if (stat(source->path, &st) == 0 && !S_ISREG(st.st_mode))
            report_error(report, source->pos, "source \"%s\": can't read %s: %s", source->name,
                         source->path, watched_file_reason(EINVAL));
        else if (only_check && access(source->path, R_OK) < 0)
            report_warning(report, source->pos, "source \"%s\": can't read %s now: %s%s",
                           source->name, source->path, strerror(errno), service_note(source->path));
    }
}

static int register_timers(struct loop *loop, struct log_sources *sources)
{
    if (loop_timer_register(loop, &sources->look, on_look, sources) < 0)
        return -1;
    if (loop_timer_register(loop, &sources->changed, on_changed, sources) == 0)
        return 0;
    loop_timer_unregister(loop, &sources->look);
    return -1;
}

/* Interfaces are asked for by packets alone: a line has the name. */
static void open_interfaces(struct log_sources *sources, const struct opening *from)
{
    if (!hears_packets(from->config))
        return;
    sources->interfaces = interfaces_open(sources->loop, from->config, from->report);
    if (!sources->interfaces)
        report_error(from->report, (struct config_pos){from->config->path, 0},
                     "can't follow the network interfaces: %s", strerror(errno));
}

struct log_sources *log_sources_open(struct loop *loop, const struct config *config,
                                     const struct one_time *once, const struct nflog_groups *groups,
                                     struct report *report)
{
    const struct opening from = {config, once, report};
    struct config_pos whole = {config->path, 0};
    struct log_sources *sources = calloc(1, sizeof(*sources));
    if (!sources || register_timers(loop, sources) < 0) {
        report_error(report, whole, "out of memory");
        free(sources);
        return NULL;
    }
    unsigned errors = report->errors;
    sources->loop = loop;
    sources->groups = groups;
    sources->count = config->source_count;
    sources->changes = limit_make(CHANGE_RATE, CHANGE_RATE, clock_now());
    sources->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (sources->inotify < 0)
        report_warning(report, whole, "can't watch files: %s; looking at them once a second",
                       strerror(errno));
    for (unsigned i = 0; i < sources->count; i++) {
        struct log *log = &sources->logs[i];
        *log = (struct log){.sources = sources, .source = &config->sources[i], .writer = -1};
        watched_file_init(&log->file);
    }
    for (unsigned i = 0; i < sources->count; i++)
        open_first(sources, &sources->logs[i], &from);
    open_interfaces(sources, &from);
    if (report->errors == errors)
        return sources;
    log_sources_close(sources);
    return NULL;
}

static void close_fd(int fd)
{
    if (fd >= 0)
        close(fd);
}

void log_sources_close(struct log_sources *sources)
{
    if (!sources)
        return;
    loop_timer_unregister(sources->loop, &sources->look);
    loop_timer_unregister(sources->loop, &sources->changed);
    for (unsigned i = 0; i < sources->count; i++) {
        log_command_free(sources->logs[i].command);
        close_fd(sources->logs[i].file.fd);
        close_fd(sources->logs[i].writer);
        for (int j = 0; j < sources->logs[i].packet_count; j++)
            close_fd(sources->logs[i].packets[j]);
    }
    close_fd(sources->inotify);
    interfaces_close(sources->interfaces);
    free(sources);
}
