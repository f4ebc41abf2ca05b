/*
 * One line of what knockd answers on its control socket (control/control.h), made and read:
 *
 *   ..KIND key=TEXT key:LITERAL key+TEXT key+TEXT ...
 *
 * The dots say how deep the row is nested: it belongs to the last row above it that has fewer. KIND
 * and keys are words of ours. TEXT is encoded: blanks, control characters, '%' and all that isn't
 * ASCII as %XX. LITERAL is a number, true, false, null or an empty list,
 * []; of a list with texts, each has its key before it. So a row is a line whatever it holds, and
 * JSON follows from it without knowing what it is about.
 */
#ifndef LIB_ROW_H
#define LIB_ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ROW_MAX = 2048, ROW_FIELDS_MAX = 64 };

/* For so many seconds, at most, knockd lets those wait whom it can't answer at once. */
enum { ROW_WAIT_MAX = 60 };

/* A row being made. What doesn't fit any more is left out, field by field. */
struct row {
    size_t len;
    char text[ROW_MAX]; /* always terminated */
};

void row_begin(struct row *row, unsigned depth, const char *kind);
void row_text(struct row *row, const char *key, const char *value);
void row_number(struct row *row, const char *key, int64_t value);
void row_flag(struct row *row, const char *key, bool value);

/* A text of the list that `key` is; those of one list follow each other. NULL: the list is empty.
 */
void row_list(struct row *row, const char *key, const char *value);

/* `key` has no value here. */
void row_null(struct row *row, const char *key);

struct row_field {
    const char *key;
    const char *value; /* decoded */
    bool literal;
    bool listed; /* one of a list's texts; those of the same key stand beside it */
};

/* A row that was read; its texts point into the line. */
struct row_fields {
    unsigned depth;
    const char *kind;
    unsigned count;
    struct row_field fields[ROW_FIELDS_MAX];
};

/* Takes `line`, without its newline, to pieces in place. False: it isn't a row. */
bool row_parse(char *line, struct row_fields *row);

/* The value of a field, of a list the first; NULL when there is none, or it is null. */
const char *row_get(const struct row_fields *row, const char *key);

/* The same as a number; 0 when there is none. */
int64_t row_get_number(const struct row_fields *row, const char *key);

#endif
