/*
 * Explains why libconfuse stopped: by the word that it named, by the schema, and by the tokens
 * before that place.
 */
#include "lib/config_messages.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/config_scan.h"
#include "lib/config_section.h"
#include "lib/config_values.h"
#include "lib/nearest.h"

/* Whether the key may be written: others are in the schema for their error message alone. */
static bool is_accepted(const struct config_key *key)
{
    return key->read && key->read != read_gone;
}

/* The name nearest to the word, of those that may stand here. */
static const char *nearest_name(const struct config_failure *f)
{
    const struct config_schema *schema = f->schema;
    struct nearest nearest = nearest_to(f->word);
    for (const struct config_key *key = schema->kinds[f->kind].keys; key->name; key++)
        if (is_accepted(key))
            nearest_compare(&nearest, key->name);
    for (unsigned kind = 1; f->kind == 0 && kind < schema->kind_count; kind++)
        nearest_compare(&nearest, schema->kinds[kind].name);
    return nearest.found;
}

/* The kind of section that has this key, kind_count if none has. */
static unsigned home_of(const struct config_schema *schema, const char *word)
{
    unsigned kind = 0;
    for (; kind < schema->kind_count; kind++)
        for (const struct config_key *key = schema->kinds[kind].keys; key->name; key++)
            if (strcmp(key->name, word) == 0)
                return kind;
    return kind;
}

/* The kind of that name, NULL if there is none. */
static const struct config_kind *kind_named(const struct config_schema *schema, const char *word)
{
    for (unsigned kind = 1; kind < schema->kind_count; kind++)
        if (strcmp(schema->kinds[kind].name, word) == 0)
            return &schema->kinds[kind];
    return NULL;
}

/* What may stand in this kind of section. */
static void list_names(const struct config_failure *f, char *out, size_t size)
{
    const struct config_schema *schema = f->schema;
    size_t used = 0;
    out[0] = '\0';
    for (const struct config_key *key = schema->kinds[f->kind].keys; key->name && used < size;
         key++)
        if (is_accepted(key))
            used += (size_t)snprintf(out + used, size - used, "%s%s", used ? " " : "", key->name);
    for (unsigned kind = 1; f->kind == 0 && kind < schema->kind_count && used < size; kind++)
        used += (size_t)snprintf(out + used, size - used, " %s", schema->kinds[kind].name);
}

static const char *section_name(const struct config_failure *f, char *out, size_t size)
{
    const char *name = f->schema->kinds[f->kind].name;
    if (f->schema->kind_count == 1)
        snprintf(out, size, "in this file");
    else if (!name)
        snprintf(out, size, "outside of any section");
    else if (f->title)
        snprintf(out, size, "in %s \"%.63s\"", name, f->title);
    else
        snprintf(out, size, "in section %s", name);
    return out;
}

/* What to write in place of a key that this program doesn't have; NULL: nothing known. */
static const char *replacement(const struct config_failure *f)
{
    const char *kind = f->schema->kinds[f->kind].name;
    for (const struct config_replaced *row = f->schema->replaced; row && row->name; row++) {
        bool here = row->kind ? kind && strcmp(kind, row->kind) == 0 : !kind;
        if (here && strcasecmp(f->word, row->name) == 0)
            return row->advice;
    }
    return NULL;
}

static void unknown_word(const struct config_failure *f, char *out, size_t size)
{
    char where[128], keys[360];
    const char *found = nearest_name(f);
    unsigned home = home_of(f->schema, f->word);
    const char *advice = replacement(f);
    section_name(f, where, sizeof(where));
    if (advice) {
        snprintf(out, size, "%s can't stand %s: %s", f->word, where, advice);
    } else if (f->kind != 0 && kind_named(f->schema, f->word)) {
        snprintf(out, size, "a section %s can't begin %s: is the } of that missing?", f->word,
                 where);
    } else if (home > 0 && home < f->schema->kind_count) {
        snprintf(out, size, "%s can't stand %s: it belongs into a section %s", f->word, where,
                 f->schema->kinds[home].name);
    } else if (home == 0) {
        snprintf(out, size, "%s can't stand %s: it belongs outside of any section", f->word, where);
    } else if (found) {
        snprintf(out, size, "unknown key \"%s\" %s; did you mean %s?", f->word, where, found);
    } else {
        list_names(f, keys, sizeof(keys));
        snprintf(out, size, "unknown key \"%s\" %s: expected one of %s", f->word, where, keys);
    }
}

