#include "knockd/errand.h"

#include <stdio.h>
#include <string.h>

#include "keeper/closing.h"
#include "lib/clock.h"

const char errand_no_answer[] =
    "the listener doesn't answer; if it goes on so, knockd starts another";

/* Longer than it takes until what a moment brought is written, or could not be. */
static const int64_t settle_time = CLOCK_SECOND / 100;

/* What is still going on with the doors that were asked for. */
static void say_doing(struct errand *errand, enum errand_kind kind)
{
    char text[900];
    struct doors_choice choice = {.door = errand->door[0] ? errand->door : NULL,
                                  .address = errand->address.family ? &errand->address : NULL,
                                  .port = errand->port.port};
    unsigned count = doors_doing(errand->all->doors, &choice, text, sizeof(text));
    answer_error(errand->answer, "%s after %lld s%s%s; knockctl doors shows what becomes of it",
                 kind == ERRAND_OPEN ? "not open" : "not all is closed",
                 (long long)(ERRAND_TIME / CLOCK_SECOND), count ? ": " : "", text);
}

/* All is closed, and the store had time to follow. */
static void say_settled(struct errand *errand)
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
    struct errand *errand = arg;
    static const char *const texts[] = {
        [ERRAND_RELOAD] = "not reloaded yet: the new listener takes its time",
        [ERRAND_QUERY] = errand_no_answer,
    };
    enum errand_kind kind = errand->kind;
    errand->kind = ERRAND_NONE;
    if (errand->settling) {
        say_settled(errand);
        return;
    }
    if (kind == ERRAND_OPEN || kind == ERRAND_CLOSE)
        say_doing(errand, kind);
    else
        answer_error(errand->answer, "%s", texts[kind]);
}

int errands_init(struct errands *errands, struct loop *loop, const struct doors *doors)
{
    int rc = 0;
    *errands = (struct errands){.loop = loop, .doors = doors};
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        errands->list[i].all = errands;
        rc |= loop_timer_register(loop, &errands->list[i].deadline, on_deadline, &errands->list[i]);
    }
    return rc;
}

void errands_free(struct errands *errands)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        loop_timer_unregister(errands->loop, &errands->list[i].deadline);
}

struct errand *errand_begin(struct errands *errands, enum errand_kind kind, struct answer *answer,
                            int64_t deadline)
{
    struct errand *errand = errands->list;
    while (errand->kind != ERRAND_NONE)
        errand++;
    errand->kind = kind;
    errand->answer = answer;
    errand->door[0] = '\0';
    errand->address = (struct addr){0};
    errand->port = (struct step){0};
    errand->query = 0;
    errand->counted = false;
    errand->settling = false;
    errand->asked = errand->closed = errand->failed = errand->given_up = errand->left = 0;
    loop_timer_set(errands->loop, &errand->deadline, deadline);
    return errand;
}

void errand_end(struct errands *errands, struct errand *errand)
{
    errand->kind = ERRAND_NONE;
    loop_timer_cancel(errands->loop, &errand->deadline);
}

void errands_forget(struct errands *errands, const struct answer *answer)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        if (errands->list[i].kind != ERRAND_NONE && errands->list[i].answer == answer)
            errand_end(errands, &errands->list[i]);
}

static void say_open(struct errands *errands, struct errand *errand, const struct door_event *event)
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
    errand_end(errands, errand);
}

/* That an older opening is gone first is no answer yet. */
static void take_open(struct errands *errands, struct errand *errand,
                      const struct door_event *event)
{
    if (event->kind == DOOR_OPENED || event->kind == DOOR_EXTENDED) {
        say_open(errands, errand, event);
    } else if (event->kind == DOOR_FAILED || event->kind == DOOR_REFUSED) {
        answer_error(errand->answer, "door %s isn't opened: %s%s", event->door, event->why,
                     event->kind == DOOR_FAILED ? "; knockd's log says why" : "");
        errand_end(errands, errand);
    } else if (event->kind == DOOR_NOT_CLOSED) {
        /* It may take for ever, and is opened after that all the same. */
        answer_error(errand->answer,
                     "door %s isn't opened yet: what an earlier knock opened has to be closed "
                     "first, and its stop command failed; put that right and reload, or see "
                     "knockctl forget",
                     event->door);
        errand_end(errands, errand);
    } else if (event->kind == DOOR_GONE && strcmp(event->why, "withdrawn") == 0) {
        answer_error(errand->answer, "door %s isn't opened: it was closed meanwhile", event->door);
        errand_end(errands, errand);
    }
}

static void say_closed(struct errands *errands, struct errand *errand)
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
    errand_end(errands, errand);
}

static void take_close(struct errands *errands, struct errand *errand,
                       const struct door_event *event)
{
    bool gone = event->kind == DOOR_GONE,
         given_up = gone && strcmp(event->why, CLOSING_GIVEN_UP) == 0;
    errand->closed += gone && !given_up;
    errand->given_up += given_up;
    errand->left += gone && strcmp(event->why, CLOSING_NO_UNDO) == 0;
    errand->failed += event->kind == DOOR_NOT_CLOSED;
    say_closed(errands, errand);
}

void errand_count(struct errands *errands, struct errand *errand, unsigned count)
{
    errand->counted = true;
    errand->asked = count;
    say_closed(errands, errand);
}

static bool concerns(const struct errand *errand, const struct door_event *event)
{
    return event->door && (errand->door[0] == '\0' || strcmp(errand->door, event->door) == 0) &&
           (errand->address.family == 0 || addr_equal(&errand->address, event->address)) &&
           opening_same_port(errand->port, event->port);
}

void errands_event(struct errands *errands, const struct door_event *event)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct errand *errand = &errands->list[i];
        if (errand->kind == ERRAND_OPEN && concerns(errand, event))
            take_open(errands, errand, event);
        else if (errand->kind == ERRAND_CLOSE && concerns(errand, event))
            take_close(errands, errand, event);
    }
}

void errands_reloaded(struct errands *errands, const char *why, const struct row *row)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct errand *errand = &errands->list[i];
        if (errand->kind != ERRAND_RELOAD)
            continue;
        if (why) {
            answer_error(errand->answer, "%s", why);
        } else {
            answer_begin(errand->answer, ANSWER_ONE);
            answer_row(errand->answer, row);
            answer_end(errand->answer);
        }
        errand_end(errands, errand);
    }
}
