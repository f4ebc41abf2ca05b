/* From a log's bytes to packets, for a replay: lines, without colours, parsed in each format they
 * may have. */
#include "knockd/log_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Lists the prefixes that count for `format`; none, that is any, when one source has none. */
static struct line_spec list_prefixes(const struct config *config, enum log_format format,
                                      const char **prefixes)
{
    struct line_spec spec = {.format = format, .prefixes = prefixes};
    for (unsigned i = 0; config && i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        if (source_is_captured(source->type) ||
            (format == LOG_ULOGD && source->format != FORMAT_ULOGD))
            continue;
        if (source->prefixes.count == 0)
            return (struct line_spec){.format = format};
        for (unsigned j = 0; j < source->prefixes.count; j++)
            prefixes[spec.prefix_count++] = source->prefixes.items[j].text;
    }
    return spec;
}

bool log_reader_init(struct log_reader *reader, const struct config *config, struct log_calls calls)
{
    size_t total = 0;
    *reader = (struct log_reader){.calls = calls};
    for (unsigned i = 0; config && i < config->source_count; i++) {
        total += config->sources[i].prefixes.count;
        reader->has_ulogd |= config->sources[i].format == FORMAT_ULOGD;
    }
    reader->lines = calloc(1, sizeof(*reader->lines));
    reader->prefixes = calloc(LOG_FORMATS * total + 1, sizeof(*reader->prefixes));
    for (size_t format = 0; reader->prefixes && format < LOG_FORMATS; format++)
        reader->specs[format] =
            list_prefixes(config, (enum log_format)format, reader->prefixes + format * total);
    return reader->lines && reader->prefixes;
}

void log_reader_free(struct log_reader *reader)
{
    free(reader->prefixes);
    free(reader->lines);
}

/* "4,1234,1238672393,-;...": no other line begins with a digit and a comma. */
static enum log_format guess_format(const char *line, size_t len)
{
    bool kmsg = len > 1 && line[1] == ',' && line[0] >= '0' && line[0] <= '9';
    return kmsg ? LOG_KMSG : LOG_KERNEL;
}

enum { ESCAPE = 0x1b, DECODED = sizeof("kern  :warn  : ") - 1 };

/* "[1;32m" and the like, from behind the escape; NULL when it is anything else. */
static const char *colour(const char *p, const char *end)
{
    if (p == end || *p++ != '[')
        return NULL;
    while (p < end && ((*p >= '0' && *p <= '9') || *p == ';'))
        p++;
    return p < end && *p == 'm' ? p + 1 : NULL;
}

/* Whether dmesg or journalctl colours a line from there: before the time, or behind the kernel's
 * name. Anywhere else it is part of the text. */
static bool may_be_coloured(const char *line, size_t at)
{
    return at == 0 || (at == DECODED && memcmp(line, "kern  :", 7) == 0) ||
           (at > 8 && memcmp(line + at - 8, "kernel: ", 8) == 0);
}

/* The line without the colours of dmesg -L=always or of journalctl. Most lines have none, which is
 * found out quickly. */
static const char *strip_colours(char plain[LOG_PLAIN], const char *line, size_t *len)
{
    const char *end = line + *len;
    bool dmesg = *len > DECODED && (line[0] == ESCAPE || line[DECODED] == ESCAPE);
    bool journal = *len > 4 && end[-1] == 'm' && (end[-4] == ESCAPE || end[-3] == ESCAPE);
    if ((!dmesg && !journal) || *len > LOG_PLAIN)
        return line;
    const char *first = memchr(line, ESCAPE, *len);
    size_t used = 0;
    if (!may_be_coloured(line, (size_t)(first - line)))
        return line;
    for (const char *p = line, *after; p < end;) {
        if (*p == ESCAPE && (after = colour(p + 1, end)))
            p = after;
        else
            plain[used++] = *p++;
    }
    *len = used;
    return plain;
}

/* Whether the line is the firewall's by all appearance, but in no format that was tried. */
static bool has_unknown_header(const struct log_reader *reader, const char *line, size_t len)
{
    return foreign_is_firewall(&reader->specs[guess_format(line, len)], line, len) &&
           (!reader->has_ulogd || foreign_is_firewall(&reader->specs[LOG_ULOGD], line, len));
}

static void count_prefix(struct log_reader *reader, enum log_format format, const char *line,
                         size_t len)
{
    size_t prefix_len = 0;
    const char *prefix = logline_prefix(format, line, len, &prefix_len);
    stats_line(&reader->prefixes_seen, LINE_PREFIX, prefix, prefix_len);
}

static void parse_line(struct log_reader *reader, const char *line, size_t len)
{
    struct packet packet;
    line = strip_colours(reader->plain, line, &len);
    enum log_format format = guess_format(line, len);
    enum line_verdict verdict =
        line_cache_parse(&reader->line_cache[format], &reader->specs[format], line, len, &packet);
    if (verdict == LINE_FOREIGN && reader->has_ulogd) {
        format = LOG_ULOGD;
        verdict = line_cache_parse(&reader->line_cache[format], &reader->specs[format], line, len,
                                   &packet);
    }
    reader->verdicts[verdict]++;
    if (verdict == LINE_FOREIGN && has_unknown_header(reader, line, len))
        foreign_note(&reader->foreign, line, len);
    if (verdict == LINE_PREFIX)
        count_prefix(reader, format, line, len);
    if (verdict == LINE_PACKET)
        reader->calls.packet(reader->calls.arg, format, line, len, &packet);
    else if (reader->calls.other)
        reader->calls.other(reader->calls.arg, format, line, len);
}

/* `got` bytes were put into reader->lines. */
static void parse_lines(struct log_reader *reader, size_t got)
{
    const char *line;
    size_t len;
    lines_add(reader->lines, got);
    while (lines_next(reader->lines, &line, &len))
        parse_line(reader, line, len);
}

static void parse_last_line(struct log_reader *reader)
{
    size_t room;
    if (reader->lines->used == 0)
        return;
    *lines_room(reader->lines, &room) = '\n';
    parse_lines(reader, 1);
}

int log_reader_run(struct log_reader *reader, struct replay_input *input)
{
    lines_reset(reader->lines, false);
    for (;;) {
        size_t room;
        char *into = lines_room(reader->lines, &room);
        long got = replay_input_read(input, into, room);
        if (got < 0)
            return errno;
        if (got == 0) {
            parse_last_line(reader);
            return 0;
        }
        parse_lines(reader, (size_t)got);
        if (!reader->calls.pause(reader->calls.arg, input->live))
            return 0;
    }
}
