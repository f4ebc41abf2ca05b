/* What a listener may say: every type of message with every field in and out of range, at every
 * time, in every size. What no honest listener says is refused, and nothing has come of it. */
#include "authorize_help.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "keeper/inbound.h"
#include "knockd/listener_events.h"

#define COMMANDS " start_command = true stop_command = true "

/* Two sources, one of which no door hears; behind these doors are two one-time sequences. */
static const char doors_text[] =
    "source deaf { type = file path = /var/log/kern.log }\n"
    "door plain { source = s sequence = { 90, 70, 80 }" COMMANDS "}\n"
    "door ssh { key = alice port = 22" COMMANDS "}\n"
    "door both { source = s sequence = { 9, 7, 8 } key = alice" COMMANDS "}\n";

enum { SOURCES = 2, DOORS = 3, ONCE = 2, STEPS = 3, GENERATION = 5, QUERY = 7, PING = 9 };

/* The good messages that the tables begin with. */
enum which {
    REPLY,
    KNOCK,
    SEALED,
    STAGE,
    STALLED,
    SCAN,
    STALE,
    GAP,
    CLOSED,
    COMPLAINT,
    REOPEN,
    SEEN,
    COUNTERS,
    STATS,
    OTHER,
    PACKET,
    EFFECT,
    ANSWERED,
    PONG,
    GOOD_MESSAGES,
};

static const char *const names[GOOD_MESSAGES] = {
    "REPLY",      "KNOCK",       "SEALED",    "EVENT_STAGE",  "EVENT_STALLED",
    "EVENT_SCAN", "EVENT_STALE", "EVENT_GAP", "EVENT_CLOSED", "EVENT_SANDBOX",
    "REOPEN",     "SEEN",        "COUNTERS",  "STATS",        "OTHER",
    "PACKET",     "EFFECT",      "ANSWERED",  "PONG"};

#define CLIENT                                                                                     \
    {                                                                                              \
        4,                                                                                         \
        {                                                                                          \
            198, 51, 100, 7                                                                        \
        }                                                                                          \
    }

static const struct message messages[GOOD_MESSAGES] = {
    [REPLY] = {.type = MESSAGE_REPLY},
    [KNOCK] = {.type = MESSAGE_OPEN, .u.open.address = CLIENT},
    [SEALED] = {.type = MESSAGE_SEALED, .u.sealed = {0, CLIENT, SEALED_SHORT, {0}}},
    [STAGE] = {.type = MESSAGE_EVENT, .u.event = {EVENT_STAGE, 0, 0, CLIENT, 1, {0, 0}, ""}},
    [STALLED] = {.type = MESSAGE_EVENT,
                 .u.event = {EVENT_STALLED, 0, 0, CLIENT, 1, {443, IPPROTO_TCP}, ""}},
    [SCAN] = {.type = MESSAGE_EVENT, .u.event = {EVENT_SCAN, 0, 0, CLIENT, 9, {0, 0}, ""}},
    [STALE] = {.type = MESSAGE_EVENT,
               .u.event = {EVENT_STALE, 0, STALE_OLD, CLIENT, 34, {0, 0}, ""}},
    [GAP] = {.type = MESSAGE_EVENT, .u.event = {EVENT_GAP, 0, 0, {0, {0}}, 12, {0, 0}, ""}},
    [CLOSED] = {.type = MESSAGE_EVENT, .u.event = {EVENT_CLOSED, 0, 0, {0, {0}}, EIO, {0, 0}, ""}},
    [COMPLAINT] = {.type = MESSAGE_EVENT,
                   .u.event = {EVENT_SANDBOX, 0, SANDBOX_CHROOT, {0, {0}}, EPERM, {0, 0}, ""}},
    [REOPEN] = {.type = MESSAGE_REOPEN, .u.reopen.watch = -1},
    [SEEN] = {.type = MESSAGE_SEEN,
              .u.seen = {.kind = SEEN_PREFIX, .packets = 2, .count = 2, .text = "[UFW] "}},
    [COUNTERS] = {.type = MESSAGE_COUNTERS, .u.counters.query = QUERY},
    [STATS] = {.type = MESSAGE_STATS, .u.stats = {.query = QUERY, .last_line = 1}},
    [OTHER] = {.type = MESSAGE_OTHER, .u.other = {.query = QUERY, .count = 1, .text = "[UFW] "}},
    [PACKET] = {.type = MESSAGE_PACKET,
                .u.packet = {.query = QUERY, .proto = IPPROTO_TCP, .dst = CLIENT, .time = 1}},
    [EFFECT] = {.type = MESSAGE_EFFECT, .u.effect = {.query = QUERY, .before = 1, .after = 2}},
    [ANSWERED] = {.type = MESSAGE_ANSWERED, .u.answered.query = QUERY},
    [PONG] = {.type = MESSAGE_PONG, .u.ping.number = PING},
};

