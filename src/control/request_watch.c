/* knockctl watch: events of doors and of the listener, to all who watch, as they happen. */
#include <time.h>

#include "control/request_parts.h"
#include "lib/clock.h"

/* A watcher keeps its connection; some must be left for other requests. */
enum { WATCHERS_MAX = CONTROL_CONNECTIONS / 2 };

void requests_serve_watch(void *arg, struct answer *answer, char *const *words)
{
    struct requests *requests = arg;
    int watchers = 0;
    (void)words;
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        watchers += requests->pending.items[i].kind == PENDING_WATCH;
    if (watchers >= WATCHERS_MAX) {
        answer_error(answer, "%d watch already", watchers);
        return;
    }
    answer_begin(answer, ANSWER_STREAM);
    pending_begin(&requests->pending, PENDING_WATCH, answer, INT64_MAX);
}

static void begin_event(struct row *row, const char *event)
{
    row_begin(row, 0, "watch");
    row_number(row, "time", time(NULL));
    row_text(row, "event", event);
}

static void send_to_watchers(struct requests *requests, const struct row *row)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        if (requests->pending.items[i].kind == PENDING_WATCH)
            answer_row(requests->pending.items[i].answer, row);
}

static void add_address(struct row *row, const struct addr *address)
{
    char text[ADDR_TEXT_SIZE];
    row_text(row, "address", addr_format(address, text));
}

void requests_watch_door(struct requests *requests, const struct door_event *event)
{
    static const char *const names[DOOR_EVENTS] = {"opened",     "extended", "failed",
                                                   "not-closed", "gone",     "refused"};
    struct row row;
    begin_event(&row, names[event->kind]);
    if (event->door)
        row_text(&row, "door", event->door);
    add_address(&row, event->address);
    if (event->by)
        row_text(&row, "by", event->by);
    /* Other knocks have no choice. */
    if (event->by && event->port.port && config_is_key_name(event->by))
        row_number(&row, "port", event->port.port);
    if (event->source && *event->source)
        row_text(&row, "heard_by", event->source);
    if (event->user && *event->user)
        row_text(&row, "user", event->user);
    if (event->why)
        row_text(&row, "why", event->why);
    if (event->kind == DOOR_OPENED || event->kind == DOOR_EXTENDED)
        row_number(&row, "seconds", event->length / CLOCK_SECOND);
    send_to_watchers(requests, &row);
}

static void watch_step(struct requests *requests, const struct config *config,
                       const struct message_event *event)
{
    struct row row;
    const struct config_door *door = &config->doors[event->door];
    begin_event(&row, event->kind == EVENT_STAGE ? "step" : "stalled");
    row_text(&row, "door", door->name);
    add_address(&row, &event->address);
    row_number(&row, "step", (int64_t)event->number);
    row_number(&row, "steps", door->sequence.count);
    if (event->instead.port > 0) {
        request_row_port(&row, "instead", event->instead);
    }
    send_to_watchers(requests, &row);
}

static void watch_scan(struct requests *requests, const struct config *config,
                       const struct message_event *event)
{
    struct row row;
    begin_event(&row, "scan");
    row_text(&row, "door", config->doors[event->door].name);
    add_address(&row, &event->address);
    row_number(&row, "number", (int64_t)event->number);
    send_to_watchers(requests, &row);
}

static void watch_source(struct requests *requests, const char *source, const char *what,
                         uint64_t number)
{
    struct row row;
    begin_event(&row, what);
    row_text(&row, "source", source);
    row_number(&row, "number", (int64_t)number);
    send_to_watchers(requests, &row);
}

/* `number` is by how many seconds the line isn't of now. */
static void watch_stale(struct requests *requests, const char *source,
                        const struct message_event *event)
{
    struct row row;
    begin_event(&row, "stale-line");
    row_text(&row, "source", source);
    add_address(&row, &event->address);
    row_number(&row, "number", (int64_t)event->number);
    send_to_watchers(requests, &row);
}

void requests_listener_event(struct requests *requests, const struct config *config,
                             const struct message *message)
{
    static const char *const names[EVENT_KINDS] = {[EVENT_GAP] = "lines-lost",
                                                   [EVENT_LONG] = "lines-too-long",
                                                   [EVENT_TRUNCATED] = "emptied",
                                                   [EVENT_CLOSED] = "source-ended",
                                                   [EVENT_SILENT] = "source-silent"};
    static const char *const seen[SEEN_KINDS] = {[SEEN_PREFIX] = "other-prefix",
                                                 [SEEN_ACCEPTED] = "accepted-packets",
                                                 [SEEN_HEADER] = "unknown-header"};
    const struct message_event *event = &message->u.event;
    if (message->type == MESSAGE_SEEN)
        watch_source(requests, config->sources[message->u.seen.source].name,
                     seen[message->u.seen.kind], message->u.seen.packets);
    else if (event->kind == EVENT_STAGE || event->kind == EVENT_STALLED)
        watch_step(requests, config, event);
    else if (event->kind == EVENT_SCAN)
        watch_scan(requests, config, event);
    else if (event->kind == EVENT_STALE)
        watch_stale(requests, config->sources[event->source].name, event);
    else if (names[event->kind])
        watch_source(requests, config->sources[event->source].name, names[event->kind],
                     event->number);
}
