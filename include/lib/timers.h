/*
 * Deadlines: a binary heap, so that the earliest of ten thousand doors is at hand. Pure: the
 * caller brings the time. Room is taken when a timer is registered, so that setting one, which
 * is what closes doors, can't fail.
 */
#ifndef LIB_TIMERS_H
#define LIB_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct timer {
    int64_t due;  /* ns, CLOCK_BOOTTIME */
    size_t place; /* in the heap, from 1; 0: not set */
    void (*fire)(void *arg);
    void *arg;
};

struct timers {
    struct timer **heap;
    size_t set;        /* timers in the heap */
    size_t registered; /* timers that may come to be */
    size_t room;
};

/* Makes `timer` known. The caller owns it and keeps it in place. -1 when memory is short. */
int timers_register(struct timers *timers, struct timer *timer, void (*fire)(void *arg), void *arg);

/* Cancels and forgets a registered timer. */
void timers_unregister(struct timers *timers, struct timer *timer);

/* Sets or moves the timer's deadline. */
void timers_set(struct timers *timers, struct timer *timer, int64_t due);
void timers_cancel(struct timers *timers, struct timer *timer);
static inline bool timer_is_set(const struct timer *timer)
{
    return timer->place != 0;
}

/* Takes out and returns the earliest timer that is due at `now`; NULL when there is none. */
struct timer *timers_pop(struct timers *timers, int64_t now);

/* The earliest deadline, INT64_MAX when none is set. */
int64_t timers_next(const struct timers *timers);

void timers_free(struct timers *timers);

#endif
