/* Parses a line by the head of an earlier one: an optimisation, which changes no verdict. */
#include "listener/line_cache.h"

#include <assert.h>

#include "listener/log_header.h"
#include "listener/packet_fields.h"
#include "listener/scan.h"

/* --- a text in which some digits may be others --- */

/* The pattern of `text` alone. No pattern when its length is none for one. */
static void line_pattern_set(struct line_pattern *pattern, const char *text, size_t len)
{
    pattern->len = 0;
    if (len < PATTERN_LEAST || len > PATTERN_MOST)
        return;
    pattern->len = (uint8_t)len;
    memcpy(pattern->low, text, len);
    memset(pattern->more, 0, len);
}

/* Lets all bytes of text[from, to) that are digits be any other digit. */
static void line_pattern_loosen(struct line_pattern *pattern, size_t from, size_t to)
{
    assert(to <= pattern->len);
    for (size_t i = from; i < to; i++) {
        if (!is_digit((char)pattern->low[i]))
            continue;
        pattern->low[i] = '0';
        pattern->more[i] = 9;
    }
}

/* 0xff where the bytes at `at` fit. */
static inline scan_bytes line_pattern_right(const struct line_pattern *pattern, size_t at,
                                            const char *text)
{
    scan_bytes above = scan_load16(text + at) - scan_load16(pattern->low + at);
    return (scan_bytes)(above <= scan_load16(pattern->more + at));
}

/* Whether the text of `len` bytes begins with something that fits. */
static inline bool line_pattern_fits(const struct line_pattern *pattern, const char *text,
                                     size_t len)
{
    size_t end = pattern->len;
    if (end == 0 || len < end)
        return false;
    scan_bytes right = line_pattern_right(pattern, end - PATTERN_LEAST, text);
    for (size_t at = 0; at + PATTERN_LEAST < end; at += PATTERN_LEAST)
        right &= line_pattern_right(pattern, at, text);
    return scan_none(~right);
}

/* --- heads of lines --- */

/*
 * The last digits of the minute, of the second and all of the fraction: whatever they are, the time
 * is one. Of the others that isn't true ("29:00"), nor of a leap second's.
 */
static void loosen_clock(struct line_pattern *pattern, const char *line,
                         const struct log_header *header)
{
    const char *end = header->timestamp + header->timestamp_len;
    size_t minutes = (size_t)(header->time.clock + 3 - line), seconds = minutes + 3;
    line_pattern_loosen(pattern, minutes + 1, minutes + 2);
    if (line[seconds] != '6')
        line_pattern_loosen(pattern, seconds + 1, seconds + 2);
    const char *point = line + seconds + 2, *fraction = SCAN(point, end, ".");
    const char *zone = scan_digits(fraction ? fraction : SCAN(point, end, ","), end);
    if (zone)
        line_pattern_loosen(pattern, (size_t)(point + 1 - line), (size_t)(zone - line));
}

/* Numbers of seconds, of which every digit may be any other. */
static void loosen_seconds(struct line_pattern *pattern, const char *line, const char *at,
                           size_t len)
{
    if (at)
        line_pattern_loosen(pattern, (size_t)(at - line), (size_t)(at - line) + len);
}

/*
 * Whether the head alone decided where the prefix ends. It doesn't when text behind it might have
 * been the prefix, or might hold an "IN=" that has precedence over one that abuts.
 */
static bool is_settled(const struct line_spec *spec, const struct log_header *header,
                       const char *in)
{
    if (header->tagged && header->message != header->tagged)
        return false;
    if (spec->prefix_count == 0)
        return in == header->message || in[-1] == ' ';
    for (unsigned i = 0; i < spec->prefix_count; i++)
        if (strlen(spec->prefixes[i]) > (size_t)(in - header->message))
            return false;
    return true;
}

/*
 * The key that follows belongs to it: another item of the head might come in its place. Records of
 * /dev/kmsg are numbered, so that none begins like the one before.
 */
