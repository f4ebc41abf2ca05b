/* The client's command line: its options, and which of its forms was meant. */
#ifndef KNOCK_OPTIONS_H
#define KNOCK_OPTIONS_H

#include "knock/profile.h"
#include "lib/option_table.h"

/* Bits, since most options are good for several. */
enum knock_form {
    FORM_PORTS = 1,   /* HOST PORT... [-- COMMAND...] */
    FORM_PROFILE = 2, /* NAME [-- COMMAND...] */
    FORM_KEY = 4,     /* -k FILE HOST DOOR [-- COMMAND...] */
    FORM_PROXY = 8,   /* --proxy NAME HOST PORT */
    FORM_LIST = 16,   /* --list */
    FORM_SEALED = FORM_PROFILE | FORM_KEY | FORM_PROXY,
    FORM_KNOCK = FORM_PORTS | FORM_SEALED,
    FORM_ANY = FORM_KNOCK | FORM_LIST,
};

enum { OPTION_VALUES_MAX = 32, OPTION_WORDS_MAX = 2, DELAY_DEFAULT = 20 };

struct options {
    enum knock_form form;
    int family;
    uint8_t proto; /* of ports that are given without one */
    unsigned delay_ms;
    bool verbose, dry_run, close, always;
    bool waits;         /* -p was given */
    const char *config; /* NULL: the usual file */
    struct profile_value values[OPTION_VALUES_MAX + OPTION_WORDS_MAX];
    unsigned value_count;
    char **words; /* arguments of the form */
    unsigned word_count;
    char **command; /* NULL: none; ends with NULL */
};

/* What to do after the options were read. */
enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };

/* Reads the command line. OPTIONS_WRONG: reported already, with the usage. `argv` is put into
 * another order. */
enum options_result options_read(int argc, char **argv, struct options *out);

/* The row of an option; NULL behind the last. */
const struct option_row *knock_option(unsigned number);

/* Reports what is wrong with the arguments, with the usage. Returns OPTIONS_WRONG. */
enum options_result options_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
