/*
 * What a knock means: it is for a new opening, for one that there is, or closes others; and how
 * many openings there may be. What becomes of an opening is for opening_states.c. Also what is done
 * with all openings, or with those that an administrator chooses: closed, given up, shown, waited
 * for, and told of a new configuration.
 */
#include "keeper/doors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "keeper/opening_states.h"
#include "keeper/openings.h"
#include "keeper/rates.h"
#include "keeper/writeback.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/log.h"

/* How long a stop waits until it logs what for, first; then again after twice as long. */
static const int64_t waiting_first = 1 * CLOCK_SECOND;
static const int64_t waiting_longest = 60 * CLOCK_SECOND;

/* Messages that knocks may cause, a second and at once. */
enum { MESSAGES_RATE = 20, MESSAGES_BURST = 1000 };

struct doors {
    struct opening_context context;
    struct openings openings;
    struct store *store;
    struct rates rates;
    unsigned max_open;
    struct timer waiting; /* while all are being closed */
    struct backoff waits; /* until it is logged again what is waited for */
};

/* --- making and freeing --- */

static void log_waiting(void *arg);

static int set_up(struct doors *doors)
{
    struct opening_context *context = &doors->context;
    if (openings_init(&doors->openings) < 0)
        return -1;
    context->openings = &doors->openings;
    context->messages = limit_make(MESSAGES_RATE, MESSAGES_BURST, clock_now());
    context->writeback = writeback_new(context->loop, &doors->openings, doors->store);
    if (!context->writeback)
        return -1;
    return loop_timer_register(context->loop, &doors->waiting, log_waiting, doors);
}

static void free_parts(struct doors *doors)
{
    writeback_free(doors->context.writeback);
    openings_free(&doors->openings);
    free(doors);
}

struct doors *doors_new(struct loop *loop, struct runner *runner, struct store *store)
{
    struct doors *doors = calloc(1, sizeof(*doors));
    if (!doors)
        return NULL;
    doors->context.loop = loop;
    doors->context.runner = runner;
    doors->store = store;
    doors->max_open = CONFIG_MAX_OPEN;
    rates_init(&doors->rates);
    if (set_up(doors) == 0)
        return doors;
    free_parts(doors);
    return NULL;
}

void doors_free(struct doors *doors)
{
    if (!doors)
        return;
    loop_timer_unregister(doors->context.loop, &doors->waiting);
    free_parts(doors);
}

void doors_set_max(struct doors *doors, unsigned max_open)
{
    doors->max_open = max_open;
}

static void resume_opening(void *arg, struct stored_door *stored)
{
    struct doors *doors = arg;
    if (opening_resume(&doors->context, stored) < 0)
        log_error("door %s: out of memory: what an earlier run opened isn't taken up",
                  stored->name);
}

int doors_resume(struct doors *doors)
{
    if (!doors->store)
        return 0;
    int bad = store_each(doors->store, resume_opening, doors);
    if (bad != 0)
        log_error("%s", store_error(doors->store));
    unsigned count = doors->openings.count;
    if (count > 0)
        log_notice("taking up %u door%s of an earlier run", count, count == 1 ? "" : "s");
    return bad;
}

/* --- a knock --- */

/* What no time closes must not keep other doors from opening for ever. */
static void make_room(struct doors *doors)
{
    struct opening *oldest = openings_oldest_lasting(&doors->openings);
    if (!oldest)
        return;
    log_warning("door %s: forgotten for %s, to make room: it stays open, and a knock opens it once "
                "more",
                oldest->name, oldest->text);
    opening_forget(oldest, DOOR_END_MADE_ROOM);
}

/* Whether the door has as many openings as its own max_open allows. */
static bool door_is_full(const struct doors *doors, const struct config_door *door)
{
    return door->max_open > 0 && openings_of_door(&doors->openings, door->name) >= door->max_open;
}

/* How many openings there may be for the knock to add one. */
static unsigned allowed_openings(const struct doors *doors, const struct knock *knock)
{
    return knock->remote ? doors->max_open - doors->max_open / 4 : doors->max_open;
}

