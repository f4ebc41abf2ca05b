#include "listener/stamp.h"

#include <stdio.h>
#include <string.h>

#include "listener/calendar.h"
#include "listener/envelope.h"
#include "listener/scan.h"

static const int64_t second = CALENDAR_SECOND;

/* --- the clock and the zone, which every line is read for --- */

/* Numbers of fixed width; anything but digits makes the result negative. */
static int digits2(const char *p)
{
    return is_digit(p[0]) && is_digit(p[1]) ? 10 * (p[0] - '0') + p[1] - '0' : -1;
}

static int digits4(const char *p)
{
    int high = digits2(p), low = digits2(p + 2);
    return high < 0 || low < 0 ? -1 : 100 * high + low;
}

/* Up to nine digits, one by one. */
static const char *slow_digits(const char *p, const char *end, int64_t *value, unsigned *count)
{
    for (*value = *count = 0; p < end && *count < 9 && is_digit(*p); p++, ++*count)
        *value = *value * 10 + (*p - '0');
    return p;
}

/* Digits behind a decimal point as ns; those after the ninth don't count. Six is what there is
 * nearly always: two, two and two, then all. */
static inline const char *fraction(const char *p, const char *end, struct stamp *out)
{
    static const int64_t units[] = {1000000000, 100000000, 10000000, 1000000, 100000,
                                    10000,      1000,      100,      10,      1};
    int64_t value;
    unsigned count = 6;
    uint64_t bytes = end - p < 8 ? UINT64_MAX : scan_load8(p) ^ SCAN_ZEROS;
    if ((scan_others(bytes) & 0x0080ffffffffffff) == 0x0080000000000000) {
        bytes = bytes * 10 + (bytes >> 8);
        value =
            (int64_t)((bytes & 0xff) * 10000 + (bytes >> 16 & 0xff) * 100 + (bytes >> 32 & 0xff));
        p += 6;
    } else {
        p = slow_digits(p, end, &value, &count);
    }
    while (p < end && is_digit(*p))
        p++;
    out->digits = (uint8_t)count;
    out->time += value * units[count];
    return p;
}

/* "14:28:52", perhaps with a fraction. */
static inline const char *clock_time(const char *p, const char *end, struct stamp *out)
{
    if (end - p < 8)
        return NULL;
    uint64_t bytes = scan_load8(p) ^ 0x30303a30303a3030; /* "00:00:00" */
    if ((bytes & 0x0000ff0000ff0000) || scan_others(bytes))
        return NULL;
    bytes = bytes * 10 + (bytes >> 8);
    int hours = bytes & 0xff, minutes = bytes >> 24 & 0xff, seconds = bytes >> 48 & 0xff;
    out->time = (hours * 3600 + minutes * 60 + seconds) * second;
    out->digits = 0;
    p += 8;
    return p < end && *p == '.' ? fraction(p + 1, end, out) : p;
}

/* "Z", "+00:00" or "+0000". */
static inline bool zone(const char *p, const char *end, struct stamp *out)
{
    if (p < end && *p == 'Z') {
        out->zone = STAMP_UTC;
        return true;
    }
    if (end - p < 5 || (*p != '+' && *p != '-'))
        return false;
    const char *behind = p[3] == ':' ? p + 4 : p + 3;
    int hours = digits2(p + 1), minutes = end - behind < 2 ? -1 : digits2(behind);
    if ((hours | minutes) < 0)
        return false;
    out->zone = STAMP_OFFSET;
    out->offset = (int16_t)(*p == '-' ? -(60 * hours + minutes) : 60 * hours + minutes);
    out->time -= out->offset * 60 * second;
    return true;
}

/* What follows the date in a line of the day that stamps->midnight begins. */
static bool rest(const struct stamps *stamps, const char *p, const char *end, struct stamp *out)
{
    struct stamp read = {.zone = STAMP_LOCAL};
    p = clock_time(p, end, &read);
    if (!p || (stamps->iso && !zone(p, end, &read)))
        return false;
    /* One by one: a copy of the whole would wait for its parts, just written, to reach the cache.
     */
    out->time = read.time + stamps->midnight;
    out->offset = read.offset;
    out->zone = read.zone;
    out->digits = read.digits;
    return true;
}

