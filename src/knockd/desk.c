#include "knockd/desk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knockd/desk_parts.h"
#include "lib/clock.h"
#include "lib/log.h"

/* How long a request waits for what it asked for. */
static const int64_t errand_time = 60 * CLOCK_SECOND;

enum { SECONDS_MAX = 30 * 86400 };

static int64_t seconds_until(int64_t due)
{
    int64_t left = due - clock_now();
    return left > 0 ? (left + CLOCK_SECOND - 1) / CLOCK_SECOND : 0;
}

/* --- doors --- */

static const char *state_name(enum opening_state state)
{
    switch (state) {
    case RECORDING:
    case DELAYED:
    case STARTING:
        return "opening";
    case OPEN:
    case EXTENDING:
    case CHECKING:
    case RENEWING:
        return "open";
    case STOPPING:
    case JUDGING:
        return "closing";
    case RETRYING:
        break;
    }
    return "not-closed";
}

static void add_port(struct row *row, struct step port)
{
    char text[16];
    snprintf(text, sizeof(text), "%u:%s", port.port, proto_name(port.proto));
    if (port.port)
        row_text(row, "port", text);
    else
        row_null(row, "port");
}

static void list_door(void *arg, struct opening *o)
{
    struct row row;
    bool is_open = o->state >= OPEN && o->state <= RENEWING;
    row_begin(&row, 0, "doors");
    row_text(&row, "door", o->name);
    row_text(&row, "address", o->text);
    add_port(&row, o->port);
    row_text(&row, "state", state_name(o->state));
    if (is_open)
        row_number(&row, "closes_in", seconds_until(o->deadline));
    else
        row_null(&row, "closes_in");
    row_text(&row, "by", o->by);
    if (config_is_key_name(o->by))
        row_text(&row, "key", o->by);
    else
        row_null(&row, "key");
    row_number(&row, "failed_stops", o->attempts);
    answer_row(arg, &row);
}

static void serve_doors(void *arg, struct answer *answer, char *const *words)
{
    const struct desk *desk = arg;
    (void)words;
    answer_begin(answer, ANSWER_LIST);
    doors_each(desk->daemon->doors, list_door, answer);
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

/* A whole number from 1 to `most`; 0: it isn't one. */
static unsigned parse_number(const char *text, unsigned most)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits < 10 ? strtoul(text, NULL, 10) : 0;
    return text[digits] == '\0' && value <= most ? (unsigned)value : 0;
}

static void serve_history(void *arg, struct answer *answer, char *const *words)
{
    const struct desk *desk = arg;
    struct store *store = desk->daemon->store;
    unsigned most = parse_number(words[1], STORE_HISTORY_MAX);
    if (most == 0) {
        answer_error(answer, "\"%s\": expected a number of lines, 1 to %d", words[1],
                     STORE_HISTORY_MAX);
        return;
    }
    answer_begin(answer, ANSWER_LIST);
    int left_out = store_history(store, most, list_event, answer);
    if (left_out != 0)
        log_error("%s", store_error(store));
    answer_end(answer);
}

/* --- open --- */

