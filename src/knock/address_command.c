/* Runs address_command: splits it into words, reads what it prints, and sees to it that it ends. */
#include "knock/address_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knock/ending.h"
#include "knock/output.h"
#include "lib/clock.h"
#include "lib/command_words.h"

/* Nobody looks at the exit status of a child that couldn't run the command. */
enum { NOT_RUN = 127, LINE_SIZE = 256 };

static const char blanks[] = " \t\r\n";

/* A command under way, and the begin of what it printed. */
struct running {
    pid_t pid;
    int output; /* its standard output, to be read without waiting; -1: closed */
    int status; /* when it has ended, or was stopped */
    char text[LINE_SIZE];
    size_t len;
};

/*
 * In the child: a process group of its own, so that all that it starts can be ended with it. If the
 * command can't be run, `failure` gets the errno; else it is closed.
 */
static _Noreturn void become(char **words, int output, int failure)
{
    int nothing = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(output, STDOUT_FILENO) >= 0) {
        if (nothing > STDERR_FILENO)
            close(nothing);
        execvp(words[0], words);
    }
    int error = errno;
    (void)!write(failure, &error, sizeof(error));
    _exit(NOT_RUN);
}

static void close_on_exec(const int fds[2])
{
    fcntl(fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(fds[1], F_SETFD, FD_CLOEXEC);
}

/* Whether the child became the command; else errno says why not. */
static bool has_begun(int failure)
{
    int error;
    ssize_t len;
    while ((len = read(failure, &error, sizeof(error))) < 0 && errno == EINTR)
        continue;
    if (len != sizeof(error))
        return true;
    errno = error;
    return false;
}

/* No signal may end this program between the child's begin and the note of it. */
static pid_t fork_noted(void)
{
    sigset_t all, before;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t pid = fork();
    if (pid > 0) {
        setpgid(pid, pid); /* either of the two may come first */
        ending_kill(pid);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* False: errno says why; the caller calls end() either way. */
static bool start(struct running *running, char **words)
{
    int output[2], failure[2];
    if (pipe(output) < 0)
        return false;
    running->output = output[0];
    if (pipe(failure) < 0) {
        close(output[1]);
        return false;
    }
    close_on_exec(output);
    close_on_exec(failure);
    fcntl(output[0], F_SETFL, O_NONBLOCK);
    running->pid = fork_noted();
    if (running->pid == 0)
        become(words, output[1], failure[1]);
    int error = errno;
    close(output[1]);
    close(failure[1]);
    errno = error;
    bool begun = running->pid > 0 && has_begun(failure[0]);
    error = errno;
    close(failure[0]);
    errno = error;
    return begun;
}

/* Keeps what fits; the rest is read all the same, so that it needn't wait. False when there is
 * nothing to read now; at the end, the output is closed. */
static bool read_some(struct running *running)
{
    char rest[1024];
    size_t room = sizeof(running->text) - 1 - running->len;
    ssize_t len = read(running->output, room ? running->text + running->len : rest,
                       room ? room : sizeof(rest));
    if (len > 0 && room > 0)
        running->len += (size_t)len;
    if (len == 0 || (len < 0 && errno != EAGAIN && errno != EINTR)) {
        close(running->output);
        running->output = -1;
    }
    return len > 0;
}

/*
 * Until it has ended, or was stopped: false when the time is over before. What it started may live
 * on, and have its output still.
 */
static bool wait_for(struct running *running, int64_t until)
{
    enum { LOOK_MS = 10 };
    for (;;) {
        struct pollfd output = {.fd = running->output, .events = POLLIN};
        if (poll(&output, 1, LOOK_MS) > 0)
            read_some(running);
        if (waitpid(running->pid, &running->status, WNOHANG | WUNTRACED) == running->pid) {
            while (running->output >= 0 && read_some(running))
                continue;
            return true;
        }
        if (clock_now() >= until)
            return false;
    }
}

/* Ends a command that hasn't ended by itself, and gives everything back. */
static void end(struct running *running, bool ended)
{
    if (running->pid > 0 && !ended) {
        kill(-running->pid, SIGKILL);
        while (waitpid(running->pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    ending_kill(0);
    if (running->output >= 0)
        close(running->output);
}

static bool read_address(struct running *running, struct addr *out)
{
    running->text[running->len] = '\0';
    running->text[strcspn(running->text, "\n")] = '\0';
    char *begin = running->text + strspn(running->text, blanks);
    size_t len = strlen(begin);
    while (len > 0 && strchr(blanks, begin[len - 1]))
        len--;
    if (addr_parse(begin, len, out))
        return true;
    for (char *p = begin; *p; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    output_error(
        "address_command prints \"%.60s\" in its first line; nothing was sent: it has to print this "
        "machine's public address",
        begin);
    return false;
}

static bool ended_well(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status))
        output_error("address_command ended with exit status %d; nothing was sent",
                     WEXITSTATUS(status));
    else if (WIFSTOPPED(status))
        output_error(
            "address_command wants to use the terminal, and was killed; nothing was sent: make it do "
            "without");
    else
        output_error("address_command was ended by signal %d; nothing was sent", WTERMSIG(status));
    return false;
}

/* "~/" is the home directory, as in paths. */
static void find_home(struct command_words *words, char *path, size_t size)
{
    const char *home = getenv("HOME");
    if (home && strncmp(words->words[0], "~/", 2) == 0 &&
        (size_t)snprintf(path, size, "%s%s", home, words->words[0] + 1) < size)
        words->words[0] = path;
}

bool address_command_ask(const char *command, int64_t until, struct addr *out)
{
    struct running running = {.output = -1};
    struct command_words words;
    char path[4096];
    int64_t began = clock_now();
    const char *why = command_words_split(command, &words);
    if (why) {
        output_error("cannot run the address_command: %s; nothing was sent", why);
        return false;
    }
    find_home(&words, path, sizeof(path));
    output_progress("asking %s for this machine's public address", words.words[0]);
    bool begun = start(&running, words.words);
    int error = errno;
    bool ended = begun && wait_for(&running, until);
    end(&running, ended && !WIFSTOPPED(running.status));
    output_progress_end();
    if (!begun)
        output_error("cannot run the address_command %s: %s; nothing was sent", words.words[0],
                     strerror(error));
    else if (!ended)
        output_error("address_command did not end within %d s, and was killed; nothing was sent",
                     (int)((clock_now() - began + CLOCK_SECOND / 2) / CLOCK_SECOND));
    return ended && ended_well(running.status) && read_address(&running, out);
}
