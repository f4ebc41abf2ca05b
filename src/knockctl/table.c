/* Gathers rows, and prints them in columns as wide as their longest cell. */
#include "knockctl/table.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knockctl/terminal.h"
#include "lib/log.h"

const char *text_of(const struct row_fields *row, const char *key, char out[ROW_MAX])
{
    const char *text = row_get(row, key);
    log_encode(text ? text : "-", text ? strlen(text) : 1, out, ROW_MAX);
    return out;
}

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

static const char no_list[] = "all";

/* "A, B, ...", or that the list is empty. */
static const char *list_text(const char *key, const struct row_fields *row, char out[ROW_MAX])
{
    size_t len = 0;
    for (unsigned i = 0; i < row->count && len < ROW_MAX; i++) {
        const struct row_field *field = &row->fields[i];
        if (field->listed && strcmp(field->key, key) == 0)
            len +=
                (size_t)snprintf(out + len, ROW_MAX - len, "%s%s", len ? ", " : "", field->value);
    }
    return len ? out : no_list;
}

static const char *cell_text(const struct column *column, const struct row_fields *row,
                             char out[ROW_MAX])
{
    if (column->kind == COLUMN_LIST)
        return list_text(column->key, row, out);
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
    char text[ROW_MAX], safe[4 * ROW_MAX];
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

/* How many columns are shown: a list at the end is left out where no row has one. */
static unsigned shown_columns(const struct table *table)
{
    unsigned last = table->count - 1;
    if (table->columns[last].kind != COLUMN_LIST)
        return table->count;
    for (unsigned i = last; i < table->used; i += table->count)
        if (strcmp(table->cells[i], no_list) != 0)
            return table->count;
    return last;
}

/* The last column isn't padded. */
static void print_cell(FILE *out, const struct terminal *terminal, enum style style,
                       const char *text, unsigned width)
{
    if (style != STYLE_PLAIN)
        terminal_style(terminal, out, style);
    fputs(text, out);
    if (style != STYLE_PLAIN)
        terminal_style(terminal, out, STYLE_PLAIN);
    if (width == 0)
        putc('\n', out);
    else
        fprintf(out, "%*s", (int)(width - strlen(text)) + 2, "");
}

void table_end(struct table *table, FILE *out, const char *empty)
{
    unsigned widths[TABLE_COLUMNS_MAX];
    struct terminal terminal = terminal_of(out);
    unsigned shown = shown_columns(table);
    for (unsigned i = 0; i < shown; i++)
        widths[i] = i + 1 < shown ? column_width(table, i) : 0;
    if (table->used == 0)
        fprintf(out, "%s\n", empty);
    for (unsigned i = 0; table->used > 0 && i < shown; i++)
        print_cell(out, &terminal, STYLE_TITLE, table->columns[i].title, widths[i]);
    for (unsigned i = 0; i < table->used; i++) {
        unsigned column = i % table->count;
        bool state = table->columns[column].kind == COLUMN_STATE;
        if (column < shown)
            print_cell(out, &terminal, state ? terminal_style_of(table->cells[i]) : STYLE_PLAIN,
                       table->cells[i], widths[column]);
        free(table->cells[i]);
    }
    free(table->cells);
}
