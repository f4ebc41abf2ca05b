/* Writes messages to syslog or standard error, every byte that is not printable encoded. */
#include "lib/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_NOTICE, LEVEL_DEBUG };

/* The one object of the process that everything may write to. */
static struct {
    const char *ident;
    int facility;
    bool to_stderr;
    bool debug;
    int socket;         /* to the syslog daemon; -1: none */
    unsigned long lost; /* messages that it didn't take */
    struct log_errors *errors;
} sink = {.ident = "knockd", .facility = LOG_AUTHPRIV, .to_stderr = true, .socket = -1};

void log_open(const char *ident, int facility, bool to_stderr, bool debug)
{
    sink.ident = ident;
    sink.to_stderr = to_stderr;
    sink.debug = debug;
    log_set_facility(facility);
}

void log_set_facility(int facility)
{
    sink.facility = facility;
}

bool log_debugging(void)
{
    return sink.debug;
}

void log_encode(const char *text, size_t len, char *out, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];
        bool plain = c >= 0x20 && c < 0x7f && c != '\\';
        if (used + (plain ? 1 : 4) >= size)
            break;
        if (plain)
            out[used++] = (char)c;
        else
            used += (size_t)snprintf(out + used, size - used, "\\x%02x", c);
    }
    out[used] = '\0';
}

static void connect_syslog(void)
{
    static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    if (sink.socket >= 0)
        close(sink.socket);
    sink.socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sink.socket >= 0 &&
        connect(sink.socket, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        close(sink.socket);
        sink.socket = -1;
    }
}

static bool send_syslog(const char *datagram, size_t len)
{
    return sink.socket >= 0 &&
           send(sink.socket, datagram, len, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len;
}

/*
 * One datagram as syslog(3) would send it (RFC 3164, section 4.1), but never waiting: a syslog
 * daemon that hangs must not keep doors open. One that was restarted is connected to again.
 */
static void to_syslog(int priority, const char *text)
{
    char datagram[2200], timestamp[32];
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(timestamp, sizeof(timestamp), "%b %e %T", &local);
    int len = snprintf(datagram, sizeof(datagram), "<%d>%s %s[%d]: %s", sink.facility | priority,
                       timestamp, sink.ident, (int)getpid(), text);
    if (send_syslog(datagram, (size_t)len))
        return;
    if (sink.socket < 0 || errno != EAGAIN)
        connect_syslog();
    if (!send_syslog(datagram, (size_t)len))
        sink.lost++;
}

/* Waits for nobody either: a terminal that is stopped, a pipe that nobody reads. */
static void to_stderr(const char *word, const char *text)
{
    char line[2200];
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    int len = snprintf(line, sizeof(line), "%s: %s%s\n", sink.ident, word, text);
    if (poll(&room, 1, 0) == 1 && (room.revents & POLLOUT))
        (void)!write(STDERR_FILENO, line, (size_t)len);
}

/* What doesn't fit is left out. */
static void collect(struct log_errors *errors, const char *text)
{
    size_t len = strlen(text);
    if (errors->len + len + 2 > sizeof(errors->text))
        return;
    memcpy(errors->text + errors->len, text, len);
    errors->len += len;
    errors->text[errors->len++] = '\n';
    errors->text[errors->len] = '\0';
}

static void say(enum level level, const char *format, va_list args)
{
    static const struct {
        int priority;
        const char *word;
    } levels[] = {[LEVEL_ERROR] = {LOG_ERR, "error: "},
                  [LEVEL_WARNING] = {LOG_WARNING, "warning: "},
                  [LEVEL_NOTICE] = {LOG_NOTICE, ""},
                  [LEVEL_DEBUG] = {LOG_DEBUG, "debug: "}};
    int saved = errno;
    char raw[1024], text[2048];
    vsnprintf(raw, sizeof(raw), format, args);
    log_encode(raw, strlen(raw), text, sizeof(text));
    to_syslog(levels[level].priority, text);
    if (level == LEVEL_ERROR && sink.errors)
        collect(sink.errors, text);
    if (sink.to_stderr)
        to_stderr(levels[level].word, text);
    errno = saved;
}

void log_collect(struct log_errors *errors)
{
    sink.errors = errors;
}

void log_error(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(LEVEL_ERROR, format, args);
    va_end(args);
}

void log_warning(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(LEVEL_WARNING, format, args);
    va_end(args);
}

void log_notice(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(LEVEL_NOTICE, format, args);
    va_end(args);
}

void log_debug(const char *format, ...)
{
    if (!sink.debug)
        return;
    va_list args;
    va_start(args, format);
    say(LEVEL_DEBUG, format, args);
    va_end(args);
}

static void log_finding(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        log_error("%s", text);
    else
        log_warning("%s", text);
}

struct report log_report(void)
{
    return (struct report){.say = log_finding, .bare = true};
}
