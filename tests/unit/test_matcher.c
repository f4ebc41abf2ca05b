/*
 * What makes a knock, as scenarios in a small language. A door is "7000,8000:udp,9000 OPTION...",
 * options: tolerant, timeout=SECONDS, ignore=PORT[,PORT], flags=FLAGS, target=N, if=NAME, strays=N
 * (of captures two, else), hears=N[N...] (sources; all, else), and span=PORT, packet=PORT for all.
 * Packets: "7000", to UDP "7000u", then suffixes: @S or @S+N seconds and ns since the start, :P
 * source port (default: a new one each), /N source address, >N destination (>g a group, >l by link
 * layer broadcast), %NAME interface (%- none), !x flags (s f r a p), #N source: a log, 4 a stream
 * of other hosts' lines, from 5 on a capture, up to 9; "icmp",
 * "lite" (UDPLITE), "frag", "gap" and "gap#N" stand for themselves.
 * What is expected: a letter a packet, . seen, A-Z the door that opens (* two), i idle, r repeat,
 * o outgoing, g group, p protocol, f flags, s sealed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "listener/matcher.h"

enum { DOORS = 2, SECOND = 1000000000 };

struct scenario {
    const char *doors[DOORS];
    const char *packets;
    const char *expected;
};

/* Storage of one scenario's doors. */
struct table {
    struct match_door doors[DOORS];
    struct port_proto ignore[DOORS][8];
    unsigned count;
    uint16_t span, packet_port;
};

static struct addr host(unsigned n)
{
    struct addr a = {4, {198, 51, (uint8_t)(n >> 8), (uint8_t)n}};
    return a;
}

static void read_option(struct table *table, const char *option)
{
    struct match_door *door = &table->doors[table->count];
    struct port_proto *ignore = table->ignore[table->count];
    const char *why, *value = strchr(option, '=') ? strchr(option, '=') + 1 : "";
    if (strcmp(option, "tolerant") == 0) {
        door->strict = false;
    } else if (strncmp(option, "timeout=", 8) == 0) {
        door->timeout = strtoll(value, NULL, 10) * SECOND;
    } else if (strncmp(option, "flags=", 6) == 0) {
        assert_true(flags_parse(value, &door->flags, &why));
    } else if (strncmp(option, "target=", 7) == 0) {
        door->target = host((unsigned)atoi(value));
    } else if (strncmp(option, "strays=", 7) == 0) {
        door->strays[0] = door->strays[1] = (uint8_t)atoi(value);
    } else if (strncmp(option, "hears=", 6) == 0) {
        for (door->unheard = UINT64_MAX; *value; value++)
            door->unheard &= ~(UINT64_C(1) << (*value - '0'));
    } else if (strncmp(option, "span=", 5) == 0) {
        table->span = (uint16_t)atoi(value);
    } else if (strncmp(option, "packet=", 7) == 0) {
        table->packet_port = (uint16_t)atoi(value);
    } else if (strncmp(option, "if=", 3) == 0) {
        strncpy(door->interface, value, IF_NAMESIZE - 1);
    } else if (strncmp(option, "ignore=", 7) == 0) {
        struct sequence list = {0};
        assert_true(sequence_append(&list, value, &why));
        memcpy(ignore, list.steps, list.count * sizeof(*ignore));
        door->ignore = ignore;
        door->ignore_count = list.count;
    } else {
        fail_msg("no such option: %s", option);
    }
}

