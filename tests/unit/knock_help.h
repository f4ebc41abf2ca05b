/* A home directory for the client's files, and what the client says. */
#ifndef KNOCK_HELP_H
#define KNOCK_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct home {
    char dir[32], path[128]; /* path: of the last file written */
    FILE *said;
    int stderr_before;
    char text[4096];
};

/* Standard error goes to a file from here to home_said(). */
static inline void home_listen(struct home *home)
{
    home->said = tmpfile();
    home->stderr_before = dup(STDERR_FILENO);
    assert_non_null(home->said);
    fflush(stderr);
    dup2(fileno(home->said), STDERR_FILENO);
}

static inline const char *home_said(struct home *home)
{
    fflush(stderr);
    dup2(home->stderr_before, STDERR_FILENO);
    close(home->stderr_before);
    rewind(home->said);
    home->text[fread(home->text, 1, sizeof(home->text) - 1, home->said)] = '\0';
    fclose(home->said);
    return home->text;
}

static inline void home_write(struct home *home, const char *name, const char *text, mode_t mode)
{
    snprintf(home->path, sizeof(home->path), "%s/%s", home->dir, name);
    FILE *file = fopen(home->path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(home->path, mode), 0);
}

/* The whole file as a text in home->text. */
static inline const char *home_read(struct home *home, const char *name)
{
    snprintf(home->path, sizeof(home->path), "%s/%s", home->dir, name);
    FILE *file = fopen(home->path, "r");
    assert_non_null(file);
    home->text[fread(home->text, 1, sizeof(home->text) - 1, file)] = '\0';
    fclose(file);
    return home->text;
}

static inline void home_make(struct home *home)
{
    *home = (struct home){.dir = "/tmp/knock-home-XXXXXX"};
    assert_non_null(mkdtemp(home->dir));
    setenv("HOME", home->dir, 1);
    unsetenv("XDG_STATE_HOME");
}

static inline void home_remove(struct home *home)
{
    char command[64];
    snprintf(command, sizeof(command), "rm -rf %s", home->dir);
    assert_int_equal(system(command), 0);
}

#endif
