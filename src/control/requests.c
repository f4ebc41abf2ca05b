/*
 * The requests of knockctl: their table, and what those that wait are answered by: events of doors,
 * answers of the listener, the end of a reload.
 */
#include "control/requests.h"

#include <stdlib.h>

#include "control/request_parts.h"
#include "lib/clock.h"
#include "lib/log.h"

/* --- reload --- */

static void serve_reload(void *arg, struct answer *answer, char *const *words)
{
    struct requests *requests = arg;
    const struct requests_services *services = &requests->services;
    (void)words;
    /* It may be over before reload() returns. */
    struct pending *pending =
        pending_begin(&requests->pending, PENDING_RELOAD, answer, clock_now() + PENDING_TIME);
    const char *why = services->reload(services->arg);
    if (!why)
        return;
    pending_end(pending);
    answer_error(answer, "%s", why);
}

void requests_reloaded(struct requests *requests, const char *why, const char *errors)
{
    struct row row;
    if (!requests)
        return;
    const struct config *config = requests_state(requests).config;
    row_begin(&row, 0, "reload");
    row_text(&row, "file", requests->services.config_path);
    row_number(&row, "doors", config->door_count);
    row_number(&row, "sources", config->source_count);
    if (!why && *errors)
        row_text(&row, "note", errors);
    pending_reloaded(&requests->pending, why, errors, &row);
}

/* --- answers of the listener --- */

void requests_listener_answer(struct requests *requests, const struct config *config,
                              const struct message *message)
{
    struct pending *pending = query_find(requests, message_answers(message));
    if (message->type == MESSAGE_ANSWERED)
        query_answered(requests, pending);
    if (!pending)
        return;
    switch (message->type) {
    case MESSAGE_COUNTERS:
        request_list_counters(pending, &message->u.counters);
        break;
    case MESSAGE_STATS:
        request_list_source(requests, pending, &config->sources[message->u.stats.source],
                            &message->u.stats);
        break;
    case MESSAGE_OTHER:
        request_list_other(pending, &message->u.other);
        break;
    case MESSAGE_PACKET:
        request_list_packet(pending, config, &message->u.packet);
        break;
    case MESSAGE_EFFECT:
        request_list_effect(pending, config, &message->u.effect);
        break;
    }
}

/* --- all of them --- */

static const struct control_request table[] = {
    {"status", 0, 0, requests_serve_status}, {"sources", 0, 0, requests_serve_sources},
    {"watch", 0, 0, requests_serve_watch},   {"why", 1, 1, requests_serve_why},
    {"doors", 0, 1, requests_serve_doors},   {"open", 2, 3, requests_serve_open},
    {"close", 1, 2, requests_serve_close},   {"history", 1, 1, requests_serve_history},
    {"reload", 0, 0, serve_reload},          {"keys", 0, 0, requests_serve_keys},
    {"forget", 2, 3, requests_serve_forget}, {"strays", 0, 1, requests_serve_strays},
};

static void on_event(void *arg, const struct door_event *event)
{
    struct requests *requests = arg;
    /* Strangers' sealed knocks have counters of their own. */
    requests->counts[event->kind] += event->door != NULL;
    pending_door_event(&requests->pending, event);
    requests_watch_door(requests, event);
}

static void on_gone(void *arg, struct answer *answer)
{
    struct requests *requests = arg;
    pending_forget(&requests->pending, answer);
}

static bool open_control(struct requests *requests, char *why, size_t why_size)
{
    struct control_calls calls = {table, sizeof(table) / sizeof(*table), on_gone, requests};
    const char *path = requests_state(requests).config->control;
    requests->control = control_open(requests->services.loop, path, calls, why, why_size);
    return requests->control != NULL;
}

void requests_check_socket(struct requests *requests)
{
    char why[512] = "";
    bool was_broken = requests->broken;
    enum control_found found = CONTROL_BROKEN;
    if (requests->control)
        found = control_check(requests->control, why, sizeof(why));
    else if (open_control(requests, why, sizeof(why)))
        found = CONTROL_MADE_AGAIN;
    requests->broken = found == CONTROL_BROKEN;
    if (requests->broken && !was_broken)
        log_error("the control socket was removed while knockd runs, so knockctl won't work: %s",
                  why);
    else if (found == CONTROL_MADE_AGAIN && was_broken)
        log_notice("knockctl works again");
    else if (found == CONTROL_MADE_AGAIN)
        log_warning("the control socket was removed while knockd runs: made again");
}

struct requests *requests_open(const struct requests_services *services)
{
    char why[512];
    struct requests *requests = calloc(1, sizeof(*requests));
    if (!requests || pending_list_init(&requests->pending, services->loop, services->doors) < 0) {
        free(requests);
        return NULL;
    }
    requests->services = *services;
    requests->pending.find_strays = requests_find_strays;
    requests->pending.arg = requests;
    requests->started = clock_now();
    if (!open_control(requests, why, sizeof(why))) {
        log_error("knockctl won't work: %s", why);
        requests->broken = true;
    }
    doors_watch(services->doors, on_event, requests);
    return requests;
}

void requests_close(struct requests *requests)
{
    if (!requests)
        return;
    control_close(requests->control);
    pending_list_free(&requests->pending);
    doors_watch(requests->services.doors, NULL, NULL);
    free(requests);
}
