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

struct job *queue_take(struct queue *queue, bool (*may)(void *arg, const struct job *job),
                       void *arg)
{
    for (struct job **link = &queue->first; *link; link = &(*link)->next) {
        struct job *job = *link;
        if (!may(arg, job))
            continue;
        unlink_job(queue, link);
        return job;
    }
    return NULL;
}

void queue_remove(struct queue *queue, struct job *job)
{
    struct job **link = &queue->first;
    while (*link != job)
        link = &(*link)->next;
    unlink_job(queue, link);
}
