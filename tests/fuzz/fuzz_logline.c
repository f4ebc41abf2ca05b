/*
 * The log line: what is taken for a packet is one that the line literally tells of, and stays the
 * same in another envelope, and behind a head that is known. The first byte chooses format and
 * prefixes, the rest is the line.
 */
#include "fuzz.h"

#include "listener/line_cache.h"
#include "listener/log_header.h"
#include "listener/logline.h"
#include "listener/timestamp.h"

static const char *const one[] = {"[DENY] "};
static const char *const some[] = {"test", "[UFW BLOCK] ", " filter_IN_REJECT: "};
static const struct line_spec specs[] = {
    {LOG_KERNEL, 0, NULL}, {LOG_KMSG, 0, NULL}, {LOG_ULOGD, 0, NULL},
    {LOG_KERNEL, 1, one},  {LOG_KMSG, 1, one},  {LOG_ULOGD, 1, one},
    {LOG_KERNEL, 3, some}, {LOG_KMSG, 3, some}, {LOG_ULOGD, 3, some},
};

static void claim_address(const struct addr *address)
{
    char text[ADDR_TEXT_SIZE];
    struct addr again;
    addr_format(address, text);
    CLAIM(addr_parse(text, strlen(text), &again) && addr_equal(address, &again));
}

static void claim_literal(const char *line, size_t len, const char *key, unsigned value)
{
    char text[32];
    int n = snprintf(text, sizeof(text), " %s=%u ", key, value);
    CLAIM(memmem(line, len, text, (size_t)n));
}

static void claim_packet(const struct packet *packet, const char *line, size_t len)
{
    char text[PACKET_TEXT_SIZE];
    CLAIM(packet->in >= line && packet->in + packet->in_len <= line + len);
    CLAIM(packet->src.family == packet->dst.family);
    claim_address(&packet->src);
    claim_address(&packet->dst);
    if (packet->has_ports) {
        claim_literal(line, len, "SPT", packet->spt);
        claim_literal(line, len, "DPT", packet->dpt);
    }
    CLAIM(strlen(packet_format(packet, text)) < PACKET_TEXT_SIZE - 1);
}

static bool same(const struct packet *a, const struct packet *b)
{
    return addr_equal(&a->src, &b->src) && addr_equal(&a->dst, &b->dst) && a->length == b->length &&
           a->proto == b->proto && a->has_ports == b->has_ports && a->flags == b->flags &&
           (!a->has_ports || (a->spt == b->spt && a->dpt == b->dpt)) &&
           a->link_group == b->link_group && a->in_len == b->in_len &&
           memcmp(a->in, b->in, a->in_len) == 0;
}

/* Uptime and caller are there, so that no part of the message can be taken for them. */
static void claim_moved(const struct line_spec *spec, const char *message, size_t len,
                        const struct packet *packet)
{
    static const char *const kernel[] = {"<4>[    1.250000][    T1] ",
                                         "Nov 23 14:28:52 gate kernel: [    1.250000][    T1] ",
                                         "2026-11-23T14:28:52+00:00 gate kernel: [ 1.2][ C0] "};
    static const char *const kmsg[] = {"4,1,1250000,-;", "7,99,1,c,caller=T1;"};
    static const char *const ulogd[] = {"Nov 23 14:28:52 gate", "<4>Nov  3 14:28:52 gate "};
    static const char *const *const envelopes[] = {kernel, kmsg, ulogd};
    unsigned count = spec->format == LOG_KERNEL ? 3 : 2;
    for (unsigned i = 0; i < count; i++) {
        const char *head = envelopes[spec->format][i];
        size_t head_len = strlen(head);
        char *line = malloc(head_len + 1 + len);
        struct packet moved;
        CLAIM(line);
        memcpy(line, head, head_len);
        line[head_len] = ' ';
        memcpy(line + head_len + 1, message, len);
        CLAIM(logline_parse(spec, line, head_len + 1 + len, &moved) == LINE_PACKET);
        CLAIM(same(packet, &moved));
        free(line);
    }
}

/* What stands before a newline is the line before in the same log, whose head may come again. */
static void claim_known_head(const struct line_spec *spec, const char *line, size_t len)
{
    struct line_cache line_cache = {0};
    struct packet packet, expected;
    const char *newline = memchr(line, '\n', len), *next = newline ? newline + 1 : line;
    size_t next_len = len - (size_t)(next - line);
    line_cache_parse(&line_cache, spec, line, newline ? (size_t)(newline - line) : len, &packet);
    enum line_verdict verdict = line_cache_parse(&line_cache, spec, next, next_len, &packet);
    CLAIM(verdict == logline_parse(spec, next, next_len, &expected));
    CLAIM(verdict != LINE_PACKET || same(&packet, &expected));
}

static void claim_time(enum log_format format, const char *line, size_t len)
{
    struct timestamps timestamps;
    struct timestamp timestamp;
    char text[TIMESTAMP_TEXT_SIZE];
    timestamps_init(&timestamps, INT64_C(1795000000) * 1000000000);
    if (!timestamp_read(&timestamps, format, line, len, &timestamp))
        return;
    timestamps_settle(&timestamps);
    timestamps_redate(&timestamps, &timestamp);
    CLAIM(strlen(timestamp_format(&timestamp, text)) < TIMESTAMP_TEXT_SIZE - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    const struct line_spec *spec = &specs[input_byte(&in) % (sizeof(specs) / sizeof(*specs))];
    size_t len = (size_t)(in.end - in.p), prefix_len = 0;
    struct packet packet;
    struct log_header header;
    const char *items;
    enum line_verdict verdict = logline_parse(spec, in.p, len, &packet);
    const char *prefix = logline_prefix(spec->format, in.p, len, &prefix_len);
    claim_known_head(spec, in.p, len);
    CLAIM(verdict != LINE_PREFIX || prefix);
    CLAIM(!prefix || (prefix >= in.p && prefix + prefix_len <= in.end));
    if (verdict != LINE_PACKET)
        return 0;
    claim_packet(&packet, in.p, len);
    claim_time(spec->format, in.p, len);
    CLAIM(logline_head(spec, in.p, logline_length(in.p, len), &header, &packet, &items) ==
          LINE_PACKET);
    logline_parse(spec, in.p, len, &packet);
    claim_moved(spec, header.message, (size_t)(header.end - header.message), &packet);
    return 0;
}
