/* Compiles the filters of captures, and reads their files, by libpcap. */
#include "lib/capture.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
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

/* libpcap's instructions are the kernel's. */
static void fill_program(struct capture_filter *filter)
{
    _Static_assert(sizeof(struct bpf_insn) == sizeof(struct sock_filter), "an instruction");
    memcpy(filter->program, for_this_host, sizeof(for_this_host));
    memcpy(filter->program + HEAD, filter->compiled.bf_insns,
           filter->compiled.bf_len * sizeof(struct sock_filter));
    filter->count = HEAD + filter->compiled.bf_len;
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
    if (ok && filter->compiled.bf_len > BPF_MAXINSNS - HEAD) {
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
        fill_program(filter);
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
    const struct pcap_pkthdr header = {.caplen = (bpf_u_int32)len, .len = (bpf_u_int32)len};
    return pcap_offline_filter(&filter->compiled, &header, bytes) != 0;
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
    *out = (struct capture_packet){.bytes = bytes, .len = header->caplen};
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
