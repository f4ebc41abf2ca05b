/* HOST[:PORT], as a STUN server is given. */
#include "lib/host_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool host_port_parse(const char *text, char host[HOST_PORT_MAX + 1], uint16_t *port)
{
    const char *begin = text, *end = strrchr(text, ':'), *more = NULL;
    if (*text == '[') {
        begin++;
        end = strchr(text, ']');
        more = end && end[1] ? end + 1 : NULL;
    } else if (end && strchr(text, ':') == end) {
        more = end;
    } else {
        end = text + strlen(text);
    }
    if (!end || end == begin || end - begin > HOST_PORT_MAX)
        return false;
    snprintf(host, HOST_PORT_MAX + 1, "%.*s", (int)(end - begin), begin);
    if (!more)
        return true;
    size_t digits = *more == ':' ? strspn(more + 1, "0123456789") : 0;
    unsigned long number = digits > 0 && digits <= 5 ? strtoul(more + 1, NULL, 10) : 0;
    if (number < 1 || number > 65535 || more[1 + digits] != '\0')
        return false;
    *port = (uint16_t)number;
    return true;
}
