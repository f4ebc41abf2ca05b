/* Finds this host's offset from UTC, and when it changes, by the C library. */
#include "knockd/local_zone.h"

#define SECOND INT64_C(1000000000)

static int32_t offset_at(time_t moment)
{
    struct tm local;
    return localtime_r(&moment, &local) ? (int32_t)local.tm_gmtoff : 0;
}

/* The first second that has the offset of `to`, which isn't that of `from`. */
static time_t first_of(time_t from, time_t to)
{
    int32_t after = offset_at(to);
    while (to - from > 1) {
        time_t middle = from + (to - from) / 2;
        if (offset_at(middle) == after)
            to = middle;
        else
            from = middle;
    }
    return to;
}

struct message_zone local_zone(time_t now)
{
    const time_t day = LOCAL_ZONE_HOLDS, back = now - day, ahead = now + 2 * day;
    tzset();
    struct message_zone zone = {.from = INT64_MIN,
                                .until = INT64_MAX,
                                .before = offset_at(back),
                                .offset = offset_at(now),
                                .after = offset_at(ahead)};
    if (zone.before != zone.offset)
        zone.from = first_of(back, now) * SECOND;
    if (zone.after != zone.offset)
        zone.until = first_of(now, ahead) * SECOND;
    return zone;
}
