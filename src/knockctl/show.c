/* Prints the answers that are one list: doors, keys, history, and what was opened or closed. */
#include "knockctl/show.h"

#include <string.h>

#include "knockctl/json.h"
#include "knockctl/table.h"

void show_json(struct reply *reply, int *status)
{
    struct json json;
    struct row_fields row;
    json_begin(&json, stdout, reply->kind);
    while (client_row(reply, &row, status))
        json_row(&json, &row);
    json_end(&json);
}

static void show_table(struct reply *reply, int *status, const struct column *columns,
                       const char *empty)
{
    struct table table;
    struct row_fields row;
    table_begin(&table, columns);
    while (client_row(reply, &row, status) && table_row(&table, &row))
        ;
    table_end(&table, stdout, empty);
}

void show_doors(struct reply *reply, int *status)
{
    static const struct column columns[] = {
        {"door", "DOOR", COLUMN_TEXT},     {"address", "ADDRESS", COLUMN_TEXT},
        {"state", "STATE", COLUMN_STATE},  {"closes_in", "CLOSES IN", COLUMN_SECONDS},
        {"by", "BY", COLUMN_TEXT},         {"port", "PORT", COLUMN_TEXT},
        {"sources", "HEARS", COLUMN_LIST}, {NULL, NULL, COLUMN_TEXT}};
    show_table(reply, status, columns, "no door is open");
}

void show_history(struct reply *reply, int *status)
{
    static const struct column columns[] = {
        {"opened", "OPENED", COLUMN_TIME}, {"closed", "CLOSED", COLUMN_TIME},
        {"door", "DOOR", COLUMN_TEXT},     {"address", "ADDRESS", COLUMN_TEXT},
        {"by", "BY", COLUMN_TEXT},         {"end", "END", COLUMN_TEXT},
        {NULL, NULL, COLUMN_TEXT}};
    show_table(reply, status, columns, "no door was ever opened");
}

static void print_open(const struct row_fields *row)
{
    char door[ROW_MAX], address[ROW_MAX], result[ROW_MAX], text[TEXT_MAX];
    long long seconds = (long long)row_get_number(row, "seconds");
    text_of(row, "door", door);
    text_of(row, "address", address);
    text_of(row, "result", result);
    if (strcmp(result, "delayed") == 0)
        printf("door %s: opens for %s in %lld s\n", door, address, seconds);
    else if (seconds == 0)
        printf("door %s: %s for %s, until it is closed\n", door,
               strcmp(result, "extended") == 0 ? "open already" : result, address);
    else
        printf("door %s: %s for %s, closes in %lld s\n", door, result, address, seconds);
    if (row_get(row, "max_timeout"))
        printf("that is longer than the door's max_timeout, %s, which is for knocks\n",
               text_seconds((long long)row_get_number(row, "max_timeout"), text));
}

void show_open(struct reply *reply, int *status)
{
    struct row_fields row;
    while (client_row(reply, &row, status))
        print_open(&row);
}

void show_close(struct reply *reply, int *status)
{
    struct row_fields row;
    while (client_row(reply, &row, status)) {
        printf("closed: %lld\n", (long long)row_get_number(&row, "closed"));
        if (row_get_number(&row, "left") > 0)
            printf("no longer taken for open: %lld; no stop_command closes that, so it may still "
                   "be open\n",
                   (long long)row_get_number(&row, "left"));
    }
}

static void print_forgotten(const struct row_fields *row)
{
    char door[ROW_MAX], address[ROW_MAX], port[ROW_MAX];
    bool one = row_get(row, "port");
    printf("door %s: given up for %s%s%s; what it opened may still be open\n",
           text_of(row, "door", door), text_of(row, "address", address), one ? ", port " : "",
           one ? text_of(row, "port", port) : "");
}

void show_forget(struct reply *reply, int *status)
{
    char command[ROW_MAX];
    struct row_fields row;
    while (client_row(reply, &row, status)) {
        if (strcmp(row.kind, "forget") == 0)
            print_forgotten(&row);
        else
            printf("  not undone: %s\n", text_of(&row, "command", command));
    }
}

void show_reload(struct reply *reply, int *status)
{
    char file[ROW_MAX], text[ROW_MAX];
    struct row_fields row;
    while (client_row(reply, &row, status)) {
        if (strcmp(row.kind, "finding") == 0) {
            fprintf(stderr, "%s\n", text_of(&row, "text", text));
            continue;
        }
        long long doors = (long long)row_get_number(&row, "doors");
        long long sources = (long long)row_get_number(&row, "sources");
        printf("reloaded %s: %lld door%s, %lld source%s\n", text_of(&row, "file", file), doors,
               doors == 1 ? "" : "s", sources, sources == 1 ? "" : "s");
        if (row_get(&row, "note"))
            fprintf(stderr, "%s\n", text_of(&row, "note", text));
    }
}