static void unexpected(const struct config_failure *f, char *out, size_t size)
{
    char where[128];
    const char *advice = "is a brace, comma or = missing before it?";
    if (strcmp(f->word, ",") == 0)
        advice = "expected a list as { a, b }, or the whole text in quotes";
    else if (strcmp(f->word, "=") == 0)
        advice = "expected key = value; is a brace missing before it?";
    snprintf(out, size, "unexpected \"%s\" %s: %s", f->word, section_name(f, where, sizeof(where)),
             advice);
}

static void no_value(const struct config_token *key, char *out, size_t size)
{
    int len = (int)key->len;
    snprintf(out, size, "%.*s has no value: expected %.*s = VALUE", len, key->text, len, key->text);
}

static void no_section(const struct config_kind *kind, char *out, size_t size)
{
    snprintf(out, size, "expected %s%s { ... }", kind->name, kind->titled ? " \"NAME\"" : "");
}

/* --- what the tokens before that place show --- */

/* The last tokens of the text up to some place. */
struct recent {
    struct config_token t[5]; /* t[4]: the last */
    bool list;                /* it stands in a list */
};

static bool assigns(const struct config_token *token)
{
    return config_token_is(token, '=') || config_token_is(token, '+');
}

static bool next_token(struct config_scan *scan, struct recent *recent)
{
    memmove(&recent->t[0], &recent->t[1], 4 * sizeof(recent->t[0]));
    recent->t[4] = config_scan_next(scan);
    if (config_token_is(&recent->t[4], '{'))
        recent->list = assigns(&recent->t[3]);
    else if (config_token_is(&recent->t[4], '}'))
        recent->list = false;
    return recent->t[4].kind != TOKEN_END;
}

/* Whether the token may be what libconfuse named: one with an escape in it can't be compared. */
static bool is_named(const struct config_failure *f, const struct config_token *token)
{
    bool escape = token->kind == TOKEN_QUOTED && memchr(token->text, '\\', token->len);
    return token->line == f->line && (escape || config_token_equals(token, f->word));
}

/* The key of that name in the section, NULL if it has none. */
static const struct config_key *key_named(const struct config_failure *f,
                                          const struct config_token *token)
{
    for (const struct config_key *key = f->schema->kinds[f->kind].keys; key->name; key++)
        if (token->kind == TOKEN_WORD && config_token_equals(token, key->name))
            return key;
    return NULL;
}

/* Whether two items of a list have no comma between them, the second of which stopped libconfuse.
 */
static bool lacks_comma(const struct config_failure *f, const struct recent *r)
{
    return r->list && config_token_is_word(&r->t[3]) && is_named(f, &r->t[4]);
}

/* Whether a value goes on behind a blank, as in rule = INPUT -s. A key begins a
 * setting of its own, and so does what is followed by = or {. */
static bool holds_blank(const struct config_failure *f, const struct recent *r)
{
    const struct config_token *key = &r->t[0], *first = &r->t[2], *second = &r->t[3];
    const struct config_token *next = &r->t[4];
    if (f->schema->secret || !config_token_is_word(key) || !assigns(&r->t[1]) ||
        !config_token_is_word(first) || !config_token_is_word(second) || !is_named(f, second) ||
        first->line != second->line)
        return false;
    return !key_named(f, second) && (f->kind > 0 || !kind_named(f->schema, f->word)) &&
           !assigns(next) && !config_token_is(next, '{');
}

/* The key whose line ends behind =, so that what the next line begins with was taken for its value;
 * NULL: none. */
static const struct config_token *key_without_value(const struct config_failure *f,
                                                    const struct recent *r)
{
    const struct config_token *last = &r->t[4], *key = NULL;
    bool stopped = is_named(f, last), brace = config_token_is(last, '{');
    if (stopped && config_token_is(last, '}') && assigns(&r->t[3]))
        key = &r->t[2];
    else if (stopped && (assigns(last) || brace) && assigns(&r->t[2]))
        key = &r->t[1];
    else if (brace && is_named(f, &r->t[3]) && assigns(&r->t[1]))
        key = &r->t[0];
    return key && key[1].line < key[2].line && key_named(f, key) ? key : NULL;
}

/* Looks for what is always wrong up to the line where libconfuse stopped: that is why it did.
 * Returns the line that is to blame; 0: nothing was found. */
