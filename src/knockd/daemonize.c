/* Goes into the background: forks, and lets the parent wait on a pipe until knockd is ready. */
#include "knockd/daemonize.h"

#include <fcntl.h>
#include <unistd.h>

int daemonize_fork(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid == 0) {
        close(ends[0]);
        setsid();
        return ends[1];
    }
    close(ends[1]);
    char ready;
    _exit(read(ends[0], &ready, 1) == 1 ? 0 : 1);
}

void daemonize_ready(int parent)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    (void)!chdir("/");
    (void)!write(parent, "", 1);
    close(parent);
}
