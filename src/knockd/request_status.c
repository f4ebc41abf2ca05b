/* knockctl status: what the keeper knows of itself; and of its keys, for knockctl key list. */
#include "knockd/request_parts.h"
#include "lib/clock.h"

struct states {
    unsigned open, opening, closing, not_closed;
};

static void count_state(void *arg, struct opening *o)
{
    struct states *states = arg;
    states->opening += o->state < OPEN;
    states->open += o->state >= OPEN && o->state <= RENEWING;
    states->closing += o->state == STOPPING || o->state == JUDGING;
    states->not_closed += o->state == RETRYING;
}

static const char *phase_name(enum phase phase)
{
    static const char *const names[] = {"starting", "serving", "stopping"};
    return names[phase];
}

static void add_states(const struct requests *desk, struct row *row)
{
    struct states states = {0};
    doors_each(desk->daemon->doors, count_state, &states);
    row_number(row, "open", states.open);
    row_number(row, "opening", states.opening);
    row_number(row, "closing", states.closing);
    row_number(row, "not_closed", states.not_closed);
}

static void add_counts(const struct requests *desk, struct row *row)
{
    static const char *const names[DOOR_EVENTS] = {"opened_total", "extended_total",
                                                   "failed_total", "failed_stops_total",
                                                   "gone_total",   "refused_total"};
    for (int i = 0; i < DOOR_EVENTS; i++)
        row_number(row, names[i], (int64_t)desk->counts[i]);
    const struct daemon *d = desk->daemon;
    row_number(row, "messages_dropped",
               (int64_t)(d->messages.dropped + d->admission.refusals.dropped +
                         d->admission.strangers.dropped + doors_messages_dropped(d->doors)));
}

/* Messages that anyone can send by what was wrong with them, and those of keys. */
static void add_sealed(const struct daemon *d, struct row *row)
{
    const struct admission *a = &d->admission;
    uint64_t refused = 0;
    for (int i = UNSEAL_HASTY; i < UNSEAL_VERDICTS; i++)
        refused += a->sealed[i];
    row_number(row, "keys", d->current->setting.keyring->count);
    row_number(row, "sealed_served_total", (int64_t)a->sealed[UNSEAL_GOOD]);
    row_number(row, "sealed_refused_total", (int64_t)refused);
    row_number(row, "sealed_stale_total", (int64_t)a->sealed[UNSEAL_STALE]);
    row_number(row, "sealed_unknown_total", (int64_t)a->sealed[UNSEAL_UNKNOWN]);
    row_number(row, "sealed_replayed_total", (int64_t)a->sealed[UNSEAL_REPLAYED]);
    row_number(row, "sealed_copies_total", (int64_t)a->sealed[UNSEAL_COPY]);
    row_number(row, "sealed_dropped_total", (int64_t)a->messages.dropped);
}

void requests_serve_status(void *arg, struct answer *answer, char *const *words)
{
    struct requests *desk = arg;
    const struct daemon *d = desk->daemon;
    const struct listener_process *child = d->current->child;
    struct row row;
    (void)words;
    row_begin(&row, 0, "status");
    row_text(&row, "version", KNOCKD_VERSION);
    row_text(&row, "phase", phase_name(d->phase));
    row_number(&row, "uptime", (clock_now() - desk->started) / CLOCK_SECOND);
    row_text(&row, "config", d->path);
    row_number(&row, "generation", d->generation);
    if (child)
        row_number(&row, "listener_pid", listener_process_pid(child));
    else
        row_null(&row, "listener_pid");
    row_flag(&row, "recorded", doors_recorded(d->doors));
    row_number(&row, "doors", d->current->setting.config->door_count);
    add_states(desk, &row);
    add_counts(desk, &row);
    add_sealed(d, &row);
    answer_begin(answer, ANSWER_ONE);
    answer_row(answer, &row);
    requests_ask_sources(desk, answer, 1, NULL);
}

void requests_serve_keys(void *arg, struct answer *answer, char *const *words)
{
    const struct requests *desk = arg;
    const struct keyring *keyring = desk->daemon->current->setting.keyring;
    (void)words;
    answer_begin(answer, ANSWER_LIST);
    for (unsigned i = 0; i < keyring->count; i++) {
        struct row row;
        uint64_t last;
        int64_t used = 0;
        store_sealed_last(desk->daemon->store, keyring->secrets[i].id, &last, &used);
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
