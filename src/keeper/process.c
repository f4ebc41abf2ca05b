#include "keeper/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/service.h"

#define SEARCH_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

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
    for (const char *dir = SEARCH_PATH; *dir;) {
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

const char *program_missing(const char *name)
{
    if (service_hides(name))
        return "not seen inside of the service: knockd.service hides /home, /root and the folders "
               "of temporary files (ProtectHome, PrivateTmp); put it elsewhere, as into "
               "/usr/local/sbin, or see systemctl edit knockd";
    return strchr(name, '/') ? strerror(errno) : "no such program in " SEARCH_PATH;
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

/* Handlers and masks of the caller mean nothing to the program. */
static void reset_signals(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int set_descriptors(const struct program_world *world)
{
    int null = open("/dev/null", O_RDONLY);
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(world->output, STDOUT_FILENO) < 0 ||
        dup2(world->errors, STDERR_FILENO) < 0)
        return -1;
    if (world->lock < 0)
        return close_range(3, ~0U, 0);
    /* dup2 onto itself would leave it close-on-exec. */
    int rc = world->lock == 3 ? fcntl(3, F_SETFD, 0) : dup2(world->lock, 3);
    return rc < 0 ? -1 : close_range(4, ~0U, 0);
}

static int set_user(const struct program_user *user)
{
    if (!user)
        return 0;
    if (setgroups((size_t)user->group_count, user->groups) < 0 ||
        setresgid(user->gid, user->gid, user->gid) < 0 ||
        setresuid(user->uid, user->uid, user->uid) < 0)
        return -1;
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

static _Noreturn void become(const struct command *command, char **argv,
                             const struct program_world *world, pid_t parent)
{
    static char path[] = "PATH=" SEARCH_PATH, locale[] = "LC_ALL=C";
    char *environment[] = {path, locale, NULL};
    reset_signals();
    bool ready = setpgid(0, 0) == 0 && set_descriptors(world) == 0 && set_user(world->user) == 0 &&
                 chdir("/") == 0;
    /* After the change of user, which clears it; before looking at the parent, whose death could
     * else fall between. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (ready)
        execve(command->text, argv, environment);
    dprintf(STDERR_FILENO, "cannot execute %s: %s\n", command->text, strerror(errno));
    _exit(127);
}

pid_t program_start(const struct command *command, const struct program_world *world)
{
    char *argv[WORDS_MAX + 1];
    char *word = command->text;
    for (unsigned i = 0; i < command->words; i++) {
        argv[i] = word;
        word += strlen(word) + 1;
    }
    argv[command->words] = NULL;
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(command, argv, world, parent);
    /* In both processes, so that the group exists whoever runs first. */
    if (pid > 0)
        setpgid(pid, pid);
    return pid;
}

int program_wait(pid_t pid, int64_t deadline)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status = 0;
    struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
    int rc = -1;
    for (int64_t left = deadline - clock_now(); pidfd >= 0 && left > 0;
         left = deadline - clock_now()) {
        rc = poll(&poll_fd, 1, (int)(left / 1000000) + 1);
        if (rc > 0 || (rc < 0 && errno != EINTR))
            break;
    }
    if (rc <= 0)
        kill(-pid, SIGKILL);
    if (pidfd >= 0)
        close(pidfd);
    if (waitpid(pid, &status, 0) != pid || rc <= 0 || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}
