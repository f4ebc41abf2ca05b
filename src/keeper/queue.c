#include "keeper/queue.h"

void queue_init(struct queue *queue)
{
    queue->first = NULL;
    queue->end = &queue->first;
}

void queue_add(struct queue *queue, struct job *job)
{
    job->next = NULL;
    job->queued = true;
    *queue->end = job;
    queue->end = &job->next;
}

static void unlink_job(struct queue *queue, struct job **link)
{
    struct job *job = *link;
    *link = job->next;
    if (!*link)
        queue->end = link;
    job->queued = false;
}

struct job *queue_take(struct queue *queue, int64_t (*rank)(void *arg, const struct job *job),
                       void *arg)
{
    struct job **best = NULL;
    int64_t lowest = INT64_MAX;
    for (struct job **link = &queue->first; *link && lowest > 0; link = &(*link)->next) {
        int64_t own = rank(arg, *link);
        if (own < 0 || own >= lowest)
            continue;
        lowest = own;
        best = link;
    }
    if (!best)
        return NULL;
    struct job *job = *best;
    unlink_job(queue, best);
    return job;
}

void queue_remove(struct queue *queue, struct job *job)
{
    struct job **link = &queue->first;
    while (*link != job)
        link = &(*link)->next;
    unlink_job(queue, link);
}
