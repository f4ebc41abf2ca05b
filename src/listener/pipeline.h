/*
 * What becomes of a line: parsed, counted, matched or reassembled, and what the keeper is to do or
 * to log for it is sent. Pure but for what send() does.
 */
#ifndef LISTENER_PIPELINE_H
#define LISTENER_PIPELINE_H

#include "listener/diagnostics.h"
#include "listener/freshness.h"
#include "listener/history.h"
#include "listener/ip_packet.h"

struct pipeline {
    const struct listener_config *setup;
    void (*send)(void *arg, struct message *message); /* to the keeper */
    void *arg;
    struct diagnostics diagnostics;
    struct history history;
    struct message_zone zone; /* this host's */
    struct freshness freshness[CONFIG_SOURCES_MAX];
};

/* Begins with the complete `setup`, which must live as long. */
void pipeline_init(struct pipeline *p, const struct listener_config *setup,
                   void (*send)(void *arg, struct message *message), void *arg, int64_t now);

/* When a line is read: ns since boot, and since 1970. */
struct line_moment {
    int64_t now, wall;
};

/* A line of `source`, read at that moment. Returns what it is. */
enum line_verdict pipeline_line(struct pipeline *p, unsigned source, const char *line, size_t len,
                                struct line_moment moment);

/*
 * A packet that `source`, of NFLOG or of a capture, brought at `now` (ns), with the name of its
 * interface in place; `verdict` says what of it counts, `prefix` (of `len` bytes) that of its rule
 * or is NULL.
 */
void pipeline_packet(struct pipeline *p, unsigned source, enum line_verdict verdict,
                     const char *prefix, size_t len, const struct ip_packet *packet, int64_t now);

/* Lines of `source` were lost before those that follow. */
void pipeline_gap(struct pipeline *p, unsigned source, int64_t now);

/* Answers the keeper's query: what the packets of an address did, what each source brought. */
void pipeline_query(struct pipeline *p, const struct message_query *query);

/* When pipeline_due wants to be called; INT64_MAX: never. */
int64_t pipeline_next(const struct pipeline *p);

/* Reports what is to be reported because nothing came. */
void pipeline_due(struct pipeline *p, int64_t now);

#endif
