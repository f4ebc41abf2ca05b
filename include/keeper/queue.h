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

/* Takes out the first job that may(arg, job); NULL when there is none. */
struct job *queue_take(struct queue *queue, bool (*may)(void *arg, const struct job *job),
                       void *arg);

/* Takes out a job that is in it. */
void queue_remove(struct queue *queue, struct job *job);

#endif
