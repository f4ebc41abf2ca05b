/* What the parts of the conversion share: a door on its way, and how the output is written. */
#ifndef KNOCKCTL_IMPORT_DOOR_H
#define KNOCKCTL_IMPORT_DOOR_H

#include "knockctl/import_convert.h"
#include "lib/sequence.h"

enum { IMPORT_SHOWN_SIZE = 808 };

enum import_command_kind {
    IMPORT_START,
    IMPORT_STOP,
    IMPORT_START_6,
    IMPORT_STOP_6,
    IMPORT_COMMANDS
};

struct import_door {
    const struct ini_section *ini;
    char name[64];
    char why[256 + IMPORT_SHOWN_SIZE]; /* it is left out: why; else empty */
    int why_line;
    struct sequence sequence; /* none: of one-time sequences */
    struct import_command commands[IMPORT_COMMANDS];
    struct import_rule rule; /* in place of the commands, if it has a text */
    bool rule_6;             /* that is meant for IPv6 as well */
    bool only_ip4;           /* IPv6 opened nothing */
    bool closed;             /* another door closes it, and nothing else does */
    bool *closes;            /* by the number of a door: whether this one closes it; NULL: none */
    bool closes_alone;       /* those have an undo of their own, so this one runs nothing */
};

struct import {
    const struct import_setting *setting;
    FILE *out, *errors;
    const char *indent; /* of comments */
    struct import_result *result;
    struct import_door *doors;
    unsigned door_count;
    unsigned sleeps; /* seconds: the longest that a command sleeps */
    bool quiet;      /* a trial: no comment is written */
    bool no_memory;
};

/* Reads what decides whether the door can be had: its sequence and its commands. False when memory
 * is short. */
bool import_door_read(struct import *im, struct import_door *door);

/* Finds out which doors close which. */
void import_doors_pair(struct import *im);

/* Writes the door; or sets its `why`. */
void import_door_put(struct import *im, struct import_door *door);
void import_door_free(struct import_door *door);

/* --- the output --- */

/* Writes the text as comments, wrapped at blanks. */
void import_comment(FILE *out, const char *indent, const char *text);

/* Comments: of what needs a look (line 0: none in particular), and of what is left out. */
void import_look(struct import *im, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void import_lose(struct import *im, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A text of the file for comments: encoded, and not too long. */
const char *import_shown(const char *text, char out[IMPORT_SHOWN_SIZE]);

/* The text as a value of ours, in quotes. */
void import_value(FILE *out, const char *text);

/* The value without a comment behind it and quotes around it, which are told of. To be freed; NULL
 * when memory is short. */
char *import_clean(struct import *im, const struct ini_value *value, enum ini_key key);

#endif
