/* Files of another knockd from texts, and what becomes of them, for the tests of the import. */
#ifndef TEST_IMPORT_HELP_H
#define TEST_IMPORT_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knockctl/import_convert.h"
#include "random_help.h"

/* What one import made; to be freed by imported_free. */
struct imported {
    char *text, *errors;
    struct import_result result;
};

/* A host that has the usual programs, and knock_add in /usr/local. */
static inline bool usual_program(void *arg, const char *name, char *path, size_t size)
{
    static const char *const names[] = {
        "iptables", "ip6tables", "ufw",       "nft",  "firewall-cmd", "logger",         "/bin/echo",
        "printf",   "sh",        "wakeonlan", "bash", "bin/printf",   "/sbin/iptables", NULL};
    (void)arg;
    *path = '\0';
    for (const char *const *known = names; *known; known++)
        if (strcmp(*known, name) == 0)
            return true;
    if (strcmp(name, "knock_add") != 0)
        return false;
    snprintf(path, size, "/usr/local/sbin/%s", name);
    return true;
}

/* A file of one-time sequences by its path. */
static inline bool usual_file(void *arg, const char *path, char **data, size_t *len,
                              const char **why)
{
    static const struct {
        const char *path, *text;
    } files[] = {{"/good", "7,8,9\r\n#1,2,3\r\n 5:udp,6,7\r\n"},
                 {"/bad", "7,8,9\n5 6 7\n"},
                 {"/used", "#7,8,9\n"},
                 {"/a\rb", "7,8,9\n"},
                 {NULL, NULL}};
    (void)arg;
    for (int i = 0; files[i].path; i++) {
        if (strcmp(files[i].path, path) != 0)
            continue;
        *data = strdup(files[i].text);
        *len = strlen(files[i].text);
        return true;
    }
    *why = "No such file or directory";
    return false;
}

static inline struct import_setting usual_setting(void)
{
    return (struct import_setting){
        .name = "old.conf", .programs = {usual_program, NULL}, .read_file = usual_file};
}

static inline struct imported import_bytes(const char *data, size_t len,
                                           const struct import_setting *setting)
{
    struct imported out = {0};
    struct ini_file ini;
    size_t size, errors_size;
    FILE *text = open_memstream(&out.text, &size);
    FILE *errors = open_memstream(&out.errors, &errors_size);
    assert_non_null(text);
    assert_non_null(errors);
    assert_true(ini_read(data, len, &ini));
    assert_true(import_convert(&ini, setting, text, errors, &out.result));
    ini_free(&ini);
    fclose(text);
    fclose(errors);
    return out;
}

static inline struct imported import_text(const char *text)
{
    struct import_setting setting = usual_setting();
    return import_bytes(text, strlen(text), &setting);
}

static inline void imported_free(struct imported *imported)
{
    free(imported->text);
    free(imported->errors);
}

#endif
