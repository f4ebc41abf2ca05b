#include "lib/config_mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

static const char letters[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
enum { LETTERS = sizeof(letters) - 1 };

static bool is_covered(const char *word, size_t len)
{
    return len >= CONFIG_MASK_MIN && len <= CONFIG_MASK_MAX && strspn(word, letters) >= len;
}

/* Moves each letter on by the pad's number, or back: it stays one of them. */
static void turn(const struct config_mask *mask, char *word, size_t len, bool back)
{
    for (size_t i = 0; i < len; i++) {
        unsigned step = mask->pad[i] % LETTERS;
        size_t place = (size_t)(strchr(letters, word[i]) - letters);
        word[i] = letters[(place + (back ? LETTERS - step : step)) % LETTERS];
    }
}

const char *config_mask_text(const struct config_mask *mask, char *text)
{
    for (char *p = strpbrk(text, "\"'"); p; p = strpbrk(p, "\"'")) {
        char quote = *p++, *word = p;
        while (*p && *p != quote) {
            if (*p == '\\' && isalnum((unsigned char)p[1]))
                return p;
            p += *p == '\\' && p[1] ? 2 : 1;
        }
        size_t len = (size_t)(p - word);
        if (is_covered(word, len))
            turn(mask, word, len, false);
        p += *p != '\0';
    }
    return NULL;
}

void config_mask_value(const struct config_mask *mask, char *value)
{
    size_t len = strlen(value);
    if (is_covered(value, len))
        turn(mask, value, len, true);
}
