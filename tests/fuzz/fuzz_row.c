/*
 * Rows of the control socket: what is put in comes out again, on one printable line; and what is
 * taken for a row says the same when it is made anew.
 */
#include "fuzz.h"

#include "lib/row.h"

static void claim_line(const struct row *row)
{
    CLAIM(row->len == strlen(row->text) && row->len < ROW_MAX);
    for (const char *p = row->text; *p; p++)
        CLAIM(*p >= ' ' && *p <= '~');
}

static void claim_round(const char *text, int64_t number)
{
    struct row row;
    struct row_fields fields;
    row_begin(&row, 2, "kind");
    row_number(&row, "number", number);
    row_text(&row, "text", text);
    row_flag(&row, "flag", number & 1);
    row_null(&row, "none");
    claim_line(&row);
    CLAIM(row_parse(row.text, &fields));
    CLAIM(fields.depth == 2 && strcmp(fields.kind, "kind") == 0);
    CLAIM(row_get_number(&fields, "number") == number && !row_get(&fields, "none"));
    const char *back = row_get(&fields, "text");
    if (strlen(text) < ROW_MAX / 4)
        CLAIM(back && strcmp(back, text) == 0);
    else if (back)
        CLAIM(strncmp(back, text, strlen(back)) == 0);
}

static void copy_field(struct row *row, const struct row_field *field)
{
    const char *value = field->value;
    if (field->listed)
        row_list(row, field->key, value);
    else if (!field->literal)
        row_text(row, field->key, value);
    else if (strcmp(value, "[]") == 0)
        row_list(row, field->key, NULL);
    else if (strcmp(value, "null") == 0)
        row_null(row, field->key);
    else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        row_flag(row, field->key, *value == 't');
    else
        row_number(row, field->key, strtoll(value, NULL, 10));
}

/* A number that 64 bits don't hold, and "-0", don't come back as they were. */
static bool same_value(const struct row_field *a, const struct row_field *b)
{
    bool number = a->literal && strpbrk(a->value, "0123456789");
    return number ? strtoll(a->value, NULL, 10) == strtoll(b->value, NULL, 10)
                  : strcmp(a->value, b->value) == 0;
}

static void claim_again(const struct row_fields *fields)
{
    struct row row;
    struct row_fields again;
    row_begin(&row, fields->depth, fields->kind);
    for (unsigned i = 0; i < fields->count; i++)
        copy_field(&row, &fields->fields[i]);
    claim_line(&row);
    CLAIM(row_parse(row.text, &again));
    CLAIM(again.depth == fields->depth && again.count == fields->count);
    for (unsigned i = 0; i < again.count; i++) {
        const struct row_field *a = &fields->fields[i], *b = &again.fields[i];
        CLAIM(a->literal == b->literal && a->listed == b->listed);
        CLAIM(strcmp(a->key, b->key) == 0 && same_value(a, b));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    struct row_fields fields;
    int64_t number = 0;
    char *line = input_text(&in);
    /* Made anew it grows to three times its length at most. */
    bool fits = strlen(line) < ROW_MAX / 4;
    if (row_parse(line, &fields) && fits)
        claim_again(&fields);
    input_bytes(&in, &number, sizeof(number));
    char *text = input_text(&in);
    claim_round(text, number);
    free(text);
    free(line);
    return 0;
}