/* Whether there is room for one more, or would be once make_room has made it. Remote knocks make
 * none beyond what they may fill, or in time they would take the place of all that lasts. */
static bool is_room(const struct doors *doors, const struct knock *knock)
{
    unsigned count = doors->openings.count, allowed = allowed_openings(doors, knock);
    return count < allowed || ((count == allowed || !knock->remote) &&
                               openings_oldest_lasting(&doors->openings) != NULL);
}

/* Why a max_open allows no opening more, NULL if both do. */
static const char *why_no_room(const struct doors *doors, const struct knock *knock)
{
    if (!is_room(doors, knock))
        return knock->remote ? "as many doors are open already as max_open allows knocks of remote "
                               "sources to fill, three quarters"
                             : "as many doors as max_open allows are open already";
    if (door_is_full(doors, knock->door))
        return "it is open for as many as its max_open allows";
    return NULL;
}

/* Takes a place for one more opening, which may be another's, and one of the door's rate. Why there
 * is none, and then nothing is taken; NULL: it may open. */
static const char *claim_place(struct doors *doors, const struct knock *knock)
{
    const char *why = why_no_room(doors, knock);
    if (why)
        return why;
    /* What is refused for its rate is to cost no other its place. */
    if (!rates_take(&doors->rates, knock->door, &knock->address, clock_now()))
        return "opened too often lately (rate)";
    if (doors->openings.count >= allowed_openings(doors, knock))
        make_room(doors);
    return NULL;
}

static void report_refused(const struct doors *doors, const char *name, const struct addr *address,
                           struct port_proto port, const char *why)
{
    const struct opening_context *context = &doors->context;
    struct door_event event = {
        .kind = DOOR_REFUSED, .door = name, .address = address, .why = why, .port = port};
    if (context->happened)
        context->happened(context->happened_arg, &event);
}

static bool may_log(struct doors *doors)
{
    return limit_take(&doors->context.messages, clock_now());
}

static void refuse_knock(struct doors *doors, const struct knock *knock, const char *why)
{
    char text[ADDR_TEXT_SIZE];
    report_refused(doors, knock->door->name, &knock->address, knock->port, why);
    if (knock->refusals ? limit_take(knock->refusals, clock_now()) : may_log(doors))
        log_warning("door %s: refused %s: %s", knock->door->name,
                    addr_format(&knock->address, text), why);
}

/* Closes what the door closes. Returns whether nothing is left to do for the knock. */
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
        if (closed > 0 && may_log(doors))
            log_notice("door %s: %s knocked: closing door %s", door->name, text, choice.door);
        count += closed;
    }
    /* Its commands are the undo of what it closes, and have been run as that. */
    bool done = knock->plan->start.count == 0 || (count > 0 && door->is_undo);
    if (count == 0 && done && may_log(doors))
        log_notice("door %s: %s knocked, but nothing that it closes is open for it", door->name,
                   text);
    return done;
}

static const char *open_door(struct doors *doors, const struct knock *knock)
{
    const char *why = claim_place(doors, knock);
    return why || opening_begin(&doors->context, knock) == 0 ? why : "out of memory";
}

/* As doors_knock, but for what is said. */
static const char *serve_knock(struct doors *doors, const struct knock *knock)
{
    const struct config_door *door = knock->door;
    if (doors->context.stopping)
        return "knockd is stopping";
    if (door->closes.count > 0 && close_others(doors, knock))
        return NULL;
    struct opening *o = openings_find(&doors->openings, door->name, &knock->address, knock->port);
    if (!o)
        return open_door(doors, knock);
    opening_knock(o, knock);
    return NULL;
}

const char *doors_knock(struct doors *doors, const struct knock *knock)
{
    const char *why = serve_knock(doors, knock);
    if (why)
        refuse_knock(doors, knock, why);
    return why;
}

bool doors_would_open(const struct doors *doors, const struct knock *knock)
{
    return knock->door->closes.count == 0 &&
           !openings_find(&doors->openings, knock->door->name, &knock->address, knock->port);
}

const char *doors_no_room(const struct doors *doors, const struct knock *knock)
{
    return doors_would_open(doors, knock) ? why_no_room(doors, knock) : NULL;
}

