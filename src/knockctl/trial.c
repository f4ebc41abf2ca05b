/* Applies rules, waits for a yes from the terminal, and takes them back without one. */
#include "knockctl/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "knockctl/change.h"
#include "lib/clock.h"

enum { PARTS_MAX = 2 };

/* What the two processes say to each other, a byte each. */
enum word { SAID_NOTHING, APPLIED, FAILED, CONFIRM, KEPT, UNDONE };

struct trial {
    struct change changes[PARTS_MAX];
    unsigned count;
    unsigned applied;
    unsigned seconds;
    int other; /* socket to the other process */
};

static void say(int fd, enum word word)
{
    char byte = (char)word;
    while (send(fd, &byte, 1, MSG_NOSIGNAL) < 0 && errno == EINTR)
        continue;
}

/* SAID_NOTHING: the other one is gone. */
static enum word hear(int fd)
{
    char byte = SAID_NOTHING;
    ssize_t got;
    while ((got = recv(fd, &byte, 1, 0)) < 0 && errno == EINTR)
        continue;
    return got == 1 ? (enum word)byte : SAID_NOTHING;
}

static bool undo(struct trial *trial)
{
    bool done = true;
    while (trial->applied > 0)
        done = change_undo(&trial->changes[--trial->applied]) && done;
    return done;
}

/* Waits until the word or the end of the other process, or for the time that is left. */
static bool confirmed(struct trial *trial)
{
    int64_t end = clock_now() + trial->seconds * CLOCK_SECOND, left;
    while ((left = end - clock_now()) > 0) {
        struct pollfd fd = {.fd = trial->other, .events = POLLIN};
        int ready = poll(&fd, 1, (int)(left / 1000000) + 1);
        if (ready > 0)
            return hear(trial->other) == CONFIRM;
        if (ready < 0 && errno != EINTR)
            break;
    }
    return false;
}

/* The one that changes the firewall: nothing that happens to the terminal reaches it. */
static _Noreturn void guard(struct trial *trial)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGTSTP};
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setsid();
    bool good = true;
    while (good && trial->applied < trial->count) {
        good = change_apply(&trial->changes[trial->applied]);
        trial->applied += good;
    }
    say(trial->other, good ? APPLIED : FAILED);
    if (good && confirmed(trial)) {
        say(trial->other, KEPT);
        _exit(EXIT_SUCCESS);
    }
    say(trial->other, undo(trial) ? UNDONE : FAILED);
    _exit(EXIT_FAILURE);
}

/* Collects what is typed. True after a line "yes"; *gone after the end of the input. */
static bool read_answer(char line[16], size_t *len, bool *gone)
{
    char byte;
    ssize_t got = read(STDIN_FILENO, &byte, 1);
    if (got <= 0) {
        *gone = got == 0 || errno != EINTR;
        return false;
    }
    if (byte != '\n') {
        line[*len] = byte;
        *len += *len < 15;
        return false;
    }
    line[*len] = '\0';
    *len = 0;
    if (strcmp(line, "yes") == 0)
        return true;
    puts("Type yes to keep the rules.");
    fflush(stdout);
    return false;
}

/* Returns when "yes" was sent on, when the guard has spoken or ended, or when all is over here. */
static void ask(struct trial *trial, int signals)
{
    struct pollfd fds[] = {{.fd = trial->other, .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = signals, .events = POLLIN}};
    char line[16];
    size_t len = 0;
    bool gone = false;
    printf("The rules are in place for %u s. Open another session; if that works, type yes here to "
           "keep them.\n",
           trial->seconds);
    fflush(stdout);
    while (!gone) {
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return;
        if (fds[0].revents || fds[2].revents)
            return;
        if (fds[1].revents && read_answer(line, &len, &gone)) {
            say(trial->other, CONFIRM);
            return;
        }
    }
}

/* Half closed, the socket tells the guard that nobody will confirm, and still brings its answer. */
static bool conclude(struct trial *trial)
{
    shutdown(trial->other, SHUT_WR);
    switch (hear(trial->other)) {
    case KEPT:
        puts("Kept.");
        return true;
    case UNDONE:
        puts("Not confirmed: the rules are as they were before.");
        return false;
    case SAID_NOTHING: /* someone killed it */
        trial->applied = trial->count;
        if (undo(trial))
            puts("The rules are as they were before.");
        return false;
    default:
        return false;
    }
}

static int block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGQUIT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool run(struct trial *trial)
{
    int pair[2], signals = block_signals();
    if (signals < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
        fprintf(stderr, "knockctl rules: %s: nothing was applied\n", strerror(errno));
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    trial->other = pair[pid == 0];
    close(pair[pid != 0]);
    if (pid == 0)
        guard(trial);
    bool kept = false;
    if (pid < 0) {
        fprintf(stderr, "knockctl rules: %s: nothing was applied\n", strerror(errno));
    } else {
        enum word word = hear(trial->other);
        if (word == APPLIED)
            ask(trial, signals);
        kept = conclude(trial);
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            continue;
    }
    close(trial->other);
    close(signals);
    return kept;
}

bool trial_run(const struct trial_part *parts, unsigned count, unsigned seconds)
{
    struct trial trial = {.seconds = seconds};
    bool good = true;
    while (good && trial.count < count && trial.count < PARTS_MAX) {
        const struct trial_part *part = &parts[trial.count];
        good = change_make(&trial.changes[trial.count++], &part->rules, part->kind);
    }
    bool kept = good && run(&trial);
    for (unsigned i = 0; i < trial.count; i++)
        change_free(&trial.changes[i]);
    return kept;
}
