#include "knockd/pending.h"

#include <stdio.h>
#include <string.h>

#include "lib/clock.h"

const char pending_no_answer[] =
    "the listener doesn't answer; if it goes on so, knockd starts another";

/* Longer than it takes until what a moment brought is written, or could not be. */
static const int64_t settle_time = CLOCK_SECOND / 100;

/* What is still going on with the doors that were asked for. */
static void say_doing(struct pending *errand, enum pending_kind kind)
{
    char text[900];
    struct doors_choice choice = {.door = errand->door[0] ? errand->door : NULL,
                                  .address = errand->address.family ? &errand->address : NULL,
                                  .port = errand->port.port};
    unsigned count = doors_doing(errand->all->doors, &choice, text, sizeof(text));
    answer_error(errand->answer, "%s after %lld s%s%s; knockctl doors shows what becomes of it",
                 kind == PENDING_OPEN ? "not open" : "not all is closed",
                 (long long)(PENDING_TIME / CLOCK_SECOND), count ? ": " : "", text);
}

/* All is closed, and the store had time to follow. */
static void say_settled(struct pending *errand)
{
    struct row row;
    if (errand->closed > 0 && !doors_recorded(errand->all->doors)) {
        answer_error(
            errand->answer,
            "%u closed, but THAT CAN'T BE RECORDED: if knockd is killed before it can, its "
            "next start takes what was closed for open; knockd's log says why",
            errand->closed - errand->left);
        return;
    }
    row_begin(&row, 0, "close");
    row_number(&row, "closed", errand->closed - errand->left);
    row_number(&row, "left", errand->left);
    answer_begin(errand->answer, ANSWER_ONE);
    answer_row(errand->answer, &row);
    answer_end(errand->answer);
}

static void on_deadline(void *arg)
{
    struct pending *errand = arg;
    static const char *const texts[] = {
        [PENDING_RELOAD] = "not reloaded yet: the new listener takes its time",
        [PENDING_QUERY] = pending_no_answer,
    };
    enum pending_kind kind = errand->kind;
    errand->kind = PENDING_NONE;
    if (errand->settling) {
        say_settled(errand);
        return;
    }
    if (kind == PENDING_OPEN || kind == PENDING_CLOSE)
        say_doing(errand, kind);
    else
        answer_error(errand->answer, "%s", texts[kind]);
}

int pending_all_init(struct pending_all *errands, struct loop *loop, const struct doors *doors)
{
    int rc = 0;
    *errands = (struct pending_all){.loop = loop, .doors = doors};
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        errands->list[i].all = errands;
        rc |= loop_timer_register(loop, &errands->list[i].deadline, on_deadline, &errands->list[i]);
    }
    return rc;
}

void pending_all_free(struct pending_all *errands)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        loop_timer_unregister(errands->loop, &errands->list[i].deadline);
}

struct pending *pending_begin(struct pending_all *errands, enum pending_kind kind,
                              struct answer *answer, int64_t deadline)
{
    struct pending *errand = errands->list;
    while (errand->kind != PENDING_NONE)
        errand++;
    errand->kind = kind;
    errand->answer = answer;
    errand->door[0] = '\0';
    errand->address = (struct addr){0};
    errand->port = (struct port_proto){0};
    errand->query = 0;
    errand->counted = false;
    errand->settling = false;
    errand->asked = errand->closed = errand->failed = errand->given_up = errand->left = 0;
    loop_timer_set(errands->loop, &errand->deadline, deadline);
    return errand;
}

void pending_end(struct pending_all *errands, struct pending *errand)
{
    errand->kind = PENDING_NONE;
    loop_timer_cancel(errands->loop, &errand->deadline);
}

void pending_all_forget(struct pending_all *errands, const struct answer *answer)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        if (errands->list[i].kind != PENDING_NONE && errands->list[i].answer == answer)
            pending_end(errands, &errands->list[i]);
}

