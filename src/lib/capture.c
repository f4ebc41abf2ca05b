/* Compiles the filters of captures, and reads their files, by libpcap. */
#include "lib/capture.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "lib/clock.h"

/* What stands before libpcap's program: only packets that are for this host. */
static const struct sock_filter for_this_host[] = {
    {BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)},
    {BPF_JMP | BPF_JEQ | BPF_K, 1, 0, PACKET_HOST},
    {BPF_RET | BPF_K, 0, 0, 0},
};

enum { HEAD = sizeof(for_this_host) / sizeof(*for_this_host) };

/*
 * What stands between the two: it takes UDP to ports of one class, whose number is in the last
 * instruction but one. Written by hand, since libpcap's optimizer makes programs of such arithmetic
 * that the kernel refuses: they read scratch memory that isn't written on each way to there.
 */
#define LOAD(size, offset)                                                                         \
    {                                                                                              \
        BPF_LD | (size) | BPF_ABS, 0, 0, (offset)                                                  \
    }
#define UNLESS(test, value, skip)                                                                  \
    {                                                                                              \
        BPF_JMP | (test) | BPF_K, 0, (skip), (value)                                               \
    }
#define IF(test, value, skip)                                                                      \
    {                                                                                              \
        BPF_JMP | (test) | BPF_K, (skip), 0, (value)                                               \
    }
#define OPERATE(operation, value)                                                                  \
    {                                                                                              \
        BPF_ALU | (operation) | BPF_K, 0, 0, (value)                                               \
    }
#define TAKE                                                                                       \
    {                                                                                              \
        BPF_RET | BPF_K, 0, 0, CAPTURE_COPIED                                                      \
    }

/* The port is in the accumulator; the last ones compare its class, and take the packet. */
#define SAMPLE_PORT                                                                                \
    {BPF_ST, 0, 0, 0}, OPERATE(BPF_RSH, CAPTURE_FOLD), {BPF_MISC | BPF_TAX, 0, 0, 0},              \
        {BPF_LD | BPF_MEM, 0, 0, 0}, {BPF_ALU | BPF_XOR | BPF_X, 0, 0, 0},                         \
        OPERATE(BPF_MUL, CAPTURE_SPREAD), OPERATE(BPF_AND, CAPTURE_CLASS), UNLESS(BPF_JEQ, 0, 1),  \
        TAKE

static const struct sock_filter sample4[] = {
    LOAD(BPF_B, 0),
    OPERATE(BPF_RSH, 4),
    UNLESS(BPF_JEQ, 4, 16),
    LOAD(BPF_B, 9),
    UNLESS(BPF_JEQ, IPPROTO_UDP, 14),
    LOAD(BPF_H, 6),
    IF(BPF_JSET, 0x1fff, 12), /* a later fragment */
    {BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0},
    {BPF_LD | BPF_H | BPF_IND, 0, 0, 2},
    IF(BPF_JGE, CAPTURE_SAMPLED, 9),
    SAMPLE_PORT,
};

static const struct sock_filter sample6[] = {
    LOAD(BPF_B, 0),
    OPERATE(BPF_RSH, 4),
    UNLESS(BPF_JEQ, 6, 13),
    LOAD(BPF_B, 6),
    UNLESS(BPF_JEQ, IPPROTO_UDP, 11),
    LOAD(BPF_H, 42),
    IF(BPF_JGE, CAPTURE_SAMPLED, 9),
    SAMPLE_PORT,
};

enum { SAMPLE_MAX = sizeof(sample4) / sizeof(*sample4) };
_Static_assert(sizeof(sample6) <= sizeof(sample4), "room for either");

struct capture_filter {
    struct bpf_program compiled;
    unsigned widened;
    unsigned count;
    struct sock_filter program[BPF_MAXINSNS];
};

bool capture_is_built(void)
{
    return true;
}

static void append(struct capture_filter *filter, const void *program, size_t count)
{
    memcpy(filter->program + filter->count, program, count * sizeof(struct sock_filter));
    filter->count += (unsigned)count;
}

/* libpcap's instructions are the kernel's. */
static void fill_program(struct capture_filter *filter, const struct capture_ports *ports,
                         int family)
{
    _Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "an instruction");
    unsigned served, sample = capture_ports_sample(ports, &served);
    append(filter, for_this_host, HEAD);
    if (sample < CAPTURE_SAMPLES) {
        if (family == 4)
            append(filter, sample4, sizeof(sample4) / sizeof(*sample4));
        else
            append(filter, sample6, sizeof(sample6) / sizeof(*sample6));
        filter->program[filter->count - 2].k = sample << CAPTURE_SHIFT;
        filter->widened += served;
    }
    append(filter, filter->compiled.bf_insns, filter->compiled.bf_len);
}

