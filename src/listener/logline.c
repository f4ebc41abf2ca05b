/* Parses a line of the firewall: header, prefix, interfaces, link header, and then the packet's
 * fields; the result says whether it is a packet of ours, has another prefix, or is none. */
#include "listener/logline.h"

#include "listener/log_header.h"
#include "listener/packet_fields.h"
#include "listener/scan.h"

enum {
    ESCAPE = 4,                    /* bytes of "\xNN" */
    DEVICE_TEXT_MAX = 15 * ESCAPE, /* IFNAMSIZ - 1 bytes, all of them escaped */
};

/* The name of an interface, possibly empty, up to its blank. No name holds '/' or ':'; '=' is
 * refused as the sign of a lost blank. */
static const char *device(const char *p, const char *end)
{
    const char *start = p;
    while (p && p < end && p - start <= DEVICE_TEXT_MAX && *p > ' ' && *p != '=' && *p != '/' &&
           *p != ':')
        p++;
    return p && p < end && *p == ' ' && p - start <= DEVICE_TEXT_MAX ? p : NULL;
}

/* The name behind PHYSIN= or PHYSOUT=, which stand only where there is one, and its blank. */
static const char *bridge_port(const char *p, const char *end)
{
    const char *after = device(p, end);
    return after != p ? SCAN(after, end, " ") : NULL;
}

/* One byte of the message. /dev/kmsg writes what isn't printable, and '\', as "\xNN". */
static const char *message_byte(const char *p, const char *end, bool escaped, char *out)
{
    if (!p || p == end)
        return NULL;
    *out = *p;
    if (!escaped || *p != '\\')
        return p + 1;
    const char *hex = SCAN(p, end, "\\x");
    if (!scan_hex(hex, end, 2, 2))
        return NULL;
    *out = (char)hex_byte(hex);
    return p + ESCAPE;
}

static const char *skip_blanks(const char *text)
{
    while (*text == ' ')
        text++;
    return text;
}

/* Returns what follows the prefix, its blanks and "IN=", or NULL. */
static const char *after_prefix(const struct log_header *header, const char *prefix, bool escaped)
{
    const char *p = header->message;
    for (prefix = skip_blanks(prefix); *prefix; prefix++) {
        char ch;
        const char *next = message_byte(p, header->end, escaped, &ch);
        if (!next || ch != *prefix)
            break;
        p = next;
    }
    if (*skip_blanks(prefix))
        return NULL;
    return SCAN(scan_blanks(p, header->end), header->end, "IN=");
}

/*
 * The first "IN=" that an interface and " OUT=" follow, at the start of the message or behind a
 * blank; else, where a prefix abuts, anywhere. The kernel keeps PREFIX_MAX bytes of a prefix.
 */
static const char *first_in(const struct log_header *header, bool escaped)
{
    size_t most = (size_t)PREFIX_MAX * (escaped ? ESCAPE : 1) + 1;
    size_t len = (size_t)(header->end - header->message);
    const char *limit = header->message + (len < most ? len : most), *abutting = NULL;
    for (const char *p = header->message; p < limit; p++) {
        if (*p != 'I' || !SCAN(p, header->end, "IN="))
            continue;
        if (!SCAN(device(p + 3, header->end), header->end, " OUT="))
            continue;
        if (p == header->message || p[-1] == ' ')
            return p;
        abutting = abutting ? abutting : p;
    }
    return abutting;
}

/* rsyslog's "message repeated 2 times: [ ...]" is a line of its own making, not a packet. */
static bool is_repetition(const struct log_header *header)
{
    return SCAN(header->message, header->end, "message repeated ");
}

/* Finds what follows "IN=" in a message that is ours; NULL and the verdict in any other. */
static const char *find_packet(const struct line_spec *spec, const struct log_header *header,
                               enum line_verdict *verdict)
{
    bool escaped = spec->format == LOG_KMSG;
    *verdict = LINE_FOREIGN;
    if (is_repetition(header))
        return NULL;
    for (unsigned i = 0; i < spec->prefix_count; i++) {
        const char *after = after_prefix(header, spec->prefixes[i], escaped);
        if (after)
            return after;
    }
    const char *in = first_in(header, escaped);
    if (in && spec->prefix_count == 0)
        return in + 3;
    *verdict = in ? LINE_PREFIX : LINE_FOREIGN;
    return NULL;
}

/* The same, where a host and "kernel:" may be journalctl's or the prefix's beginning. Leaves in
 * header->message which they are. */
static const char *find_in_either(const struct line_spec *spec, struct log_header *header,
                                  enum line_verdict *verdict)
{
    const char *whole = header->message;
    if (header->tagged)
        header->message = header->tagged;
    const char *p = find_packet(spec, header, verdict);
    if (p || !header->tagged || *verdict != LINE_PREFIX)
        return p;
    header->message = whole;
    return find_packet(spec, header, verdict);
}

