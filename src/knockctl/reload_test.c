/* socket -> which configuration knockd has, and which process it is -> that program, run with -t ->
 * whether iptables takes the rules. What else is wrong knockd finds, and logs, itself. */
#include "knockctl/reload_test.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "knockctl/client.h"
#include "knockctl/program.h"
#include "lib/config.h"

/* The pid of who listens, 0 when that can't be known here. */
static int peer_of(const struct reply *reply)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);
    return getsockopt(reply->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? (int)peer.pid : 0;
}

/* The configuration's path, "" when it isn't told, and the program's. */
static int ask_which(const char *name, const char *socket, char config[PATH_MAX],
                     char program[PATH_MAX])
{
    struct reply reply;
    struct row_fields row;
    int status = client_ask(&reply, name, socket, "status");
    *config = '\0';
    if (status != KNOCKCTL_DONE)
        return status;
    snprintf(program, PATH_MAX, "/proc/%d/exe", peer_of(&reply));
    while (client_row(&reply, &row, &status)) {
        const char *path = strcmp(row.kind, "status") == 0 ? row_get(&row, "config") : NULL;
        if (path)
            snprintf(config, PATH_MAX, "%s", path);
    }
    client_end(&reply);
    return status;
}

int reload_test(const char *name, const char *socket)
{
    char config[PATH_MAX], program[PATH_MAX], *output, *errors;
    if (geteuid() != 0)
        return KNOCKCTL_DONE;
    int status = ask_which(name, socket, config, program);
    if (status != KNOCKCTL_DONE || !*config || access(program, X_OK) < 0)
        return status;
    char *argv[] = {program, (char[]){"-t"}, (char[]){"-c"}, config, NULL};
    bool wrong =
        program_run(argv, NULL, &output, &errors) == 1 && errors && strstr(errors, RULE_REFUSED);
    if (wrong)
        fprintf(stderr, "%s%s: reload failed: nothing changed\n", errors, name);
    free(output);
    free(errors);
    return wrong ? KNOCKCTL_FAILED : KNOCKCTL_DONE;
}
