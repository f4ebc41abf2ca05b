#include "listener/guesses.h"

#include "listener/penalty.h"

/* Of more doors that have one port as a step, no more are looked at; then nobody is blamed. */
enum { DOORS_LOOKED_AT = 64 };

/* A packet that is being taken, and whose. */
struct judge {
    const struct setup *setup;
    const struct packet *packet;
    const struct guesses_calls *calls;
    struct suspect *suspect; /* NULL: nothing is known of its address */
    unsigned source;
    int64_t now;
    bool opened;
};

static void on_opened(void *arg, unsigned door)
{
    struct judge *judge = arg;
    judge->opened = true;
    judge->calls->opened(judge->calls->arg, door);
}

static bool is_exempt(const struct setup *setup, const struct addr *address)
{
    for (unsigned i = 0; i < setup->exempt_count; i++)
        if (net_contains(&setup->exempt[i], address))
            return true;
    return false;
}

/* The suspect's knock is over; a failure, unless lines of it may be missing. */
static void broke(const struct judge *judge, int64_t when)
{
    struct suspect *suspect = judge->suspect;
    suspect->under_way = false;
    if (suspect->gaps != judge->setup->gaps[suspect->source] ||
        is_exempt(judge->setup, &suspect->address))
        return;
    if (penalties_fail(judge->setup->penalties, suspect, when) && judge->calls->penalised)
        judge->calls->penalised(judge->calls->arg);
}

static unsigned stage_of(const struct judge *judge, unsigned door)
{
    return matcher_stage(judge->setup->matcher, judge->source, &judge->packet->src, judge->now,
                         door);
}

/* Whether some door that has `step` is still under way, whatever its last step was. */
static bool goes_on(const struct judge *judge, struct step step)
{
    unsigned count;
    const struct setup_step *found = setup_doors_with(judge->setup, step, &count);
    bool on = count > DOORS_LOOKED_AT;
    for (unsigned i = 0; i < count && !on; i++)
        on = stage_of(judge, found[i].door) > 0;
    return on;
}

/*
 * Whether the packet brought some door a step further, or to its first one. *timeout: how long
 * a knock that begins with it may take, 0 if it begins none.
 */
static bool takes_step(const struct judge *judge, struct step step, int64_t *timeout)
{
    unsigned count;
    const struct setup_step *found = setup_doors_with(judge->setup, step, &count);
    bool taken = count > DOORS_LOOKED_AT;
    *timeout = taken ? judge->setup->longest : 0;
    for (unsigned i = 0; i < count && count <= DOORS_LOOKED_AT; i++) {
        const struct match_door *door = &judge->setup->doors[found[i].door];
        unsigned stage = stage_of(judge, found[i].door);
        if (stage == 0 || !step_equal(door->sequence.steps[stage - 1], step))
            continue;
        taken = true;
        if (step_equal(door->sequence.steps[0], step) && door->timeout > *timeout)
            *timeout = door->timeout;
    }
    return taken;
}

static void note_step(struct judge *judge, struct step step, int64_t timeout)
{
    const struct setup *setup = judge->setup;
    struct suspect *suspect = judge->suspect;
    if (!suspect)
        suspect = penalties_add(setup->penalties, &judge->packet->src, judge->now);
    /* Where its beginning was forgotten, it has the longest time. */
    if (timeout == 0 && !suspect->under_way)
        timeout = setup->longest;
    if (timeout > 0)
        suspect->until = judge->now + timeout;
    suspect->under_way = true;
    suspect->source = (uint8_t)judge->source;
    suspect->gaps = setup->gaps[judge->source];
    suspect->step = step;
    suspect->touched = judge->now;
}

/* The matcher took the packet, and nothing opened. */
static void judge_packet(struct judge *judge)
{
    const struct packet *packet = judge->packet;
    struct step step = {.port = packet->dpt, .proto = (uint8_t)packet->proto};
    const struct suspect *suspect = judge->suspect;
    int64_t timeout;
    if (takes_step(judge, step, &timeout))
        note_step(judge, step, timeout);
    else if (suspect && suspect->under_way && suspect->source == judge->source &&
             !goes_on(judge, suspect->step))
        broke(judge, judge->now);
}

static bool is_deaf(const struct judge *judge)
{
    return judge->suspect && judge->now < judge->suspect->deaf_until;
}

static enum match_verdict feed(struct judge *judge)
{
    struct suspect *suspect = judge->suspect;
    enum match_verdict verdict = matcher_feed(judge->setup->matcher, judge->source, judge->packet,
                                              judge->now, on_opened, judge);
    if (judge->opened && suspect)
        penalties_forgive(suspect);
    else if (verdict == MATCH_SEEN && !judge->opened)
        judge_packet(judge);
    else if (verdict == MATCH_IDLE && suspect && suspect->source == judge->source)
        suspect->under_way = false; /* the matcher knows nothing of it any more */
    return verdict;
}

enum match_verdict guesses_feed(const struct setup *setup, unsigned source,
                                const struct packet *packet, int64_t now,
                                const struct guesses_calls *calls)
{
    /* Sealed knocks aren't guessed: who is deaf to others hears them all the same. */
    if (!setup->penalties || matcher_is_sealed(setup->matcher, packet))
        return matcher_feed(setup->matcher, source, packet, now, calls->opened, calls->arg);
    struct judge judge = {.setup = setup,
                          .packet = packet,
                          .calls = calls,
                          .suspect = penalties_find(setup->penalties, &packet->src),
                          .source = source,
                          .now = now};
    /* What ran out meanwhile is a failure of that moment. */
    if (!is_deaf(&judge) && judge.suspect && judge.suspect->under_way && now > judge.suspect->until)
        broke(&judge, judge.suspect->until);
    if (!is_deaf(&judge))
        return feed(&judge);
    penalties_counters(setup->penalties)->ignored++;
    return MATCH_DEAF;
}

void guesses_gap(struct setup *setup, unsigned source)
{
    matcher_gap(setup->matcher, source);
    setup->gaps[source]++;
}