static enum inbound_result result_of(enum which which)
{
    if (which == REPLY)
        return INBOUND_REPLIED;
    return which == ANSWERED || which == PONG ? INBOUND_ANSWERED : INBOUND_SERVED;
}

/* --- a keeper --- */

struct inbound_world {
    struct authorize_world w;
    struct authorize service;
    struct one_time_line lines[ONCE];
    struct config_source log; /* of the keeper's log sources */
    struct config logs;
    struct log_sources *sources;
    struct inbound in;
    struct limit rate; /* of what is logged */
    int ends[2];
    unsigned events, answers;
};

static void on_event(void *arg, const struct message *message)
{
    struct inbound_world *world = arg;
    world->events++;
    event_log(world->w.config, message, &world->rate, world->w.now);
}

static void on_answer(void *arg, const struct message *message)
{
    struct inbound_world *world = arg;
    assert_true(message_is_answer(message->type));
    world->answers++;
}

static void make_logs(struct inbound_world *world)
{
    static char name[] = "log", path[] = "/nonexistent/knockd-log";
    struct report report = {.say = hear, .arg = &world->w.told};
    world->log = (struct config_source){.name = name, .type = SOURCE_FILE, .path = path};
    world->logs = (struct config){.sources = &world->log, .source_count = 1};
    world->sources =
        log_sources_open(world->w.kept.w.bench.loop, &world->logs, NULL, NULL, &report);
    assert_non_null(world->sources);
}

static void make_inbound_world(struct inbound_world *world)
{
    memset(world, 0, sizeof(*world));
    authorize_make_world(&world->w, doors_text);
    assert_int_equal(world->w.config->source_count, SOURCES);
    assert_int_equal(world->w.config->door_count, DOORS);
    for (unsigned i = 0; i < ONCE; i++)
        world->lines[i] = (struct one_time_line){.text = i ? "b" : "a"};
    world->w.once = (struct one_time){.count = ONCE, .lines = world->lines};
    world->service = authorize_of(&world->w);
    make_logs(world);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, world->ends), 0);
}

static void end_inbound_world(struct inbound_world *world)
{
    close(world->ends[0]);
    close(world->ends[1]);
    log_sources_close(world->sources);
    authorize_end_world(&world->w);
}

/* The conversation has come to where `which` is expected. With `spent`, all limits are used up. */
static void expect(struct inbound_world *world, enum which which, bool spent)
{
    bool early = which == REPLY || which == COMPLAINT;
    world->in = (struct inbound){.authorize = &world->service,
                                 .sources = world->sources,
                                 .calls = {on_event, on_answer, world},
                                 .generation = GENERATION,
                                 .replied = !early,
                                 .pinged = !early,
                                 .ping = PING,
                                 .asked = !early,
                                 .query = QUERY,
                                 .asked_why = true};
    world->rate = limit_make(1, spent ? 0 : 1000, world->w.now);
    world->w.limits = authorize_limits_make(world->w.now);
    struct limit none = limit_make(1, 0, world->w.now);
    if (spent)
        world->w.limits =
            (struct authorize_limits){.one_time = none, .sealed_openings = none, .messages = none};
    for (int i = 0; spent && i < CONFIG_SOURCES_MAX; i++)
        world->w.limits.sources[i] = (struct authorize_source){
            .openings = none, .lone_openings = none, .refusals = none, .strangers = none};
}

static struct message good(enum which which)
{
    struct message message = messages[which];
    message.generation = which == COMPLAINT ? 0 : GENERATION;
    return message;
}

static enum inbound_result receive(struct inbound_world *world)
{
    struct message message;
    return inbound_receive(&world->in, world->ends[1], &message);
}

/* The listener says these bytes. */
static enum inbound_result say(struct inbound_world *world, const void *bytes, size_t size)
{
    assert_int_equal(send(world->ends[0], bytes, size, 0), size);
    return receive(world);
}

static enum inbound_result say_message(struct inbound_world *world, const struct message *message)
{
    return say(world, message, message_size(message->type));
}

/* Nothing was done: the conversation is where it was, and nobody was told of anything. */
static void assert_untouched(const struct inbound_world *world, const struct inbound_world *before,
                             const char *what)
{
    struct inbound in = world->in;
    in.now = before->in.now;
    if (memcmp(&in, &before->in, sizeof(in)) != 0 ||
        memcmp(&world->w.limits, &before->w.limits, sizeof(world->w.limits)) != 0 ||
        world->events != before->events || world->answers != before->answers)
        fail_msg("%s was refused, but something came of it", what);
}

