/*
 * libconfuse at work: it reads the text of a file, and what that includes, and calls back for each
 * value and each section, which are added to the sections that config_parse() returns.
 */
#include <confuse.h>

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/config_messages.h"
#include "lib/config_section.h"
#include "lib/config_values.h"
#include "lib/crypto.h"
#include "lib/service.h"

enum { OPTIONS_MAX = 48 }; /* of one section, with those that end the list */

/* A file that is being read, on top of the one that included it. */
struct parsed_file {
    const struct parsed_file *up;
    const char *name;
    unsigned long device, inode;
    unsigned depth;
    struct prepared_text text;
};

struct parsing {
    const struct config_schema *schema;
    struct report *report;
    struct config_sections *out;
    cfg_t *root;
    const cfg_t *current; /* the section that is the last of out, as libconfuse has it */
    const struct parsed_file *file;
    struct config_mask mask;
    bool reported; /* what stopped libconfuse */
    bool refused;  /* something that didn't stop it */
};

/* libconfuse hands no argument of the caller to callbacks. It does copy the default number of every
 * option, which texts don't use, to every section: that carries the pointer, without a global. */
static struct parsing *parsing_of(const cfg_t *cfg)
{
    return (struct parsing *)(intptr_t)cfg->opts[0].def.number;
}

static struct config_pos pos_at(const struct parsing *p, int line)
{
    return (struct config_pos){p->file->name, line};
}

static unsigned kind_of(const cfg_t *cfg)
{
    const struct parsing *p = parsing_of(cfg);
    for (unsigned kind = 1; cfg != p->root && kind < p->schema->kind_count; kind++)
        if (strcmp(cfg->name, p->schema->kinds[kind].name) == 0)
            return kind;
    return 0;
}

/* Returns what stops libconfuse. */
static int no_memory(struct parsing *p, struct config_pos pos)
{
    report_error(p->report, pos, "out of memory while reading the configuration");
    p->reported = true;
    return -1;
}

/* --- values and sections --- */

static void refuse_title_twice(struct parsing *p, const struct config_section *section)
{
    for (size_t i = 0; section->title && i + 1 < p->out->count; i++) {
        const struct config_section *other = &p->out->items[i];
        if (other->kind != section->kind || strcmp(other->title, section->title) != 0)
            continue;
        report_error(p->report, section->pos,
                     "a section with the name \"%s\" stands further up already: give this one "
                     "another name",
                     section->title);
        p->refused = true;
        return;
    }
}

/* Our section for libconfuse's; a new one stands where its { stood. */
static struct config_section *section_of(struct parsing *p, const cfg_t *cfg, int line)
{
    if (cfg == p->root)
        return &p->out->items[0];
    if (cfg != p->current) {
        if (!config_section_add(p->out, kind_of(cfg), cfg->title, pos_at(p, line)))
            return NULL;
        refuse_title_twice(p, &p->out->items[p->out->count - 1]);
        p->current = cfg;
    }
    return &p->out->items[p->out->count - 1];
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
        config_unmask(&p->mask, values->items[values->count - 1].text);
    return true;
}

static void refuse_key_twice(const struct parsing *p, const struct config_entry *entry,
                             struct config_pos pos)
{
    const struct config_key *key = entry->key;
    const struct config_pos *first = &entry->values.pos;
    if (config_takes_list(key))
        report_error(p->report, pos,
                     "%s is already set in %s:%d: remove one, or write a list: %s = { ..., ... }",
                     key->name, first->file, first->line, key->name);
    else
        report_error(p->report, pos, "%s is set twice, here and in %s:%d: remove one", key->name,
                     first->file, first->line);
}

/* Runs for each text of each key. libconfuse has made room for it: the first of an assignment finds
 * one value, a further one of a list or of += more. Its own copy is nothing that anyone reads. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    struct parsing *p = parsing_of(cfg);
    struct config_pos pos = pos_at(p, cfg->line);
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
        refuse_key_twice(p, entry, pos);
        return 0;
    }
    if (section && !entry)
        entry = config_entry_add(section, key, pos);
    if (!entry || !add_value(p, &entry->values, value, pos))
        return no_memory(p, pos);
    return 0;
}

/*
 * The section of `opt` whose } was read just now. Not always the last one: a second section of the
 * same title takes the first one's place. An empty one isn't current; it began last.
 */
static const cfg_t *ended_section(const struct parsing *p, cfg_opt_t *opt)
{
    const cfg_t *latest = cfg_opt_getnsec(opt, 0);
    for (unsigned i = 1; i < cfg_opt_size(opt); i++)
        if (cfg_opt_getnsec(opt, i)->line >= latest->line)
            latest = cfg_opt_getnsec(opt, i);
    return p->current ? p->current : latest;
}

