/*
 * knockctl watch, in words: on a terminal in columns, above one line that says what is open and
 * counts the time that is left; else a plain line for each event.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knockctl/show.h"
#include "knockctl/table.h"
#include "knockctl/terminal.h"
#include "lib/clock.h"

static void print_part(const struct row_fields *row, const char *key, const char *before,
                       const char *after)
{
    char text[ROW_MAX];
    if (row_get(row, key))
        printf("%s%s%s", before, text_of(row, key, text), after);
}

/* What isn't in a column; in columns it begins without what would join it to the text before. */
static void print_rest(const struct row_fields *row, bool columns)
{
    static const struct {
        const char *key, *before;
    } parts[] = {{"by", " by "},      {"port", ", port "}, {"seconds", ", closes in "},
                 {"step", ", step "}, {"steps", " of "},   {"instead", ", then "},
                 {"number", ", "},    {"why", ": "}};
    bool begins = columns;
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
        char text[ROW_MAX + sizeof(" s")];
        const char *before = parts[i].before;
        if (!row_get(row, parts[i].key))
            continue;
        text_of(row, parts[i].key, text);
        if (strcmp(parts[i].key, "seconds") == 0 && columns)
            text_seconds((long long)row_get_number(row, "seconds"), text);
        else if (strcmp(parts[i].key, "seconds") == 0)
            strcat(text, " s");
        printf("%s%s", begins ? before + strspn(before, ",: ") : before, text);
        begins = false;
    }
    putchar('\n');
}

static void print_event(const struct row_fields *row)
{
    char text[TEXT_MAX];
    fputs(text_time((long long)row_get_number(row, "time"), text), stdout);
    print_part(row, "door", " door ", ":");
    print_part(row, "source", " source ", ":");
    print_part(row, "event", " ", "");
    print_part(row, "address", " for ", "");
    print_rest(row, false);
}

/* --- on a terminal --- */

enum { SHOWN_MAX = 16, NAMES_MAX = 160, LINE_MAX_SHOWN = 1024, TICK = 1000 };

/* What is open, those first that need somebody or close soon. */
struct shown_door {
    char names[NAMES_MAX]; /* "ssh 192.0.2.10" */
    bool stuck;
    int64_t closes; /* ns on the clock; INT64_MAX: no time closes it */
};

struct watch {
    const struct reply *reply;
    struct terminal terminal;
    char day[16];                /* that the last event was of */
    int event, subject, address; /* widths of columns */
    struct shown_door shown[SHOWN_MAX];
    unsigned count; /* of all that is open */
    bool stale;     /* something happened since knockd was asked */
    int64_t asked;
};

static void print_column(const struct watch *watch, const char *text, int *width, enum style style)
{
    int len = (int)strlen(text);
    *width = len > *width ? len : *width;
    terminal_style(&watch->terminal, stdout, style);
    fputs(text, stdout);
    if (style != STYLE_PLAIN)
        terminal_style(&watch->terminal, stdout, STYLE_PLAIN);
    printf("%*s", *width - len + 2, "");
}

static void print_day(struct watch *watch, const char *time)
{
    if (strncmp(watch->day, time, 10) == 0)
        return;
    snprintf(watch->day, sizeof(watch->day), "%.10s", time);
    terminal_style(&watch->terminal, stdout, STYLE_FAINT);
    puts(watch->day);
    terminal_style(&watch->terminal, stdout, STYLE_PLAIN);
}

static void print_columns(struct watch *watch, const struct row_fields *row)
{
    char time[TEXT_MAX], event[ROW_MAX], subject[ROW_MAX], address[ROW_MAX];
    text_time((long long)row_get_number(row, "time"), time);
    text_of(row, "event", event);
    text_of(row, row_get(row, "door") ? "door" : "source", subject);
    text_of(row, "address", address);
    print_day(watch, time);
    printf("%s  ", strlen(time) > 11 ? time + 11 : time);
    print_column(watch, event, &watch->event, terminal_style_of(event));
    print_column(watch, subject, &watch->subject, STYLE_TITLE);
    print_column(watch, address, &watch->address, STYLE_PLAIN);
    print_rest(row, true);
}

static bool comes_first(const struct shown_door *a, const struct shown_door *b)
{
    return a->stuck != b->stuck ? a->stuck : a->closes < b->closes;
}

