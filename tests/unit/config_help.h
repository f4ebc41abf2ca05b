/* Configurations from texts, and what was told of them, for the tests of lib/config.h. */
#ifndef TEST_CONFIG_HELP_H
#define TEST_CONFIG_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/config.h"

/* A good source and the beginning of a good door, each on one line. */
#define SOURCE "source s { type = kmsg prefix = x }\n"
#define RULE   " rule = \"INPUT -s %%IP%% -j ACCEPT\" "
#define DOOR   "door d { sequence = { 9000, 7000, 8000 }" RULE "}\n"

struct told {
    char dir[32];
    char lines[4096]; /* one finding a line, without the folder */
};

static void hear(void *arg, bool error, const char *text)
{
    struct told *told = arg;
    size_t used = strlen(told->lines), folder = strlen(told->dir) + 1;
    (void)error;
    if (folder > 1 && strncmp(text, told->dir, folder - 1) == 0)
        text += folder;
    snprintf(told->lines + used, sizeof(told->lines) - used, "%s\n", text);
}

static void write_file(const char *dir, const char *name, const void *data, size_t len)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static void remove_file(const char *dir, const char *name)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    unlink(path);
}

static void begin(struct told *told)
{
    memset(told, 0, sizeof(*told));
    strcpy(told->dir, "/tmp/knockd-config-XXXXXX");
    assert_non_null(mkdtemp(told->dir));
}

/* Loads the file "c" of the folder. A configuration and an error exclude each other. */
static struct config *load(struct told *told)
{
    char path[64];
    struct report report = {.say = hear, .arg = told};
    told->lines[0] = '\0';
    snprintf(path, sizeof(path), "%s/c", told->dir);
    struct config *config = config_load(path, &report);
    assert_true((config == NULL) == (report.errors > 0));
    return config;
}

static inline struct config *load_text(struct told *told, const char *text)
{
    write_file(told->dir, "c", text, strlen(text));
    return load(told);
}

static void end(struct told *told)
{
    remove_file(told->dir, "c");
    assert_int_equal(rmdir(told->dir), 0);
}

/*
 * Compares what was told with `expected`: a finding a line, each "LINE: part" or "FILE:LINE: part",
 * where the part may stand anywhere in the finding.
 */
static void assert_told(const char *text, const struct told *told, const char *expected)
{
    const char *line = told->lines;
    bool good = true;
    while (good && *expected && *line) {
        char want[256], got[1024], place[260];
        snprintf(want, sizeof(want), "%.*s", (int)strcspn(expected, "\n"), expected);
        snprintf(got, sizeof(got), "%.*s", (int)strcspn(line, "\n"), line);
        char *part = strstr(want, ": ");
        assert_non_null(part);
        *part = '\0';
        snprintf(place, sizeof(place), "%s%s: ", isdigit((unsigned char)*want) ? "c:" : "", want);
        good = strncmp(got, place, strlen(place)) == 0 && strstr(got, part + 2);
        expected += strcspn(expected, "\n");
        expected += *expected == '\n';
        line += strcspn(line, "\n");
        line += *line == '\n';
    }
    if (!good || *expected || *line)
        fail_msg("of:\n%s\nwas told:\n%sexpected from here:\n%s", text, told->lines, expected);
}

struct told_row {
    const char *text, *expected; /* expected "": nothing is told, and there is a configuration */
};

static inline void assert_rows(const struct told_row *rows, size_t count)
{
    struct told told;
    begin(&told);
    for (size_t i = 0; i < count; i++) {
        config_free(load_text(&told, rows[i].text));
        assert_told(rows[i].text, &told, rows[i].expected);
    }
    end(&told);
}

#endif
