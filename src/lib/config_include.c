#include "lib/config_clean.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/service.h"

static bool clean_file(struct cleaner *c, const struct clean_frame *up, const char *path);

static void skip_blanks(struct clean_frame *f)
{
    while (f->p < f->end && (*f->p == ' ' || *f->p == '\t'))
        f->p++;
}

/* Reads the ("path") behind `include` into `path`. */
static bool include_path(struct clean_frame *f, char *path, size_t size)
{
    skip_blanks(f);
    if (!clean_at(f, "("))
        return false;
    f->p++;
    skip_blanks(f);
    if (f->p == f->end || (*f->p != '"' && *f->p != '\''))
        return false;
    char quote = *f->p++;
    const char *start = f->p;
    while (f->p < f->end && *f->p != quote && !iscntrl((unsigned char)*f->p))
        f->p++;
    size_t len = (size_t)(f->p - start);
    if (f->p == f->end || *f->p != quote || len == 0 || len >= size)
        return false;
    memcpy(path, start, len);
    path[len] = '\0';
    f->p++;
    skip_blanks(f);
    return f->p < f->end && *f->p++ == ')';
}

bool config_include(struct cleaner *c, struct clean_frame *f)
{
    char name[2048], path[4096];
    if (!include_path(f, name, sizeof(name))) {
        report_error(c->report, clean_pos(f), "expected include(\"FILE\") on one line");
        return false;
    }
    const char *slash = strrchr(f->name, '/');
    int dir = name[0] == '/' || !slash ? 0 : (int)(slash - f->name) + 1;
    if ((size_t)snprintf(path, sizeof(path), "%.*s%s", dir, f->name, name) >= sizeof(path)) {
        report_error(c->report, clean_pos(f), "the path of the include is too long");
        return false;
    }
    /* The rest of this line comes on a line of its own, with this line's number. */
    return clean_file(c, f, path) && clean_newline(c, f);
}

static bool clean_frame(struct cleaner *c, struct clean_frame *f)
{
    const char *nul = memchr(f->data, '\0', (size_t)(f->end - f->p));
    for (const char *p = f->data; nul && p < nul; p++)
        f->line += *p == '\n';
    if (nul) {
        report_error(c->report, clean_pos(f), "a NUL byte: this is not a text file");
        return false;
    }
    if (clean_at(f, "\xef\xbb\xbf")) /* the byte order mark that some editors write */
        f->p += 3;
    bool good = clean_newline(c, f);
    while (good && f->p < f->end)
        good = clean_token(c, f);
    return good;
}

/* Keeps a copy of the name for as long as there are positions that point to it. */
static const char *keep_name(struct config_text_out *out, const char *path)
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

static const char *refuse_include(const struct cleaner *c, const struct clean_frame *f)
{
    for (const struct clean_frame *up = f->up; up; up = up->up)
        if (up->device == f->device && up->inode == f->inode)
            return "it includes itself";
    if (f->depth > CONFIG_INCLUDE_DEPTH_MAX)
        return "includes nest deeper than 10 files";
    return c->out->file_count > CONFIG_FILES_MAX ? "more than 256 files are included" : NULL;
}

/* Frees the file. */
static bool clean_read(struct cleaner *c, const struct clean_frame *up, const char *path,
                       struct config_file *file)
{
    struct config_pos pos = up ? clean_pos(up) : (struct config_pos){path, 0};
    struct clean_frame f = {.up = up,
                            .name = keep_name(c->out, path),
                            .data = file->data,
                            .p = file->data,
                            .end = file->data + file->len,
                            .device = file->device,
                            .inode = file->inode,
                            .line = 1,
                            .depth = up ? up->depth + 1 : 0};
    const char *why = f.name ? refuse_include(c, &f) : "out of memory";
    if (why)
        report_error(c->report, pos, "can't include %s: %s", path, why);
    bool good = !why && clean_frame(c, &f);
    config_file_free(file);
    return good;
}

static bool clean_file(struct cleaner *c, const struct clean_frame *up, const char *path)
{
    struct config_file file;
    const char *why;
    if (config_file_read(path, &file, &why))
        return clean_read(c, up, path, &file);
    report_error(c->report, clean_pos(up), "can't include %s: %s%s", path, why, service_note(path));
    return false;
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

bool config_text_read(const char *path, struct report *report, struct config_text_out *out)
{
    struct config_file file;
    const char *why;
    *out = (struct config_text_out){0};
    if (config_file_read(path, &file, &why))
        return config_text_from(path, &file, true, report, out);
    report_error(report, (struct config_pos){path, 0}, "can't read the configuration: %s; %s%s",
                 why, advice(path), service_note(path));
    return false;
}

bool config_text_from(const char *path, struct config_file *file, bool includes,
                      struct report *report, struct config_text_out *out)
{
    *out = (struct config_text_out){0};
    struct cleaner c = {.out = out, .report = report, .includes = includes};
    if (!clean_read(&c, NULL, path, file))
        return false;
    if (c.open > 0)
        out->unclosed = c.braces[0];
    /* Empty files have a text too. */
    return config_text_put(out, "\n", 1);
}
