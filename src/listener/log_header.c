/* Parses what a collector puts before the kernel's message: priority, time, host, tag, uptime. */
#include "listener/log_header.h"

#include "listener/scan.h"

/* Blanks or tabs between two items of a header: one at least. */
static const char *gap(const char *p, const char *end)
{
    const char *after = p;
    while (after && after < end && (*after == ' ' || *after == '\t'))
        after++;
    return after != p ? after : NULL;
}

static const char *skip_gap(const char *p, const char *end)
{
    const char *after = gap(p, end);
    return after ? after : p;
}

/* --- the time --- */

/* Two digits up to `max`. */
static inline const char *two_digits(const char *p, const char *end, int max)
{
    if (!p || end - p < 2 || !is_digit(p[0]) || !is_digit(p[1]))
        return NULL;
    return 10 * (p[0] - '0') + p[1] - '0' <= max ? p + 2 : NULL;
}

/* "23", "3", or " 3" where collectors pad with a blank. */
static const char *day_of_month(const char *p, const char *end)
{
    const char *after = two_digits(p, end, 31);
    if (after || !p)
        return after;
    p += p < end && *p == ' ';
    return p < end && is_digit(*p) && (end - p == 1 || !is_digit(p[1])) ? p + 1 : NULL;
}

/* Sets *out to where the year stands. */
static const char *full_year(const char *p, const char *end, const char **out)
{
    const char *after = two_digits(two_digits(p, end, 99), end, 99);
    if (!after || (*p != '1' && *p != '2') || (after < end && is_digit(*after)))
        return NULL;
    *out = p;
    return after;
}

/* "14:28:52", with a fraction perhaps. */
static const char *time_of_day(const char *p, const char *end, const char **out)
{
    *out = p;
    p = SCAN(two_digits(p, end, 23), end, ":");
    p = SCAN(two_digits(p, end, 59), end, ":");
    p = two_digits(p, end, 60);
    if (SKIP(&p, end, ".") || SKIP(&p, end, ","))
        p = scan_digits(p, end);
    return p;
}

/* One of the names of three letters that stand in `names`, each with a blank behind it. */
static const char *short_name(const char *p, const char *end, const char *names)
{
    if (!p || end - p < 4)
        return NULL;
    for (; *names; names += 4)
        if (memcmp(p, names, 3) == 0)
            return p + 3;
    return NULL;
}

/* Behind `p`, if a year stands there. */
static const char *year_behind(const char *p, const char *end, struct log_header_time *out)
{
    const char *year, *after = out->year ? NULL : full_year(gap(p, end), end, &year);
    if (!gap(after, end))
        return p;
    out->year = year;
    return after;
}

/* RFC 3164's "Nov  3 14:28:52", its year anywhere. */
static const char *month_time(const char *p, const char *end, struct log_header_time *out)
{
    if (p && p < end && is_digit(*p))
        p = gap(full_year(p, end, &out->year), end);
    out->month = p;
    out->month_len = 3;
    p = gap(short_name(p, end, "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec "), end);
    out->day = p;
    p = gap(year_behind(day_of_month(p, end), end, out), end);
    return year_behind(time_of_day(p, end, &out->clock), end, out);
}

/* An offset, as rsyslog ("+00:00") and journalctl ("+0000") write it, or Z. */
static const char *offset(const char *p, const char *end, struct log_header_time *out)
{
    out->zone = p;
    if (!SKIP(&p, end, "Z")) {
        p = two_digits(p + 1, end, 23);
        bool colon = SKIP(&p, end, ":");
        if (colon || (p && p < end && is_digit(*p)))
            p = two_digits(p, end, 59);
    }
    out->zone_len = p ? (size_t)(p - out->zone) : 0;
    return p;
}

/* ISO 8601, with its zone or without. */
static const char *iso_time(const char *p, const char *end, struct log_header_time *out)
{
    out->month = SCAN(full_year(p, end, &out->year), end, "-");
    out->month_len = 2;
    out->day = SCAN(two_digits(out->month, end, 12), end, "-");
    p = two_digits(out->day, end, 31);
    if (!SKIP(&p, end, "T") && !SKIP(&p, end, " "))
        return NULL;
    p = time_of_day(p, end, &out->clock);
    return p && p < end && (*p == 'Z' || *p == '+' || *p == '-') ? offset(p, end, out) : p;
}

