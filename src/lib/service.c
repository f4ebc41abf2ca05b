/* Knows what the unit knockd.service does to the process: the folders that it hides, the boot that
 * it names. */
#include "lib/service.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const folders[] = {"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"};

bool service_hides(const char *path)
{
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        if (strncmp(path, folders[i], strlen(folders[i])) == 0)
            return getenv("INVOCATION_ID") != NULL;
    return false;
}

const char *service_note(const char *path)
{
    return service_hides(path)
               ? "; knockd.service hides /home, /root and the folders of temporary files "
                 "(ProtectHome, PrivateTmp); put it elsewhere, or see systemctl edit knockd"
               : "";
}

/* A shell that a service started has INVOCATION_ID from that, too, but not its process id. */
static bool is_service(void)
{
    const char *pid = getenv("SYSTEMD_EXEC_PID");
    return getenv("INVOCATION_ID") && (!pid || atol(pid) == getpid());
}

static bool names_hidden(const char *said)
{
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        if (strstr(said, folders[i]))
            return true;
    return false;
}

#define DROP_IN "by `systemctl edit knockd`; systemd-commands.conf among the examples shows how"

const char *service_denied(const char *said)
{
    if (!is_service())
        return NULL;
    if (strstr(said, "Read-only file system"))
        return "ProtectSystem= makes all but /run and knockd's own folders read-only: name the "
               "folder that it writes to in ReadWritePaths= " DROP_IN;
    if (strstr(said, "Operation not permitted") || strstr(said, "Permission denied"))
        return "CapabilityBoundingSet= leaves even root few rights: add the one that it needs "
               "(other settings, such as RestrictAddressFamilies=, may deny as much) " DROP_IN;
    if (strstr(said, "No such file or directory") && names_hidden(said))
        return "ProtectHome= and PrivateTmp= hide /home, /root and the folders of temporary "
               "files: put the file elsewhere, or change them " DROP_IN;
    return NULL;
}

bool service_boot_id(char out[SERVICE_BOOT_ID_SIZE])
{
    const char *id = getenv("KNOCKD_BOOT_ID");
    if (!id || strspn(id, "0123456789abcdef") != 32 || id[32])
        return false;
    snprintf(out, SERVICE_BOOT_ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", id, id + 8, id + 12, id + 16,
             id + 20);
    return true;
}