static void learn(struct line_cache *line_cache, const struct line_spec *spec, const char *line,
                  const struct log_header *header, const struct packet *packet, const char *items)
{
    const char *key = SCAN(items, header->end, "MAC="),
               *end = key ? key : SCAN(items, header->end, "SRC=");
    if (spec->format == LOG_KMSG || !end || end - line > PATTERN_MOST ||
        !is_settled(spec, header, packet->in - 3))
        return;
    struct line_head *head = &line_cache->list[line_cache->oldest];
    line_cache->latest = line_cache->oldest;
    line_cache->oldest = (uint8_t)((line_cache->oldest + 1) % LINE_HEADS);
    line_pattern_set(&head->pattern, line, (size_t)(end - line));
    if (header->time.clock)
        loosen_clock(&head->pattern, line, header);
    loosen_seconds(&head->pattern, line, header->time.unix_time, header->timestamp_len);
    loosen_seconds(&head->pattern, line, header->uptime, header->uptime_len);
    loosen_seconds(&head->pattern, line, header->delta, header->delta_len);
    head->items = (uint8_t)(items - line);
    head->in = (uint8_t)(packet->in - line);
    head->in_len = packet->in_len;
}

static const struct line_head *find(struct line_cache *line_cache, const char *line, size_t len)
{
    const struct line_head *latest = &line_cache->list[line_cache->latest];
    if (line_pattern_fits(&latest->pattern, line, len))
        return latest;
    for (uint8_t i = 0; i < LINE_HEADS; i++) {
        if (i != line_cache->latest && line_pattern_fits(&line_cache->list[i].pattern, line, len)) {
            line_cache->latest = i;
            return &line_cache->list[i];
        }
    }
    return NULL;
}

/* --- the link's header --- */

/* The key that follows belongs to the text: a tunnel might come in its place. */
SCAN_RARE const char *read_link(struct line_link *link, const char *items, const char *end,
                                struct packet *packet)
{
    const char *after = logline_link(items, end, packet);
    if (SCAN(after, end, "SRC=") == items + LINE_LINK) {
        link->known = true;
        link->group = packet->link_group;
        memcpy(link->text, items, LINE_LINK);
    }
    return after;
}

/* The same as logline_link. */
SCAN_OFTEN const char *link_header(struct line_link *link, const char *items, const char *end,
                                   struct packet *packet)
{
    if (!link->known || end - items < LINE_LINK || memcmp(items, link->text, LINE_LINK) != 0)
        return read_link(link, items, end, packet);
    packet->link_group = link->group;
    return items + LINE_LINK - (sizeof("SRC=") - 1);
}

static enum line_verdict parse_items(struct line_cache *line_cache, const struct line_spec *spec,
                                     const char *items, const char *end, struct packet *packet)
{
    const char *p = link_header(&line_cache->link, items, end, packet);
    return packet_fields(p, end, spec->format == LOG_ULOGD, &line_cache->destination, packet);
}

/* A line with another head than those that are kept. */
SCAN_RARE enum line_verdict parse_line(struct line_cache *line_cache, const struct line_spec *spec,
                                       const char *line, size_t len, struct packet *packet)
{
    struct log_header header;
    const char *items;
    enum line_verdict verdict = logline_head(spec, line, len, &header, packet, &items);
    if (verdict != LINE_PACKET)
        return verdict;
    learn(line_cache, spec, line, &header, packet, items);
    return parse_items(line_cache, spec, items, header.end, packet);
}

enum line_verdict line_cache_parse(struct line_cache *line_cache, const struct line_spec *spec,
                                   const char *line, size_t len, struct packet *packet)
{
    len = logline_length(line, len);
    const struct line_head *head = find(line_cache, line, len);
    if (!head)
        return parse_line(line_cache, spec, line, len, packet);
    packet->in = line + head->in;
    packet->in_len = head->in_len;
    return parse_items(line_cache, spec, line + head->items, line + len, packet);
}
