#include "lib/config_messages.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/config_schema.h"

enum { NAME_MAX_COMPARED = 64, DISTANCE_MAX = 2 };

static unsigned least(unsigned a, unsigned b, unsigned c)
{
    unsigned ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* How many bytes must be inserted, removed or replaced to make `a` of `b`; over 64 bytes: 64. */
static unsigned distance_of(const char *a, const char *b)
{
    size_t len = strlen(b);
    unsigned row[NAME_MAX_COMPARED];
    if (len >= NAME_MAX_COMPARED || strlen(a) >= NAME_MAX_COMPARED)
        return NAME_MAX_COMPARED;
    for (unsigned j = 0; j <= len; j++)
        row[j] = j;
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            unsigned above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[len];
}

/* Whether the key does something: refused keys are only known to say what to use instead. */
static bool is_accepted(const struct config_key *key)
{
    return key->read && key->read != read_gone;
}

static void closer(const char *word, const char *name, unsigned *best, const char **found)
{
    unsigned distance = distance_of(word, name);
    if (distance < *best && distance < strlen(name) && distance < strlen(word)) {
        *best = distance;
        *found = name;
    }
}

/* The name that may stand here and was perhaps meant. */
static const char *meant(const struct config_messages *w)
{
    const struct config_schema *g = w->schema;
    const char *found = NULL;
    unsigned best = DISTANCE_MAX + 1;
    for (const struct config_key *key = g->kinds[w->kind].keys; key->name; key++)
        if (is_accepted(key))
            closer(w->word, key->name, &best, &found);
    for (unsigned kind = 1; w->kind == 0 && kind < g->kind_count; kind++)
        closer(w->word, g->kinds[kind].name, &best, &found);
    return found;
}

/* The kind of section that has this key, kind_count if none has. */
static unsigned home_of(const struct config_schema *g, const char *word)
{
    unsigned kind = 0;
    for (; kind < g->kind_count; kind++)
        for (const struct config_key *key = g->kinds[kind].keys; key->name; key++)
            if (strcmp(key->name, word) == 0)
                return kind;
    return kind;
}

/* The kind of that name, NULL if there is none. */
static const struct config_kind *kind_named(const struct config_schema *g, const char *word)
{
    for (unsigned kind = 1; kind < g->kind_count; kind++)
        if (strcmp(g->kinds[kind].name, word) == 0)
            return &g->kinds[kind];
    return NULL;
}

/* What may stand in this kind of section. */
static void list_names(const struct config_messages *w, char *out, size_t size)
{
    const struct config_schema *g = w->schema;
    size_t used = 0;
    out[0] = '\0';
    for (const struct config_key *key = g->kinds[w->kind].keys; key->name && used < size; key++)
        if (is_accepted(key))
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "", key->name);
    for (unsigned kind = 1; w->kind == 0 && kind < g->kind_count && used < size; kind++)
        used += (size_t)snprintf(out + used, size - used, " %s", g->kinds[kind].name);
}

static const char *place(const struct config_messages *w, char *out, size_t size)
{
    const char *name = w->schema->kinds[w->kind].name;
    if (w->schema->kind_count == 1)
        snprintf(out, size, "in this file");
    else if (!name)
        snprintf(out, size, "outside of any section");
    else if (w->title)
        snprintf(out, size, "in %s \"%.63s\"", name, w->title);
    else
        snprintf(out, size, "in section %s", name);
    return out;
}

/* What the keys of the other knockd, which listens to an interface by itself, are here. It took
 * names in any case. */
static const char *replacement(const struct config_messages *w)
{
    static const struct {
        const char *name;  /* in lower case */
        const char *where; /* the kind of section; NULL: outside of any */
        const char *advice;
    } rows[] = {
        {"usesyslog", NULL, "remove it: knockd always logs to syslog, by facility"},
        {"logfile", NULL,
         "remove it: knockd logs to syslog, by facility, and to standard error, which may be "
         "redirected to a file"},
        {"pidfile", NULL,
         "remove it: a lock in state_dir decides that knockd runs once, and `pgrep -o -x knockd` "
         "finds it"},
        {"interface", NULL, "give it to a door: interface = eth0"},
        {"command", "door", "write start_command"},
        {"command_6", "door", "write start_command_6"},
        {"timeout", "door", "write seq_timeout"},
    };
    const char *kind = w->schema->kinds[w->kind].name;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bool here = rows[i].where ? kind && strcmp(kind, rows[i].where) == 0 : !kind;
        if (here && strcasecmp(w->word, rows[i].name) == 0)
            return rows[i].advice;
    }
    return NULL;
}

