/*
 * The life of a request that has to wait: begun -> answered by what happens to its doors, by the
 * end of a reload or by the listener; or given up at its deadline, with an answer that says what is
 * still going on; or forgotten, since its connection is gone.
 */
#include "control/pending.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"

const char pending_no_answer[] =
    "the listener doesn't answer; if it goes on so, knockd starts another";

/* Longer than the store takes to write the changes of one moment, or to fail. */
static const int64_t settle_time = CLOCK_SECOND / 100;

/* Answers with what is still going on at the doors that were asked for. */
static void answer_doing(struct pending *pending, enum pending_kind kind)
{
    char text[900];
    struct doors_choice choice = {.door = pending->door[0] ? pending->door : NULL,
                                  .address = pending->address.family ? &pending->address : NULL,
                                  .port = pending->port.port};
    unsigned count = doors_doing(pending->list->doors, &choice, text, sizeof(text));
    answer_error(pending->answer, "%s after %lld s%s%s; knockctl doors shows what becomes of it",
                 kind == PENDING_OPEN ? "not open" : "not all is closed",
                 (long long)(PENDING_TIME / CLOCK_SECOND), count ? ": " : "", text);
}

/* All is closed, and the store had time to record that. */
static void answer_settled(struct pending *pending)
{
    struct row row;
    if (pending->closed > 0 && !doors_recorded(pending->list->doors)) {
        answer_error(
            pending->answer,
            "%u closed, but THAT CAN'T BE RECORDED: if knockd is killed before it can, its "
            "next start takes what was closed for open; knockd's log says why",
            pending->closed - pending->left);
        return;
    }
    row_begin(&row, 0, "close");
    row_number(&row, "closed", pending->closed - pending->left);
    row_number(&row, "left", pending->left);
    answer_begin(pending->answer, ANSWER_ONE);
    answer_row(pending->answer, &row);
    answer_end(pending->answer);
}

static void on_deadline(void *arg)
{
    struct pending *pending = arg;
    static const char *const texts[] = {
        [PENDING_RELOAD] = "not reloaded yet: the new listener takes its time",
        [PENDING_QUERY] = pending_no_answer,
    };
    enum pending_kind kind = pending->kind;
    pending->kind = PENDING_NONE;
    if (pending->settling) {
        answer_settled(pending);
        return;
    }
    if (kind == PENDING_STRAYS)
        pending->list->find_strays(pending->list->arg, pending->answer, pending->remove);
    else if (kind == PENDING_OPEN || kind == PENDING_CLOSE)
        answer_doing(pending, kind);
    else
        answer_error(pending->answer, "%s", texts[kind]);
}

int pending_list_init(struct pending_list *list, struct loop *loop, const struct doors *doors)
{
    int rc = 0;
    *list = (struct pending_list){.loop = loop, .doors = doors};
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        list->items[i].list = list;
        rc |= loop_timer_register(loop, &list->items[i].deadline, on_deadline, &list->items[i]);
    }
    return rc;
}

void pending_list_free(struct pending_list *list)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        loop_timer_unregister(list->loop, &list->items[i].deadline);
}

struct pending *pending_begin(struct pending_list *list, enum pending_kind kind,
                              struct answer *answer, int64_t deadline)
{
    struct pending *pending = list->items;
    while (pending->kind != PENDING_NONE)
        pending++;
    pending->kind = kind;
    pending->answer = answer;
    pending->door[0] = '\0';
    pending->address = (struct addr){0};
    pending->port = (struct port_proto){0};
    pending->query = 0;
    pending->limit = 0;
    pending->counted = false;
    pending->settling = false;
    pending->asked = pending->closed = pending->failed = pending->given_up = pending->left = 0;
    loop_timer_set(list->loop, &pending->deadline, deadline);
    return pending;
}

void pending_end(struct pending *pending)
{
    pending->kind = PENDING_NONE;
    loop_timer_cancel(pending->list->loop, &pending->deadline);
}

void pending_forget(struct pending_list *list, const struct answer *answer)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        if (list->items[i].kind != PENDING_NONE && list->items[i].answer == answer)
            pending_end(&list->items[i]);
}

static void answer_open(struct pending *pending, const struct door_event *event)
{
    struct row row;
    char text[ADDR_TEXT_SIZE];
    row_begin(&row, 0, "open");
    row_text(&row, "door", event->door);
    row_text(&row, "address", addr_format(event->address, text));
    row_text(&row, "result", event->kind == DOOR_OPENED ? "opened" : "extended");
    row_number(&row, "seconds", event->length / CLOCK_SECOND);
    if (pending->limit > 0)
        row_number(&row, "max_timeout", pending->limit / CLOCK_SECOND);
    answer_begin(pending->answer, ANSWER_ONE);
    answer_row(pending->answer, &row);
    answer_end(pending->answer);
    pending_end(pending);
}

