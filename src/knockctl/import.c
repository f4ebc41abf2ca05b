/*
 * knockctl import [OLD]: reads the file of the other knockd and the options that it was started
 * with, and prints them as a configuration of ours.
 */
#include "knockctl/import.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knockctl/import_convert.h"
#include "knockctl/knockctl.h"
#include "lib/config_file.h"
#include "lib/program_file.h"

#define OLD_CONFIG   "/etc/knockd.conf"
#define OLD_DEFAULTS "/etc/default/knockd"

/* --- KNOCKD_OPTS --- */

/* The word up to the next blank, in `out`, without its quotes; a shell's own signs are noted. */
static bool take_option(const char **text, char *out, struct import_options *options)
{
    static const char blanks[] = " \t\n\v\f\r";
    const char *p = *text + strspn(*text, blanks);
    size_t len = 0;
    bool any = *p != '\0';
    for (; *p && !strchr(blanks, *p); p++) {
        options->unclear |= strchr("$`\\", *p) != NULL;
        if (*p != '"' && *p != '\'' && len + 1 < IMPORT_OPTION_SIZE)
            out[len++] = *p;
    }
    out[len] = '\0';
    *text = p;
    return any;
}

/* Letters that take an argument: in the same word, or as the next one. */
static void read_letters(const char *letters, const char **text, struct import_options *out)
{
    char next[IMPORT_OPTION_SIZE] = "";
    for (; *letters; letters++) {
        out->only_ip4 |= *letters == '4';
        if (!strchr("icpg", *letters))
            continue;
        char *to = *letters == 'i' ? out->interface : *letters == 'c' ? out->file : next;
        if (letters[1])
            snprintf(to, IMPORT_OPTION_SIZE, "%s", letters + 1);
        else
            take_option(text, to, out);
        return;
    }
}

static void read_long(const char *name, const char **text, struct import_options *out)
{
    static const struct {
        const char *name;
        char letter;
    } names[] = {{"interface", 'i'}, {"config", 'c'}, {"pidfile", 'p'}, {"logfile", 'g'}};
    size_t len = strcspn(name, "=");
    out->only_ip4 |= strcmp(name, "only-ip-v4") == 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char letters[IMPORT_OPTION_SIZE + 1] = {names[i].letter};
        if (strlen(names[i].name) != len || strncmp(names[i].name, name, len) != 0)
            continue;
        snprintf(letters + 1, sizeof(letters) - 1, "%s", name[len] ? name + len + 1 : "");
        read_letters(letters, text, out);
    }
}

static void read_options(const char *text, struct import_options *out)
{
    char word[IMPORT_OPTION_SIZE];
    *out = (struct import_options){0};
    while (take_option(&text, word, out))
        if (strncmp(word, "--", 2) == 0)
            read_long(word + 2, &text, out);
        else if (*word == '-')
            read_letters(word + 1, &text, out);
}

/* What a shell makes of KNOCKD_OPTS=...: up to the quote that closes it, or to a blank. */
static size_t value_length(const char *value)
{
    char quote = *value;
    if (quote != '"' && quote != '\'')
        return strcspn(value, " \t;#\n");
    size_t len = strcspn(value + 1, quote == '"' ? "\"" : "'");
    return len + 1 + (value[len + 1] != '\0');
}

void import_read_defaults(const char *text, struct import_options *out)
{
    static const char name[] = "KNOCKD_OPTS=", export[] = "export";
    *out = (struct import_options){0};
    for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
        const char *line = text + strspn(text, " \t");
        if (strncmp(line, export, sizeof(export) - 1) == 0 && isblank((unsigned char)line[6]))
            line += sizeof(export) - 1 + strspn(line + sizeof(export) - 1, " \t");
        if (strncmp(line, name, sizeof(name) - 1) != 0)
            continue;
        line += sizeof(name) - 1;
        char *value = strndup(line, value_length(line));
        if (!value)
            continue;
        value[strcspn(value, "\r")] = '\0';
        read_options(value, out);
        free(value);
    }
}

/* --- this host --- */

static bool runs(const char *name)
{
    char why[320], *path = program_find(name);
    bool good = path && program_runs(path, why, sizeof(why));
    free(path);
    return good;
}

