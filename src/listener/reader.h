/*
 * The logs of a listener, which the keeper hands over: reads what comes, a share of each at a time,
 * for the intake. What it has to say is told by tell().
 */
#ifndef LISTENER_READER_H
#define LISTENER_READER_H

#include "lib/loop.h"
#include "listener/log_stream.h"
#include "listener/pipeline.h"
#include "listener/replayed.h"

struct reader;

/* A log: its lines carry its number to the matcher. */
struct source {
    struct reader *reader;
    struct log_stream stream;
    struct watch *on_ready; /* all but files, which inotify watches */
    struct replayed stale;
    int64_t anew_since;
    bool more; /* it has more than its share: read it again soon */
};

struct reader {
    struct loop *loop;
    struct listener_config *setup;
    void (*tell)(void *arg, struct message *message);
    void *arg;
    int inotify;
    struct watch *on_inotify;
    unsigned count; /* of sources */
    struct source sources[CONFIG_SOURCES_MAX];
    struct timer again; /* some feed has more than its share */
    struct timer tidy;
    struct timer poll; /* some feed is to be looked at without being told */
    struct timer due;  /* the intake has something to say */
    struct pipeline pipeline;
    int64_t now; /* of the lines that are being read */
};

/* Makes one that has nothing to read yet. -1 when memory is short; the caller frees it either way.
 */
int reader_register(struct reader *reader, struct loop *loop);

/* Begins with the complete `setup`, which must live as long. False when memory is short. */
bool reader_begin(struct reader *reader, struct listener_config *setup,
                  void (*tell)(void *arg, struct message *message), void *arg);

/* Takes a descriptor that came with `record`, and owns it. False when no honest keeper sends that,
 * or memory is short: then it is the caller's. */
bool reader_take_fd(struct reader *reader, const struct message_fd *message, int fd);

/* Answers the keeper's question. */
void reader_query(struct reader *reader, const struct message_query *query);

void reader_free(struct reader *reader);

#endif
