/* From the name of a program to the file that the kernel will execute. */
#include "lib/program_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/service.h"

/* The folder of update-alternatives(1). */
#define ALTERNATIVES "/etc/alternatives/"

static bool executable(const char *path)
{
    struct stat st;
    if (stat(path, &st) < 0)
        return false;
    if (!S_ISREG(st.st_mode)) {
        errno = EACCES;
        return false;
    }
    return access(path, X_OK) == 0;
}

char *program_find(const char *name)
{
    if (strchr(name, '/'))
        return executable(name) ? strdup(name) : NULL;
    for (const char *dir = PROGRAM_PATH; *dir;) {
        size_t len = strcspn(dir, ":");
        char *path = NULL;
        if (asprintf(&path, "%.*s/%s", (int)len, dir, name) < 0)
            return NULL;
        if (executable(path))
            return path;
        free(path);
        dir += len + (dir[len] == ':');
    }
    errno = ENOENT;
    return NULL;
}

/* Where the link leads, in `out`; false if it is none. */
static bool read_link(const char *path, char out[PATH_MAX])
{
    ssize_t len = readlink(path, out, PATH_MAX - 1);
    out[len > 0 ? len : 0] = '\0';
    return len > 0;
}

char *program_pin(char *path)
{
    char link[PATH_MAX], program[PATH_MAX];
    bool alternative = path && read_link(path, link) &&
                       strncmp(link, ALTERNATIVES, strlen(ALTERNATIVES)) == 0 &&
                       read_link(link, program) && *program == '/' && executable(program);
    char *pinned = alternative ? strdup(program) : NULL;
    if (!pinned)
        return path;
    free(path);
    return pinned;
}

const char *program_missing(const char *name)
{
    if (service_hides(name))
        return "not seen inside of the service: knockd.service hides /home, /root and the folders "
               "of temporary files (ProtectHome, PrivateTmp); put it elsewhere, as into "
               "/usr/local/sbin, or see systemctl edit knockd";
    return strchr(name, '/') ? strerror(errno) : "no such program in " PROGRAM_PATH;
}

/* The program in the first line of a script, in `out`; false when the line has none. */
static bool read_interpreter(const char *head, char *out, size_t size)
{
    const char *name = head + 2 + strspn(head + 2, " \t");
    size_t len = strcspn(name, " \t\n");
    if (len == 0 || len >= size)
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    return true;
}

bool program_runs(const char *path, char *why, size_t why_size)
{
    char head[256] = "", name[256], shown[256];
    FILE *file = fopen(path, "re");
    /* One that may be executed but not read is believed. */
    if (!file)
        return true;
    size_t got = fread(head, 1, sizeof(head) - 1, file);
    fclose(file);
    head[got] = '\0';
    /* Other formats than a program's may be known to the kernel, which aren't text. */
    if (memchr(head, '\0', got))
        return true;
    if (strncmp(head, "#!", 2) != 0) {
        snprintf(why, why_size,
                 "it is a text that doesn't begin with #! and an interpreter, as in "
                 "#!/bin/sh");
        return false;
    }
    if (!read_interpreter(head, name, sizeof(name)) || executable(name))
        return true;
    int error = errno;
    log_encode(name, strlen(name), shown, sizeof(shown));
    snprintf(why, why_size, "its interpreter %s: %s", shown, strerror(error));
    return false;
}