/* --- fields --- */

/* A field of a good message that is set to another value. */
struct field {
    enum which which;
    const char *name;
    size_t offset, size;
    uint64_t value;
    bool good;
};

#define OF(member)                                                                                 \
#member, offsetof(struct message, u.member), sizeof(((struct message *)0)->u.member)
#define COUNT_FIELD(which, member)                                                                 \
    {which, OF(member), INT64_MAX, true}, {which, OF(member), (uint64_t)INT64_MAX + 1, false},     \
    {                                                                                              \
        which, OF(member), UINT64_MAX, false                                                       \
    }
#define SOURCE_FIELD(which, member)                                                                \
    {which, OF(member), SOURCES, false},                                                           \
    {                                                                                              \
        which, OF(member), UINT32_MAX, false                                                       \
    }
#define ADDRESS_FIELD(which, member)                                                               \
    {which, OF(member.family), 6, true}, {which, OF(member.family), 0, false},                     \
        {which, OF(member.family), 5, false}, {which, OF(member.family), 255, false},              \
        {which, OF(member.bytes[0]), 255, true}, {which, OF(member.bytes[4]), 1, false},           \
    {                                                                                              \
        which, OF(member.bytes[15]), 1, false                                                      \
    }
#define NO_ADDRESS_FIELD(which, member)                                                            \
    {which, OF(member.family), 4, false}, {which, OF(member.family), 6, false},                    \
        {which, OF(member.family), 5, false}, {which, OF(member.bytes[0]), 1, false},              \
    {                                                                                              \
        which, OF(member.bytes[15]), 1, false                                                      \
    }
#define TIME_FIELD(which, member)                                                                  \
    {which, OF(member), 0, true}, {which, OF(member), UINT64_MAX, false},                          \
        {which, OF(member), INT64_MAX, false},                                                     \
    {                                                                                              \
        which, OF(member), (uint64_t)INT64_MIN, false                                              \
    }
#define NUMBER_FIELD(which, member, number)                                                        \
    {which, OF(member), (number)-1, false}, {which, OF(member), (number) + 1, false},              \
    {                                                                                              \
        which, OF(member), 0, false                                                                \
    }