/* An event of the door that was asked to open. That an older opening is gone first is no answer
 * yet. */
static void open_event(struct pending *pending, const struct door_event *event)
{
    if (event->kind == DOOR_OPENED || event->kind == DOOR_EXTENDED) {
        answer_open(pending, event);
    } else if (event->kind == DOOR_FAILED || event->kind == DOOR_REFUSED) {
        answer_error(pending->answer, "door %s isn't opened: %s%s", event->door, event->why,
                     event->kind == DOOR_FAILED ? "; knockd's log says why" : "");
        pending_end(pending);
    } else if (event->kind == DOOR_NOT_CLOSED) {
        /* That may take for ever; the door is opened after it all the same. */
        answer_error(pending->answer,
                     "door %s isn't opened yet: what an earlier knock opened has to be closed "
                     "first, and its stop command failed; put that right and reload, or see "
                     "knockctl forget",
                     event->door);
        pending_end(pending);
    } else if (event->kind == DOOR_GONE && event->end == DOOR_END_WITHDRAWN) {
        answer_error(pending->answer, "door %s isn't opened: it was closed meanwhile", event->door);
        pending_end(pending);
    }
}

static void answer_closed(struct pending *pending)
{
    if (pending->settling || !pending->counted ||
        pending->closed + pending->failed + pending->given_up < pending->asked)
        return;
    if (pending->failed > 0) {
        answer_error(pending->answer,
                     "%u NOT CLOSED: the stop command failed and is tried again; knockd's log says "
                     "why; if it never can succeed, see knockctl forget",
                     pending->failed);
    } else if (pending->given_up > 0) {
        answer_error(pending->answer, "%u NOT CLOSED: given up by knockctl forget",
                     pending->given_up);
    } else {
        /* The store records that in a moment. */
        pending->settling = true;
        loop_timer_set(pending->list->loop, &pending->deadline, clock_now() + settle_time);
        return;
    }
    pending_end(pending);
}

static void close_event(struct pending *pending, const struct door_event *event)
{
    bool gone = event->kind == DOOR_GONE, given_up = gone && event->end == DOOR_END_GIVEN_UP;
    pending->closed += gone && !given_up;
    pending->given_up += given_up;
    pending->left += gone && event->end == DOOR_END_NO_UNDO;
    pending->failed += event->kind == DOOR_NOT_CLOSED;
    answer_closed(pending);
}

void pending_count(struct pending *pending, unsigned count)
{
    pending->counted = true;
    pending->asked = count;
    answer_closed(pending);
}

static bool is_concerned(const struct pending *pending, const struct door_event *event)
{
    return event->door && (pending->door[0] == '\0' || strcmp(pending->door, event->door) == 0) &&
           (pending->address.family == 0 || addr_equal(&pending->address, event->address)) &&
           doors_same_port(pending->port, event->port);
}

void pending_door_event(struct pending_list *list, const struct door_event *event)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct pending *pending = &list->items[i];
        if (pending->kind == PENDING_OPEN && is_concerned(pending, event))
            open_event(pending, event);
        else if (pending->kind == PENDING_CLOSE && is_concerned(pending, event))
            close_event(pending, event);
    }
}

/* One error of the configuration; of a very long one the beginning. */
static void answer_finding(struct answer *answer, const char *line, size_t len)
{
    struct row row;
    char text[601];
    snprintf(text, sizeof(text), "%.*s", (int)len, line);
    row_begin(&row, 0, "finding");
    row_text(&row, "text", text);
    answer_row(answer, &row);
}

static void answer_not_reloaded(struct answer *answer, const char *why, const char *errors)
{
    struct row row;
    answer_begin(answer, ANSWER_LIST);
    for (size_t len; *errors; errors += len + (errors[len] == '\n')) {
        len = strcspn(errors, "\n");
        answer_finding(answer, errors, len);
    }
    row_begin(&row, 0, "error");
    row_text(&row, "text", why);
    answer_row(answer, &row);
    answer_end(answer);
}

void pending_reloaded(struct pending_list *list, const char *why, const char *errors,
                      const struct row *row)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct pending *pending = &list->items[i];
        if (pending->kind != PENDING_RELOAD)
            continue;
        if (why) {
            answer_not_reloaded(pending->answer, why, errors);
        } else {
            answer_begin(pending->answer, ANSWER_ONE);
            answer_row(pending->answer, row);
            answer_end(pending->answer);
        }
        pending_end(pending);
    }
}
