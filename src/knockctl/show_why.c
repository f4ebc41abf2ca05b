/* knockctl why, in words */
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include "knockctl/show.h"
#include "knockctl/table.h"

static long long number(const struct row_fields *row, const char *key)
{
    return (long long)row_get_number(row, key);
}

static bool is_handed_over(const struct row_fields *row)
{
    const char *message = row_get(row, "message");
    return message && strcmp(message, "true") == 0;
}

/* How much of a sealed knock is there. What it says, and whether it is good, only the keeper knows.
 */
static void print_piece(const struct row_fields *row)
{
    long long pieces = number(row, "pieces"), needed = number(row, "pieces_needed");
    printf(": piece of a sealed knock, %lld of %lld", pieces < needed ? pieces : needed, needed);
    if (pieces > needed)
        printf(" and %lld to spare", pieces - needed);
    if (is_handed_over(row))
        printf("; message handed over, see knockd's log");
}

/* A sealed knock that came whole. */
static void print_whole(const struct row_fields *row)
{
    printf(": a sealed knock in one packet; ");
    if (is_handed_over(row))
        printf("handed over, see knockd's log");
    else
        printf("not handed over: the same again, or too many at once");
}

/* Packets that did nothing, one behind the other, of which all but the time is the same. */
struct repeats {
    unsigned count; /* 0: there are none */
    long long first_ago, last_ago;
    char text[4 * ROW_MAX];
};

static void print_repeats(struct repeats *repeats)
{
    char ago[TEXT_MAX];
    if (repeats->count == 0)
        return;
    printf("%s ago: %s", text_seconds(repeats->first_ago, ago), repeats->text);
    if (repeats->count > 1)
        printf("; %u times, the last %s ago", repeats->count, text_seconds(repeats->last_ago, ago));
    putchar('\n');
    repeats->count = 0;
}

/* What the packet was, and why it was ignored, if it was. */
static void describe_packet(const struct row_fields *row, char *out, size_t size)
{
    char to[ROW_MAX], source[ROW_MAX], ignored[ROW_MAX], host[ROW_MAX], what[TEXT_MAX];
    bool other_host = row_get(row, "host") != NULL;
    long long protocol = number(row, "protocol");
    bool did_nothing = row_get(row, "ignored") != NULL;
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
        snprintf(what, sizeof(what), "%lld:%s", number(row, "port"),
                 protocol == IPPROTO_TCP ? "tcp" : "udp");
    else
        snprintf(what, sizeof(what), "protocol %lld", protocol);
    snprintf(out, size, "%s to %s, source %s%s%s%s%s", what, text_of(row, "to", to),
             text_of(row, "source", source), other_host ? ", host " : "",
             other_host ? text_of(row, "host", host) : "", did_nothing ? ": ignored, " : "",
             did_nothing ? text_of(row, "ignored", ignored) : "");
}

static void count_repeat(struct repeats *repeats, const char *text, long long ago)
{
    if (repeats->count > 0 && strcmp(repeats->text, text) != 0)
        print_repeats(repeats);
    if (repeats->count++ == 0) {
        snprintf(repeats->text, sizeof(repeats->text), "%s", text);
        repeats->first_ago = ago;
    }
    repeats->last_ago = ago;
}

static void print_packet(const struct row_fields *row, struct repeats *repeats)
{
    char ago[TEXT_MAX], text[sizeof(repeats->text)];
    describe_packet(row, text, sizeof(text));
    if (row_get(row, "ignored")) {
        count_repeat(repeats, text, number(row, "ago"));
        return;
    }
    print_repeats(repeats);
    printf("%s ago: %s", text_seconds(number(row, "ago"), ago), text);
    if (number(row, "pieces_needed") == 1)
        print_whole(row);
    else if (number(row, "pieces") > 0)
        print_piece(row);
    putchar('\n');
}

static void print_refusal(const struct row_fields *row)
{
    char ago[TEXT_MAX], reason[ROW_MAX], door[ROW_MAX];
    long long ahead = number(row, "clock_ahead"), count = number(row, "count");
    bool by_door = row_get(row, "door") != NULL;
    printf("%s ago: %s%s refused: %s", text_seconds(number(row, "ago"), ago),
           by_door ? "complete sequence of door " : "sealed knock",
           by_door ? text_of(row, "door", door) : "", text_of(row, "reason", reason));
    if (ahead != 0)
        printf(": its clock is %lld s %s", ahead < 0 ? -ahead : ahead,
               ahead < 0 ? "behind" : "ahead");
    if (count > 1)
        printf("; the last of %lld that were refused", count);
    putchar('\n');
}

static void print_effect(const struct row_fields *row)
{
    char door[ROW_MAX], result[ROW_MAX], expected[ROW_MAX];
    text_of(row, "result", result);
    text_of(row, "expected", expected);
    long long step = number(row, "step"), steps = number(row, "steps");
    printf("  door %s: ", text_of(row, "door", door));
    if (strcmp(result, "complete") == 0)
        puts("the sequence is complete; what the door did then, knockd's log says");
    else if (strcmp(result, "refused") == 0)
        puts("complete, but refused: the address isn't in the door's list of allowed networks");
    else if (strcmp(result, "scan") == 0)
        puts("the sequence is complete, but the address sent to many other ports besides: a scan "
             "doesn't open a door");
    else if (strcmp(result, "late") == 0)
        printf("too late: more than %lld s after its first step; step %lld of %lld now\n",
               number(row, "timeout"), step, steps);
    else if (strcmp(result, "advanced") == 0)
        printf("step %lld of %lld\n", step, steps);
    else if (strcmp(result, "reset") == 0)
        printf("not the next step, which is %s; step %lld of %lld now\n", expected, step, steps);
    else
        printf("still step %lld of %lld, %s is next\n", step, steps, expected);
}

void show_why(struct reply *reply, int *status)
{
    struct row_fields row;
    struct repeats repeats = {0};
    unsigned packets = 0;
    bool told = false;
    while (client_row(reply, &row, status)) {
        packets += strcmp(row.kind, "packets") == 0;
        if (strcmp(row.kind, "packets") != 0)
            print_repeats(&repeats);
        if (strcmp(row.kind, "packets") == 0)
            print_packet(&row, &repeats);
        else if (strcmp(row.kind, "refused") == 0)
            print_refusal(&row);
        else if (strcmp(row.kind, "effects") == 0)
            print_effect(&row);
        else if (strcmp(row.kind, "sources") == 0 && packets == 0 && !told) {
            puts(
                "none of the last 2048 packets is from this address; what the sources saw at all:");
            told = true;
        }
        if (told)
            show_source_row(&row);
    }
    print_repeats(&repeats);
}
