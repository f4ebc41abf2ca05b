#include "lib/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

enum level { LEVEL_ERROR, LEVEL_WARNING, LEVEL_NOTICE, LEVEL_DEBUG };

/* The one object of the process that everything may write to. */
static struct {
    const char *ident;
    int facility;
    bool to_stderr;
    bool debug;
} sink = {.ident = "knockd", .facility = LOG_AUTHPRIV, .to_stderr = true};

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
    closelog();
    openlog(sink.ident, LOG_PID | LOG_NDELAY, facility);
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
    syslog(sink.facility | levels[level].priority, "%s", text);
    if (sink.to_stderr)
        fprintf(stderr, "%s: %s%s\n", sink.ident, levels[level].word, text);
    errno = saved;
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
