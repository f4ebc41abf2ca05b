/* libconfuse at work: the text becomes sections of texts, its messages become ours. */
#include <confuse.h>

#include <assert.h>
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/config_mask.h"
#include "lib/config_messages.h"
#include "lib/config_schema.h"
#include "lib/crypto.h"

enum { OPTIONS_MAX = 48 }; /* of one section, with those that end the list */

struct parsing {
    const struct config_text_out *text;
    const struct config_schema *schema;
    struct report *report;
    struct config_sections *sections;
    cfg_t *root;
    const cfg_t *current; /* the section being read, as libconfuse has it, and as we have it */
    struct config_mask mask;
    bool told; /* of what stopped the parser */
};

/* libconfuse hands no argument of the caller to callbacks. It does copy the default number of every
 * option, which texts don't use, to every section: that carries the pointer, without a global. */
static struct parsing *parsing_of(const cfg_t *cfg)
{
    return (struct parsing *)(intptr_t)cfg->opts[0].def.number;
}

static unsigned kind_of(const cfg_t *cfg)
{
    const struct parsing *p = parsing_of(cfg);
    for (unsigned kind = 1; cfg != p->root && kind < p->schema->kind_count; kind++)
        if (strcmp(cfg->name, p->schema->kinds[kind].name) == 0)
            return kind;
    return 0;
}

static int no_memory(struct parsing *p, struct config_pos pos)
{
    report_error(p->report, pos, "out of memory while reading the configuration");
    p->told = true;
    return -1;
}

/* Our section for libconfuse's; a new one stands where its { stood. */
static struct config_section *section_of(struct parsing *p, const cfg_t *cfg, int line)
{
    if (cfg == p->root)
        return &p->sections->sections[0];
    if (cfg == p->current)
        return &p->sections->sections[p->sections->count - 1];
    p->current = cfg;
    return config_section_add(p->sections, kind_of(cfg), cfg->title,
                              config_text_pos(p->text, line));
}

static const struct config_key *key_of(const cfg_t *cfg, const cfg_opt_t *opt)
{
    const struct config_key *keys = parsing_of(cfg)->schema->kinds[kind_of(cfg)].keys;
    for (size_t i = 0; keys[i].name; i++)
        if (&cfg->opts[i] == opt)
            return &keys[i];
    return NULL;
}

static bool holds_control(const char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text) && *text != '\t')
            return true;
    return false;
}

/* The list's copy is the only one that has a secret uncovered. */
static bool add_value(const struct parsing *p, struct config_list *values, const char *value,
                      struct config_pos pos)
{
    if (!config_list_add(values, value, pos))
        return false;
    if (p->schema->secret)
        config_mask_value(&p->mask, values->items[values->count - 1].text);
    return true;
}

/* Runs for each text of each key. libconfuse has made room for it: the first of an assignment finds
 * one value, a further one of a list or of += more. Its own copy is nothing that anyone reads. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    struct parsing *p = parsing_of(cfg);
    struct config_pos pos = config_text_pos(p->text, cfg->line);
    *(const char **)result = "";
    const struct config_key *key = key_of(cfg, opt);
    if (!key) {
        report_error(p->report, pos, "a key can't hold | or =: remove it");
        return 0;
    }
    if (holds_control(value)) {
        report_error(p->report, pos, "the value of %s holds a control character: remove it",
                     key->name);
        return 0;
    }
    struct config_section *section = section_of(p, cfg, p->root->line);
    struct config_entry *entry = section ? config_entry_find(section, key) : NULL;
    if (entry && cfg_opt_size(opt) == 1) {
        report_error(p->report, pos,
                     "%s is already set in %s:%d: remove one, or write a list: %s = { ..., ... }",
                     key->name, entry->values.pos.file, entry->values.pos.line, key->name);
        return 0;
    }
    if (section && !entry)
        entry = config_entry_add(section, key, pos);
    if (!entry || !add_value(p, &entry->values, value, pos))
        return no_memory(p, pos);
    return 0;
}

/* Runs at the } of a section. One without keys is made known here. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
    struct parsing *p = parsing_of(cfg);
    unsigned count = cfg_opt_size(opt);
    const cfg_t *section = cfg_opt_getnsec(opt, count - 1);
    struct config_pos pos = config_text_pos(p->text, section->line);
    if (!section_of(p, section, section->line))
        return no_memory(p, pos);
    const struct config_kind *kind = &p->schema->kinds[kind_of(section)];
    if (count <= kind->max)
        return 0;
    if (kind->max == 1)
        report_error(p->report, pos, "a second section %s: put its keys into the first",
                     kind->name);
    else
        report_error(p->report, pos, "more than %u sections %s", kind->max, kind->name);
    p->told = true;
    return -1;
}

static void tell(struct parsing *p, const cfg_t *cfg, int line, const char *format,
                 const char *word)
{
    char text[512];
    struct config_messages words = {.text = p->text,
                                    .schema = p->schema,
                                    .line = line,
                                    .kind = kind_of(cfg),
                                    .title = cfg->title,
                                    .word = word};
    struct config_pos pos = config_messages(&words, format, text, sizeof(text));
    report_error(p->report, pos, "%s", text);
    p->told = true;
}

static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    char word[128] = "", text[256];
    va_list copy;
    va_copy(copy, args);
    vsnprintf(text, sizeof(text), format, copy);
    va_end(copy);
    /* Every message that has arguments begins with a text. */
    const char *first = strchr(format, '%');
    bool named = first && first[1] == 's';
    if (named)
        snprintf(word, sizeof(word), "%s", va_arg(args, const char *));
    struct parsing *p = parsing_of(cfg);
    bool ours = config_messages_known(format);
    if (p->schema->secret && strpbrk(word, "0123456789"))
        snprintf(word, sizeof(word), "...");
    if (p->schema->secret && !ours)
        snprintf(text, sizeof(text), "the syntax is wrong here: expected KEY = VALUE");
    tell(p, cfg, cfg->line, ours ? format : text, word);
}

