/* The arguments of requests, numbers and addresses, and ports in their answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/request_parts.h"

unsigned request_parse_number(const char *text, unsigned most)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits < 10 ? strtoul(text, NULL, 10) : 0;
    return text[digits] == '\0' && value <= most ? (unsigned)value : 0;
}

bool request_parse_address(struct answer *answer, const char *text, struct addr *address)
{
    if (addr_parse(text, strlen(text), address))
        return true;
    answer_wrong_argument(answer, "\"%s\": expected an IPv4 or IPv6 address", text);
    return false;
}

void request_row_port(struct row *row, const char *key, struct port_proto port)
{
    char text[16];
    snprintf(text, sizeof(text), "%u:%s", port.port, proto_name(port.proto));
    if (port.port)
        row_text(row, key, text);
    else
        row_null(row, key);
}
