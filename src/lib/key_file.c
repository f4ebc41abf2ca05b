/* Reads key files: who may have written them, and then what is in them. */
#include "lib/key_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/config_values.h"
#include "lib/crypto.h"

enum { DIGITS = 2 * SEALED_SECRET_SIZE };

#define KEY_EXAMPLE "expected key = \"64 hex digits\""

/* The value of a hex digit, -1 for anything else. Looks up nothing by it: a table's line in the
 * cache would tell which. */
static int digit_value(unsigned char ch)
{
    unsigned decimal = ch - '0', letter = (ch | 0x20u) - 'a';
    int is_decimal = -(int)(decimal < 10), is_letter = -(int)(letter < 6);
    return ((int)decimal & is_decimal) | ((int)(letter + 10) & is_letter) |
           ~(is_decimal | is_letter);
}

/* No message repeats what may be half a secret. */
static void read_secret(struct parse_context *context, const struct config_key *key,
                        const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    uint8_t *secret = field;
    if (!value)
        return;
    size_t len = strlen(value->text);
    if (len != DIGITS) {
        report_error(context->report, value->pos, "%s has %zu characters: " KEY_EXAMPLE, key->name,
                     len);
        return;
    }
    for (size_t i = 0; i < DIGITS; i++) {
        int digit = digit_value((unsigned char)value->text[i]);
        if (digit < 0) {
            report_error(context->report, value->pos,
                         "character %zu of %s is no hex digit: " KEY_EXAMPLE, i + 1, key->name);
            return;
        }
        secret[i / 2] = (uint8_t)(secret[i / 2] << 4 | digit);
    }
}

static void read_server(struct parse_context *context, const struct config_key *key,
                        const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (!value)
        return;
    size_t len = strlen(value->text);
    if (len == 0 || len > SEALED_SERVER_MAX)
        report_error(context->report, value->pos,
                     "%s: expected the server's name, 1 to %d bytes as in its knockd.conf",
                     key->name, SEALED_SERVER_MAX);
    else
        memcpy(field, value->text, len + 1);
}

bool key_file_day(const char *text, int64_t *out)
{
    static const char form[] = "dddd-dd-dd";
    if (strlen(text) != sizeof(form) - 1)
        return false;
    for (size_t i = 0; form[i]; i++)
        if (form[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != form[i])
            return false;
    int year = atoi(text), month = atoi(text + 5), day = atoi(text + 8);
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    int64_t start = timegm(&tm); /* makes March 2 of February 30, in tm too */
    if (tm.tm_year != year - 1900 || tm.tm_mon != month - 1 || tm.tm_mday != day)
        return false;
    *out = start + 86400;
    return true;
}

static void read_day(struct parse_context *context, const struct config_key *key,
                     const struct config_list *values, void *field)
{
    const struct config_text *value = read_one(context, key, values);
    if (value && !key_file_day(value->text, field))
        report_error(context->report, value->pos,
                     "%s: \"%.80s\" won't do: expected the last day as \"YYYY-MM-DD\"", key->name,
                     value->text);
}

#define AT(field) offsetof(struct key_file, field)

static const struct config_key keys[] = {
    {"key", read_secret, AT(secret), 0, 0},
    {"server", read_server, AT(server), 0, 0},
    {"expires", read_day, AT(expires), 0, 0},
    {"door", read_door_names, AT(doors), 0, 0},
    {0},
};

const struct config_schema *key_file_schema(void)
{
    static const struct config_schema schema = {
        .kinds = {{NULL, keys, 1, false}},
        .kind_count = 1,
        .secret = true,
    };
    return &schema;
}

static void fill(struct parse_context *context, const struct config_section *section,
                 struct key_file *out)
{
    config_read_keys(context, section, out);
    if (!config_given(section, "key"))
        report_error(context->report, section->pos, "the key is missing: " KEY_EXAMPLE);
    if (!config_given(section, "server"))
        report_error(context->report, section->pos,
                     "the server's name is missing: expected server = \"NAME\"");
}

/* Text and values are wiped where they are freed. What isn't written as one word is no key, and may
 * leave traces in libconfuse's memory. */
static bool parse(struct parse_context *context, struct config_file *file, const char *path,
                  struct key_file *out)
{
    struct config_sections sections;
    bool good = config_parse_file(path, file, key_file_schema(), context->report, &sections);
    if (good)
        fill(context, &sections.items[0], out);
    /* The places of the doors' names point to it. */
    if (sections.file_count == 1)
        out->path = sections.files[0];
    sections.file_count = 0;
    config_sections_free(&sections);
    return good;
}

/* Others who could read the file may have the key, and those who could write it may have replaced
 * it: such a file is no secret. */
static const struct config_file_rule rule = {
    .what = "the key file",
    .forbidden = 077,
    .advice = "chmod 600 it, and make a new key if anyone could have read this one",
};

bool key_file_read(const char *path, struct report *report, struct key_file *out)
{
    struct parse_context context = {.report = report};
    unsigned before = report->errors;
    struct config_file file;
    const char *why;
    *out = (struct key_file){.expires = INT64_MAX};
    if (!config_file_read(path, &file, &why)) {
        report_error(report, (struct config_pos){path, 0},
                     "can't read the key file: %s; knockctl key new makes and shows one", why);
        return false;
    }
    if (!config_file_trusted(&file, &rule, (struct config_pos){path, 0}, report)) {
        config_file_free(&file);
        return false;
    }
    bool good = parse(&context, &file, path, out);
    if (context.no_memory)
        report_error(report, (struct config_pos){path, 0}, "out of memory while reading the key");
    return good && report->errors == before;
}

void key_file_free(struct key_file *key)
{
    config_list_free(&key->doors);
    free(key->path);
    crypto_wipe(key, sizeof(*key));
}

const char *key_file_path(const char *key_dir, const char *name, char out[KEY_PATH_SIZE])
{
    snprintf(out, KEY_PATH_SIZE, "%s/%s.key", key_dir, name);
    return out;
}
