/*
 * One walk over the text, as a shell would read it, writes both forms of a command at once, and
 * learns whether the plain one will do. What it isn't sure to read as the shell does is refused.
 */
#include "knockctl/import_command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/command_words.h"
#include "lib/shell_syntax.h"

enum { DEPTH_MAX = 32, ADDRESS_LONGEST = 45 };

/* What the walk is within: ' and ", $( or (, a backquote, ${. */
enum context { OPEN, SINGLE, DOUBLE, PAREN, BACKQUOTE, BRACE };

struct walk {
    const char *start, *p;
    FILE *plain, *script;
    enum context stack[DEPTH_MAX];
    unsigned depth;      /* stack[depth] is where the walk is */
    const char *address; /* how the script writes its argument */
    const char *behind;  /* the last operator's character */
    bool shell;
    bool both_redirects; /* the shell reads &> as a redirection, for sure */
    bool softened;       /* within '...', which the script has as "..." */
    struct import_command *out;
};

static const char unsure[] =
    "its quotes, substitutions and address are too entangled to be sure of";

static void put(struct walk *w, char c)
{
    fputc(c, w->plain);
    fputc(c, w->script);
}

static bool push(struct walk *w, enum context context)
{
    if (w->depth + 1 == DEPTH_MAX) {
        w->out->why = unsure;
        return false;
    }
    w->stack[++w->depth] = context;
    return true;
}

static bool give_up(struct walk *w, const char *why)
{
    w->out->why = why;
    return false;
}

static enum context where(const struct walk *w)
{
    return w->stack[w->depth];
}

static bool starts_word(const struct walk *w)
{
    return w->p == w->start || strchr(" \t;&|()<>", w->p[-1]);
}

/* --- the script's argument in place of %IP% --- */

static bool put_address(struct walk *w)
{
    bool quote = where(w) == OPEN, end = where(w) == SINGLE && !w->softened;
    if (w->p > w->start && where(w) != SINGLE && strchr("\\$", w->p[-1]))
        return give_up(w, unsure);
    fputs("%IP%", w->plain);
    fprintf(w->script, "%s%s%s%s%s", end ? "'" : "", end || quote ? "\"" : "", w->address,
            end || quote ? "\"" : "", end ? "'" : "");
    w->p += 4;
    return true;
}

/* Functions and `set` have arguments of their own, so the address goes by another name there. */
static bool hides_arguments(const char *old)
{
    return strstr(old, "()") || strstr(old, "( )") || strstr(old, "set ") || strstr(old, "shift");
}

/* --- steps of the walk, by where it is --- */

static bool step_single(struct walk *w)
{
    bool quote = *w->p == '\'';
    w->depth -= quote;
    fputc(*w->p, w->plain);
    fputc(quote && w->softened ? '"' : *w->p, w->script);
    w->p++;
    return true;
}

/* Whether '...' at the walk may be "..." as well, within which the address can stand. */
static bool can_soften(const struct walk *w)
{
    size_t len = strcspn(w->p + 1, "'");
    return where(w) != BACKQUOTE && strcspn(w->p + 1, "$`\"\\") >= len;
}

static bool is_control(char c)
{
    return ((unsigned char)c < 0x20 && c != '\t') || c == 0x7f;
}

static bool step_backslash(struct walk *w)
{
    w->shell = true;
    if (!w->p[1])
        return give_up(w, "it ends with a backslash");
    put(w, *w->p++);
    if (*w->p == '%' || is_control(*w->p))
        return true;
    put(w, *w->p++);
    return true;
}

/* At the ( or { behind a $. */
static bool step_into(struct walk *w)
{
    bool good = push(w, *w->p == '(' ? PAREN : BRACE);
    put(w, *w->p++);
    return good;
}

/* At a $. */
static bool step_dollar(struct walk *w)
{
    w->shell = true;
    put(w, *w->p++);
    if (*w->p && strchr("123456789@*#", *w->p))
        w->out->arguments = true;
    if (*w->p && strchr("0123456789@*#$!?-", *w->p))
        put(w, *w->p++);
    else if (*w->p == '(' || *w->p == '{')
        return step_into(w);
    return true;
}

