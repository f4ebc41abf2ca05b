/* From a capture's records to IP packets with their times, for a replay. */
#include "knockd/capture_reader.h"

#include <stdio.h>
#include <string.h>

/* Captures have microseconds or nanoseconds; which, libpcap doesn't say. */
static struct timestamp take_time(struct capture_reader *reader,
                                  const struct capture_packet *record)
{
    struct timestamp timestamp = {.zone = TIMESTAMP_NONE};
    if (!record->has_time)
        return timestamp;
    if (record->time % 1000 != 0)
        reader->digits = 9;
    timestamp.time = record->time;
    timestamp.zone = TIMESTAMP_UTC;
    timestamp.digits = reader->digits;
    return timestamp;
}

/* Captures name no interface, but some say which packets the host sent, to others or itself. */
static void set_link(struct captured *captured, bool loopback)
{
    struct packet *packet = &captured->ip.packet;
    packet->link_group = captured->direction == LINK_GROUP;
    packet->in = loopback ? "lo" : "?";
    packet->in_len = captured->direction == LINK_OUTGOING ? 0 : (uint8_t)strlen(packet->in);
}

static enum line_verdict parse(int link, const struct capture_packet *record,
                               struct captured *captured)
{
    struct link_packet packet;
    enum line_verdict verdict = link_header_parse(link, record->bytes, record->len, &packet);
    if (verdict != LINE_PACKET)
        return verdict;
    captured->direction = packet.direction;
    captured->bytes = packet.ip;
    captured->len = packet.ip_len;
    /* Of a longer one a source that captures gets no more. */
    size_t copied = packet.ip_len < CAPTURE_COPIED ? packet.ip_len : CAPTURE_COPIED;
    size_t uncaptured = record->whole > record->len ? record->whole - record->len : 0;
    verdict = ip_packet_captured(packet.ip, copied, packet.ip_len + uncaptured, &captured->ip);
    set_link(captured, packet.loopback);
    return verdict;
}

static void take_record(struct capture_reader *reader, int link,
                        const struct capture_packet *record)
{
    struct captured captured;
    enum line_verdict verdict = parse(link, record, &captured);
    reader->verdicts[verdict]++;
    reader->began = true;
    if (verdict != LINE_PACKET)
        return;
    struct timestamp timestamp = take_time(reader, record);
    reader->calls.packet(reader->calls.arg, &timestamp, &captured);
}

static long read_input(void *arg, char *out, size_t size)
{
    struct capture_reader *reader = arg;
    if (!reader->stopped && !reader->calls.pause(reader->calls.arg, reader->input->live))
        reader->stopped = true;
    return reader->stopped ? 0 : replay_input_read(reader->input, out, size);
}

static bool read_records(struct capture_reader *reader, struct capture *capture,
                         char error[CAPTURE_ERROR_SIZE])
{
    struct capture_packet record;
    int link = capture_link(capture);
    if (!link_header_knows(link)) {
        snprintf(error, CAPTURE_ERROR_SIZE,
                 "its packets are of a link that knockd can't read (%s); it reads Ethernet, PPP, "
                 "loopback, raw IP, and Linux cooked, as of `tcpdump -i any`",
                 capture_link_name(capture));
        return false;
    }
    enum capture_result result = CAPTURE_PACKET;
    while (!reader->stopped && (result = capture_next(capture, &record, error)) == CAPTURE_PACKET)
        take_record(reader, link, &record);
    return reader->stopped || result == CAPTURE_END;
}

bool capture_reader_run(struct capture_reader *reader, struct replay_input *input,
                        char error[CAPTURE_ERROR_SIZE])
{
    reader->input = input;
    reader->digits = 6;
    struct capture *capture = capture_open(read_input, reader, error);
    if (!capture)
        return reader->stopped;
    bool ok = read_records(reader, capture, error);
    capture_free(capture);
    return ok;
}
