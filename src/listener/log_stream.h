/*
 * One source of log lines as the listener sees it: descriptors that the keeper hands over. Reads
 * what is there, calls for each line, and tells of what was lost. It opens nothing.
 */
#ifndef LISTENER_LOG_STREAM_H
#define LISTENER_LOG_STREAM_H

#include "listener/tail.h"

struct log_stream_calls {
    void (*line)(void *arg, const char *line, size_t len);
    void (*event)(void *arg, enum event_kind kind, uint64_t number);
    /* A file is read from its start, whatever it holds (begins); then, its end was reached. True as
     * long as the latter is to be told again: a rewriter may empty a file before it fills it. */
    bool (*anew)(void *arg, bool begins);
    void *arg;
};

struct log_stream {
    uint32_t type;                /* enum source_type */
    struct tail files[LOG_FILES]; /* the newest first; the writers of the others may linger */
    bool anew;                    /* what the newest holds may be old */
    uint64_t next_number;         /* kmsg: what should come next; 0: none seen */
    struct log_stream_calls calls;
};

/* Makes a feed without descriptors. -1 when memory is short. */
int log_stream_init(struct log_stream *stream, uint32_t type, struct log_stream_calls calls);
void log_stream_free(struct log_stream *stream);

/*
 * Takes descriptor `fd`, handed over by `record`, and owns it. A file read so far is read on for a
 * minute after `now`, or until LOG_FILES newer ones have come: then it is read to its end first.
 */
void log_stream_take(struct log_stream *stream, const struct message_fd *message, int fd,
                     int64_t now);

/* Reads what is there, a bounded share of each file. True: there may be more, call again soon. */
bool log_stream_read(struct log_stream *stream);

/* Whether there is anything to read from. */
bool log_stream_is_open(const struct log_stream *stream);

/* Lets the files go that were replaced and whose time is over, after a last look at each. Returns
 * when to call again, INT64_MAX: not before log_stream_take. */
int64_t log_stream_tidy(struct log_stream *stream, int64_t now);

/* Whether inotify watch `watch` means that one of the files was written to. */
bool log_stream_watches(const struct log_stream *stream, int watch);

/* Whether no watch tells of all that is written to one of the files. */
bool log_stream_is_polled(const struct log_stream *stream);

#endif