static void read_doors(struct table *table, const char *const texts[DOORS])
{
    memset(table, 0, sizeof(*table));
    for (; table->count < DOORS && texts[table->count]; table->count++) {
        struct match_door *door = &table->doors[table->count];
        char text[200], *rest;
        const char *why;
        strncpy(text, texts[table->count], sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        *door = (struct match_door){
            .timeout = 15LL * SECOND, .flags = {TCP_SYN, TCP_ACK}, .strict = true};
        door->strays[1] = STRAYS_CAPTURED;
        char *word = strtok_r(text, " ", &rest);
        assert_true(sequence_append(&door->sequence, word, &why));
        while ((word = strtok_r(NULL, " ", &rest)))
            read_option(table, word);
    }
}

static uint8_t read_flags(const char *text)
{
    static const char names[] = "fsrpa"; /* in the order of their bits */
    uint8_t flags = 0;
    for (; *text && strchr(names, *text); text++)
        flags |= (uint8_t)(1 << (strchr(names, *text) - names));
    return flags;
}

static void read_kind(struct packet *p, const char *word)
{
    if (strncmp(word, "icmp", 4) == 0)
        *p = (struct packet){.src = p->src, .dst = p->dst, .proto = IPPROTO_ICMP};
    else if (strncmp(word, "lite", 4) == 0)
        p->proto = IPPROTO_UDPLITE;
    else if (strncmp(word, "frag", 4) == 0)
        p->has_ports = false;
    else
        p->dpt = (uint16_t)atoi(word);
    p->in = "eth0";
    p->in_len = 4;
}

/* An address in brackets, its ':' written as '_'. */
static struct addr written(const char *text)
{
    struct addr address = {0};
    char copy[ADDR_TEXT_SIZE];
    size_t len = strcspn(text, "]");
    assert_true(len < sizeof(copy));
    for (size_t i = 0; i < len; i++)
        copy[i] = (char)(text[i] == '_' ? ':' : text[i]);
    assert_true(addr_parse(copy, len, &address));
    return address;
}

/* Reads one packet; *now and *source go with it. */
static void read_packet(struct packet *p, const char *word, int64_t *now, unsigned *source)
{
    static uint16_t fresh_port = 1024;
    *p = (struct packet){.src = host(1), .dst = host(200), .proto = IPPROTO_TCP};
    p->flags = TCP_SYN;
    p->has_ports = true;
    p->spt = fresh_port = (uint16_t)(fresh_port < 60000 ? fresh_port + 1 : 1024);
    *source = 0;
    read_kind(p, word);
    for (const char *s = word; *s; s++) {
        char *plus;
        if (*s == 'u' && p->proto == IPPROTO_TCP && s > word && s[-1] >= '0' && s[-1] <= '9')
            p->proto = IPPROTO_UDP;
        else if (*s == '@' && (*now = strtoll(s + 1, &plus, 10) * SECOND, *plus == '+'))
            *now += atoi(plus);
        else if (*s == ':')
            p->spt = (uint16_t)atoi(s + 1);
        else if (*s == '/')
            p->src = s[1] == '[' ? written(s + 2) : host((unsigned)atoi(s + 1));
        else if (*s == '>' && s[1] == '[')
            p->dst = written(s + 2);
        else if (*s == '>')
            p->dst = s[1] == 'g' ? (struct addr){4, {224, 0, 0, 1}} : host((unsigned)atoi(s + 1));
        else if (*s == '!')
            p->flags = read_flags(s + 1);
        else if (*s == '#')
            *source = (unsigned)atoi(s + 1);
        else if (*s == '%')
            p->in = s + 1, p->in_len = (uint8_t)(s[1] == '-' ? 0 : strcspn(s + 1, "@:/>!# "));
        p->link_group |= *s == '>' && s[1] == 'l';
    }
}

/* A letter for what the packet did. */
static char mark_of(const struct match_result *result)
{
    static const char letters[MATCH_VERDICTS] = ".ogmpfris";
    if (result->opened_count == 0)
        return letters[result->verdict];
    assert_int_equal(result->verdict, MATCH_SEEN);
    return result->opened_count > 1 ? '*' : (char)('A' + result->opened[0]);
}

static void run(const struct scenario *row)
{
    static const uint8_t key[16] = "not random here";
    struct table table;
    read_doors(&table, row->doors);
    struct matcher *m = matcher_new(table.doors, table.count, 100, key);
    assert_non_null(m);
    matcher_set_span(m, table.span, table.packet_port);
    matcher_set_remote(m, 4);
    for (unsigned source = 5; source < 10; source++)
        matcher_set_captured(m, source);
    char text[1000], got[400] = "", *rest, *out = got;
    assert_true(strlen(row->packets) < sizeof(text));
    strcpy(text, row->packets);
    int64_t now = 0;
    for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
        struct packet packet;
        unsigned source;
        if (strncmp(w, "gap", 3) == 0) {
            matcher_gap(m, w[3] == '#' ? (unsigned)atoi(w + 4) : 0);
            continue;
        }
        read_packet(&packet, w, &now, &source);
        struct match_result result = matcher_feed(m, source, &packet, now, 0);
        *out++ = mark_of(&result);
    }
    if (strcmp(got, row->expected) != 0)
        fail_msg("doors %s | %s\npackets %s\nexpected %s, got %s", row->doors[0],
                 row->doors[1] ? row->doors[1] : "-", row->packets, row->expected, got);
    matcher_free(m);
}

#define D  "7000,8000,9000"
#define DU "7000,8000:udp,9000"
#define T  "7000,8000,9000 tolerant"
#define N8 " 1 2 3 4 5 6 7 8"
#define N5 " 1#5 2#5 3#5 4#5 5#5 6#5 7#5 8#5"

