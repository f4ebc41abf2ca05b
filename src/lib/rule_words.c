/* Splits a rule that iptables-save(8) printed into its words. */
#include "lib/rule_words.h"

#include <stdlib.h>
#include <string.h>

bool rule_words_split(const char *line, size_t len, struct rule_words *out)
{
    out->count = 0;
    out->text = strndup(line, len);
    if (!out->text)
        return false;
    char *from = out->text, *to = out->text;
    while (out->count < RULE_WORDS_MAX) {
        from += strspn(from, " \t");
        if (*from == '\0')
            break;
        out->words[out->count++] = to;
        for (bool quoted = false; *from && (quoted || !strchr(" \t", *from)); from++) {
            if (*from == '"') {
                quoted = !quoted;
                continue;
            }
            from += *from == '\\' && from[1] != '\0';
            *to++ = *from;
        }
        from += *from != '\0';
        *to++ = '\0';
    }
    out->words[out->count] = NULL;
    return true;
}
