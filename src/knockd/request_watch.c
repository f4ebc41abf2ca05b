/* knockctl watch: what happens, as it happens. */
#include <stdio.h>
#include <time.h>

#include "knockd/request_parts.h"
#include "lib/clock.h"

/* Who watches keeps a connection; some must be left for others. */
enum { WATCHERS_MAX = CONTROL_CONNECTIONS / 2 };

void requests_serve_watch(void *arg, struct answer *answer, char *const *words)
{
    struct requests *desk = arg;
    int watchers = 0;
    (void)words;
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        watchers += desk->errands.list[i].kind == PENDING_WATCH;
    if (watchers >= WATCHERS_MAX) {
        answer_error(answer, "%d watch already", watchers);
        return;
    }
    answer_begin(answer, ANSWER_STREAM);
    pending_begin(&desk->errands, PENDING_WATCH, answer, INT64_MAX);
}

static void begin(struct row *row, const char *event)
{
    row_begin(row, 0, "watch");
    row_number(row, "time", time(NULL));
    row_text(row, "event", event);
}

static void tell_all(struct requests *desk, const struct row *row)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        if (desk->errands.list[i].kind == PENDING_WATCH)
            answer_row(desk->errands.list[i].answer, row);
}

static void add_address(struct row *row, const struct addr *address)
{
    char text[ADDR_TEXT_SIZE];
    row_text(row, "address", addr_format(address, text));
}

void requests_tell_door(struct requests *desk, const struct door_event *event)
{
    static const char *const names[DOOR_EVENTS] = {"opened",     "extended", "failed",
                                                   "not-closed", "gone",     "refused"};
    struct row row;
    begin(&row, names[event->kind]);
    if (event->door)
        row_text(&row, "door", event->door);
    add_address(&row, event->address);
    if (event->by)
        row_text(&row, "by", event->by);
    /* Other knocks have no choice. */
    if (event->by && event->port.port && config_is_key_name(event->by))
        row_number(&row, "port", event->port.port);
    if (event->why)
        row_text(&row, "why", event->why);
    if (event->kind == DOOR_OPENED || event->kind == DOOR_EXTENDED)
        row_number(&row, "seconds", event->length / CLOCK_SECOND);
    tell_all(desk, &row);
}

static void tell_step(struct requests *desk, const struct config *config,
                      const struct message_event *event)
{
    struct row row;
    char instead[32];
    const struct config_door *door = &config->doors[event->door];
    begin(&row, event->kind == EVENT_STAGE ? "step" : "stalled");
    row_text(&row, "door", door->name);
    add_address(&row, &event->address);
    row_number(&row, "step", (int64_t)event->number);
    row_number(&row, "steps", door->sequence.count);
    if (event->instead.port > 0) {
        snprintf(instead, sizeof(instead), "%u:%s", event->instead.port,
                 proto_name(event->instead.proto));
        row_text(&row, "instead", instead);
    }
    tell_all(desk, &row);
}

static void tell_source(struct requests *desk, const char *source, const char *what,
                        uint64_t number)
{
    struct row row;
    begin(&row, what);
    row_text(&row, "source", source);
    row_number(&row, "number", (int64_t)number);
    tell_all(desk, &row);
}

void requests_heard(struct requests *desk, const struct config *config,
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
        tell_source(desk, config->sources[message->u.seen.source].name, seen[message->u.seen.kind],
                    message->u.seen.packets);
    else if (event->kind == EVENT_STAGE || event->kind == EVENT_STALLED)
        tell_step(desk, config, event);
    else if (names[event->kind])
        tell_source(desk, config->sources[event->source].name, names[event->kind], event->number);
}