static const struct scenario scenarios[] = {
    /* Strict: consecutive. Whatever went before the first step doesn't matter. */
    {{D}, "7000 8000 9000", "..A"},
    {{DU}, "7000 8000u 9000", "..A"},
    {{DU}, "7000 8000 9000", "..."},
    {{D}, "7000 8000u 9000", "..."},
    {{D}, "7000 9000 8000 9000", "...."},
    {{D}, "7000 8000 22 9000", "...."},
    {{D}, "8000 9000 22", "iii"},
    {{D}, "7000 7000 8000 9000", "...A"},
    {{D}, "8000 7000 8000 9000", "i..A"},
    {{D, "8000,1,2"}, "7000 7000 8000 9000", "...A"},
    {{D, "8000,1,2"}, "8000 7000 8000 9000", "...A"},
    {{D}, "7000 8000 7000 8000 9000", "....A"},
    {{"7000,7000,8000"}, "7000 7000 8000", "..A"},
    {{"7000,7000,8000"}, "7000 8000 7000 7000 8000", "....A"},
    {{"7000,7000,8000"}, "7000 7000 7000 8000", "...A"},
    {{D}, "7000 8000 9000 7000 8000 9000", "..A..A"},
    {{D}, "7000 8000 9000 9000 9000", "..A.."},
    {{"7000"}, "7000 7000 1", "AA."},
    {{D, "5,8000,9000"}, "7000 8000 9000 5 8000 9000", "..A..B"},
    {{D, "7000,8000,9000"}, "7000 8000 9000", "..*"},
    {{D, "8000,9000"}, "7000 8000 9000", "..*"},
    /* From or to an address that no host elsewhere has: neither step nor stray, whatever the
     * source; loopback's own are those of this host. */
    {{D}, "7000/[127.0.0.1] 8000/[127.0.0.1] 9000/[127.0.0.1]", "mmm"},
    {{D}, "7000/[127.1.2.3]#5 8000/[127.1.2.3]#5 9000/[127.1.2.3]#5", "mmm"},
    {{D}, "7000/[__1] 8000/[__1] 9000/[__1]", "mmm"},
    {{D}, "7000>[127.0.0.1] 8000>[__1] 9000/[__ffff_203.0.113.9]", "mmm"},
    {{D}, "7000/[0.0.0.0] 8000/[__] 9000/[224.0.0.1] 1/[ff02__1] 2/[255.255.255.255]", "ggggg"},
    {{D}, "7000/[127.0.0.1]%lo 8000/[127.0.0.1]%lo 9000/[127.0.0.1]%lo", "..A"},
    {{D}, "7000/[__1]%lo 8000/[__1]%lo 9000/[__1]%lo", "..A"},
    {{D}, "7000/[127.0.0.1]%lo0 8000/[127.0.0.1]%l 9000/[__ffff_203.0.113.9]%lo", "mmm"},
    {{D}, "7000/[126.0.0.1] 8000/[126.0.0.1] 9000/[126.0.0.1]", "..A"},
    {{D}, "7000/[7f00__1] 8000/[7f00__1] 9000/[7f00__1]", "..A"},
    {{D}, "7000 1/[127.0.0.1] 8000 1>[127.0.0.1] 9000", ".m.mA"},
    /* Tolerant: in order, and completed again by another last step. */
    {{T}, "7000 1 8000 2 9000 9000 3 9000", "....A..A"},
    {{T}, "8000 7000 9000 8000 9000", "i...A"},
    {{T}, "9000 8000 7000", "ii."},
    {{T, D}, "7000 1 8000 9000", "...A"},
    {{T}, "7000 8000" N8 N8 N8 " 1 2 3 4 5 9000", "...............................A"},
    {{T}, "7000 8000" N8 N8 N8 " 1 2 3 4 5 6 9000", "................................."},
    /* A doubled packet is the same run, and no stray; a run completes a sequence once. */
    {{D}, "7000 7000 8000 8000 9000 9000", "....A."},
    {{D}, "7000 7000 7000 8000 8000 8000 9000 9000 9000 7000 8000 9000", "......A....A"},
    {{DU}, "7000 8000u:5 8000u:5 9000", "...A"},
    {{DU}, "7000 8000u 8000 9000", "...."},
    {{D}, "7000 8000 8000 22 9000", "....."},
    {{D}, "7000 8000 7000 8000 8000 9000", ".....A"},
    {{D}, "7000 8000 8000 8000 7000 9000", "......"},
    {{D}, "7000 8000 8000>3 9000", "...."},
    {{D}, "7000>3 7000 8000 9000", "...A"},
    {{D}, "7000 7000>3 8000>3 9000", "...A"},
    {{D " ignore=22"}, "7000 22 7000 8000 22 8000 22 9000 22 9000", ".......A.."},
    {{D, "1,2 flags=fin"}, "7000 7000!f 7000 8000 8000!f 8000 9000", "......A"},
    {{"5,5,6"}, "5 6", ".."},
    {{"5,5,6"}, "5 5 6", "..A"},
    {{"5,5,6"}, "5 5 5 5 6 6", "....A."},
    {{"5,5,6"}, "5:1 5:1 6", ".r."},
    {{"5,5,6"}, "5 5>3 6", "..."},
    {{"5,5,6"}, "5 7 5 6", "...."},
    {{"5,5,6 tolerant"}, "5 7 5 6", "...A"},
    {{"5,5,6 tolerant"}, "5 6 7 5 6", "....A"},
    {{"5:udp,5:udp,6:udp"}, "5u:9 5u:9 6u:9", "..A"},
    {{"6,5,5"}, "6 5 5 5", "..A."},
    {{"6,5,5"}, "6 6 5 7 5", "....."},
    {{"6,5,5", "6,5"}, "6 5 5", ".BA"},
    {{"5,5,6", "5,6"}, "5 6 5 5 6", ".B..*"},
    {{"5,6,5"}, "5 6 5 6 5", "..A.A"},
    {{"5,6,5"}, "5 5 6 6 5 5 6 5", "....A..A"},
    {{"5,5"}, "5 5 5", ".AA"},
    {{"5,5", "5,5,5"}, "5 5 5 5", ".A**"},
    {{"1,2 tolerant"}, "1 2 2 3 2", ".A..A"},
    /* Of the first run the newest packets count, each with its own time. */
    {{"5,5,6"}, "5@0 5@1 5@10 6@16", "...A"},
    {{"5,5,6"}, "5@0 5@1 5@10 6@16+1", "...."},
    {{"5,5,6"}, "5@0 5@1 5@2 5@10 5@12 6@25", ".....A"},
    {{"5,5,6"}, "5@0 5@1 5@2 5@10 5@12 6@25+1", "......"},
    {{"6,5,5"}, "6@0 5@1 5@15", "..A"},
    {{"6,5,5"}, "6@0 6@1 5@2 5@16", "...A"},
    {{D}, "7000@0 7000@9 8000@16 9000@24", "...A"},
    /* 32 runs, however long each is. */
    {{T},
     "7000 7000 8000 8000" N8 N8 N8 " 1 1 2 2 3 3 4 4 5 9000",
     ".....................................A"},
    {{T},
     "7000 7000 8000 8000" N8 N8 N8 " 1 1 2 2 3 3 4 4 5 6 9000",
     "......................................."},
    /* The whole within the timeout, to the ns; the first step's time counts, not the last one's. */
    {{D}, "7000@0 8000@10 9000@15", "..A"},
    {{D}, "7000@0 8000@10 9000@15+1", "..i"},
    {{D}, "7000@0 8000@15+1 9000@15+1", ".ii"},
    {{D}, "7000@0 8000@36000 9000@36000", ".ii"},
    {{D}, "7000@0 7000@9 8000@16 9000@24", "...A"},
    {{T}, "7000@0 7000@5 8000@10 9000@15+1 9000@20+1", "...Ai"},
    {{T, "1,2 timeout=60"}, "7000@0 8000@10 9000@15+1", "..."},
    {{D, "1,2 timeout=60"}, "7000@0 1@1 8000@2 2@61", "...."},
    {{T, "1,2 timeout=60 tolerant"}, "7000@0 1@1 8000@2 2@61 3@61", "...B."},
    /* A retransmission: same protocol, ports and destination. It renews nothing. */
    {{D}, "7000:5 7000:5 8000:6 7000:5 8000:6 9000:7", ".r.rrA"},
    {{"7000,7000:udp,9000"}, "7000:5 7000u:5 9000:5", "..A"},
    {{D}, "7000:5 8000:5 8000:5>3 9000:5", "...."},
    {{"7000,7000,8000"}, "7000:5 7000:5 8000", ".r."},
    {{D}, "7000:5@0 7000:5@14 8000@15 9000@16", ".r.i"},
    {{D}, "7000:5@0 7000:5@16 8000@17 9000@18", "...A"},
    {{D}, "7000 1:5 1:5 8000 9000", "..r.."},
    {{D}, "7000:1 7000:2 8000:3 8000:4 7000:1 7000:2 8000:3 8000:4 9000", "....rrrrA"},
    {{D}, "7000:1 7000:2 7000:3 7000:4 8000 7000:1 7000:2 7000:3 7000:4 9000", ".....rrrrA"},
    {{D}, "7000:1 8000:2 9000:3 7000:1 8000:2 9000:3", "..Arrr"},
    /* Of UDP every packet counts: one that comes again late is a stray. */
    {{DU}, "7000 8000u:5 9000 8000u:5", "..A."},
    {{"5:udp,6:udp,7:udp"}, "5u:1 6u:1 5u:1 7u:1", "...."},
    /* Never strays. */
    {{D}, "7000 icmp 8000 lite frag 9000", ".p.ppA"},
    {{D}, "7000 1!a 8000 1!sa 1!r 9000", ".f.ffA"},
    {{D}, "7000!a 7000 8000 9000!a 9000", "f..fA"},
    {{D}, "7000 1>g 8000 1u>l 9000", ".g.gA"},
    {{D}, "7000>g 7000>l 8000 9000", "ggii"},
    {{D}, "7000 1%- 8000 9000%- 9000", ".o.oA"},
    {{D " ignore=22,80:udp"}, "7000 22 22 8000 80u 9000", ".....A"},
    {{D " ignore=22,80:udp"}, "7000 22u 8000 9000", "...."},
    {{D " ignore=22,80:udp", D}, "7000 22 8000 9000", "...A"},
    {{D " ignore=8000,9000,7000"}, "7000 8000 9000", "..A"},
    {{D " ignore=8000"}, "7000 8000 8000 9000", "...A"},
    {{D " ignore=8000"}, "7000 8000 7000 9000 8000", "....."},
    {{"7000,8000,22 ignore=22"}, "22 7000 8000 22 22", "i..A."},
    /* Another door's flags: recorded, but not seen by this one. */
    {{D, "1,2 flags=fin"}, "7000 5!f 8000 9000!f 9000", "....A"},
    {{D, "1,2 flags=fin"}, "1 2 1!f 7000 2!f", "ii..B"},
    {{D " flags=any"}, "7000!a 8000!r 9000!fp", "..A"},
    {{D " flags=any"}, "7000 7000:5!a 8000 9000", "...A"},
    {{DU " flags=syn,ack"}, "7000!sa 8000u!s 9000!sa", "..A"},
    /* Another target or interface: not seen either, and no first step. */
    {{D " target=7"}, "7000>7 8000>7 9000>7", "..A"},
    {{D " target=7"}, "7000 8000 9000", "iii"},
    {{D " target=7"}, "7000>7 1>8 8000>7 9000>8 9000>7", "....A"},
    {{D " target=7", D " target=8"}, "7000>7 7000>8 8000>7 8000>8 9000>7 9000>8", "....AB"},
    {{D " if=ppp0"}, "7000%ppp0 1%eth0 8000%ppp0 9000%ppp0", "...A"},
    {{D " if=ppp0"}, "7000%ppp 7000%ppp01 7000%ppp0 8000%ppp0 9000", "ii..."},
    {{D " if=ppp0", D " if=eth0"}, "7000 8000 9000 9000%ppp0", "..B."},
    /* Addresses and sources of log are strangers to one another. */
    {{D}, "7000/1 7000/2 8000/1 8000/2 9000/1 9000/2", "....AA"},
    {{D}, "7000/1 8000/2 9000/1", ".i."},
    {{D}, "7000#0 8000#1 9000#0 7000#1 8000#1 9000#1", ".i...A"},
    /* One knock by two sources, in any order and whole or not by each: neither breaks the other. */
    {{D}, "7000:1#0 7000:1#1 8000:2#0 8000:2#1 9000:3#0 9000:3#1", "....AA"},
    {{D}, "7000:1#0 8000:2#0 9000:3#0 7000:1#1 8000:2#1 9000:3#1", "..A..A"},
    {{D}, "7000:1#1 7000:1#0 9000:3#0 8000:2#1 9000:3#1", "....A"},
    {{D}, "8000:2#0 7000:1#0 7000:1#1 9000:3#0 8000:2#1 9000:3#1", "i....A"},
    {{D}, "7000:1#0 8000:2#0 9000:3#0 7000:1#0 8000:2#0 9000:3#0", "..Arrr"},
    {{T}, "7000:1#0 8000:2#1 9000:3#0 7000:1#1 9000:3#1", ".i..."},
    /* A stream brings lines once more, from anywhere on: of a local source two datagrams are two.
     */
    {{DU}, "7000:1#4 8000u:2#4 7000:1#4 8000u:2#4 9000:3#4", "..r.A"},
    {{DU}, "7000:1#4 8000u:2#4 8000u:2#4 9000:3#4 8000u:2#4 9000:3#4", "...Arr"},
    {{"1:udp,2:udp,3:udp,4:udp"}, "1u:5#4 2u:6#4 3u:7#4 2u:6#4 3u:7#4 4u:8#4", "...r.A"},
    {{"1:udp,2:udp,3:udp,4:udp"},
     "1u:5#4 2u:6#4 3u:7#4 4u:8#4 1u:5#4 2u:6#4 3u:7#4 4u:8#4",
     "...Arrr."},
    {{"1:udp,2:udp,3:udp,4:udp"}, "1u:5 2u:6 3u:7 2u:6 3u:7 4u:8", "......"},
    {{"1:udp,2:udp,3:udp,4:udp"}, "1u:5 2u:5 3u:5 4u:5 1u:5 2u:5 3u:5 4u:5", "...A...A"},
    {{"1:udp,2:udp,3:udp"}, "1u:5#4 2u:6#4 3u:7#4 1u:8#4 2u:9#4 3u:8#4", "..A..A"},
    {{"5:udp,5:udp,6:udp"}, "5u:9#4 5u:9#4 6u:9#4", "..A"},
    /* A door that doesn't hear a source neither opens by it nor is disturbed by it. */
    {{D " hears=1"}, "7000#0 8000#0 9000#0 7000#1 8000#1 9000#1", ".....A"},
    {{D " hears=02", D}, "7000#1 8000#1 9000#1 7000#2 8000#2 9000#2", "..B..*"},
    {{D " hears=1"}, "7000#1 8000#1 443#0 9000#1", "..iA"},
    /* Lost lines start strict attempts over, of that source alone. */
    {{D}, "7000 8000 gap 9000 7000 8000 9000", ".....A"},
    {{D}, "7000 gap 8000 9000", "..."},
    {{D}, "gap 7000 gap#1 8000 9000", "..A"},
    {{T}, "7000 gap 8000 gap 9000", "..A"},
    {{T, D}, "7000 gap 8000 7000 8000 9000", "....*"},
    {{"5,5,6"}, "5 gap 5 6 5 5 6", ".....A"},
    {{"5,5,6"}, "5 5 5 gap 5 5 6", ".....A"},
    {{D}, "7000 8000 gap 7000 8000 gap 9000", "....."},
    {{D}, "7000 8000 9000 gap 9000", "..A."},
    /* A clock that was set back: of no attempt anything is left, and time begins anywhere. */
    /* What doors with first steps in common make of what others begin. */
    {{D, "7000,8500,9500"}, "7000 8500 9500 7000 8000 9000 7000 8500 9500", "..B..A..B"},
    {{D, "7000,8500,9500"}, "7000 8500 9000 7000 8000 9500", "......"},
    {{DU, "8000:udp,1000,2000"}, "7000 8000u 9000 7000 8000u 1000 2000", "..A...B"},
    {{DU, "8000:udp,1000,2000"}, "8000u 7000 8000u 9000 8000u 7000 8000u 9000", "...A...A"},
    {{D, "7000,8000"}, "7000 7000 8000 8000 9000", "..B.A"},
    {{D}, "gap#63 7000#63 8000#63 9000#63", "..A"},
    /* What a browser does meanwhile breaks no knock that is captured, but one that is logged. */
    {{D}, "7000#5 443#5 80#5 443#5 443#5 80#5 8000#5 80#5 443#5 80#5 443#5 9000#5", "...........A"},
    {{D}, "7000 443 80 443 443 80 8000 80 443 80 443 9000", "............"},
    {{DU}, "7000#5 443#5 8000u#5 443u#5 9000#5", "....A"},
    {{D}, "443#5 80#5 22#5 7000#5 8000#5 9000#5", "iii..A"},
    {{D}, "7000#9 1#9 2#9 8000#9 1#9 2#9 9000#9", "......A"},
    /* Different ports count, wherever they lead: two between two steps, and three are too many. */
    {{D}, "7000#5 443#5 80#5 22#5 8000#5 9000#5", "......"},
    {{D}, "7000#5 8000#5 443#5 80#5 22#5 9000#5", "......"},
    {{D}, "7000#5 8000#5 443#5 80#5 443u#5 9000#5", "......"},
    {{D}, "7000#5 8000#5 443#5>3 80#5>3 443#5>4 80#5>5 9000#5", "......A"},
    {{D}, "7000#5 443#5 80#5 22#5 7000#5 8000#5 9000#5", "......A"},
    {{D " strays=3"}, "7000#5 1#5 2#5 3#5 8000#5 1#5 2#5 3#5 9000#5", "........A"},
    {{D " strays=3"}, "7000#5 1#5 2#5 3#5 8000#5 1#5 2#5 3#5 4#5 9000#5", ".........."},
    {{D " strays=8"}, "7000#5" N5 " 8000#5 9000#5", "..........A"},
    {{D " strays=8"}, "7000#5" N5 " 9#5 8000#5 9000#5", "............"},
    {{D " strays=0"}, "7000#5 1#5 8000#5 9000#5", "...."},
    {{D " strays=1"}, "7000 1 8000 1 9000", "....A"},
    {{D " strays=1"}, "7000 1 2 8000 9000", "....."},
    {{D, D " strays=3"}, "7000#5 1#5 2#5 3#5 8000#5 9000#5", ".....B"},
    /* A port near a step, by its protocol, or a step elsewhere, is what a scan brings. */
    {{D}, "7000#5 7129#5 8000#5 6871#5 9000#5", "....A"},
    {{D}, "7000#5 7128#5 8000#5 9000#5", "...."},
    {{D}, "7000#5 8000#5 6872#5 9000#5", "...."},
    {{D}, "7000#5 9128#5 8000#5 9000#5", "...."},
    {{D}, "7000#5 8000#5 7129#5 7128#5 9000#5", "....."},
    {{D}, "7000#5 7128u#5 8000#5 9000#5", "...A"},
    {{DU}, "7000#5 8128u#5 8000u#5 9000#5", "...."},
    {{DU}, "7000#5 8129u#5 8000u#5 8128#5 9000#5", "....A"},
    {{D}, "7000#5 9000#5 8000#5 9000#5", "...."},
    {{D}, "7000#5 8000#5 7000#5 9000#5", "...."},
    {{D}, "7000#5 443#5 8000#5>3 443#5>3 8000#5 9000#5", "......"},
    {{"60,9000,7000"}, "60#5 65500#5 9000#5 65535#5 7000#5", "....A"},
    {{"65500,9000,7000"}, "65500#5 1#5 9000#5 65535#5 7000#5", "....."},
    /* Without its strays the rest is runs as before: a doubled step, equal steps, one opening. */
    {{D}, "7000#5 443#5 7000#5 80#5 7000#5 8000#5 443#5 8000#5 9000#5 443#5 9000#5", "........A.."},
    {{D}, "7000#5 8000#5 1#5 8000#5 2#5 8000#5 3#5 8000#5 9000#5", "........A"},
    {{D}, "7000#5 8000#5 9000#5 1#5 2#5 3#5 9000#5", "..A...."},
    {{"5:udp,5:udp,600"}, "5u#5 443#5 5u#5 443#5 600#5", "....A"},
    {{"5:udp,5:udp,600"}, "5u#5 443#5 80#5 22#5 5u#5 600#5", "......"},
    {{"5,5,600"}, "5#5 443#5 5#5 2000#5 5#5 600#5 443#5 600#5", ".....A.."},
    {{"5,5,600"}, "5#5 443#5 5#5>3 600#5", "...."},
    {{"5,5,600"}, "5#5 443#5 5#5 7#5 5#5 600#5", "......"},
    {{"5,5"}, "5#5 443#5 5#5 2000#5 5#5", "..A.A"},
    {{"600,5,5"}, "600#5 5#5 443#5 5#5 443#5 5#5", "...A.."},
    {{"5,600,5"}, "5#5 443#5 600#5 443#5 5#5 443#5 600#5 443#5 5#5", "....A...A"},
    /* Lost packets, other sources, ignored ports and tolerant doors are as before. */
    {{D}, "7000#5 443#5 gap#5 8000#5 9000#5", "...."},
    {{D}, "7000#5 443#6 443#5 8000#6 8000#5 9000#5", ".i.i.A"},
    {{D " ignore=22,7001"}, "7000#5 1#5 22#5 2#5 22#5 7001#5 8000#5 22#5 9000#5", "........A"},
    {{T}, "7000#5 7001#5 1#5 2#5 3#5 8000#5 9000#5", "......A"},
    {{D}, "7000#5@0 443#5@8 8000#5@10 443#5@14 9000#5@15", "....A"},
    {{D}, "7000#5@0 443#5@8 8000#5@10 443#5@14 9000#5@15+1", "....i"},
    /* Packets of sealed knocks are no strays, by whichever source. */
    {{D " span=20000 packet=123"}, "7000 123u 20000 20000u 32287u 8000 123u 9000", ".ssss.sA"},
    {{D " span=20000 packet=123"}, "7000 123 8000 9000", "...."},
    {{D " span=20000 packet=123"}, "7000#5 123u#5 8000#5 123u#5 9000#5", ".s.sA"},
    {{D}, "7000 123u 8000 9000", "...."},
    {{D}, "0u 7000 0u 8000 9000", "i...."},
};

