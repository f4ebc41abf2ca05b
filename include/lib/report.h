/* Where what is wrong with a configuration goes: to a terminal for -t, to the log on a reload. */
#ifndef LIB_REPORT_H
#define LIB_REPORT_H

#include <stdbool.h>

/* Where a value stands. line 0: the file as a whole. */
struct config_pos {
    const char *file;
    int line;
};

/* Counts findings; say() gets each as one line "file:line: ..." without newline. */
struct report {
    void (*say)(void *arg, bool error, const char *text);
    void *arg;
    bool bare; /* say() marks warnings itself: the text is without the word */
    unsigned errors;
    unsigned warnings;
};

void report_error(struct report *report, struct config_pos pos, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_warning(struct report *report, struct config_pos pos, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
