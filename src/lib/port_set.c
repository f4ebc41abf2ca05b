/* Keeps a bit for each port, and reads from /proc which ports something listens on. */
#include "lib/port_set.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static unsigned row(uint8_t proto)
{
    return proto == IPPROTO_UDP;
}

void port_set_add(struct port_set *set, uint8_t proto, uint16_t first, uint16_t last)
{
    for (uint32_t port = first; port <= last; port++)
        set->bits[row(proto)][port / 64] |= 1ull << port % 64;
}

bool port_set_has(const struct port_set *set, uint8_t proto, uint16_t port)
{
    return set->bits[row(proto)][port / 64] >> port % 64 & 1;
}

bool port_set_range(const struct port_set *set, uint8_t proto, uint32_t from, uint16_t *first,
                    uint16_t *last)
{
    while (from <= UINT16_MAX && !port_set_has(set, proto, (uint16_t)from))
        from++;
    if (from > UINT16_MAX)
        return false;
    *first = (uint16_t)from;
    while (from < UINT16_MAX && port_set_has(set, proto, (uint16_t)(from + 1)))
        from++;
    *last = (uint16_t)from;
    return true;
}

enum { WORDS = sizeof(struct port_set) / (2 * sizeof(uint64_t)) };

void port_set_keep(struct port_set *set, const struct port_set *other)
{
    for (int i = 0; i < 2 * WORDS; i++)
        set->bits[i / WORDS][i % WORDS] &= other->bits[i / WORDS][i % WORDS];
}

void port_set_join(struct port_set *set, const struct port_set *other)
{
    for (int i = 0; i < 2 * WORDS; i++)
        set->bits[i / WORDS][i % WORDS] |= other->bits[i / WORDS][i % WORDS];
}

void port_set_remove(struct port_set *set, const struct port_set *other)
{
    for (int i = 0; i < 2 * WORDS; i++)
        set->bits[i / WORDS][i % WORDS] &= ~other->bits[i / WORDS][i % WORDS];
}

bool port_set_is_empty(const struct port_set *set)
{
    static const struct port_set none;
    return memcmp(set, &none, sizeof(none)) == 0;
}

/* 127.0.0.0/8 and ::1 as the kernel prints them: words of four bytes in the host's order. */
static bool is_loopback(const char *hex)
{
    static const uint8_t one6[16] = {[15] = 1};
    uint8_t bytes[16] = {0};
    size_t words = strlen(hex) / 8;
    for (size_t i = 0; i < words && i < 4; i++) {
        char part[9] = "";
        memcpy(part, hex + 8 * i, 8);
        uint32_t word = (uint32_t)strtoul(part, NULL, 16);
        memcpy(bytes + 4 * i, &word, 4);
    }
    return words == 1 ? bytes[0] == 127 : memcmp(bytes, one6, sizeof(one6)) == 0;
}

void ports_add_sockets(struct port_set *set, uint8_t proto, FILE *file, enum sockets_wanted wanted)
{
    /* TCP_LISTEN, and TCP_CLOSE, which is what an unconnected UDP socket shows. */
    const unsigned listens = proto == IPPROTO_UDP ? 0x07 : 0x0a;
    char line[512];
    while (fgets(line, sizeof(line), file)) {
        char address[33];
        unsigned port, state;
        /* The header has no number before a colon. */
        if (sscanf(line, " %*u: %32[0-9A-Fa-f]:%4x %*s %2x", address, &port, &state) != 3)
            continue;
        if (wanted == SOCKETS_ALL || (state == listens && !is_loopback(address)))
            port_set_add(set, proto, (uint16_t)port, (uint16_t)port);
    }
}

void ports_add_services(struct port_set *set, FILE *file)
{
    char line[512];
    while (fgets(line, sizeof(line), file)) {
        unsigned port;
        line[strcspn(line, "#")] = '\0';
        if (sscanf(line, "%*s %5u/", &port) != 1 || port > UINT16_MAX)
            continue;
        port_set_add(set, IPPROTO_TCP, (uint16_t)port, (uint16_t)port);
        port_set_add(set, IPPROTO_UDP, (uint16_t)port, (uint16_t)port);
    }
}

static void add_sockets_of(struct port_set *set, uint8_t proto, const char *path,
                           enum sockets_wanted wanted)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return; /* no IPv6: no sockets of it */
    ports_add_sockets(set, proto, file, wanted);
    fclose(file);
}

void ports_add_bound_udp(struct port_set *set)
{
    add_sockets_of(set, IPPROTO_UDP, "/proc/net/udp", SOCKETS_LISTENING);
    add_sockets_of(set, IPPROTO_UDP, "/proc/net/udp6", SOCKETS_LISTENING);
}

void ports_add_listening(struct port_set *set)
{
    add_sockets_of(set, IPPROTO_TCP, "/proc/net/tcp", SOCKETS_LISTENING);
    add_sockets_of(set, IPPROTO_TCP, "/proc/net/tcp6", SOCKETS_LISTENING);
}

/* Replies to this host's own connections come to these: they would be strays, or be lost. */
static void add_ephemeral(struct port_set *set)
{
    unsigned first = 32768, last = 60999; /* the kernel's default */
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
    if (file) {
        if (fscanf(file, "%5u %5u", &first, &last) != 2 || first > last || last > UINT16_MAX)
            first = 32768, last = 60999;
        fclose(file);
    }
    port_set_add(set, IPPROTO_TCP, (uint16_t)first, (uint16_t)last);
    port_set_add(set, IPPROTO_UDP, (uint16_t)first, (uint16_t)last);
}

void ports_add_taken(struct port_set *set)
{
    add_sockets_of(set, IPPROTO_TCP, "/proc/net/tcp", SOCKETS_ALL);
    add_sockets_of(set, IPPROTO_TCP, "/proc/net/tcp6", SOCKETS_ALL);
    add_sockets_of(set, IPPROTO_UDP, "/proc/net/udp", SOCKETS_ALL);
    add_sockets_of(set, IPPROTO_UDP, "/proc/net/udp6", SOCKETS_ALL);
    add_ephemeral(set);
    FILE *services = fopen("/etc/services", "re");
    if (!services)
        return;
    ports_add_services(set, services);
    fclose(services);
}
