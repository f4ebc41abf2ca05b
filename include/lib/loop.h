/*
 * The event loop: descriptors and deadlines. The only header that stands for libev. Deadlines run
 * on CLOCK_BOOTTIME by one timerfd, since libev's own count on CLOCK_MONOTONIC, which stops while
 * the machine sleeps.
 */
#ifndef LIB_LOOP_H
#define LIB_LOOP_H

#include "lib/timers.h"

struct loop;
struct watch;

/*
 * What a descriptor is watched for. LOOP_LATE: it is served after all timers and all other
 * descriptors of the same turn, so that who writes to it can't keep those waiting.
 */
enum loop_event { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_LATE = 4 };

/* NULL and errno when the kernel refuses. Everything that needs a system call beyond waiting is
 * done here, so that a sandbox can close behind it. */
struct loop *loop_new(void);
void loop_free(struct loop *loop);

/*
 * Serves until loop_stop: in each turn first the timers that are due, then the descriptors that are
 * ready, those that are LOOP_LATE last. Timers that these set to be due by now are fired before the
 * next wait, and timers that those set, a few times over.
 */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/*
 * Calls ready(arg) whenever `fd` is ready for `events`, until loop_unwatch. The caller keeps
 * owning `fd`. `events` are of enum loop_event. NULL when memory is short.
 */
struct watch *loop_watch(struct loop *loop, int fd, int events, void (*ready)(void *arg),
                         void *arg);
/* Ends it, at once, and frees it. NULL is fine. */
void loop_unwatch(struct watch *watch);

/* As timers_register and so on, fired by the loop. */
int loop_timer_register(struct loop *loop, struct timer *timer, void (*fire)(void *arg), void *arg);
void loop_timer_unregister(struct loop *loop, struct timer *timer);
void loop_timer_set(struct loop *loop, struct timer *timer, int64_t due);
void loop_timer_cancel(struct loop *loop, struct timer *timer);

#endif
