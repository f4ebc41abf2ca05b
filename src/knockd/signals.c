/* Signals by a signalfd, which the loop watches. */
#include "knockd/signals.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct signals {
    int fd;
    struct watch *watch;
    void (*caught)(void *arg, int number);
    void *arg;
};

static void on_ready(void *arg)
{
    struct signals *signals = arg;
    struct signalfd_siginfo info;
    if (read(signals->fd, &info, sizeof(info)) == sizeof(info))
        signals->caught(signals->arg, (int)info.ssi_signo);
}

struct signals *signals_watch(struct loop *loop, void (*caught)(void *arg, int number), void *arg)
{
    struct signals *signals = calloc(1, sizeof(*signals));
    if (!signals)
        return NULL;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    /* Inherited as ignored, it would reap the commands before their exit status is seen. */
    signal(SIGCHLD, SIG_DFL);
    *signals = (struct signals){.caught = caught, .arg = arg};
    signals->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signals->fd >= 0)
        signals->watch = loop_watch(loop, signals->fd, LOOP_READ, on_ready, signals);
    if (signals->watch)
        return signals;
    signals_free(signals);
    return NULL;
}

void signals_free(struct signals *signals)
{
    if (!signals)
        return;
    loop_unwatch(signals->watch);
    if (signals->fd >= 0)
        close(signals->fd);
    free(signals);
}
