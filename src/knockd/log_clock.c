/* Follows the times of a log's lines, which come late, and of clocks that step back. */
#include "knockd/log_clock.h"

#include "lib/clock.h"

/* By how much a line may be late; one that is by more shows another clock. */
static const int64_t late = 60 * CLOCK_SECOND;

/* How much time went by since the line before isn't known then. */
static void step_back(struct log_clock *clock, const struct timestamp *to)
{
    clock->steps++;
    clock->boots += to->zone == TIMESTAMP_BOOT;
}

/* No timeout is longer than a year, and junk may hold any number of such steps. */
static void go_on(struct log_clock *clock, int64_t step)
{
    const int64_t year = 366 * 86400 * CLOCK_SECOND;
    clock->elapsed += step < year ? step : year;
    if (clock->elapsed > INT64_MAX / 2)
        clock->elapsed = INT64_MAX / 2;
}

void log_clock_follow(struct log_clock *clock, const struct timestamp *timestamp)
{
    if (timestamp->zone == TIMESTAMP_NONE)
        return;
    if (clock->now.zone != TIMESTAMP_NONE) {
        bool other = (timestamp->zone == TIMESTAMP_BOOT) != (clock->now.zone == TIMESTAMP_BOOT);
        int64_t step = timestamp->time - clock->now.time;
        if (step < 0 && step >= -late && !other)
            return;
        if (step < 0 || other)
            step_back(clock, timestamp);
        else
            go_on(clock, step);
    }
    clock->now = *timestamp;
}

void log_clock_pass(struct log_clock *clock, enum log_format format, const char *line, size_t len)
{
    struct timestamp timestamp;
    if (timestamp_read(&clock->timestamps, format, line, len, &timestamp))
        log_clock_follow(clock, &timestamp);
}

static bool may_be_dmesg(enum log_format format, const char *line, size_t len)
{
    return len > 0 &&
           (format == LOG_KMSG || *line == '[' || *line == '<' || (*line >= 'a' && *line <= 'z'));
}

void log_clock_pass_other(struct log_clock *clock, enum log_format format, const char *line,
                          size_t len)
{
    if (may_be_dmesg(format, line, len))
        log_clock_pass(clock, format, line, len);
}

void log_clock_settle(struct log_clock *clock)
{
    if (clock->timestamps.settled)
        return;
    timestamps_settle(&clock->timestamps);
    timestamps_redate(&clock->timestamps, &clock->now);
}
