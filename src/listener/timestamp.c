/* Parses the time that a log line states, and finds the year where the log names none. */
#include "listener/timestamp.h"

#include <stdio.h>
#include <string.h>

#include "listener/log_header.h"
#include "listener/scan.h"

#define SECOND INT64_C(1000000000)
#define DAY    (86400 * SECOND)

/* --- the calendar: the Gregorian one, without the C library's time zones --- */

static bool is_leap(int year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* `month` may be 13: all days of the year. */
static int days_before_month(int year, int month)
{
    static const int days[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    return days[month - 1] + (month > 2 && is_leap(year));
}

/* Since 1970, which 719162 days of this calendar precede. */
static int days_before_year(int year)
{
    int past = year - 1;
    return past * 365 + past / 4 - past / 100 + past / 400 - 719162;
}

/* Whether there is such a date, in the years whose ns since 1970 fit in 64 bits: to 2261. */
static bool calendar_exists(int year, int month, int day)
{
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1)
        return false;
    return day <= days_before_month(year, month + 1) - days_before_month(year, month);
}

/* The beginning of an existing date, in ns since that of 1970. */
static int64_t calendar_midnight(int year, int month, int day)
{
    return (days_before_year(year) + days_before_month(year, month) + day - 1) * DAY;
}

/* The year in which `time` lies, ns since 1970, not before. */
static int calendar_year(int64_t time)
{
    int64_t days = time / DAY;
    /* No year is longer, so this is never too late. */
    int year = 1970 + (int)(days / 366);
    while (days >= days_before_year(year + 1))
        year++;
    return year;
}

/* The date of `time`, ns since 1970, not before; months and days are counted from 1. */
static void calendar_date(int64_t time, int *year, int *month, int *day)
{
    *year = calendar_year(time);
    *day = (int)(time / DAY) - days_before_year(*year);
    for (*month = 12; days_before_month(*year, *month) > *day;)
        --*month;
    *day += 1 - days_before_month(*year, *month);
}

/* Writes `time` as "2026-11-23T14:28:52" and returns its length; 20 bytes are enough. */
static int calendar_format(int64_t time, char *out, size_t size)
{
    int year, month, day;
    calendar_date(time, &year, &month, &day);
    int clock = (int)(time % DAY / SECOND);
    return snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d", year, month, day, clock / 3600,
                    clock / 60 % 60, clock % 60);
}

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
static inline const char *fraction(const char *p, const char *end, struct timestamp *out)
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
static inline const char *clock_time(const char *p, const char *end, struct timestamp *out)
{
    if (end - p < 8)
        return NULL;
    uint64_t bytes = scan_load8(p) ^ 0x30303a30303a3030; /* "00:00:00" */
    if ((bytes & 0x0000ff0000ff0000) || scan_others(bytes))
        return NULL;
    bytes = bytes * 10 + (bytes >> 8);
    int hours = bytes & 0xff, minutes = bytes >> 24 & 0xff, seconds = bytes >> 48 & 0xff;
    out->time = (hours * 3600 + minutes * 60 + seconds) * SECOND;
    out->digits = 0;
    p += 8;
    return p < end && (*p == '.' || *p == ',') ? fraction(p + 1, end, out) : p;
}