/* What `date` calls the local zone: "UTC", "CEST", "+0330". */
static const char *zone_name(const char *p, const char *end, struct log_header_time *out)
{
    if (!p || p == end)
        return NULL;
    if (*p == '+' || *p == '-')
        return offset(p, end, out);
    out->zone = p;
    while (p < end && *p >= 'A' && *p <= 'Z')
        p++;
    out->zone_len = (size_t)(p - out->zone);
    return out->zone_len >= 2 && out->zone_len <= 6 ? p : NULL;
}

/* "1795444132.123456" */
static const char *unix_time(const char *p, const char *end, struct log_header_time *out)
{
    const char *point = scan_digits(p, end);
    out->unix_time = p;
    return point && point - p >= 9 && point - p <= 10 ? scan_digits(SCAN(point, end, "."), end)
                                                      : NULL;
}

/* A time that begins with the day of the week: as asctime() writes it, or journalctl's
 * short-full. */
static const char *weekday_time(const char *p, const char *end, struct log_header_time *out)
{
    p = gap(short_name(p, end, "Sun Mon Tue Wed Thu Fri Sat "), end);
    if (p && p < end && is_digit(*p))
        return zone_name(gap(iso_time(p, end, out), end), end, out);
    p = month_time(p, end, out);
    return out->year ? p : NULL;
}

static const char *any_time(const char *p, const char *end, struct log_header_time *out)
{
    if (end - p < 7)
        return NULL;
    if (is_digit(*p))
        return p[4] == '-'                   ? iso_time(p, end, out)
               : p[4] == ' ' || p[4] == '\t' ? month_time(p, end, out)
                                             : unix_time(p, end, out);
    bool weekday = !is_digit(p[4]) && p[4] != ' ' && p[4] != '\t';
    bool weekday_and_year = is_digit(p[4]) && is_digit(p[5]) && is_digit(p[6]);
    return weekday || weekday_and_year ? weekday_time(p, end, out) : month_time(p, end, out);
}

/* Steps over a time, and the blanks after it; stays where it is when there is none. */
static const char *timestamp(const char *p, const char *end, struct log_header *out)
{
    const char *after = any_time(p, end, &out->time), *next = gap(after, end);
    if (!next) {
        out->time = (struct log_header_time){0};
        return p;
    }
    out->timestamp = p;
    out->timestamp_len = (size_t)(after - p);
    return next;
}

/* --- host and tag --- */

/* The highest priority of the kernel's facility, 0, which has eight levels. */
enum { KERNEL_PRI_MOST = 7 };

/* Syslog's priority; stays where it is when there is none, and leaves *value alone. */
static const char *priority(const char *p, const char *end, uint32_t *value)
{
    uint32_t read = 0;
    const char *after = SCAN(scan_number(SCAN(p, end, "<"), end, 191, &read), end, ">");
    if (!after)
        return p;
    *value = read;
    return after;
}

/* The end of a host name or address. One that ends in ':' is some program's tag. */
static const char *host(const char *p, const char *end)
{
    const char *start = p;
    while (p && p < end && host_name_has(*p))
        p++;
    bool whole = p > start && p[-1] != ':' && p < end && (*p == ' ' || *p == '\t');
    return whole ? p : NULL;
}

/* Relays write the host twice, at times once with and once without its domain. */
static bool same_host(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t common = a_len < b_len ? a_len : b_len;
    if (memcmp(a, b, common) != 0)
        return false;
    const char *longer = a_len < b_len ? b : a;
    return a_len == b_len || longer[common] == '.';
}

/* Is the token one of the NULL-terminated names? */
static bool among(const char *const *names, const char *p, size_t len)
{
    for (; *names; names++)
        if (strlen(*names) == len && memcmp(*names, p, len) == 0)
            return true;
    return false;
}

/* "kern.warn", as OpenWrt's and busybox's syslog write it. */
static bool is_facility_level(const char *p, size_t len)
{
    static const char *const facilities[] = {"kern",     "user",   "mail",   "daemon",   "auth",
                                             "syslog",   "lpr",    "news",   "uucp",     "cron",
                                             "authpriv", "ftp",    "ntp",    "security", "local0",
                                             "local1",   "local2", "local3", "local4",   "local5",
                                             "local6",   "local7", NULL};
    static const char *const levels[] = {"emerg",   "panic",  "alert", "crit",  "err",  "error",
                                         "warning", "notice", "info",  "debug", "warn", NULL};
    const char *dot = memchr(p, '.', len);
    if (!dot)
        return false;
    size_t head = (size_t)(dot - p);
    return among(facilities, p, head) && among(levels, dot + 1, len - head - 1);
}

