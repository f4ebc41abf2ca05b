/* Takes a source port and sends a round of packets from it, by UDP or by SYNs of TCP. */
#include "knock/round_port.h"

#include <errno.h>
#include <unistd.h>

#include "lib/crypto.h"

/* Several sockets of TCP may have one source port if all of them say so. */
static void share_port(int fd)
{
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
}

/* Without a port of its own a message still arrives: the receiver has a record for those whose
 * ports a translator scattered. */
static void hold_port(struct round_port *round_port)
{
    const struct knock_target *own = &round_port->source->own;
    round_port->from = *own;
    share_port(round_port->fd);
    if (bind(round_port->fd, &own->address.any, own->length) < 0 ||
        getsockname(round_port->fd, &round_port->from.address.any, &round_port->from.length) < 0)
        round_port->from.length = 0;
}

int round_port_open(struct round_port *round_port, const struct knock_target *target,
                    const struct source *source, uint8_t proto, struct replies *replies)
{
    *round_port =
        (struct round_port){.source = source, .replies = replies, .to = *target, .proto = proto};
    round_port->fd = source_socket(source, target, proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM);
    if (round_port->fd < 0)
        return errno;
    if (proto != IPPROTO_UDP) {
        hold_port(round_port);
        return 0;
    }
    replies_listen(replies, round_port->fd);
    return bind(round_port->fd, &source->own.address.any, source->own.length) < 0 ? errno : 0;
}

static int send_syn(const struct round_port *round_port, const struct knock_target *to, bool bound)
{
    int fd = source_socket(round_port->source, to, SOCK_STREAM);
    if (fd < 0)
        return errno;
    if (bound) {
        share_port(fd);
        if (bind(fd, &round_port->from.address.any, round_port->from.length) < 0) {
            close(fd);
            return EADDRNOTAVAIL;
        }
    }
    return replies_send_syn(round_port->replies, fd, to);
}

static int send_tcp(const struct round_port *round_port, const struct knock_target *to)
{
    int error = EADDRNOTAVAIL; /* also when an earlier connection of these ports isn't over */
    if (round_port->from.length > 0)
        error = send_syn(round_port, to, true);
    return error == EADDRNOTAVAIL ? send_syn(round_port, to, false) : error;
}

static int send_udp(const struct round_port *round_port, const struct knock_target *to,
                    const struct carrier_packet *packet, const uint8_t *payload)
{
    uint8_t filler[1024];
    if (!payload) {
        crypto_random(filler, packet->length);
        payload = filler;
    }
    int error = replies_send_udp(round_port->replies, round_port->fd, to, payload, packet->length);
    /* A full queue has lost the packet, as any router might. */
    return error == EAGAIN || error == ENOBUFS ? 0 : error;
}

int round_port_send(struct round_port *round_port, const struct carrier_packet *packet,
                    const uint8_t *payload)
{
    struct knock_target to = knock_target_at(&round_port->to, packet->port);
    return packet->proto == IPPROTO_UDP ? send_udp(round_port, &to, packet, payload)
                                        : send_tcp(round_port, &to);
}

void round_port_collect(struct round_port *round_port)
{
    if (round_port->fd >= 0)
        replies_read(round_port->replies, round_port->fd);
}

void round_port_leave(struct round_port *round_port)
{
    if (round_port->proto == IPPROTO_UDP && round_port->fd >= 0)
        replies_keep(round_port->replies, round_port->fd);
    else
        round_port_close(round_port);
    round_port->fd = -1;
}

void round_port_close(struct round_port *round_port)
{
    if (round_port->fd >= 0)
        close(round_port->fd);
    round_port->fd = -1;
}
