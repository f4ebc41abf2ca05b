/*
 * One source of log lines as the listener sees it: descriptors that the keeper hands over. Reads
 * what is there, calls for each line that is new, and reports what was lost. It opens nothing.
 */
#ifndef LISTENER_LOG_STREAM_H
#define LISTENER_LOG_STREAM_H

#include "listener/replayed.h"
#include "listener/tail.h"

struct log_stream_calls {
    /* A line. Returns whether the firewall wrote it: in a log that is rewritten, the time of the
     * last such line tells which lines were read before. */
    bool (*line)(void *arg, const char *line, size_t len);
    void (*event)(void *arg, enum event_kind kind, uint64_t number);
    void *arg;
};

struct log_stream {
    uint32_t type; /* enum source_type */
    enum log_format format;
    struct tail files[LOG_FILES]; /* the newest first; the writers of the others may linger */
    struct replayed replayed;
    int64_t rewritten_at; /* when reading began at the newest file's start */
    int64_t now;          /* of what is being read */
    uint64_t next_number; /* kmsg: what should come next; 0: none seen */
    struct log_stream_calls calls;
};

/* Makes a stream without descriptors. -1 when memory is short. */
int log_stream_init(struct log_stream *stream, uint32_t type, enum log_format format,
                    struct log_stream_calls calls);
void log_stream_free(struct log_stream *stream);

/*
 * Begins to read descriptor `fd`, handed over by `message`, and owns it. A file read so far is read
 * on for a minute after `now`, or until LOG_FILES newer ones have come: then it is read to its end
 * first.
 */
void log_stream_open(struct log_stream *stream, const struct message_fd *message, int fd,
                     int64_t now);

/* Reads what is there at `now`, a bounded share of each file. True: there may be more, call again
 * soon. */
bool log_stream_read(struct log_stream *stream, int64_t now);

/* Whether there is anything to read from. */
bool log_stream_is_open(const struct log_stream *stream);

/* Closes the files that were replaced and whose time is over, after a last look at each. Returns
 * when to call again, INT64_MAX: not before log_stream_open. */
int64_t log_stream_tidy(struct log_stream *stream, int64_t now);

/* Whether inotify watch `watch` means that one of the files was written to. */
bool log_stream_watches(const struct log_stream *stream, int watch);

/* Whether no watch reports all that is written to one of the files. */
bool log_stream_is_polled(const struct log_stream *stream);

#endif