static bool step_backquote(struct walk *w)
{
    w->shell = true;
    put(w, *w->p++);
    if (where(w) == BACKQUOTE) {
        w->depth--;
        return true;
    }
    for (unsigned i = 0; i <= w->depth; i++)
        if (w->stack[i] == BACKQUOTE)
            return give_up(w, unsure);
    return push(w, BACKQUOTE);
}

typedef bool step_function(struct walk *w);

/* What stands for something else, in double quotes and outside of any: what takes it; else NULL. */
static step_function *special_step(const struct walk *w)
{
    switch (*w->p) {
    case '\\':
        return step_backslash;
    case '$':
        return step_dollar;
    case '`':
        return step_backquote;
    default:
        return NULL;
    }
}

static bool step_double(struct walk *w)
{
    step_function *special = special_step(w);
    if (special)
        return special(w);
    w->depth -= *w->p == '"';
    put(w, *w->p++);
    return true;
}

static bool step_brace(struct walk *w)
{
    if (*w->p == '\\')
        return step_backslash(w);
    if (*w->p == '$')
        return step_dollar(w);
    if (strchr("'\"`", *w->p))
        return give_up(w, unsure);
    w->depth -= *w->p == '}';
    put(w, *w->p++);
    return true;
}

/* In a backquote within double quotes, shells differ about quotes. */
static bool is_entangled(const struct walk *w)
{
    return where(w) == BACKQUOTE && w->depth > 1;
}

static bool step_quote(struct walk *w)
{
    if (is_entangled(w))
        return give_up(w, unsure);
    bool single = *w->p == '\'';
    w->softened = single && can_soften(w);
    bool good = push(w, single ? SINGLE : DOUBLE);
    fputc(*w->p, w->plain);
    fputc(w->softened ? '"' : *w->p, w->script);
    w->p++;
    return good;
}

/* At an & that may leave what stands before it in the background: &>, which dash reads as & and
 * then >, may, too. */
static bool leave_in_background(struct walk *w)
{
    if (w->p[1] == '>' && w->both_redirects)
        return true;
    if (w->p[1] == '>')
        w->out->both = true;
    else
        w->out->background = true;
    return w->depth == 0 ||
           give_up(w, "the & in its parentheses may leave something in the background, which "
                      "nothing outside of them can wait for");
}

static bool step_operator(struct walk *w)
{
    char before = w->behind == w->p ? w->p[-1] : '\0';
    w->shell = true;
    w->behind = w->p + 1;
    if (*w->p == '&' && !(before && strchr("&<>|;", before)) && w->p[1] != '&' &&
        !leave_in_background(w))
        return false;
    if (*w->p == '(' && !push(w, PAREN))
        return false;
    if (*w->p == ')' && where(w) == PAREN)
        w->depth--;
    put(w, *w->p++);
    return true;
}

/* Behind an escaped blank, or what may be the end of a word. */
static bool is_doubtful(const struct walk *w)
{
    return w->p > w->start && (w->p[-1] == ')' || (w->p - 1 > w->start && w->p[-2] == '\\'));
}

static bool step_open(struct walk *w)
{
    step_function *special = special_step(w);
    if (special)
        return special(w);
    if (*w->p == '\'' || *w->p == '"')
        return step_quote(w);
    if (strchr(";&|<>()", *w->p))
        return step_operator(w);
    if (*w->p == '#' && starts_word(w)) {
        if (w->depth > 0 || is_doubtful(w))
            return give_up(w, "it isn't clear whether its # begins a comment");
        w->out->commented = true;
        w->p += strlen(w->p);
        return true;
    }
    /* Its patterns end with parentheses that nothing opened. */
    if (w->depth > 0 && starts_word(w) && strncmp(w->p, "case", 4) == 0)
        return give_up(w, unsure);
    w->shell |= strchr("*?[", *w->p) || (*w->p == '~' && starts_word(w));
    put(w, *w->p++);
    return true;
}

