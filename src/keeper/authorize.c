#include "keeper/authorize.h"

#include "lib/log.h"

/*
 * A second, and at once. A thousand who knock at one moment are let in; but a listener in an
 * attacker's hands can't ask for more doors than can be closed in time, nor have more written.
 */
enum { OPEN_RATE = 50, OPEN_BURST = 1000, ONE_TIME_RATE = 2, ONE_TIME_BURST = 20 };
enum { SEALED_OPEN_RATE = 5000, SEALED_OPEN_BURST = 10000 };
enum { REFUSAL_RATE = 20, REFUSAL_BURST = 200 };

/* What an honest listener's assembler hands over at most, and a burst of as much. */
enum { SEALED_RATE = 22000, SEALED_BURST = 22000, STRANGER_RATE = 10, STRANGER_BURST = 200 };

struct admission authorize_make(int64_t now)
{
    return (struct admission){.openings = limit_make(OPEN_RATE, OPEN_BURST, now),
                              .one_time = limit_make(ONE_TIME_RATE, ONE_TIME_BURST, now),
                              .sealed_openings =
                                  limit_make(SEALED_OPEN_RATE, SEALED_OPEN_BURST, now),
                              .refusals = limit_make(REFUSAL_RATE, REFUSAL_BURST, now),
                              .messages = limit_make(SEALED_RATE, SEALED_BURST, now),
                              .strangers = limit_make(STRANGER_RATE, STRANGER_BURST, now)};
}

/* What a listener calls a door beyond the configuration's is a one-time sequence of one of them. */
static bool find_once(const struct config *config, const struct one_time *once,
                      struct message_open *open, unsigned *line)
{
    *line = open->door - config->door_count;
    if (*line >= once->count)
        return false;
    open->door = once->lines[*line].door;
    return true;
}

static const char too_many[] = "too many openings a second";

/* A line that is refused, as most of a hostile listener's are, costs neither a token nor a look
 * into the store. NULL: it is used up, durably, before anything runs, and whatever comes of it. */
static const char *spend(struct admission *admission, struct one_time *once, unsigned line,
                         const struct config *config, struct store *store, int64_t now)
{
    const char *why = once->known ? one_time_refuse(once, line) : NULL;
    if (why)
        return why;
    if (!limit_take(&admission->one_time, now))
        return too_many;
    if (one_time_recall(once, config, store) < 0)
        return "what one-time sequences are used up can't be looked up";
    why = one_time_refuse(once, line);
    return why ? why : one_time_spend(once, line, config, store);
}

static void refuse(struct admission *admission, const struct doors *doors,
                   const struct config_door *door, const struct addr *address, const char *why,
                   int64_t now)
{
    char text[ADDR_TEXT_SIZE];
    doors_tell_refused(doors, door->name, address, why);
    if (limit_take(&admission->refusals, now))
        log_notice("door %s: refused %s: %s", door->name, addr_format(address, text), why);
}

bool authorize_open(struct admission *admission, const struct config *config,
                    const struct plans *plans, struct one_time *once, struct store *store,
                    struct doors *doors, const struct message_open *asked, int64_t now)
{
    const char *why = NULL;
    struct message_open open = *asked;
    unsigned line = 0;
    bool one_time = open.door >= config->door_count;
    if (one_time && !find_once(config, once, &open, &line))
        return false;
    /* What only keys or one-time sequences open isn't a listener's to ask for. */
    if (!one_time && config->doors[open.door].sequence.count == 0)
        return false;
    enum gate_verdict verdict = gate_judge(config, plans, &open, &why);
    if (verdict == GATE_BAD)
        return false;
    if (verdict == GATE_OPEN && one_time)
        why = spend(admission, once, line, config, store, now);
    else if (verdict == GATE_OPEN && !limit_take(&admission->openings, now))
        why = too_many;
    const struct config_door *door = &config->doors[open.door];
    if (why) {
        refuse(admission, doors, door, &open.address, why, now);
        return true;
    }
    const struct plan *plan = plans_get(plans, open.door, open.address.family);
    struct knock knock =
        knock_plain(door, plan, &open.address, one_time ? "one-time sequence" : "sequence");
    doors_knock(doors, &knock);
    return true;
}
