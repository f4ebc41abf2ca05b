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
    return p < end && (*p == '.' || *p == ',') ? fraction(p + 1, end, out) : p;
}

/* "Z", "+00:00", "+0000" or "+00"; false when there is none of them. */
static inline bool zone(const char *p, const char *end, struct stamp *out)
{
    if (p < end && *p == 'Z') {
        out->zone = STAMP_UTC;
        return true;
    }
    if (end - p < 3 || (*p != '+' && *p != '-'))
        return false;
    const char *behind = p + 3;
    int hours = digits2(p + 1), minutes = 0;
    if (behind < end && (*behind == ':' || is_digit(*behind))) {
        behind += *behind == ':';
        minutes = end - behind < 2 ? -1 : digits2(behind);
    }
    if ((hours | minutes) < 0)
        return false;
    out->zone = STAMP_OFFSET;
    out->offset = (int16_t)(*p == '-' ? -(60 * hours + minutes) : 60 * hours + minutes);
    out->time -= out->offset * 60 * second;
    return true;
}

static bool is_gap(char ch)
{
    return ch == ' ' || ch == '\t';
}

/* Behind a clock: a blank and four digits, which are a year. */
static bool is_year(const char *p, const char *end)
{
    return end - p > 5 && is_digit(p[1]) && digits4(p + 1) >= 0 && is_gap(p[5]);
}

/* What follows the date in a line of the day that stamps->midnight begins. False for anything but a
 * clock, its zone and a blank. */
static bool rest(const struct stamps *stamps, const char *p, const char *end, struct stamp *out)
{
    struct stamp read = {.zone = STAMP_LOCAL};
    p = clock_time(p, end, &read);
    if (!p || p == end)
        return false;
    if (is_gap(*p) ? is_year(p, end) : !zone(p, end, &read))
        return false;
    /* One by one: a copy of the whole would wait for its parts, just written, to reach the cache.
     */
    out->time = read.time + stamps->midnight;
    out->offset = read.offset;
    out->turn = (int16_t)stamps->turn;
    out->zone = read.zone;
    out->digits = read.digits;
    out->yearless = stamps->yearless;
    return true;
}

/* --- the year --- */

