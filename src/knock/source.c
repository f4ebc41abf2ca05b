/* Chooses address and interface, and makes the sockets that use them. */
#include "knock/source.h"

#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>

#include "knock/output.h"

/* Without CAP_NET_RAW since Linux 5.7. */
static bool leave_by(int fd, const char *interface)
{
#ifdef SO_BINDTODEVICE
    return setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface,
                      (socklen_t)strlen(interface) + 1) == 0;
#else
    (void)fd;
    (void)interface;
    errno = ENOTSUP;
    return false;
#endif
}

/* Closes the socket, and leaves errno as it is. Returns -1. */
static int give_up(int fd)
{
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

int source_socket(const struct source *source, const struct knock_target *target, int type)
{
    int fd = socket(target->address.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !source->interface || leave_by(fd, source->interface))
        return fd;
    return give_up(fd);
}

/* Until the first packet is sent: the kernel counts on then as if there were no bind(). Where it
 * can't, it chooses a port at once, which will do as well. */
static void leave_port_open(int fd)
{
#ifdef IP_BIND_ADDRESS_NO_PORT
    const int on = 1;
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
#else
    (void)fd;
#endif
}

int source_bound_socket(const struct source *source, const struct knock_target *target, int type)
{
    int fd = source_socket(source, target, type);
    if (fd < 0 || source->own.length == 0)
        return fd;
    leave_port_open(fd);
    return bind(fd, &source->own.address.any, source->own.length) == 0 ? fd : give_up(fd);
}

/* The kernel's choice for packets to `target`: connecting by UDP sends none. */
static int look_up(const struct knock_target *target, struct source *out)
{
    struct knock_target to = knock_target_at(target, 1), *own = &out->own;
    int fd = source_socket(out, target, SOCK_DGRAM);
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

static bool find_own(const struct knock_target *target, struct source *out)
{
    int error = look_up(target, out);
    if (error == 0)
        return true;
    if (out->interface && error == EPERM) {
        output_error(
            "can't bind to the interface %s: Linux lets only root do that before version 5.7",
            out->interface);
        return false;
    }
    const char *advice = knock_target_advice(target, error);
    output_error("cannot send to %s%s%s: %s%s%s", target->text, out->interface ? " by " : "",
                 out->interface ? out->interface : "", strerror(error), advice ? "; " : "",
                 advice ? advice : "");
    return false;
}

/* Whether `own` is an address of this machine: if not, a translator's, and the kernel chooses. */
static bool is_ours(const struct source *source, const struct knock_target *own)
{
    int fd = source_socket(source, own, SOCK_DGRAM);
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
        output_error(
            "a knock to %s can't come from %s: bind it to an IPv%u address, or knock by IPv%u "
            "(-%u)",
            target->text, text, to.family, profile->bind_address.family,
            profile->bind_address.family);
        return false;
    }
    struct knock_target own;
    const char *why;
    bool ours = knock_target_resolve(text, AF_UNSPEC, &own, &why) && is_ours(out, &own);
    if (!ours && !profile->key) {
        output_error(
            "%s is not an address of this machine: bind the knock to one that \"ip address\" shows",
            text);
        return false;
    }
    if (ours)
        out->own = own;
    out->bound = profile->bind_address;
    return true;
}

static bool find_interface(const struct profile *profile, struct source *out)
{
    out->interface = profile->interface;
    if (!profile->interface || if_nametoindex(profile->interface) != 0)
        return true;
    output_error("this machine has no interface \"%s\": give one that \"ip link\" shows",
                 profile->interface);
    return false;
}

bool source_choose(const struct profile *profile, const struct knock_target *target,
                   struct source *out)
{
    *out = (struct source){0};
    if (!find_interface(profile, out) || !find_own(target, out))
        return false;
    return profile->bind != BIND_ADDRESS || bind_to(profile, target, out);
}
