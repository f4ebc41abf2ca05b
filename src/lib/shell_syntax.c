/* A command is read word by word. A word that names a shell, then its options with a `c` among
 * them, then the script: that one word is the shell's. */
#include "lib/shell_syntax.h"

#include <string.h>

/* Whether a shell would put something else in the place of the $ at `p`. */
static bool is_expanded(const char *p, const char *end)
{
    static const char after[] = "{(_@*#?$!-0123456789"
                                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    return p + 1 < end && strchr(after, p[1]);
}

static enum shell_finding syntax_of_part(const struct command_part *part)
{
    const char *end = part->text + part->len;
    for (const char *p = part->text; p < end && part->quote != '\''; p++)
        if (*p == '`' || (*p == '$' && is_expanded(p, end)))
            return SHELL_EXPANSION;
        else if (!part->quote && strchr(";&|<>", *p))
            return SHELL_OPERATOR;
    return SHELL_NOTHING;
}

static enum shell_finding syntax_of(struct command_word word)
{
    enum shell_finding finding = SHELL_NOTHING;
    struct command_part part;
    while (finding == SHELL_NOTHING && command_part_take(&word, &part))
        finding = syntax_of_part(&part);
    return finding;
}

/* Whether the script holds a value that a knock chooses. %% stands for a percent sign. */
static bool holds_placeholder(struct command_word word)
{
    static const char *const names[] = {"%IP%", "%PORT%", "%PROTO%", "%TIMEOUT%", "%KEY%"};
    const char *end = word.text + word.len;
    for (const char *p = word.text; p < end; p++) {
        size_t left = (size_t)(end - p);
        if (left >= 2 && p[0] == '%' && p[1] == '%') {
            p++;
            continue;
        }
        for (size_t i = 0; *p == '%' && i < sizeof(names) / sizeof(*names); i++)
            if (strlen(names[i]) <= left && memcmp(p, names[i], strlen(names[i])) == 0)
                return true;
    }
    return false;
}

static bool is_shell(struct command_word word)
{
    static const char *const names[] = {"sh", "bash", "dash", "ash", "ksh", "mksh", "zsh"};
    const char *name = word.text;
    for (const char *p = word.text; p < word.text + word.len; p++)
        if (*p == '/')
            name = p + 1;
    size_t len = (size_t)(word.text + word.len - name);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strlen(names[i]) == len && memcmp(name, names[i], len) == 0)
            return true;
    return false;
}

/* Where the words of a shell's call stand. */
enum place { ELSEWHERE, BEHIND_SHELL, AT_SCRIPT };

/* Reads an option of a shell, as in "bash -euo pipefail -c SCRIPT"; *argument: the next word is
 * that option's. */
static enum place place_behind_option(struct command_word word, enum place place, bool *argument)
{
    bool is_long = word.len > 1 && word.text[1] == '-';
    char last = word.text[word.len - 1];
    *argument = !is_long && (last == 'o' || last == 'O');
    return !is_long && memchr(word.text, 'c', word.len) ? AT_SCRIPT : place;
}

enum shell_finding shell_syntax_find(const char *command, struct command_word *word)
{
    enum place place = ELSEWHERE;
    bool argument = false;
    while (command_word_take(&command, word)) {
        bool option = place != ELSEWHERE && strchr("-+", *word->text);
        if (place == AT_SCRIPT && !option && !argument) {
            if (holds_placeholder(*word))
                return SHELL_PLACEHOLDER;
            place = ELSEWHERE;
            continue;
        }
        enum shell_finding finding = syntax_of(*word);
        if (finding != SHELL_NOTHING)
            return finding;
        if (argument)
            argument = false;
        else if (option)
            place = place_behind_option(*word, place, &argument);
        else
            place = is_shell(*word) ? BEHIND_SHELL : ELSEWHERE;
    }
    return SHELL_NOTHING;
}
