#include "knock/volley.h"

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
static void hold_port(struct volley *volley)
{
    const struct knock_target *own = &volley->source->own;
    volley->from = *own;
    share_port(volley->fd);
    if (bind(volley->fd, &own->address.any, own->length) < 0 ||
        getsockname(volley->fd, &volley->from.address.any, &volley->from.length) < 0)
        volley->from.length = 0;
}

int volley_open(struct volley *volley, const struct knock_target *target,
                const struct source *source, uint8_t proto, struct replies *replies)
{
    *volley = (struct volley){.source = source, .replies = replies, .to = *target, .proto = proto};
    volley->fd = source_socket(source, target, proto == IPPROTO_UDP ? SOCK_DGRAM : SOCK_STREAM);
    if (volley->fd < 0)
        return errno;
    if (proto != IPPROTO_UDP) {
        hold_port(volley);
        return 0;
    }
    replies_listen(replies, volley->fd);
    return bind(volley->fd, &source->own.address.any, source->own.length) < 0 ? errno : 0;
}

static int send_syn(const struct volley *volley, const struct knock_target *to, bool bound)
{
    int fd = source_socket(volley->source, to, SOCK_STREAM);
    if (fd < 0)
        return errno;
    if (bound) {
        share_port(fd);
        if (bind(fd, &volley->from.address.any, volley->from.length) < 0) {
            close(fd);
            return EADDRNOTAVAIL;
        }
    }
    return replies_send_syn(volley->replies, fd, to);
}

static int send_tcp(const struct volley *volley, const struct knock_target *to)
{
    int error = EADDRNOTAVAIL; /* also when an earlier connection of these ports isn't over */
    if (volley->from.length > 0)
        error = send_syn(volley, to, true);
    return error == EADDRNOTAVAIL ? send_syn(volley, to, false) : error;
}

static int send_udp(const struct volley *volley, const struct knock_target *to,
                    const struct carrier_packet *packet, const uint8_t *payload)
{
    uint8_t filler[1024];
    if (!payload) {
        crypto_random(filler, packet->length);
        payload = filler;
    }
    int error = replies_send_udp(volley->replies, volley->fd, to, payload, packet->length);
    /* A full queue has lost the packet, as any router might. */
    return error == EAGAIN || error == ENOBUFS ? 0 : error;
}

int volley_send(struct volley *volley, const struct carrier_packet *packet, const uint8_t *payload)
{
    struct knock_target to = knock_target_at(&volley->to, packet->port);
    return packet->proto == IPPROTO_UDP ? send_udp(volley, &to, packet, payload)
                                        : send_tcp(volley, &to);
}

void volley_collect(struct volley *volley)
{
    if (volley->fd >= 0)
        replies_read(volley->replies, volley->fd);
}

void volley_leave(struct volley *volley)
{
    if (volley->proto == IPPROTO_UDP && volley->fd >= 0)
        replies_keep(volley->replies, volley->fd);
    else
        volley_close(volley);
    volley->fd = -1;
}

void volley_close(struct volley *volley)
{
    if (volley->fd >= 0)
        close(volley->fd);
    volley->fd = -1;
}
