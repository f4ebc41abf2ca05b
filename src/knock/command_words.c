/* Splits address_command as knockd splits its commands. */
#include "knock/command_words.h"

#include <stdbool.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

/* Copies one word from *in to *out. False if a quote isn't closed. */
static bool copy_word(const char **in, char **out)
{
    while (**in != '\0' && !strchr(blanks, **in)) {
        char quote = **in == '\'' || **in == '"' ? *(*in)++ : '\0';
        const char ends[] = {quote, '\0'};
        size_t len = strcspn(*in, quote ? ends : " \t\r\n'\"");
        memcpy(*out, *in, len);
        *out += len;
        *in += len;
        if (quote && *(*in)++ != quote)
            return false;
    }
    *(*out)++ = '\0';
    return true;
}

const char *command_words_split(const char *command, struct command_words *out)
{
    char *text = out->text;
    unsigned count = 0;
    if (strlen(command) >= sizeof(out->text))
        return "the command is too long";
    for (const char *in = command + strspn(command, blanks); *in; in += strspn(in, blanks)) {
        if (count == COMMAND_WORDS_MAX)
            return "the command has too many words";
        out->words[count++] = text;
        if (!copy_word(&in, &text))
            return "a quote isn't closed";
    }
    out->words[count] = NULL;
    return count > 0 ? NULL : "the command is empty";
}