static void unknown_word(const struct config_messages *w, char *out, size_t size)
{
    char where[128], keys[360];
    const char *found = meant(w);
    unsigned home = home_of(w->schema, w->word);
    const char *advice = w->schema == config_schema() ? replacement(w) : NULL;
    place(w, where, sizeof(where));
    if (advice) {
        snprintf(out, size, "%s can't stand %s: %s", w->word, where, advice);
    } else if (w->kind != 0 && kind_named(w->schema, w->word)) {
        snprintf(out, size, "a section %s can't begin %s: is the } of that missing?", w->word,
                 where);
    } else if (home > 0 && home < w->schema->kind_count) {
        snprintf(out, size, "%s can't stand %s: it belongs into a section %s", w->word, where,
                 w->schema->kinds[home].name);
    } else if (home == 0) {
        snprintf(out, size, "%s can't stand %s: it belongs outside of any section", w->word, where);
    } else if (found) {
        snprintf(out, size, "unknown key \"%s\" %s; did you mean %s?", w->word, where, found);
    } else {
        list_names(w, keys, sizeof(keys));
        snprintf(out, size, "unknown key \"%s\" %s: expected one of %s", w->word, where, keys);
    }
}

/* The beginning of a line of the text. */
static const char *line_at(const struct config_text_out *text, int line)
{
    const char *start = text->text;
    for (int i = 1; i < line && *start; i++) {
        start += strcspn(start, "\n");
        start += *start == '\n';
    }
    return start;
}

/* Steps back from `p` over blanks, but not before `line`. */
static const char *back_over_blanks(const char *p, const char *line)
{
    while (p > line && p[-1] == ' ')
        p--;
    return p;
}

/* Steps back from behind a word in quotes to its first quote; NULL: none stands there. */
static const char *back_over_word(const char *p, const char *line)
{
    if (p == line || p[-1] != '"')
        return NULL;
    for (p -= 2; p >= line; p--)
        if (*p == '"')
            return p;
    return NULL;
}

/* The word KEY, in quotes, where `p` stands behind KEY = VALUE; NULL where it doesn't. */
static const char *key_before(const char *p, const char *line)
{
    const char *value = back_over_word(back_over_blanks(p, line), line);
    const char *equal = value ? back_over_blanks(value, line) : line;
    if (equal == line || equal[-1] != '=')
        return NULL;
    return back_over_word(back_over_blanks(equal - 1, line), line);
}

/* Whether the word goes on where a value ended, as -s in rule = INPUT -s, and is no key itself;
 * returns the KEY of that value, or NULL. The cleaner has put each word in quotes. */
static const char *continued_key(const struct config_messages *w)
{
    const char *line = line_at(w->text, w->line);
    char quoted[160];
    snprintf(quoted, sizeof(quoted), "\"%s\"", w->word);
    const char *word = strstr(line, quoted), *end = line + strcspn(line, "\n");
    for (; word && word < end; word = strstr(word + 1, quoted)) {
        const char *key = key_before(word, line);
        const char *after = word + strlen(quoted);
        after += strspn(after, " ");
        if (key && !strchr("={+", *after))
            return key;
    }
    return NULL;
}

static void unknown_key(const struct config_messages *w, char *out, size_t size)
{
    const char *key = w->schema->secret ? NULL : continued_key(w);
    if (key)
        snprintf(out, size, "the value of %.*s holds blanks: put all of it in quotes",
                 (int)strcspn(key + 1, "\"\n"), key + 1);
    else
        unknown_word(w, out, size);
}

/* libconfuse's own way to name a key of a section, meant for programs. */
static void no_path(const struct config_messages *w, char *out, size_t size)
{
    snprintf(out, size, "\"%s\": a key can't hold | or =: remove it", w->word);
}

