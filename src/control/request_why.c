/* knockctl why: what the last packets of an address did to each door, asked of the listener. */
#include <netinet/in.h>
#include <stdio.h>

#include "control/request_parts.h"
#include "keeper/refusal_log.h"
#include "lib/clock.h"

/* The last knock of the address that was refused, sealed or by a door, and why. */
static void add_refusal(const struct refusal_log *refusals, const struct addr *address,
                        struct answer *answer)
{
    struct row row;
    const struct refusal *refusal = refusal_log_find(refusals, address);
    if (!refusal)
        return;
    row_begin(&row, 1, "refused");
    row_number(&row, "ago", (clock_now() - refusal->time) / CLOCK_SECOND);
    if (*refusal->door)
        row_text(&row, "door", refusal->door);
    else
        row_null(&row, "door");
    row_text(&row, "reason", refusal->why);
    if (refusal->apart != 0)
        row_number(&row, "clock_ahead", refusal->apart);
    else
        row_null(&row, "clock_ahead");
    row_number(&row, "count", refusal->count);
    answer_row(answer, &row);
}

void requests_serve_why(void *arg, struct answer *answer, char *const *words)
{
    struct requests *requests = arg;
    struct addr address;
    struct row row;
    char text[ADDR_TEXT_SIZE];
    if (!request_parse_address(answer, words[1], &address))
        return;
    if (!requests_state(requests).listener) {
        answer_error(answer, "there is no listener just now; knockd's log says why");
        return;
    }
    row_begin(&row, 0, "why");
    row_text(&row, "address", addr_format(&address, text));
    answer_begin(answer, ANSWER_ONE);
    answer_row(answer, &row);
    add_refusal(requests->services.refusals, &address, answer);
    query_listener(requests, answer, 1, &address);
}

static const char *const ignored[MATCH_VERDICTS] = {
    [MATCH_OUTGOING] = "sent by this host",
    [MATCH_GROUP] = "to or from a group of hosts",
    [MATCH_MARTIAN] = "from or to an address that no host elsewhere has",
    [MATCH_PROTOCOL] = "neither TCP nor UDP",
    [MATCH_FLAGS] = "its TCP flags are those of no door",
    [MATCH_REPEAT] = "a retransmission",
    [MATCH_IDLE] = "begins no sequence",
    [MATCH_STALE] = "its line isn't of now",
    [MATCH_MALFORMED] = "malformed: a host discards it",
    [MATCH_SEALED] = "no piece, though to a port of sealed knocks",
};

static bool has_sequences(const struct config *config)
{
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].sequence.count > 0 || config->doors[i].once_path.text)
            return true;
    return false;
}

/* Whether a packet of that kind may be a step of the door. Of one-time sequences it may always be.
 */
static bool may_be_step(const struct config_door *door, const struct message_packet *packet)
{
    const struct sequence *sequence = &door->sequence;
    for (unsigned i = 0; i < sequence->count; i++)
        if (sequence->steps[i].port == packet->dpt && sequence->steps[i].proto == packet->proto)
            return true;
    return door->once_path.text != NULL;
}

/* Why a packet that has ports isn't part of a sequence. */
static const char *why_no_step(const struct config *config, const struct message_packet *packet)
{
    bool step = false, heard = false;
    if (!has_sequences(config))
        return "no door has a sequence";
    for (unsigned i = 0; i < config->door_count; i++) {
        bool may_be = may_be_step(&config->doors[i], packet);
        step |= may_be;
        heard |= may_be && config_hears(&config->doors[i], packet->source);
    }
    if (!step)
        return "its port is no step of a door";
    return heard ? ignored[packet->verdict] : "no door with such a step hears this source";
}

/* Why the packet did nothing; NULL: it did. */
static const char *why_ignored(const struct config *config, const struct message_packet *packet)
{
    bool whole = config->sealed.span > 0 && packet->proto == IPPROTO_UDP &&
                 packet->dpt == config->sealed.packet_port;
    if (packet->pieces > 0)
        return NULL;
    if (packet->verdict == MATCH_FLAGS || packet->verdict == MATCH_IDLE)
        return why_no_step(config, packet);
    if (packet->verdict != MATCH_SEALED || !whole)
        return ignored[packet->verdict];
    return source_is_of_packets(config->sources[packet->source].type)
               ? "no sealed knock, though to packet_port"
               : "a log doesn't have what a packet to packet_port carries";
}

