/*
 * The records between the processes. The input is a text of letters, each a good record or an
 * action; "@", an offset, a count up to 15 and so many bytes change the next record. Those that go
 * down make up a listener's configuration and then questions and lines; those that go up are
 * judged by the keeper.
 */
#include "fuzz_records.h"

#include <sys/socket.h>
#include <unistd.h>

#include "keeper/gate.h"
#include "knockd/events.h"
#include "listener/intake.h"

struct bench {
    struct setup setup;
    enum setup_result result;
    bool ready; /* the intake has begun */
    int64_t now;
};

static struct keeper keeper;
static int ends[2];
static struct intake intake; /* large */

/* Whether the keeper acts on what a listener said; what it would end it for is false. */
static bool keeper_takes(const struct record *record)
{
    struct limit messages = limit_make(1, 1, 0);
    const char *why = NULL;
    enum gate_verdict verdict;
    switch (record->type) {
    case RECORD_OPEN:
        verdict = gate_judge(keeper.config, keeper.plans, &record->u.open, &why);
        CLAIM(verdict != GATE_OPEN || record->u.open.door < keeper.config->door_count);
        CLAIM(verdict != GATE_REFUSED || why);
        return verdict != GATE_BAD;
    case RECORD_SEALED:
        return sealed_takes(&keeper.sealed, &record->u.sealed);
    case RECORD_EVENT:
    case RECORD_SEEN:
        return events_log(keeper.config, record, &messages, 0);
    case RECORD_REOPEN:
        return true; /* of any watch: one that isn't there means nothing */
    default:
        return desk_record(&keeper.desk, keeper.config, record);
    }
}

/* What a listener says of a configuration of its own is about what there is. */
static void on_tell(void *arg, struct record *record)
{
    const struct bench *b = arg;
    CLAIM(record_size(record->type) > 0);
    if (record->type == RECORD_OPEN)
        CLAIM(record->u.open.door < b->setup.door_count &&
              record->u.open.source < b->setup.source_count);
    if (record->type == RECORD_EFFECT)
        CLAIM(record->u.effect.door < b->setup.config.plain);
}

static void take_down(struct bench *b, const struct record *record)
{
    struct record smaller = *record;
    uint32_t *most = &smaller.u.config.max_sources;
    if (b->result != SETUP_MORE)
        return;
    /* Memory for four million addresses would be all that is measured. */
    if (record->type == RECORD_CONFIG && *most <= CONFIG_MAX_SOURCES)
        *most %= 1024;
    b->result = setup_take(&b->setup, &smaller);
    CLAIM((b->setup.matcher != NULL) == (b->result == SETUP_COMPLETE) || b->result == SETUP_BAD);
    if (b->result != SETUP_COMPLETE)
        return;
    b->ready = true;
    intake_init(&intake, &b->setup, on_tell, b, b->now);
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
    intake_line(&intake, source % b->setup.source_count, text,
                text == line ? (size_t)len : strlen(text), b->now);
    if (intake_next(&intake) <= b->now)
        intake_due(&intake, b->now);
}

/* As a datagram of any length it is taken only if it has exactly its size. */
static void claim_exact(const struct record *record, size_t len)
{
    struct record got = {0};
    int fd;
    len = len < sizeof(*record) ? len : sizeof(*record);
    CLAIM(len == 0 || send(ends[0], record, len, 0) == (ssize_t)len);
    enum record_result result = record_receive(ends[1], &got, &fd);
    CLAIM(fd == -1);
    if (len == 0)
        CLAIM(result == RECORD_NONE);
    else
        CLAIM(result == (len >= 4 && len == record_size(record->type) ? RECORD_GOT : RECORD_BAD));
}

static void change(struct input *in, struct record *record, size_t size)
{
    while (in->p < in->end && *in->p == '@') {
        input_byte(in);
        size_t at = input_byte(in), count = input_byte(in) % 16;
        char bytes[16] = {0};
        input_bytes(in, bytes, count);
        if (at + count <= size)
            memcpy((char *)record + at, bytes, count);
    }
}

static void step(struct bench *b, struct input *in)
{
    struct record record = {0};
    char letter = (char)input_byte(in);
    if (letter == 'l') {
        take_line(b, in);
        return;
    }
    bool down = letter != 'k' && record_of(letter, &record);
    if (letter == 'k')
        sealed_record(&keeper.sealed, in, &record);
    size_t size = record_size(record.type);
    change(in, &record, size);
    claim_exact(&record, size + (letter == 'x' ? input_byte(in) : 0));
    if (!down)
        keeper_takes(&record);
    else if (record.type == RECORD_QUERY && b->ready)
        intake_query(&intake, &record.u.query);
    else
        take_down(b, &record);
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
    struct bench b = {.result = SETUP_MORE, .now = 1};
    for (int i = 0; i < 200 && in.p < in.end; i++)
        step(&b, &in);
    setup_free(&b.setup);
    return 0;
}