/* Runs at the } of a section. One without keys is added here. */
static int on_section(cfg_t *cfg, cfg_opt_t *opt)
{
    struct parsing *p = parsing_of(cfg);
    unsigned count = cfg_opt_size(opt);
    const cfg_t *section = ended_section(p, opt);
    struct config_pos pos = pos_at(p, section->line);
    if (!section_of(p, section, section->line))
        return no_memory(p, pos);
    p->current = NULL;
    const struct config_kind *kind = &p->schema->kinds[kind_of(section)];
    if (count <= kind->max)
        return 0;
    if (kind->max == 1)
        report_error(p->report, pos, "a second section %s: put its keys into the first",
                     kind->name);
    else
        report_error(p->report, pos, "more than %u sections %s", kind->max, kind->name);
    p->reported = true;
    return -1;
}

/* Gets libconfuse's message about the syntax; explains what it is about. All that is read of it is
 * the text that its first argument is, where it has one: the word that stopped libconfuse. */
static void on_error(cfg_t *cfg, const char *format, va_list args)
{
    struct parsing *p = parsing_of(cfg);
    char word[128] = "", text[512];
    const char *first = strchr(format, '%');
    if (first && first[1] == 's')
        snprintf(word, sizeof(word), "%s", va_arg(args, const char *));
    if (p->schema->secret && (strpbrk(word, "0123456789") || config_is_masked(word)))
        snprintf(word, sizeof(word), "...");
    struct config_failure failure = {.text = &p->file->text,
                                     .schema = p->schema,
                                     .line = cfg->line,
                                     .kind = kind_of(cfg),
                                     .title = cfg->title,
                                     .word = word};
    int line = config_explain(&failure, text, sizeof(text));
    report_error(p->report, pos_at(p, line), "%s", text);
    p->reported = true;
}

/* --- files --- */

/* Keeps a copy of the name for as long as there are positions that point to it. */
static const char *keep_name(struct config_sections *out, const char *path)
{
    char **files = realloc(out->files, (out->file_count + 1) * sizeof(*files));
    if (!files)
        return NULL;
    out->files = files;
    char *copy = strdup(path);
    if (copy)
        out->files[out->file_count++] = copy;
    return copy;
}

static const char *refuse_include(const struct parsing *p, const struct parsed_file *file)
{
    for (const struct parsed_file *up = file->up; up; up = up->up)
        if (up->device == file->device && up->inode == file->inode)
            return "it includes itself";
    if (file->depth > CONFIG_INCLUDE_DEPTH_MAX)
        return "includes nest deeper than 10 files";
    return p->out->file_count > CONFIG_FILES_MAX ? "more than 256 files are included" : NULL;
}

/* libconfuse reads the text of p->file into `cfg`: the root, or the section that includes it. */
static bool parse_text(struct parsing *p, cfg_t *cfg)
{
    const struct prepared_text *text = &p->file->text;
    FILE *stream = fmemopen(text->text, text->len, "r");
    if (!stream) {
        no_memory(p, pos_at(p, 0));
        return false;
    }
    int result = cfg_parse_fp(cfg, stream);
    fclose(stream);
    if (result != CFG_SUCCESS && !p->reported)
        report_error(p->report, pos_at(p, cfg->line),
                     "the syntax is wrong here: expected KEY = VALUE or a section");
    /* At the end of the text libconfuse closes sections by itself. */
    if (result == CFG_SUCCESS && text->unclosed)
        report_error(p->report, pos_at(p, text->unclosed), "this { is never closed: expected }");
    p->reported |= result != CFG_SUCCESS || text->unclosed;
    return !p->reported;
}

/* Reads a file into `cfg`, and frees its bytes. The first one has no `p->file` below it. */
static bool parse_file(struct parsing *p, cfg_t *cfg, const char *path, struct config_file *file)
{
    const struct parsed_file *up = p->file;
    struct parsed_file next = {.up = up,
                               .name = keep_name(p->out, path),
                               .device = file->device,
                               .inode = file->inode,
                               .depth = up ? up->depth + 1 : 0};
    const char *why = next.name ? refuse_include(p, &next) : "out of memory";
    if (why)
        report_error(p->report, up ? pos_at(p, cfg->line) : (struct config_pos){path, 0},
                     "can't include %s: %s", path, why);
    bool good = !why &&
                (!p->schema->check_file || p->schema->check_file(file, next.name, p->report)) &&
                config_prepare(next.name, file, p->schema, p->schema->secret ? &p->mask : NULL,
                               p->report, &next.text);
    config_file_free(file);
    p->file = &next;
    good = good && parse_text(p, cfg);
    p->file = up;
    p->reported |= !good;
    config_prepare_free(&next.text);
    return good;
}

/* The path that `name` is for the file that includes it. */
static bool include_path(const struct parsing *p, const char *name, char *out, size_t size)
{
    const char *base = p->file->name, *slash = strrchr(base, '/');
    int dir = name[0] == '/' || !slash ? 0 : (int)(slash - base) + 1;
    return (size_t)snprintf(out, size, "%.*s%s", dir, base, name) < size;
}

