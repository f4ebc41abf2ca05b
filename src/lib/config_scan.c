/* The same borders between tokens as in libconfuse's lexer: a word ends where one of its does. */
#include "lib/config_scan.h"

#include <string.h>

static bool comes_next(const struct config_scan *scan, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(scan->end - scan->p) >= len && memcmp(scan->p, text, len) == 0;
}

static void skip_byte(struct config_scan *scan)
{
    scan->line += *scan->p++ == '\n';
}

static void skip_line(struct config_scan *scan)
{
    while (scan->p < scan->end && *scan->p != '\n')
        scan->p++;
}

/* False, at the comment's beginning, where it has no end. */
static bool skip_comment(struct config_scan *scan)
{
    struct config_scan begin = *scan;
    for (scan->p += 2; scan->p < scan->end; skip_byte(scan))
        if (comes_next(scan, "*/")) {
            scan->p += 2;
            return true;
        }
    *scan = begin;
    return false;
}

/* False, at the beginning of a comment, where that has no end. */
static bool skip_blanks(struct config_scan *scan)
{
    while (scan->p < scan->end) {
        if (*scan->p == ' ' || *scan->p == '\t' || *scan->p == '\r' || *scan->p == '\n')
            skip_byte(scan);
        else if (*scan->p == '#' || comes_next(scan, "//"))
            skip_line(scan);
        else if (!comes_next(scan, "/*"))
            return true;
        else if (!skip_comment(scan))
            return false;
    }
    return true;
}

static enum config_token_kind scan_quoted(struct config_scan *scan)
{
    char quote = *scan->p++;
    for (; scan->p < scan->end && *scan->p != '\n'; skip_byte(scan)) {
        if (*scan->p == quote) {
            scan->p++;
            return TOKEN_QUOTED;
        }
        if (*scan->p == '\\' && scan->p + 1 < scan->end)
            scan->p++;
    }
    return TOKEN_OPEN_QUOTE;
}

static enum config_token_kind scan_word(struct config_scan *scan)
{
    const char *start = scan->p;
    for (; scan->p < scan->end; scan->p++) {
        unsigned char byte = (unsigned char)*scan->p;
        if (byte <= 0x20 || byte == 0x7f || strchr("\"'#={}()+,*", byte) || comes_next(scan, "/*"))
            break;
    }
    if (scan->p > start)
        return TOKEN_WORD;
    scan->p++;
    return TOKEN_STRAY;
}

static enum config_token_kind scan_token(struct config_scan *scan)
{
    if (scan->p == scan->end)
        return TOKEN_END;
    if (*scan->p == '"' || *scan->p == '\'')
        return scan_quoted(scan);
    size_t mark = comes_next(scan, "+=") ? 2 : *scan->p && strchr("{}()=,", *scan->p) ? 1 : 0;
    scan->p += mark;
    return mark ? TOKEN_MARK : scan_word(scan);
}

struct config_token config_scan_next(struct config_scan *scan)
{
    bool closed = skip_blanks(scan);
    struct config_token token = {.text = scan->p, .line = scan->line};
    if (!closed)
        scan->p = scan->end;
    token.kind = closed ? scan_token(scan) : TOKEN_OPEN_COMMENT;
    token.len = (size_t)(scan->p - token.text);
    return token;
}

bool config_token_is(const struct config_token *token, char mark)
{
    return token->kind == TOKEN_MARK && *token->text == mark;
}

bool config_token_is_word(const struct config_token *token)
{
    return token->kind == TOKEN_WORD || token->kind == TOKEN_QUOTED;
}

bool config_token_equals(const struct config_token *token, const char *text)
{
    size_t quote = token->kind == TOKEN_QUOTED, len = strlen(text);
    return (config_token_is_word(token) || token->kind == TOKEN_MARK) &&
           token->len == len + 2 * quote && memcmp(token->text + quote, text, len) == 0;
}