static bool step(struct walk *w)
{
    if (is_control(*w->p))
        return give_up(w, "it holds a control character");
    if (strncmp(w->p, "%IP%", 4) == 0)
        return put_address(w);
    if (*w->p == '%') {
        put(w, '%');
        put(w, '%');
        w->p++;
        return true;
    }
    switch (where(w)) {
    case SINGLE:
        return step_single(w);
    case DOUBLE:
        return step_double(w);
    case BRACE:
        return step_brace(w);
    default:
        return step_open(w);
    }
}

static bool walk_all(struct walk *w)
{
    while (*w->p)
        if (!step(w))
            return false;
    return w->depth == 0 || give_up(w, "a quote or parenthesis in it isn't closed");
}

/* --- sleeps --- */

static unsigned seconds_at(const char *text)
{
    char *unit;
    unsigned long value = strtoul(text, &unit, 10);
    unsigned long factor = *unit == 'm' ? 60 : *unit == 'h' ? 3600 : *unit == 'd' ? 86400 : 1;
    return value > 1000000 ? 100000000 : (unsigned)(value * factor);
}

static unsigned count_sleeps(const char *old)
{
    uint64_t sum = 0;
    for (const char *p = old; (p = strstr(p, "sleep ")); p += 6)
        if (p == old || strchr(" \t;&|(/'\"`{", p[-1]))
            sum += seconds_at(p + 6 + strspn(p + 6, " \t"));
    return sum > 100000000 ? 100000000 : (unsigned)sum;
}

/* --- what goes on in the background --- */

/* The first `word` from `text` on that is a word of its own, or at least looks so. */
static const char *find_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    const char *start = text;
    for (const char *p = text; (p = strstr(p, word)); p++)
        if ((p == start || strchr(" \t;&|()`{}!'\"", p[-1])) &&
            (!p[len] || strchr(" \t;&|()<>`'\"", p[len])))
            return p;
    return NULL;
}

/* Whether nothing but redirections stands behind an exec, which then replaces no shell. */
static bool is_redirection_alone(const char *p)
{
    for (;;) {
        p += strspn(p, " \t");
        const char *sign = p + strspn(p, "0123456789");
        if (!*sign || !strchr("<>", *sign))
            return !*p || strchr(";&|", *p);
        p = sign + strspn(sign, "<>&|");
        p += strspn(p, " \t");
        p += strcspn(p, " \t;&|<>()");
    }
}

static bool is_replaced(const char *old)
{
    for (const char *p = old; (p = find_word(p, "exec")); p += 4)
        if (!is_redirection_alone(p + 4))
            return true;
    return false;
}

static bool has_pipe(const char *old)
{
    for (const char *p = old; (p = strchr(p, '|')); p += 2)
        if (p[1] != '|')
            return true;
    return false;
}

/* Whether a part of a pipe, which a shell of its own runs, may hold several commands. */
static bool pipes_lists(const char *old)
{
    static const char *const words[] = {"{", "do", "then", "else", "in", "eval", NULL};
    if (!has_pipe(old))
        return false;
    for (const char *const *word = words; *word; word++)
        if (find_word(old, *word))
            return true;
    return false;
}

/* Why the shell wouldn't wait at its exit for what `old` leaves in the background, which would be
 * killed then, and might be what closes the door; NULL: it waits. */
static const char *find_unwaited(const char *old)
{
    if (is_replaced(old))
        return "it leaves something in the background, and its exec replaces the shell that would "
               "wait for that";
    if (find_word(old, "trap"))
        return "it leaves something in the background, and its trap may take the place of ours, "
               "which waits for that";
    if (pipes_lists(old))
        return "its & may leave something in the background of a pipe, which nothing outside can "
               "wait for";
    return NULL;
}

/* --- the result --- */

/* Words have no escapes: a ' goes in "...". */
static void put_quoted(FILE *out, const char *text)
{
    bool open = false;
    if (strchr(text, '\'') && !strchr(text, '"')) {
        fprintf(out, "\"%s\"", text);
        return;
    }
    for (; *text; text++) {
        if ((*text == '\'') == open) {
            fputc('\'', out);
            open = !open;
        }
        if (*text == '\'')
            fputs("\"'\"", out);
        else
            fputc(*text, out);
    }
    if (open)
        fputc('\'', out);
}

