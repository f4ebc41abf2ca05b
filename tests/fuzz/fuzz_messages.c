/*
 * The messages between the processes. The input is a text of letters, each a good message or an
 * action; "@", an offset, a count up to 15 and so many bytes change the next message. Those that go
 * down make up a listener's configuration and then questions and lines; those that go up are
 * checked by the keeper, and served when they are right.
 */
#include "fuzz_messages.h"

#include <sys/socket.h>
#include <unistd.h>

#include "knockd/listener_events.h"
#include "listener/pipeline.h"

struct bench {
    struct listener_config setup;
    enum listener_config_result result;
    bool ready; /* the pipeline has begun */
    int64_t now;
};

static struct keeper keeper;
static int ends[2];
static struct pipeline pipeline; /* large */

static void keeper_serve(const struct message *message)
{
    struct limit messages = limit_make(1, 1, 0);
    const struct message_open *open = &message->u.open;
    switch (message->type) {
    case MESSAGE_OPEN:
        CLAIM(open->door < keeper.config->door_count && open->source < keeper.config->source_count);
        authorize_refusal(keeper.config, keeper.plans, open->door, &open->address);
        break;
    case MESSAGE_SEALED:
        sealed_serve(&keeper.sealed, &keeper.authorize, &message->u.sealed);
        break;
    case MESSAGE_EVENT:
    case MESSAGE_SEEN:
        event_log(keeper.config, message, &messages, 0);
        break;
    case MESSAGE_REOPEN:
        break; /* of any watch: one that isn't there means nothing */
    default:
        CLAIM(message_is_answer(message->type));
        requests_listener_answer(&keeper.requests, keeper.config, message);
    }
}

/* What passes the boundary can be served. It is said when it is expected: what is in question is
 * its content. */
static void keeper_receive(const struct message *message)
{
    struct inbound in = {.authorize = &keeper.authorize,
                         .generation = message->generation,
                         .replied = true,
                         .asked = true,
                         .asked_why = true,
                         .query = message_answers(message),
                         .now = 1};
    if (inbound_check(&in, message))
        keeper_serve(message);
}

/* What a listener says of a configuration of its own is about what there is. */
static void on_tell(void *arg, struct message *message)
{
    const struct bench *b = arg;
    CLAIM(message_size(message->type) > 0);
    if (message->type == MESSAGE_OPEN)
        CLAIM(message->u.open.door < b->setup.door_count &&
              message->u.open.source < b->setup.source_count);
    if (message->type == MESSAGE_EFFECT)
        CLAIM(message->u.effect.door < b->setup.config.plain);
}

static void take_down(struct bench *b, const struct message *message)
{
    struct message smaller = *message;
    uint32_t *most = &smaller.u.config.max_sources;
    if (b->result != LISTENER_CONFIG_MORE)
        return;
    /* Memory for four million addresses would be all that is measured. */
    if (message->type == MESSAGE_CONFIG && *most <= CONFIG_MAX_SOURCES)
        *most %= 1024;
    b->result = listener_config_receive(&b->setup, &smaller);
    CLAIM((b->setup.matcher != NULL) == (b->result == LISTENER_CONFIG_COMPLETE) ||
          b->result == LISTENER_CONFIG_BAD);
    if (b->result != LISTENER_CONFIG_COMPLETE)
        return;
    b->ready = true;
    pipeline_init(&pipeline, &b->setup, on_tell, b, b->now);
}

