#include "keeper/gate.h"

#include "lib/addr_scope.h"

bool gate_address(const struct addr *address)
{
    if (address->family != 4)
        return address->family == 6;
    for (int i = 4; i < 16; i++)
        if (address->bytes[i] != 0)
            return false;
    return true;
}

enum gate_verdict gate_judge(const struct config *config, const struct plans *plans,
                             const struct message_open *open, const char **why)
{
    if (open->door >= config->door_count || open->source >= config->source_count ||
        !gate_address(&open->address))
        return GATE_BAD;
    const struct config_door *door = &config->doors[open->door];
    if (addr_scope(&open->address) == ADDR_SCOPE_NONE) {
        *why = "no host can have that address";
        return GATE_REFUSED;
    }
    if (!config_allows(door, &open->address)) {
        *why = "not in its list of allowed networks";
        return GATE_REFUSED;
    }
    if (!plans_get(plans, open->door, open->address.family)->usable) {
        *why = open->address.family == 6 ? "it has no commands for IPv6"
                                         : "it has no commands for IPv4";
        return GATE_REFUSED;
    }
    return GATE_OPEN;
}
