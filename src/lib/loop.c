/* The one file that calls libev: watches descriptors, and has one timerfd for all deadlines. */
#include "lib/loop.h"

#include <ev.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

struct loop {
    struct ev_loop *ev;
    struct timers timers;
    int timerfd;
    int64_t armed; /* what the timerfd is set to; INT64_MAX: nothing */
    ev_io alarm;
    ev_prepare prepare;
};

struct watch {
    ev_io io; /* first, so that libev's pointer is ours */
    struct loop *loop;
    void (*ready)(void *arg);
    void *arg;
};

/* So often, what a turn of the loop left due is fired before it waits. */
enum { ROUNDS = 4 };

/* The time is read once: a timer that sets itself again can't keep the loop here. */
static void fire_due(struct loop *loop)
{
    int64_t now = clock_now();
    for (struct timer *timer; (timer = timers_pop(&loop->timers, now));)
        timer->fire(timer->arg);
}

/*
 * What descriptors and timers set to be done at once needs no alarm, and no turn of its own, while
 * no more of it follows from it than such a chain has links.
 */
static void fire_at_once(struct loop *loop)
{
    for (int i = 0; i < ROUNDS && timers_next(&loop->timers) <= clock_now(); i++)
        fire_due(loop);
}

/* One system call for however many timers have changed since the last wait. */
static void arm(struct loop *loop)
{
    int64_t next = timers_next(&loop->timers);
    if (next == loop->armed)
        return;
    struct itimerspec spec = {0};
    if (next != INT64_MAX) {
        /* A deadline of 0 would disarm it. */
        int64_t due = next > 0 ? next : 1;
        spec.it_value.tv_sec = (time_t)(due / CLOCK_SECOND);
        spec.it_value.tv_nsec = (long)(due % CLOCK_SECOND);
    }
    if (timerfd_settime(loop->timerfd, TFD_TIMER_ABSTIME, &spec, NULL) == 0)
        loop->armed = next;
}

/* Before each wait. */
static void on_prepare(struct ev_loop *ev, ev_prepare *prepare, int events)
{
    (void)ev;
    (void)events;
    fire_at_once(prepare->data);
    arm(prepare->data);
}

static void on_alarm(struct ev_loop *ev, ev_io *io, int events)
{
    (void)ev;
    (void)events;
    struct loop *loop = io->data;
    uint64_t expirations;
    if (read(loop->timerfd, &expirations, sizeof(expirations)) > 0)
        loop->armed = INT64_MAX;
    fire_due(loop);
}

struct loop *loop_new(void)
{
    struct loop *loop = calloc(1, sizeof(*loop));
    if (!loop)
        return NULL;
    loop->armed = INT64_MAX;
    loop->timerfd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    loop->ev = ev_loop_new(EVFLAG_NOENV | EVFLAG_NOINOTIFY | EVBACKEND_EPOLL);
    if (loop->timerfd < 0 || !loop->ev) {
        loop_free(loop);
        return NULL;
    }
    ev_io_init(&loop->alarm, on_alarm, loop->timerfd, EV_READ);
    ev_prepare_init(&loop->prepare, on_prepare);
    loop->alarm.data = loop->prepare.data = loop;
    ev_set_priority(&loop->alarm, EV_MAXPRI);
    ev_io_start(loop->ev, &loop->alarm);
    ev_prepare_start(loop->ev, &loop->prepare);
    return loop;
}

void loop_free(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->ev)
        ev_loop_destroy(loop->ev);
    if (loop->timerfd >= 0)
        close(loop->timerfd);
    timers_free(&loop->timers);
    free(loop);
}

void loop_run(struct loop *loop)
{
    ev_run(loop->ev, 0);
}

void loop_stop(struct loop *loop)
{
    ev_break(loop->ev, EVBREAK_ALL);
}

static void on_ready(struct ev_loop *ev, ev_io *io, int events)
{
    (void)ev;
    (void)events;
    struct watch *watch = (struct watch *)io;
    watch->ready(watch->arg);
}

struct watch *loop_watch(struct loop *loop, int fd, int events, void (*ready)(void *arg), void *arg)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch)
        return NULL;
    watch->loop = loop;
    watch->ready = ready;
    watch->arg = arg;
    int mask = (events & LOOP_READ ? EV_READ : 0) | (events & LOOP_WRITE ? EV_WRITE : 0);
    ev_io_init(&watch->io, on_ready, fd, mask);
    ev_set_priority(&watch->io, events & LOOP_LATE ? EV_MINPRI : 0);
    ev_io_start(loop->ev, &watch->io);
    return watch;
}

void loop_unwatch(struct watch *watch)
{
    if (!watch)
        return;
    ev_io_stop(watch->loop->ev, &watch->io);
    free(watch);
}

int loop_timer_register(struct loop *loop, struct timer *timer, void (*fire)(void *arg), void *arg)
{
    return timers_register(&loop->timers, timer, fire, arg);
}

void loop_timer_unregister(struct loop *loop, struct timer *timer)
{
    timers_unregister(&loop->timers, timer);
}

void loop_timer_set(struct loop *loop, struct timer *timer, int64_t due)
{
    timers_set(&loop->timers, timer, due);
}

void loop_timer_cancel(struct loop *loop, struct timer *timer)
{
    timers_cancel(&loop->timers, timer);
}
