/* Makes and reads the rows of control answers. */
#include "lib/row.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void row_begin(struct row *row, unsigned depth, const char *kind)
{
    row->len = 0;
    for (; depth > 0; depth--)
        row->text[row->len++] = '.';
    int added = snprintf(row->text + row->len, ROW_MAX - row->len, "%s", kind);
    row->len += (size_t)added;
}

static void add(struct row *row, const char *key, char mark, const char *value)
{
    size_t needed = strlen(key) + strlen(value) + 2;
    if (row->len + needed >= ROW_MAX)
        return;
    snprintf(row->text + row->len, ROW_MAX - row->len, " %s%c%s", key, mark, value);
    row->len += needed;
}

static void add_text(struct row *row, const char *key, char mark, const char *value)
{
    static const char digits[] = "0123456789abcdef";
    char encoded[ROW_MAX];
    size_t n = 0;
    for (; *value && n + 4 < sizeof(encoded); value++) {
        unsigned char byte = (unsigned char)*value;
        if (byte > ' ' && byte < 0x7f && byte != '%') {
            encoded[n++] = *value;
            continue;
        }
        encoded[n++] = '%';
        encoded[n++] = digits[byte >> 4];
        encoded[n++] = digits[byte & 15];
    }
    encoded[n] = '\0';
    add(row, key, mark, encoded);
}

void row_text(struct row *row, const char *key, const char *value)
{
    add_text(row, key, '=', value);
}

void row_list(struct row *row, const char *key, const char *value)
{
    if (value)
        add_text(row, key, '+', value);
    else
        add(row, key, ':', "[]");
}

void row_number(struct row *row, const char *key, int64_t value)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRId64, value);
    add(row, key, ':', text);
}

void row_flag(struct row *row, const char *key, bool value)
{
    add(row, key, ':', value ? "true" : "false");
}

void row_null(struct row *row, const char *key)
{
    add(row, key, ':', "null");
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool decode(char *text)
{
    char *out = text;
    for (; *text; text++) {
        if (*text != '%') {
            *out++ = *text;
            continue;
        }
        int high = hex(text[1]), low = high < 0 ? -1 : hex(text[2]);
        /* A NUL would end the text before its time. */
        if (low < 0 || high + low == 0)
            return false;
        *out++ = (char)(high << 4 | low);
        text += 2;
    }
    *out = '\0';
    return true;
}

static bool is_literal(const char *text)
{
    if (strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strcmp(text, "null") == 0 ||
        strcmp(text, "[]") == 0)
        return true;
    text += *text == '-';
    size_t digits = strspn(text, "0123456789");
    /* JSON allows no zero in front. */
    return digits > 0 && digits < 20 && text[digits] == '\0' && (*text != '0' || digits == 1);
}

static bool is_word(const char *text)
{
    size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz_0123456789");
    return len > 0 && text[len] == '\0';
}

static bool parse_field(char *word, struct row_field *field)
{
    char *mark = strpbrk(word, "=:+");
    if (!mark)
        return false;
    field->literal = *mark == ':';
    field->listed = *mark == '+';
    *mark = '\0';
    field->key = word;
    field->value = mark + 1;
    return is_word(word) && (field->literal ? is_literal(mark + 1) : decode(mark + 1));
}

bool row_parse(char *line, struct row_fields *row)
{
    row->depth = (unsigned)strspn(line, ".");
    row->count = 0;
    char *rest = NULL, *word = strtok_r(line + row->depth, " ", &rest);
    if (!word || !is_word(word))
        return false;
    row->kind = word;
    while ((word = strtok_r(NULL, " ", &rest)))
        if (row->count == ROW_FIELDS_MAX || !parse_field(word, &row->fields[row->count++]))
            return false;
    return true;
}

const char *row_get(const struct row_fields *row, const char *key)
{
    for (unsigned i = 0; i < row->count; i++) {
        const struct row_field *field = &row->fields[i];
        if (strcmp(field->key, key) == 0)
            return field->literal && strcmp(field->value, "null") == 0 ? NULL : field->value;
    }
    return NULL;
}

int64_t row_get_number(const struct row_fields *row, const char *key)
{
    const char *value = row_get(row, key);
    return value ? strtoll(value, NULL, 10) : 0;
}
