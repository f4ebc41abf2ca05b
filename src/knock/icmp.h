/* Who sent the ICMP error that put an end to a connection, where the system tells. */
#ifndef KNOCK_ICMP_H
#define KNOCK_ICMP_H

#include "lib/addr.h"

/* Asks the kernel to keep ICMP errors about the socket `fd` of `family` (AF_INET, AF_INET6). */
void icmp_listen(int fd, int family);

/* Takes the first that was kept and sets *teller to its sender. Leaves *teller when there is
 * none, as where the system doesn't keep them: Linux does for TCP since 5.11. */
void icmp_take(int fd, struct addr *teller);

#endif
