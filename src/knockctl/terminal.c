/* Asks what standard output is, and makes words stand out where people look at it. */
#include "knockctl/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { WIDTH_DEFAULT = 80 };

struct terminal terminal_of(FILE *out)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    bool live = isatty(fileno(out)) && term && *term && strcmp(term, "dumb") != 0;
    return (struct terminal){.live = live, .colours = live && !(no && *no)};
}

enum style terminal_style_of(const char *word)
{
    static const struct {
        const char *word;
        enum style style;
    } rows[] = {
        {"open", STYLE_GOOD},         {"opening", STYLE_CARE}, {"closing", STYLE_CARE},
        {"not-closed", STYLE_BAD},    {"shut", STYLE_FAINT},   {"opened", STYLE_GOOD},
        {"extended", STYLE_GOOD},     {"gone", STYLE_FAINT},   {"failed", STYLE_BAD},
        {"refused", STYLE_CARE},      {"step", STYLE_FAINT},   {"stalled", STYLE_CARE},
        {"good", STYLE_GOOD},         {"missing", STYLE_CARE}, {"wrong", STYLE_BAD},
        {"other server", STYLE_CARE}, {"expired", STYLE_CARE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strcmp(rows[i].word, word) == 0)
            return rows[i].style;
    return STYLE_PLAIN;
}

void terminal_style(const struct terminal *terminal, FILE *out, enum style style)
{
    static const char *const codes[] = {
        [STYLE_PLAIN] = "\033[0m", [STYLE_TITLE] = "\033[1m",  [STYLE_GOOD] = "\033[32m",
        [STYLE_CARE] = "\033[33m", [STYLE_BAD] = "\033[1;31m", [STYLE_FAINT] = "\033[2m"};
    if (terminal->colours)
        fputs(codes[style], out);
}

unsigned terminal_width(FILE *out)
{
    struct winsize size;
    bool told = ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return told ? size.ws_col : WIDTH_DEFAULT;
}