static const struct field fields[] = {
    SOURCE_FIELD(KNOCK, open.source),
    {KNOCK, OF(open.source), 1, false}, /* no door hears it */
    {KNOCK, OF(open.port), UINT16_MAX, true},
    {KNOCK, OF(open.door), 1, false}, /* keys alone open it */
    {KNOCK, OF(open.door), 2, true},
    {KNOCK, OF(open.door), DOORS, true},
    {KNOCK, OF(open.door), DOORS + ONCE - 1, true},
    {KNOCK, OF(open.door), DOORS + ONCE, false},
    {KNOCK, OF(open.door), UINT32_MAX, false},
    ADDRESS_FIELD(KNOCK, open.address),

    SOURCE_FIELD(SEALED, sealed.source),
    {SEALED, OF(sealed.length), SEALED_LONG, true},
    {SEALED, OF(sealed.length), 0, false},
    {SEALED, OF(sealed.length), SEALED_SHORT - 1, false},
    {SEALED, OF(sealed.length), SEALED_SHORT + 1, false},
    {SEALED, OF(sealed.length), SEALED_LONG - 1, false},
    {SEALED, OF(sealed.length), SEALED_LONG + 1, false},
    {SEALED, OF(sealed.length), UINT32_MAX, false},
    {SEALED, OF(sealed.message[0]), 255, true},
    ADDRESS_FIELD(SEALED, sealed.address),

    {STAGE, OF(event.kind), 0, false},
    {STAGE, OF(event.kind), EVENT_GAP, false}, /* it has an address */
    {STAGE, OF(event.kind), EVENT_SANDBOX, false},
    {STAGE, OF(event.kind), EVENT_KINDS, false},
    {STAGE, OF(event.kind), UINT32_MAX, false},
    SOURCE_FIELD(STAGE, event.source),
    {STAGE, OF(event.door), 1, false}, /* it has no sequence */
    {STAGE, OF(event.door), 2, true},
    {STAGE, OF(event.door), DOORS, false}, /* of one-time sequences nothing is told */
    {STAGE, OF(event.door), UINT32_MAX, false},
    ADDRESS_FIELD(STAGE, event.address),
    {STAGE, OF(event.number), 0, false},
    {STAGE, OF(event.number), STEPS - 1, true},
    {STAGE, OF(event.number), STEPS, false},
    {STAGE, OF(event.number), UINT64_MAX, false},
    {STAGE, OF(event.instead.port), 443, false},
    {STAGE, OF(event.instead.proto), IPPROTO_TCP, false},

    {STALLED, OF(event.kind), EVENT_SILENT, false},
    SOURCE_FIELD(STALLED, event.source),
    {STALLED, OF(event.door), 1, false},
    {STALLED, OF(event.door), DOORS, false},
    ADDRESS_FIELD(STALLED, event.address),
    {STALLED, OF(event.number), 0, false},
    {STALLED, OF(event.number), STEPS - 1, true},
    {STALLED, OF(event.number), STEPS, false},
    {STALLED, OF(event.number), (uint64_t)1 << 32 | 1, false},
    {STALLED, OF(event.instead.port), 0, true},
    {STALLED, OF(event.instead.port), 65535, true},
    {STALLED, OF(event.instead.proto), IPPROTO_UDP, true},
    {STALLED, OF(event.instead.proto), IPPROTO_ICMP, false},
    {STALLED, OF(event.instead.proto), 0, false},
    {STALLED, OF(event.instead.proto), 255, false},

    SOURCE_FIELD(SCAN, event.source),
    {SCAN, OF(event.door), 1, false},    /* it has no sequence */
    {SCAN, OF(event.door), DOORS, true}, /* a one-time sequence, which is that door's */
    {SCAN, OF(event.door), DOORS + ONCE, false},
    {SCAN, OF(event.door), UINT32_MAX, false},
    ADDRESS_FIELD(SCAN, event.address),
    COUNT_FIELD(SCAN, event.number),
    {SCAN, OF(event.instead.port), 443, false},
    {SCAN, OF(event.instead.proto), IPPROTO_TCP, false},

    SOURCE_FIELD(STALE, event.source),
    {STALE, OF(event.door), STALE_NOT, false},
    {STALE, OF(event.door), STALE_REASONS - 1, true},
    {STALE, OF(event.door), STALE_REASONS, false},
    {STALE, OF(event.door), UINT32_MAX, false},
    ADDRESS_FIELD(STALE, event.address),
    {STALE, OF(event.number), 0, true},
    COUNT_FIELD(STALE, event.number),
    {STALE, OF(event.instead.port), 443, false},
    {STALE, OF(event.host[0]), 'g', true},
    {STALE, OF(event.host[0]), 0, true},
    {STALE, OF(event.host[0]), '\033', false},
    {STALE, OF(event.host[0]), '/', false},
    {STALE, OF(event.host[0]), ' ', false},
    {STALE, OF(event.host[1]), 'g', false}, /* behind the end */
    {STALE, OF(event.host[63]), 'g', false},
    {STALE, OF(event.instead.proto), IPPROTO_TCP, false},

    {GAP, OF(event.kind), EVENT_STAGE, false},   /* it has no address */
    {GAP, OF(event.kind), EVENT_STALLED, false}, /* likewise */
    {GAP, OF(event.kind), EVENT_SCAN, false},    /* likewise */
    {GAP, OF(event.kind), EVENT_STALE, false},   /* likewise */
    {GAP, OF(event.kind), EVENT_LONG, true},
    {GAP, OF(event.kind), EVENT_TRUNCATED, true},
    {GAP, OF(event.kind), EVENT_SILENT, true},
    SOURCE_FIELD(GAP, event.source),
    {GAP, OF(event.door), 1, false},
    NO_ADDRESS_FIELD(GAP, event.address),
    {GAP, OF(event.number), 0, true},
    {GAP, OF(event.host[0]), 'g', false}, /* of a refused line alone */
    COUNT_FIELD(GAP, event.number),
    {GAP, OF(event.instead.port), 443, false},
    {GAP, OF(event.instead.proto), IPPROTO_TCP, false},

    SOURCE_FIELD(CLOSED, event.source),
    {CLOSED, OF(event.door), 1, false},
    NO_ADDRESS_FIELD(CLOSED, event.address),
    {CLOSED, OF(event.number), 0, true},
    {CLOSED, OF(event.number), 4095, true},
    {CLOSED, OF(event.number), 4096, false},
    {CLOSED, OF(event.number), (uint64_t)1 << 32, false},
    {CLOSED, OF(event.instead.port), 443, false},

    {COMPLAINT, OF(event.kind), EVENT_GAP, false},
    {COMPLAINT, OF(event.source), 1, false},
    {COMPLAINT, OF(event.door), SANDBOX_DONE, false},
    {COMPLAINT, OF(event.door), SANDBOX_STEPS - 1, true},
    {COMPLAINT, OF(event.door), SANDBOX_STEPS, false},
    {COMPLAINT, OF(event.door), UINT32_MAX, false},
    NO_ADDRESS_FIELD(COMPLAINT, event.address),
    {COMPLAINT, OF(event.number), 0, true},
    {COMPLAINT, OF(event.number), 4096, false},
    {COMPLAINT, OF(event.instead.port), 443, false},
    {COMPLAINT, OF(event.instead.proto), IPPROTO_TCP, false},

    {REOPEN, OF(reopen.watch), 1, true},
    {REOPEN, OF(reopen.watch), INT32_MAX, true},
    {REOPEN, OF(reopen.watch), 0, false},
    {REOPEN, OF(reopen.watch), (uint32_t)-2, false},
    {REOPEN, OF(reopen.watch), (uint32_t)INT32_MIN, false},

    SOURCE_FIELD(SEEN, seen.source),
    {SEEN, OF(seen.kind), SEEN_KINDS - 1, true},
    {SEEN, OF(seen.kind), SEEN_KINDS, false},
    {SEEN, OF(seen.kind), UINT32_MAX, false},
    {SEEN, OF(seen.hint), HEADER_HINTS - 1, true},
    {SEEN, OF(seen.hint), HEADER_HINTS, false},
    {SEEN, OF(seen.hint), UINT32_MAX, false},
    COUNT_FIELD(SEEN, seen.packets),
    {SEEN, OF(seen.packets), 1, false}, /* fewer than are counted */
    {SEEN, OF(seen.count), 0, true},
    {SEEN, OF(seen.count), 3, false},
    {SEEN, OF(seen.count), UINT64_MAX, false},
    {SEEN, OF(seen.text[0]), 255, true},
    {SEEN, OF(seen.text[MESSAGE_TEXT_MAX]), 'x', false},

    NUMBER_FIELD(COUNTERS, counters.query, QUERY),

    NUMBER_FIELD(STATS, stats.query, QUERY),
    SOURCE_FIELD(STATS, stats.source),
    COUNT_FIELD(STATS, stats.lines),
    COUNT_FIELD(STATS, stats.packets),
    COUNT_FIELD(STATS, stats.foreign),
    COUNT_FIELD(STATS, stats.others),
    COUNT_FIELD(STATS, stats.damaged),
    COUNT_FIELD(STATS, stats.partial),
    COUNT_FIELD(STATS, stats.stale[STALE_OLD]),
    COUNT_FIELD(STATS, stats.stale[STALE_ZONE]),
    {STATS, OF(stats.reason), STALE_REASONS - 1, true},
    {STATS, OF(stats.reason), STALE_REASONS, false},
    {STATS, OF(stats.reason), UINT32_MAX, false},
    {STATS, OF(stats.age), INT64_MAX, true},
    {STATS, OF(stats.age), (uint64_t)-INT64_MAX, false},
    {STATS, OF(stats.age), (uint64_t)INT64_MIN, false},
    TIME_FIELD(STATS, stats.last_line),
    TIME_FIELD(STATS, stats.last_packet),

    NUMBER_FIELD(OTHER, other.query, QUERY),
    SOURCE_FIELD(OTHER, other.source),
    {OTHER, OF(other.kind), SEEN_KINDS - 1, true},
    {OTHER, OF(other.kind), SEEN_KINDS, false},
    {OTHER, OF(other.kind), UINT32_MAX, false},
    {OTHER, OF(other.hint), HEADER_HINTS - 1, true},
    {OTHER, OF(other.hint), HEADER_HINTS, false},
    {OTHER, OF(other.hint), UINT32_MAX, false},
    COUNT_FIELD(OTHER, other.count),
    {OTHER, OF(other.text[MESSAGE_TEXT_MAX]), 'x', false},

    NUMBER_FIELD(PACKET, packet.query, QUERY),
    SOURCE_FIELD(PACKET, packet.source),
    {PACKET, OF(packet.verdict), MATCH_VERDICTS - 1, true},
    {PACKET, OF(packet.verdict), MATCH_VERDICTS, false},
    {PACKET, OF(packet.verdict), UINT32_MAX, false},
    {PACKET, OF(packet.proto), (uint32_t)-1, true},
    {PACKET, OF(packet.proto), 255, true},
    {PACKET, OF(packet.proto), (uint32_t)-2, false},
    {PACKET, OF(packet.proto), 256, false},
    {PACKET, OF(packet.spt), 65535, true},
    {PACKET, OF(packet.dpt), 65535, true},
    {PACKET, OF(packet.pieces), 48, true},
    {PACKET, OF(packet.pieces), 49, false},
    {PACKET, OF(packet.pieces), UINT32_MAX, false},
    {PACKET, OF(packet.needed), 48, true},
    {PACKET, OF(packet.needed), 49, false},
    {PACKET, OF(packet.needed), UINT32_MAX, false},
    {PACKET, OF(packet.message), 1, true},
    {PACKET, OF(packet.message), 2, false},
    {PACKET, OF(packet.message), UINT32_MAX, false},
    {PACKET, OF(packet.stale), STALE_REASONS - 1, true},
    {PACKET, OF(packet.stale), STALE_REASONS, false},
    {PACKET, OF(packet.stale), UINT32_MAX, false},
    {PACKET, OF(packet.age), INT64_MAX, true},
    {PACKET, OF(packet.age), (uint64_t)INT64_MIN, false},
    {PACKET, OF(packet.host[0]), 'g', false}, /* it isn't refused for its time */
    ADDRESS_FIELD(PACKET, packet.dst),
    TIME_FIELD(PACKET, packet.time),

    NUMBER_FIELD(EFFECT, effect.query, QUERY),
    {EFFECT, OF(effect.door), 1, false}, /* it has no steps */
    {EFFECT, OF(effect.door), 2, true},
    {EFFECT, OF(effect.door), DOORS, false}, /* of one-time sequences nothing is told */
    {EFFECT, OF(effect.door), UINT32_MAX, false},
    {EFFECT, OF(effect.before), STEPS, true},
    {EFFECT, OF(effect.before), STEPS + 1, false},
    {EFFECT, OF(effect.before), UINT32_MAX, false},
    {EFFECT, OF(effect.after), STEPS, true},
    {EFFECT, OF(effect.after), STEPS + 1, false},
    {EFFECT, OF(effect.after), UINT32_MAX, false},
    {EFFECT, OF(effect.late), 1, true},
    {EFFECT, OF(effect.late), 2, false},
    {EFFECT, OF(effect.late), UINT32_MAX, false},
    {EFFECT, OF(effect.opened), 1, true},
    {EFFECT, OF(effect.scan), 1, true},
    {EFFECT, OF(effect.opened), 2, false},
    {EFFECT, OF(effect.scan), 1, true},
    {EFFECT, OF(effect.scan), 2, false},
    {EFFECT, OF(effect.scan), UINT32_MAX, false},
    {EFFECT, OF(effect.scan), 2, false},
    {EFFECT, OF(effect.opened), UINT32_MAX, false},
    {EFFECT, OF(effect.scan), UINT32_MAX, false},

    NUMBER_FIELD(ANSWERED, answered.query, QUERY),
    NUMBER_FIELD(PONG, ping.number, PING),
};