/* "xx:xx:..." of any length; counts the bytes and returns the first. */
static const char *hardware_address(const char *p, const char *end, int *count, unsigned *first)
{
    const char *start = p;
    unsigned digits = SCAN_HEX;
    if (!p)
        return NULL;
    for (; end - p >= 3 && p[2] == ':'; p += 3)
        digits &= hex_class(p[0]) & hex_class(p[1]);
    if (end - p < 2 || !(digits & hex_class(p[0]) & hex_class(p[1])))
        return NULL;
    *count = (int)(p - start) / 3 + 1;
    *first = hex_byte(start);
    return p + 2;
}

/* What nft's "flags ether" and --log-macdecode make of an Ethernet header. */
static const char *decoded_mac(const char *p, const char *end, struct packet *packet)
{
    int source_count = 0, dest_count = 0;
    unsigned source, dest = 0;
    uint32_t vid;
    p = SCAN(hardware_address(p, end, &source_count, &source), end, " MACDST=");
    p = SCAN(hardware_address(p, end, &dest_count, &dest), end, " ");
    if (source_count != 6 || dest_count != 6)
        return NULL;
    packet->link_group = dest & 1;
    if (SKIP(&p, end, "VPROTO=")) {
        p = SCAN(scan_hex(p, end, 4, 4), end, " VID=");
        p = SCAN(scan_number(p, end, 65535, &vid), end, " ");
    }
    return SCAN(scan_hex(SCAN(p, end, "MACPROTO="), end, 4, 4), end, " ");
}

enum { ETHERNET_HEADER = 14 };

/* The raw header of the link, Ethernet's from its destination on. A tunnel's is of another kind. */
static const char *raw_mac(const char *p, const char *end, struct packet *packet)
{
    int count = 0;
    unsigned first = 0;
    uint8_t ignored[4];
    if (!SCAN(p, end, " "))
        p = hardware_address(p, end, &count, &first);
    bool tunnel = SKIP(&p, end, " TUNNEL=");
    if (tunnel)
        p = scan_quad(SCAN(scan_quad(p, end, ignored), end, "->"), end, ignored);
    packet->link_group = !tunnel && count >= ETHERNET_HEADER && (first & 1);
    return SCAN(p, end, " ");
}

/* From behind "IN=" to behind the interfaces' names. */
static const char *names(const char *p, const char *end, struct packet *packet)
{
    const char *after = device(p, end);
    if (!after)
        return NULL;
    packet->in = p;
    packet->in_len = (uint8_t)(after - p);
    p = SCAN(device(SCAN(after, end, " OUT="), end), end, " ");
    if (SKIP(&p, end, "PHYSIN="))
        p = bridge_port(p, end);
    if (SKIP(&p, end, "PHYSOUT="))
        p = bridge_port(p, end);
    return p;
}

const char *logline_link(const char *items, const char *end, struct packet *packet)
{
    const char *p = items;
    packet->link_group = false;
    if (SKIP(&p, end, "MACSRC="))
        return decoded_mac(p, end, packet);
    return SKIP(&p, end, "MAC=") ? raw_mac(p, end, packet) : p;
}

enum line_verdict logline_head(const struct line_spec *spec, const char *line, size_t len,
                               struct log_header *header, struct packet *packet, const char **items)
{
    enum line_verdict verdict;
    if (!log_header_parse(spec->format, line, len, header))
        return LINE_FOREIGN;
    const char *p = find_in_either(spec, header, &verdict);
    if (!p)
        return verdict;
    *items = names(p, header->end, packet);
    return *items ? LINE_PACKET : LINE_DAMAGED;
}

enum line_verdict logline_parse(const struct line_spec *spec, const char *line, size_t len,
                                struct packet *packet)
{
    struct log_header header;
    const char *items;
    len = logline_length(line, len);
    enum line_verdict verdict = logline_head(spec, line, len, &header, packet, &items);
    if (verdict != LINE_PACKET)
        return verdict;
    const char *p = logline_link(items, header.end, packet);
    return packet_fields(p, header.end, spec->format == LOG_ULOGD, NULL, packet);
}

const char *logline_prefix(enum log_format format, const char *line, size_t len, size_t *prefix_len)
{
    struct log_header header;
    if (!log_header_parse(format, line, len, &header))
        return NULL;
    if (header.tagged)
        header.message = header.tagged;
    if (is_repetition(&header))
        return NULL;
    const char *in = first_in(&header, format == LOG_KMSG);
    *prefix_len = in ? (size_t)(in - header.message) : 0;
    return in ? header.message : NULL;
}

bool line_spec_has(const struct line_spec *spec, const char *prefix, size_t len)
{
    while (len > 0 && prefix[len - 1] == ' ')
        len--;
    for (; len > 0 && *prefix == ' '; len--)
        prefix++;
    for (unsigned i = 0; i < spec->prefix_count; i++) {
        const char *ours = skip_blanks(spec->prefixes[i]);
        if (strlen(ours) == len && memcmp(ours, prefix, len) == 0)
            return true;
    }
    return spec->prefix_count == 0;
}
