/*
 * The way of a message from the listener: received with the exact size of its type, and without a
 * descriptor (message_receive) -> a row of the table below -> expected now -> right in every field
 * -> served by the handler of its type. What fails before that is INBOUND_BAD, for
 * which the caller ends the listener (knockd/listener_process.c).
 */
#include "keeper/inbound.h"

#include <netinet/in.h>
#include <time.h>
#include <unistd.h>

#include "lib/carrier.h"
#include "lib/clock.h"

/* --- whether a message is expected now --- */

/* Once, before it is confined, the listener may say that it can't be: it knows no generation yet.
 */
static bool may_complain(const struct inbound *in, const struct message *message)
{
    return !in->replied && !in->complained && message->generation == 0;
}

static bool may_reply(const struct inbound *in, const struct message *message)
{
    return !in->replied && !in->complained && message->generation == in->generation;
}

static bool is_at_work(const struct inbound *in, const struct message *message)
{
    return in->replied && message->generation == in->generation;
}

static bool may_tell_event(const struct inbound *in, const struct message *message)
{
    return message->u.event.kind == EVENT_SANDBOX ? may_complain(in, message)
                                                  : is_at_work(in, message);
}

static bool is_asked(const struct inbound *in, const struct message *message)
{
    return is_at_work(in, message) && in->asked && message_answers(message) == in->query;
}

static bool is_asked_why(const struct inbound *in, const struct message *message)
{
    return is_asked(in, message) && in->asked_why;
}

static bool is_pinged(const struct inbound *in, const struct message *message)
{
    return is_at_work(in, message) && in->pinged && message->u.ping.number == in->ping;
}

/* --- whether its fields are right --- */

static bool is_source(const struct inbound *in, uint32_t source)
{
    return source < in->authorize->config->source_count;
}

/* A port of TCP or UDP, as a packet has one. Port 0 may stand for no packet, too. */
static bool is_port(struct port_proto port)
{
    return port.proto == IPPROTO_TCP || port.proto == IPPROTO_UDP ||
           (port.proto == 0 && port.port == 0);
}

static bool is_zero(const uint8_t *bytes, size_t count)
{
    while (count > 0 && bytes[count - 1] == 0)
        count--;
    return count == 0;
}

/* As addr.h has addresses: what is unused of the bytes is zero. */
static bool is_address(const struct addr *address)
{
    return address->family == 6 || (address->family == 4 && is_zero(address->bytes + 4, 12));
}

static bool is_no_address(const struct addr *address)
{
    return address->family == 0 && is_zero(address->bytes, sizeof(address->bytes));
}

/* Nobody has counted further. */
static bool is_count(uint64_t count)
{
    return count <= INT64_MAX;
}

static bool is_errno(uint64_t number)
{
    return number < 4096;
}

static bool is_flag(uint32_t flag)
{
    return flag <= 1;
}

static bool is_past(int64_t time, int64_t now)
{
    return time >= 0 && time <= now;
}

static bool is_text(const char text[MESSAGE_TEXT_MAX + 1])
{
    return text[MESSAGE_TEXT_MAX] == '\0';
}

static bool check_nothing(const struct inbound *in, const struct message *message)
{
    (void)in;
    (void)message;
    return true;
}

/* A door that has a sequence, or behind the doors of the configuration a one-time sequence. What
 * keys alone open isn't the listener's to ask for. */
static bool opens_by_sequence(const struct inbound *in, uint32_t door)
{
    const struct config *config = in->authorize->config;
    return door < config->door_count ? config->doors[door].sequence.count > 0
                                     : door - config->door_count < in->authorize->once->count;
}

/* A listener brings no knock to a door by a source that the door doesn't hear. */
static bool is_heard(const struct inbound *in, uint32_t source, uint32_t door)
{
    const struct config *config = in->authorize->config;
    const struct one_time *once = in->authorize->once;
    unsigned number =
        door < config->door_count ? door : once->lines[door - config->door_count].door;
    return config_hears(&config->doors[number], source);
}

static bool check_open(const struct inbound *in, const struct message *message)
{
    const struct message_open *open = &message->u.open;
    return is_source(in, open->source) && opens_by_sequence(in, open->door) &&
           is_heard(in, open->source, open->door) && is_address(&open->address);
}

/* Only the holder of the key can tell whether the message's bytes are right. */
static bool check_sealed(const struct inbound *in, const struct message *message)
{
    const struct message_sealed *sealed = &message->u.sealed;
    return in->authorize->config->sealed.span != 0 && is_source(in, sealed->source) &&
           (sealed->length == SEALED_SHORT || sealed->length == SEALED_LONG) &&
           is_address(&sealed->address);
}

/* The listener can't be confined: `door` is a step of the sandbox. */
static bool check_complaint(const struct message_event *event)
{
    return event->source == 0 && event->door > SANDBOX_DONE && event->door < SANDBOX_STEPS &&
           is_no_address(&event->address) && is_errno(event->number) &&
           port_proto_equal(event->instead, (struct port_proto){0});
}

