/* socket -> which configuration knockd has, and which process it is -> that program, run with -t ->
 * whether iptables takes the rules. What else is wrong knockd finds, and logs, itself. */
#include "knockctl/reload_test.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "knockctl/client.h"
#include "knockctl/program.h"
#include "lib/config.h"

/* Whether the process sees what we see of the network, and is no other container's. */
static bool is_beside_us(pid_t pid)
{
    static const char *const kinds[] = {"net", "pid", "user"};
    struct stat ours, its;
    char path[48];
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
        if (stat(path, &ours) < 0)
            return false;
        snprintf(path, sizeof(path), "/proc/%d/ns/%s", (int)pid, kinds[i]);
        if (stat(path, &its) < 0 || ours.st_dev != its.st_dev || ours.st_ino != its.st_ino)
            return false;
    }
    return true;
}

/* Opens the program of who listens, to be closed by the caller. -1: it can't be known here, or
 * others than root might have made it what it is: then root doesn't execute it. */
static int open_program(const struct reply *reply)
{
    struct ucred peer = {0};
    struct stat st;
    socklen_t size = sizeof(peer);
    char path[40];
    if (getsockopt(reply->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || peer.pid <= 0 ||
        peer.uid != 0 || !is_beside_us(peer.pid))
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)peer.pid);
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == 0 && (st.st_mode & 022) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

/* The configuration's path, and the program as open_program has it. False, with nothing to close,
 * if they can't be had, for whatever reason: the reload itself tells. */
static bool ask_which(const char *socket, char config[PATH_MAX], int *program)
{
    struct reply reply;
    struct row_fields row;
    int status = client_ask(&reply, NULL, socket, "status");
    *config = '\0';
    if (status != KNOCKCTL_DONE)
        return false;
    *program = open_program(&reply);
    while (client_row(&reply, &row, &status)) {
        const char *path = strcmp(row.kind, "status") == 0 ? row_get(&row, "config") : NULL;
        if (path)
            snprintf(config, PATH_MAX, "%s", path);
    }
    client_end(&reply);
    if (*program >= 0 && !*config)
        close(*program);
    return *program >= 0 && *config;
}

/* Whether iptables refuses a rule, which is said. */
static bool rules_refused(const char *name, int program, char *config)
{
    char path[40], *output, *errors;
    snprintf(path, sizeof(path), "/proc/self/fd/%d", program);
    char *argv[] = {path, (char[]){"-t"}, (char[]){"-c"}, config, NULL};
    bool refused =
        program_run(argv, NULL, &output, &errors) == 1 && errors && strstr(errors, RULE_REFUSED);
    if (refused)
        fprintf(stderr, "%s%s: reload failed: nothing changed\n", errors, name);
    free(output);
    free(errors);
    return refused;
}

int reload_test(const char *name, const char *socket)
{
    char config[PATH_MAX];
    int program;
    if (geteuid() != 0 || !ask_which(socket, config, &program))
        return KNOCKCTL_DONE;
    bool refused = rules_refused(name, program, config);
    close(program);
    return refused ? KNOCKCTL_FAILED : KNOCKCTL_DONE;
}
