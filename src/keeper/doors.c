/* The table of what is open, and what a knock means for it. */
#include "keeper/doors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keeper/opening_states.h"
#include "keeper/rates.h"
#include "keeper/writeback.h"
#include "lib/clock.h"
#include "lib/log.h"

/* How long a stop waits until it says what for, first; then again after twice as long. */
static const int64_t waiting_first = 1 * CLOCK_SECOND;
static const int64_t waiting_longest = 60 * CLOCK_SECOND;

/* Messages that knocks may cause, a second and at once. */
enum { TALK_RATE = 20, TALK_BURST = 1000 };

struct doors {
    struct openings all;
    struct store *store;
    struct rates rates;
    unsigned max_open;
    struct timer waiting; /* while all are being closed */
    int64_t pause;        /* until it is said again what is waited for */
};

static void log_waiting(void *arg);

struct doors *doors_new(struct loop *loop, struct runner *runner, struct store *store)
{
    struct doors *doors = calloc(1, sizeof(*doors));
    if (!doors)
        return NULL;
    doors->all.loop = loop;
    doors->all.runner = runner;
    doors->store = store;
    doors->max_open = CONFIG_MAX_OPEN;
    rates_init(&doors->rates);
    doors->all.talk = limit_make(TALK_RATE, TALK_BURST, clock_now());
    doors->all.ledger = writeback_new(&doors->all, store);
    if (loop_timer_register(loop, &doors->waiting, log_waiting, doors) < 0) {
        writeback_free(doors->all.ledger);
        free(doors);
        return NULL;
    }
    if (doors->all.ledger && openings_init(&doors->all) == 0)
        return doors;
    doors_free(doors);
    return NULL;
}

void doors_free(struct doors *doors)
{
    if (!doors)
        return;
    writeback_free(doors->all.ledger);
    openings_free(&doors->all, opening_free);
    loop_timer_unregister(doors->all.loop, &doors->waiting);
    free(doors);
}

static void resume(void *arg, struct stored_door *stored)
{
    struct doors *doors = arg;
    if (!opening_resume(&doors->all, stored))
        log_error("door %s: out of memory: what an earlier run opened isn't taken up",
                  stored->name);
}

int doors_resume(struct doors *doors)
{
    if (!doors->store)
        return 0;
    int bad = store_each(doors->store, resume, doors);
    if (bad != 0)
        log_error("%s", store_error(doors->store));
    if (doors->all.count > 0)
        log_notice("taking up %u door%s of an earlier run", doors->all.count,
                   doors->all.count == 1 ? "" : "s");
    return bad;
}

/* Whether the door of a reloaded configuration still does what this opening did. */
static bool same_commands(const struct opening *o, const struct knock *knock)
{
    struct commands start = {0}, extend = {0};
    bool same = true;
    if (commands_expand(&knock->plan->start, knock, &start) == 0 &&
        commands_expand(&knock->plan->extend, knock, &extend) == 0)
        same = commands_equal(&start, &o->start) && commands_equal(&extend, &o->extend);
    commands_free(&start);
    commands_free(&extend);
    return same;
}

/* The door must be closed before it can open again; the knock waits for that. */
static void inherit(struct opening *o, const struct knock *knock)
{
    bool again = o->heir != NULL;
    /* The last knock counts: the configuration may have changed between them. */
    if (again)
        opening_free(o->heir);
    o->heir = opening_create(o->all, knock);
    if (!again)
        log_notice("door %s: %s knocked, but what an earlier knock opened has to be closed first%s",
                   o->name, o->text,
                   o->heir ? "; it opens again after that" : "; refused: out of memory");
    opening_close(o);
}

/* What has no undo would be there twice if other commands opened it again. */
static bool stays_as_it_is(const struct opening *o, const struct knock *knock)
{
    return o->lasts && knock->door->lasts && (o->stop.count == 0 || same_commands(o, knock));
}