/* The kernel's name. Templates that leave room for the number of a process write "kernel[]:". */
static const char *tag(const char *p, const char *end)
{
    const char *after = SCAN(p, end, "kernel:");
    return after ? after : SCAN(p, end, "kernel[]:");
}

static bool is_address(const char *p, size_t len)
{
    struct addr ignored;
    return addr_parse(p, len, &ignored);
}

/* Steps over hosts and "facility.level" to behind the kernel's name, and sets out->host to the last
 * host. A relay may put the address that a line came from before it; nothing else may stand there.
 */
static const char *kernel_tag(const char *p, const char *end, struct log_header *out)
{
    const char *first = NULL, *after;
    size_t first_len = 0;
    for (int hosts = 0; !(after = tag(p, end)); hosts++) {
        after = host(p, end);
        if (!after)
            return NULL;
        size_t len = (size_t)(after - p);
        bool again = hosts == 1 && (same_host(first, first_len, p, len) ||
                                    (is_address(first, first_len) && !is_address(p, len)));
        if (hosts > 0 && !again) {
            after = is_facility_level(p, len) ? tag(gap(after, end), end) : NULL;
            break;
        }
        first = p;
        first_len = len;
        p = gap(after, end);
    }
    if (after && first && !is_facility_level(first, first_len)) {
        out->host = first;
        out->host_len = first_len;
    }
    return after;
}

/* --- the uptime, and what dmesg makes of it --- */

/* The printk caller "[ T123]" or "[ C1]" that some kernels add; stays where it is when there is
 * none. */
static const char *caller(const char *p, const char *end)
{
    const char *after = scan_blanks(SCAN(p, end, "["), end);
    if (!SKIP(&after, end, "T") && !SKIP(&after, end, "C"))
        return p;
    after = SCAN(scan_digits(after, end), end, "]");
    return after ? after : p;
}

/* "1234.567890", by the comma of some languages as well. */
static const char *seconds(const char *p, const char *end, const char **out, size_t *len)
{
    *out = p;
    p = scan_digits(p, end);
    if (!SKIP(&p, end, ".") && !SKIP(&p, end, ","))
        return NULL;
    p = scan_digits(p, end);
    *len = p ? (size_t)(p - *out) : 0;
    return p;
}

/* "[ 1234.567890]" with a caller; stays where it is when there is none. */
static const char *uptime(const char *p, const char *end, struct log_header *out)
{
    const char *start = scan_blanks(SCAN(p, end, "["), end);
    const char *stop = scan_digits(SCAN(scan_digits(start, end), end, "."), end);
    const char *after = SCAN(stop, end, "]");
    if (!after)
        return p;
    out->uptime = start;
    out->uptime_len = (size_t)(stop - start);
    return caller(after, end);
}

/* " <    0.010620>", where dmesg or journalctl show it; stays where it is when there is none. */
static const char *angle_delta(const char *p, const char *end, struct log_header *out)
{
    p = scan_blanks(p, end);
    const char *after = scan_blanks(SCAN(p, end, "<"), end);
    after = scan_blanks(seconds(after, end, &out->delta, &out->delta_len), end);
    after = SCAN(after, end, ">");
    if (!after)
        out->delta = NULL;
    return after ? after : p;
}

/* "1234.567890 <    0.010620>", from behind the bracket. */
static const char *uptime_and_delta(const char *p, const char *end, struct log_header *out)
{
    const char *after = seconds(p, end, &out->uptime, &out->uptime_len);
    if (!after)
        out->uptime = NULL;
    return after ? angle_delta(after, end, out) : NULL;
}

/* "+1.234567" */
static const char *signed_delta(const char *p, const char *end, struct log_header *out)
{
    const char *sign = p, *digits;
    if (!SKIP(&p, end, "+") && !SKIP(&p, end, "-"))
        return NULL;
    p = seconds(p, end, &digits, &out->delta_len);
    out->delta = p ? sign : NULL;
    out->delta_len += 1;
    return p;
}

/* Names of days and months in any language: letters, digits where they are numbered, and marks. */
static bool is_name(const char *p, const char *end)
{
    for (; p < end; p++) {
        unsigned letter = ((unsigned char)*p | 0x20u) - 'a';
        bool mark = *p == ' ' || *p == '.' || *p == '-' || *p == '\'';
        if (letter >= 26 && !is_digit(*p) && (unsigned char)*p < 0x80 && !mark)
            return false;
    }
    return true;
}

enum { NAMES_MOST = 64 };

/*
 * "Mon Nov 23 14:28:52 2026" or "Nov23 14:28", from behind the bracket: names in any language, then
 * what is the same in all of them, found by its first ':'.
 */
