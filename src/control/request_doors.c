/* knockctl doors, open, close and forget: lists the open doors, and opens, closes or gives up one
 * for the administrator. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/request_parts.h"
#include "lib/addr_scope.h"
#include "lib/clock.h"

enum { SECONDS_MAX = 30 * 86400 };

static int64_t seconds_until(int64_t due)
{
    int64_t left = due - clock_now();
    return left > 0 ? (left + CLOCK_SECOND - 1) / CLOCK_SECOND : 0;
}

/* Names the door that was meant, if one is near, else those that there are. */
static void answer_no_door(const struct requests *requests, struct answer *answer, const char *name,
                           const char *what)
{
    char hint[CONFIG_DOOR_HINT_SIZE];
    answer_error(answer, "no door \"%s\" %s%s", name, what,
                 config_door_hint(requests_state(requests).config, name, hint));
}

/* --- what is open --- */

static const char *state_name(enum open_door_state state)
{
    static const char *const names[] = {"opening", "open", "closing", "not-closed"};
    return names[state];
}

/* The doors that name the sources that they hear, by name. */
struct hearing {
    const struct config_door **doors;
    size_t count;
};

static int by_door_name(const void *a, const void *b)
{
    return strcmp((*(const struct config_door *const *)a)->name,
                  (*(const struct config_door *const *)b)->name);
}

/* False when memory is short. The caller frees. */
static bool find_hearing(const struct config *config, struct hearing *out)
{
    *out = (struct hearing){.doors = calloc(config->door_count + 1, sizeof(struct config_door *))};
    for (unsigned i = 0; out->doors && i < config->door_count; i++)
        if (config->doors[i].sources.count > 0)
            out->doors[out->count++] = &config->doors[i];
    if (out->doors)
        qsort(out->doors, out->count, sizeof(struct config_door *), by_door_name);
    return out->doors != NULL;
}

static int by_wanted_name(const void *name, const void *door)
{
    return strcmp(name, (*(const struct config_door *const *)door)->name);
}

/* The sources that a door hears, if it names them; the list is empty where it hears all. */
static void add_sources(struct row *row, const struct hearing *hearing, const char *name)
{
    const struct config_door *const *found =
        bsearch(name, hearing->doors, hearing->count, sizeof(struct config_door *), by_wanted_name);
    if (!found)
        row_list(row, "sources", NULL);
    for (unsigned i = 0; found && i < (*found)->sources.count; i++)
        row_list(row, "sources", (*found)->sources.items[i].text);
}

static void list_door(const struct hearing *hearing, struct answer *answer,
                      const struct open_door *o)
{
    struct row row;
    char text[ADDR_TEXT_SIZE];
    row_begin(&row, 0, "doors");
    row_text(&row, "door", o->door);
    row_text(&row, "address", addr_format(o->address, text));
    request_row_port(&row, "port", o->port);
    row_text(&row, "state", state_name(o->state));
    if (o->state == OPEN_DOOR_OPEN && o->deadline < INT64_MAX)
        row_number(&row, "closes_in", seconds_until(o->deadline));
    else
        row_null(&row, "closes_in");
    row_text(&row, "by", o->by);
    if (config_is_key_name(o->by))
        row_text(&row, "key", o->by);
    else
        row_null(&row, "key");
    row_number(&row, "failed_stops", o->failed_stops);
    add_sources(&row, hearing, o->door);
    answer_row(answer, &row);
}

