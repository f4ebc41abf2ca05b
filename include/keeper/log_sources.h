/*
 * The keeper's side of the logs: it owns their paths, opens them and watches for their being
 * replaced, reads not one byte, and hands the descriptors to the listener.
 */
#ifndef KEEPER_LOG_SOURCES_H
#define KEEPER_LOG_SOURCES_H

#include "keeper/nflog_groups.h"
#include "keeper/one_time.h"
#include "lib/config.h"
#include "lib/loop.h"
#include "lib/message.h"

/* How a descriptor is handed over; it stays the caller's. */
struct handover {
    void (*send)(void *arg, const struct message *message, int fd);
    void *arg;
};

struct log_sources;

/*
 * Tells `report` what of the sources can't work, without opening any; and, if they are only to be
 * checked and not opened next, of what isn't there just now.
 */
void log_sources_check(const struct config *config, bool only_check, struct report *report);

/*
 * Opens the logs of `config`, which must live as long, for one listener; a capture hears the
 * one-time sequences of `once` (NULL: none), too. A log that isn't there
 * is waited for, with a warning; one that can't be read is an error. The sockets of its groups of
 * NFLOG are those of `groups` (NULL: it has none), which must live as long, too. NULL after errors.
 */
struct log_sources *log_sources_open(struct loop *loop, const struct config *config,
                                     const struct one_time *once, const struct nflog_groups *groups,
                                     struct report *report);
void log_sources_close(struct log_sources *sources);

/* Hands over what is open, and from here on each file that appears. */
void log_sources_start(struct log_sources *sources, struct handover handover);

/* Inotify watch `watch` told of a change on the way to a log, or -1, of any: opens the logs whose
 * paths mean other files now. */
void log_sources_reopen(struct log_sources *sources, int watch);

/* The same for a listener, which may say so as often as it likes: of more than a few changes a
 * second, the logs are opened a moment later, together. */
void log_sources_changed(struct log_sources *sources, int watch);

/* The listener came to the end of log `index`. A FIFO gets other writers. */
void log_sources_closed(struct log_sources *sources, unsigned index);

#endif
