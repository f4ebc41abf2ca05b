#include "listener/log_clock.h"

#include "listener/scan.h"

static void advance(struct log_clock *clock, enum log_format format, const char *line, size_t len)
{
    struct stamp stamp;
    if (!stamp_read(&clock->stamps, format, line, len, &stamp))
        return;
    if (clock->now.zone == STAMP_NONE || stamp.time >= clock->now.time)
        clock->now = stamp;
}

/*
 * A line that stamp_read knows by its day fits if it has the same day, zone and number of digits:
 * of two such lines the one whose text is greater is later.
 */
static void learn(struct log_clock *clock, const char *line, size_t len)
{
    size_t start = clock->stamps.head_len, end = start;
    const char *blank = start > 0 ? memchr(line + start, ' ', len - start) : NULL;
    clock->alike.len = 0;
    if (!blank || blank - line >= LOG_CLOCK_TEXT || len < LOG_CLOCK_TEXT)
        return;
    pattern_set(&clock->alike, line, (size_t)(blank + 1 - line));
    while (is_digit(line[end]) || line[end] == ':' || line[end] == '.')
        end++;
    if (clock->alike.len == 0)
        return;
    pattern_loosen(&clock->alike, start, end);
    memcpy(clock->latest, line, LOG_CLOCK_TEXT);
}

void log_clock_pass(struct log_clock *clock, enum log_format format, const char *line, size_t len)
{
    if (len >= LOG_CLOCK_TEXT && pattern_fits(&clock->alike, line, len)) {
        if (memcmp(line, clock->latest, clock->alike.len) > 0) {
            memcpy(clock->latest, line, LOG_CLOCK_TEXT);
            clock->unread = true;
        }
        return;
    }
    log_clock_now(clock);
    advance(clock, format, line, len);
    clock->format = format;
    learn(clock, line, len);
}

const struct stamp *log_clock_now(struct log_clock *clock)
{
    if (clock->unread)
        advance(clock, clock->format, clock->latest, clock->alike.len);
    clock->unread = false;
    return &clock->now;
}
