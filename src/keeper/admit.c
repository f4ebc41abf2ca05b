#include "keeper/admit.h"

#include "lib/log.h"

/* A second, and at once. */
enum { OPEN_RATE = 5000, OPEN_BURST = 10000, REFUSAL_RATE = 20, REFUSAL_BURST = 200 };

/* What an honest listener's assembler hands over at most, and a burst of as much. */
enum { SEALED_RATE = 22000, SEALED_BURST = 22000, STRANGER_RATE = 1, STRANGER_BURST = 20 };

struct admission admit_make(int64_t now)
{
    return (struct admission){.openings = limit_make(OPEN_RATE, OPEN_BURST, now),
                              .refusals = limit_make(REFUSAL_RATE, REFUSAL_BURST, now),
                              .messages = limit_make(SEALED_RATE, SEALED_BURST, now),
                              .strangers = limit_make(STRANGER_RATE, STRANGER_BURST, now)};
}

/* What a listener calls a door beyond the configuration's is a one-time sequence of one of them. */
static bool find_once(const struct config *config, const struct once *once,
                      struct record_open *open, unsigned *line)
{
    *line = open->door - config->door_count;
    if (*line >= once->count)
        return false;
    open->door = once->lines[*line].door;
    return true;
}

bool admit_open(struct admission *admission, const struct config *config, const struct plans *plans,
                const struct once *once, struct store *store, struct doors *doors,
                const struct record_open *asked, int64_t now)
{
    char text[ADDR_TEXT_SIZE];
    const char *why = NULL;
    struct record_open open = *asked;
    unsigned line = 0;
    bool one_time = open.door >= config->door_count;
    if (one_time && !find_once(config, once, &open, &line))
        return false;
    /* What only keys or one-time sequences open isn't a listener's to ask for. */
    if (!one_time && config->doors[open.door].sequence.count == 0)
        return false;
    enum gate_verdict verdict = gate_judge(config, plans, &open, &admission->openings, now, &why);
    if (verdict == GATE_BAD)
        return false;
    const struct config_door *door = &config->doors[open.door];
    /* Used up, durably, before anything runs, and whatever comes of it. */
    if (verdict == GATE_OPEN && one_time && once_spend(once, line, config, store, &why) < 0)
        verdict = GATE_REFUSED;
    if (verdict == GATE_OPEN) {
        const struct plan *plan = plans_get(plans, open.door, open.address.family);
        struct knock knock =
            knock_plain(door, plan, &open.address, one_time ? "one-time sequence" : "sequence");
        doors_knock(doors, &knock);
        return true;
    }
    doors_tell_refused(doors, door->name, &open.address, why);
    if (limit_take(&admission->refusals, now))
        log_notice("door %s: refused %s: %s", door->name, addr_format(&open.address, text), why);
    return true;
}
