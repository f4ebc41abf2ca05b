/*
 * From a line to what the keeper hears of it: parsed, matched, counted, and, where an
 * administrator would wonder, explained. Pure but for what tell() does.
 */
#ifndef LISTENER_PIPELINE_H
#define LISTENER_PIPELINE_H

#include "lib/message.h"
#include "listener/config_receive.h"
#include "listener/history.h"
#include "listener/stalled.h"
#include "listener/stats.h"

struct pipeline {
    const struct listener_config *setup;
    void (*tell)(void *arg, struct message *message);
    void *arg;
    struct stats tallies[CONFIG_SOURCES_MAX];
    struct stalled attempts;
    struct history trace;
    int64_t silent_at; /* when a source without any packet is spoken of */
    /* The line that is being taken. */
    unsigned source;
    struct packet packet;
    int64_t now;
};

/* Begins with the complete `setup`, which must live as long. */
void pipeline_init(struct pipeline *pipeline, const struct listener_config *setup,
                   void (*tell)(void *arg, struct message *message), void *arg, int64_t now);

/* A line of `source`, read at `now` (ns). Returns what it is. */
enum line_verdict pipeline_line(struct pipeline *pipeline, unsigned source, const char *line,
                                size_t len, int64_t now);

/* Lines of `source` were lost before those that follow. */
void pipeline_gap(struct pipeline *pipeline, unsigned source, int64_t now);

/* Answers the keeper's question: what the packets of an address did, what each source brought. */
void pipeline_query(struct pipeline *pipeline, const struct message_query *query);

/* When pipeline_due wants to be called; INT64_MAX: never. */
int64_t pipeline_next(const struct pipeline *pipeline);

/* Says what is to be said because nothing came. */
void pipeline_due(struct pipeline *pipeline, int64_t now);

#endif