static int64_t in_year(const struct stamp_date *date, int year)
{
    return calendar_midnight(year, date->month, date->day) + date->clock;
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

/* A 29th of February tells in which years the log can lie. */
static void meet_leap_day(struct stamps *stamps)
{
    int year = stamps->year;
    while (!stamps->settled && year > 1970 && !calendar_exists(year, 2, 29))
        year--;
    stamps->year = year;
    stamps->leap_turn = stamps->turn;
}

/* The year of the next date that names none. */
static int next_year(struct stamps *stamps, const struct stamp_date *date)
{
    if (stamps->year == 0) {
        stamps->year = latest_year(date, stamps->today);
    } else {
        int year = stamps->year > 1970 ? stamps->year - 1 : 1970;
        while (year < 2261 && in_year(date, year) < stamps->before - CALENDAR_DAY)
            year++;
        stamps->turn += year - stamps->year;
        stamps->year = year;
    }
    if (date->month == 2 && date->day == 29)
        meet_leap_day(stamps);
    stamps->before = in_year(date, stamps->year);
    return stamps->year;
}

/* Whether the log can have ended in that year. */
static bool ends_in(const struct stamps *stamps, int64_t end, int year)
{
    struct stamp last = {.time = end, .yearless = true};
    struct stamps moved = {.year = year};
    stamps_redate(&moved, &last);
    int leap_year = year - stamps->turn + stamps->leap_turn;
    return last.time <= stamps->today + CALENDAR_DAY &&
           (stamps->leap_turn < 0 || calendar_exists(leap_year, 2, 29));
}

void stamps_settle(struct stamps *stamps)
{
    int year = stamps->year;
    if (year == 0 || stamps->settled)
        return;
    while (year > 1970 + stamps->turn && !ends_in(stamps, stamps->before, year))
        year--;
    struct stamp last = {.time = stamps->before, .turn = (int16_t)stamps->turn, .yearless = true};
    stamps->year = year;
    stamps->settled = true;
    stamps->head_len = 0;
    stamps_redate(stamps, &last);
    stamps->before = last.time;
}

void stamps_redate(const struct stamps *stamps, struct stamp *stamp)
{
    int year, month, day;
    if (!stamp->yearless)
        return;
    calendar_date(stamp->time, &year, &month, &day);
    int64_t clock = stamp->time - calendar_midnight(year, month, day);
    stamp->time = calendar_midnight(stamps->year - stamps->turn + stamp->turn, month, day) + clock;
}

/* --- the date --- */

static bool ends_with(const char *text, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    return name_len > 0 && name_len <= len && memcmp(text + len - name_len, name, name_len) == 0;
}

/* The longest name counts: one may end as another does. */
static int month_of(const char *const *names, const char *text, size_t len)
{
    int month = 0;
    size_t longest = 0;
    for (int i = 0; names && i < STAMP_MONTHS; i++)
        if (ends_with(text, len, names[i]) && strlen(names[i]) > longest) {
            longest = strlen(names[i]);
            month = i + 1;
        }
    return month;
}

/* Months that are numbered: the last number of the text. */
static int month_number(const char *text, size_t len)
{
    while (len > 0 && !is_digit(text[len - 1]))
        len--;
    if (len == 0)
        return 0;
    int ones = text[len - 1] - '0',
        tens = len > 1 && is_digit(text[len - 2]) ? text[len - 2] - '0' : 0;
    return 10 * tens + ones <= 12 ? 10 * tens + ones : 0;
}

/* A name in a language that we know nothing of: the latest month that isn't in the future; from
 * there on, another name is the next month. */
static int unknown_month(struct stamps *stamps, const char *text, size_t len, int day, int year)
{
    char name[STAMP_NAME] = {0};
    size_t word = len;
    while (word > 0 && text[word - 1] != ' ')
        word--;
    memcpy(name, text + word, len - word < sizeof(name) ? len - word : sizeof(name));
    if (stamps->named == 0) {
        stamps->named = 12;
        while (stamps->named > 1 && year > 0 &&
               calendar_midnight(year, stamps->named, day) > stamps->today + CALENDAR_DAY)
            stamps->named--;
    } else if (memcmp(name, stamps->name, sizeof(name)) != 0) {
        stamps->named = stamps->named % 12 + 1;
    }
    memcpy(stamps->name, name, sizeof(name));
    return stamps->named;
}

static const char *const english[STAMP_MONTHS] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                  "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int month(struct stamps *stamps, const struct envelope_time *time, int day)
{
    const char *text = time->month;
    size_t len = time->month_len;
    /* The blank that pads the day belongs to no name. */
    while (len > 0 && text[len - 1] == ' ')
        len--;
    if (len == 2 && is_digit(text[0]))
        return digits2(text);
    int number = len == 3 ? month_of(english, text, len) : 0;
    number = number ? number : month_of(stamps->months, text, len);
    number = number ? number : month_of(english, text, len);
    number = number ? number : month_number(text, len);
    return number ? number
                  : unknown_month(stamps, text, len, day, time->year ? digits4(time->year) : 0);
}

static int day_number(const char *p)
{
    if (*p == ' ')
        p++;
    return is_digit(p[1]) ? digits2(p) : p[0] - '0';
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

/* Behind the clock: Z, an offset, or a name, of which only UTC says where. */
static void named_zone(const struct envelope_time *time, struct stamp *out)
{
    const char *p = time->zone;
    bool utc = p && time->zone_len == 3 && (memcmp(p, "UTC", 3) == 0 || memcmp(p, "GMT", 3) == 0);
    if (utc)
        out->zone = STAMP_UTC;
    else if (p)
        zone(p, p + time->zone_len, out);
}

/* Of a line that names the minute only, that is the time. */
static bool read_clock(const struct envelope_time *time, const char *end, struct stamp *out)
{
    if (time->clock)
        return clock_time(time->clock, end, out);
    out->time = (60 * digits2(time->minute) + digits2(time->minute + 3)) * 60 * second;
    return true;
}

/* A date that stands before its clock, the zone right behind that, makes the next line's cheap. */
static bool dated(struct stamps *stamps, const char *line, const struct envelope *env,
                  struct stamp *out)
{
    const struct envelope_time *time = &env->time;
    const char *end = env->stamp + env->stamp_len;
    struct stamp read = {.zone = STAMP_LOCAL, .yearless = !time->year};
    struct stamp_date date = {.day = day_number(time->day)};
    if (!read_clock(time, end, &read))
        return false;
    date.clock = read.time;
    date.month = month(stamps, time, date.day);
    if (!calendar_exists(time->year ? digits4(time->year) : 2024, date.month, date.day))
        return false;
    int year = time->year ? digits4(time->year) : next_year(stamps, &date);
    if (!calendar_exists(year, date.month, date.day))
        return false;
    stamps->midnight = calendar_midnight(year, date.month, date.day);
    stamps->yearless = read.yearless;
    read.turn = (int16_t)stamps->turn;
    read.time += stamps->midnight;
    named_zone(time, &read);
    bool year_first = !time->year || time->year < time->clock;
    if (time->clock && year_first && time->month_len <= 3 && (!time->zone || time->zone[-1] != ' '))
        remember(stamps, line, time->clock);
    *out = read;
    return true;
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

/* "1795444132.123456" */
static bool since_1970(const char *p, size_t len, struct stamp *out)
{
    struct stamp read;
    if (!uptime(LOG_KERNEL, p, len, &read))
        return false;
    read.zone = STAMP_UTC;
    *out = read;
    return calendar_year(read.time) <= 2261;
}

/* "+1.234567" or "1.234567": the time since the line before. */
static bool since_before(struct stamps *stamps, const char *p, size_t len, struct stamp *out)
{
    struct stamp read;
    bool sign = !is_digit(*p);
    if (!uptime(LOG_KERNEL, p + sign, len - sign, &read) || read.time > CALENDAR_DAY * 366)
        return false;
    struct stamp *relative = &stamps->relative;
    if (relative->zone == STAMP_NONE)
        *relative = (struct stamp){.zone = STAMP_BOOT};
    int64_t time = relative->time + (*p == '-' ? -read.time : read.time);
    if (time < 0 || time > INT64_MAX / 2)
        return false;
    relative->time = time;
    relative->digits = read.digits;
    *out = *relative;
    return true;
}

void stamps_init(struct stamps *stamps, int64_t today)
{
    *stamps = (struct stamps){.today = today, .leap_turn = -1};
}

static bool read_envelope(struct stamps *stamps, enum log_format format, const char *line,
                          const struct envelope *env, struct stamp *out)
{
    if (env->time.unix_time)
        return since_1970(env->stamp, env->stamp_len, out);
    if (env->stamp) {
        bool good = dated(stamps, line, env, out);
        if (good && env->time.minute)
            stamps->relative = *out;
        return good;
    }
    if (env->uptime)
        return uptime(format, env->uptime, env->uptime_len, out);
    return env->delta && since_before(stamps, env->delta, env->delta_len, out);
}

bool stamp_read(struct stamps *stamps, enum log_format format, const char *line, size_t len,
                struct stamp *out)
{
    size_t head = stamps->head_len;
    if (head > 0 && len > head && memcmp(line, stamps->head, head) == 0 &&
        rest(stamps, line + head, line + len, out))
        return true;
    /* Whatever comes now is of another day, and not each kind of line sets this again. */
    stamps->head_len = 0;
    struct envelope env;
    return envelope_open(format, line, len, &env) && read_envelope(stamps, format, line, &env, out);
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
