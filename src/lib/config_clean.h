/* What the two halves of the cleaner (config_text.h) share: tokens here, files and includes there.
 */
#ifndef LIB_CONFIG_CLEAN_H
#define LIB_CONFIG_CLEAN_H

#include "lib/config_text.h"

enum { CLEAN_BRACES_MAX = 16 };

/* A file that is being read, on top of the one that included it. */
struct clean_frame {
    const struct clean_frame *up;
    const char *name;
    char *data;
    const char *p, *end;
    unsigned long device, inode;
    int line;
    unsigned depth;
};

struct cleaner {
    struct config_text_out *out;
    struct report *report;
    bool includes;     /* the word include is more than a word */
    char last, before; /* the last two tokens: a punctuation mark, or 'w' for a word */
    size_t solid;      /* the text's length and lines at the end of the last token */
    size_t solid_lines;
    struct config_pos braces[CLEAN_BRACES_MAX];
    unsigned open;
};

/* Reads the token at the frame's place into the text. False: an error, told already. */
bool clean_token(struct cleaner *c, struct clean_frame *f);

/* Reads ("FILE") behind the word include, then that file. False: an error, told already. */
bool config_include(struct cleaner *c, struct clean_frame *f);

/* Begins a line of the text that stands where the frame is. False: no memory, told already. */
bool clean_newline(struct cleaner *c, const struct clean_frame *f);

/* Whether `text` comes next. */
bool clean_at(const struct clean_frame *f, const char *text);

struct config_pos clean_pos(const struct clean_frame *f);

#endif
