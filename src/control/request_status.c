/* knockctl status, key list and history: what the keeper knows by itself. */
#include "control/request_parts.h"
#include "lib/clock.h"
#include "lib/log.h"

/* --- status --- */

static void add_states(const struct requests *requests, struct row *row)
{
    const struct doors_choice all = {0};
    struct open_door door = {0};
    int64_t counts[OPEN_DOOR_STATES] = {0};
    while (doors_next(requests->services.doors, &all, &door))
        counts[door.state]++;
    row_number(row, "open", counts[OPEN_DOOR_OPEN]);
    row_number(row, "opening", counts[OPEN_DOOR_STARTING]);
    row_number(row, "closing", counts[OPEN_DOOR_CLOSING]);
    row_number(row, "not_closed", counts[OPEN_DOOR_NOT_CLOSED]);
}

static void add_counts(const struct requests *requests, const struct requests_state *state,
                       struct row *row)
{
    static const char *const names[DOOR_EVENTS] = {"opened_total", "extended_total",
                                                   "failed_total", "failed_stops_total",
                                                   "gone_total",   "refused_total"};
    for (int i = 0; i < DOOR_EVENTS; i++)
        row_number(row, names[i], (int64_t)requests->counts[i]);
    row_number(row, "copies_total", (int64_t)copies_of(requests->services.copies, NULL));
    row_number(row, "copies_evicted_total", (int64_t)copies_evicted(requests->services.copies));
    row_number(row, "messages_dropped", (int64_t)state->messages_dropped);
}

/* Messages that anyone can send by what was wrong with them, and those of keys. */
static void add_sealed(const struct authorize_limits *a, const struct keyring *keyring,
                       struct row *row)
{
    uint64_t refused = 0;
    for (int i = UNSEAL_HASTY; i < UNSEAL_VERDICTS; i++)
        refused += a->sealed[i];
    row_number(row, "keys", keyring->count);
    row_number(row, "sealed_served_total", (int64_t)a->sealed[UNSEAL_GOOD]);
    row_number(row, "sealed_refused_total", (int64_t)refused);
    row_number(row, "sealed_stale_total", (int64_t)a->sealed[UNSEAL_STALE]);
    row_number(row, "sealed_unknown_total", (int64_t)a->sealed[UNSEAL_UNKNOWN]);
    row_number(row, "sealed_replayed_total", (int64_t)a->sealed[UNSEAL_REPLAYED]);
    row_number(row, "sealed_new_state_total", (int64_t)a->sealed[UNSEAL_NEW_STATE]);
    row_number(row, "sealed_copies_total", (int64_t)a->sealed[UNSEAL_COPY]);
    row_number(row, "sealed_unheard_total", (int64_t)a->sealed[UNSEAL_UNHEARD]);
    row_number(row, "sealed_dropped_total", (int64_t)a->messages.dropped);
}

void requests_serve_status(void *arg, struct answer *answer, char *const *words)
{
    struct requests *requests = arg;
    struct requests_state state = requests_state(requests);
    struct row row;
    (void)words;
    row_begin(&row, 0, "status");
    row_text(&row, "version", KNOCKD_VERSION);
    row_text(&row, "phase", state.phase);
    row_number(&row, "uptime", (clock_now() - requests->started) / CLOCK_SECOND);
    row_text(&row, "config", requests->services.config_path);
    row_number(&row, "generation", state.generation);
    if (state.listener)
        row_number(&row, "listener_pid", state.listener);
    else
        row_null(&row, "listener_pid");
    row_flag(&row, "recorded", doors_recorded(requests->services.doors));
    row_number(&row, "doors", state.config->door_count);
    add_states(requests, &row);
    add_counts(requests, &state, &row);
    add_sealed(requests->services.authorize_limits, state.keyring, &row);
    answer_begin(answer, ANSWER_ONE);
    answer_row(answer, &row);
    query_listener(requests, answer, 1, NULL);
}

/* --- keys --- */

void requests_serve_keys(void *arg, struct answer *answer, char *const *words)
{
    const struct requests *requests = arg;
    const struct keyring *keyring = requests_state(requests).keyring;
    (void)words;
    answer_begin(answer, ANSWER_LIST);
    for (unsigned i = 0; i < keyring->count; i++) {
        struct row row;
        uint64_t last;
        int64_t used = 0;
        store_sealed_last(requests->services.store, keyring->secrets[i].id, &last, &used);
        row_begin(&row, 0, "keys");
        row_text(&row, "key", keyring->keys[i].name);
        if (used)
            row_number(&row, "used", used);
        else
            row_null(&row, "used");
        answer_row(answer, &row);
    }
    answer_end(answer);
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

void requests_serve_history(void *arg, struct answer *answer, char *const *words)
{
    const struct requests *requests = arg;
    struct store *store = requests->services.store;
    unsigned most = request_parse_number(words[1], STORE_HISTORY_MAX);
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