static void trim_end(char *text)
{
    size_t len = strlen(text);
    while (len > 0 && strchr(" \t", text[len - 1]) && (len == 1 || text[len - 2] != '\\'))
        text[--len] = '\0';
}

/* Whether a word of the script names a program that only /usr/local has, which the other knockd's
 * PATH held. */
static bool is_local(const char *script, const struct import_programs *programs)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
    char name[64], path[4096];
    for (size_t len; *script; script += len) {
        script += strcspn(script, letters);
        len = strspn(script, letters);
        if (len == 0 || len >= sizeof(name) || memchr(script, '/', len))
            continue;
        snprintf(name, sizeof(name), "%.*s", (int)len, script);
        if (programs->find(programs->arg, name, path, sizeof(path)) && *path)
            return true;
    }
    return false;
}

/* "/bin/sh -c '...' sh %IP%" */
static char *shell_command(const char *shell, const char *script,
                           const struct import_programs *programs, const struct import_command *out,
                           bool renamed)
{
    char *body = NULL, *text = NULL;
    const char *address = renamed ? "knock_ip=$1; " : "";
    const char *path =
        is_local(script, programs) ? "PATH=/usr/local/sbin:/usr/local/bin:$PATH; " : "";
    /* In front, it neither changes the exit status nor meets the end of the script, whatever that
     * is: an exit, a ; or an &. */
    const char *wait = out->background || out->both ? "trap wait EXIT; " : "";
    size_t size;
    if (asprintf(&body, "%s%s%s%s", wait, path, address, script) < 0)
        return NULL;
    FILE *file = open_memstream(&text, &size);
    if (file) {
        fprintf(file, "%s -c ", shell);
        put_quoted(file, body);
        fputs(" sh %IP%", file);
        if (fclose(file) != 0) {
            free(text);
            text = NULL;
        }
    }
    free(body);
    return text;
}

static size_t expanded_length(const char *text)
{
    size_t len = strlen(text);
    for (const char *p = text; (p = strstr(p, "%IP%")); p += 4)
        len += ADDRESS_LONGEST;
    return len;
}

static bool fits(const char *text)
{
    struct command_words words;
    return expanded_length(text) < COMMAND_WORDS_SIZE - COMMAND_WORDS_MAX &&
           !command_words_split(text, &words);
}

/* What the shell knows without a program of that name. */
static bool is_builtin(const char *name)
{
    static const char *const names[] = {".",     ":",     "[",     "alias",  "break",  "cd",
                                        "case",  "eval",  "exec",  "exit",   "export", "for",
                                        "if",    "local", "read",  "set",    "shift",  "source",
                                        "test",  "trap",  "type",  "ulimit", "umask",  "unset",
                                        "until", "wait",  "while", "{",      "!",      NULL};
    for (const char *const *known = names; *known; known++)
        if (strcmp(*known, name) == 0)
            return true;
    return false;
}

/* Replaces the first word of *plain by `path`. */
static bool rename_program(char **plain, const char *path)
{
    const char *rest = *plain;
    struct command_word word;
    char *text;
    command_word_take(&rest, &word);
    if (asprintf(&text, "%s%s", path, rest) < 0)
        return false;
    free(*plain);
    *plain = text;
    return true;
}

/* Looks at the first word: whether a program of that name can be run without a shell. */
static bool check_program(char **plain, const struct import_programs *programs, bool *shell,
                          struct import_command *out)
{
    struct command_words words;
    char path[4096] = "";
    if (command_words_split(*plain, &words)) {
        *shell = true;
        return true;
    }
    const char *name = words.words[0];
    if (strpbrk(name, " \t%=")) {
        out->quoted = strpbrk(name, " \t") && !words.words[1];
        *shell = true;
        return true;
    }
    snprintf(out->name, sizeof(out->name), "%s", name);
    bool relative = *name != '/' && strchr(name, '/');
    if (!is_builtin(name) && !relative && programs->find(programs->arg, name, path, sizeof(path)))
        return *path == '\0' || rename_program(plain, path);
    out->missing = !is_builtin(name);
    *shell = true;
    return true;
}

/* Whether &> is a redirection to the shell, for sure. */
static bool takes_both(const char *shell)
{
    const char *name = command_base_name(shell);
    return strcmp(name, "bash") == 0 || strcmp(name, "zsh") == 0;
}

