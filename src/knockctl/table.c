/* Gathers rows, and prints them in columns as wide as their longest cell. */
#include "knockctl/table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/log.h"

const char *text_seconds(long long value, char out[TEXT_MAX])
{
    if (value < 100)
        snprintf(out, TEXT_MAX, "%lld s", value);
    else if (value < 2 * 3600)
        snprintf(out, TEXT_MAX, "%lld min %lld s", value / 60, value % 60);
    else if (value < 2 * 86400)
        snprintf(out, TEXT_MAX, "%lld h %lld min", value / 3600, value / 60 % 60);
    else
        snprintf(out, TEXT_MAX, "%lld d %lld h", value / 86400, value / 3600 % 24);
    return out;
}

const char *text_time(long long value, char out[TEXT_MAX])
{
    time_t moment = (time_t)value;
    struct tm parts;
    if (!localtime_r(&moment, &parts) || !strftime(out, TEXT_MAX, "%Y-%m-%d %H:%M:%S", &parts))
        snprintf(out, TEXT_MAX, "%lld", value);
    return out;
}

static const char *cell_text(const struct column *column, const struct row_fields *row,
                             char out[TEXT_MAX])
{
    const char *value = row_get(row, column->key);
    if (!value || *value == '\0')
        return "-";
    if (column->kind == COLUMN_SECONDS)
        return text_seconds(strtoll(value, NULL, 10), out);
    if (column->kind == COLUMN_TIME)
        return text_time(strtoll(value, NULL, 10), out);
    return value;
}

void table_begin(struct table *table, const struct column *columns)
{
    *table = (struct table){.columns = columns};
    while (columns[table->count].key)
        table->count++;
}

static bool make_room(struct table *table)
{
    if (table->used + table->count <= table->room)
        return true;
    unsigned room = table->room ? 2 * table->room : 128;
    char **cells = realloc(table->cells, room * sizeof(*cells));
    if (!cells)
        return false;
    table->cells = cells;
    table->room = room;
    return true;
}

bool table_row(struct table *table, const struct row_fields *row)
{
    char text[TEXT_MAX], safe[4 * ROW_MAX];
    if (!make_room(table))
        return false;
    for (unsigned i = 0; i < table->count; i++) {
        const char *cell = cell_text(&table->columns[i], row, text);
        log_encode(cell, strlen(cell), safe, sizeof(safe));
        char *copy = strdup(safe);
        if (!copy)
            return false;
        table->cells[table->used++] = copy;
    }
    return true;
}

static unsigned column_width(const struct table *table, unsigned column)
{
    size_t width = strlen(table->columns[column].title);
    for (unsigned i = column; i < table->used; i += table->count)
        if (strlen(table->cells[i]) > width)
            width = strlen(table->cells[i]);
    return (unsigned)width;
}

/* The last column isn't padded. */
static void print_cell(FILE *out, const char *text, unsigned width, bool last)
{
    if (last)
        fprintf(out, "%s\n", text);
    else
        fprintf(out, "%-*s  ", (int)width, text);
}

void table_end(struct table *table, FILE *out, const char *empty)
{
    unsigned widths[TABLE_COLUMNS_MAX];
    for (unsigned i = 0; i < table->count; i++)
        widths[i] = column_width(table, i);
    if (table->used == 0)
        fprintf(out, "%s\n", empty);
    for (unsigned i = 0; table->used > 0 && i < table->count; i++)
        print_cell(out, table->columns[i].title, widths[i], i + 1 == table->count);
    for (unsigned i = 0; i < table->used; i++) {
        unsigned column = i % table->count;
        print_cell(out, table->cells[i], widths[column], column + 1 == table->count);
        free(table->cells[i]);
    }
    free(table->cells);
}
