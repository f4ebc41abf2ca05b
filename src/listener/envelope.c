#include "listener/envelope.h"

#include "listener/scan.h"

/* Two digits up to `max`; `first` may be a blank where collectors pad with one. */
static inline const char *two_digits(const char *p, const char *end, int max, bool padded)
{
    if (!p || end - p < 2 || !is_digit(p[1]))
        return NULL;
    bool blank = padded && p[0] == ' ';
    if (!blank && !is_digit(p[0]))
        return NULL;
    int value = (blank ? 0 : 10 * (p[0] - '0')) + p[1] - '0';
    return value <= max ? p + 2 : NULL;
}

static const char *time_of_day(const char *p, const char *end)
{
    p = SCAN(two_digits(p, end, 23, false), end, ":");
    p = SCAN(two_digits(p, end, 59, false), end, ":");
    p = two_digits(p, end, 60, false);
    if (TAKE(&p, end, "."))
        p = scan_digits(p, end);
    return p;
}

/* One of the names of three letters, and its blank, that stand in a row in `names`. */
static const char *short_name(const char *p, const char *end, const char *names)
{
    if (!p || end - p < 4)
        return NULL;
    for (; *names; names += 4)
        if (memcmp(p, names, 4) == 0)
            return p + 4;
    return NULL;
}

/* RFC 3164's "Nov  3 14:28:52", or with day of the week and year as asctime() writes it. */
static const char *month_stamp(const char *p, const char *end)
{
    if (!p)
        return NULL;
    bool weekday = end - p > 4 && !is_digit(p[4]) && p[4] != ' ';
    if (weekday)
        p = short_name(p, end, "Sun Mon Tue Wed Thu Fri Sat ");
    p = short_name(p, end, "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec ");
    p = time_of_day(SCAN(two_digits(p, end, 31, true), end, " "), end);
    if (weekday)
        p = two_digits(two_digits(SCAN(p, end, " "), end, 99, false), end, 99, false);
    return p;
}

/* ISO 8601 with its zone: rsyslog writes "+00:00", journalctl "+0000". */
static const char *iso_stamp(const char *p, const char *end)
{
    p = SCAN(two_digits(two_digits(p, end, 99, false), end, 99, false), end, "-");
    p = SCAN(two_digits(p, end, 12, false), end, "-");
    p = SCAN(two_digits(p, end, 31, false), end, "T");
    p = time_of_day(p, end);
    if (TAKE(&p, end, "Z"))
        return p;
    if (!TAKE(&p, end, "+") && !TAKE(&p, end, "-"))
        return NULL;
    p = two_digits(p, end, 23, false);
    TAKE(&p, end, ":");
    return two_digits(p, end, 59, false);
}

/* Steps over a time and the blanks after it; stays where it is when there is none. */
static const char *stamp(const char *p, const char *end, struct envelope *out)
{
    const char *after = p < end && is_digit(*p) ? iso_stamp(p, end) : month_stamp(p, end);
    if (!SCAN(after, end, " "))
        return p;
    out->stamp = p;
    out->stamp_len = (size_t)(after - p);
    return scan_blanks(after, end);
}

/* Syslog's priority; stays where it is when there is none. */
static const char *priority(const char *p, const char *end)
{
    uint32_t value;
    const char *after = SCAN(scan_number(SCAN(p, end, "<"), end, 191, &value), end, ">");
    return after ? after : p;
}

static bool is_host_char(char ch)
{
    unsigned letter = ((unsigned char)ch | 0x20u) - 'a';
    return letter < 26 || (ch >= '-' && ch <= ':' && ch != '/') || ch == '_';
}

/* The end of a host name or address. One that ends in ':' is some program's tag. */
static const char *host(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && is_host_char(*p))
        p++;
    bool whole = p > start && p[-1] != ':' && p < end && *p == ' ';
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

/* Steps over hosts and "facility.level" to behind "kernel:". */
static const char *kernel_tag(const char *p, const char *end)
{
    const char *first = NULL;
    size_t first_len = 0;
    for (int hosts = 0;; hosts++) {
        const char *tag = SCAN(p, end, "kernel:");
        if (tag)
            return tag;
        const char *after = host(p, end);
        if (!after)
            return NULL;
        size_t len = (size_t)(after - p);
        bool again = hosts == 1 && same_host(first, first_len, p, len);
        if (hosts > 0 && !again)
            return is_facility_level(p, len) ? SCAN(scan_blanks(after, end), end, "kernel:") : NULL;
        first = p;
        first_len = len;
        p = scan_blanks(after, end);
    }
}

/* "[ 1234.567890]", with the printk caller "[ T123]" or "[ C1]" that some kernels add; stays where
 * it is when there is none. */
static const char *uptime(const char *p, const char *end, struct envelope *out)
{
    const char *start = scan_blanks(SCAN(p, end, "["), end);
    const char *stop = scan_digits(SCAN(scan_digits(start, end), end, "."), end);
    const char *after = SCAN(stop, end, "]");
    if (!after)
        return p;
    out->uptime = start;
    out->uptime_len = (size_t)(stop - start);
    const char *caller = scan_blanks(SCAN(after, end, "["), end);
    if (TAKE(&caller, end, "T") || TAKE(&caller, end, "C")) {
        caller = SCAN(scan_digits(caller, end), end, "]");
        return caller ? caller : after;
    }
    return after;
}

/* `dmesg -T`: the date in the place of the uptime. */
static const char *bracketed_date(const char *p, const char *end, struct envelope *out)
{
    const char *start = SCAN(p, end, "[");
    const char *after = SCAN(month_stamp(start, end), end, "]");
    if (after) {
        out->stamp = start;
        out->stamp_len = (size_t)(after - 1 - start);
    }
    return after;
}

static const char *open_kernel(const char *p, const char *end, struct envelope *out)
{
    p = priority(p, end);
    if (p < end && *p == '[') {
        const char *after = uptime(p, end, out);
        return after != p ? after : bracketed_date(p, end, out);
    }
    p = kernel_tag(stamp(p, end, out), end);
    return p ? uptime(scan_blanks(p, end), end, out) : NULL;
}

/* Facility 0 proves the kernel as writer: what others write to /dev/kmsg gets another. Lines that
 * begin with a blank belong to the record before. */
static const char *open_kmsg(const char *p, const char *end, struct envelope *out)
{
    uint32_t prio;
    p = SCAN(scan_number(p, end, 7, &prio), end, ",");
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

static const char *open_ulogd(const char *p, const char *end, struct envelope *out)
{
    p = stamp(priority(p, end), end, out);
    return out->stamp ? host(p, end) : NULL;
}

bool envelope_open(enum log_format format, const char *line, size_t len, struct envelope *out)
{
    const char *end = line + len;
    *out = (struct envelope){.end = end};
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