static void set_option(struct parsing *p, cfg_opt_t *opt, const cfg_opt_t *from)
{
    *opt = *from;
    opt->def.number = (long)(intptr_t)p;
}

/* All values are lists of texts to libconfuse: what they mean, and whether one or many, is judged
 * by our own readers, which go on after a mistake. */
static size_t set_keys(struct parsing *p, unsigned kind, cfg_opt_t *opts)
{
    size_t count = 0;
    for (const struct config_key *key = p->schema->kinds[kind].keys; key->name; key++) {
        assert(count + CONFIG_KINDS_MAX < OPTIONS_MAX);
        cfg_opt_t opt = CFG_STR_LIST_CB(key->name, NULL, CFGF_NODEFAULT, on_value);
        set_option(p, &opts[count++], &opt);
    }
    return count;
}

static cfg_t *set_up(struct parsing *p)
{
    cfg_opt_t opts[CONFIG_KINDS_MAX][OPTIONS_MAX] = {0};
    const cfg_flag_t titled = CFGF_TITLE | CFGF_NO_TITLE_DUPES;
    size_t count = set_keys(p, 0, opts[0]);
    for (unsigned i = 1; i < p->schema->kind_count; i++) {
        const struct config_kind *kind = &p->schema->kinds[i];
        set_keys(p, i, opts[i]);
        cfg_opt_t opt = CFG_SEC(kind->name, opts[i], CFGF_MULTI | (kind->titled ? titled : 0));
        opt.validcb = on_section;
        set_option(p, &opts[0][count++], &opt);
    }
    cfg_t *root = cfg_init(opts[0], CFGF_NONE);
    if (root)
        cfg_set_error_function(root, on_error);
    return root;
}

/* False, told already, where the text has what can't be masked. */
static bool mask(struct parsing *p)
{
    crypto_random(&p->mask, sizeof(p->mask));
    const char *escape = config_mask_text(&p->mask, p->text->text);
    int line = 1;
    for (const char *q = p->text->text; escape && q < escape; q++)
        line += *q == '\n';
    if (escape)
        report_error(p->report, config_text_pos(p->text, line),
                     "an escape with \\ that stands for a letter or digit: write that itself");
    return !escape;
}

static bool run(struct parsing *p)
{
    if (p->schema->secret && !mask(p))
        return false;
    int result = cfg_parse_buf(p->root, p->text->text);
    crypto_wipe(&p->mask, sizeof(p->mask));
    if (result != CFG_SUCCESS && !p->told)
        report_error(p->report, config_text_pos(p->text, p->root->line),
                     "the syntax is wrong here: expected KEY = VALUE or a section");
    return result == CFG_SUCCESS;
}

bool config_parse(const struct config_text_out *text, const struct config_schema *schema,
                  struct report *report, struct config_sections *sections)
{
    struct parsing p = {.text = text, .schema = schema, .report = report, .sections = sections};
    struct config_pos start = config_text_pos(text, 1);
    *sections = (struct config_sections){0};
    if (!config_section_add(sections, 0, NULL, start) || !(p.root = set_up(&p))) {
        no_memory(&p, start);
        return false;
    }
    bool good = run(&p);
    cfg_free(p.root);
    /* At the end of the text libconfuse closes sections by itself. */
    if (good && text->unclosed.line)
        report_error(report, text->unclosed, "this { is never closed: expected }");
    return good && !text->unclosed.line;
}
