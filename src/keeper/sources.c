/*
 * The life of a file source: absent <-> open (watched: the file for what is written, its folder
 * for what replaces it) -> replaced: the new file is open, the old one is still watched, since
 * its writer may go on for a while -> replaced again: the old watch is removed.
 *
 * The inotify instance is shared with the listener, which reads it; in its chroot it could not
 * add a watch. Our own descriptor of the open file keeps its inode number from being given to
 * another, so that device and inode do tell whether the path still means the same file.
 */
#include "keeper/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/producer.h"
#include "lib/clock.h"
#include "lib/log.h"

/* How often an absent log is looked for, where no watch can tell of it. */
static const int64_t look_again = 1 * CLOCK_SECOND;

struct log {
    struct sources *sources;
    const struct config_source *source;
    struct producer *producer; /* journal, command */
    int fd;                    /* -1: absent */
    int file_watch;
    int old_watch;
    int folder_watch;
    int target_watch;
    int64_t offset;
    bool missed; /* that it can't be opened was said */
};

struct sources {
    struct loop *loop;
    struct timer look;
    struct handover handover;
    int inotify;
    unsigned count;
    struct log logs[CONFIG_SOURCES_MAX];
};

static int open_kmsg(struct log *log)
{
    log->fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    /* What was logged before knockd came never opens a door. */
    return log->fd < 0 || lseek(log->fd, 0, SEEK_END) < 0 ? -1 : 0;
}

/* Watches the inode that is open, whatever its name means by now. */
static int watch_file(struct sources *sources, struct log *log, int fd)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    if (log->old_watch >= 0)
        inotify_rm_watch(sources->inotify, log->old_watch);
    log->old_watch = log->file_watch;
    log->file_watch = inotify_add_watch(sources->inotify, path, IN_MODIFY);
    return log->file_watch < 0 ? -1 : 0;
}

static int watch_folder_of(const struct sources *sources, char *path)
{
    char *slash = strrchr(path, '/');
    slash[slash == path] = '\0';
    return inotify_add_watch(sources->inotify, path,
                             IN_CREATE | IN_MOVED_TO | IN_MOVE_SELF | IN_DELETE_SELF | IN_ONLYDIR);
}

/* The path's folder, where a new file or link appears, and that of what a link leads to. */
static void watch_folders(const struct sources *sources, struct log *log)
{
    char *path = strdup(log->source->path), *target = realpath(log->source->path, NULL);
    if (path)
        log->folder_watch = watch_folder_of(sources, path);
    if (target)
        log->target_watch = watch_folder_of(sources, target);
    free(path);
    free(target);
}

static bool same_file(const struct log *log, int fd)
{
    struct stat before, now;
    return log->fd >= 0 && fstat(log->fd, &before) == 0 && fstat(fd, &now) == 0 &&
           before.st_dev == now.st_dev && before.st_ino == now.st_ino;
}