static void scenarios_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(scenarios) / sizeof(*scenarios); i++)
        run(&scenarios[i]);
}

/* The stage of doors A and B after each packet, and what it was said to have reached; then without
 * any packet at 15 s and just later. What opened a door is no attempt any more. */
static void stages_are_told(void **state)
{
    (void)state;
    static const struct {
        const char *packet;
        unsigned stage[2], reached[2];
    } steps[] = {{"1", {0, 0}, {0, 0}},    {"7000", {1, 1}, {1, 1}}, {"7000", {1, 1}, {0, 0}},
                 {"8000", {2, 2}, {2, 2}}, {"22", {2, 2}, {0, 0}},   {"8000", {2, 2}, {0, 2}},
                 {"1", {0, 2}, {0, 0}},    {"7000", {1, 2}, {1, 0}}, {"8000", {2, 2}, {2, 2}},
                 {"9000", {0, 0}, {0, 0}}, {"22", {0, 0}, {0, 0}},   {"9000", {0, 0}, {0, 0}},
                 {"2", {0, 0}, {0, 0}},    {"7000", {1, 1}, {1, 1}}, {"8000", {2, 2}, {2, 2}},
                 {"7000", {1, 2}, {1, 0}}, {"gap", {0, 2}, {0, 0}},  {"icmp", {0, 2}, {0, 0}}};
    static const char *const doors[DOORS] = {D " ignore=22", T};
    static const uint8_t key[16];
    struct table table;
    read_doors(&table, doors);
    struct matcher *m = matcher_new(table.doors, table.count, 1, key);
    struct addr address = host(1);
    int64_t now = 0;
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        struct packet packet;
        unsigned source;
        struct match_result result = {.verdict = MATCH_IDLE};
        read_packet(&packet, steps[i].packet, &now, &source);
        if (strcmp(steps[i].packet, "gap") == 0)
            matcher_gap(m, 0);
        else
            result = matcher_feed(m, 0, &packet, now, UINT_MAX);
        for (unsigned door = 0; door < 2; door++) {
            unsigned stage = matcher_stage(m, 0, &address, now, door);
            unsigned reached = 0;
            for (unsigned j = 0; j < result.reached_count; j++)
                if (result.reached[j].door == door)
                    reached = result.reached[j].stage;
            if (stage != steps[i].stage[door] || reached != steps[i].reached[door])
                fail_msg("packet %zu, %s, door %u: stage %u, reached %u", i, steps[i].packet, door,
                         stage, reached);
        }
    }
    assert_int_equal(matcher_stage(m, 0, &address, 15LL * SECOND, 1), 2);
    assert_int_equal(matcher_stage(m, 0, &address, 15LL * SECOND + 1, 1), 0);
    assert_int_equal(matcher_stage(m, 1, &address, now, 1), 0);
    matcher_free(m);
}