static void knock_again(struct opening *o, const struct knock *knock)
{
    bool starts = o->state == RECORDING || o->state == DELAYED || o->state == STARTING;
    if (starts && !o->close_next)
        log_debug("door %s: %s knocked again while it is being opened", o->name, o->text);
    else if (o->state < STOPPING && !o->close_next && stays_as_it_is(o, knock))
        opening_knock_lasting(o, knock);
    else if (o->state >= STOPPING || o->close_next || !same_commands(o, knock))
        inherit(o, knock);
    else
        opening_extend(o, knock);
}

struct count {
    const char *name;
    unsigned openings;
};

static void count_one(void *arg, struct opening *o)
{
    struct count *count = arg;
    count->openings += strcmp(o->name, count->name) == 0;
}

/* Counted only for doors that have a limit of their own. */
static bool door_is_full(const struct doors *doors, const struct config_door *door)
{
    struct count count = {.name = door->name};
    if (door->max_open == 0 || doors->all.count < door->max_open)
        return false;
    openings_each(&doors->all, count_one, &count);
    return count.openings >= door->max_open;
}

static void find_oldest(void *arg, struct opening *o)
{
    struct opening **oldest = arg;
    if (o->lasts && o->state == OPEN && (!*oldest || o->knocked < (*oldest)->knocked))
        *oldest = o;
}

/* What no time closes must not keep other doors from opening for ever. */
static bool make_room(struct doors *doors)
{
    struct opening *oldest = NULL;
    openings_each(&doors->all, find_oldest, &oldest);
    if (!oldest)
        return false;
    log_warning("door %s: forgotten for %s, to make room: it stays open, and a knock opens it once "
                "more",
                oldest->name, oldest->text);
    opening_forget(oldest, "forgotten to make room");
    return true;
}

/* Why it may not be opened for one more, NULL if it may. */
static const char *too_many(struct doors *doors, const struct config_door *door,
                            const struct addr *address)
{
    if (doors->all.count >= doors->max_open && !make_room(doors))
        return "as many doors as max_open allows are open already";
    if (door_is_full(doors, door))
        return "it is open for as many as its max_open allows";
    if (!rates_take(&doors->rates, door, address, clock_now()))
        return "opened too often lately (rate)";
    return NULL;
}

void doors_set_max(struct doors *doors, unsigned max_open)
{
    doors->max_open = max_open;
}

static void tell_refused(const struct doors *doors, const char *name, const struct addr *address,
                         struct port_proto port, const char *why)
{
    struct door_event event = {
        .kind = DOOR_REFUSED, .door = name, .address = address, .why = why, .port = port};
    if (doors->all.happened)
        doors->all.happened(doors->all.happened_arg, &event);
}

static void refuse(struct doors *doors, const struct knock *knock, const char *why)
{
    char text[ADDR_TEXT_SIZE];
    tell_refused(doors, knock->door->name, &knock->address, knock->port, why);
    if (limit_take(&doors->all.talk, clock_now()))
        log_warning("door %s: refused %s: %s", knock->door->name,
                    addr_format(&knock->address, text), why);
}

/* Closes what the door closes. Returns whether the knock is done with. */
static bool close_others(struct doors *doors, const struct knock *knock)
{
    const struct config_door *door = knock->door;
    char text[ADDR_TEXT_SIZE];
    unsigned count = 0;
    addr_format(&knock->address, text);
    for (unsigned i = 0; i < door->closes.count; i++) {
        struct doors_choice choice = {
            .door = door->closes.items[i].text, .address = &knock->address, .by_door = true};
        unsigned closed = doors_close(doors, &choice);
        if (closed > 0 && limit_take(&doors->all.talk, clock_now()))
            log_notice("door %s: %s knocked: closing door %s", door->name, text, choice.door);
        count += closed;
    }
    /* Its commands are the undo of what it closes, and have been run as that. */
    bool done = knock->plan->start.count == 0 || (count > 0 && door->is_undo);
    if (count == 0 && done && limit_take(&doors->all.talk, clock_now()))
        log_notice("door %s: %s knocked, but nothing that it closes is open for it", door->name,
                   text);
    return done;
}