static int explain_by_tokens(const struct config_failure *f, char *out, size_t size)
{
    struct config_scan scan = {f->text->text, f->text->text + f->text->len, 1};
    struct recent recent = {0};
    bool more = true;
    while (more && recent.t[3].line <= f->line) {
        more = next_token(&scan, &recent);
        const struct config_token *key = key_without_value(f, &recent);
        if (key) {
            no_value(key, out, size);
            return key->line;
        }
        if (lacks_comma(f, &recent)) {
            unexpected(f, out, size);
            return f->line;
        }
        if (holds_blank(f, &recent)) {
            const struct config_token *name = &recent.t[0];
            size_t quote = name->kind == TOKEN_QUOTED;
            snprintf(out, size, "the value of %.*s holds blanks: put all of it in quotes",
                     (int)(name->len - 2 * quote), name->text + quote);
            return f->line;
        }
    }
    return 0;
}

/* The text ended, or closed what isn't open. */
static int explain_end(const struct config_failure *f, char *out, size_t size)
{
    struct config_scan scan = {f->text->text, f->text->text + f->text->len, 1};
    struct recent recent = {0};
    const struct config_token *key = &recent.t[2], *last = &recent.t[3];
    while (next_token(&scan, &recent))
        ;
    if (f->text->stray) {
        snprintf(out, size, "this } closes nothing: remove it, or is a { missing further up?");
        return f->text->stray;
    }
    if (f->text->unclosed) {
        snprintf(out, size, "this { is never closed: expected }");
        return f->text->unclosed;
    }
    if (config_token_equals(last, "include"))
        snprintf(out, size, "expected include(\"FILE\")");
    else if (assigns(last) && key_named(f, key))
        snprintf(out, size, "the file ends in the middle of a setting: expected %.*s = VALUE",
                 (int)key->len, key->text);
    else
        snprintf(out, size, "the file ends in the middle of a setting");
    return last->line;
}

/* Whether the word is a piece of a longer one on that line, which libconfuse took for the path of a
 * key in another section. */
static bool is_piece(const struct config_failure *f)
{
    struct config_scan scan = {f->text->text, f->text->text + f->text->len, 1};
    struct recent recent = {0};
    bool piece = false;
    while (next_token(&scan, &recent) && recent.t[4].line <= f->line) {
        const struct config_token *token = &recent.t[4];
        if (is_named(f, token))
            return false;
        piece |= token->line == f->line && config_token_is_word(token) &&
                 memmem(token->text, token->len, f->word, strlen(f->word)) &&
                 (memchr(token->text, '|', token->len) || memchr(token->text, '=', token->len));
    }
    return piece;
}

/* The last token up to the line where libconfuse stopped that it may have named. */
static struct config_token last_named(const struct config_failure *f)
{
    struct config_scan scan = {f->text->text, f->text->text + f->text->len, 1};
    struct config_token found = {.text = f->word, .len = strlen(f->word), .line = f->line};
    struct recent recent = {0};
    while (next_token(&scan, &recent) && recent.t[4].line <= f->line)
        if (config_token_equals(&recent.t[4], f->word))
            found.line = recent.t[4].line;
    found.kind = TOKEN_WORD;
    return found;
}

/* libconfuse stopped at a word. */
static int explain_word(const struct config_failure *f, char *out, size_t size)
{
    struct config_token word = last_named(f);
    const struct config_kind *kind = f->kind == 0 ? kind_named(f->schema, f->word) : NULL;
    if (is_piece(f)) {
        snprintf(out, size, "a key can't hold | or =: remove it");
        return f->line;
    }
    if (kind) {
        no_section(kind, out, size);
        return word.line;
    }
    if (key_named(f, &word)) {
        no_value(&word, out, size);
        return word.line;
    }
    if (!f->schema->secret && strcmp(f->word, "include") == 0) {
        snprintf(out, size, "expected include(\"FILE\")");
        return word.line;
    }
    unknown_word(f, out, size);
    return f->line;
}

int config_explain(const struct config_failure *f, char *out, size_t size)
{
    int line = *f->word ? explain_by_tokens(f, out, size) : explain_end(f, out, size);
    if (line == 0 && strspn(f->word, "{}()=,+") == strlen(f->word)) {
        unexpected(f, out, size);
        line = f->line;
    }
    if (line == 0)
        line = explain_word(f, out, size);
    config_printable(out);
    return line;
}