/* --- the date --- */

static int64_t in_year(const struct stamp_date *date, int year)
{
    return calendar_midnight(year, date->month, date->day) + date->clock;
}

static int month_number(const char *name)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    for (int i = 0; i < 12; i++)
        if (memcmp(name, names + (ptrdiff_t)3 * i, 3) == 0)
            return i + 1;
    return 0;
}

/* "Nov 23 " or "Nov  3 ". */
static bool month_and_day(const char *p, const char *end, struct stamp_date *out)
{
    if (end - p < 7)
        return false;
    out->month = month_number(p);
    out->day = p[4] == ' ' && is_digit(p[5]) ? p[5] - '0' : digits2(p + 4);
    return out->month > 0 && out->day > 0;
}

/* The latest year in which the date exists and isn't in the future. */
static int latest_year(const struct stamp_date *date, int64_t today)
{
    int year = calendar_year(today + CALENDAR_DAY);
    while (year > 1970 && (!calendar_exists(year, date->month, date->day) ||
                           in_year(date, year) > today + CALENDAR_DAY))
        year--;
    return year;
}

static int first_year(const struct stamps *stamps, const struct stamp_date *first)
{
    const struct stamp_date *last = &stamps->last;
    if (last->month == 0)
        return latest_year(first, stamps->today);
    int year = latest_year(last, stamps->today);
    bool before = in_year(first, year) > in_year(last, year) + CALENDAR_DAY;
    return before ? year - 1 : year;
}

/* The year of the next date that names none. */
static int next_year(struct stamps *stamps, const struct stamp_date *date)
{
    if (stamps->year == 0)
        stamps->year = first_year(stamps, date);
    else if (stamps->month == 12 && date->month == 1)
        stamps->year++;
    else if (stamps->month == 1 && date->month == 12)
        stamps->year--;
    stamps->month = date->month;
    return stamps->year;
}

/* What comes before the clock decides about all lines that begin the same. */
static void remember(struct stamps *stamps, const char *line, const char *clock)
{
    size_t len = (size_t)(clock - line);
    if (len <= sizeof(stamps->head)) {
        memcpy(stamps->head, line, len);
        stamps->head_len = (uint8_t)len;
    }
}

static bool iso(struct stamps *stamps, const char *line, const char *p, const char *end,
                struct stamp *out)
{
    if (end - p < 11)
        return false;
    int year = digits4(p), month = digits2(p + 5), day = digits2(p + 8);
    if (!calendar_exists(year, month, day))
        return false;
    stamps->iso = true;
    stamps->midnight = calendar_midnight(year, month, day);
    remember(stamps, line, p + 11);
    return rest(stamps, p + 11, end, out);
}

/* "Nov 23 14:28:52" */
static bool yearless(struct stamps *stamps, const char *line, const char *p, const char *end,
                     struct stamp *out)
{
    struct stamp_date date;
    struct stamp clock;
    if (!month_and_day(p, end, &date) || !clock_time(p + 7, end, &clock))
        return false;
    date.clock = clock.time;
    int year = next_year(stamps, &date);
    if (!calendar_exists(year, date.month, date.day))
        return false;
    stamps->iso = false;
    stamps->midnight = calendar_midnight(year, date.month, date.day);
    remember(stamps, line, p + 7);
    return rest(stamps, p + 7, end, out);
}

/* "Mon Nov 23 14:28:52 2026", from behind the day of the week: the year comes last. */
static bool asctime_like(struct stamps *stamps, const char *p, const char *end, struct stamp *out)
{
    struct stamp_date date;
    if (end - p < 12 || !month_and_day(p, end, &date))
        return false;
    int year = digits4(end - 4);
    if (!calendar_exists(year, date.month, date.day))
        return false;
    stamps->iso = false;
    stamps->midnight = calendar_midnight(year, date.month, date.day);
    return rest(stamps, p + 7, end, out);
}