static void list_shut_door(const struct hearing *hearing, struct answer *answer,
                           const struct config_door *door)
{
    struct row row;
    row_begin(&row, 0, "doors");
    row_text(&row, "door", door->name);
    row_null(&row, "address");
    request_row_port(&row, "port", config_own_port(door));
    row_text(&row, "state", "shut");
    row_null(&row, "closes_in");
    row_null(&row, "by");
    row_null(&row, "key");
    row_number(&row, "failed_stops", 0);
    add_sources(&row, hearing, door->name);
    answer_row(answer, &row);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lists what is open, and puts the names of these doors into `names`, if that isn't NULL. Returns
 * how many there are. */
static size_t list_open_doors(const struct requests *requests, const struct hearing *hearing,
                              struct answer *answer, const char **names)
{
    const struct doors_choice all = {0};
    struct open_door door = {0};
    size_t count = 0;
    while (doors_next(requests->services.doors, &all, &door)) {
        list_door(hearing, answer, &door);
        if (names)
            names[count++] = door.door;
    }
    return count;
}

/* Lists the doors of the configuration that aren't among the names. */
static void list_shut_doors(const struct config *config, const struct hearing *hearing,
                            struct answer *answer, const char **names, size_t count)
{
    qsort(names, count, sizeof(*names), by_name);
    for (unsigned i = 0; i < config->door_count; i++) {
        const char *name = config->doors[i].name;
        if (!bsearch(&name, names, count, sizeof(*names), by_name))
            list_shut_door(hearing, answer, &config->doors[i]);
    }
}

static size_t count_open_doors(const struct doors *doors)
{
    const struct doors_choice all = {0};
    struct open_door door = {0};
    size_t count = 0;
    while (doors_next(doors, &all, &door))
        count++;
    return count;
}

void requests_serve_doors(void *arg, struct answer *answer, char *const *words)
{
    const struct requests *requests = arg;
    const struct config *config = requests_state(requests).config;
    struct hearing hearing;
    const char **names = NULL;
    if (words[1] && strcmp(words[1], "*") != 0) {
        answer_wrong_argument(answer, "\"%s\": expected nothing, or *", words[1]);
        return;
    }
    if (words[1])
        names = calloc(count_open_doors(requests->services.doors) + 1, sizeof(*names));
    if (!find_hearing(config, &hearing) || (words[1] && !names)) {
        answer_error(answer, "out of memory");
    } else {
        answer_begin(answer, ANSWER_LIST);
        size_t count = list_open_doors(requests, &hearing, answer, names);
        if (names)
            list_shut_doors(config, &hearing, answer, names, count);
        answer_end(answer);
    }
    free(hearing.doors);
    free(names);
}

/* --- open --- */

/* Why a door can't be opened for an address. Its list of allowed networks and its rate are about
 * knocks: an administrator knows better. */
static const char *check_address(const struct plans *plans, unsigned door,
                                 const struct addr *address)
{
    if (addr_scope(address) == ADDR_SCOPE_NONE)
        return "that is no host's address";
    if (!plans_get(plans, door, address->family)->usable)
        return address->family == 6 ? "it has no commands for IPv6" : "it has no commands for IPv4";
    return NULL;
}

static void answer_delayed(struct answer *answer, const struct config_door *door,
                           const char *address)
{
    struct row row;
    row_begin(&row, 0, "open");
    row_text(&row, "door", door->name);
    row_text(&row, "address", address);
    row_text(&row, "result", "delayed");
    row_number(&row, "seconds", door->start_delay / CLOCK_SECOND);
    answer_begin(answer, ANSWER_ONE);
    answer_row(answer, &row);
    answer_end(answer);
}

static void open_door(struct requests *requests, struct answer *answer, unsigned number,
                      const struct addr *address, unsigned seconds)
{
    struct requests_state state = requests_state(requests);
    struct config_door door = state.config->doors[number];
    const struct plan *plan = plans_get(state.plans, number, address->family);
    struct knock knock = knock_plain(&door, plan, address, "knockctl");
    char user[33];
    knock.user = answer_user(answer, user, sizeof(user));
    door.rate.count = 0;
    knock.length = seconds ? (int64_t)seconds * CLOCK_SECOND : knock.length;
    struct pending *pending =
        pending_begin(&requests->pending, PENDING_OPEN, answer, clock_now() + PENDING_TIME);
    snprintf(pending->door, sizeof(pending->door), "%s", door.name);
    pending->address = *address;
    pending->port = knock.port;
    /* max_timeout bounds what knocks may ask for; an administrator is told that this is more. */
    pending->limit = seconds > 0 && knock.length > door.max_timeout ? door.max_timeout : 0;
    doors_knock(requests->services.doors, &knock);
    if (pending->kind == PENDING_OPEN &&
        doors_is_delayed(requests->services.doors, door.name, address, knock.port)) {
        char text[ADDR_TEXT_SIZE];
        pending_end(pending);
        answer_delayed(answer, &door, addr_format(address, text));
    }
}

void requests_serve_open(void *arg, struct answer *answer, char *const *words)
{
    struct requests *requests = arg;
    struct requests_state state = requests_state(requests);
    struct addr address;
    const struct config_door *chosen = config_find_door(state.config, words[1]);
    unsigned seconds = words[3] ? request_parse_number(words[3], SECONDS_MAX) : 0;
    if (!chosen) {
        answer_no_door(requests, answer, words[1], "is configured");
        return;
    }
    if (!request_parse_address(answer, words[2], &address))
        return;
    unsigned number = (unsigned)(chosen - state.config->doors);
    const char *why = check_address(state.plans, number, &address);
    if (chosen->closes.count > 0)
        answer_error(answer, "door %s closes door %s: see knockctl close", words[1],
                     chosen->closes.items[0].text);
    else if (why)
        answer_error(answer, "door %s isn't opened for %s: %s", words[1], words[2], why);
    else if (words[3] && seconds == 0)
        answer_wrong_argument(answer, "\"%s\": expected seconds, 1 to %d", words[3], SECONDS_MAX);
    else if (seconds > 0 && chosen->lasts)
        answer_error(answer,
                     "door %s isn't opened: no time closes this door; open it without a time, and "
                     "close it with knockctl close",
                     words[1]);
    else
        open_door(requests, answer, number, &address, seconds);
}

/* --- close --- */

static void close_doors(struct requests *requests, struct answer *answer, const char *name,
                        const struct addr *address)
{
    struct pending *pending =
        pending_begin(&requests->pending, PENDING_CLOSE, answer, clock_now() + PENDING_TIME);
    snprintf(pending->door, sizeof(pending->door), "%s", name ? name : "");
    if (address)
        pending->address = *address;
    struct doors_choice choice = {.door = name, .address = address};
    unsigned count = doors_close(requests->services.doors, &choice);
    if (count > 0 || !name) {
        pending_count(pending, count);
        return;
    }
    pending_end(pending);
    if (!config_find_door(requests_state(requests).config, name))
        answer_no_door(requests, answer, name, "is open, or even configured");
    else
        answer_error(answer, "door %s isn't open%s", name, address ? " for this address" : "");
}

/* "*" can't be the name of a door: it stands for all. */
void requests_serve_close(void *arg, struct answer *answer, char *const *words)
{
    struct addr address;
    bool all = strcmp(words[1], "*") == 0;
    if (all && words[2])
        answer_wrong_argument(answer, "all doors are closed for all addresses, not for one");
    else if (!words[2])
        close_doors(arg, answer, all ? NULL : words[1], NULL);
    else if (request_parse_address(answer, words[2], &address))
        close_doors(arg, answer, words[1], &address);
}

/* --- forget --- */

/* An opening that is given up, and its stop commands that haven't succeeded. */
static void list_given_up(struct answer *answer, const struct open_door *o)
{
    struct commands stop;
    struct row row;
    char text[1024];
    row_begin(&row, 0, "forget");
    row_text(&row, "door", o->door);
    row_text(&row, "address", addr_format(o->address, text));
    request_row_port(&row, "port", o->port);
    row_number(&row, "failed_stops", o->failed_stops);
    answer_row(answer, &row);
    if (doors_stop_commands(o, &stop) < 0)
        return;
    for (unsigned i = 0; i < stop.count; i++) {
        if (open_door_undone(o, i))
            continue;
        row_begin(&row, 1, "not_undone");
        row_text(&row, "command", command_text(&stop.items[i], text, sizeof(text)));
        answer_row(answer, &row);
    }
    commands_free(&stop);
}

static void forget_doors(struct requests *requests, struct answer *answer,
                         const struct doors_choice *choice)
{
    struct open_door door = {0};
    unsigned given_up = 0, others = 0;
    bool known = config_find_door(requests_state(requests).config, choice->door);
    while (doors_next(requests->services.doors, choice, &door)) {
        if (door.state < OPEN_DOOR_CLOSING) {
            others++;
            continue;
        }
        if (given_up++ == 0)
            answer_begin(answer, ANSWER_LIST);
        list_given_up(answer, &door);
    }
    doors_forget(requests->services.doors, choice);
    if (given_up > 0)
        answer_end(answer);
    else if (others > 0)
        answer_error(answer,
                     "door %s isn't given up: nothing has failed there; knockctl close closes it",
                     choice->door);
    else if (!known)
        answer_no_door(requests, answer, choice->door, "is open, or even configured");
    else
        answer_error(answer, "door %s isn't open for this address%s", choice->door,
                     choice->port ? " and port" : "");
}

void requests_serve_forget(void *arg, struct answer *answer, char *const *words)
{
    struct requests *requests = arg;
    struct addr address;
    const char *why;
    struct port_proto port = {0};
    if (!request_parse_address(answer, words[2], &address))
        return;
    if (words[3] && !port_proto_parse(words[3], &port, &why)) {
        answer_wrong_argument(answer, "\"%s\" is no port: %s", words[3], why);
        return;
    }
    struct doors_choice choice = {.door = words[1], .address = &address, .port = port.port};
    forget_doors(requests, answer, &choice);
}
