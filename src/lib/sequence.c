/* Parses and compares sequences, ports with protocol, and TCP flags. */
#include "lib/sequence.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool parse_port(const char *text, size_t len, uint16_t *out)
{
    unsigned value = 0;
    if (len == 0 || len > 5)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value == 0 || value > 65535)
        return false;
    *out = (uint16_t)value;
    return true;
}

bool port_proto_parse(const char *text, struct port_proto *out, const char **why)
{
    size_t len = strcspn(text, ":");
    const char *proto = text[len] == ':' ? text + len + 1 : "tcp";
    struct port_proto step = {.proto = IPPROTO_TCP};
    if (!parse_port(text, len, &step.port)) {
        *why = "expected a port from 1 to 65535, like 7000, 7000:tcp or 7000:udp";
        return false;
    }
    if (strcasecmp(proto, "udp") == 0) {
        step.proto = IPPROTO_UDP;
    } else if (strcasecmp(proto, "tcp") != 0) {
        *why = "expected tcp or udp after the colon";
        return false;
    }
    *out = step;
    return true;
}

/* Copies the next comma-separated item of *text, trimmed; *text becomes what follows its comma, or
 * NULL where there is none. */
static bool next_item(const char **text, char *out, size_t size)
{
    const char *start = *text + strspn(*text, " \t");
    const char *comma = start + strcspn(start, ",");
    const char *end = comma;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    *text = *comma == ',' ? comma + 1 : NULL;
    return (size_t)snprintf(out, size, "%.*s", (int)(end - start), start) < size;
}

bool sequence_append(struct sequence *seq, const char *text, const char **why)
{
    do {
        char item[16];
        if (seq->count == STEPS_MAX) {
            *why = "a sequence has 32 steps at most";
            return false;
        }
        *why = "expected a port from 1 to 65535, like 7000, 7000:tcp or 7000:udp";
        if (!next_item(&text, item, sizeof(item)) ||
            !port_proto_parse(item, &seq->steps[seq->count], why))
            return false;
        seq->count++;
    } while (text);
    return true;
}

static uint8_t flag_by_name(const char *name)
{
    static const struct {
        const char *name;
        enum tcp_flag flag;
    } flags[] = {{"fin", TCP_FIN}, {"syn", TCP_SYN}, {"rst", TCP_RST}, {"psh", TCP_PSH},
                 {"ack", TCP_ACK}, {"urg", TCP_URG}, {"ece", TCP_ECE}, {"cwr", TCP_CWR}};
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (strcasecmp(name, flags[i].name) == 0)
            return (uint8_t)flags[i].flag;
    return 0;
}

bool flags_parse(const char *text, struct flag_match *out, const char **why)
{
    struct flag_match match = {0};
    *why = "expected flags like \"syn,!ack\" (fin syn rst psh ack urg ece cwr), or \"any\"";
    if (strcasecmp(text, "any") == 0) {
        *out = match;
        return true;
    }
    do {
        char item[16];
        if (!next_item(&text, item, sizeof(item)))
            return false;
        bool negated = item[0] == '!';
        uint8_t flag = flag_by_name(item + negated);
        if (!flag)
            return false;
        *(negated ? &match.clear : &match.set) |= flag;
    } while (text);
    if (match.set & match.clear) {
        *why = "the same flag is both required and forbidden: no packet can match";
        return false;
    }
    *out = match;
    return true;
}

bool flags_match(struct flag_match want, uint8_t flags)
{
    return (flags & want.set) == want.set && !(flags & want.clear);
}

const char *proto_name(uint8_t proto)
{
    return proto == IPPROTO_UDP ? "udp" : "tcp";
}

unsigned sequence_different(const struct sequence *seq)
{
    unsigned different = 0;
    for (unsigned i = 0; i < seq->count; i++) {
        unsigned before = 0;
        while (before < i && !port_proto_equal(seq->steps[before], seq->steps[i]))
            before++;
        different += before == i;
    }
    return different;
}
