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

static const char *text_of(const struct row_fields *row, const char *key)
{
    const char *text = row_get(row, key);
    return text ? text : "-";
}

/* How much of a sealed knock is there. What it says, and whether it is good, only the keeper knows.
 */
static void print_piece(const struct row_fields *row)
{
    long long pieces = number(row, "pieces"), needed = number(row, "pieces_needed");
    printf(": piece of a sealed knock, %lld of %lld", pieces < needed ? pieces : needed, needed);
    if (pieces > needed)
        printf(" and %lld to spare", pieces - needed);
    if (strcmp(text_of(row, "message"), "true") == 0)
        printf("; message handed over, see knockd's log");
}

/* A sealed knock that came whole. */
static void print_whole(const struct row_fields *row)
{
    printf(": a sealed knock in one packet; ");
    if (strcmp(text_of(row, "message"), "true") == 0)
        printf("handed over, see knockd's log");
    else
        printf("not handed over: the same again, or too many at once");
}

static void print_packet(const struct row_fields *row)
{
    char ago[TEXT_MAX];
    long long protocol = number(row, "protocol");
    printf("%s ago: ", text_seconds(number(row, "ago"), ago));
    if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
        printf("%lld:%s", number(row, "port"), protocol == IPPROTO_TCP ? "tcp" : "udp");
    else
        printf("protocol %lld", protocol);
    printf(" to %s, source %s", text_of(row, "to"), text_of(row, "source"));
    if (row_get(row, "ignored"))
        printf(": ignored, %s", row_get(row, "ignored"));
    if (number(row, "pieces_needed") == 1)
        print_whole(row);
    else if (number(row, "pieces") > 0)
        print_piece(row);
    putchar('\n');
}

static void print_refusal(const struct row_fields *row)
{
    char ago[TEXT_MAX];
    long long ahead = number(row, "clock_ahead"), count = number(row, "count");
    printf("%s ago: sealed knock refused: %s", text_seconds(number(row, "ago"), ago),
           text_of(row, "reason"));
    if (ahead != 0)
        printf(": its clock is %lld s %s", ahead < 0 ? -ahead : ahead,
               ahead < 0 ? "behind" : "ahead");
    if (count > 1)
        printf("; the last of %lld that were refused", count);
    putchar('\n');
}

static void print_effect(const struct row_fields *row)
{
    const char *result = text_of(row, "result"), *expected = text_of(row, "expected");
    long long step = number(row, "step"), steps = number(row, "steps");
    printf("  door %s: ", text_of(row, "door"));
    if (strcmp(result, "complete") == 0)
        puts("the sequence is complete");
    else if (strcmp(result, "refused") == 0)
        puts("complete, but refused: the address isn't in the door's list of allowed networks");
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
    unsigned packets = 0;
    bool told = false;
    while (client_row(reply, &row, status)) {
        packets += strcmp(row.kind, "packets") == 0;
        if (strcmp(row.kind, "packets") == 0)
            print_packet(&row);
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
}