/* "Z", "+00:00", "+0000" or "+00"; false when there is none of them. */
static inline bool zone(const char *p, const char *end, struct timestamp *out)
{
    if (p < end && *p == 'Z') {
        out->zone = TIMESTAMP_UTC;
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
    out->zone = TIMESTAMP_OFFSET;
    out->offset = (int16_t)(*p == '-' ? -(60 * hours + minutes) : 60 * hours + minutes);
    out->time -= out->offset * 60 * SECOND;
    return true;
}

/* The same for a line of the day that timestamps->midnight begins: most have the same zone. */
static inline bool known_zone(const struct timestamps *timestamps, const char *p, const char *end,
                              struct timestamp *out)
{
    if (timestamps->zone_mask == 0 || end - p < 8 ||
        ((scan_load8(p) ^ timestamps->zone_text) & timestamps->zone_mask) != 0)
        return zone(p, end, out);
    out->zone = timestamps->zone;
    out->offset = timestamps->zone_offset;
    out->time -= out->offset * 60 * SECOND;
    return true;
}

static bool is_gap(char ch)
{
    return ch == ' ' || ch == '\t';
}

/* Behind a clock: blanks and four digits, which are a year. */
static bool is_year(const char *p, const char *end)
{
    while (p < end && is_gap(*p))
        p++;
    return end - p > 4 && is_digit(*p) && digits4(p) >= 0 && is_gap(p[4]);
}

/* What follows the date in a line of the day that timestamps->midnight begins. False for anything
 * but a clock, its zone and a blank. */
SCAN_OFTEN bool rest(const struct timestamps *timestamps, const char *p, const char *end,
                     struct timestamp *out)
{
    struct timestamp read = {.zone = TIMESTAMP_LOCAL};
    p = clock_time(p, end, &read);
    if (!p || p == end)
        return false;
    if (is_gap(*p) ? is_year(p, end) : !known_zone(timestamps, p, end, &read))
        return false;
    /* One by one: a copy of the whole would wait for its parts, just written, to reach the cache.
     */
    out->time = read.time + timestamps->midnight;
    out->offset = read.offset;
    out->turn = (int16_t)timestamps->turn;
    out->zone = read.zone;
    out->digits = read.digits;
    out->yearless = timestamps->yearless;
    return true;
}

/* --- the year --- */

static int64_t in_year(const struct timestamp_date *date, int year)
{
    return calendar_midnight(year, date->month, date->day) + date->clock;
}

/* The latest year in which the date exists and isn't in the future. */
static int latest_year(const struct timestamp_date *date, int64_t today)
{
    int year = calendar_year(today + DAY);
    while (year > 1970 &&
           (!calendar_exists(year, date->month, date->day) || in_year(date, year) > today + DAY))
        year--;
    return year;
}

/* A 29th of February tells in which years the log can lie. */
static void meet_leap_day(struct timestamps *timestamps)
{
    int year = timestamps->year;
    while (!timestamps->settled && year > 1970 && !calendar_exists(year, 2, 29))
        year--;
    timestamps->year = year;
    timestamps->leap_turn = timestamps->turn;
}

/* The year of the next date that names none. */
static int next_year(struct timestamps *timestamps, const struct timestamp_date *date)
{
    if (timestamps->year == 0) {
        timestamps->year = latest_year(date, timestamps->today);
    } else {
        int year = timestamps->year > 1970 ? timestamps->year - 1 : 1970;
        while (year < 2261 && in_year(date, year) < timestamps->before - DAY)
            year++;
        timestamps->turn += year - timestamps->year;
        timestamps->year = year;
    }
    if (date->month == 2 && date->day == 29)
        meet_leap_day(timestamps);
    timestamps->before = in_year(date, timestamps->year);
    return timestamps->year;
}

/* Whether the log can have ended in that year. */
static bool ends_in(const struct timestamps *timestamps, int64_t end, int year)
{
    struct timestamp last = {.time = end, .yearless = true};
    struct timestamps moved = {.year = year};
    timestamps_redate(&moved, &last);
    int leap_year = year - timestamps->turn + timestamps->leap_turn;
    return last.time <= timestamps->today + DAY &&
           (timestamps->leap_turn < 0 || calendar_exists(leap_year, 2, 29));
}

void timestamps_settle(struct timestamps *timestamps)
{
    int year = timestamps->year;
    if (year == 0 || timestamps->settled)
        return;
    while (year > 1970 + timestamps->turn && !ends_in(timestamps, timestamps->before, year))
        year--;
    struct timestamp last = {
        .time = timestamps->before, .turn = (int16_t)timestamps->turn, .yearless = true};
    timestamps->year = year;
    timestamps->settled = true;
    timestamps->head_len = 0;
    timestamps_redate(timestamps, &last);
    timestamps->before = last.time;
}

void timestamps_redate(const struct timestamps *timestamps, struct timestamp *timestamp)
{
    int year, month, day;
    if (!timestamp->yearless)
        return;
    calendar_date(timestamp->time, &year, &month, &day);
    int64_t clock = timestamp->time - calendar_midnight(year, month, day);
    timestamp->time =
        calendar_midnight(timestamps->year - timestamps->turn + timestamp->turn, month, day) +
        clock;
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
    for (int i = 0; names && i < TIMESTAMP_MONTHS; i++)
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
static int unknown_month(struct timestamps *timestamps, const char *text, size_t len, int day,
                         int year)
{
    char name[TIMESTAMP_NAME] = {0};
    size_t word = len;
    while (word > 0 && text[word - 1] != ' ')
        word--;
    memcpy(name, text + word, len - word < sizeof(name) ? len - word : sizeof(name));
    if (timestamps->named == 0) {
        timestamps->named = 12;
        while (timestamps->named > 1 && calendar_exists(year, 1, 1) &&
               calendar_midnight(year, timestamps->named, day) > timestamps->today + DAY)
            timestamps->named--;
    } else if (memcmp(name, timestamps->name, sizeof(name)) != 0) {
        timestamps->named = timestamps->named % 12 + 1;
    }
    memcpy(timestamps->name, name, sizeof(name));
    return timestamps->named;
}

static const char *const english[TIMESTAMP_MONTHS] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int month(struct timestamps *timestamps, const struct log_header_time *time, int day)
{
    const char *text = time->month;
    size_t len = time->month_len;
    /* The blank that pads the day belongs to no name. */
    while (len > 0 && text[len - 1] == ' ')
        len--;
    if (len == 2 && is_digit(text[0]))
        return digits2(text);
    int number = len == 3 ? month_of(english, text, len) : 0;
    number = number ? number : month_of(timestamps->months, text, len);
    number = number ? number : month_of(english, text, len);
    number = number ? number : month_number(text, len);
    return number ? number
                  : unknown_month(timestamps, text, len, day, time->year ? digits4(time->year) : 0);
}

static int day_number(const char *p)
{
    if (*p == ' ')
        p++;
    return is_digit(p[1]) ? digits2(p) : p[0] - '0';
}

/* What comes before the clock decides about all lines that begin the same. */
static void remember_head(struct timestamps *timestamps, const char *line, const char *clock)
{
    size_t len = (size_t)(clock - line);
    if (len > TIMESTAMP_HEAD)
        return;
    memset(timestamps->head_mask, 0, TIMESTAMP_HEAD);
    memset(timestamps->head_mask, 0xff, len);
    memcpy(timestamps->head, line, len);
    timestamps->head_len = (uint8_t)len;
}

/* And so does what comes behind it. */
static void remember_zone(struct timestamps *timestamps, const struct log_header_time *time,
                          const char *end, const struct timestamp *read)
{
    size_t len = time->zone_len + 1;
    timestamps->zone_mask = 0;
    if (!time->zone || len > 8 || end - time->zone < 8)
        return;
    timestamps->zone_mask = UINT64_MAX >> (64 - 8 * len);
    timestamps->zone_text = scan_load8(time->zone);
    timestamps->zone = read->zone;
    timestamps->zone_offset = read->offset;
}

static bool has_head(const struct timestamps *timestamps, const char *line, size_t len)
{
    if (timestamps->head_len == 0 || len < TIMESTAMP_HEAD)
        return false;
    scan_bytes others = scan_load16(line) ^ scan_load16(timestamps->head);
    return scan_none(others & scan_load16(timestamps->head_mask));
}

/* Behind the clock: Z, an offset, or a name, of which only UTC says where. */
static void named_zone(const struct log_header_time *time, struct timestamp *out)
{
    const char *p = time->zone;
    bool utc = p && time->zone_len == 3 && (memcmp(p, "UTC", 3) == 0 || memcmp(p, "GMT", 3) == 0);
    if (utc)
        out->zone = TIMESTAMP_UTC;
    else if (p)
        zone(p, p + time->zone_len, out);
}

/* Of a line that names the minute only, that is the time. */
static bool read_clock(const struct log_header_time *time, const char *end, struct timestamp *out)
{
    if (time->clock)
        return clock_time(time->clock, end, out);
    out->time = (60 * digits2(time->minute) + digits2(time->minute + 3)) * 60 * SECOND;
    return true;
}

/* A date that stands before its clock, the zone right behind that, makes the next line's cheap. */
static bool dated(struct timestamps *timestamps, const char *line, const struct log_header *header,
                  struct timestamp *out)
{
    const struct log_header_time *time = &header->time;
    const char *end = header->timestamp + header->timestamp_len;
    struct timestamp read = {.zone = TIMESTAMP_LOCAL, .yearless = !time->year};
    struct timestamp_date date = {.day = day_number(time->day)};
    if (!read_clock(time, end, &read))
        return false;
    date.clock = read.time;
    date.month = month(timestamps, time, date.day);
    if (!calendar_exists(time->year ? digits4(time->year) : 2024, date.month, date.day))
        return false;
    int year = time->year ? digits4(time->year) : next_year(timestamps, &date);
    if (!calendar_exists(year, date.month, date.day))
        return false;
    timestamps->midnight = calendar_midnight(year, date.month, date.day);
    timestamps->yearless = read.yearless;
    read.turn = (int16_t)timestamps->turn;
    read.time += timestamps->midnight;
    named_zone(time, &read);
    bool year_first = !time->year || time->year < time->clock;
    if (time->clock && year_first && time->month_len <= 3 &&
        (!time->zone || !is_gap(time->zone[-1]))) {
        remember_head(timestamps, line, time->clock);
        remember_zone(timestamps, time, header->end, &read);
    }
    *out = read;
    return true;
}

/* Seconds with a fraction, or the microseconds of /dev/kmsg. */
static bool uptime(enum log_format format, const char *p, size_t len, struct timestamp *out)
{
    const char *end = p + len;
    uint64_t whole;
    struct timestamp read = {.zone = TIMESTAMP_BOOT, .digits = 6};
    const char *after = p;
    for (whole = 0; after < end && is_digit(*after); after++) {
        whole = whole * 10 + (uint64_t)(*after - '0');
        if (whole > INT64_MAX / 1000)
            return false;
    }
    if (format == LOG_KMSG) {
        read.time = (int64_t)whole * 1000;
    } else {
        if (whole >= (uint64_t)(INT64_MAX / SECOND) || after == end)
            return false;
        read.time = (int64_t)whole * SECOND;
        fraction(after + 1, end, &read);
    }
    *out = read;
    return true;
}

/* "1795444132.123456" */
static bool since_1970(const char *p, size_t len, struct timestamp *out)
{
    struct timestamp read;
    if (!uptime(LOG_KERNEL, p, len, &read))
        return false;
    read.zone = TIMESTAMP_UTC;
    *out = read;
    return calendar_year(read.time) <= 2261;
}

/* "+1.234567" or "1.234567": the time since the line before. */
static bool since_before(struct timestamps *timestamps, const char *p, size_t len,
                         struct timestamp *out)
{
    struct timestamp read;
    bool sign = !is_digit(*p);
    if (!uptime(LOG_KERNEL, p + sign, len - sign, &read) || read.time > DAY * 366)
        return false;
    struct timestamp *relative = &timestamps->relative;
    if (relative->zone == TIMESTAMP_NONE)
        *relative = (struct timestamp){.zone = TIMESTAMP_BOOT};
    int64_t time = relative->time + (*p == '-' ? -read.time : read.time);
    if (time < 0 || time > INT64_MAX / 2)
        return false;
    relative->time = time;
    relative->digits = read.digits;
    *out = *relative;
    return true;
}

void timestamps_init(struct timestamps *timestamps, int64_t today)
{
    *timestamps = (struct timestamps){.today = today, .leap_turn = -1};
}

static bool read_header_time(struct timestamps *timestamps, enum log_format format,
                             const char *line, const struct log_header *header,
                             struct timestamp *out)
{
    if (header->time.unix_time)
        return since_1970(header->timestamp, header->timestamp_len, out);
    if (header->timestamp) {
        bool good = dated(timestamps, line, header, out);
        if (good && header->time.minute)
            timestamps->relative = *out;
        return good;
    }
    if (header->uptime)
        return uptime(format, header->uptime, header->uptime_len, out);
    return header->delta && since_before(timestamps, header->delta, header->delta_len, out);
}

/* Of a line that doesn't begin like the one before. */
SCAN_RARE bool read_header(struct timestamps *timestamps, enum log_format format, const char *line,
                           size_t len, struct timestamp *out)
{
    struct log_header header;
    /* It is of another day, and not each kind of line sets this again. */
    timestamps->head_len = 0;
    return log_header_parse(format, line, len, &header) &&
           read_header_time(timestamps, format, line, &header, out);
}

bool timestamp_read(struct timestamps *timestamps, enum log_format format, const char *line,
                    size_t len, struct timestamp *out)
{
    if (has_head(timestamps, line, len) &&
        rest(timestamps, line + timestamps->head_len, line + len, out))
        return true;
    return read_header(timestamps, format, line, len, out);
}

/* Whether the line begins, behind its priority, with a date of ISO 8601. One whose numbers are too
 * large for a date passes for the name of a host. */
static bool begins_with_date(const char *p, const char *end)
{
    SKIP(&p, end, "\xef\xbb\xbf");
    const char *behind = SCAN(scan_digits(SCAN(p, end, "<"), end), end, ">");
    p = behind ? behind : p;
    return end - p > 10 && digits4(p) >= 0 && p[4] == '-' && digits2(p + 5) >= 0 && p[7] == '-' &&
           digits2(p + 8) >= 0 && p[10] == 'T';
}

enum timestamp_found timestamp_read_date(int64_t today, enum log_format format, const char *line,
                                         size_t len, struct timestamp *out)
{
    struct timestamps alone;
    struct log_header header;
    timestamps_init(&alone, today);
    if (!log_header_parse(format, line, len, &header))
        return TIMESTAMP_ABSENT;
    if (!header.timestamp)
        return begins_with_date(line, line + len) ? TIMESTAMP_IMPOSSIBLE : TIMESTAMP_ABSENT;
    if (header.timestamp > line && header.timestamp[-1] == '[')
        return TIMESTAMP_ABSENT;
    return read_header_time(&alone, format, line, &header, out) ? TIMESTAMP_FOUND
                                                                : TIMESTAMP_IMPOSSIBLE;
}

const char *timestamp_format(const struct timestamp *timestamp, char out[TIMESTAMP_TEXT_SIZE])
{
    char digits[16];
    bool boot = timestamp->zone == TIMESTAMP_BOOT;
    int offset = timestamp->zone == TIMESTAMP_OFFSET ? timestamp->offset : 0;
    int64_t local = timestamp->time + offset * 60 * SECOND;
    if (timestamp->zone == TIMESTAMP_NONE)
        return strcpy(out, "-");
    snprintf(digits, sizeof(digits), ".%09lld", (long long)(local % SECOND));
    digits[timestamp->digits ? 1 + timestamp->digits : 0] = '\0';
    size_t used =
        (size_t)(boot ? snprintf(out, TIMESTAMP_TEXT_SIZE, "PT%lld", (long long)(local / SECOND))
                      : calendar_format(local, out, TIMESTAMP_TEXT_SIZE));
    const char *tail = boot ? "S" : timestamp->zone == TIMESTAMP_UTC ? "Z" : "";
    used += (size_t)snprintf(out + used, TIMESTAMP_TEXT_SIZE - used, "%s%s", digits, tail);
    if (timestamp->zone == TIMESTAMP_OFFSET)
        snprintf(out + used, TIMESTAMP_TEXT_SIZE - used, "%c%02d:%02d", offset < 0 ? '-' : '+',
                 (offset < 0 ? -offset : offset) / 60, (offset < 0 ? -offset : offset) % 60);
    return out;
}