static void add_door(struct watch *watch, const struct row_fields *row)
{
    char door[ROW_MAX], address[ROW_MAX];
    struct shown_door new = {.closes = INT64_MAX};
    const char *state = row_get(row, "state");
    snprintf(new.names, sizeof(new.names), "%.80s %.70s", text_of(row, "door", door),
             text_of(row, "address", address));
    new.stuck = state &&strcmp(state, "not-closed") == 0;
    if (row_get(row, "closes_in"))
        new.closes = watch->asked + row_get_number(row, "closes_in") * CLOCK_SECOND;
    unsigned at = watch->count < SHOWN_MAX ? watch->count : SHOWN_MAX;
    watch->count++;
    for (; at > 0 && comes_first(&new, &watch->shown[at - 1]); at--)
        if (at < SHOWN_MAX)
            watch->shown[at] = watch->shown[at - 1];
    if (at < SHOWN_MAX)
        watch->shown[at] = new;
}

/* Asks what is open, silently: when knockd ends, the events end, and that is said. */
static void ask_doors(struct watch *watch)
{
    struct reply reply;
    struct row_fields row;
    int status = KNOCKCTL_DONE;
    watch->asked = clock_now();
    watch->stale = false;
    watch->count = 0;
    if (client_ask(&reply, NULL, watch->reply->path, "doors") != KNOCKCTL_DONE)
        return;
    while (client_row(&reply, &row, &status))
        add_door(watch, &row);
    client_end(&reply);
}

static void erase_line(void)
{
    fputs("\r\033[K", stdout);
}

/* "2 open: ssh 192.0.2.10 42 s, web 198.51.100.7 1 min 58 s", as much of it as the line holds. */
static void draw_doors(const struct watch *watch)
{
    char line[LINE_MAX_SHOWN], left[TEXT_MAX];
    unsigned shown = watch->count < SHOWN_MAX ? watch->count : SHOWN_MAX;
    int used = watch->count == 0 ? snprintf(line, sizeof(line), "no door is open")
                                 : snprintf(line, sizeof(line), "%u open:", watch->count);
    for (unsigned i = 0; i < shown && used < LINE_MAX_SHOWN; i++) {
        const struct shown_door *door = &watch->shown[i];
        int64_t rest = door->closes - clock_now();
        const char *when = door->stuck                 ? "NOT CLOSED"
                           : door->closes == INT64_MAX ? "until it is closed"
                           : rest <= 0
                               ? "closing"
                               : text_seconds((rest + CLOCK_SECOND - 1) / CLOCK_SECOND, left);
        used += snprintf(line + used, (size_t)(LINE_MAX_SHOWN - used), "%s %s %s", i ? "," : "",
                         door->names, when);
    }
    erase_line();
    bool stuck = watch->count > 0 && watch->shown[0].stuck;
    terminal_style(&watch->terminal, stdout, stuck ? STYLE_BAD : STYLE_TITLE);
    printf("%.*s", (int)terminal_width(stdout) - 1, line);
    terminal_style(&watch->terminal, stdout, STYLE_PLAIN);
    fflush(stdout);
}

/* The next event, while the time that is left is counted; false at the end. */
static bool next_event(struct watch *watch, struct reply *reply, struct row_fields *row,
                       int *status)
{
    for (;;) {
        if (watch->stale && clock_now() - watch->asked >= CLOCK_SECOND)
            ask_doors(watch);
        draw_doors(watch);
        if (ferror(stdout))
            return false;
        if (!client_ready(reply, TICK))
            continue;
        erase_line();
        fflush(stdout);
        return client_row(reply, row, status);
    }
}

static void watch_live(struct reply *reply, int *status, struct terminal terminal)
{
    struct row_fields row;
    struct watch watch = {
        .reply = reply, .terminal = terminal, .event = 10, .subject = 8, .address = 15};
    ask_doors(&watch);
    while (next_event(&watch, reply, &row, status)) {
        if (strcmp(row.kind, "lost") == 0)
            printf("(%lld events left out)\n", (long long)row_get_number(&row, "rows"));
        else
            print_columns(&watch, &row);
        watch.stale = true;
    }
}

void show_watch(struct reply *reply, int *status)
{
    struct row_fields row;
    struct terminal terminal = terminal_of(stdout);
    if (terminal.live) {
        watch_live(reply, status, terminal);
        return;
    }
    while (!ferror(stdout) && client_row(reply, &row, status)) {
        if (strcmp(row.kind, "lost") == 0)
            printf("(%lld events left out)\n", (long long)row_get_number(&row, "rows"));
        else
            print_event(&row);
        fflush(stdout);
    }
}