/* The same packet, of a source that brings packets. */
static void take_packet(const struct bench *b, unsigned source, unsigned port)
{
    const struct listener_config_source *from = &b->setup.sources[source];
    static const uint8_t payload[SEALED_LONG] = {1, 2, 3};
    struct ip_packet packet = {.packet = {.src = {4, {192, 0, 2, (uint8_t)(source & 3)}},
                                          .dst = {4, {198, 51, 100, 1}},
                                          .proto = IPPROTO_UDP,
                                          .spt = (uint16_t)(source + port),
                                          .dpt = (uint16_t)port,
                                          .has_ports = true,
                                          .length = 8 + SEALED_SHORT,
                                          .in = "eth0",
                                          .in_len = 4},
                               .payload = payload,
                               .payload_len = port & 1 ? SEALED_SHORT : SEALED_LONG};
    pipeline_packet(&pipeline, source, LINE_PACKET, from->type == SOURCE_PCAP ? NULL : "[DENY] ", 7,
                    &packet, b->now);
}

/* A packet to the port that the next two bytes tell, of TCP or UDP. */
static void take_line(struct bench *b, struct input *in)
{
    char line[512];
    unsigned source = input_byte(in), port = input_byte(in);
    port = port << 8 | input_byte(in);
    b->now += INT64_C(100000000) << (source >> 4);
    if (!b->ready || b->setup.source_count == 0)
        return;
    int len =
        snprintf(line, sizeof(line),
                 "4,1,%u,-;[DENY] IN=eth0 OUT= SRC=192.0.2.%u DST=198.51.100.1 LEN=40 TOS=0x00 "
                 "PREC=0x00 TTL=64 ID=1 PROTO=UDP SPT=%u DPT=%u LEN=20 ",
                 source, source & 3, source + port, port);
    const char *text = b->setup.sources[source % b->setup.source_count].spec.format == LOG_KMSG
                           ? line
                           : "kernel: [DENY] IN=eth0 OUT= ";
    if (source_is_of_packets(b->setup.sources[source % b->setup.source_count].type))
        take_packet(b, source % b->setup.source_count, port);
    else
        pipeline_line(&pipeline, source % b->setup.source_count, text,
                      text == line ? (size_t)len : strlen(text),
                      (struct line_moment){.now = b->now, .wall = b->now});
    if (pipeline_next(&pipeline) <= b->now)
        pipeline_due(&pipeline, b->now);
}

/* As a datagram of any length it is taken only if it has exactly its size. */
static void claim_exact(const struct message *message, size_t len)
{
    struct message got = {0};
    int fd;
    len = len < sizeof(*message) ? len : sizeof(*message);
    CLAIM(len == 0 || send(ends[0], message, len, 0) == (ssize_t)len);
    enum message_result result = message_receive(ends[1], &got, &fd);
    CLAIM(fd == -1);
    if (len == 0)
        CLAIM(result == MESSAGE_NONE);
    else
        CLAIM(result ==
              (len >= 4 && len == message_size(message->type) ? MESSAGE_GOT : MESSAGE_BAD));
}

static void change(struct input *in, struct message *message, size_t size)
{
    while (in->p < in->end && *in->p == '@') {
        input_byte(in);
        size_t at = input_byte(in), count = input_byte(in) % 16;
        char bytes[16] = {0};
        input_bytes(in, bytes, count);
        if (at + count <= size)
            memcpy((char *)message + at, bytes, count);
    }
}

static void step(struct bench *b, struct input *in)
{
    struct message message = {0};
    char letter = (char)input_byte(in);
    if (letter == 'l') {
        take_line(b, in);
        return;
    }
    bool down = letter != 'k' && message_of(letter, &message);
    if (letter == 'k')
        sealed_record(&keeper.sealed, in, &message);
    size_t size = message_size(message.type);
    change(in, &message, size);
    claim_exact(&message, size + (letter == 'x' ? input_byte(in) : 0));
    if (!down)
        keeper_receive(&message);
    else if (message.type == MESSAGE_QUERY && b->ready)
        pipeline_query(&pipeline, &message.u.query);
    else
        take_down(b, &message);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    keeper_make(&keeper);
    CLAIM(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    struct bench b = {.result = LISTENER_CONFIG_MORE, .now = 1};
    for (int i = 0; i < 200 && in.p < in.end; i++)
        step(&b, &in);
    listener_config_free(&b.setup);
    return 0;
}