/* Runs for include("FILE"). libconfuse goes on behind it at the line that it is at then. */
static int on_include(cfg_t *cfg, cfg_opt_t *opt, int argc, const char **argv)
{
    (void)opt;
    struct parsing *p = parsing_of(cfg);
    struct config_file file;
    const char *why, *name = argc == 1 ? argv[0] : "";
    char path[4096];
    int line = cfg->line;
    p->reported = true;
    if (*name == '\0' || holds_control(name)) {
        report_error(p->report, pos_at(p, line), "expected include(\"FILE\")");
        return -1;
    }
    if (!include_path(p, name, path, sizeof(path))) {
        report_error(p->report, pos_at(p, line), "the path of the include is too long");
        return -1;
    }
    if (!config_file_read(path, &file, &why)) {
        report_error(p->report, pos_at(p, line), "can't include %s: %s%s", path, why,
                     service_note(path));
        return -1;
    }
    /* A section is where it begins, not where it is filled. */
    if (!section_of(p, cfg, p->root->line)) {
        config_file_free(&file);
        return no_memory(p, pos_at(p, line));
    }
    p->reported = false;
    bool good = parse_file(p, cfg, path, &file);
    cfg->line = line;
    return good ? 0 : -1;
}

/* --- the schema as libconfuse wants it --- */

static void set_option(struct parsing *p, cfg_opt_t *opt, const cfg_opt_t *from)
{
    *opt = *from;
    opt->def.number = (long)(intptr_t)p;
}

/* All values are lists of texts to libconfuse: what they mean, and whether one or many, is checked
 * by our own readers, which go on after a mistake. */
static size_t set_keys(struct parsing *p, unsigned kind, cfg_opt_t *opts)
{
    size_t count = 0;
    for (const struct config_key *key = p->schema->kinds[kind].keys; key->name; key++) {
        assert(count + CONFIG_KINDS_MAX + 1 < OPTIONS_MAX);
        cfg_opt_t opt = CFG_STR_LIST_CB(key->name, NULL, CFGF_NODEFAULT, on_value);
        set_option(p, &opts[count++], &opt);
    }
    cfg_opt_t include = CFG_FUNC("include", on_include);
    if (!p->schema->secret)
        set_option(p, &opts[count++], &include);
    return count;
}

static cfg_t *set_up(struct parsing *p)
{
    cfg_opt_t opts[CONFIG_KINDS_MAX][OPTIONS_MAX] = {0};
    size_t count = set_keys(p, 0, opts[0]);
    for (unsigned i = 1; i < p->schema->kind_count; i++) {
        const struct config_kind *kind = &p->schema->kinds[i];
        set_keys(p, i, opts[i]);
        cfg_opt_t opt = CFG_SEC(kind->name, opts[i], CFGF_MULTI | (kind->titled ? CFGF_TITLE : 0));
        opt.validcb = on_section;
        set_option(p, &opts[0][count++], &opt);
    }
    cfg_t *root = cfg_init(opts[0], CFGF_NONE);
    if (root)
        cfg_set_error_function(root, on_error);
    return root;
}

bool config_parse_file(const char *path, struct config_file *file,
                       const struct config_schema *schema, struct report *report,
                       struct config_sections *out)
{
    struct parsing p = {.schema = schema, .report = report, .out = out};
    *out = (struct config_sections){0};
    if (schema->secret)
        crypto_random(&p.mask, sizeof(p.mask));
    bool ready =
        config_section_add(out, 0, NULL, (struct config_pos){path, 1}) && (p.root = set_up(&p));
    if (!ready) {
        no_memory(&p, (struct config_pos){path, 0});
        config_file_free(file);
        return false;
    }
    bool good = parse_file(&p, p.root, path, file);
    if (out->file_count > 0)
        out->items[0].pos.file = out->files[0];
    cfg_free(p.root);
    crypto_wipe(&p.mask, sizeof(p.mask));
    return good && !p.refused;
}

/* What to do about a configuration that can't be read. */
static const char *advice(const char *path)
{
    struct stat st;
    bool there = stat(path, &st) == 0;
    if (there && !S_ISREG(st.st_mode))
        return "name a file with -c FILE";
    if (there && st.st_size > CONFIG_FILE_SIZE_MAX)
        return "split it into files, and name those by include";
    if (access(path, R_OK) == 0 || (errno != EACCES && errno != ENOENT))
        return "make it a readable file, or name another with -c FILE";
    if (errno == ENOENT)
        return "create it, or name another with -c FILE";
    return geteuid() == 0 ? "make it readable, or name another with -c FILE"
                          : "it is for root alone: run this as root";
}

bool config_parse(const char *path, const struct config_schema *schema, struct report *report,
                  struct config_sections *out)
{
    struct config_file file;
    const char *why;
    *out = (struct config_sections){0};
    if (config_file_read(path, &file, &why))
        return config_parse_file(path, &file, schema, report, out);
    report_error(report, (struct config_pos){path, 0}, "can't read the configuration: %s; %s%s",
                 why, advice(path), service_note(path));
    return false;
}