static void set(struct message *message, const struct field *field)
{
    /* Both ends are the same machine; what is set first is the low end. */
    uint64_t value = field->value;
    uint8_t narrow = (uint8_t)value;
    uint16_t half = (uint16_t)value;
    uint32_t word = (uint32_t)value;
    const void *bytes = field->size == 8   ? (const void *)&value
                        : field->size == 4 ? (const void *)&word
                        : field->size == 2 ? (const void *)&half
                                           : (const void *)&narrow;
    memcpy((char *)message + field->offset, bytes, field->size);
}

/* With limits that have room, and with all of them used up. */
static void every_field_is_checked(void **state)
{
    (void)state;
    struct inbound_world world, before;
    make_inbound_world(&world);
    for (size_t i = 0; i < 2 * sizeof(fields) / sizeof(*fields); i++) {
        const struct field *field = &fields[i / 2];
        struct message message = good(field->which);
        char what[128];
        snprintf(what, sizeof(what), "%s: %s = %llu%s", names[field->which], field->name,
                 (unsigned long long)field->value, i & 1 ? ", limits used up" : "");
        set(&message, field);
        expect(&world, field->which, i & 1);
        before = world;
        enum inbound_result result = say_message(&world, &message);
        if (result != (field->good ? result_of(field->which) : INBOUND_BAD))
            fail_msg("%s: result %d", what, result);
        if (!field->good)
            assert_untouched(&world, &before, what);
    }
    end_inbound_world(&world);
}