static const char *local_date(const char *p, const char *end, struct log_header *out)
{
    struct log_header_time *time = &out->time;
    size_t most = (size_t)(end - p) < NAMES_MOST ? (size_t)(end - p) : NAMES_MOST;
    const char *colon = memchr(p, ':', most), *after;
    if (!colon || colon - p < 7 || colon[-3] != ' ' || !is_digit(colon[-4]))
        return NULL;
    const char *clock = colon - 2, *day = clock - 3;
    day += *day != ' ' && !is_digit(*day);
    after = time_of_day(clock, end, &time->clock);
    if (after) {
        after = full_year(SCAN(after, end, " "), end, &time->year);
    } else {
        time->minute = clock;
        time->clock = NULL;
        after = two_digits(SCAN(two_digits(clock, end, 23), end, ":"), end, 59);
    }
    if (!after || !day_of_month(day, end) || !is_name(p, day) || day == p)
        return NULL;
    time->month = p;
    time->month_len = (size_t)(day - p);
    time->day = day;
    out->timestamp = p;
    out->timestamp_len = (size_t)(after - p);
    return angle_delta(after, end, out);
}

/* Any of dmesg's times in brackets; NULL when there is none. */
static const char *bracketed(const char *p, const char *end, struct log_header *out)
{
    const char *start = SCAN(p, end, "["), *after;
    p = scan_blanks(start, end);
    if (!p || p == end)
        return NULL;
    if (is_digit(*p) && (after = uptime_and_delta(p, end, out)))
        p = after;
    else if (*p == '<')
        p = angle_delta(p, end, out);
    else if (*p == '+' || *p == '-')
        p = signed_delta(p, end, out);
    else
        p = local_date(start, end, out);
    p = SCAN(scan_blanks(p, end), end, "]");
    if (p)
        return caller(p, end);
    /* What looked like a time at first is text. */
    *out = (struct log_header){.end = out->end};
    return NULL;
}

/* "2026-11-23T14:28:52,123456+00:00 ": no collector but dmesg has the comma. */
static const char *dmesg_iso(const char *p, const char *end, struct log_header *out)
{
    const char *after = p < end && is_digit(*p) ? iso_time(p, end, &out->time) : NULL;
    const char *comma = out->time.clock ? out->time.clock + 8 : NULL;
    after = out->time.zone_len == 6 && SCAN(comma, end, ",") ? SCAN(after, end, " ") : NULL;
    if (!after || out->time.zone != comma + 7 || p[10] != 'T') {
        out->time = (struct log_header_time){0};
        return NULL;
    }
    out->timestamp = p;
    out->timestamp_len = (size_t)(after - 1 - p);
    return after;
}

/* "kern  :warn  : " of `dmesg -x`; the names of other facilities are no kernel's. */
static const char *decoded_priority(const char *p, const char *end)
{
    static const char levels[] = "emerg alert crit  err   warn  noticeinfo  debug ";
    p = SCAN(p, end, "kern  :");
    if (!p || end - p < 9)
        return NULL;
    for (const char *level = levels; *level; level += 6)
        if (memcmp(p, level, 6) == 0)
            return SCAN(p + 6, end, ": ");
    return NULL;
}

/* What dmesg puts before a message, and journalctl where it has the uptime: then a host and the
 * kernel's name may follow. */
static const char *dmesg_time(const char *p, const char *end, struct log_header *out)
{
    const char *after = bracketed(p, end, out);
    if (!after)
        return dmesg_iso(p, end, out);
    /* Its host may be text of the message. */
    struct log_header ignored = {0};
    if (out->uptime)
        out->tagged = skip_gap(kernel_tag(gap(after, end), end, &ignored), end);
    return after;
}

/* --- the whole --- */

/* A word of RFC 5424's header, and its blank. */
static const char *word(const char *p, const char *end)
{
    const char *start = p;
    while (p && p<end && * p> ' ' && *p < 0x7f)
        p++;
    return p != start ? SCAN(p, end, " ") : NULL;
}

/* What is named in structured data. */
static const char *data_name(const char *p, const char *end)
{
    const char *start = p;
    while (p && p<end && * p> ' ' && *p < 0x7f && *p != '=' && *p != ']' && *p != '"')
        p++;
    return p != start ? p : NULL;
}

/* From behind its quote to behind the other one; a '\' takes the next byte along. */
static const char *data_value(const char *p, const char *end)
{
    while (p && p < end && *p != '"')
        p += *p == '\\' && end - p > 1 ? 2 : 1;
    return SCAN(p, end, "\"");
}

