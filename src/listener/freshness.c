/* Compares the time that a line states with the clock, and tells why a line isn't of now. */
#include "listener/freshness.h"

#define SECOND  INT64_C(1000000000)
#define QUARTER (900 * SECOND)

/* The farthest two zones are apart, and how exactly a line must be off by that to look so. */
enum { QUARTERS_MOST = 26 * 4 };
static const int64_t quarter_slack = 5 * SECOND;

/* A source that was heard before seems to change its zone only after so long. */
static const int64_t quarters_last = 60 * SECOND;

/* The offset in force at `wall`, in ns. */
static int64_t offset_at(const struct message_zone *zone, int64_t wall)
{
    int32_t seconds = wall < zone->from    ? zone->before
                      : wall < zone->until ? zone->offset
                                           : zone->after;
    return seconds * SECOND;
}

static int64_t magnitude(int64_t number)
{
    return number < 0 ? -number : number;
}

/*
 * The age of a time without a zone. It was written by an offset that was in force at that moment:
 * of the offsets for which that is so the one counts that makes the age the least, since the hour
 * that comes twice has two. The hour that is skipped has none, and no clock shows it: there the one
 * counts that makes the age the greatest.
 */
static int64_t local_age(const struct message_zone *zone, int64_t local, int64_t wall)
{
    const int32_t offsets[] = {zone->before, zone->offset, zone->after};
    int64_t least = INT64_MAX, greatest = 0;
    for (int i = 0; i < 3; i++) {
        int64_t written = local - offsets[i] * SECOND, age = wall - written;
        if (magnitude(age) >= magnitude(greatest))
            greatest = age;
        if (offset_at(zone, written) == offsets[i] * SECOND && magnitude(age) < magnitude(least))
            least = age;
    }
    return least == INT64_MAX ? greatest : least;
}

/* What a time with so many digits of a second leaves open, in ns. */
static int64_t grain(const struct timestamp *stamp)
{
    int64_t unit = SECOND;
    for (int i = 0; i < stamp->digits; i++)
        unit /= 10;
    return unit;
}

static enum stale_reason compare(const struct freshness_bound *bound, int64_t age, int64_t grain)
{
    int64_t ahead = bound->remote ? FRESHNESS_AHEAD : bound->max_age;
    if (age - grain > bound->max_age)
        return STALE_OLD;
    return age < -ahead ? STALE_FUTURE : STALE_NOT;
}

static int64_t age_of(const struct message_zone *zone, const struct timestamp *stamp, int64_t wall)
{
    return stamp->zone == TIMESTAMP_LOCAL ? local_age(zone, stamp->time, wall) : wall - stamp->time;
}

/*
 * Whether a line without a zone seems to be of now, but written in another one: all zones differ by
 * quarters of an hour. Old lines are off by any time, so a source that brought nothing but such
 * lines so far, or for a minute, is taken for one.
 */
static bool is_of_other_zone(struct freshness *freshness, const struct timestamp *stamp,
                             int64_t age, int64_t wall)
{
    int quarters = (int)((age + (age < 0 ? -QUARTER : QUARTER) / 2) / QUARTER);
    bool off = stamp->zone == TIMESTAMP_LOCAL && quarters != 0 &&
               magnitude(quarters) <= QUARTERS_MOST &&
               magnitude(age - quarters * QUARTER) <= quarter_slack;
    if (!off || quarters != freshness->quarters)
        freshness->quarters_since = wall;
    freshness->quarters = off ? quarters : 0;
    return off && (!freshness->heard || wall - freshness->quarters_since >= quarters_last);
}

enum stale_reason freshness_judge(struct freshness *freshness, const struct freshness_bound *bound,
                                  const struct message_zone *zone,
                                  const struct freshness_line *line, int64_t *age)
{
    struct timestamp stamp;
    *age = 0;
    if (bound->max_age == 0)
        return STALE_NOT;
    /* Nothing of the line before is used: each line is read as if it were the first. */
    int64_t today = line->wall + offset_at(zone, line->wall);
    switch (timestamp_read_date(today, line->format, line->text, line->len, &stamp)) {
    case TIMESTAMP_ABSENT:
        return bound->remote ? STALE_UNDATED : STALE_NOT;
    case TIMESTAMP_IMPOSSIBLE:
        return STALE_UNDATED;
    case TIMESTAMP_FOUND:
        break;
    }
    *age = age_of(zone, &stamp, line->wall);
    enum stale_reason reason = compare(bound, *age, grain(&stamp));
    if (reason == STALE_NOT) {
        freshness->heard = true;
        freshness->quarters = 0;
        return reason;
    }
    return is_of_other_zone(freshness, &stamp, *age, line->wall) ? STALE_ZONE : reason;
}