int doors_record(struct doors *doors)
{
    return writeback_flush(doors->context.writeback);
}

/* --- closing and giving up what is chosen --- */

/* Whether port and key are those of the choice; door and address are met already. */
static bool is_chosen(const struct opening *o, const struct doors_choice *choice)
{
    return (choice->port == 0 || choice->port == o->port.port) &&
           (!choice->key || strcmp(choice->key, o->by) == 0);
}

/* Returns whether a knock that waited for the opening's end was chosen, and is dropped now. */
static bool drop_reopening(struct opening *o, const struct doors_choice *choice)
{
    if (!o->reopen || !is_chosen(o->reopen, choice))
        return false;
    opening_free(o->reopen);
    o->reopen = NULL;
    return true;
}

static enum door_end end_by(const struct doors_choice *choice)
{
    return choice->by_door ? DOOR_END_BY_DOOR : choice->key ? DOOR_END_BY_KEY : DOOR_END_BY_ADMIN;
}

unsigned doors_close(struct doors *doors, const struct doors_choice *choice)
{
    const char *door = choice->door;
    const struct addr *address = choice->address;
    unsigned count = 0;
    for (struct opening *o = openings_first(&doors->openings, door, address), *next; o; o = next) {
        next = openings_next(o, door, address);
        bool dropped = drop_reopening(o, choice), chosen = is_chosen(o, choice);
        count += dropped || chosen;
        if (!chosen)
            continue;
        o->closed_by = end_by(choice);
        opening_close(o);
    }
    return count;
}

static struct open_door show_opening(const struct opening *o)
{
    enum open_door_state state = o->state < OPEN       ? OPEN_DOOR_STARTING
                                 : o->state < STOPPING ? OPEN_DOOR_OPEN
                                 : o->state < RETRYING ? OPEN_DOOR_CLOSING
                                                       : OPEN_DOOR_NOT_CLOSED;
    return (struct open_door){.state = state,
                              .door = o->name,
                              .address = &o->address,
                              .port = o->port,
                              .by = o->by,
                              .deadline = o->lasts ? INT64_MAX : o->deadline,
                              .failed_stops = o->attempts,
                              .stopped = o->stopped,
                              .opening = o};
}

/* What may stay is logged before: knockctl may be gone by the time that someone looks for it. */
static void log_given_up(const struct opening *o)
{
    char text[512];
    struct open_door shown = show_opening(o);
    struct commands stop;
    log_warning("door %s: given up for %s by knockctl; what it opened may still be open", o->name,
                o->text);
    if (opening_expand(o, STOP_COMMANDS, &stop) < 0)
        return;
    for (unsigned i = 0; i < stop.count; i++)
        if (!open_door_undone(&shown, i))
            log_warning("door %s: not undone: %s", o->name,
                        command_text(&stop.items[i], text, sizeof(text)));
    commands_free(&stop);
}

void doors_forget(struct doors *doors, const struct doors_choice *choice)
{
    const char *door = choice->door;
    const struct addr *address = choice->address;
    for (struct opening *o = openings_first(&doors->openings, door, address), *next; o; o = next) {
        next = openings_next(o, door, address);
        if (o->state < STOPPING || !is_chosen(o, choice))
            continue;
        log_given_up(o);
        opening_give_up(o);
    }
}

/* --- a new configuration --- */

/* How `door` is undone by now for the address it was opened for, and whether that is just what the
 * opening does anyway; NULL when it isn't, or memory is short. */
static struct undo *make_undo(const struct opening *o, const struct config_door *door,
                              const struct plan *plan, bool *same)
{
    struct knock knock = knock_plain(door, plan, &o->address, o->by);
    struct commands lists[COMMAND_LISTS] = {0};
    struct undo *undo = NULL;
    if (o->port.port)
        knock.port = o->port;
    knock.key = config_is_key_name(o->by) ? o->by : NULL;
    knock.length = o->length;
    if (commands_expand(&plan->stop, &knock, &lists[STOP_COMMANDS]) == 0 &&
        lists[STOP_COMMANDS].count > 0 &&
        commands_expand(&plan->check, &knock, &lists[CHECK_COMMANDS]) == 0)
        undo = undo_new(o, lists, door->stop_ok);
    if (undo)
        undo->same_stop = opening_has(o, STOP_COMMANDS, &lists[STOP_COMMANDS]);
    *same = undo && undo->same_stop && opening_has(o, CHECK_COMMANDS, &lists[CHECK_COMMANDS]) &&
            memcmp(door->stop_ok, o->set->stop_ok, sizeof(door->stop_ok)) == 0;
    commands_free(&lists[STOP_COMMANDS]);
    commands_free(&lists[CHECK_COMMANDS]);
    return undo;
}