/* The other knockd had the PATH of its service, with /usr/local in it. */
static bool find_program(void *arg, const char *name, char *path, size_t size)
{
    static const char *const more[] = {"/usr/local/sbin", "/usr/local/bin"};
    (void)arg;
    *path = '\0';
    if (runs(name))
        return true;
    for (size_t i = 0; !strchr(name, '/') && i < sizeof(more) / sizeof(*more); i++)
        if ((size_t)snprintf(path, size, "%s/%s", more[i], name) < size && runs(path))
            return true;
    *path = '\0';
    return false;
}

static bool read_file(void *arg, const char *path, char **data, size_t *len, const char **why)
{
    struct config_file file;
    (void)arg;
    if (!config_file_read(path, &file, why))
        return false;
    *data = file.data;
    *len = file.len;
    return true;
}

/* --- the command --- */

static int fail(const char *name, const char *why)
{
    fprintf(stderr, "knockctl import: %s: %s\n", name, why);
    return KNOCKCTL_FAILED;
}

/* All of standard input, to be freed; NULL and errno on errors. */
static char *read_input(size_t *len)
{
    char *data = malloc(CONFIG_FILE_SIZE_MAX + 1);
    *len = data ? fread(data, 1, CONFIG_FILE_SIZE_MAX + 1, stdin) : 0;
    if (data && !ferror(stdin) && *len <= CONFIG_FILE_SIZE_MAX)
        return data;
    if (data && !ferror(stdin))
        errno = EFBIG;
    free(data);
    return NULL;
}

static int print(const struct ini_file *ini, const struct import_setting *setting)
{
    struct import_result result;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    bool good = out && import_convert(ini, setting, out, stderr, &result);
    if (out && fclose(out) != 0)
        good = false;
    if (good)
        fwrite(text, 1, size, stdout);
    free(text);
    if (!good)
        return fail(setting->name, "out of memory");
    if (size > CONFIG_FILE_SIZE_MAX)
        return fail(setting->name, "what is made of it is longer than 1 MiB, which knockd doesn't "
                                   "read: split it, and use include");
    if (result.lost > 0)
        fprintf(stderr,
                "knockctl import: %u left out: look for NOT CONVERTED in what was printed\n",
                result.lost);
    return result.lost > 0 ? KNOCKCTL_FAILED : KNOCKCTL_DONE;
}

static int convert(const char *name, const char *data, size_t len,
                   const struct import_options *options)
{
    struct import_setting setting = {.name = name,
                                     .interface = *options->interface ? options->interface : NULL,
                                     .file = *options->file ? options->file : NULL,
                                     .only_ip4 = options->only_ip4,
                                     .unclear = options->unclear,
                                     .programs = {find_program, NULL},
                                     .read_file = read_file};
    struct ini_file ini;
    if (setting.file && strcmp(setting.file, name) == 0)
        setting.file = NULL;
    bool read = ini_read(data, len, &ini);
    int status =
        !read ? fail(name, "out of memory")
        : ini.sections[0].line == 0 && ini.count == 1
            ? fail(name, "there is no [section] in it: is it the file of another knockd, or "
                         "was it converted before?")
            : print(&ini, &setting);
    ini_free(&ini);
    return status;
}

/* Of the default file, those of the default place, which may be missing. */
static bool read_old_options(const char *path, bool needed, struct import_options *out)
{
    struct config_file file;
    const char *why;
    *out = (struct import_options){0};
    if (!path)
        return true;
    if (!config_file_read(path, &file, &why)) {
        if (needed)
            fail(path, why);
        return !needed;
    }
    char *text = strndup(file.data, file.len);
    config_file_free(&file);
    if (text)
        import_read_defaults(text, out);
    free(text);
    return text != NULL;
}

static int run(const char *old, const char *defaults)
{
    struct import_options options;
    struct config_file file = {0};
    const char *why;
    const char *place = defaults ? defaults : strcmp(old, OLD_CONFIG) == 0 ? OLD_DEFAULTS : NULL;
    if (!read_old_options(place, defaults != NULL, &options))
        return KNOCKCTL_FAILED;
    if (strcmp(old, "-") == 0) {
        size_t len;
        char *data = read_input(&len);
        if (!data)
            return fail("standard input", strerror(errno));
        int status = convert("standard input", data, len, &options);
        free(data);
        return status;
    }
    if (!config_file_read(old, &file, &why))
        return fail(old, why);
    int status = convert(old, file.data, file.len, &options);
    config_file_free(&file);
    return status;
}

int knockctl_import(const struct arguments *arguments)
{
    const char *old = arguments->words[0];
    return run(old ? old : OLD_CONFIG, arguments_text(arguments, OPTION_DEFAULTS, NULL));
}
