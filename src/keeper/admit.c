#include "keeper/admit.h"

#include "lib/log.h"

/* A second, and at once. */
enum { OPEN_RATE = 5000, OPEN_BURST = 10000, REFUSAL_RATE = 20, REFUSAL_BURST = 200 };

struct admission admit_make(int64_t now)
{
    return (struct admission){.openings = limit_make(OPEN_RATE, OPEN_BURST, now),
                              .refusals = limit_make(REFUSAL_RATE, REFUSAL_BURST, now)};
}

bool admit_open(struct admission *admission, const struct config *config, const struct plans *plans,
                struct doors *doors, const struct record_open *open, int64_t now)
{
    char text[ADDR_TEXT_SIZE];
    const char *why = NULL;
    enum gate_verdict verdict = gate_judge(config, plans, open, &admission->openings, now, &why);
    if (verdict == GATE_BAD)
        return false;
    const struct config_door *door = &config->doors[open->door];
    if (verdict == GATE_OPEN) {
        doors_knock(doors, door, plans_get(plans, open->door, open->address.family), &open->address,
                    "sequence");
        return true;
    }
    doors_tell_refused(doors, door->name, &open->address, why);
    if (limit_take(&admission->refusals, now))
        log_notice("door %s: refused %s: %s", door->name, addr_format(&open->address, text), why);
    return true;
}