/* Of an address: it came to a step of a door that isn't the last one. */
static bool check_step(const struct inbound *in, const struct message_event *event)
{
    const struct config *config = in->authorize->config;
    return is_address(&event->address) && event->door < config->door_count && event->number > 0 &&
           event->number < config->doors[event->door].sequence.count && is_port(event->instead) &&
           (event->kind == EVENT_STALLED ||
            port_proto_equal(event->instead, (struct port_proto){0}));
}

static unsigned door_meant(const struct inbound *in, uint32_t number)
{
    return one_time_door(in->authorize->once, in->authorize->config->door_count, number);
}

/* A door that opens by a sequence, or a one-time sequence. */
static bool check_scan(const struct inbound *in, const struct message_event *event)
{
    const struct config *config = in->authorize->config;
    bool opens = event->door < config->door_count
                     ? config->doors[event->door].sequence.count > 0
                     : door_meant(in, event->door) < config->door_count;
    return is_address(&event->address) && opens && is_count(event->number) &&
           port_proto_equal(event->instead, (struct port_proto){0});
}

/* How far from now a line may say that it is: as far as its time and the clock's can be apart. */
static bool is_age(int64_t age)
{
    return age > -INT64_MAX;
}

static bool check_stale(const struct message_event *event)
{
    return is_address(&event->address) && event->door > STALE_NOT && event->door < STALE_REASONS &&
           is_count(event->number) && port_proto_equal(event->instead, (struct port_proto){0});
}

static bool check_event_of_source(const struct message_event *event)
{
    return event->door == 0 && is_no_address(&event->address) &&
           (event->kind == EVENT_CLOSED ? is_errno(event->number) : is_count(event->number)) &&
           port_proto_equal(event->instead, (struct port_proto){0});
}

/* Only a line that was refused for its time has a host, or none. */
static bool is_host(const char host[HOST_NAME_SIZE], bool refused)
{
    return refused ? host_name_is_valid(host) : is_zero((const uint8_t *)host, HOST_NAME_SIZE);
}

static bool check_event(const struct inbound *in, const struct message *message)
{
    const struct message_event *event = &message->u.event;
    if (!is_host(event->host, event->kind == EVENT_STALE))
        return false;
    if (event->kind == EVENT_SANDBOX)
        return check_complaint(event);
    if (event->kind == 0 || event->kind >= EVENT_KINDS || !is_source(in, event->source))
        return false;
    if (event->kind == EVENT_STAGE || event->kind == EVENT_STALLED)
        return check_step(in, event);
    if (event->kind == EVENT_SCAN)
        return check_scan(in, event);
    if (event->kind == EVENT_STALE)
        return check_stale(event);
    return check_event_of_source(event);
}

/* Watches are numbered from 1. */
static bool check_reopen(const struct inbound *in, const struct message *message)
{
    int32_t watch = message->u.reopen.watch;
    (void)in;
    return watch == -1 || watch > 0;
}

static bool check_seen(const struct inbound *in, const struct message *message)
{
    const struct message_seen *seen = &message->u.seen;
    return is_source(in, seen->source) && seen->kind < SEEN_KINDS && seen->hint < HEADER_HINTS &&
           is_count(seen->packets) && seen->count <= seen->packets && is_text(seen->text);
}

static bool check_counters(const struct inbound *in, const struct message *message)
{
    const struct message_counters *counters = &message->u.counters;
    bool good = true;
    (void)in;
    for (int i = 0; i < LISTENER_COUNTS; i++)
        good = good && is_count(counters->counts[i]);
    return good;
}

static bool check_stats(const struct inbound *in, const struct message *message)
{
    const struct message_stats *stats = &message->u.stats;
    bool good = true;
    for (int reason = 0; reason < STALE_REASONS; reason++)
        good = good && is_count(stats->stale[reason]);
    return good && is_source(in, stats->source) && is_count(stats->lines) &&
           is_count(stats->packets) && is_count(stats->foreign) && is_count(stats->others) &&
           is_count(stats->damaged) && is_count(stats->partial) && stats->reason < STALE_REASONS &&
           is_age(stats->age) && is_past(stats->last_line, in->now) &&
           is_past(stats->last_packet, in->now);
}

static bool check_other(const struct inbound *in, const struct message *message)
{
    const struct message_other *other = &message->u.other;
    return is_source(in, other->source) && other->kind < SEEN_KINDS && other->hint < HEADER_HINTS &&
           is_count(other->count) && is_text(other->text);
}

/* Any number may be a port. */
static bool check_packet(const struct inbound *in, const struct message *message)
{
    const struct message_packet *packet = &message->u.packet;
    return is_source(in, packet->source) && packet->verdict < MATCH_VERDICTS &&
           packet->proto >= -1 && packet->proto <= UINT8_MAX &&
           packet->pieces <= CARRIER_SLOTS_MAX && packet->needed <= CARRIER_SLOTS_MAX &&
           is_flag(packet->message) && (is_address(&packet->dst) || is_no_address(&packet->dst)) &&
           is_past(packet->time, in->now) && packet->stale < STALE_REASONS && is_age(packet->age) &&
           is_host(packet->host, packet->stale != STALE_NOT);
}

