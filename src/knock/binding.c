/* Chooses what a knock is bound to: the machine's own address, one that is asked for, or nothing.
 */
#include "knock/binding.h"

#include <stdarg.h>
#include <stdio.h>

#include "knock/address_command.h"
#include "knock/nat.h"
#include "knock/output.h"
#include "knock/stun.h"
#include "lib/addr_scope.h"
#include "lib/clock.h"

struct choice {
    const struct profile *profile;
    const struct knock_target *target;
    struct source *source;
    int64_t until;
    bool only_look;
};

static void explain(const struct choice *choice, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void explain(const struct choice *choice, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(choice->source->binding, sizeof(choice->source->binding), format, args);
    va_end(args);
}

static const char *name_scope(const struct addr *address)
{
    switch (addr_scope(address)) {
    case ADDR_SCOPE_NONE:
        return "no host's address";
    case ADDR_SCOPE_HOST:
    case ADDR_SCOPE_LINK:
    case ADDR_SCOPE_SITE:
        return "a private address";
    case ADDR_SCOPE_SHARED:
        return "an address inside a provider's network";
    case ADDR_SCOPE_WORLD:
        break;
    }
    return "a public address";
}

/* `informant`: whom the address is from, for the messages. */
static bool use_answer(const struct choice *choice, const char *informant,
                       const struct addr *address)
{
    char text[ADDR_TEXT_SIZE];
    struct addr to = knock_target_addr(choice->target);
    uint8_t family = nat_seen_family(&to);
    addr_format(address, text);
    if (address->family != family) {
        output_error(
            "%s tells the address %s, but %s will see one of IPv%u; nothing was sent: ask by IPv%u, "
            "or knock by IPv%u (-%u)",
            informant, text, choice->target->text, family, family, address->family,
            address->family);
        return false;
    }
    if (addr_scope(address) < addr_scope(&to)) {
        output_error(
            "%s tells %s, which is %s and not what %s will see; nothing was sent: ask one that is "
            "outside of the translators (NAT) in between",
            informant, text, name_scope(address), choice->target->text);
        return false;
    }
    choice->source->bound = *address;
    explain(choice, "bound to %s, told by %s", text, informant);
    return true;
}

static bool ask(const struct choice *choice, bool by_stun)
{
    const struct profile *profile = choice->profile;
    char informant[300] = "address_command";
    struct addr address;
    if (by_stun)
        snprintf(informant, sizeof(informant), "the STUN server %s", profile->stun);
    if (choice->only_look) {
        explain(choice, "to be bound to the address that %s will tell", informant);
        return true;
    }
    bool told =
        by_stun ? stun_ask(profile->stun, choice->source, choice->target, choice->until, &address)
                : address_command_ask(profile->address_command, choice->until, &address);
    choice->source->learned_from = by_stun ? LEARNED_FROM_STUN : LEARNED_FROM_COMMAND;
    return told && use_answer(choice, informant, &address);
}

static bool choose_own(const struct choice *choice)
{
    struct addr own = knock_target_addr(&choice->source->own);
    choice->source->bound = own;
    explain(choice, "bound to %s, this machine's own address", choice->source->own.text);
    return true;
}

static bool choose_unbound(const struct choice *choice, const char *why)
{
    explain(choice, "not bound to an address, %s", why);
    return true;
}

static bool choose_auto(const struct choice *choice)
{
    const struct profile *profile = choice->profile;
    struct addr own = knock_target_addr(&choice->source->own),
                to = knock_target_addr(choice->target);
    if (!nat_between(&own, &to))
        return choose_own(choice);
    if (profile->stun || profile->address_command)
        return ask(choice, profile->stun != NULL);
    if (profile->unbound)
        return choose_unbound(choice, "since a translator (NAT) changes this machine's");
    output_error(
        "%s will not see this machine's address %s but that of a translator (NAT): let a STUN server "
        "tell it, by --stun HOST, or give it by --bind ADDRESS; or say unbound = true if the door has "
        "bound = false",
        choice->target->text, choice->source->own.text);
    return false;
}

bool binding_asks(const struct profile *profile, const struct knock_target *target,
                  const struct source *source)
{
    struct addr own = knock_target_addr(&source->own), to = knock_target_addr(target);
    if (!profile->key || (!profile->stun && !profile->address_command))
        return false;
    return profile->bind == BIND_STUN || profile->bind == BIND_COMMAND ||
           (profile->bind == BIND_AUTO && nat_between(&own, &to));
}

bool binding_choose(const struct profile *profile, const struct knock_target *target, int64_t until,
                    bool only_look, struct source *source)
{
    struct choice choice = {profile, target, source, until, only_look};
    char text[ADDR_TEXT_SIZE];
    if (until == INT64_MAX)
        choice.until = clock_now() + BINDING_WAIT_S * CLOCK_SECOND;
    if (!profile->key)
        return true;
    switch (profile->bind) {
    case BIND_AUTO:
        return choose_auto(&choice);
    case BIND_STUN:
    case BIND_COMMAND:
        return ask(&choice, profile->bind == BIND_STUN);
    case BIND_ANY:
        return choose_unbound(&choice, "as bind = any says");
    case BIND_ADDRESS:
        break;
    }
    explain(&choice, "bound to %s, as bind says", addr_format(&source->bound, text));
    return true;
}