/* How the opening's door is undone by now, where that differs from what the opening does itself. */
static struct undo *find_new_undo(const struct opening *o, const struct config *config,
                                  const struct plans *plans)
{
    const struct config_door *door = o->of->now;
    if (!door)
        return NULL;
    const struct plan *plan = plans_get(plans, (unsigned)(door - config->doors), o->address.family);
    bool same;
    struct undo *undo = make_undo(o, door, plan, &same);
    if (!same)
        return undo;
    undo_free(undo);
    return NULL;
}

void doors_follow(struct doors *doors, const struct config *config, const struct plans *plans)
{
    openings_find_doors(&doors->openings, config);
    for (struct opening *o = openings_first(&doors->openings, NULL, NULL), *next; o; o = next) {
        next = openings_next(o, NULL, NULL);
        if (o->reopen)
            opening_follow(o->reopen, find_new_undo(o->reopen, config, plans));
        opening_follow(o, find_new_undo(o, config, plans));
    }
}

/* --- for those who ask and watch --- */

unsigned doors_count(const struct doors *doors)
{
    return doors->openings.count - doors->context.left_open;
}

bool doors_next(const struct doors *doors, const struct doors_choice *choice,
                struct open_door *door)
{
    const struct opening *o = door->opening
                                  ? openings_next(door->opening, choice->door, choice->address)
                                  : openings_first(&doors->openings, choice->door, choice->address);
    while (o && !is_chosen(o, choice))
        o = openings_next(o, choice->door, choice->address);
    if (o)
        *door = show_opening(o);
    return o != NULL;
}

int doors_stop_commands(const struct open_door *door, struct commands *out)
{
    return opening_expand(door->opening, STOP_COMMANDS, out);
}

bool doors_is_delayed(const struct doors *doors, const char *door, const struct addr *address,
                      struct port_proto port)
{
    for (struct opening *o = openings_first(&doors->openings, door, address); o;
         o = openings_next(o, door, address))
        if (doors_same_port(o->port, port) && o->state <= DELAYED && o->delay > 0)
            return true;
    return false;
}

void doors_watch(struct doors *doors, void (*happened)(void *arg, const struct door_event *event),
                 void *arg)
{
    doors->context.happened = happened;
    doors->context.happened_arg = arg;
}

void doors_report_refused(const struct doors *doors, const char *name, const struct addr *address,
                          const char *why)
{
    report_refused(doors, name, address, (struct port_proto){0}, why);
}

uint64_t doors_messages_dropped(const struct doors *doors)
{
    return doors->context.messages.dropped;
}

bool doors_recorded(const struct doors *doors)
{
    return !writeback_failing(doors->context.writeback);
}

enum { DOING_NAMED = 5 };

/* Appends to a text of `size` bytes, `used` of them so far. Returns how many are used now. */
static size_t append_doing(const struct opening *o, char *out, size_t size, size_t used)
{
    char text[96];
    int more = snprintf(out + used, size - used, "%s%s for %s: %s", used ? "; " : "", o->name,
                        o->text, opening_doing(o, text, sizeof(text)));
    used += more > 0 ? (size_t)more : 0;
    return used < size ? used : size - 1;
}

unsigned doors_doing(const struct doors *doors, const struct doors_choice *choice, char *out,
                     size_t size)
{
    unsigned count = 0;
    size_t used = 0;
    *out = '\0';
    for (struct opening *o = openings_first(&doors->openings, choice->door, choice->address); o;
         o = openings_next(o, choice->door, choice->address)) {
        if (o->state == OPEN || o->left_open || !is_chosen(o, choice))
            continue;
        if (count++ < DOING_NAMED)
            used = append_doing(o, out, size, used);
    }
    if (count > DOING_NAMED)
        snprintf(out + used, size - used, "; and %u more", count - DOING_NAMED);
    return count;
}

