/* What the client says on standard error: errors, and on a terminal what it is waiting for. */
#ifndef KNOCK_SAY_H
#define KNOCK_SAY_H

#include <stdbool.h>
#include <stddef.h>

/* One line "knock: ...", without newline in the format. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * From now on what say() and say_finding() tell goes to `out` of `size` bytes instead, the latest
 * alone, without "knock: "; NULL: to standard error again.
 */
void say_into(char *out, size_t size);

/* The same for a struct report (lib/report.h). */
void say_finding(void *arg, bool error, const char *text);

/*
 * What is going on from now on: shown, with the seconds that it takes, once a second has passed
 * since the first call; on a terminal only. A later call changes the text.
 */
void say_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Nothing is going on any more: the line is wiped off. say() does this as well. */
void say_no_progress(void);

#endif
