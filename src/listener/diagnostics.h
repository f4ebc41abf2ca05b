/*
 * What explains why nothing happened: what each source brought (stats.h), and knocks that began and
 * stalled. Decides what of it is reported, and when. Pure but for what send() does.
 */
#ifndef LISTENER_DIAGNOSTICS_H
#define LISTENER_DIAGNOSTICS_H

#include "listener/config_receive.h"
#include "listener/stats.h"

enum { STALLED_MAX = 64, FINISHED_MAX = 256 };

struct stalled_knock {
    uint32_t source;
    uint32_t door;
    struct addr address;
    unsigned stage; /* steps done; 0: the place is free */
    int64_t until;  /* ns: when its time is over */
    /* What came in place of the step behind `stage`, to a strict door; port 0: nothing did. */
    struct port_proto instead;
};

/* A knock that opened a door. */
struct finished_knock {
    struct addr address; /* family 0: the place is free */
    uint32_t source;
    int64_t time;
};

/*
 * Knocks that began and didn't go on: some of them, remembered until their time is over, so that
 * the log can say how far they came. Bounded, since strangers begin knocks, too.
 */
struct stalled {
    struct stalled_knock list[STALLED_MAX];
    struct finished_knock finished[FINISHED_MAX]; /* by address; a later one takes the place */
    int64_t quiet_until;                          /* no more than one is reported in 10 s */
    uint64_t unreported;
};

/* The knock reached `knock->stage`, and nothing else came instead of the next step yet. Its first
 * step decides when its time is over. */
void stalled_reach(struct stalled *stalled, const struct stalled_knock *knock);

/*
 * The address opened a door by what `source` brings: what it began with others, whose first steps
 * may be the same, is no failure to report, nor is what other sources brought of the same knock.
 */
void stalled_finish(struct stalled *stalled, uint32_t source, const struct addr *address,
                    int64_t now);

/* Whether another source brought a whole knock of the address at `since` or later, so that this may
 * be a part of the same. */
bool stalled_is_finished(const struct stalled *stalled, const struct stalled_knock *knock,
                         int64_t since);

/* When the next one's time is over; INT64_MAX when there is none. */
int64_t stalled_next(const struct stalled *stalled);

/*
 * Removes one whose time is over at `now`, and what other sources brought of the same knock, unless
 * one of them brought more. True, with *out, if it is to be reported; else there was
 * none, or none that the limit leaves room for.
 */
bool stalled_expire(struct stalled *stalled, int64_t now, struct stalled_knock *out);

struct diagnostics {
    struct stats stats[CONFIG_SOURCES_MAX];
    struct stalled stalled;
    /* Of each source: no more than one stale line is reported in a minute, for each reason. */
    int64_t stale_quiet_until[CONFIG_SOURCES_MAX][STALE_REASONS];
    int64_t silent_at;    /* when sources without any packet are reported; INT64_MAX: they were */
    unsigned silent_next; /* the next of them */
};

void diagnostics_init(struct diagnostics *d, int64_t now);

/* Counts a line of `source`, read at `now`, and its verdict. True: *out is to be sent. */
bool diagnostics_line(struct diagnostics *d, const struct listener_config *setup, unsigned source,
                      enum line_verdict verdict, const char *line, size_t len, int64_t now,
                      struct message_seen *out);

/* The same for a packet that is no line; `prefix`, of `len` bytes, is that of its rule; NULL: it
 * has none. */
bool diagnostics_record(struct diagnostics *d, const struct listener_config *setup, unsigned source,
                        enum line_verdict verdict, const char *prefix, size_t len, int64_t now,
                        struct message_seen *out);

/* How many stages of a packet are of use, for matcher_feed. */
unsigned diagnostics_stages(const struct diagnostics *d, const struct listener_config *setup);

/* What the matcher made of a packet: knocks that began, went on, were thrown back or are done. */
void diagnostics_packet(struct diagnostics *d, const struct listener_config *setup, unsigned source,
                        const struct packet *packet, const struct match_result *matched,
                        int64_t now);

/* Whether a door that the packet didn't open, since its address is scanning, is to be reported now:
 * *out is filled. */
bool diagnostics_scan(struct diagnostics *d, unsigned source, const struct packet *packet,
                      const struct match_result *matched, int64_t now, struct message_event *out);

/* A line about a packet of `address` was refused for its time. Whether that is to be reported now:
 * *out is filled. */
bool diagnostics_stale(struct diagnostics *d, unsigned source, const struct addr *address,
                       enum stale_reason reason, int64_t age, int64_t now,
                       struct message_event *out);

/* A line of `source` is of now: it isn't written in another time zone, as one before may have
 * seemed to be. */
void diagnostics_fresh(struct diagnostics *d, unsigned source);

/* Lines of `source` were lost: what came in place of a next step isn't known. */
void diagnostics_gap(struct diagnostics *d, const struct listener_config *setup, unsigned source);

/* When diagnostics_due has something; INT64_MAX: never. */
int64_t diagnostics_next(const struct diagnostics *d);

/* What is to be reported since nothing came until `now`, one event a call. False: no more. */
bool diagnostics_due(struct diagnostics *d, const struct listener_config *setup, int64_t now,
                     struct message_event *out);

/* Answers query number `query` with MESSAGE_COUNTERS, MESSAGE_STATS and MESSAGE_OTHER. */
void diagnostics_answer(const struct diagnostics *d, const struct listener_config *setup,
                        uint32_t query, void (*send)(void *arg, struct message *message),
                        void *arg);

#endif
