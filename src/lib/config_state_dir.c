/*
 * The state folder out of a file that is wrong somewhere: the doors that an earlier run left open
 * are closed all the same. So nothing here is ever an error; what isn't found isn't there.
 */
#include <stdio.h>
#include <string.h>

#include "lib/config.h"
#include "lib/config_file.h"

static const char key[] = "state_dir";

struct scan {
    const char *p, *end;
};

static bool at(const struct scan *s, const char *text)
{
    size_t len = strlen(text);
    return (size_t)(s->end - s->p) >= len && memcmp(s->p, text, len) == 0;
}

static void skip_line(struct scan *s)
{
    while (s->p < s->end && *s->p != '\n')
        s->p++;
}

static void skip_comment(struct scan *s)
{
    while (s->p < s->end && !at(s, "*/"))
        s->p++;
    s->p += s->p < s->end ? 2 : 0;
}

/* To the next word: past blanks, comments, and what stands between words. */
static void skip_blanks(struct scan *s)
{
    while (s->p < s->end) {
        if (*s->p == '#' || at(s, "//"))
            skip_line(s);
        else if (at(s, "/*"))
            skip_comment(s);
        else if (strchr(" \t\r\n{},;+", *s->p))
            s->p++;
        else
            return;
    }
}

/* Takes a word, or a text in quotes without them. One without its second quote ends with the line:
 * that may be the very mistake. */
static size_t take_word(struct scan *s, const char **word)
{
    char quote = *s->p == '"' || *s->p == '\'' ? *s->p : '\0';
    s->p += quote != '\0';
    *word = s->p;
    const char *ends = quote ? "\n" : " \t\r\n{},;=#\"'";
    while (s->p < s->end && *s->p != '\0' && *s->p != quote && !strchr(ends, *s->p))
        s->p++;
    size_t len = (size_t)(s->p - *word);
    /* One byte at least is gone, or this would never end. */
    s->p += s->p < s->end && (quote ? *s->p == quote : len == 0);
    return len;
}

bool config_scan_state_dir(const char *text, size_t len, char *out, size_t size)
{
    struct scan s = {text, text + len};
    const char *word;
    for (skip_blanks(&s); s.p < s.end; skip_blanks(&s)) {
        bool bare = *s.p != '"' && *s.p != '\'';
        size_t got = take_word(&s, &word);
        bool found = bare && got == strlen(key) && memcmp(word, key, got) == 0;
        skip_blanks(&s);
        if (!found || s.p == s.end || *s.p != '=')
            continue;
        s.p++;
        skip_blanks(&s);
        got = s.p < s.end ? take_word(&s, &word) : 0;
        if (got == 0 || got >= size || *word != '/' || memchr(word, '\\', got))
            return false;
        memcpy(out, word, got);
        out[got] = '\0';
        return true;
    }
    return false;
}

static void say_nothing(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    (void)text;
}

/* What is wrong with the file has been told by whoever wanted to use it. */
static bool from_config(const char *path, char *out, size_t size)
{
    struct report report = {.say = say_nothing};
    struct config *config = config_load(path, &report);
    size_t len = config ? strlen(config->state_dir) : 0;
    bool good = config && len < size;
    if (good)
        memcpy(out, config->state_dir, len + 1);
    config_free(config);
    return good;
}

bool config_find_state_dir(const char *path, char *out, size_t size)
{
    struct config_file file;
    const char *why;
    if (from_config(path, out, size))
        return true;
    if (!config_file_read(path, &file, &why))
        return false;
    if (!config_scan_state_dir(file.data, file.len, out, size))
        snprintf(out, size, "%s", CONFIG_STATE_DIR);
    config_file_free(&file);
    return true;
}
