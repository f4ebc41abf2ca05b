/* Standard output as people see it: whether it is a terminal, and how words stand out there. */
#ifndef KNOCKCTL_TERMINAL_H
#define KNOCKCTL_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

struct terminal {
    bool live;    /* a line can be written over: it is a terminal, and not TERM=dumb */
    bool colours; /* and NO_COLOR isn't set */
};

enum style { STYLE_PLAIN, STYLE_TITLE, STYLE_GOOD, STYLE_CARE, STYLE_BAD, STYLE_FAINT };

/* By the environment: NO_COLOR, TERM. What isn't a terminal is neither. */
struct terminal terminal_of(FILE *out);

/* How the state of a door or a key stands out, or an event. */
enum style terminal_style_of(const char *word);

/* Begins that style; STYLE_PLAIN ends it. Nothing without colours. */
void terminal_style(const struct terminal *terminal, FILE *out, enum style style);

/* Characters in a line, 80 where the terminal doesn't say. */
unsigned terminal_width(FILE *out);

#endif
