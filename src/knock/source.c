#include "knock/source.h"

#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "knock/nat.h"
#include "knock/say.h"
#include "knock/send.h"

static int open_udp(const struct knock_target *target)
{
    return socket(target->address.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

/* The kernel's choice for packets to `target`: connecting by UDP sends none. */
static int look_up(const struct knock_target *target, struct knock_target *own)
{
    struct knock_target to = knock_target_at(target, 1);
    int fd = open_udp(target);
    if (fd < 0)
        return errno;
    *own = (struct knock_target){.length = sizeof(own->address)};
    int error = connect(fd, &to.address.any, to.length) < 0 ||
                        getsockname(fd, &own->address.any, &own->length) < 0
                    ? errno
                    : 0;
    close(fd);
    if (error)
        return error;
    *own = knock_target_at(own, 0);
    return getnameinfo(&own->address.any, own->length, own->text, sizeof(own->text), NULL, 0,
                       NI_NUMERICHOST)
               ? EINVAL
               : 0;
}

static bool find_own(const struct knock_target *target, struct knock_target *own)
{
    int error = look_up(target, own);
    if (error == 0)
        return true;
    const char *advice = knock_send_advice(target, error);
    say("cannot send to %s: %s%s%s", target->text, strerror(error), advice ? "; " : "",
        advice ? advice : "");
    return false;
}

/* Whether `own` is an address of this machine: if not, a translator's, and the kernel chooses. */
static bool is_ours(const struct knock_target *own)
{
    int fd = open_udp(own);
    bool ours = fd >= 0 && bind(fd, &own->address.any, own->length) == 0;
    if (fd >= 0)
        close(fd);
    return ours;
}

static bool bind_to(const struct profile *profile, const struct knock_target *target,
                    struct source *out)
{
    struct addr to = knock_target_addr(target);
    char text[ADDR_TEXT_SIZE];
    addr_format(&profile->bind_address, text);
    if (profile->bind_address.family != to.family) {
        say("a knock to %s can't come from %s: bind it to an IPv%u address, or knock by IPv%u "
            "(-%u)",
            target->text, text, to.family, profile->bind_address.family,
            profile->bind_address.family);
        return false;
    }
    struct knock_target own;
    const char *why;
    if (knock_target_resolve(text, AF_UNSPEC, &own, &why) && is_ours(&own))
        out->own = own;
    out->bound = profile->bind_address;
    return true;
}

static bool bind_auto(const struct knock_target *target, struct source *out)
{
    struct addr own = knock_target_addr(&out->own), to = knock_target_addr(target);
    if (nat_between(&own, &to)) {
        say("%s will not see this machine's address %s but that of a translator (NAT): give the "
            "public one by --bind ADDRESS, or say bind = any if the door has bound = false",
            target->text, out->own.text);
        return false;
    }
    out->bound = own;
    return true;
}

bool source_choose(const struct profile *profile, const struct knock_target *target,
                   struct source *out)
{
    *out = (struct source){0};
    if (!find_own(target, &out->own))
        return false;
    if (!profile->key || profile->bind == BIND_ANY)
        return true;
    return profile->bind == BIND_ADDRESS ? bind_to(profile, target, out) : bind_auto(target, out);
}