static void unexpected(const struct config_messages *w, char *out, size_t size)
{
    char where[128];
    const char *advice = "is a brace, comma or = missing before it?";
    if (strcmp(w->word, ",") == 0)
        advice = "expected a list as { a, b }, or the whole text in quotes";
    else if (strcmp(w->word, "=") == 0)
        advice = "expected key = value; is a brace missing before it?";
    snprintf(out, size, "unexpected \"%s\" %s: %s", w->word, place(w, where, sizeof(where)),
             advice);
}

static void no_equal(const struct config_messages *w, char *out, size_t size)
{
    snprintf(out, size, "%s has no value: expected %s = VALUE", w->word, w->word);
}

static void no_brace(const struct config_messages *w, char *out, size_t size)
{
    const struct config_kind *kind = kind_named(w->schema, w->word);
    bool titled = !kind || kind->titled;
    snprintf(out, size, "expected %s%s { ... }", w->word, titled ? " \"NAME\"" : "");
}

static void duplicate(const struct config_messages *w, char *out, size_t size)
{
    snprintf(out, size,
             "a section with the name \"%s\" stands further up already: give this one another name",
             w->word);
}

static void too_many_braces(const struct config_messages *w, char *out, size_t size)
{
    (void)w;
    snprintf(out, size, "this } closes nothing: remove it, or is a { missing further up?");
}

static void unclosed(const struct config_messages *w, char *out, size_t size)
{
    const char *what = w->text->unclosed.line ? "this { is never closed: expected }"
                                              : "the file ends in the middle of a setting";
    snprintf(out, size, "%s", what);
}

static void bad_escape(const struct config_messages *w, char *out, size_t size)
{
    snprintf(out, size, "\"%s\" is no character: expected \\\\ for a backslash, \\\" for a quote",
             w->word);
}

static const struct {
    const char *format;
    void (*write)(const struct config_messages *w, char *out, size_t size);
    bool at_word; /* libconfuse noticed later than at the word that is to blame */
} messages[] = {
    {"no such option '%s'", unknown_key, false},
    {"no sub-section '%s' in '%s'", no_path, false},
    {"no sub-section title/index for '%s'", no_path, false},
    {"unexpected token '%s'", unexpected, false},
    {"missing equal sign after option '%s'", no_equal, true},
    {"missing opening brace for section '%s'", no_brace, true},
    {"missing title for section '%s'", no_brace, true},
    {"found duplicate title '%s'", duplicate, false},
    {"unexpected closing brace", too_many_braces, false},
    {"premature end of file", unclosed, false},
    {"bad escape sequence '%s'", bad_escape, false},
    {"invalid octal number '%s'", bad_escape, false},
};

bool config_messages_known(const char *format)
{
    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++)
        if (strcmp(messages[i].format, format) == 0)
            return true;
    return false;
}

/* The last line up to `line` that has the word, which the cleaner put in quotes. */
static int line_of(const struct config_text_out *text, const char *word, int line)
{
    char quoted[160];
    int found = line;
    snprintf(quoted, sizeof(quoted), "\"%s\"", word);
    const char *start = text->text;
    for (int i = 1; i <= line && *start; i++) {
        size_t len = strcspn(start, "\n");
        if (memmem(start, len, quoted, strlen(quoted)))
            found = i;
        start += len + (start[len] == '\n');
    }
    return found;
}

void config_printable(char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text))
            *text = '?';
}

struct config_pos config_messages(const struct config_messages *w, const char *format, char *out,
                                  size_t size)
{
    int line = w->line;
    snprintf(out, size, "%s", format);
    for (size_t i = 0; i < sizeof(messages) / sizeof(*messages); i++) {
        if (strcmp(messages[i].format, format) != 0)
            continue;
        messages[i].write(w, out, size);
        if (messages[i].at_word)
            line = line_of(w->text, w->word, line);
        if (messages[i].write == unclosed && w->text->unclosed.line) {
            config_printable(out);
            return w->text->unclosed;
        }
    }
    config_printable(out);
    return config_text_pos(w->text, line);
}
