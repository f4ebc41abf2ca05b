/* Prints rows as nested JSON objects and lists. */
#include "knockctl/json.h"

#include <string.h>

/* All but ASCII is written as the code point of its byte: it comes from logs, in no known encoding,
 * and JSON must be valid. */
static void print_text(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\')
            fprintf(out, "\\%c", byte);
        else if (byte < ' ' || byte > '~')
            fprintf(out, "\\u%04x", byte);
        else
            putc(byte, out);
    }
    putc('"', out);
}

static void close_to(struct json *json, unsigned level)
{
    for (; json->level > level; json->level--) {
        char *child = json->children[json->level];
        if (*child)
            fputs("]", json->out);
        *child = '\0';
        fputs("}", json->out);
    }
}

void json_begin(struct json *json, FILE *out, enum reply_kind kind)
{
    *json = (struct json){.out = out, .kind = kind};
    if (kind == REPLY_LIST)
        fputs("[", out);
}

/* What stands between the object before and this one. */
static void separate(struct json *json, const char *kind)
{
    if (json->level == 0) {
        const char *between = json->kind == REPLY_STREAM ? "\n" : ",\n ";
        fputs(json->count++ > 0 ? between : "", json->out);
        return;
    }
    char *child = json->children[json->level];
    if (strcmp(child, kind) == 0) {
        fputs(",", json->out);
        return;
    }
    fprintf(json->out, "%s,\n  \"%s\":[", *child ? "]" : "", kind);
    snprintf(child, sizeof(json->children[0]), "%s", kind);
}

/* Prints the value of the first of `count` fields, and returns how many it takes: a list several.
 */
static unsigned print_value(FILE *out, const struct row_field *field, unsigned count)
{
    unsigned used = 0;
    if (!field->listed) {
        if (field->literal)
            fputs(field->value, out);
        else
            print_text(out, field->value);
        return 1;
    }
    for (; used < count && field[used].listed && strcmp(field[used].key, field->key) == 0; used++) {
        putc(used == 0 ? '[' : ',', out);
        print_text(out, field[used].value);
    }
    putc(']', out);
    return used;
}

void json_row(struct json *json, const struct row_fields *row)
{
    /* A row without the one it belongs to can't come from knockd. */
    if (row->depth > json->level || row->depth >= JSON_DEPTH_MAX)
        return;
    close_to(json, row->depth);
    separate(json, row->kind);
    putc('{', json->out);
    for (unsigned i = 0; i < row->count;) {
        fprintf(json->out, "%s\"%s\":", i ? "," : "", row->fields[i].key);
        i += print_value(json->out, &row->fields[i], row->count - i);
    }
    json->level++;
    if (json->kind != REPLY_STREAM)
        return;
    close_to(json, 0);
    putc('\n', json->out);
    json->count = 0;
    fflush(json->out);
}

void json_end(struct json *json)
{
    close_to(json, 0);
    if (json->kind == REPLY_ONE && json->count == 0)
        fputs("{}", json->out);
    if (json->kind == REPLY_LIST)
        fputs("]", json->out);
    if (json->kind != REPLY_STREAM)
        putc('\n', json->out);
}
