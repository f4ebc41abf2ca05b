/*
 * From a line to what the keeper hears of it: parsed, matched, counted, and, where an
 * administrator would wonder, explained. Pure but for what tell() does.
 */
#ifndef LISTENER_INTAKE_H
#define LISTENER_INTAKE_H

#include "lib/record.h"
#include "listener/attempts.h"
#include "listener/setup.h"
#include "listener/tally.h"
#include "listener/trace.h"

struct intake {
    const struct setup *setup;
    void (*tell)(void *arg, struct record *record);
    void *arg;
    struct tally tallies[CONFIG_SOURCES_MAX];
    struct attempts attempts;
    struct trace trace;
    int64_t silent_at; /* when a source without any packet is spoken of */
    /* The line that is being taken. */
    unsigned source;
    struct packet packet;
    int64_t now;
};

/* Begins with the complete `setup`, which must live as long. */
void intake_init(struct intake *intake, const struct setup *setup,
                 void (*tell)(void *arg, struct record *record), void *arg, int64_t now);

/* A line of `source`, read at `now` (ns). Returns what it is. */
enum line_verdict intake_line(struct intake *intake, unsigned source, const char *line, size_t len,
                              int64_t now);

/* Lines of `source` were lost before those that follow. */
void intake_gap(struct intake *intake, unsigned source, int64_t now);

/* Answers the keeper's question: what the packets of an address did, what each source brought. */
void intake_query(struct intake *intake, const struct record_query *query);

/* When intake_due wants to be called; INT64_MAX: never. */
int64_t intake_next(const struct intake *intake);

/* Says what is to be said because nothing came. */
void intake_due(struct intake *intake, int64_t now);

#endif
