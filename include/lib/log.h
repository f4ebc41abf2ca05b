/*
 * What knockd says: to syslog, and in the foreground to stderr. Every byte that isn't printable
 * is encoded here, at the sink, as \xNN: no text from outside can start a line of its own.
 */
#ifndef LIB_LOG_H
#define LIB_LOG_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/report.h"

/* `ident` must outlive the process's last message. No call here ever waits: what can't be written
 * at once is lost. */
void log_open(const char *ident, int facility, bool to_stderr, bool debug);

/* Takes another facility, after a reload. */
void log_set_facility(int facility);
bool log_debugging(void);

void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_notice(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Texts of errors, a line each, as far as there is room. */
struct log_errors {
    size_t len;
    char text[4096]; /* terminated */
};

/* From here on, adds what is logged as an error to *errors as well; NULL: no more. */
void log_collect(struct log_errors *errors);

/* A report whose findings are logged. */
struct report log_report(void);

/*
 * Writes `text` to `out`, of `size` bytes, with control characters, backslashes and all that
 * isn't ASCII as \xNN; cut when it doesn't fit. Always terminated.
 */
void log_encode(const char *text, size_t len, char *out, size_t size);

#endif
