/* What the service's sandbox does to paths: knockd.service hides folders that a shell beside it
 * sees. */
#ifndef LIB_SERVICE_H
#define LIB_SERVICE_H

#include <stdbool.h>

/* Whether this process is run by systemd, and its unit hides that path by ProtectHome or
 * PrivateTmp, unless an administrator has changed it. */
bool service_hides(const char *path);

/* What to add to a message that the path can't be read: "" where service_hides says no. Keeps
 * errno. */
const char *service_note(const char *path);

#endif