static void every_counter_is_checked(void **state)
{
    (void)state;
    struct inbound_world world;
    make_inbound_world(&world);
    for (int i = 0; i < LISTENER_COUNTS; i++) {
        struct message message = good(COUNTERS);
        expect(&world, COUNTERS, false);
        message.u.counters.counts[i] = INT64_MAX;
        assert_int_equal(say_message(&world, &message), INBOUND_SERVED);
        message.u.counters.counts[i]++;
        assert_int_equal(say_message(&world, &message), INBOUND_BAD);
    }
    end_inbound_world(&world);
}

/* By the clock: what happened a moment ago, but not in an hour. */
static void times_are_of_the_past(void **state)
{
    (void)state;
    static const struct {
        enum which which;
        size_t offset;
    } rows[] = {{STATS, offsetof(struct message, u.stats.last_line)},
                {STATS, offsetof(struct message, u.stats.last_packet)},
                {PACKET, offsetof(struct message, u.packet.time)}};
    struct inbound_world world;
    make_inbound_world(&world);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct message message = good(rows[i].which);
        int64_t time = clock_now();
        expect(&world, rows[i].which, false);
        memcpy((char *)&message + rows[i].offset, &time, sizeof(time));
        assert_int_equal(say_message(&world, &message), INBOUND_SERVED);
        time += 3600 * CLOCK_SECOND;
        memcpy((char *)&message + rows[i].offset, &time, sizeof(time));
        assert_int_equal(say_message(&world, &message), INBOUND_BAD);
    }
    end_inbound_world(&world);
}

