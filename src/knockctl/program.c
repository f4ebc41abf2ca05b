/* Runs a firewall program to its end, with its input and output in memory. */
#include "knockctl/program.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Memory instead of a pipe: neither side ever waits for the other. */
static int text_fd(const char *text)
{
    int fd = memfd_create("knockctl", MFD_CLOEXEC);
    for (size_t left = text ? strlen(text) : 0; fd >= 0 && left > 0;) {
        ssize_t wrote = write(fd, text, left);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0) {
            close(fd);
            return -1;
        }
        text += wrote;
        left -= (size_t)wrote;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

static char *read_text(int fd)
{
    struct stat st;
    char *text = fstat(fd, &st) == 0 ? calloc(1, (size_t)st.st_size + 1) : NULL;
    for (off_t at = 0; text && at < st.st_size;) {
        ssize_t got = pread(fd, text + at, (size_t)(st.st_size - at), at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        at += got;
    }
    return text;
}

static _Noreturn void become(char *const argv[], int in, int out, int err)
{
    dup2(in, STDIN_FILENO);
    dup2(out, STDOUT_FILENO);
    if (err >= 0)
        dup2(err, STDERR_FILENO);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    execvp(argv[0], argv);
    _exit(127);
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int program_run(char *const argv[], const char *input, char **output, char **errors)
{
    int in = text_fd(input), out = text_fd(NULL), err = errors ? text_fd(NULL) : -1, status = -1;
    pid_t pid = in < 0 || out < 0 || (errors && err < 0) ? -1 : fork();
    if (pid == 0)
        become(argv, in, out, err);
    if (pid > 0)
        status = wait_for(pid);
    if (output)
        *output = out >= 0 ? read_text(out) : NULL;
    if (errors)
        *errors = err >= 0 ? read_text(err) : NULL;
    if (output && !*output)
        status = -1;
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    if (err >= 0)
        close(err);
    return status;
}
