#include "knockd/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knockd/request_parts.h"
#include "lib/clock.h"
#include "lib/log.h"

/* --- words of requests --- */

unsigned requests_parse_number(const char *text, unsigned most)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits < 10 ? strtoul(text, NULL, 10) : 0;
    return text[digits] == '\0' && value <= most ? (unsigned)value : 0;
}

bool requests_parse_address(struct answer *answer, const char *text, struct addr *address)
{
    if (addr_parse(text, strlen(text), address))
        return true;
    answer_wrong_argument(answer, "\"%s\": expected an IPv4 or IPv6 address", text);
    return false;
}

/* --- history --- */

static void list_event(void *arg, const struct stored_event *event)
{
    struct row row;
    char text[ADDR_TEXT_SIZE];
    row_begin(&row, 0, "history");
    row_number(&row, "opened", event->opened_wall);
    if (event->closed_wall)
        row_number(&row, "closed", event->closed_wall);
    else
        row_null(&row, "closed");
    row_text(&row, "door", event->name);
    row_text(&row, "address", addr_format(&event->address, text));
    row_text(&row, "by", event->by);
    row_text(&row, "end", event->end);
    answer_row(arg, &row);
}

static void serve_history(void *arg, struct answer *answer, char *const *words)
{
    const struct requests *desk = arg;
    struct store *store = desk->daemon->store;
    unsigned most = requests_parse_number(words[1], STORE_HISTORY_MAX);
    if (most == 0) {
        answer_wrong_argument(answer, "\"%s\": expected a number of lines, 1 to %d", words[1],
                              STORE_HISTORY_MAX);
        return;
    }
    answer_begin(answer, ANSWER_LIST);
    int left_out = store_history(store, most, list_event, answer);
    if (left_out != 0)
        log_error("%s", store_error(store));
    answer_end(answer);
}

/* --- reload --- */

static void serve_reload(void *arg, struct answer *answer, char *const *words)
{
    struct requests *desk = arg;
    (void)words;
    if (desk->daemon->phase != PHASE_SERVING) {
        answer_error(answer, "knockd is %s",
                     desk->daemon->phase == PHASE_STARTING ? "starting: try again when it is ready"
                                                           : "stopping");
        return;
    }
    pending_begin(&desk->errands, PENDING_RELOAD, answer, clock_now() + PENDING_TIME);
    generation_reload(desk->daemon);
}

void requests_reloaded(struct requests *desk, const char *why)
{
    struct row row;
    if (!desk)
        return;
    const struct config *config = desk->daemon->current->setting.config;
    row_begin(&row, 0, "reload");
    row_text(&row, "file", desk->daemon->path);
    row_number(&row, "doors", config->door_count);
    row_number(&row, "sources", config->source_count);
    pending_all_reloaded(&desk->errands, why, &row);
}

/* --- the desk --- */

static const struct control_request requests[] = {
    {"status", 0, 0, requests_serve_status}, {"sources", 0, 0, requests_serve_sources},
    {"watch", 0, 0, requests_serve_watch},   {"why", 1, 1, requests_serve_why},
    {"doors", 0, 0, requests_serve_doors},   {"open", 2, 3, requests_serve_open},
    {"close", 1, 2, requests_serve_close},   {"history", 1, 1, serve_history},
    {"reload", 0, 0, serve_reload},          {"keys", 0, 0, requests_serve_keys},
    {"forget", 2, 3, requests_serve_forget},
};

static void on_event(void *arg, const struct door_event *event)
{
    struct requests *desk = arg;
    /* Strangers' sealed knocks have counters of their own. */
    desk->counts[event->kind] += event->door != NULL;
    pending_all_event(&desk->errands, event);
    requests_tell_door(desk, event);
}

static void on_gone(void *arg, struct answer *answer)
{
    struct requests *desk = arg;
    pending_all_forget(&desk->errands, answer);
}

static bool open_control(struct requests *desk, char *why, size_t why_size)
{
    struct control_calls calls = {requests, sizeof(requests) / sizeof(*requests), on_gone, desk};
    const struct daemon *daemon = desk->daemon;
    desk->control =
        control_open(daemon->loop, daemon->current->setting.config->control, calls, why, why_size);
    return desk->control != NULL;
}

void requests_look(struct requests *desk)
{
    char why[512] = "";
    bool was_deaf = desk->deaf;
    enum control_found found = CONTROL_BROKEN;
    if (desk->control)
        found = control_look(desk->control, why, sizeof(why));
    else if (open_control(desk, why, sizeof(why)))
        found = CONTROL_MADE_AGAIN;
    desk->deaf = found == CONTROL_BROKEN;
    if (desk->deaf && !was_deaf)
        log_error("the control socket was removed while knockd runs, so knockctl won't work: %s",
                  why);
    else if (found == CONTROL_MADE_AGAIN && was_deaf)
        log_notice("knockctl works again");
    else if (found == CONTROL_MADE_AGAIN)
        log_warning("the control socket was removed while knockd runs: made again");
}

struct requests *requests_open(struct daemon *daemon)
{
    char why[512];
    struct requests *desk = calloc(1, sizeof(*desk));
    if (!desk || pending_all_init(&desk->errands, daemon->loop, daemon->doors) < 0) {
        free(desk);
        return NULL;
    }
    desk->daemon = daemon;
    desk->started = clock_now();
    if (!open_control(desk, why, sizeof(why))) {
        log_error("knockctl won't work: %s", why);
        desk->deaf = true;
    }
    doors_watch(daemon->doors, on_event, desk);
    return desk;
}

void requests_close(struct requests *desk)
{
    if (!desk)
        return;
    control_close(desk->control);
    pending_all_free(&desk->errands);
    doors_watch(desk->daemon->doors, NULL, NULL);
    free(desk);
}