/* Opens the path if it means another file than the one that is open. 1: it does; -1 and errno. */
static int open_file(struct sources *sources, struct log *log)
{
    struct stat st;
    int fd = open(log->source->path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    if (same_file(log, fd)) {
        close(fd);
        return 0;
    }
    int rc = fstat(fd, &st);
    if (rc == 0 && !S_ISREG(st.st_mode)) {
        errno = EINVAL;
        rc = -1;
    }
    if (rc < 0 || watch_file(sources, log, fd) < 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    if (log->fd >= 0)
        close(log->fd);
    log->fd = fd;
    log->offset = st.st_size;
    return 1;
}

static const char *reason(int error)
{
    return error == EINVAL ? "not a regular file" : strerror(error);
}

static void hand_over(const struct log *log, int fd)
{
    const struct sources *sources = log->sources;
    struct record record = {
        .type = RECORD_FD,
        .u.fd = {.kind = FD_LOG,
                 .source = (uint32_t)(log - sources->logs),
                 .file_watch = log->file_watch,
                 .folder_watch = log->folder_watch,
                 .target_watch = log->target_watch,
                 .offset = log->offset},
    };
    sources->handover.send(sources->handover.arg, &record, fd);
}

/* Absence is no error: the log may come to be. */
static void open_first_file(struct sources *sources, struct log *log, struct report *report)
{
    const struct config_source *source = log->source;
    watch_folders(sources, log);
    if (open_file(sources, log) >= 0)
        return;
    log->missed = true;
    if (errno == ENOENT)
        report_warning(report, source->pos, "source \"%s\": %s isn't there yet; waiting for it",
                       source->name, source->path);
    else
        report_error(report, source->pos, "source \"%s\": can't read %s: %s", source->name,
                     source->path, reason(errno));
}

static void on_produced(void *arg, int fd)
{
    hand_over(arg, fd);
}

/* Opens what one source reads for the first time. */
static void open_first(struct sources *sources, struct log *log, const struct config *config,
                       struct report *report)
{
    const struct config_source *source = log->source;
    switch (source->type) {
    case SOURCE_KMSG:
        if (open_kmsg(log) < 0)
            report_error(report, source->pos, "source \"%s\": can't read /dev/kmsg: %s",
                         source->name, strerror(errno));
        return;
    case SOURCE_FILE:
        open_first_file(sources, log, report);
        return;
    case SOURCE_JOURNAL:
    case SOURCE_COMMAND:
        log->producer = producer_new(sources->loop, source, config->user, on_produced, log);
        if (!log->producer)
            report_error(report, source->pos, "source \"%s\": can't start its program: %s",
                         source->name, strerror(errno));
        return;
    case SOURCE_STDIN:
        log->fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0);
        if (log->fd < 0)
            report_error(report, source->pos, "source \"%s\": can't read standard input: %s",
                         source->name, strerror(errno));
        return;
    }
}

static void look_later(struct sources *sources)
{
    if (!timer_is_set(&sources->look))
        loop_timer_set(sources->loop, &sources->look, clock_now() + look_again);
}

void sources_reopen(struct sources *sources, unsigned index)
{
    if (index >= sources->count || sources->logs[index].source->type != SOURCE_FILE)
        return;
    struct log *log = &sources->logs[index];
    /* The same folder keeps its watch, another one at this path gets its own. */
    watch_folders(sources, log);
    int rc = open_file(sources, log);
    if (rc < 0 && (errno != ENOENT || log->folder_watch < 0)) {
        if (!log->missed)
            log_warning("source %s: can't read %s: %s; trying on", log->source->name,
                        log->source->path, reason(errno));
        log->missed = true;
        look_later(sources);
    }
    if (rc < 0)
        return;
    log->missed = false;
    if (rc == 0)
        return;
    /* It came to be while we were there, so all of it is new. */
    log->offset = 0;
    log_notice("source %s: reading the new %s", log->source->name, log->source->path);
    hand_over(log, log->fd);
}

static void on_look(void *arg)
{
    struct sources *sources = arg;
    for (unsigned i = 0; i < sources->count; i++) {
        struct log *log = &sources->logs[i];
        if (log->missed)
            sources_reopen(sources, i);
        if (log->missed)
            look_later(sources);
    }
}

/* What was logged until now is the business of the listener before, if there is one: read by both,
 * a knock would run its door's commands twice. */
static void begin_here(struct log *log)
{
    off_t end = log->fd >= 0 ? lseek(log->fd, 0, SEEK_END) : -1;
    if (log->source->type == SOURCE_FILE && end >= 0)
        log->offset = end;
}

void sources_start(struct sources *sources, struct handover handover)
{
    struct record record = {.type = RECORD_FD, .u.fd.kind = FD_INOTIFY};
    sources->handover = handover;
    handover.send(handover.arg, &record, sources->inotify);
    for (unsigned i = 0; i < sources->count; i++) {
        if (sources->logs[i].producer)
            producer_start(sources->logs[i].producer);
        if (sources->logs[i].fd < 0)
            continue;
        if (sources->logs[i].source->type != SOURCE_STDIN)
            begin_here(&sources->logs[i]);
        hand_over(&sources->logs[i], sources->logs[i].fd);
    }
    on_look(sources);
}

void sources_check(const struct config *config, bool only_check, struct report *report)
{
    for (unsigned i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        struct stat st;
        producer_check(source, report);
        if (source->type != SOURCE_FILE)
            continue;
        if (stat(source->path, &st) == 0 && !S_ISREG(st.st_mode))
            report_error(report, source->pos, "source \"%s\": can't read %s: %s", source->name,
                         source->path, reason(EINVAL));
        else if (only_check && access(source->path, R_OK) < 0)
            report_warning(report, source->pos, "source \"%s\": can't read %s now: %s",
                           source->name, source->path, strerror(errno));
    }
}

struct sources *sources_open(struct loop *loop, const struct config *config, struct report *report)
{
    struct config_pos whole = {config->path, 0};
    struct sources *sources = calloc(1, sizeof(*sources));
    if (!sources || loop_timer_register(loop, &sources->look, on_look, sources) < 0) {
        report_error(report, whole, "out of memory");
        free(sources);
        return NULL;
    }
    unsigned errors = report->errors;
    sources->loop = loop;
    sources->count = config->source_count;
    sources->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (sources->inotify < 0)
        report_error(report, whole, "can't watch files: inotify_init1: %s", strerror(errno));
    for (unsigned i = 0; i < sources->count; i++) {
        sources->logs[i] = (struct log){.sources = sources,
                                        .source = &config->sources[i],
                                        .fd = -1,
                                        .file_watch = -1,
                                        .old_watch = -1,
                                        .folder_watch = -1,
                                        .target_watch = -1};
        open_first(sources, &sources->logs[i], config, report);
    }
    if (report->errors == errors)
        return sources;
    sources_close(sources);
    return NULL;
}

void sources_close(struct sources *sources)
{
    if (!sources)
        return;
    loop_timer_unregister(sources->loop, &sources->look);
    for (unsigned i = 0; i < sources->count; i++) {
        producer_free(sources->logs[i].producer);
        if (sources->logs[i].fd >= 0)
            close(sources->logs[i].fd);
    }
    if (sources->inotify >= 0)
        close(sources->inotify);
    free(sources);
}