/* The same of one whose line isn't of now. */
static const char *why_stale(const struct config_source *source,
                             const struct message_packet *packet, char *out, size_t size)
{
    long long seconds = (long long)(packet->age / CLOCK_SECOND);
    if (packet->stale == STALE_UNDATED)
        return source->remote
                   ? "its line states no valid time, and its source is remote"
                   : "its line states a date that doesn't exist, or is outside 1970 to 2261";
    const char *zone = packet->stale == STALE_ZONE ? "; is it written in another time zone?" : "";
    if (packet->age < 0 && source->remote)
        snprintf(out, size, "its line is %lld s ahead of the clock, and %lld s are allowed%s",
                 -seconds, (long long)(FRESHNESS_AHEAD / CLOCK_SECOND), zone);
    else
        snprintf(out, size, "its line is %lld s %s, and max_age is %lld s%s",
                 seconds < 0 ? -seconds : seconds, packet->age < 0 ? "ahead of the clock" : "old",
                 (long long)(source->max_age / CLOCK_SECOND), zone);
    return out;
}

static void add_ignored(struct row *row, const struct config *config,
                        const struct message_packet *packet)
{
    char text[160];
    const struct config_source *source = &config->sources[packet->source];
    const char *why = packet->verdict == MATCH_STALE ? why_stale(source, packet, text, sizeof(text))
                                                     : why_ignored(config, packet);
    if (why)
        row_text(row, "ignored", why);
    else
        row_null(row, "ignored");
}

static void add_pieces(struct row *row, const struct message_packet *packet)
{
    row_number(row, "pieces", packet->pieces);
    row_number(row, "pieces_needed", packet->needed);
    row_flag(row, "message", packet->message);
}

void request_list_packet(const struct pending *pending, const struct config *config,
                         const struct message_packet *packet)
{
    struct row row;
    char text[ADDR_TEXT_SIZE];
    row_begin(&row, 1, "packets");
    row_number(&row, "ago", (clock_now() - packet->time) / CLOCK_SECOND);
    row_text(&row, "source", config->sources[packet->source].name);
    row_number(&row, "protocol", packet->proto);
    row_number(&row, "port", packet->dpt);
    row_number(&row, "from_port", packet->spt);
    row_text(&row, "to", addr_format(&packet->dst, text));
    if (host_name_other(packet->host))
        row_text(&row, "host", packet->host);
    else
        row_null(&row, "host");
    add_ignored(&row, config, packet);
    if (packet->pieces > 0)
        add_pieces(&row, packet);
    answer_row(pending->answer, &row);
}

static const char *result(const struct message_effect *effect, bool allowed)
{
    if (effect->opened)
        return allowed ? "complete" : "refused";
    if (effect->scan)
        return "scan";
    if (effect->late)
        return "late";
    if (effect->after > effect->before)
        return "advanced";
    return effect->after < effect->before ? "reset" : "unchanged";
}

void request_list_effect(const struct pending *pending, const struct config *config,
                         const struct message_effect *effect)
{
    struct row row;
    const struct config_door *door = &config->doors[effect->door];
    row_begin(&row, 2, "effects");
    row_text(&row, "door", door->name);
    row_text(&row, "result", result(effect, config_allows(door, &pending->address)));
    row_number(&row, "before", effect->before);
    row_number(&row, "step", effect->after);
    row_number(&row, "steps", door->sequence.count);
    row_number(&row, "timeout", door->seq_timeout / CLOCK_SECOND);
    if (effect->before < door->sequence.count) {
        request_row_port(&row, "expected", door->sequence.steps[effect->before]);
    } else {
        row_null(&row, "expected");
    }
    answer_row(pending->answer, &row);
}
