/* Runs address_command: splits it into words, reads what it prints, and sees to it that it ends. */
#include "knock/address_command.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "knock/say.h"
#include "lib/clock.h"
#include "lib/command_words.h"

/* The shell's exit status of a command that isn't there. */
enum { NOT_FOUND = 127, LINE_SIZE = 256 };

static const char blanks[] = " \t\r\n";

/* A command under way, and the begin of what it printed. */
struct running {
    pid_t pid;
    int output; /* its standard output, to be read without waiting */
    char text[LINE_SIZE];
    size_t len;
};

/* In the child: a process group of its own, so that all that it starts can be ended with it. */
static _Noreturn void become(char **words, int output)
{
    int nothing = open("/dev/null", O_RDONLY);
    setpgid(0, 0);
    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0)
        _exit(NOT_FOUND);
    if (nothing > STDERR_FILENO)
        close(nothing);
    if (output > STDERR_FILENO)
        close(output);
    execvp(words[0], words);
    say("cannot run the address_command %s: %s", words[0], strerror(errno));
    _exit(NOT_FOUND);
}

static bool start(struct running *running, char **words)
{
    int ends[2];
    if (pipe(ends) < 0)
        return false;
    running->pid = fork();
    if (running->pid == 0) {
        close(ends[0]);
        become(words, ends[1]);
    }
    int error = errno;
    close(ends[1]);
    running->output = ends[0];
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    if (running->pid > 0)
        setpgid(running->pid, running->pid); /* whoever of the two comes first */
    else
        close(ends[0]);
    errno = error;
    return running->pid > 0;
}

/* Keeps what fits; the rest is read all the same, so that it needn't wait. False at the end. */
static bool read_some(struct running *running)
{
    char rest[1024];
    size_t room = sizeof(running->text) - 1 - running->len;
    ssize_t len = read(running->output, room ? running->text + running->len : rest,
                       room ? room : sizeof(rest));
    if (len > 0 && room > 0)
        running->len += (size_t)len;
    return len > 0 || (len < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Until it closes its output, or the time is over: false then. */
static bool read_all(struct running *running, int64_t until)
{
    const int64_t ms = CLOCK_SECOND / 1000;
    struct pollfd output = {.fd = running->output, .events = POLLIN};
    for (int64_t left; (left = until - clock_now()) > 0;)
        if (poll(&output, 1, (int)(left / ms < INT32_MAX ? left / ms + 1 : INT32_MAX)) > 0 &&
            !read_some(running))
            return true;
    return false;
}

/* It has closed its output, so it is about to end; if it isn't, it is made to. */
static bool wait_for(struct running *running, int64_t until, int *status)
{
    static const struct timespec pause = {.tv_nsec = 5000000};
    for (pid_t ended; (ended = waitpid(running->pid, status, WNOHANG)) != running->pid;) {
        if (ended < 0 && errno != EINTR)
            return false;
        if (clock_now() >= until)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static void end(struct running *running)
{
    kill(-running->pid, SIGKILL);
    while (waitpid(running->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
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
    say("address_command prints \"%.60s\" in its first line; nothing was sent: it has to print this "
        "machine's public address",
        begin);
    return false;
}

static bool ended_well(int status)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFEXITED(status))
        say("address_command ended with exit status %d; nothing was sent", WEXITSTATUS(status));
    else
        say("address_command was ended by signal %d; nothing was sent", WTERMSIG(status));
    return false;
}

bool address_command_ask(const char *command, int64_t until, struct addr *out)
{
    struct running running = {0};
    struct command_words words;
    int64_t began = clock_now();
    int status = 0;
    const char *why = command_words_split(command, &words);
    if (why || !start(&running, words.words)) {
        say("cannot run the address_command: %s; nothing was sent", why ? why : strerror(errno));
        return false;
    }
    say_progress("asking %s for this machine's public address", words.words[0]);
    bool ended = read_all(&running, until) && wait_for(&running, until, &status);
    say_no_progress();
    if (!ended) {
        end(&running);
        say("address_command did not end within %d s, and was killed; nothing was sent",
            (int)((clock_now() - began + CLOCK_SECOND / 2) / CLOCK_SECOND));
    }
    close(running.output);
    return ended && ended_well(status) && read_address(&running, out);
}
