#include "lib/config_clean.h"

#include <ctype.h>
#include <string.h>

struct config_pos clean_pos(const struct clean_frame *f)
{
    return (struct config_pos){f->name, f->line};
}

static bool no_memory(struct cleaner *c, const struct clean_frame *f)
{
    report_error(c->report, clean_pos(f), "out of memory while reading the configuration");
    return false;
}

static bool put(struct cleaner *c, const struct clean_frame *f, const char *bytes, size_t len)
{
    return config_text_put(c->out, bytes, len) || no_memory(c, f);
}

bool clean_newline(struct cleaner *c, const struct clean_frame *f)
{
    return config_text_newline(c->out, clean_pos(f)) || no_memory(c, f);
}

static void token_done(struct cleaner *c, char kind)
{
    c->before = c->last;
    c->last = kind;
    c->solid = c->out->len;
    c->solid_lines = c->out->line_count;
}

bool clean_at(const struct clean_frame *f, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(f->end - f->p) >= len && memcmp(f->p, text, len) == 0;
}

static void skip_line(struct clean_frame *f)
{
    while (f->p < f->end && *f->p != '\n')
        f->p++;
}

static bool skip_comment(struct cleaner *c, struct clean_frame *f)
{
    struct config_pos began = clean_pos(f);
    for (f->p += 2; f->p < f->end; f->p++) {
        if (clean_at(f, "*/")) {
            f->p += 2;
            return put(c, f, " ", 1);
        }
        if (*f->p == '\n') {
            f->line++;
            if (!clean_newline(c, f))
                return false;
        }
    }
    report_error(c->report, began, "this /* comment is never closed: expected */");
    return false;
}

/* Whether the escape behind a backslash stands for the byte 0, which would cut the text short. */
static bool escapes_nul(const char *p, const char *end)
{
    bool hex = p < end && *p == 'x';
    const char *digits = hex ? "0123456789abcdefABCDEF" : "01234567";
    const char *start = p + hex, *q = start;
    bool zero = true;
    for (; q < end && q - start < (hex ? 2 : 3) && *q != '\0' && strchr(digits, *q); q++)
        zero &= *q == '0';
    return q > start && zero;
}

static bool refuse_control(struct cleaner *c, const struct clean_frame *f, unsigned char byte)
{
    bool control = (byte < 0x20 && byte != '\t' && byte != '\n') || byte == 0x7f;
    if (control)
        report_error(c->report, clean_pos(f), "a control character (0x%02x): remove it", byte);
    return control;
}

/* Copies a backslash with what it escapes, or drops one at the end of a line: continued. */
static bool put_escape(struct cleaner *c, struct clean_frame *f)
{
    if (f->p + 1 == f->end)
        return put(c, f, f->p++, 1);
    if (f->p[1] == '\n') {
        f->p += 2;
        f->line++;
        return true;
    }
    if (refuse_control(c, f, (unsigned char)f->p[1]))
        return false;
    f->p += 2;
    return put(c, f, f->p - 2, 2);
}

static bool put_quoted_byte(struct cleaner *c, struct clean_frame *f, char quote)
{
    unsigned char byte = (unsigned char)*f->p;
    if (refuse_control(c, f, byte))
        return false;
    if (byte == '\\') {
        if (quote == '"' && escapes_nul(f->p + 1, f->end)) {
            report_error(c->report, clean_pos(f), "\\0 can't be part of a text: remove it");
            return false;
        }
        return put_escape(c, f);
    }
    if (byte == '$' && quote == '"' && !put(c, f, "\\", 1))
        return false;
    return put(c, f, f->p++, 1);
}

/* A text that goes on at a line's end nearly always lacks its quote, so that is told right there.
 */
static bool quoted(struct cleaner *c, struct clean_frame *f)
{
    char quote = *f->p++;
    struct config_pos began = clean_pos(f);
    if (!put(c, f, &quote, 1))
        return false;
    while (f->p < f->end && *f->p != quote && *f->p != '\n')
        if (!put_quoted_byte(c, f, quote))
            return false;
    if (f->p == f->end || *f->p != quote) {
        report_error(c->report, began,
                     "this text has no closing %c on its line (end the line with \\ to go on)",
                     quote);
        return false;
    }
    f->p++;
    if (!put(c, f, &quote, 1))
        return false;
    token_done(c, 'w');
    return true;
}