void doors_knock(struct doors *doors, const struct knock *knock)
{
    if (!doors->all.closing && knock->door->closes.count > 0 && close_others(doors, knock))
        return;
    struct opening *o = openings_find(&doors->all, knock->door->name, &knock->address, knock->port);
    const char *why = doors->all.closing ? "knockd is stopping" : NULL;
    if (!why && o) {
        knock_again(o, knock);
        return;
    }
    why = why ? why : too_many(doors, knock->door, &knock->address);
    o = why ? NULL : opening_create(&doors->all, knock);
    if (o)
        opening_begin(o);
    else
        refuse(doors, knock, why ? why : "out of memory");
}

bool doors_would_open(const struct doors *doors, const struct knock *knock)
{
    return knock->door->closes.count == 0 &&
           !openings_find(&doors->all, knock->door->name, &knock->address, knock->port);
}

int doors_record(struct doors *doors)
{
    return writeback_flush(doors->all.ledger);
}

unsigned doors_count(const struct doors *doors)
{
    return doors->all.count - doors->all.staying;
}

void doors_each(const struct doors *doors, void (*each)(void *arg, struct opening *opening),
                void *arg)
{
    openings_each(&doors->all, each, arg);
}

void doors_watch(struct doors *doors, void (*happened)(void *arg, const struct door_event *event),
                 void *arg)
{
    doors->all.happened = happened;
    doors->all.happened_arg = arg;
}

void doors_tell_refused(const struct doors *doors, const char *name, const struct addr *address,
                        const char *why)
{
    tell_refused(doors, name, address, (struct port_proto){0}, why);
}

uint64_t doors_messages_dropped(const struct doors *doors)
{
    return doors->all.talk.dropped;
}

bool doors_recorded(const struct doors *doors)
{
    return !writeback_failing(doors->all.ledger);
}

struct closing {
    const struct doors_choice *choice;
    unsigned count;
};

static bool is_chosen(const struct opening *o, const struct doors_choice *choice)
{
    return (!choice->door || strcmp(choice->door, o->name) == 0) &&
           (!choice->address || addr_equal(choice->address, &o->address)) &&
           (choice->port == 0 || choice->port == o->port.port) &&
           (!choice->key || strcmp(choice->key, o->by) == 0);
}

static void close_match(void *arg, struct opening *o)
{
    struct closing *closing = arg;
    bool chosen = is_chosen(o, closing->choice);
    bool heir = o->heir && is_chosen(o->heir, closing->choice);
    if (heir) {
        opening_free(o->heir);
        o->heir = NULL;
    }
    closing->count += chosen || heir;
    if (!chosen)
        return;
    o->by_hand = !closing->choice->key && !closing->choice->by_door;
    o->by_other = closing->choice->by_door ? "closed by another door" : NULL;
    o->by_key = closing->choice->key != NULL;
    opening_close(o);
}

unsigned doors_close(struct doors *doors, const struct doors_choice *choice)
{
    struct closing closing = {choice, 0};
    openings_each(&doors->all, close_match, &closing);
    return closing.count;
}

/* --- giving up --- */

struct giving_up {
    const struct doors_choice *choice;
    void (*each)(void *arg, const struct opening *opening);
    void *arg;
    unsigned count, others;
};

/* What may stay is told before: knockctl may be gone by the time that someone looks for it. */
static void log_given_up(const struct opening *o)
{
    char text[512];
    log_warning("door %s: given up for %s by knockctl; what it opened may still be open", o->name,
                o->text);
    for (unsigned i = 0; i < o->stop.count; i++)
        if (i >= RUNNER_REMEMBERED || !(o->stopped >> i & 1))
            log_warning("door %s: not undone: %s", o->name,
                        command_text(&o->stop.items[i], text, sizeof(text)));
}

