/* Knows which folders the unit knockd.service hides from the process. */
#include "lib/service.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

bool service_hides(const char *path)
{
    static const char *const folders[] = {"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"};
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