static void say_open(struct pending_all *errands, struct pending *errand,
                     const struct door_event *event)
{
    struct row row;
    char text[ADDR_TEXT_SIZE];
    row_begin(&row, 0, "open");
    row_text(&row, "door", event->door);
    row_text(&row, "address", addr_format(event->address, text));
    row_text(&row, "result", event->kind == DOOR_OPENED ? "opened" : "extended");
    row_number(&row, "seconds", event->length / CLOCK_SECOND);
    answer_begin(errand->answer, ANSWER_ONE);
    answer_row(errand->answer, &row);
    answer_end(errand->answer);
    pending_end(errands, errand);
}

/* That an older opening is gone first is no answer yet. */
static void take_open(struct pending_all *errands, struct pending *errand,
                      const struct door_event *event)
{
    if (event->kind == DOOR_OPENED || event->kind == DOOR_EXTENDED) {
        say_open(errands, errand, event);
    } else if (event->kind == DOOR_FAILED || event->kind == DOOR_REFUSED) {
        answer_error(errand->answer, "door %s isn't opened: %s%s", event->door, event->why,
                     event->kind == DOOR_FAILED ? "; knockd's log says why" : "");
        pending_end(errands, errand);
    } else if (event->kind == DOOR_NOT_CLOSED) {
        /* It may take for ever, and is opened after that all the same. */
        answer_error(errand->answer,
                     "door %s isn't opened yet: what an earlier knock opened has to be closed "
                     "first, and its stop command failed; put that right and reload, or see "
                     "knockctl forget",
                     event->door);
        pending_end(errands, errand);
    } else if (event->kind == DOOR_GONE && strcmp(event->why, "withdrawn") == 0) {
        answer_error(errand->answer, "door %s isn't opened: it was closed meanwhile", event->door);
        pending_end(errands, errand);
    }
}

static void say_closed(struct pending_all *errands, struct pending *errand)
{
    if (errand->settling || !errand->counted ||
        errand->closed + errand->failed + errand->given_up < errand->asked)
        return;
    if (errand->failed > 0) {
        answer_error(errand->answer,
                     "%u NOT CLOSED: the stop command failed and is tried again; knockd's log says "
                     "why; if it never can succeed, see knockctl forget",
                     errand->failed);
    } else if (errand->given_up > 0) {
        answer_error(errand->answer, "%u NOT CLOSED: given up by knockctl forget",
                     errand->given_up);
    } else {
        /* The store follows in a moment. */
        errand->settling = true;
        loop_timer_set(errands->loop, &errand->deadline, clock_now() + settle_time);
        return;
    }
    pending_end(errands, errand);
}

static void take_close(struct pending_all *errands, struct pending *errand,
                       const struct door_event *event)
{
    bool gone = event->kind == DOOR_GONE,
         given_up = gone && strcmp(event->why, OPENING_GIVEN_UP) == 0;
    errand->closed += gone && !given_up;
    errand->given_up += given_up;
    errand->left += gone && strcmp(event->why, OPENING_NO_UNDO) == 0;
    errand->failed += event->kind == DOOR_NOT_CLOSED;
    say_closed(errands, errand);
}

void pending_count(struct pending_all *errands, struct pending *errand, unsigned count)
{
    errand->counted = true;
    errand->asked = count;
    say_closed(errands, errand);
}

static bool concerns(const struct pending *errand, const struct door_event *event)
{
    return event->door && (errand->door[0] == '\0' || strcmp(errand->door, event->door) == 0) &&
           (errand->address.family == 0 || addr_equal(&errand->address, event->address)) &&
           opening_same_port(errand->port, event->port);
}

void pending_all_event(struct pending_all *errands, const struct door_event *event)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct pending *errand = &errands->list[i];
        if (errand->kind == PENDING_OPEN && concerns(errand, event))
            take_open(errands, errand, event);
        else if (errand->kind == PENDING_CLOSE && concerns(errand, event))
            take_close(errands, errand, event);
    }
}

void pending_all_reloaded(struct pending_all *errands, const char *why, const struct row *row)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct pending *errand = &errands->list[i];
        if (errand->kind != PENDING_RELOAD)
            continue;
        if (why) {
            answer_error(errand->answer, "%s", why);
        } else {
            answer_begin(errand->answer, ANSWER_ONE);
            answer_row(errand->answer, row);
            answer_end(errand->answer);
        }
        pending_end(errands, errand);
    }
}
