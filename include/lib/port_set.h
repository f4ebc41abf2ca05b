/* Sets of TCP and UDP ports, and which ports of this host are taken. */
#ifndef LIB_PORT_SET_H
#define LIB_PORT_SET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A bit a port; [0] TCP, [1] UDP. All zero: empty. */
struct port_set {
    uint64_t bits[2][65536 / 64];
};

/* `proto` is IPPROTO_TCP or IPPROTO_UDP; first <= last. */
void port_set_add(struct port_set *set, uint8_t proto, uint16_t first, uint16_t last);

bool port_set_has(const struct port_set *set, uint8_t proto, uint16_t port);

/*
 * Finds the first run of neighbouring ports at or after `from` (0-65536). False when there is none.
 */
bool port_set_range(const struct port_set *set, uint8_t proto, uint32_t from, uint16_t *first,
                    uint16_t *last);

/* What is in both, in one of them, or in the first but not in the other, becomes the first. */
void port_set_keep(struct port_set *set, const struct port_set *other);
void port_set_join(struct port_set *set, const struct port_set *other);
void port_set_remove(struct port_set *set, const struct port_set *other);

bool port_set_is_empty(const struct port_set *set);

/* Which lines of /proc/net/{tcp,udp}{,6} count. */
enum sockets_wanted { SOCKETS_ALL, SOCKETS_LISTENING };

/*
 * Adds the local ports of the sockets listed in `file` (format: Documentation/networking/
 * proc_net_tcp.rst of Linux). SOCKETS_LISTENING: of sockets that listen (UDP: unconnected), not on
 * loopback.
 */
void ports_add_sockets(struct port_set *set, uint8_t proto, FILE *file, enum sockets_wanted wanted);

/* Adds the ports of a file like services(5), each for both protocols. */
void ports_add_services(struct port_set *set, FILE *file);

/* Adds the UDP ports that take packets of anyone. */
void ports_add_bound_udp(struct port_set *set);

/* Adds what other programs of this host listen on over TCP, for others to connect to. */
void ports_add_listening(struct port_set *set);

/*
 * Adds what a knock on this host should stay away from: ports of sockets, of /etc/services, and
 * those that the kernel gives to outgoing connections. What can't be read is left out.
 */
void ports_add_taken(struct port_set *set);

#endif
