/* Copies a file token by token into the text that libconfuse gets. */
#include "lib/config_prepare.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/config_scan.h"
#include "lib/crypto.h"

struct preparation {
    struct prepared_text *out;
    const char *name;
    const struct config_file *file;
    const struct config_schema *schema;
    const struct config_mask *mask;
    struct report *report;
    struct config_token last, before; /* the last two tokens */
    unsigned open;                    /* braces */
    unsigned include;                 /* what is expected: 1 FILE, 2 the ) behind it */
};

static struct config_pos pos_at(const struct preparation *p, int line)
{
    return (struct config_pos){p->name, line};
}

/* --- the text --- */

/* Not by realloc, which would leave a secret behind where the text stood. */
static bool make_room(struct prepared_text *out, size_t more)
{
    if (out->len + more < out->size)
        return true;
    size_t size = out->size ? out->size * 2 : 256;
    while (size <= out->len + more)
        size *= 2;
    char *larger = malloc(size);
    if (!larger)
        return false;
    if (out->text) {
        memcpy(larger, out->text, out->len);
        crypto_wipe(out->text, out->len);
        free(out->text);
    }
    out->text = larger;
    out->size = size;
    return true;
}

static bool put(struct preparation *p, const char *bytes, size_t len)
{
    if (!make_room(p->out, len)) {
        report_error(p->report, pos_at(p, p->out->line),
                     "out of memory while reading the configuration");
        return false;
    }
    memcpy(p->out->text + p->out->len, bytes, len);
    p->out->len += len;
    p->out->text[p->out->len] = '\0';
    return true;
}

/* Begins a token: on its own line, or behind the last one, as { does behind a title. */
static bool put_blank(struct preparation *p, int line)
{
    for (; p->out->line < line; p->out->line++)
        if (!put(p, "\n", 1))
            return false;
    return put(p, " ", 1);
}

/* --- what may be secret --- */

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
enum { LETTERS = sizeof(letters) - 1, MASK_MIN = 16 };

static bool is_masked(const char *word, size_t len)
{
    return len >= MASK_MIN && len <= CONFIG_MASK_MAX && strspn(word, letters) >= len;
}

bool config_is_masked(const char *value)
{
    return is_masked(value, strlen(value));
}

/* Moves each letter on by the pad's number, or back: it stays one of them. */
static void turn(const struct config_mask *mask, char *word, size_t len, bool back)
{
    for (size_t i = 0; i < len; i++) {
        unsigned step = mask->pad[i] % LETTERS;
        size_t index = (size_t)(strchr(letters, word[i]) - letters);
        word[i] = letters[(index + (back ? LETTERS - step : step)) % LETTERS];
    }
}

void config_unmask(const struct config_mask *mask, char *value)
{
    size_t len = strlen(value);
    if (is_masked(value, len))
        turn(mask, value, len, true);
}

/* Covers the word that was put last, which begins at `start`. */
static void mask_word(struct preparation *p, size_t start)
{
    size_t len = p->out->len - start;
    if (p->mask && len > 0 && is_masked(p->out->text + start, len))
        turn(p->mask, p->out->text + start, len, false);
}

/* --- tokens --- */

static bool refuse_control(struct preparation *p, int line, unsigned char byte)
{
    bool control = (byte < 0x20 && byte != '\t') || byte == 0x7f;
    if (control)
        report_error(p->report, pos_at(p, line), "a control character (0x%02x): remove it", byte);
    return control;
}

/* The value of the number behind a backslash, as libconfuse reads it, and its length in *len; -1:
 * no number, -2: one that it refuses. */
static int escaped_number(const char *p, size_t *len)
{
    bool hex = *p == 'x';
    size_t octal = strspn(p, "01234567"), digits_max = hex ? 2 : 3;
    char digits[4] = "";
    *len = hex ? strspn(p + 1, "0123456789abcdefABCDEF") : strspn(p, "0123456789");
    if (*len == 0)
        return -1;
    memcpy(digits, p + hex, *len < digits_max ? *len : digits_max);
    long value = strtol(digits, NULL, hex ? 16 : 8);
    bool refused = !hex && (octal == 0 || (value > 0 && (octal < *len || *len > 3)));
    return refused || value > 0xff ? -2 : (int)value;
}

/* Refuses an escape in double quotes that stands for no byte, for the byte 0, which would cut the
 * text short, or for part of a secret, which would come out as a word that looks masked. */
