/* Jobs in the order in which they came. */
#ifndef KEEPER_QUEUE_H
#define KEEPER_QUEUE_H

#include "keeper/runner.h"

struct queue {
    struct job *first;
    struct job **end;
};

void queue_init(struct queue *queue);
void queue_add(struct queue *queue, struct job *job);

/*
 * Takes out the job with the lowest rank(arg, job), of equal ones the first. One with a rank below
 * 0 isn't taken; rank 0 is the lowest. NULL when there is none.
 */
struct job *queue_take(struct queue *queue, int64_t (*rank)(void *arg, const struct job *job),
                       void *arg);

/* Takes out a job that is in it. */
void queue_remove(struct queue *queue, struct job *job);

#endif
