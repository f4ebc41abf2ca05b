#include "listener/log_clock.h"

#include "listener/calendar.h"
#include "listener/scan.h"

/* By how much a line may be late; one that is by more shows another clock. */
static const int64_t late = 60 * CALENDAR_SECOND;

/* To somewhere that nobody knows how far away it is. */
static void step_back(struct log_clock *clock, const struct timestamp *to)
{
    clock->steps++;
    clock->boots += to->zone == TIMESTAMP_BOOT;
}

/* A jump of years is nobody's timeout; junk may hold any number of them. */
static void go_on(struct log_clock *clock, int64_t step)
{
    const int64_t year = 366 * CALENDAR_DAY;
    clock->elapsed += step < year ? step : year;
    if (clock->elapsed > INT64_MAX / 2)
        clock->elapsed = INT64_MAX / 2;
}

/* False when the line is late, or has no time. */
static bool advance(struct log_clock *clock, enum log_format format, const char *line, size_t len)
{
    struct timestamp timestamp;
    if (!timestamp_read(&clock->timestamps, format, line, len, &timestamp))
        return false;
    if (clock->now.zone != TIMESTAMP_NONE) {
        bool other = (timestamp.zone == TIMESTAMP_BOOT) != (clock->now.zone == TIMESTAMP_BOOT);
        int64_t step = timestamp.time - clock->now.time;
        if (step < 0 && step >= -late && !other)
            return false;
        if (step < 0 || other)
            step_back(clock, &timestamp);
        else
            go_on(clock, step);
    }
    clock->now = timestamp;
    return true;
}

/*
 * A line that timestamp_read knows by its day fits if it has the same day, zone and number of
 * digits: of two such lines the one whose text is greater is later.
 */
static void learn(struct log_clock *clock, const char *line, size_t len)
{
    size_t start = clock->timestamps.head_len, end = start;
    const char *blank = start > 0 ? memchr(line + start, ' ', len - start) : NULL;
    clock->alike.len = 0;
    if (!blank || blank - line >= LOG_CLOCK_TEXT || len < LOG_CLOCK_TEXT)
        return;
    line_pattern_set(&clock->alike, line, (size_t)(blank + 1 - line));
    while (is_digit(line[end]) || line[end] == ':' || line[end] == '.')
        end++;
    if (clock->alike.len == 0)
        return;
    line_pattern_loosen(&clock->alike, start, end);
    memcpy(clock->latest, line, LOG_CLOCK_TEXT);
}

void log_clock_pass(struct log_clock *clock, enum log_format format, const char *line, size_t len)
{
    bool fits = len >= LOG_CLOCK_TEXT && line_pattern_fits(&clock->alike, line, len);
    int order = fits ? memcmp(line, clock->latest, clock->alike.len) : -1;
    if (order > 0) {
        memcpy(clock->latest, line, LOG_CLOCK_TEXT);
        clock->unread = true;
    }
    if (order >= 0)
        return;
    log_clock_now(clock);
    if (advance(clock, format, line, len) || !fits) {
        clock->format = format;
        learn(clock, line, len);
    }
}

static bool may_be_dmesg(enum log_format format, const char *line, size_t len)
{
    return len > 0 &&
           (format == LOG_KMSG || *line == '[' || *line == '<' || (*line >= 'a' && *line <= 'z'));
}

void log_clock_pass_other(struct log_clock *clock, enum log_format format, const char *line,
                          size_t len)
{
    if (!may_be_dmesg(format, line, len))
        return;
    log_clock_now(clock);
    advance(clock, format, line, len);
    clock->alike.len = 0;
}

const struct timestamp *log_clock_now(struct log_clock *clock)
{
    if (clock->unread)
        advance(clock, clock->format, clock->latest, clock->alike.len);
    clock->unread = false;
    return &clock->now;
}

int64_t log_clock_elapsed(struct log_clock *clock)
{
    log_clock_now(clock);
    return clock->elapsed;
}

void log_clock_settle(struct log_clock *clock)
{
    log_clock_now(clock);
    if (clock->timestamps.settled)
        return;
    timestamps_settle(&clock->timestamps);
    timestamps_redate(&clock->timestamps, &clock->now);
    clock->alike.len = 0;
}
