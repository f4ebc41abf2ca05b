/* Tells other hosts' names from this one's. Beside host_name.c, since the listener, which uses
 * that, asks for no name. */
#include <unistd.h>

#include "lib/host_name.h"

const char *host_name_other(const char *name)
{
    char own[256] = "";
    /* Without a name of its own this host can't tell which are others'. */
    if (*name == '\0' || gethostname(own, sizeof(own) - 1) < 0)
        return *name ? name : NULL;
    return host_name_equal(name, own) ? NULL : name;
}