/* "[id name="value" ...]...", or "-". */
static const char *structured_data(const char *p, const char *end)
{
    if (!p || SKIP(&p, end, "-"))
        return p;
    const char *start = p;
    while (SKIP(&p, end, "[")) {
        p = data_name(p, end);
        while (SKIP(&p, end, " "))
            p = data_value(SCAN(data_name(p, end), end, "=\""), end);
        p = SCAN(p, end, "]");
    }
    return p != start ? p : NULL;
}

/* RFC 5424, from behind its version. */
static const char *open_5424(const char *p, const char *end, struct log_header *out)
{
    if (!SKIP(&p, end, "- ")) {
        p = timestamp(p, end, out);
        if (!out->timestamp)
            return NULL;
    }
    const char *behind = word(p, end);
    out->host = behind ? p : NULL;
    out->host_len = behind ? (size_t)(behind - 1 - p) : 0;
    p = SCAN(behind, end, "kernel - ");
    p = structured_data(word(p, end), end);
    p = p == end ? p : SCAN(p, end, " ");
    if (!p)
        return NULL;
    SKIP(&p, end, "\xef\xbb\xbf");
    return uptime(scan_blanks(p, end), end, out);
}

/*
 * A priority, where one is left, tells who wrote the line: any user may write "kernel: ..." to
 * syslog, and anything to /dev/kmsg, but gets another facility.
 */
static const char *open_kernel(const char *p, const char *end, struct log_header *out)
{
    uint32_t pri = 0;
    SKIP(&p, end, "\xef\xbb\xbf");
    const char *decoded = decoded_priority(p, end), *start = p;
    if (decoded) {
        p = dmesg_time(decoded, end, out);
        return p ? p : decoded;
    }
    p = priority(p, end, &pri);
    if (pri > KERNEL_PRI_MOST)
        return NULL;
    if (p < end && *p == '[')
        return dmesg_time(p, end, out);
    if (p != start && SCAN(p, end, "1 "))
        return open_5424(p + 2, end, out);
    const char *tagged = kernel_tag(timestamp(p, end, out), end, out);
    if (tagged)
        return uptime(skip_gap(tagged, end), end, out);
    bool comma = out->time.clock && out->time.clock[8] == ',';
    return comma && p == start ? dmesg_iso(p, end, out) : NULL;
}

/* Facility 0 proves the kernel as writer: what others write to /dev/kmsg gets another. Lines that
 * begin with a blank belong to the record before. */
static const char *open_kmsg(const char *p, const char *end, struct log_header *out)
{
    uint32_t prio;
    p = SCAN(scan_number(p, end, KERNEL_PRI_MOST, &prio), end, ",");
    const char *start = SCAN(scan_digits(p, end), end, ",");
    const char *stop = scan_digits(start, end);
    const char *flags = SCAN(stop, end, ",");
    if (!flags)
        return NULL;
    /* The record's own line ends at the first newline: what follows are its properties. */
    const char *newline = memchr(flags, '\n', (size_t)(end - flags));
    out->end = newline ? newline : end;
    p = memchr(flags, ';', (size_t)(out->end - flags));
    if (!p || p == flags)
        return NULL;
    out->uptime = start;
    out->uptime_len = (size_t)(stop - start);
    return p + 1;
}

static const char *open_ulogd(const char *p, const char *end, struct log_header *out)
{
    uint32_t pri;
    p = timestamp(priority(p, end, &pri), end, out);
    const char *after = out->timestamp ? host(p, end) : NULL;
    out->host = after ? p : NULL;
    out->host_len = after ? (size_t)(after - p) : 0;
    return after;
}

bool log_header_parse(enum log_format format, const char *line, size_t len, struct log_header *out)
{
    const char *end = line + len;
    *out = (struct log_header){.end = end};
    const char *p = NULL;
    switch (format) {
    case LOG_KERNEL:
        p = open_kernel(line, end, out);
        break;
    case LOG_KMSG:
        p = open_kmsg(line, end, out);
        break;
    case LOG_ULOGD:
        p = open_ulogd(line, end, out);
        break;
    }
    out->message = scan_blanks(p, out->end);
    return p;
}

void log_header_host(enum log_format format, const char *line, size_t len, char out[HOST_NAME_SIZE])
{
    struct log_header header;
    bool known = log_header_parse(format, line, len, &header) && header.host;
    host_name_copy(known ? header.host : "", known ? header.host_len : 0, out);
}
