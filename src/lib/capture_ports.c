/* Makes the filter of a capture out of a configuration: sets of ports, then ranges, then text. */
#include "lib/capture_ports.h"

#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/sealed.h"

/* --- sets --- */

/* Whether only a SYN without ACK fits, which is taken at any port. */
static bool goes_by_syn(struct flag_match flags)
{
    return flags.set & TCP_SYN && flags.clear & TCP_ACK;
}

static void add_near(struct port_set *set, struct port_proto step)
{
    unsigned first = step.port > SEQUENCE_DECOYS ? step.port - SEQUENCE_DECOYS : 1;
    unsigned last = step.port + SEQUENCE_DECOYS;
    port_set_add(set, step.proto, (uint16_t)first,
                 (uint16_t)(last < UINT16_MAX ? last : UINT16_MAX));
}

void capture_ports_add(struct capture_ports *ports, const struct sequence *sequence,
                       struct flag_match flags)
{
    for (unsigned i = 0; i < sequence->count; i++) {
        struct port_proto step = sequence->steps[i];
        port_set_add(&ports->steps, step.proto, step.port, step.port);
        if (step.proto == IPPROTO_UDP || !goes_by_syn(flags))
            add_near(&ports->near, step);
    }
}

static void add_served(struct capture_ports *ports, const struct port_proto *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (list[i].port != 0)
            port_set_add(&ports->served, list[i].proto, list[i].port, list[i].port);
}

void capture_ports_init(struct capture_ports *ports, const struct config *config, uint64_t sources)
{
    *ports =
        (struct capture_ports){.span = config->sealed.span,
                               .packet_port = config->sealed.span ? config->sealed.packet_port : 0};
    for (unsigned i = 0; i < config->door_count; i++) {
        const struct config_door *door = &config->doors[i];
        if (~door->unheard & sources)
            capture_ports_add(ports, &door->sequence, door->flags);
        add_served(ports, &door->port, 1);
        add_served(ports, door->ports, door->port_count);
        add_served(ports, door->ignore, door->ignore_count);
    }
}

/* What of both protocols is taken by its port. */
static struct port_set taken(const struct capture_ports *ports)
{
    struct port_set set = ports->near, served = ports->served;
    port_set_remove(&served, &ports->steps);
    port_set_remove(&set, &served);
    if (ports->span)
        port_set_add(&set, IPPROTO_UDP, (uint16_t)ports->span,
                     (uint16_t)(ports->span + CARRIER_SPAN_SIZE - 1));
    return set;
}

/* --- other ports of UDP --- */

static unsigned class_of(uint16_t port)
{
    uint32_t spread = (uint32_t)(port ^ port >> CAPTURE_FOLD) * CAPTURE_SPREAD;
    return (spread & CAPTURE_CLASS) >> CAPTURE_SHIFT;
}

bool capture_ports_samples(unsigned sample, uint16_t port)
{
    return port < CAPTURE_SAMPLED && class_of(port) == sample;
}

/* Services that may get much, and that no door need name. */
static const uint16_t busy_ports[] = {53,   69,    88,    123,   161,   389,   443,   500,  514,
                                      655,  853,   1194,  1701,  1812,  1813,  3074,  3389, 3478,
                                      3479, 4433,  4500,  4789,  5060,  5349,  5353,  6081, 8443,
                                      9993, 10000, 10001, 19302, 19132, 22000, 25565, 27015};

/* Counts the served ports of each class that no step wants. */
static void count_served(const struct capture_ports *ports, unsigned counts[CAPTURE_SAMPLES])
{
    memset(counts, 0, CAPTURE_SAMPLES * sizeof(*counts));
    for (uint16_t port = 1; port < CAPTURE_SAMPLED; port++)
        counts[class_of(port)] += port_set_has(&ports->served, IPPROTO_UDP, port) &&
                                  !port_set_has(&ports->steps, IPPROTO_UDP, port);
}

unsigned capture_ports_sample(const struct capture_ports *ports, unsigned *served)
{
    enum { SERVED = 1000 };
    unsigned weights[CAPTURE_SAMPLES], best = 0;
    uint16_t first, last;
    *served = 0;
    if (!port_set_range(&ports->steps, IPPROTO_UDP, 0, &first, &last))
        return CAPTURE_SAMPLES;
    count_served(ports, weights);
    for (unsigned i = 0; i < CAPTURE_SAMPLES; i++)
        weights[i] *= SERVED;
    for (size_t i = 0; i < sizeof(busy_ports) / sizeof(*busy_ports); i++)
        weights[class_of(busy_ports[i])]++;
    for (unsigned i = 1; i < CAPTURE_SAMPLES; i++)
        if (weights[i] < weights[best])
            best = i;
    *served = weights[best] / SERVED;
    return best;
}

/* --- ranges --- */

static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP};