/* Where no door is keyed, nobody listens for sealed knocks. */
static void without_keys_there_are_no_sealed_knocks(void **state)
{
    (void)state;
    struct inbound_world world;
    make_inbound_world(&world);
    authorize_load(&world.w, DOOR);
    world.service = authorize_of(&world.w);
    struct message message = good(SEALED);
    expect(&world, SEALED, false);
    assert_int_equal(say_message(&world, &message), INBOUND_BAD);
    end_inbound_world(&world);
}

/* --- what comes of a good message --- */

static void every_good_message_is_served(void **state)
{
    (void)state;
    struct inbound_world world;
    make_inbound_world(&world);
    for (unsigned i = 0; i < 2 * GOOD_MESSAGES; i++) {
        enum which which = (enum which)(i / 2);
        struct message message = good(which);
        unsigned events = world.events, answers = world.answers;
        expect(&world, which, i & 1);
        if (say_message(&world, &message) != result_of(which))
            fail_msg("%s isn't taken%s", names[which], i & 1 ? ", limits used up" : "");
        bool event = message.type == MESSAGE_EVENT || message.type == MESSAGE_SEEN;
        assert_int_equal(world.events - events, event);
        assert_int_equal(world.answers - answers, message_is_answer(message.type));
        assert_int_equal(world.in.replied, which != COMPLAINT);
        assert_int_equal(world.in.complained, which == COMPLAINT);
        assert_int_equal(world.in.asked, which != ANSWERED && which != REPLY && which != COMPLAINT);
        assert_int_equal(world.in.pinged, which != PONG && which != REPLY && which != COMPLAINT);
        if (which == SEALED)
            assert_int_equal(world.w.limits.sealed[UNSEAL_STALE], !(i & 1));
    }
    /* KNOCK, with a token left. */
    assert_int_equal(authorize_open_doors(&world.w), 1);
    end_inbound_world(&world);
}

static void nothing_and_the_end(void **state)
{
    (void)state;
    struct inbound_world world;
    make_inbound_world(&world);
    expect(&world, KNOCK, false);
    assert_int_equal(receive(&world), INBOUND_NONE);
    shutdown(world.ends[0], SHUT_WR);
    assert_int_equal(receive(&world), INBOUND_END);
    end_inbound_world(&world);
}

/* --- when, in which size, and how --- */

static void assert_refused(struct inbound_world *world, const struct message *message,
                           const char *what)
{
    struct inbound_world before = *world;
    if (say_message(world, message) != INBOUND_BAD)
        fail_msg("%s was taken", what);
    assert_untouched(world, &before, what);
}

static void every_message_has_its_time(void **state)
{
    (void)state;
    struct inbound_world world;
    make_inbound_world(&world);
    for (int i = 0; i < GOOD_MESSAGES; i++) {
        enum which which = (enum which)i;
        struct message message = good(which);
        bool early = which == REPLY || which == COMPLAINT;
        /* Before the reply, or after it. */
        expect(&world, early ? KNOCK : REPLY, false);
        world.in.asked = world.in.pinged = true;
        assert_refused(&world, &message, names[which]);
        /* After a complaint. */
        expect(&world, REPLY, false);
        world.in.complained = true;
        assert_refused(&world, &message, names[which]);
        /* Unasked. */
        expect(&world, which, false);
        world.in.asked = false;
        world.in.pinged = false;
        if (message_is_answer(message.type) || message.type == MESSAGE_PONG)
            assert_refused(&world, &message, names[which]);
        /* To a question about no address. */
        expect(&world, which, false);
        world.in.asked_why = false;
        if (message.type == MESSAGE_PACKET || message.type == MESSAGE_EFFECT)
            assert_refused(&world, &message, names[which]);
    }
    end_inbound_world(&world);
}

