/* What the client writes to standard error: errors, and on a terminal what it is waiting for. */
#ifndef KNOCK_OUTPUT_H
#define KNOCK_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>

/* One line "knock: ...", without newline in the format. */
void output_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * From now on what output_error() and output_finding() write goes to `out` of `size` bytes instead,
 * the latest alone, without "knock: "; NULL: to standard error again.
 */
void output_capture(char *out, size_t size);

/* The same for a struct report (lib/report.h). */
void output_finding(void *arg, bool error, const char *text);

/*
 * What is going on from now on: shown, with the seconds that it takes, once a second has passed
 * since the first call; on a terminal only. A later call changes the text.
 */
void output_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Nothing is going on any more: the line is wiped off. output_error() does this as well. */
void output_progress_end(void);

#endif