/* Seconds with a fraction, or the microseconds of /dev/kmsg. */
static bool uptime(enum log_format format, const char *p, size_t len, struct stamp *out)
{
    const char *end = p + len;
    uint64_t whole;
    struct stamp read = {.zone = STAMP_BOOT, .digits = 6};
    const char *after = p;
    for (whole = 0; after < end && is_digit(*after); after++) {
        whole = whole * 10 + (uint64_t)(*after - '0');
        if (whole > INT64_MAX / 1000)
            return false;
    }
    if (format == LOG_KMSG) {
        read.time = (int64_t)whole * 1000;
    } else {
        if (whole >= (uint64_t)(INT64_MAX / second) || after == end)
            return false;
        read.time = (int64_t)whole * second;
        fraction(after + 1, end, &read);
    }
    *out = read;
    return true;
}

void stamps_init(struct stamps *stamps, int64_t today)
{
    *stamps = (struct stamps){.today = today};
}

void stamps_end(struct stamps *stamps, enum log_format format, const char *line, size_t len)
{
    struct envelope env;
    struct stamp_date date;
    struct stamp clock;
    if (!envelope_open(format, line, len, &env) || !env.stamp ||
        !month_and_day(env.stamp, env.stamp + env.stamp_len, &date) ||
        !clock_time(env.stamp + 7, env.stamp + env.stamp_len, &clock))
        return;
    date.clock = clock.time;
    stamps->last = date;
}

bool stamp_read(struct stamps *stamps, enum log_format format, const char *line, size_t len,
                struct stamp *out)
{
    size_t head = stamps->head_len;
    if (head > 0 && len > head && memcmp(line, stamps->head, head) == 0)
        return rest(stamps, line + head, line + len, out);
    /* Whatever comes now is of another day, and not each kind of line sets this again. */
    stamps->head_len = 0;
    struct envelope env;
    if (!envelope_open(format, line, len, &env))
        return false;
    if (!env.stamp)
        return env.uptime && uptime(format, env.uptime, env.uptime_len, out);
    const char *p = env.stamp, *end = p + env.stamp_len;
    if (is_digit(*p))
        return iso(stamps, line, p, end, out);
    bool weekday = env.stamp_len > 4 && !is_digit(p[4]) && p[4] != ' ';
    return weekday ? asctime_like(stamps, p + 4, end, out) : yearless(stamps, line, p, end, out);
}

const char *stamp_format(const struct stamp *stamp, char out[STAMP_TEXT_SIZE])
{
    char digits[16];
    bool boot = stamp->zone == STAMP_BOOT;
    int offset = stamp->zone == STAMP_OFFSET ? stamp->offset : 0;
    int64_t local = stamp->time + offset * 60 * second;
    if (stamp->zone == STAMP_NONE)
        return strcpy(out, "-");
    snprintf(digits, sizeof(digits), ".%09lld", (long long)(local % second));
    digits[stamp->digits ? 1 + stamp->digits : 0] = '\0';
    size_t used =
        (size_t)(boot ? snprintf(out, STAMP_TEXT_SIZE, "PT%lld", (long long)(local / second))
                      : calendar_format(local, out, STAMP_TEXT_SIZE));
    const char *tail = boot ? "S" : stamp->zone == STAMP_UTC ? "Z" : "";
    used += (size_t)snprintf(out + used, STAMP_TEXT_SIZE - used, "%s%s", digits, tail);
    if (stamp->zone == STAMP_OFFSET)
        snprintf(out + used, STAMP_TEXT_SIZE - used, "%c%02d:%02d", offset < 0 ? '-' : '+',
                 (offset < 0 ? -offset : offset) / 60, (offset < 0 ? -offset : offset) % 60);
    return out;
}
