/* A command is taken apart into words, and a word into its parts. */
#include "lib/command_words.h"

#include <string.h>

static const char blanks[] = " \t\r\n";

static bool is_quote(char c)
{
    return c == '\'' || c == '"';
}

bool command_word_take(const char **command, struct command_word *out)
{
    const char *p = *command + strspn(*command, blanks);
    out->text = p;
    for (char quote = '\0'; *p && (quote || !strchr(blanks, *p)); p++)
        if (quote ? *p == quote : is_quote(*p))
            quote = quote ? '\0' : *p;
    out->len = (size_t)(p - out->text);
    *command = p;
    return out->len > 0;
}

bool command_part_take(struct command_word *word, struct command_part *out)
{
    const char *p = word->text, *end = word->text + word->len;
    if (p == end)
        return false;
    *out = (struct command_part){.quote = is_quote(*p) ? *p++ : '\0'};
    out->text = p;
    while (p < end && (out->quote ? *p != out->quote : !is_quote(*p)))
        p++;
    out->len = (size_t)(p - out->text);
    out->open = out->quote && p == end;
    if (out->quote && !out->open)
        p++;
    *word = (struct command_word){p, (size_t)(end - p)};
    return true;
}

const char *command_base_name(const char *program)
{
    const char *slash = strrchr(program, '/');
    return slash ? slash + 1 : program;
}

bool command_is_number(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return len > 0;
}

/* Copies one word to *out, and moves it behind that. The quote that isn't closed; 0: none. */
static char copy_word(struct command_word word, char **out)
{
    struct command_part part;
    while (command_part_take(&word, &part)) {
        memcpy(*out, part.text, part.len);
        *out += part.len;
        if (part.open)
            return part.quote;
    }
    *(*out)++ = '\0';
    return '\0';
}

const char *command_words_split(const char *command, struct command_words *out)
{
    struct command_word word;
    char *text = out->text;
    unsigned count = 0;
    if (strlen(command) >= sizeof(out->text))
        return "the command is too long";
    while (command_word_take(&command, &word)) {
        if (count == COMMAND_WORDS_MAX)
            return "the command has too many words";
        out->words[count++] = text;
        char open = copy_word(word, &text);
        if (open)
            return open == '"' ? "the quote \" isn't closed" : "the quote ' isn't closed";
    }
    out->words[count] = NULL;
    return count > 0 && out->words[0][0] != '\0' ? NULL : "the command is empty";
}
