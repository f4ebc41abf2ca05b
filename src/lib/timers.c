/* A binary heap of deadlines. */
#include "lib/timers.h"

#include <assert.h>
#include <stdlib.h>

int timers_register(struct timers *timers, struct timer *timer, void (*fire)(void *arg), void *arg)
{
    if (timers->registered == timers->room) {
        size_t room = timers->room ? 2 * timers->room : 64;
        struct timer **heap = realloc(timers->heap, room * sizeof(struct timer *));
        if (!heap)
            return -1;
        timers->heap = heap;
        timers->room = room;
    }
    timers->registered++;
    *timer = (struct timer){.fire = fire, .arg = arg};
    return 0;
}

void timers_unregister(struct timers *timers, struct timer *timer)
{
    assert(timers->registered > 0);
    timers_cancel(timers, timer);
    timers->registered--;
}

/* Places count from 1, so that the parent of n is n / 2 and 0 can mean "not set". */
static void put(struct timers *timers, size_t place, struct timer *timer)
{
    timers->heap[place - 1] = timer;
    timer->place = place;
}

static struct timer *at(const struct timers *timers, size_t place)
{
    return timers->heap[place - 1];
}

static void rise(struct timers *timers, struct timer *timer, size_t place)
{
    for (; place > 1 && at(timers, place / 2)->due > timer->due; place /= 2)
        put(timers, place, at(timers, place / 2));
    put(timers, place, timer);
}

static void sink(struct timers *timers, struct timer *timer, size_t place)
{
    for (;;) {
        size_t child = 2 * place;
        if (child > timers->set)
            break;
        if (child < timers->set && at(timers, child + 1)->due < at(timers, child)->due)
            child++;
        if (at(timers, child)->due >= timer->due)
            break;
        put(timers, place, at(timers, child));
        place = child;
    }
    put(timers, place, timer);
}

void timers_set(struct timers *timers, struct timer *timer, int64_t due)
{
    timers_cancel(timers, timer);
    assert(timers->set < timers->registered);
    timer->due = due;
    rise(timers, timer, ++timers->set);
}

void timers_cancel(struct timers *timers, struct timer *timer)
{
    size_t place = timer->place;
    if (place == 0)
        return;
    struct timer *last = at(timers, timers->set--);
    timer->place = 0;
    if (last == timer)
        return;
    /* The last one fills the hole; it may belong above or below it. */
    if (place > 1 && at(timers, place / 2)->due > last->due)
        rise(timers, last, place);
    else
        sink(timers, last, place);
}

struct timer *timers_pop(struct timers *timers, int64_t now)
{
    if (timers->set == 0 || at(timers, 1)->due > now)
        return NULL;
    struct timer *timer = at(timers, 1);
    timers_cancel(timers, timer);
    return timer;
}

int64_t timers_next(const struct timers *timers)
{
    return timers->set ? at(timers, 1)->due : INT64_MAX;
}

void timers_free(struct timers *timers)
{
    free(timers->heap);
    *timers = (struct timers){0};
}
