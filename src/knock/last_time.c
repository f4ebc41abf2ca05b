/* Locks the file of a key, reads the last time from it, and records the next one. */
#include "knock/last_time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "knock/durable.h"
#include "knock/output.h"
#include "lib/clock.h"

/* "1800000000 32768\n": seconds since 1970 and 1/65536 s, always as long, so that a later time is
 * written over an earlier one by one write of one block. */
enum { LINE_LEN = 17, ID_BYTES = 16 };

bool last_time_next(uint64_t clock, uint64_t last, uint64_t *time)
{
    uint64_t next = last + 1;
    if (next > SEALED_TIME_MAX || next > clock + ((uint64_t)LAST_AHEAD_MAX << 16))
        return false;
    *time = next > clock ? next : clock;
    return true;
}

/* Makes the directories above `path` that are missing. */
static bool make_above(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int rc = mkdir(path, 0700);
        int error = errno;
        *slash = '/';
        errno = error;
        if (rc < 0 && error != EEXIST)
            return false;
    }
    return true;
}

static bool set_path(struct last_time *last, const uint8_t *id)
{
    char hex[2 * ID_BYTES + 1];
    for (unsigned i = 0; i < ID_BYTES; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", id[i]);
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    bool own = state && state[0] == '/'; /* its specification has others ignored */
    if (!own && (!home || home[0] != '/')) {
        output_error(
            "HOME isn't set: set it, or XDG_STATE_HOME, to where the last time of a key can be "
            "kept");
        return false;
    }
    int len = snprintf(last->path, sizeof(last->path), "%s%s/knock/%s.last", own ? state : home,
                       own ? "" : "/.local/state", hex);
    if ((size_t)len < sizeof(last->path))
        return true;
    output_error("the path of the state directory is too long: %s", own ? state : home);
    return false;
}

static bool failed(const struct last_time *last, const char *what)
{
    output_error("can't %s %s: %s; nothing was sent, since no time may be used twice", what,
                 last->path, strerror(errno));
    return false;
}

/* An empty file is one of a process that was killed before its first knock. */
static bool read_time(struct last_time *last)
{
    char line[LINE_LEN + 2] = "", *end;
    ssize_t len = pread(last->fd, line, LINE_LEN + 1, 0);
    if (len < 0)
        return failed(last, "read");
    if (len == 0)
        return true;
    uint64_t seconds = strtoull(line, &end, 10), ticks = *end == ' ' ? strtoull(end, &end, 10) : 0;
    if (len == LINE_LEN && end == line + LINE_LEN - 1 && *end == '\n' && line[10] == ' ' &&
        strspn(line, "0123456789") == 10 && strspn(line + 11, "0123456789") == 5 &&
        seconds <= UINT32_MAX && ticks < 65536) {
        last->time = seconds << 16 | ticks;
        return true;
    }
    output_error(
        "%s is damaged: if this machine's clock is right and has been since the last knock, "
        "remove the file",
        last->path);
    return false;
}

/* Without a limit it sleeps in the kernel; with one it looks again and again. 0 or an errno. */
static int lock_until(int fd, int64_t until)
{
    static const struct timespec pause = {.tv_nsec = 20000000};
    bool limited = until != INT64_MAX;
    while (flock(fd, LOCK_EX | (limited ? LOCK_NB : 0)) < 0) {
        if (errno != EINTR && errno != EWOULDBLOCK)
            return errno;
        if (clock_now() >= until)
            return ETIMEDOUT;
        if (limited)
            nanosleep(&pause, NULL);
    }
    return 0;
}

bool last_time_open(struct last_time *last, const uint8_t id[SEALED_ID_SIZE], int64_t until)
{
    *last = (struct last_time){.fd = -1};
    if (!set_path(last, id))
        return false;
    if (!make_above(last->path))
        return failed(last, "make the directory of");
    last->fd = open(last->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (last->fd < 0)
        return failed(last, "open");
    output_progress("waiting for another knock with this key to end");
    errno = lock_until(last->fd, until);
    output_progress_end();
    if (errno == ETIMEDOUT) {
        output_error(
            "another knock with this key was still under way when the time was over; nothing was "
            "sent: try again, or allow more by --timeout");
        return false;
    }
    if (errno != 0)
        return failed(last, "lock");
    return read_time(last);
}

static bool record(struct last_time *last, uint64_t time)
{
    char line[LINE_LEN + 1];
    snprintf(line, sizeof(line), "%010u %05u\n", (unsigned)(time >> 16) & 0xffffffffu,
             (unsigned)time & 0xffffu);
    errno = ENOSPC; /* what a short write means */
    if (pwrite(last->fd, line, LINE_LEN, 0) != LINE_LEN || fsync(last->fd) < 0)
        return failed(last, "write");
    if (last->time == 0 && !durable_name(last->path))
        return failed(last, "record the name of");
    last->time = time;
    return true;
}

bool last_time_reserve(struct last_time *last, uint64_t *time)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t clock = sealed_time(now.tv_sec, (int32_t)now.tv_nsec);
    if (!last_time_next(clock, last->time, time)) {
        output_error(
            "the clock is %llu s behind the last knock with this key: set the clock, or if it was "
            "wrong then and is right now, remove %s",
            (unsigned long long)((last->time - clock) >> 16), last->path);
        return false;
    }
    last->behind = last->time > clock ? (unsigned)((last->time - clock) >> 16) : 0;
    return record(last, *time);
}

void last_time_close(struct last_time *last)
{
    if (last->fd >= 0)
        close(last->fd);
    last->fd = -1;
}