static void give_up_match(void *arg, struct opening *o)
{
    struct giving_up *giving_up = arg;
    if (!is_chosen(o, giving_up->choice))
        return;
    if (o->state < STOPPING) {
        giving_up->others++;
        return;
    }
    giving_up->count++;
    giving_up->each(giving_up->arg, o);
    log_given_up(o);
    opening_give_up(o);
}

unsigned doors_forget(struct doors *doors, const struct doors_choice *choice,
                      void (*each)(void *arg, const struct opening *opening), void *arg,
                      unsigned *others)
{
    struct giving_up giving_up = {choice, each, arg, 0, 0};
    openings_each(&doors->all, give_up_match, &giving_up);
    *others = giving_up.others;
    return giving_up.count;
}

/* --- a new configuration --- */

struct following {
    const struct config *config;
    const struct plans *plans;
};

static const struct config_door *find_door(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->door_count; i++)
        if (strcmp(config->doors[i].name, name) == 0)
            return &config->doors[i];
    return NULL;
}

/* How `door` is undone by now for whom it was opened; NULL when it isn't, or memory is short. */
static struct undo *make_undo(const struct opening *o, const struct following *following,
                              const struct config_door *door)
{
    unsigned number = (unsigned)(door - following->config->doors);
    const struct plan *plan = plans_get(following->plans, number, o->address.family);
    struct knock knock = knock_plain(door, plan, &o->address, o->by);
    struct undo *undo = calloc(1, sizeof(*undo));
    if (!undo)
        return NULL;
    if (o->port.port)
        knock.port = o->port;
    knock.key = config_is_key_name(o->by) ? o->by : NULL;
    knock.length = o->length;
    memcpy(undo->stop_ok, door->stop_ok, sizeof(undo->stop_ok));
    if (commands_expand(&plan->stop, &knock, &undo->stop) == 0 && undo->stop.count > 0 &&
        commands_expand(&plan->check, &knock, &undo->check) == 0) {
        undo->same_stop = commands_equal(&undo->stop, &o->stop);
        return undo;
    }
    undo_free(undo);
    return NULL;
}

/* Whether the undo is just what the opening does anyway. */
static bool says_nothing_new(const struct undo *undo, const struct opening *o)
{
    return undo->same_stop && commands_equal(&undo->check, &o->check) &&
           memcmp(undo->stop_ok, o->stop_ok, sizeof(o->stop_ok)) == 0;
}

static void follow_one(void *arg, struct opening *o)
{
    const struct following *following = arg;
    const struct config_door *door = find_door(following->config, o->name);
    struct undo *undo = door ? make_undo(o, following, door) : NULL;
    if (undo && says_nothing_new(undo, o)) {
        undo_free(undo);
        undo = NULL;
    }
    undo_free(o->next_spare);
    o->next_spare = undo;
    o->spare_changed = true;
    if (o->heir)
        follow_one(arg, o->heir);
    if (undo && o->state == RETRYING)
        opening_start_closing(o);
}

void doors_follow(struct doors *doors, const struct config *config, const struct plans *plans)
{
    struct following following = {config, plans};
    openings_each(&doors->all, follow_one, &following);
}

/* --- what is going on --- */

enum { DOING_NAMED = 5 };

struct doing {
    const struct doors_choice *choice;
    char *out;
    size_t size, used;
    unsigned count;
};

static void add_doing(void *arg, struct opening *o)
{
    struct doing *doing = arg;
    char text[96];
    if (o->state == OPEN || o->stays || !is_chosen(o, doing->choice) ||
        doing->count++ >= DOING_NAMED)
        return;
    int more =
        snprintf(doing->out + doing->used, doing->size - doing->used, "%s%s for %s: %s",
                 doing->used ? "; " : "", o->name, o->text, opening_doing(o, text, sizeof(text)));
    if (more > 0)
        doing->used += (size_t)more;
    if (doing->used >= doing->size)
        doing->used = doing->size - 1;
}

