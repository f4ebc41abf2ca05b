/*
 * make_log LINES SOURCES SEED [HOSTS TIME]: writes a firewall's log as rsyslog keeps it, the same
 * for the same seed, to standard output: 70 % IPv4 TCP, 15 % UDP, 5 % IPv6, 3 % ICMP with the
 * packet that it quotes, 7 % other programs' lines. Now and then a source knocks at one of the
 * doors of scripts/bench-log.sh. With HOSTS it is the merged stream of so many gateways, mixed line
 * by line, from TIME on, in seconds since 1970, a line every 10 us; their clocks differ by up to a
 * second.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Out of so many packets, one belongs to the knock that is under way. */
enum { KNOCK_EVERY = 10000, STEPS_MAX = 5, DOORS = 3 };

/* When the log of one host begins: 2026-11-23. */
enum { MIDNIGHT = 1795392000 };

struct port_proto {
    const char *proto;
    unsigned port;
};

/* Those of the configuration in scripts/bench-log.sh. */
static const struct port_proto doors[DOORS][STEPS_MAX + 1] = {
    {{"TCP", 7412}, {"UDP", 28733}, {"TCP", 51990}, {NULL, 0}},
    {{"UDP", 14914}, {"TCP", 11097}, {"TCP", 9989}, {"UDP", 13251}, {NULL, 0}},
    {{"TCP", 33071}, {"TCP", 7412}, {"UDP", 61234}, {"TCP", 18222}, {"TCP", 40404}, {NULL, 0}},
};

struct log {
    uint64_t state; /* of the random numbers */
    uint64_t sources;
    uint64_t hosts; /* 0: one, "gate" */
    int64_t began;  /* the first line, in us since 1970 */
    int64_t usec;   /* the last one */
    uint64_t knocker;
    unsigned door, step;
};

/* SplitMix64 (Steele, Lea, Flood 2014). */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t any(struct log *log, uint64_t below)
{
    return mix(log->state += UINT64_C(0x9e3779b97f4a7c15)) % below;
}

static void print_head(int64_t usec, const char *host)
{
    char text[32];
    time_t second = (time_t)(usec / 1000000);
    struct tm broken_down;
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", gmtime_r(&second, &broken_down));
    printf("%s.%06d+00:00 %s ", text, (int)(usec % 1000000), host);
}

static void begin_line(struct log *log)
{
    char name[32] = "gate";
    int64_t ahead = 0;
    log->usec += 1 + (int64_t)any(log, log->hosts ? 19 : 1999);
    if (log->hosts) {
        uint64_t host = any(log, log->hosts);
        snprintf(name, sizeof(name), "gw-%" PRIu64, host);
        ahead = (int64_t)(mix(host) % 1000000);
    }
    print_head(log->usec + ahead, name);
}

static void begin_packet(struct log *log, const char *ether_type)
{
    begin_line(log);
    printf("kernel: [%5" PRId64 ".%06d] [DENY] IN=eth0 OUT= "
           "MAC=02:00:c0:00:02:01:52:54:00:9b:7e:01:%s ",
           4711 + (log->usec - log->began) / 1000000, (int)(log->usec % 1000000), ether_type);
}

/* No two numbers have the same address: the factor is odd. First bytes from 1 to 126. */
static void ip4(struct log *log, uint64_t source, unsigned length)
{
    uint32_t host = (uint32_t)(source * 2654435761u);
    printf("SRC=%u.%u.%u.%u DST=192.0.2.1 LEN=%u TOS=0x00 PREC=0x00 TTL=%u ID=%u ",
           1 + (host >> 24) % 126, host >> 16 & 255, host >> 8 & 255, host & 255, length,
           32 + (unsigned)any(log, 96), (unsigned)any(log, 65536));
}

/* What scanners look for, and any port. */
static unsigned port(struct log *log)
{
    static const uint16_t wanted[] = {22, 23, 80, 443, 445, 1433, 3389, 5060, 6379, 8080};
    return any(log, 2) ? wanted[any(log, sizeof(wanted) / sizeof(*wanted))]
                       : 1 + (unsigned)any(log, 65535);
}

static unsigned high_port(struct log *log)
{
    return 1024 + (unsigned)any(log, 64512);
}

static void tcp(struct log *log, unsigned dpt)
{
    printf("PROTO=TCP SPT=%u DPT=%u WINDOW=%u RES=0x00 SYN URGP=0 \n", high_port(log), dpt,
           (unsigned)any(log, 65536));
}

static void udp(struct log *log, unsigned dpt, unsigned length)
{
    printf("PROTO=UDP SPT=%u DPT=%u LEN=%u \n", high_port(log), dpt, length);
}

