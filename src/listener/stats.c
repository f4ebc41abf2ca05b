/* Counts what a source brought, and remembers examples of lines that don't count. */
#include "listener/stats.h"

#include <string.h>
#include <strings.h>

#include "listener/log_header.h"
#include "listener/scan.h"

/* --- lines with an unknown header --- */

/* Behind the first `text` from `p` on; NULL: it isn't there. */
static const char *behind(const char *p, const char *end, const char *text)
{
    size_t len = strlen(text);
    const char *found = p ? memmem(p, (size_t)(end - p), text, len) : NULL;
    return found ? found + len : NULL;
}

static bool holds_prefix(const struct line_spec *spec, const char *line, const char *end)
{
    for (unsigned i = 0; i < spec->prefix_count; i++)
        if (behind(line, end, spec->prefixes[i]))
            return true;
    return spec->prefix_count == 0;
}

/* "12,1234,5678,-;": a record of /dev/kmsg that a program wrote, since its facility isn't 0. */
static bool is_record(const char *p, const char *end)
{
    p = SCAN(scan_digits(SCAN(scan_digits(p, end), end, ","), end), end, ",");
    return SCAN(scan_digits(p, end), end, ",");
}

bool foreign_is_firewall(const struct line_spec *spec, const char *line, size_t len)
{
    const char *end = line + len;
    struct log_header ignored;
    /* Most lines of other programs have no '=' at all. */
    return spec->format != LOG_KMSG && memchr(line, '=', len) &&
           behind(behind(behind(line, end, "IN="), end, " SRC="), end, " DST=") &&
           holds_prefix(spec, line, end) && !is_record(line, end) &&
           !log_header_parse(spec->format, line, len, &ignored);
}

/* "0 6 PVEFW-HOST-IN 24/Nov/2026:10:31:12 +0100 " */
static bool is_proxmox(const char *p, const char *end)
{
    p = SCAN(scan_digits(SCAN(scan_digits(p, end), end, " "), end), end, " ");
    while (p && p < end && *p != ' ')
        p++;
    p = SCAN(scan_digits(SCAN(p, end, " "), end), end, "/");
    return p && end - p > 4 && p[3] == '/' && SCAN(scan_digits(p + 4, end), end, ":");
}

static enum header_hint hint_of(const char *line, const char *end)
{
    if (is_proxmox(line, end))
        return HEADER_PROXMOX;
    if (*line == '{')
        return HEADER_JSON;
    const char *service = behind(line, end, " TOS=");
    return service && !SCAN(service, end, "0x") ? HEADER_ULOGD : HEADER_OTHER;
}

void foreign_note(struct foreign *foreign, const char *line, size_t len)
{
    if (foreign->count++ > 0)
        return;
    foreign->hint = hint_of(line, line + len);
    if (len > MESSAGE_TEXT_MAX)
        len = MESSAGE_TEXT_MAX;
    memcpy(foreign->example, line, len);
    foreign->example[len] = '\0';
}

/* --- prefixes --- */

static bool is_letter(char ch)
{
    return ((unsigned char)ch | 0x20u) - 'a' < 26;
}

static bool word_is_one_of(const char *word, size_t len, const char *const *names)
{
    for (; *names; names++)
        if (strlen(*names) == len && strncasecmp(*names, word, len) == 0)
            return true;
    return false;
}

/* "[NAME-RULE-A]", as EdgeOS, VyOS and UniFi mark what was accepted. */
static bool ends_in_a(const char *prefix, size_t len)
{
    while (len > 0 && prefix[len - 1] == ' ')
        len--;
    return len > 3 && memcmp(prefix + len - 3, "-A]", 3) == 0;
}

bool prefix_is_of_accepted(const char *prefix, size_t len)
{
    static const char *const accepted[] = {"ACCEPT", "ACCEPTED", "ALLOW",  "ALLOWED",
                                           "AUDIT",  "PERMIT",   "PASSED", NULL};
    static const char *const denied[] = {"BLOCK",  "BLOCKED",  "DENY", "DENIED", "DROP", "DROPPED",
                                         "REJECT", "REJECTED", "NOT",  "NO",     NULL};
    bool found = ends_in_a(prefix, len);
    const char *end = prefix + len;
    for (const char *p = prefix; p < end;) {
        const char *word = p;
        while (p < end && is_letter(*p))
            p++;
        if (word_is_one_of(word, (size_t)(p - word), denied))
            return false;
        found |= word_is_one_of(word, (size_t)(p - word), accepted);
        p += p < end;
    }
    return found;
}

/* --- counters --- */

void stats_reset(struct stats *stats)
{
    *stats = (struct stats){.report_prefixes_at = 50, .report_headers_at = 10};
}

static bool is(const struct stats_prefix *seen, const char *prefix, size_t len)
{
    return seen->count > 0 && memcmp(seen->text, prefix, len) == 0 && seen->text[len] == '\0';
}

static void count_prefix(struct stats *stats, const char *prefix, size_t len)
{
    struct stats_prefix *rarest = &stats->seen[0];
    if (len > PREFIX_MAX)
        len = PREFIX_MAX;
    for (int i = 0; i < STATS_PREFIXES; i++) {
        struct stats_prefix *seen = &stats->seen[i];
        if (is(seen, prefix, len)) {
            seen->count++;
            return;
        }
        if (seen->count < rarest->count)
            rarest = seen;
    }
    rarest->count++;
    memcpy(rarest->text, prefix, len);
    rarest->text[len] = '\0';
}

void stats_line(struct stats *stats, enum line_verdict verdict, const char *prefix, size_t len)
{
    stats->lines++;
    stats->verdicts[verdict]++;
    stats->accepted += prefix && verdict == LINE_PACKET;
    if (prefix)
        count_prefix(stats, prefix, len);
}

bool stats_report_prefixes(struct stats *stats)
{
    if (stats->verdicts[LINE_PACKET] > 0 ||
        stats->verdicts[LINE_PREFIX] < stats->report_prefixes_at)
        return false;
    stats->report_prefixes_at *= 10;
    return true;
}

bool stats_report_headers(struct stats *stats)
{
    if (stats->verdicts[LINE_PACKET] > 0 || stats->foreign.count < stats->report_headers_at)
        return false;
    stats->report_headers_at *= 10;
    return true;
}

const struct stats_prefix *stats_commonest(const struct stats *stats)
{
    const struct stats_prefix *most = NULL;
    for (int i = 0; i < STATS_PREFIXES; i++) {
        const struct stats_prefix *seen = &stats->seen[i];
        if (seen->count > (most ? most->count : 0) &&
            !prefix_is_of_accepted(seen->text, strlen(seen->text)))
            most = seen;
    }
    return most;
}