static bool check_effect(const struct inbound *in, const struct message *message)
{
    const struct message_effect *effect = &message->u.effect;
    const struct config *config = in->authorize->config;
    if (effect->door >= config->door_count)
        return false;
    unsigned steps = config->doors[effect->door].sequence.count;
    return effect->before <= steps && effect->after <= steps && is_flag(effect->late) &&
           is_flag(effect->opened) && is_flag(effect->scan);
}

/* --- what serves it --- */

static enum inbound_result serve_reply(struct inbound *in, const struct message *message)
{
    (void)message;
    in->replied = true;
    return INBOUND_REPLIED;
}

static enum inbound_result serve_open(struct inbound *in, const struct message *message)
{
    authorize_open(in->authorize, &message->u.open, in->now);
    return INBOUND_SERVED;
}

static enum inbound_result serve_sealed(struct inbound *in, const struct message *message)
{
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    authorize_sealed(in->authorize, &message->u.sealed, in->now, wall);
    return INBOUND_SERVED;
}

static enum inbound_result serve_event(struct inbound *in, const struct message *message)
{
    const struct message_event *event = &message->u.event;
    struct message scan;
    in->complained |= event->kind == EVENT_SANDBOX;
    if (event->kind == EVENT_SCAN) {
        scan = *message;
        scan.u.event.door = door_meant(in, event->door);
        message = &scan;
    }
    in->calls.event(in->calls.arg, message);
    if (event->kind == EVENT_CLOSED)
        log_sources_closed(in->sources, event->source);
    return INBOUND_SERVED;
}

static enum inbound_result serve_reopen(struct inbound *in, const struct message *message)
{
    log_sources_changed(in->sources, message->u.reopen.watch);
    return INBOUND_SERVED;
}

static enum inbound_result serve_seen(struct inbound *in, const struct message *message)
{
    in->calls.event(in->calls.arg, message);
    return INBOUND_SERVED;
}

static enum inbound_result serve_answer(struct inbound *in, const struct message *message)
{
    in->calls.answer(in->calls.arg, message);
    return INBOUND_SERVED;
}

/* The answer is complete, and the next question may be asked at once. */
static enum inbound_result serve_answered(struct inbound *in, const struct message *message)
{
    in->asked = false;
    in->calls.answer(in->calls.arg, message);
    return INBOUND_ANSWERED;
}

static enum inbound_result serve_pong(struct inbound *in, const struct message *message)
{
    (void)message;
    in->pinged = false;
    return INBOUND_ANSWERED;
}

/* --- the table --- */

/* The exact sizes are message_size()'s. Types that go down, to the listener, have no row. */
static const struct inbound_type {
    bool (*expected)(const struct inbound *in, const struct message *message);
    bool (*check)(const struct inbound *in, const struct message *message);
    enum inbound_result (*serve)(struct inbound *in, const struct message *message);
} types[MESSAGE_TYPES] = {
    [MESSAGE_REPLY] = {may_reply, check_nothing, serve_reply},
    [MESSAGE_OPEN] = {is_at_work, check_open, serve_open},
    [MESSAGE_SEALED] = {is_at_work, check_sealed, serve_sealed},
    [MESSAGE_EVENT] = {may_tell_event, check_event, serve_event},
    [MESSAGE_REOPEN] = {is_at_work, check_reopen, serve_reopen},
    [MESSAGE_SEEN] = {is_at_work, check_seen, serve_seen},
    [MESSAGE_COUNTERS] = {is_asked, check_counters, serve_answer},
    [MESSAGE_STATS] = {is_asked, check_stats, serve_answer},
    [MESSAGE_OTHER] = {is_asked, check_other, serve_answer},
    [MESSAGE_PACKET] = {is_asked_why, check_packet, serve_answer},
    [MESSAGE_EFFECT] = {is_asked_why, check_effect, serve_answer},
    [MESSAGE_ANSWERED] = {is_asked, check_nothing, serve_answered},
    [MESSAGE_PONG] = {is_pinged, check_nothing, serve_pong},
};

bool inbound_check(const struct inbound *in, const struct message *message)
{
    const struct inbound_type *type =
        message->type < MESSAGE_TYPES ? &types[message->type] : &types[0];
    return type->expected && type->expected(in, message) && type->check(in, message);
}

enum inbound_result inbound_receive(struct inbound *in, int socket, struct message *message)
{
    int fd;
    *message = (struct message){0};
    enum message_result result = message_receive(socket, message, &fd);
    if (result == MESSAGE_NONE)
        return INBOUND_NONE;
    if (result == MESSAGE_END)
        return INBOUND_END;
    /* The listener has no descriptor to give. */
    if (fd >= 0)
        close(fd);
    in->now = clock_now();
    if (result == MESSAGE_BAD || fd >= 0 || !inbound_check(in, message))
        return INBOUND_BAD;
    return types[message->type].serve(in, message);
}
