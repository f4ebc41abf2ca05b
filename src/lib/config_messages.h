/* libconfuse's messages in words that tell an administrator what to do. */
#ifndef LIB_CONFIG_MESSAGES_H
#define LIB_CONFIG_MESSAGES_H

#include "lib/config_section.h"

/* What stopped libconfuse: `word` in the section of that kind and title, at that line of the text.
 */
struct config_messages {
    const struct config_text_out *text;
    const struct config_schema *schema;
    int line;
    unsigned kind;
    const char *title; /* NULL: none */
    const char *word;
};

/* Whether `format` is a message of libconfuse 3.3 that config_messages has better words for. */
bool config_messages_known(const char *format);

/* Writes what is wrong and what was expected to `out`, and returns where. */
struct config_pos config_messages(const struct config_messages *w, const char *format, char *out,
                                  size_t size);

/* Puts ? for what could steer a terminal, since texts of the file are repeated in messages. */
void config_printable(char *text);

#endif
