#include "listener/pattern.h"

#include <assert.h>

void line_pattern_set(struct line_pattern *pattern, const char *text, size_t len)
{
    pattern->len = 0;
    if (len < PATTERN_LEAST || len > PATTERN_MOST)
        return;
    pattern->len = (uint8_t)len;
    memcpy(pattern->low, text, len);
    memset(pattern->more, 0, len);
}

void line_pattern_loosen(struct line_pattern *pattern, size_t from, size_t to)
{
    assert(to <= pattern->len);
    for (size_t i = from; i < to; i++) {
        if (!is_digit((char)pattern->low[i]))
            continue;
        pattern->low[i] = '0';
        pattern->more[i] = 9;
    }
}
