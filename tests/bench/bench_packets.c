/*
 * bench_packets: UDP packets with forged addresses, to 10.1.255.254 by the loopback of a network
 * namespace that scripts/bench-latency.sh makes.
 *   bench_packets flood SECONDS PORT          as fast as it can, each from another address of
 *                                             10.128.0.0/9; PORT 0: each to another port from 60000
 *                                             on. Prints how many were sent, and in how many s
 *   bench_packets knocks PAUSE PORT...        from each of the addresses that standard input has by
 *                                             their numbers, a packet to each port, then PAUSE us.
 *                                             From 0 on they are 10.2.0.1 to .250, 10.2.1.1, ...
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"

enum { BURST = 64, FIRST_PORT = 60000, PORTS = 5000 };

struct packet {
    struct iphdr ip;
    struct udphdr udp;
    uint8_t payload;
};

static const struct sockaddr_in to = {.sin_family = AF_INET};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench_packets: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The kernel sets the checksum of the IP header; that of UDP may be left out. */
static void fill(struct packet *packet, uint32_t from, uint16_t port)
{
    *packet = (struct packet){
        .ip = {.version = 4,
               .ihl = sizeof(struct iphdr) / 4,
               .tot_len = htons(sizeof(*packet)),
               .ttl = 64,
               .protocol = IPPROTO_UDP,
               .saddr = htonl(from),
               .daddr = htonl(0x0a01fffe)},
        .udp = {.source = htons(4711),
                .dest = htons(port),
                .len = htons(sizeof(*packet) - sizeof(struct iphdr))},
    };
}

/* Addresses as forgers choose them, the same in each run. */
static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

static void flood(int fd, double seconds, uint16_t port)
{
    static struct packet packets[BURST];
    static struct mmsghdr messages[BURST];
    static struct iovec parts[BURST];
    uint32_t random = 1;
    long sent = 0;
    int64_t began = clock_now(), end = began + (int64_t)(seconds * (double)CLOCK_SECOND), now;
    for (int i = 0; i < BURST; i++) {
        parts[i] = (struct iovec){&packets[i], sizeof(packets[i])};
        messages[i].msg_hdr = (struct msghdr){.msg_name = (void *)(uintptr_t)&to,
                                              .msg_namelen = sizeof(to),
                                              .msg_iov = &parts[i],
                                              .msg_iovlen = 1};
    }
    while ((now = clock_now()) < end) {
        for (int i = 0; i < BURST; i++) {
            uint32_t from = 0x0a800000 | (next_random(&random) & 0x7fffff);
            fill(&packets[i], from, port ? port : (uint16_t)(FIRST_PORT + from % PORTS));
        }
        int done = sendmmsg(fd, messages, BURST, 0);
        if (done <= 0 && errno != ENOBUFS)
            give_up("can't send");
        sent += done > 0 ? done : 0;
    }
    printf("%ld %.3f\n", sent, (double)(now - began) / 1e9);
}

static void knock(int fd, long pause, char **ports)
{
    struct packet packet;
    char line[32];
    while (fgets(line, sizeof(line), stdin)) {
        unsigned i = (unsigned)atoi(line);
        for (char **port = ports; *port; port++) {
            fill(&packet, 0x0a020001 + (i / 250 << 8) + i % 250, (uint16_t)atoi(*port));
            if (sendto(fd, &packet, sizeof(packet), 0, (const struct sockaddr *)&to, sizeof(to)) <
                0)
                give_up("can't send");
        }
        nanosleep(&(struct timespec){.tv_nsec = pause * 1000}, NULL);
    }
}

int main(int argc, char **argv)
{
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (fd < 0)
        give_up("no raw socket");
    if (argc == 4 && strcmp(argv[1], "flood") == 0)
        flood(fd, atof(argv[2]), (uint16_t)atoi(argv[3]));
    else if (argc > 3 && strcmp(argv[1], "knocks") == 0)
        knock(fd, atol(argv[2]), argv + 3);
    else
        return 2;
    return 0;
}