static void ip4_tcp(struct log *log, uint64_t source, unsigned dpt)
{
    begin_packet(log, "08:00");
    ip4(log, source, any(log, 2) ? 60 : 40);
    printf("DF ");
    tcp(log, dpt);
}

static void ip4_udp(struct log *log, uint64_t source, unsigned dpt)
{
    unsigned length = 9 + (unsigned)any(log, 1000);
    begin_packet(log, "08:00");
    ip4(log, source, 20 + length);
    udp(log, dpt, length);
}

static void ip6(struct log *log, uint64_t source)
{
    uint64_t host = mix(source);
    begin_packet(log, "86:dd");
    printf(
        "SRC=2001:0db8:%04x:%04x:%04x:%04x:%04x:%04x DST=2001:0db8:0000:0000:0000:0000:0000:0001 "
        "LEN=80 TC=0 HOPLIMIT=%u FLOWLBL=%u ",
        (unsigned)(source >> 16 & 0xffff), (unsigned)(source & 0xffff), (unsigned)(host >> 48),
        (unsigned)(host >> 32 & 0xffff), (unsigned)(host >> 16 & 0xffff), (unsigned)(host & 0xffff),
        32 + (unsigned)any(log, 96), (unsigned)any(log, 1 << 20));
    if (any(log, 4))
        tcp(log, port(log));
    else
        udp(log, port(log), 40);
}

/* Destination unreachable, with the header of what could not be delivered. */
static void icmp(struct log *log, uint64_t source)
{
    begin_packet(log, "08:00");
    ip4(log, source, 88);
    printf("PROTO=ICMP TYPE=3 CODE=%u [SRC=192.0.2.1 DST=198.51.100.%u LEN=60 TOS=0x00 PREC=0x00 "
           "TTL=64 ID=%u PROTO=UDP SPT=%u DPT=53 LEN=40 ] \n",
           (unsigned)any(log, 4), (unsigned)any(log, 256), (unsigned)any(log, 65536),
           high_port(log));
}

static void other_program(struct log *log, uint64_t source)
{
    static const char *const names[] = {"admin", "oracle", "test", "ubuntu", "postgres"};
    uint32_t host = (uint32_t)(source * 2654435761u);
    begin_line(log);
    if (any(log, 2))
        printf("sshd[%u]: Failed password for invalid user %s from %u.%u.%u.%u port %u ssh2\n",
               high_port(log), names[any(log, 5)], 1 + (host >> 24) % 126, host >> 16 & 255,
               host >> 8 & 255, host & 255, high_port(log));
    else
        printf("postfix/smtpd[%u]: warning: hostname host-%u.example.net does not resolve to "
               "address %u.%u.%u.%u: Name or service not known\n",
               high_port(log), host & 0xffff, 1 + (host >> 24) % 126, host >> 16 & 255,
               host >> 8 & 255, host & 255);
}

/* The next step of the knock that is under way, or the first one of another. */
static void knock(struct log *log)
{
    const struct port_proto *step = &doors[log->door][log->step++];
    if (!step->proto) {
        log->knocker = any(log, log->sources);
        log->door = (unsigned)any(log, DOORS);
        step = &doors[log->door][0];
        log->step = 1;
    }
    if (*step->proto == 'T')
        ip4_tcp(log, log->knocker, step->port);
    else
        ip4_udp(log, log->knocker, step->port);
}

static void write_line(struct log *log)
{
    uint64_t kind = any(log, 100), source = any(log, log->sources);
    if (kind < 85 && any(log, KNOCK_EVERY) == 0)
        knock(log);
    else if (kind < 70)
        ip4_tcp(log, source, port(log));
    else if (kind < 85)
        ip4_udp(log, source, port(log));
    else if (kind < 90)
        ip6(log, source);
    else if (kind < 93)
        icmp(log, source);
    else
        other_program(log, source);
}

static uint64_t number(const char *text)
{
    return strtoull(text, NULL, 10);
}

int main(int argc, char **argv)
{
    if ((argc != 4 && argc != 6) || number(argv[2]) == 0) {
        fputs("usage: make_log LINES SOURCES SEED [HOSTS TIME]\n", stderr);
        return 2;
    }
    struct log log = {.sources = number(argv[2]), .state = number(argv[3])};
    log.hosts = argc == 6 ? number(argv[4]) : 0;
    log.began = (int64_t)(argc == 6 ? number(argv[5]) : MIDNIGHT) * 1000000;
    log.usec = log.began;
    for (uint64_t left = number(argv[1]); left > 0; left--)
        write_line(&log);
    return fflush(stdout) == 0 ? 0 : 1;
}
