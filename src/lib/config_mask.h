/*
 * Keeps secrets from libconfuse, whose reader leaves pieces of the text behind in memory that it
 * frees. Words that may be a secret are covered by a one-time pad before, into words of the same
 * length and letters, and uncovered in our own copy of the value. Pure.
 */
#ifndef LIB_CONFIG_MASK_H
#define LIB_CONFIG_MASK_H

#include <stdint.h>

enum { CONFIG_MASK_MIN = 16, CONFIG_MASK_MAX = 256 };

/* Random bytes; the caller wipes them. */
struct config_mask {
    uint8_t pad[CONFIG_MASK_MAX];
};

/*
 * Covers, in a text of the cleaner, each quoted word of CONFIG_MASK_MIN to CONFIG_MASK_MAX letters
 * and digits alone. Returns the place of the first escape that stands for a letter or digit, where
 * it stops, since it would come out as a word that looks covered; NULL if there is none.
 */
const char *config_mask_text(const struct config_mask *mask, char *text);

/* Uncovers a value that was such a word; leaves others as they are. */
void config_mask_value(const struct config_mask *mask, char *value);

#endif
