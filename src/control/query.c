/*
 * Asks the listener for what only it knows: its counters, and the last packets of an address. Each
 * question waits its turn -> is asked, one at a time -> is answered in messages, the last of which
 * is ANSWERED; or its time is over. A listener that owes an answer for longer than that is asked
 * nothing more.
 */
#include "control/request_parts.h"
#include "lib/clock.h"

static const int64_t answer_time = 1 * CLOCK_SECOND;

/* The question that has waited longest. */
static struct pending *next_question(struct pending_list *list)
{
    struct pending *next = NULL;
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct pending *pending = &list->items[i];
        if (pending->kind == PENDING_QUERY && pending->query == 0 &&
            (!next || pending->deadline.due < next->deadline.due))
            next = pending;
    }
    return next;
}

/* The listener gets one question at a time: it may be slow, and must not be buried in them. */
static void ask_next(struct requests *requests)
{
    const struct requests_services *services = &requests->services;
    struct pending *pending = next_question(&requests->pending);
    if (!pending)
        return;
    /* 0 says that it wasn't asked. */
    uint32_t number = requests->query + (requests->query == UINT32_MAX ? 2 : 1);
    const struct addr *address = pending->address.family ? &pending->address : NULL;
    if (services->ask(services->arg, number, address))
        requests->query = pending->query = number;
}

void query_listener(struct requests *requests, struct answer *answer, unsigned depth,
                    const struct addr *address)
{
    const struct requests_services *services = &requests->services;
    struct requests_state state = requests_state(requests);
    int64_t now = clock_now();
    if (!state.listener || !state.serving) {
        answer_end(answer);
        return;
    }
    if (services->owes_since(services->arg, now - answer_time)) {
        answer_error(answer, "%s", pending_no_answer);
        return;
    }
    struct pending *pending =
        pending_begin(&requests->pending, PENDING_QUERY, answer, now + answer_time);
    pending->depth = depth;
    if (address)
        pending->address = *address;
    ask_next(requests);
}

struct pending *query_find(struct requests *requests, uint32_t query)
{
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        struct pending *pending = &requests->pending.items[i];
        if (pending->kind == PENDING_QUERY && pending->query == query)
            return pending;
    }
    return NULL;
}

void query_answered(struct requests *requests, struct pending *pending)
{
    if (pending) {
        answer_end(pending->answer);
        pending_end(pending);
    }
    ask_next(requests);
}