static unsigned count_ranges(const struct port_set *set)
{
    unsigned count = 0;
    uint16_t first, last;
    for (size_t i = 0; i < sizeof(protocols); i++)
        for (uint32_t at = 0; port_set_range(set, protocols[i], at, &first, &last); at = last + 1U)
            count++;
    return count;
}

/* Joins ranges over the gaps of at most `width` ports until few enough are left. */
static unsigned fill_gaps(struct port_set *set, unsigned width, unsigned too_many)
{
    unsigned filled = 0;
    for (size_t i = 0; i < sizeof(protocols); i++) {
        uint16_t first, last;
        uint32_t end = 0; /* of the range before */
        for (uint32_t at = 0; port_set_range(set, protocols[i], at, &first, &last);
             at = last + 1U) {
            unsigned gap = first - end - 1;
            if (end > 0 && gap <= width && too_many > 0) {
                port_set_add(set, protocols[i], (uint16_t)(end + 1), (uint16_t)(first - 1));
                filled += gap;
                too_many--;
            }
            end = last;
        }
    }
    return filled;
}

/* --- text --- */

struct writer {
    char *text;
    size_t used;
};

static void write_text(struct writer *writer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write_text(struct writer *writer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(writer->text + writer->used, CAPTURE_TEXT - writer->used, format, args);
    va_end(args);
    if (len > 0 && writer->used + (size_t)len < CAPTURE_TEXT)
        writer->used += (size_t)len;
}

/*
 * Ranges, as tests of `port`. Half of them are tried at a time, so that a packet passes few
 * comparisons however many there are.
 */
static void write_ranges(struct writer *writer, uint16_t (*ranges)[2], unsigned count,
                         const char *port)
{
    if (count == 1) {
        write_text(writer, "(%s >= %u and %s <= %u)", port, ranges[0][0], port, ranges[0][1]);
        return;
    }
    unsigned half = count / 2;
    write_text(writer, "((%s < %u and ", port, ranges[half][0]);
    write_ranges(writer, ranges, half, port);
    write_text(writer, ") or ");
    write_ranges(writer, ranges + half, count - half, port);
    write_text(writer, ")");
}

static void write_ports(struct writer *writer, const struct port_set *set, uint8_t proto,
                        const char *is_proto, const char *port)
{
    uint16_t ranges[CAPTURE_RANGES][2];
    unsigned count = 0;
    for (uint32_t at = 0; count < CAPTURE_RANGES &&
                          port_set_range(set, proto, at, &ranges[count][0], &ranges[count][1]);
         at = ranges[count++][1] + 1U)
        ;
    if (count == 0)
        return;
    write_text(writer, " or (%s and ", is_proto);
    write_ranges(writer, ranges, count, port);
    write_text(writer, ")");
}

/* Where things are, in libpcap's words. A later fragment of IPv4 has no ports, and is none of
 * these; of IPv6 only what stands right behind the first header is looked at. */
static const struct words {
    const char *syn;
    const char *is[2], *port[2]; /* of TCP, UDP */
    const char *length;          /* of UDP */
    const char *others;          /* what can't be looked at here, and is left to the listener */
} words4 = {"(tcp[13] & 0x12 = 0x02)", {"tcp", "udp"}, {"tcp[2:2]", "udp[2:2]"}, "udp[4:2]", ""},
  words6 = {"(ip6[6] = 6 and ip6[53] & 0x12 = 0x02)",
            {"ip6[6] = 6", "ip6[6] = 17"},
            {"ip6[42:2]", "ip6[42:2]"},
            "ip6[44:2]",
            " or ip6[6] = 0 or ip6[6] = 43 or ip6[6] = 51 or ip6[6] = 60 or ip6[6] = 135"
            " or (ip6[6] = 44 and ip6[42:2] & 0xfff8 = 0)"};

static void write_packet(struct writer *writer, const struct words *words, unsigned port)
{
    write_text(writer, " or (%s and %s = %u and (%s = %u or %s = %u))", words->is[1],
               words->port[1], port, words->length, 8U + SEALED_SHORT, words->length,
               8U + SEALED_LONG);
}

unsigned capture_ports_write(const struct capture_ports *ports, int family, char text[CAPTURE_TEXT])
{
    const struct words *words = family == 4 ? &words4 : &words6;
    struct writer writer = {text, 0};
    struct port_set set = taken(ports);
    unsigned widened = 0;
    for (unsigned width = 1, count; (count = count_ranges(&set)) > CAPTURE_RANGES; width *= 2)
        widened += fill_gaps(&set, width, count - CAPTURE_RANGES);
    write_text(&writer, "%s and (%s", family == 4 ? "ip" : "ip6", words->syn);
    for (int i = 0; i < 2; i++)
        write_ports(&writer, &set, protocols[i], words->is[i], words->port[i]);
    if (ports->packet_port)
        write_packet(&writer, words, ports->packet_port);
    write_text(&writer, "%s)", words->others);
    return widened;
}