static bool is_shell(const char *program)
{
    static const char *const names[] = {"sh", "dash", "ash", "ksh", "mksh", NULL};
    for (const char *const *name = names; *name; name++)
        if (strcmp(command_base_name(program), *name) == 0)
            return true;
    return takes_both(program);
}

static bool convert(const char *old, const struct import_programs *programs, const char *shell,
                    struct import_command *out);

/* `sh -c '...'` with %IP%, or something in the background: the script is converted, instead of
 * wrapped in another one. */
static bool convert_inner(const char *plain, const struct import_programs *programs,
                          struct import_command *out, bool *done)
{
    struct command_words words;
    struct command_word word;
    struct import_command inner = *out;
    bool holds = shell_syntax_find(plain, &word) == SHELL_PLACEHOLDER;
    *done = false;
    if (command_words_split(plain, &words) || !words.words[1] || !words.words[2] ||
        words.words[3] || strcmp(words.words[1], "-c") != 0 ||
        !(holds || (is_shell(words.words[0]) && strchr(words.words[2], '&'))))
        return true;
    char *to = words.words[2];
    for (const char *from = to; *from; from++) {
        *to++ = *from;
        from += *from == '%' && from[1] == '%';
    }
    *to = '\0';
    bool good = convert(words.words[2], programs, words.words[0], &inner);
    *done = holds || inner.background || inner.both;
    if (*done)
        *out = inner;
    else
        import_command_free(&inner);
    return good;
}

/* Chooses between the two forms; takes both over. */
static bool choose(char *plain, char *script, const struct import_programs *programs,
                   const char *shell, bool renamed, bool needs_shell, struct import_command *out)
{
    struct command_word word;
    bool done = false, good = true;
    trim_end(plain);
    trim_end(script);
    if (!*plain)
        out->why = "it is nothing but a comment";
    else if (!needs_shell && !shell)
        good = check_program(&plain, programs, &needs_shell, out);
    if (good && !out->why && !needs_shell && !shell)
        good = convert_inner(plain, programs, out, &done);
    if (good && !out->why && !done) {
        out->shell = shell || needs_shell || !fits(plain) ||
                     shell_syntax_find(plain, &word) != SHELL_NOTHING;
        out->text = out->shell
                        ? shell_command(shell ? shell : "/bin/sh", script, programs, out, renamed)
                        : strdup(plain);
        good = out->text != NULL;
    }
    free(plain);
    free(script);
    return good;
}

/* By `shell`, unless that is NULL. */
static bool convert(const char *old, const struct import_programs *programs, const char *shell,
                    struct import_command *out)
{
    char *plain = NULL, *script = NULL;
    size_t plain_size, script_size;
    bool renamed = hides_arguments(old);
    struct walk w = {.start = old,
                     .p = old,
                     .plain = open_memstream(&plain, &plain_size),
                     .script = open_memstream(&script, &script_size),
                     .address = renamed ? "${knock_ip}" : "$1",
                     .both_redirects = shell && takes_both(shell),
                     .out = out};
    bool good = w.plain && w.script;
    bool read = good && walk_all(&w);
    if (read && (out->background || out->both))
        read = !(out->why = find_unwaited(old));
    out->sleeps = count_sleeps(old);
    good &= !w.plain || fclose(w.plain) == 0;
    good &= !w.script || fclose(w.script) == 0;
    if (good && read)
        return choose(plain, script, programs, shell, renamed, w.shell, out);
    free(plain);
    free(script);
    return good;
}

bool import_command(const char *old, const struct import_programs *programs, bool by_shell,
                    struct import_command *out)
{
    struct command_word word;
    *out = (struct import_command){0};
    if (!convert(old, programs, by_shell ? "/bin/sh" : NULL, out))
        return false;
    if (out->text && (!fits(out->text) || shell_syntax_find(out->text, &word) != SHELL_NOTHING)) {
        free(out->text);
        out->text = NULL;
        out->why = fits(old) ? unsure : "it is too long for one command";
    }
    return true;
}

void import_command_free(struct import_command *command)
{
    free(command->text);
    command->text = NULL;
}
