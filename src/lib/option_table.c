/* Makes what getopt_long reads, lines of the help, and what is wrong with an option, of the rows of
 * a table of options. */
#include "lib/option_table.h"

#include <string.h>

#include "lib/nearest.h"

struct option option_getopt(const struct option_row *row, char *letters)
{
    char text[] = {(char)row->letter, row->argument ? ':' : '\0', '\0'};
    if (row->letter < OPTION_LONG_ONLY)
        strcat(letters, text);
    return (struct option){row->name, row->argument ? required_argument : no_argument, NULL,
                           row->letter};
}

void option_print(FILE *out, const struct option_row *row, int column)
{
    char letter[] = "-x,", left[80];
    letter[1] = (char)row->letter;
    snprintf(left, sizeof(left), "%3s --%s %s", row->letter < OPTION_LONG_ONLY ? letter : "",
             row->name, row->argument ? row->argument : "");
    fprintf(out, "  %-*s %s\n", column - 3, left, row->help);
}

typedef const struct option_row *option_rows(unsigned number);

static const struct option_row *row_of(int letter, option_rows *row)
{
    unsigned i = 0;
    while (row(i) && row(i)->letter != letter)
        i++;
    return row(i);
}

/* A long form that is none, or the beginning of several. */
static void say_unknown(const char *program, const char *given, option_rows *row)
{
    char name[64];
    int len = (int)strcspn(given, "=");
    unsigned begun = 0;
    snprintf(name, sizeof(name), "%.*s", len, given);
    struct nearest nearest = nearest_to(name);
    for (unsigned i = 0; row(i); i++) {
        begun += strncmp(row(i)->name, name, strlen(name)) == 0;
        nearest_compare(&nearest, row(i)->name);
    }
    fprintf(stderr, "%s: ", program);
    if (begun > 1)
        fprintf(stderr, "%d options begin with --%.*s: write it out", (int)begun, len, given);
    else if (nearest.found)
        fprintf(stderr, "no such option: --%.*s; did you mean --%s?", len, given, nearest.found);
    else
        fprintf(stderr, "no such option: --%.*s; see %s --help", len, given, program);
    fputc('\n', stderr);
}

void option_say_wrong(const char *program, int returned, const char *given,
                      const struct option_row *row(unsigned number))
{
    const struct option_row *known = row_of(optopt, row);
    if (returned == ':' && known)
        fprintf(stderr, "%s: --%s lacks its argument: --%s %s\n", program, known->name, known->name,
                known->argument);
    else if (optopt == 0)
        say_unknown(program, given + 2, row);
    else if (known)
        fprintf(stderr, "%s: --%s takes no argument\n", program, known->name);
    else
        fprintf(stderr, "%s: no such option: -%c; see %s --help\n", program, optopt, program);
}
