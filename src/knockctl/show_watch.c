/* knockctl watch, in words */
#include <string.h>

#include "knockctl/show.h"
#include "knockctl/table.h"
#include "lib/log.h"

static void print_part(const struct row_fields *row, const char *key, const char *before,
                       const char *after)
{
    char safe[ROW_MAX];
    const char *text = row_get(row, key);
    if (!text)
        return;
    log_encode(text, strlen(text), safe, sizeof(safe));
    printf("%s%s%s", before, safe, after);
}

static void print_event(const struct row_fields *row)
{
    char text[TEXT_MAX];
    fputs(text_time((long long)row_get_number(row, "time"), text), stdout);
    print_part(row, "door", " door ", ":");
    print_part(row, "source", " source ", ":");
    print_part(row, "event", " ", "");
    print_part(row, "address", " for ", "");
    print_part(row, "by", " by ", "");
    print_part(row, "port", ", port ", "");
    print_part(row, "seconds", ", closes in ", " s");
    print_part(row, "step", ", step ", "");
    print_part(row, "steps", " of ", "");
    print_part(row, "instead", ", then ", "");
    print_part(row, "number", ", ", "");
    print_part(row, "why", ": ", "");
    putchar('\n');
}

void show_watch(struct reply *reply, int *status)
{
    struct row_fields row;
    while (!ferror(stdout) && client_row(reply, &row, status)) {
        if (strcmp(row.kind, "lost") == 0)
            printf("(%lld events left out)\n", (long long)row_get_number(&row, "rows"));
        else
            print_event(&row);
        fflush(stdout);
    }
}
