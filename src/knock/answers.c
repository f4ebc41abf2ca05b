/* Counts what came back for packets: whatever the network sends changes these numbers alone. */
#include "knock/answers.h"

#include <errno.h>
#include <sys/socket.h>

/* A socket holds more errors only if somebody sends them on purpose. */
enum { ERRORS_MAX = 64 };

void answers_add(struct answers *answers, int error)
{
    if (error == ECONNREFUSED) {
        answers->reset++;
        return;
    }
    answers->unreachable++;
    answers->obstacle = (struct icmp_error){.error = error};
}

static void add_icmp(struct answers *answers, const struct icmp_error *error,
                     const struct addr *target)
{
    if (error->kind == ICMP_KIND_TOO_BIG)
        return;
    if (addr_equal(&error->sender, target)) {
        answers->rejected++;
        answers->rejection = error->kind;
    } else {
        answers->unreachable++;
        answers->obstacle = *error;
    }
}

static int error_of(int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? errno : error;
}

bool answers_read(struct answers *answers, int fd, const struct addr *target)
{
    struct icmp_error icmp;
    unsigned count = 0;
    int error = error_of(fd); /* taking an ICMP error clears it */
    while (count < ERRORS_MAX && icmp_receive(fd, &icmp)) {
        add_icmp(answers, &icmp, target);
        count++;
    }
    if (count == 0 && error != 0)
        answers_add(answers, error);
    return count > 0 || error != 0;
}