static bool refuse_escape(struct preparation *p, int line, const char *escape)
{
    size_t len;
    int value = escaped_number(escape + 1, &len);
    if (value == 0)
        report_error(p->report, pos_at(p, line), "\\0 can't be part of a text: remove it");
    else if (p->mask && isalnum((unsigned char)escape[1]))
        report_error(p->report, pos_at(p, line),
                     "an escape with \\ that stands for a letter or digit: write that itself");
    else if (value == -2)
        report_error(p->report, pos_at(p, line),
                     "\"%.*s\" is no character: expected \\\\ for a backslash, \\\" for a quote",
                     len < 8 ? (int)len + 1 : 8, escape);
    else
        return false;
    return true;
}

/* A text that is continued behind a \ comes on one line. */
static bool put_quoted(struct preparation *p, const struct config_token *token)
{
    const char *end = token->text + token->len - 1;
    char quote = *end;
    int line = token->line;
    bool good = put(p, token->text, 1);
    size_t start = p->out->len;
    for (const char *q = token->text + 1; good && q < end; q++) {
        bool escape = *q == '\\';
        if (escape && q[1] == '\n') {
            q++;
            line++;
            continue;
        }
        if (refuse_control(p, line, (unsigned char)q[escape]) ||
            (escape && quote == '"' && refuse_escape(p, line, q)))
            return false;
        if (*q == '$' && quote == '"')
            good = put(p, "\\", 1);
        good = good && put(p, q, escape ? 2 : 1);
        q += escape;
    }
    if (good)
        mask_word(p, start);
    return good && put(p, end, 1);
}

/* Whether the line has one of the words that the other knockd's file has and others don't. */
static bool is_of_other_knockd(const char *line, size_t len)
{
    static const char *const keys[] = {"sequence",        "one_time_sequences", "start_command",
                                       "start_command_6", "seq_timeout",        "cmd_timeout"};
    size_t key = 0;
    while (len > 0 && isblank((unsigned char)*line)) {
        line++;
        len--;
    }
    if (len >= 9 && strncasecmp(line, "[options]", 9) == 0)
        return true;
    while (key < len && (isalnum((unsigned char)line[key]) || line[key] == '_'))
        key++;
    size_t equals = key;
    while (equals < len && isblank((unsigned char)line[equals]))
        equals++;
    bool found = false;
    for (size_t i = 0; equals < len && line[equals] == '=' && i < sizeof(keys) / sizeof(*keys); i++)
        found |= strlen(keys[i]) == key && strncasecmp(line, keys[i], key) == 0;
    return found;
}

static bool has_other_knockd(const struct config_file *file)
{
    const char *line = file->data, *end = file->data + file->len;
    while (line < end) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t len = (size_t)((newline ? newline : end) - line);
        if (is_of_other_knockd(line, len))
            return true;
        line += len + 1;
    }
    return false;
}

/* Whether the first word of all begins an INI file's [section], which may have blanks in it. */
static bool refuse_ini(struct preparation *p, const struct config_token *word)
{
    bool ini = p->schema->ini && p->last.kind == TOKEN_END && *word->text == '[';
    if (ini && !has_other_knockd(p->file))
        report_error(p->report, pos_at(p, word->line),
                     "a [section] begins here, so this is no configuration of knockd, which has "
                     "door \"NAME\" { ... }: name another file");
    else if (ini)
        report_error(p->report, pos_at(p, word->line),
                     "this is the configuration of another knockd: `%s %s >NEW` converts it",
                     p->schema->ini, p->name);
    return ini;
}

static bool put_word(struct preparation *p, const struct config_token *word, bool brace)
{
    if (refuse_ini(p, word))
        return false;
    if (brace && word->text[word->len - 1] == '$') {
        report_error(p->report, pos_at(p, word->line),
                     "${...} is not expanded: write the value itself, or a text in quotes");
        return false;
    }
    size_t start = p->out->len;
    if (!put(p, word->text, word->len))
        return false;
    mask_word(p, start);
    return true;
}

static bool put_open_brace(struct preparation *p, const struct config_token *brace)
{
    bool titled = config_token_is_word(&p->last);
    if (!put_blank(p, titled ? 0 : brace->line))
        return false;
    if (p->open++ == 0)
        p->out->unclosed = p->out->line;
    return put(p, "{", 1);
}