static int find_door(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->door_count; i++)
        if (strcmp(config->doors[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* Why a door can't be opened for an address. Its list of allowed networks and its rate are about
 * knocks: an administrator knows better. */
static const char *judge(const struct setting *setting, int door, const struct addr *address)
{
    if (addr_is_group(address) || addr_is_unspecified(address))
        return "that is no host's address";
    if (!plans_get(setting->plans, (unsigned)door, address->family)->usable)
        return address->family == 6 ? "it has no commands for IPv6" : "it has no commands for IPv4";
    return NULL;
}

static void say_delayed(struct answer *answer, const struct config_door *door, const char *address)
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

static void open_door(struct desk *desk, struct answer *answer, int number,
                      const struct addr *address, unsigned seconds)
{
    const struct setting *setting = &desk->daemon->current->setting;
    struct config_door door = setting->config->doors[number];
    const struct plan *plan = plans_get(setting->plans, (unsigned)number, address->family);
    struct knock knock = knock_plain(&door, plan, address, "knockctl");
    door.rate.count = 0;
    knock.length = seconds ? (int64_t)seconds * CLOCK_SECOND : knock.length;
    struct errand *errand =
        errand_begin(&desk->errands, ERRAND_OPEN, answer, clock_now() + errand_time);
    snprintf(errand->door, sizeof(errand->door), "%s", door.name);
    errand->address = *address;
    errand->port = knock.port;
    doors_knock(desk->daemon->doors, &knock);
    if (door.start_delay > 0 && errand->kind == ERRAND_OPEN) {
        char text[ADDR_TEXT_SIZE];
        errand_end(&desk->errands, errand);
        say_delayed(answer, &door, addr_format(address, text));
    }
}

bool desk_parse_address(struct answer *answer, const char *text, struct addr *address)
{
    if (addr_parse(text, strlen(text), address))
        return true;
    answer_error(answer, "\"%s\": expected an IPv4 or IPv6 address", text);
    return false;
}

static void serve_open(void *arg, struct answer *answer, char *const *words)
{
    struct desk *desk = arg;
    const struct setting *setting = &desk->daemon->current->setting;
    struct addr address;
    int door = find_door(setting->config, words[1]);
    unsigned seconds = words[3] ? parse_number(words[3], SECONDS_MAX) : 0;
    if (door < 0) {
        answer_error(answer, "no door \"%s\" is configured", words[1]);
        return;
    }
    if (!desk_parse_address(answer, words[2], &address))
        return;
    const char *why = judge(setting, door, &address);
    if (why)
        answer_error(answer, "door %s isn't opened for %s: %s", words[1], words[2], why);
    else if (words[3] && seconds == 0)
        answer_error(answer, "\"%s\": expected seconds, 1 to %d", words[3], SECONDS_MAX);
    else
        open_door(desk, answer, door, &address, seconds);
}

/* --- close --- */

static void close_doors(struct desk *desk, struct answer *answer, const char *name,
                        const struct addr *address)
{
    struct errand *errand =
        errand_begin(&desk->errands, ERRAND_CLOSE, answer, clock_now() + errand_time);
    snprintf(errand->door, sizeof(errand->door), "%s", name ? name : "");
    if (address)
        errand->address = *address;
    struct doors_choice choice = {.door = name, .address = address};
    unsigned count = doors_close(desk->daemon->doors, &choice);
    if (count > 0 || !name) {
        errand_count(&desk->errands, errand, count);
        return;
    }
    errand_end(&desk->errands, errand);
    if (find_door(desk->daemon->current->setting.config, name) < 0)
        answer_error(answer, "no door \"%s\" is open, or even configured", name);
    else
        answer_error(answer, "door %s isn't open%s", name, address ? " for this address" : "");
}

/* "*" can't be the name of a door: it stands for all. */
static void serve_close(void *arg, struct answer *answer, char *const *words)
{
    struct addr address;
    bool all = strcmp(words[1], "*") == 0;
    if (all && words[2])
        answer_error(answer, "all doors are closed for all addresses, not for one");
    else if (!words[2])
        close_doors(arg, answer, all ? NULL : words[1], NULL);
    else if (desk_parse_address(answer, words[2], &address))
        close_doors(arg, answer, words[1], &address);
}

/* --- reload --- */

static void serve_reload(void *arg, struct answer *answer, char *const *words)
{
    struct desk *desk = arg;
    (void)words;
    if (desk->daemon->phase != PHASE_SERVING) {
        answer_error(answer, "knockd is %s",
                     desk->daemon->phase == PHASE_STARTING ? "starting: try again when it is ready"
                                                           : "stopping");
        return;
    }
    errand_begin(&desk->errands, ERRAND_RELOAD, answer, clock_now() + errand_time);
    regime_reload(desk->daemon);
}

void desk_reloaded(struct desk *desk, const char *why)
{
    struct row row;
    if (!desk)
        return;
    const struct config *config = desk->daemon->current->setting.config;
    row_begin(&row, 0, "reload");
    row_text(&row, "file", desk->daemon->path);
    row_number(&row, "doors", config->door_count);
    row_number(&row, "sources", config->source_count);
    errands_reloaded(&desk->errands, why, &row);
}

/* --- the desk --- */

static const struct control_request requests[] = {
    {"status", 0, 0, desk_serve_status}, {"sources", 0, 0, desk_serve_sources},
    {"watch", 0, 0, desk_serve_watch},   {"why", 1, 1, desk_serve_why},
    {"doors", 0, 0, serve_doors},        {"open", 2, 3, serve_open},
    {"close", 1, 2, serve_close},        {"history", 1, 1, serve_history},
    {"reload", 0, 0, serve_reload},      {"keys", 0, 0, desk_serve_keys},
};

static void on_event(void *arg, const struct door_event *event)
{
    struct desk *desk = arg;
    /* Strangers' sealed knocks have counters of their own. */
    desk->counts[event->kind] += event->door != NULL;
    errands_event(&desk->errands, event);
    desk_tell_door(desk, event);
}

static void on_gone(void *arg, struct answer *answer)
{
    struct desk *desk = arg;
    errands_forget(&desk->errands, answer);
}

struct desk *desk_open(struct daemon *daemon)
{
    char why[512];
    struct desk *desk = calloc(1, sizeof(*desk));
    if (!desk || errands_init(&desk->errands, daemon->loop) < 0) {
        free(desk);
        return NULL;
    }
    struct control_calls calls = {requests, sizeof(requests) / sizeof(*requests), on_gone, desk};
    desk->daemon = daemon;
    desk->started = clock_now();
    desk->control = control_open(daemon->loop, daemon->current->setting.config->control, calls, why,
                                 sizeof(why));
    if (!desk->control)
        log_error("knockctl won't work: %s", why);
    doors_watch(daemon->doors, on_event, desk);
    return desk;
}

void desk_close(struct desk *desk)
{
    if (!desk)
        return;
    control_close(desk->control);
    errands_free(&desk->errands);
    doors_watch(desk->daemon->doors, NULL, NULL);
    free(desk);
}