/* --- the end --- */

static void log_waiting(void *arg)
{
    struct doors *doors = arg;
    const struct doors_choice all = {0};
    char text[900];
    unsigned count = doors_doing(doors, &all, text, sizeof(text));
    if (count == 0)
        return;
    log_warning("the stop waits for %u door%s: %s", count, count == 1 ? "" : "s", text);
    loop_timer_set(doors->context.loop, &doors->waiting, clock_now() + backoff_next(&doors->waits));
}

static void close_or_leave(struct opening *o, enum door_end end)
{
    if (!o->lasts || o->state < OPEN || o->state > RENEWING) {
        if (o->state < STOPPING)
            o->closed_by = end;
        opening_close(o);
        return;
    }
    log_notice("door %s: stays open for %s, since no time closes it", o->name, o->text);
    o->left_open = true;
    o->context->left_open++;
}

static void close_every(struct doors *doors, enum door_end end, void (*done)(void *arg), void *arg)
{
    struct opening_context *context = &doors->context;
    context->stopping = true;
    for (struct opening *o = openings_first(&doors->openings, NULL, NULL), *next; o; o = next) {
        next = openings_next(o, NULL, NULL);
        close_or_leave(o, end);
    }
    /* From here on, the last one that goes calls it. */
    context->emptied = done;
    context->emptied_arg = arg;
    doors->waits = (struct backoff){.first = waiting_first, .longest = waiting_longest};
    loop_timer_set(context->loop, &doors->waiting, clock_now() + waiting_first);
    if (doors_count(doors) == 0)
        done(arg);
}

void doors_close_all(struct doors *doors, void (*done)(void *arg), void *arg)
{
    close_every(doors, DOOR_END_BY_STOP, done, arg);
}

void doors_close_left(struct doors *doors, void (*done)(void *arg), void *arg)
{
    close_every(doors, DOOR_END_LEFT, done, arg);
}

void doors_open_no_more(struct doors *doors)
{
    doors->context.stopping = true;
    struct opening *o;
    TAILQ_FOREACH(o, &doors->openings.ages, age) {
        loop_timer_cancel(doors->context.loop, &o->check_timer);
    }
}

static bool has_time_left(const struct opening *o)
{
    return o->state == OPEN && o->deadline > clock_now();
}

unsigned doors_due(const struct doors *doors)
{
    unsigned count = 0;
    struct opening *o;
    TAILQ_FOREACH(o, &doors->openings.ages, age)
        count += !has_time_left(o);
    return count;
}

void doors_log_left(const struct doors *doors)
{
    struct opening *o;
    TAILQ_FOREACH(o, &doors->openings.ages, age)
        if (!has_time_left(o))
            log_error("door %s: NOT CLOSED for %s: out of time; close it by hand, or the next "
                      "start of knockd does",
                      o->name, o->text);
}

static void log_kept(const struct opening *o)
{
    char until[32] = "";
    struct tm tm;
    int64_t left = o->deadline - clock_now();
    time_t wall = time(NULL) + (time_t)opening_seconds(left);
    if (localtime_r(&wall, &tm))
        strftime(until, sizeof(until), "%F %T", &tm);
    log_warning("door %s: stays open for %s until %s, for %lld s more: the next start of knockd "
                "closes it then, `knockd --close-all` does now",
                o->name, o->text, until, opening_seconds(left));
}

/* A start that fails is tried again and again: it doesn't name each of thousands each time. */
enum { KEPT_NAMED = 20 };

void doors_log_kept(const struct doors *doors)
{
    unsigned count = 0;
    struct opening *o;
    TAILQ_FOREACH(o, &doors->openings.ages, age)
        if (!o->lasts && has_time_left(o) && count++ < KEPT_NAMED)
            log_kept(o);
    if (count > KEPT_NAMED)
        log_warning("and %u more stay open", count - KEPT_NAMED);
}