/* libconfuse calls back for no empty list, so it gets the empty text, which means the same. */
static bool put_close_brace(struct preparation *p, const struct config_token *brace)
{
    bool empty = config_token_is(&p->last, '{');
    bool list = empty && !config_token_is_word(&p->before);
    if (!put_blank(p, empty && !list ? 0 : brace->line) || (list && !put(p, "\"\"", 2)))
        return false;
    if (p->open == 0 && p->out->stray == 0)
        p->out->stray = brace->line;
    if (p->open > 0 && --p->open == 0)
        p->out->unclosed = 0;
    return put(p, "}", 1);
}

static bool put_mark(struct preparation *p, const struct config_token *mark)
{
    if (*mark->text == '{')
        return put_open_brace(p, mark);
    if (*mark->text == '}')
        return put_close_brace(p, mark);
    return put_blank(p, mark->line) && put(p, mark->text, mark->len);
}

/* libconfuse accepts other forms of include("FILE"), and leaks memory on wrong ones. */
static bool check_include(struct preparation *p, const struct config_token *token)
{
    bool good = p->include == 0 || (p->include == 1 && token->kind == TOKEN_QUOTED) ||
                (p->include == 2 && config_token_is(token, ')'));
    if (!good)
        report_error(p->report, pos_at(p, p->before.line), "expected include(\"FILE\")");
    if (p->include > 0)
        p->include = (p->include + 1) % 3;
    else if (config_token_is(token, '(') && config_token_equals(&p->last, "include"))
        p->include = 1;
    return good;
}

static void report_stray(struct preparation *p, const struct config_token *token)
{
    unsigned char byte = (unsigned char)*token->text;
    report_error(p->report, pos_at(p, token->line),
                 isprint(byte) ? "unexpected %c: put a text that holds it in quotes"
                               : "a control character (0x%02x): remove it",
                 byte);
}

static bool put_token(struct preparation *p, const struct config_token *token, bool brace)
{
    switch (token->kind) {
    case TOKEN_WORD:
        return put_blank(p, token->line) && put_word(p, token, brace);
    case TOKEN_QUOTED:
        return put_blank(p, token->line) && put_quoted(p, token);
    case TOKEN_MARK:
        return put_mark(p, token);
    case TOKEN_OPEN_QUOTE:
        report_error(p->report, pos_at(p, token->line),
                     "this text has no closing %c on its line (end the line with \\ to go on)",
                     *token->text);
        return false;
    case TOKEN_OPEN_COMMENT:
        report_error(p->report, pos_at(p, token->line),
                     "this /* comment is never closed: expected */");
        return false;
    case TOKEN_STRAY:
        report_stray(p, token);
        return false;
    case TOKEN_END:
        break;
    }
    return put_blank(p, token->line) && put(p, "\n", 1);
}

/* --- a file --- */

static bool refuse_nul(struct preparation *p, const struct config_file *file)
{
    const char *nul = memchr(file->data, '\0', file->len);
    int line = 1;
    for (const char *q = file->data; nul && q < nul; q++)
        line += *q == '\n';
    if (nul)
        report_error(p->report, pos_at(p, line), "a NUL byte: this is not a text file");
    return nul != NULL;
}

bool config_prepare(const char *name, const struct config_file *file,
                    const struct config_schema *schema, const struct config_mask *mask,
                    struct report *report, struct prepared_text *out)
{
    struct preparation p = {
        .out = out, .name = name, .file = file, .schema = schema, .mask = mask, .report = report};
    struct config_scan scan = {file->data, file->data + file->len, 1};
    *out = (struct prepared_text){.line = 1};
    if (refuse_nul(&p, file))
        return false;
    /* The byte order mark that some editors write. */
    if (file->len >= 3 && memcmp(file->data, "\xef\xbb\xbf", 3) == 0)
        scan.p += 3;
    do {
        struct config_token token = config_scan_next(&scan);
        bool brace = scan.p < scan.end && *scan.p == '{';
        if (!check_include(&p, &token) || !put_token(&p, &token, brace))
            return false;
        p.before = p.last;
        p.last = token;
    } while (p.last.kind != TOKEN_END);
    return true;
}

void config_prepare_free(struct prepared_text *out)
{
    if (out->text)
        crypto_wipe(out->text, out->size);
    free(out->text);
    *out = (struct prepared_text){0};
}
