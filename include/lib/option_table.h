/* A row of a program's table of options: getopt, the help, and shell completion are made of it. */
#ifndef LIB_OPTION_TABLE_H
#define LIB_OPTION_TABLE_H

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>

/* From here on, `letter` is only a number: the option has no short form. */
enum { OPTION_LONG_ONLY = 256 };

/*
 * `argument` also says what shells complete it by: FILE, FOLDER, DOOR, KEY, PROFILE, HOST and
 * INTERFACE, "a|b|c" by these words, others by nothing.
 */
struct option_row {
    const char *name;     /* of the long form */
    int letter;           /* of the short form, and what getopt_long returns */
    const char *argument; /* NULL: it takes none */
    const char *help;
    bool rare; /* the help only names it */
};

/* What getopt_long reads: the long form is returned, the short one added to `letters`, which has
 * room for two more characters. */
struct option option_getopt(const struct option_row *row, char *letters);

/*
 * Says on standard error, in one line, why getopt_long returned '?' or ':', which is `returned`,
 * of argv[optind - 1]: there is no such option, and which one may be meant; or what it lacks. Its
 * letters must begin with ':', and opterr be 0. `row`: the rows, NULL behind the last.
 */
void option_say_wrong(const char *program, int returned, const char *given,
                      const struct option_row *row(unsigned number));

/* Prints "  -c, --config FILE    what it does", the latter from column `column` on. */
void option_print(FILE *out, const struct option_row *row, int column);

#endif
