/* Parses ports, protocols and hosts with a port. */
#include "knock/port_argument.h"

#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

uint16_t knock_service_lookup(const char *name, uint8_t proto)
{
    const struct servent *entry = getservbyname(name, proto_name(proto));
    return entry ? ntohs((uint16_t)entry->s_port) : 0;
}

static bool parse_proto(const char *text, uint8_t *out)
{
    if (strcasecmp(text, "tcp") == 0)
        *out = IPPROTO_TCP;
    else if (strcasecmp(text, "udp") == 0)
        *out = IPPROTO_UDP;
    else
        return false;
    return true;
}

bool knock_port_parse(const char *text, uint8_t proto, knock_service *service,
                      struct port_proto *out, const char **why)
{
    char name[256];
    size_t len = strcspn(text, ":");
    if (strchr(text, ',')) {
        *why = "give each port as an argument of its own, as in: 7000 8000:udp 9000";
        return false;
    }
    if (text[len] == ':' && !parse_proto(text + len + 1, &proto)) {
        *why = "expected tcp or udp after the colon";
        return false;
    }
    snprintf(name, sizeof(name), "%.*s", (int)len, text);
    struct port_proto step = {0};
    if (len == strspn(text, "0123456789")) {
        /* All digits is never a service: 70000 has to be called out of range, not unknown. */
        if (!port_proto_parse(name, &step, why))
            return false;
    } else if (len < sizeof(name)) {
        step.port = service(name, proto);
    }
    if (step.port == 0) {
        *why = proto == IPPROTO_UDP
                   ? "no such UDP service in services(5); expected its name or a port 1-65535"
                   : "no such TCP service in services(5); expected its name or a port 1-65535";
        return false;
    }
    step.proto = proto;
    *out = step;
    return true;
}
