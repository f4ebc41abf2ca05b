/* Keeps the last packets of all addresses, in a ring. */
#include "listener/history.h"

#include <string.h>

void history_add(struct history *history, unsigned source, const struct packet *packet, int64_t now)
{
    struct history_packet *entry = &history->list[history->count++ % HISTORY_PACKETS];
    entry->time = now;
    entry->source = source;
    entry->gap = entry->whole = entry->handed = entry->scan = entry->malformed = false;
    entry->stale = STALE_NOT;
    entry->packet = *packet;
    entry->packet.in = NULL;
    /* A longer name is no interface's; no door asks for what is left of it. */
    if (entry->packet.in_len > sizeof(entry->in))
        entry->packet.in_len = sizeof(entry->in);
    if (entry->packet.in_len > 0)
        memcpy(entry->in, packet->in, entry->packet.in_len);
}

void history_whole(struct history *history, bool handed)
{
    struct history_packet *entry = &history->list[(history->count - 1) % HISTORY_PACKETS];
    entry->whole = true;
    entry->handed = handed;
}

void history_scan(struct history *history)
{
    history->list[(history->count - 1) % HISTORY_PACKETS].scan = true;
}

void history_malformed(struct history *history)
{
    history->list[(history->count - 1) % HISTORY_PACKETS].malformed = true;
}

void history_stale(struct history *history, enum stale_reason reason, int64_t age,
                   const char host[HOST_NAME_SIZE])
{
    struct history_packet *entry = &history->list[(history->count - 1) % HISTORY_PACKETS];
    entry->stale = (uint8_t)reason;
    entry->age = age;
    memcpy(entry->host, host, HOST_NAME_SIZE);
}

void history_gap(struct history *history, unsigned source, int64_t now)
{
    history->list[history->count++ % HISTORY_PACKETS] =
        (struct history_packet){.time = now, .source = source, .gap = true};
}

unsigned history_count(const struct history *history)
{
    return history->count < HISTORY_PACKETS ? (unsigned)history->count : HISTORY_PACKETS;
}

struct history_packet history_get(const struct history *history, unsigned i)
{
    return history->list[(history->count - history_count(history) + i) % HISTORY_PACKETS];
}