/* Of a sequence of equal steps, and of one whose last step is its first one. */
static void stages_of_odd_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *door, *packets, *stages;
    } rows[] = {
        {"5", "5 5 1", "000"},
        {"5,5", "5 5 5", "100"},
        {"5,5,6", "5 5 5 6 6 5", "122001"},
        {"6,5,5", "6 5 5 5 6", "12001"},
        {"5,6,5", "5 6 5 6 5 1", "121210"},
        {"5,6,5 tolerant", "5 6 5 6 5 1", "121211"},
        {"5,6,7 tolerant", "5 6 7 1 7 6 5 7 6", "120000100"},
    };
    static const uint8_t key[16];
    struct addr address = host(1);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *const doors[DOORS] = {rows[i].door};
        char text[100], got[100] = "", *rest;
        struct table table;
        int64_t now = 0;
        read_doors(&table, doors);
        struct matcher *m = matcher_new(table.doors, table.count, 1, key);
        strcpy(text, rows[i].packets);
        for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
            struct packet packet;
            unsigned source;
            read_packet(&packet, w, &now, &source);
            matcher_feed(m, 0, &packet, now, 0);
            got[strlen(got)] = (char)('0' + matcher_stage(m, 0, &address, now, 0));
        }
        if (strcmp(got, rows[i].stages) != 0)
            fail_msg("%s: %s: got %s, expected %s", rows[i].door, rows[i].packets, got,
                     rows[i].stages);
        matcher_free(m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scenarios_hold),
        cmocka_unit_test(stages_are_told),
        cmocka_unit_test(stages_of_odd_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
