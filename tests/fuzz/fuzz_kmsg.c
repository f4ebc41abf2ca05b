/*
 * Records of /dev/kmsg, as a datagram each, separated by NULs in the input: each comes through
 * once, unchanged, in order; what their numbers say is missing is told of; only facility 0 is a
 * packet.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/config.h"
#include "listener/log_stream.h"
#include "listener/logline.h"

enum { RECORDS_MAX = 64 };

struct sent {
    const char *text[RECORDS_MAX];
    size_t len[RECORDS_MAX];
    unsigned count, read;
    uint64_t next; /* number that should come; 0: any */
    uint64_t missing, told;
    bool wild; /* a number of more digits than the kernel's are in a thousand years */
};

/* What follows the first newline are the record's properties, and no part of its message. */
static void claim_kernels(const char *message, size_t len)
{
    static const struct line_spec spec = {.format = LOG_KMSG};
    struct packet packet, alone;
    if (logline_parse(&spec, message, len, &packet) != LINE_PACKET)
        return;
    const char *newline = memchr(message, '\n', len);
    size_t message_len = newline ? (size_t)(newline - message) : len;
    CLAIM(*message >= '0' && *message <= '7' && message[1] == ',');
    CLAIM(logline_parse(&spec, message, message_len, &alone) == LINE_PACKET);
    CLAIM(addr_equal(&packet.src, &alone.src) && packet.dpt == alone.dpt);
}

static void count_missing(struct sent *sent, const char *message, size_t len)
{
    char digits[32] = "";
    const char *comma = memchr(message, ',', len);
    CLAIM(comma);
    size_t left = (size_t)(message + len - comma - 1);
    memcpy(digits, comma + 1, left < sizeof(digits) - 1 ? left : sizeof(digits) - 1);
    uint64_t number = strtoull(digits, NULL, 10);
    if (sent->next && number > sent->next)
        sent->missing += number - sent->next;
    sent->next = number + 1;
    sent->wild |= strspn(digits, "0123456789") > 19;
}

static bool on_line(void *arg, const char *line, size_t len)
{
    struct sent *sent = arg;
    /* What isn't a record at all is left out. */
    while (sent->read < sent->count &&
           (sent->len[sent->read] != len || memcmp(sent->text[sent->read], line, len) != 0))
        sent->read++;
    CLAIM(sent->read < sent->count);
    sent->read++;
    count_missing(sent, line, len);
    claim_kernels(line, len);
    return true;
}

static void on_event(void *arg, enum event_kind kind, uint64_t number)
{
    struct sent *sent = arg;
    CLAIM(kind == EVENT_GAP || kind == EVENT_CLOSED);
    if (kind == EVENT_GAP)
        sent->told += number;
}

static void send_records(struct input *in, int fd, struct sent *sent)
{
    while (in->p < in->end && sent->count < RECORDS_MAX) {
        size_t len = strnlen(in->p, (size_t)(in->end - in->p));
        sent->text[sent->count] = in->p;
        sent->len[sent->count] = len;
        in->p += len + (in->p + len < in->end);
        /* One of no bytes would be the end, and the kernel has none above 8 KiB. */
        if (len == 0 || len > LINES_LONGEST || send(fd, sent->text[sent->count], len, 0) < 0)
            continue;
        sent->count++;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    struct sent sent = {0};
    struct log_stream stream;
    struct message_fd message = {.kind = FD_LOG, .watch = -1};
    int ends[2];
    CLAIM(log_stream_init(&stream, SOURCE_KMSG, LOG_KMSG,
                          (struct log_stream_calls){on_line, on_event, &sent}) == 0);
    CLAIM(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, ends) == 0);
    log_stream_open(&stream, &message, ends[0], 0);
    send_records(&in, ends[1], &sent);
    while (log_stream_read(&stream, 0))
        ;
    CLAIM(sent.wild || sent.told == sent.missing);
    close(ends[1]);
    log_stream_free(&stream);
    return 0;
}