static void every_message_has_its_generation(void **state)
{
    (void)state;
    static const uint32_t others[] = {0, GENERATION - 1, GENERATION + 1, UINT32_MAX};
    struct inbound_world world;
    make_inbound_world(&world);
    for (unsigned i = 0; i < GOOD_MESSAGES * sizeof(others) / sizeof(*others); i++) {
        enum which which = (enum which)(i % GOOD_MESSAGES);
        struct message message = good(which);
        expect(&world, which, false);
        message.generation = others[i / GOOD_MESSAGES];
        /* Who can't be confined has none yet. */
        if (which == COMPLAINT && message.generation == 0)
            message.generation = GENERATION;
        assert_refused(&world, &message, names[which]);
    }
    end_inbound_world(&world);
}

static void every_message_has_its_size(void **state)
{
    (void)state;
    static struct inbound_world world, before;
    union {
        struct message message;
        char bytes[sizeof(struct message) + 64];
    } sent;
    make_inbound_world(&world);
    for (int i = 0; i < GOOD_MESSAGES; i++) {
        memset(&sent, 0, sizeof(sent));
        sent.message = good((enum which)i);
        for (size_t size = 1; size <= sizeof(sent); size++) {
            if (size == message_size(sent.message.type))
                continue;
            expect(&world, (enum which)i, false);
            before = world;
            if (say(&world, &sent, size) != INBOUND_BAD)
                fail_msg("%s of %zu bytes was taken", names[i], size);
            assert_untouched(&world, &before, names[i]);
        }
    }
    end_inbound_world(&world);
}

/* Types that go down, and types that there are not. */
static void other_types_are_refused(void **state)
{
    (void)state;
    static const uint32_t types[] = {0,
                                     MESSAGE_CONFIG,
                                     MESSAGE_SOURCE,
                                     MESSAGE_PREFIX,
                                     MESSAGE_DOOR,
                                     MESSAGE_IGNORE,
                                     MESSAGE_START,
                                     MESSAGE_FD,
                                     MESSAGE_QUERY,
                                     MESSAGE_PING,
                                     MESSAGE_INTERFACE,
                                     MESSAGE_HEARD,
                                     MESSAGE_ZONE,
                                     MESSAGE_TYPES,
                                     4711,
                                     INT32_MAX,
                                     UINT32_MAX};
    struct inbound_world world, before;
    make_inbound_world(&world);
    for (unsigned i = 0; i < 2 * sizeof(types) / sizeof(*types); i++) {
        struct message message = {.type = types[i / 2], .generation = GENERATION};
        size_t size = message_size(message.type);
        expect(&world, i & 1 ? REPLY : KNOCK, false);
        before = world;
        if (say(&world, &message, size ? size : 8) != INBOUND_BAD)
            fail_msg("type %u was taken", message.type);
        assert_untouched(&world, &before, "another type");
    }
    end_inbound_world(&world);
}

static void no_message_brings_a_descriptor(void **state)
{
    (void)state;
    struct inbound_world world;
    make_inbound_world(&world);
    int before = open_count();
    for (int i = 0; i < GOOD_MESSAGES; i++) {
        struct message message = good((enum which)i);
        expect(&world, (enum which)i, false);
        struct inbound_world was = world;
        assert_int_equal(message_send(world.ends[0], &message, STDERR_FILENO, true), MESSAGE_GOT);
        if (receive(&world) != INBOUND_BAD)
            fail_msg("%s with a descriptor was taken", names[i]);
        assert_untouched(&world, &was, names[i]);
    }
    assert_int_equal(open_count(), before);
    end_inbound_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_field_is_checked),
        cmocka_unit_test(every_counter_is_checked),
        cmocka_unit_test(times_are_of_the_past),
        cmocka_unit_test(without_keys_there_are_no_sealed_knocks),
        cmocka_unit_test(every_good_message_is_served),
        cmocka_unit_test(nothing_and_the_end),
        cmocka_unit_test(every_message_has_its_time),
        cmocka_unit_test(every_message_has_its_generation),
        cmocka_unit_test(every_message_has_its_size),
        cmocka_unit_test(other_types_are_refused),
        cmocka_unit_test(no_message_brings_a_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
