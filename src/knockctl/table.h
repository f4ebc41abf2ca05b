/* Rows of an answer as a table, for people. */
#ifndef KNOCKCTL_TABLE_H
#define KNOCKCTL_TABLE_H

#include "knockctl/client.h"

enum { TABLE_COLUMNS_MAX = 8 };

/* COLUMN_STATE: a text that stands out on a terminal. COLUMN_LIST: the texts of a list, where an
 * empty one means all; the last column, left out where all lists are empty. */
enum column_kind { COLUMN_TEXT, COLUMN_STATE, COLUMN_SECONDS, COLUMN_TIME, COLUMN_LIST };

struct column {
    const char *key;
    const char *title;
    enum column_kind kind;
};

struct table {
    const struct column *columns;
    unsigned count;
    char **cells; /* row by row */
    unsigned used, room;
};

/* `columns` end with one without a key. */
void table_begin(struct table *table, const struct column *columns);

/* False when memory is short. */
bool table_row(struct table *table, const struct row_fields *row);

/* Prints it, under its titles; `empty` instead if it has no row. Frees it. */
void table_end(struct table *table, FILE *out, const char *empty);

/* The text of a field, "-" without one; no control character reaches the terminal. */
const char *text_of(const struct row_fields *row, const char *key, char out[ROW_MAX]);

/* Texts for people: "3 min 5 s", "2026-11-23 16:00:00". `value` in s, since 1970 for times. */
enum { TEXT_MAX = 64 };
const char *text_seconds(long long value, char out[TEXT_MAX]);
const char *text_time(long long value, char out[TEXT_MAX]);

#endif
