/* What the service's sandbox does: knockd.service hides folders that a shell beside it sees, and
 * gives the process a /proc of its own. */
#ifndef LIB_SERVICE_H
#define LIB_SERVICE_H

#include <stdbool.h>

/* Whether this process is run by systemd, and its unit hides that path by ProtectHome or
 * PrivateTmp, unless an administrator has changed it. */
bool service_hides(const char *path);

/* What to add to a message that the path can't be read: "" where service_hides says no. Keeps
 * errno. */
const char *service_note(const char *path);

/*
 * Which setting of the unit probably made a command fail that wrote the line `said`, and what to
 * do; NULL: that line says nothing of the kind, or systemd doesn't run this process.
 */
const char *service_denied(const char *said);

enum { SERVICE_BOOT_ID_SIZE = 37 };

/*
 * The boot that the unit names in KNOCKD_BOOT_ID (systemd.unit(5), %b), written as the kernel
 * writes it. In a container a fresh /proc, as ProtectProc mounts it, has the host's boot instead,
 * which neither the container's journal nor its reboots know. False where nothing is named.
 */
bool service_boot_id(char out[SERVICE_BOOT_ID_SIZE]);

#endif