unsigned doors_doing(const struct doors *doors, const struct doors_choice *choice, char *out,
                     size_t size)
{
    struct doing doing = {choice, out, size, 0, 0};
    *out = '\0';
    openings_each(&doors->all, add_doing, &doing);
    if (doing.count > DOING_NAMED)
        snprintf(out + doing.used, size - doing.used, "; and %u more", doing.count - DOING_NAMED);
    return doing.count;
}

static void log_waiting(void *arg)
{
    struct doors *doors = arg;
    const struct doors_choice all = {0};
    char text[900];
    unsigned count = doors_doing(doors, &all, text, sizeof(text));
    if (count == 0)
        return;
    log_warning("the stop waits for %u door%s: %s", count, count == 1 ? "" : "s", text);
    loop_timer_set(doors->all.loop, &doors->waiting, clock_now() + doors->pause);
    doors->pause = 2 * doors->pause < waiting_longest ? 2 * doors->pause : waiting_longest;
}

static void close_one(void *arg, struct opening *o)
{
    (void)arg;
    if (!o->lasts || o->state < OPEN || o->state > RENEWING) {
        opening_close(o);
        return;
    }
    log_notice("door %s: stays open for %s, since no time closes it", o->name, o->text);
    o->stays = true;
    o->all->staying++;
}

void doors_close_all(struct doors *doors, void (*done)(void *arg), void *arg)
{
    doors->all.closing = true;
    openings_each(&doors->all, close_one, NULL);
    /* From here on, the last one that goes says so. */
    doors->all.emptied = done;
    doors->all.arg = arg;
    doors->pause = waiting_first;
    loop_timer_set(doors->all.loop, &doors->waiting, clock_now() + waiting_first);
    if (doors->all.count == doors->all.staying)
        done(arg);
}

static bool has_time_left(const struct opening *o)
{
    return o->state == OPEN && o->deadline > clock_now();
}

static void log_left(void *arg, struct opening *o)
{
    (void)arg;
    if (has_time_left(o))
        return;
    log_error("door %s: NOT CLOSED for %s: out of time; close it by hand, or the next start of "
              "knockd does",
              o->name, o->text);
}

void doors_log_left(const struct doors *doors)
{
    openings_each(&doors->all, log_left, NULL);
}

static void stop_checking(void *arg, struct opening *o)
{
    (void)arg;
    loop_timer_cancel(o->all->loop, &o->check_timer);
}

void doors_open_no_more(struct doors *doors)
{
    doors->all.closing = true;
    openings_each(&doors->all, stop_checking, NULL);
}

static void count_due(void *arg, struct opening *o)
{
    unsigned *count = arg;
    *count += !has_time_left(o);
}

unsigned doors_due(const struct doors *doors)
{
    unsigned count = 0;
    openings_each(&doors->all, count_due, &count);
    return count;
}

/* A start that fails is tried again and again: it doesn't name each of thousands each time. */
enum { KEPT_NAMED = 20 };

static void log_kept(void *arg, struct opening *o)
{
    unsigned *count = arg;
    char until[32] = "";
    struct tm tm;
    if (o->lasts || !has_time_left(o) || (*count)++ >= KEPT_NAMED)
        return;
    int64_t left = o->deadline - clock_now();
    time_t wall = time(NULL) + (time_t)opening_seconds(left);
    if (localtime_r(&wall, &tm))
        strftime(until, sizeof(until), "%F %T", &tm);
    log_warning("door %s: stays open for %s until %s, for %lld s more: the next start of knockd "
                "closes it then, `knockd --close-all` does now",
                o->name, o->text, until, opening_seconds(left));
}

void doors_log_kept(const struct doors *doors)
{
    unsigned count = 0;
    openings_each(&doors->all, log_kept, &count);
    if (count > KEPT_NAMED)
        log_warning("and %u more stay open", count - KEPT_NAMED);
}
