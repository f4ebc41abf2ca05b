/* knockctl why: what the last packets of an address did to each door. */
#include <netinet/in.h>
#include <stdio.h>

#include "control/request_parts.h"
#include "keeper/authorize.h"
#include "keeper/refusal_log.h"
#include "lib/carrier.h"
#include "lib/clock.h"
#include "listener/matcher.h"

/* What became of its last sealed knock that was refused. */
static void add_refusal(const struct refusal_log *refusals, const struct addr *address,
                        struct answer *answer)
{
    struct row row;
    const struct refusal *refusal = refusal_log_find(refusals, address);
    if (!refusal)
        return;
    row_begin(&row, 1, "refused");
    row_number(&row, "ago", (clock_now() - refusal->time) / CLOCK_SECOND);
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
    [MATCH_PROTOCOL] = "neither TCP nor UDP",
    [MATCH_FLAGS] = "its TCP flags are those of no door",
    [MATCH_REPEAT] = "a retransmission",
    [MATCH_IDLE] = "begins no sequence",
    [MATCH_SEALED] = "no piece, though to a port of sealed knocks",
};

/* None of these numbers is above CARRIER_SLOTS_MAX in an honest listener's record. */
static bool pieces_are_sound(const struct message_packet *packet)
{
    return packet->pieces <= CARRIER_SLOTS_MAX && packet->needed <= CARRIER_SLOTS_MAX &&
           packet->message <= 1;
}

static void add_pieces(struct row *row, const struct message_packet *packet)
{
    row_number(row, "pieces", packet->pieces);
    row_number(row, "pieces_needed", packet->needed);
    row_flag(row, "message", packet->message);
}

bool requests_list_packet(const struct config *config, const struct message_packet *packet,
                          struct row *row)
{
    char text[ADDR_TEXT_SIZE];
    int64_t now = clock_now();
    if (packet->source >= config->source_count || packet->verdict >= MATCH_VERDICTS ||
        packet->time < 0 || packet->time > now || packet->proto < -1 || packet->proto > 255 ||
        (packet->dst.family != 0 && !gate_address(&packet->dst)) || !pieces_are_sound(packet))
        return false;
    row_begin(row, 1, "packets");
    row_number(row, "ago", (now - packet->time) / CLOCK_SECOND);
    row_text(row, "source", config->sources[packet->source].name);
    row_number(row, "protocol", packet->proto);
    row_number(row, "port", packet->dpt);
    row_number(row, "from_port", packet->spt);
    row_text(row, "to", addr_format(&packet->dst, text));
    if (ignored[packet->verdict] && packet->pieces == 0)
        row_text(row, "ignored", ignored[packet->verdict]);
    else
        row_null(row, "ignored");
    if (packet->pieces > 0)
        add_pieces(row, packet);
    return true;
}

static const char *result(const struct message_effect *effect, bool allowed)
{
    if (effect->opened)
        return allowed ? "complete" : "refused";
    if (effect->late)
        return "late";
    if (effect->after > effect->before)
        return "advanced";
    return effect->after < effect->before ? "reset" : "unchanged";
}

bool requests_list_effect(const struct config *config, const struct message_effect *effect,
                          const struct addr *address, struct row *row)
{
    char expected[32];
    if (effect->door >= config->door_count)
        return false;
    const struct config_door *door = &config->doors[effect->door];
    if (effect->before > door->sequence.count || effect->after > door->sequence.count)
        return false;
    row_begin(row, 2, "effects");
    row_text(row, "door", door->name);
    row_text(row, "result", result(effect, address && config_allows(door, address)));
    row_number(row, "before", effect->before);
    row_number(row, "step", effect->after);
    row_number(row, "steps", door->sequence.count);
    row_number(row, "timeout", door->seq_timeout / CLOCK_SECOND);
    if (effect->before < door->sequence.count) {
        const struct port_proto *next = &door->sequence.steps[effect->before];
        snprintf(expected, sizeof(expected), "%u:%s", next->port, proto_name(next->proto));
        row_text(row, "expected", expected);
    } else {
        row_null(row, "expected");
    }
    return true;
}