static bool is_word_byte(const struct clean_frame *f)
{
    unsigned char byte = (unsigned char)*f->p;
    return byte > 0x20 && byte != 0x7f && !strchr("\"'#={}()+,*", byte) && !clean_at(f, "/*");
}

static bool put_word(struct cleaner *c, struct clean_frame *f, const char *start)
{
    bool good = put(c, f, "\"", 1);
    for (const char *p = start; good && p < f->p; p++)
        good = (!strchr("\\$", *p) || put(c, f, "\\", 1)) && put(c, f, p, 1);
    if (!good || !put(c, f, "\"", 1))
        return false;
    token_done(c, 'w');
    return true;
}

/* Whether the first word of all is an INI file's [section]. */
static bool refuse_ini(struct cleaner *c, const struct clean_frame *f, const char *start)
{
    bool ini = c->includes && c->last == '\0' && *start == '[' && f->p[-1] == ']';
    if (ini)
        report_error(c->report, clean_pos(f),
                     "%.*s: this is a file for the knockd that listens to an interface by itself; "
                     "this one wants source \"NAME\" { ... } and door \"NAME\" { ... }, see "
                     "knockd.conf(5)",
                     f->p - start < 64 ? (int)(f->p - start) : 64, start);
    return ini;
}

static bool word(struct cleaner *c, struct clean_frame *f)
{
    const char *start = f->p;
    while (f->p < f->end && is_word_byte(f))
        f->p++;
    if (f->p > start && refuse_ini(c, f, start))
        return false;
    if (f->p == start) {
        report_error(c->report, clean_pos(f),
                     isprint((unsigned char)*start)
                         ? "unexpected %c: put a text that holds it in quotes"
                         : "a control character (0x%02x): remove it",
                     (unsigned char)*start);
        return false;
    }
    if (f->p[-1] == '$' && clean_at(f, "{")) {
        report_error(c->report, clean_pos(f),
                     "${...} is not expanded: write the value itself, or a text in quotes");
        return false;
    }
    if (c->includes && f->p - start == 7 && memcmp(start, "include", 7) == 0 && c->last != '=')
        return config_include(c, f);
    return put_word(c, f, start);
}

static bool mark(struct cleaner *c, struct clean_frame *f)
{
    size_t len = *f->p == '+' ? 2 : 1;
    if (!put(c, f, f->p, len))
        return false;
    f->p += len;
    token_done(c, f->p[-1]);
    return true;
}

/* Moves the text's end up to the last token, so that what comes next stands on that one's line:
 * the place of a section is that of its title. */
static bool move_up(struct cleaner *c, bool wanted)
{
    bool moves = wanted && c->solid_lines < c->out->line_count;
    if (moves) {
        c->out->len = c->solid;
        c->out->line_count = c->solid_lines;
    }
    return moves;
}

static bool open_brace(struct cleaner *c, struct clean_frame *f)
{
    bool moves = move_up(c, c->last == 'w');
    if (c->open < CLEAN_BRACES_MAX)
        c->braces[c->open] = c->out->lines[c->out->line_count - 1];
    c->open++;
    return mark(c, f) && (!moves || clean_newline(c, f));
}

/* libconfuse tells nobody of an empty list, so it gets the empty text, which means the same. */
static bool close_brace(struct cleaner *c, struct clean_frame *f)
{
    bool moves = move_up(c, c->last == '{' && c->before == 'w');
    if (c->open > 0)
        c->open--;
    bool empty_list = c->last == '{' && c->before == '=';
    if (empty_list && !put(c, f, "\"\"", 2))
        return false;
    return mark(c, f) && (!moves || clean_newline(c, f));
}

bool clean_token(struct cleaner *c, struct clean_frame *f)
{
    switch (*f->p) {
    case '\n':
        f->p++;
        f->line++;
        return clean_newline(c, f);
    case ' ':
    case '\t':
    case '\r':
        f->p++;
        return put(c, f, " ", 1);
    case '"':
    case '\'':
        return quoted(c, f);
    case '{':
        return open_brace(c, f);
    case '}':
        return close_brace(c, f);
    case '=':
    case ',':
    case '(':
    case ')':
        return mark(c, f);
    }
    if (clean_at(f, "+="))
        return mark(c, f);
    if (clean_at(f, "/*"))
        return skip_comment(c, f);
    if (*f->p != '#' && !clean_at(f, "//"))
        return word(c, f);
    skip_line(f);
    return true;
}