static bool compile(struct capture_filter *filter, const char *text, char *why, size_t size)
{
    pcap_t *raw = pcap_open_dead(DLT_RAW, CAPTURE_COPIED);
    if (!raw) {
        snprintf(why, size, "out of memory");
        return false;
    }
    bool ok = pcap_compile(raw, &filter->compiled, text, 1, PCAP_NETMASK_UNKNOWN) == 0;
    if (!ok)
        snprintf(why, size, "libpcap can't compile the filter: %s", pcap_geterr(raw));
    pcap_close(raw);
    if (ok && filter->compiled.bf_len > BPF_MAXINSNS - HEAD - SAMPLE_MAX) {
        snprintf(why, size, "the filter is too long for the kernel: %u instructions",
                 filter->compiled.bf_len);
        return false;
    }
    return ok;
}

struct capture_filter *capture_filter_new(const struct capture_ports *ports, int family, char *why,
                                          size_t size)
{
    struct capture_filter *filter = calloc(1, sizeof(*filter));
    char *text = malloc(CAPTURE_TEXT);
    if (!filter || !text) {
        snprintf(why, size, "out of memory");
        free(filter);
        free(text);
        return NULL;
    }
    filter->widened = capture_ports_write(ports, family, text);
    if (compile(filter, text, why, size)) {
        fill_program(filter, ports, family);
    } else {
        capture_filter_free(filter);
        filter = NULL;
    }
    free(text);
    return filter;
}

void capture_filter_free(struct capture_filter *filter)
{
    if (!filter)
        return;
    pcap_freecode(&filter->compiled);
    free(filter);
}

unsigned capture_filter_widened(const struct capture_filter *filter)
{
    return filter->widened;
}

const struct sock_filter *capture_filter_program(const struct capture_filter *filter,
                                                 unsigned *count)
{
    *count = filter->count;
    return filter->program;
}

bool capture_filter_takes(const struct capture_filter *filter, const uint8_t *bytes, size_t len)
{
    return bpf_filter((const struct bpf_insn *)(const void *)(filter->program + HEAD), bytes,
                      (u_int)len, (u_int)len) != 0;
}

/* --- files --- */

struct capture {
    pcap_t *pcap; /* owns the stream that reads */
    capture_read *read;
    void *arg;
    int error; /* errno of a read that failed; 0: none */
};

static ssize_t read_bytes(void *cookie, char *out, size_t size)
{
    struct capture *capture = cookie;
    long got = capture->read(capture->arg, out, size);
    if (got < 0)
        capture->error = errno;
    return got;
}

/* libpcap says of a read that failed no more than that. */
static void take_error(const struct capture *capture, const char *text, char *error)
{
    snprintf(error, CAPTURE_ERROR_SIZE, "%s", capture->error ? strerror(capture->error) : text);
}

struct capture *capture_open(capture_read *read, void *arg, char error[CAPTURE_ERROR_SIZE])
{
    char text[PCAP_ERRBUF_SIZE] = "";
    struct capture *capture = calloc(1, sizeof(*capture));
    if (!capture) {
        snprintf(error, CAPTURE_ERROR_SIZE, "%s", strerror(errno));
        return NULL;
    }
    *capture = (struct capture){.read = read, .arg = arg};
    FILE *stream = fopencookie(capture, "r", (cookie_io_functions_t){.read = read_bytes});
    if (stream)
        capture->pcap =
            pcap_fopen_offline_with_tstamp_precision(stream, PCAP_TSTAMP_PRECISION_NANO, text);
    if (capture->pcap)
        return capture;
    take_error(capture, stream ? text : strerror(errno), error);
    if (stream)
        fclose(stream);
    free(capture);
    return NULL;
}

int capture_link(const struct capture *capture)
{
    return pcap_datalink(capture->pcap);
}

const char *capture_link_name(const struct capture *capture)
{
    const char *name = pcap_datalink_val_to_description(capture_link(capture));
    return name ? name : "unknown";
}

/* With this precision tv_usec has nanoseconds. */
static void take_time(const struct pcap_pkthdr *header, struct capture_packet *out)
{
    int64_t seconds = header->ts.tv_sec, fraction = header->ts.tv_usec;
    out->has_time = seconds >= 0 && seconds < INT64_MAX / CLOCK_SECOND && fraction >= 0 &&
                    fraction < CLOCK_SECOND;
    out->time = out->has_time ? seconds * CLOCK_SECOND + fraction : 0;
}

enum capture_result capture_next(struct capture *capture, struct capture_packet *out,
                                 char error[CAPTURE_ERROR_SIZE])
{
    struct pcap_pkthdr *header;
    const u_char *bytes;
    int result = pcap_next_ex(capture->pcap, &header, &bytes);
    if (result == PCAP_ERROR_BREAK && !capture->error)
        return CAPTURE_END;
    if (result != 1) {
        take_error(capture, pcap_geterr(capture->pcap), error);
        return CAPTURE_BROKEN;
    }
    *out = (struct capture_packet){.bytes = bytes, .len = header->caplen, .whole = header->len};
    take_time(header, out);
    return CAPTURE_PACKET;
}

void capture_free(struct capture *capture)
{
    if (!capture)
        return;
    pcap_close(capture->pcap);
    free(capture);
}
