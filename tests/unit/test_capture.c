/* What the filter of a capture takes, asked of the compiled filter, packet by packet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/capture.h"
#include "lib/sealed.h"

enum { SPAN = 20000, PACKET_PORT = 53 };

static const struct flag_match syn = {TCP_SYN, TCP_ACK};

static void need_libpcap(void)
{
    if (!capture_is_built())
        skip();
}

static struct capture_filter *compile(const struct capture_ports *ports, int family)
{
    char why[256] = "";
    struct capture_filter *filter = capture_filter_new(ports, family, why, sizeof(why));
    if (!filter)
        fail_msg("%s", why);
    return filter;
}

/* --- packets --- */

struct shape {
    const char *name;
    bool taken;
    uint8_t proto;
    uint16_t port;
    uint8_t flags;     /* TCP */
    uint16_t length;   /* UDP, of the payload */
    uint16_t fragment; /* offset in units of 8, and 0x2000: more follow */
    uint8_t options;   /* bytes of IPv4's options, or of an extension header */
    uint8_t version;   /* 0: that of the family; else another one's header */
};

/* Header and 8 to 20 bytes behind it; returns the length. */
static size_t build(const struct shape *shape, int family, uint8_t out[256])
{
    size_t at = family == 4 ? 20 + shape->options : 40;
    memset(out, 0, 256);
    out[0] = (uint8_t)((shape->version ? shape->version : family) << 4);
    if (family == 4) {
        out[0] |= (uint8_t)(at / 4);
        out[6] = (uint8_t)(shape->fragment >> 8);
        out[7] = (uint8_t)shape->fragment;
        out[9] = shape->proto;
    } else {
        out[6] = shape->proto;
        if (shape->fragment) {
            out[6] = IPPROTO_FRAGMENT;
            out[40] = shape->proto;
            out[42] = (uint8_t)((shape->fragment & 0x1fff) >> 5);
            out[43] = (uint8_t)((shape->fragment & 0x1fff) << 3 | (shape->fragment & 0x2000) >> 13);
            at += 8;
        } else if (shape->options) {
            out[6] = IPPROTO_DSTOPTS;
            out[40] = shape->proto;
            at += 8;
        }
    }
    out[at + 2] = (uint8_t)(shape->port >> 8);
    out[at + 3] = (uint8_t)shape->port;
    if (shape->proto == IPPROTO_TCP) {
        out[at + 12] = 5 << 4;
        out[at + 13] = shape->flags;
        return at + 20;
    }
    out[at + 4] = (uint8_t)((8 + shape->length) >> 8);
    out[at + 5] = (uint8_t)(8 + shape->length);
    return at + 8 + (shape->length < 100 ? shape->length : 100);
}

static struct port_proto doors_port = {443, IPPROTO_UDP}, step_too = {9010, IPPROTO_UDP};
static struct port_proto ignored[] = {{8010, IPPROTO_UDP}, {443, IPPROTO_UDP}};

static struct capture_ports some_ports(void)
{
    struct config_door doors[] = {
        {.flags = syn,
         .port = doors_port,
         .ignore = ignored,
         .ignore_count = 2,
         .sequence = {3, {{7000, IPPROTO_TCP}, {8000, IPPROTO_UDP}, {500, IPPROTO_UDP}}}},
        {.flags = {TCP_FIN, 0}, .port = step_too, .sequence = {1, {{30000, IPPROTO_TCP}}}},
        {.flags = syn, .sequence = {2, {{9000, IPPROTO_UDP}, step_too}}},
        {.flags = syn, .sequence = {2, {{65500, IPPROTO_UDP}, {50, IPPROTO_UDP}}}},
    };
    struct config config = {.doors = doors, .door_count = 4};
    config.sealed.span = SPAN;
    config.sealed.packet_port = PACKET_PORT + 1000;
    struct capture_ports ports;
    capture_ports_init(&ports, &config, CAPTURE_ANY);
    return ports;
}

#define TCP(flag_bits) IPPROTO_TCP, .flags = (flag_bits)

static void takes_what_may_be_a_knock(void **state)
{
    (void)state;
    need_libpcap();
    static const struct shape table[] = {
        {"SYN to a step", true, TCP(TCP_SYN), .port = 7000},
        {"SYN to any port", true, TCP(TCP_SYN), .port = 443},
        {"SYN with ECE, CWR", true, TCP(TCP_SYN | TCP_ECE | TCP_CWR), .port = 1},
        {"SYN, ACK", false, TCP(TCP_SYN | TCP_ACK), .port = 7000},
        {"ACK", false, TCP(TCP_ACK), .port = 7000},
        {"no flag", false, TCP(0), .port = 7000},
        {"FIN to a step of a door for FIN", true, TCP(TCP_FIN), .port = 30000},
        {"ACK beside it", true, TCP(TCP_ACK), .port = 30000 + SEQUENCE_DECOYS},
        {"ACK beside it, below", true, TCP(TCP_ACK), .port = 30000 - SEQUENCE_DECOYS},
        {"ACK further away", false, TCP(TCP_ACK), .port = 30001 + SEQUENCE_DECOYS},
        {"ACK further away, below", false, TCP(TCP_ACK), .port = 29999 - SEQUENCE_DECOYS},
        {"UDP to a step", true, IPPROTO_UDP, .port = 8000},
        {"UDP beside a step", true, IPPROTO_UDP, .port = 8000 + SEQUENCE_DECOYS},
        {"UDP beside a step, below", true, IPPROTO_UDP, .port = 8000 - SEQUENCE_DECOYS},
        {"UDP further away", false, IPPROTO_UDP, .port = 8001 + SEQUENCE_DECOYS},
        {"UDP further away, below", false, IPPROTO_UDP, .port = 7999 - SEQUENCE_DECOYS},
        {"UDP to a step of TCP", false, IPPROTO_UDP, .port = 7000},
        {"UDP to a port that a door opens", false, IPPROTO_UDP, .port = 443},
        {"UDP beside it", true, IPPROTO_UDP, .port = 444},
        {"UDP to an ignored port", false, IPPROTO_UDP, .port = 8010},
        {"UDP to a step that another door opens", true, IPPROTO_UDP, .port = 9010},
        {"UDP to the last port", true, IPPROTO_UDP, .port = 65535},
        {"UDP to the first port", true, IPPROTO_UDP, .port = 1},
        {"UDP to the span", true, IPPROTO_UDP, .port = SPAN},
        {"UDP to the end of the span", true, IPPROTO_UDP, .port = SPAN + 12287},
        {"UDP behind the span", false, IPPROTO_UDP, .port = SPAN + 12288},
        {"SYN to the span", true, TCP(TCP_SYN), .port = SPAN},
        {"a sealed knock in one packet", true, IPPROTO_UDP, .port = PACKET_PORT + 1000,
         .length = SEALED_SHORT},
        {"a long one", true, IPPROTO_UDP, .port = PACKET_PORT + 1000, .length = SEALED_LONG},
        {"another length there", false, IPPROTO_UDP, .port = PACKET_PORT + 1000, .length = 33},
        {"no length there", false, IPPROTO_UDP, .port = PACKET_PORT + 1000},
        {"that length elsewhere", false, IPPROTO_UDP, .port = 1054, .length = SEALED_SHORT},
        {"UDP with options", true, IPPROTO_UDP, .port = 8000, .options = 8},
        {"SYN with options", true, TCP(TCP_SYN), .port = 7000, .options = 8},
        {"a first fragment", true, IPPROTO_UDP, .port = 8000, .fragment = 0x2000},
        {"a later fragment", false, IPPROTO_UDP, .port = 8000, .fragment = 0x2001},
        {"a last fragment", false, IPPROTO_UDP, .port = 8000, .fragment = 1},
        {"a later fragment of TCP", false, TCP(TCP_SYN), .port = 7000, .fragment = 5},
        {"ICMP", false, IPPROTO_ICMP, .port = 8000},
        {"UDPLITE", false, IPPROTO_UDPLITE, .port = 8000},
        {"the other family", false, IPPROTO_UDP, .port = 8000, .version = 1},
    };
    struct capture_ports ports = some_ports();
    unsigned wrong = 0;
    for (int family = 4; family <= 6; family += 2) {
        struct capture_filter *filter = compile(&ports, family);
        assert_int_equal(capture_filter_widened(filter), 0);
        for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
            uint8_t bytes[256];
            size_t len = build(&table[i], family, bytes);
            if (table[i].version)
                bytes[0] = (uint8_t)((family == 4 ? 0x60 : 0x40) | (bytes[0] & 15));
            if (capture_filter_takes(filter, bytes, len) != table[i].taken) {
                print_error("IPv%d, %s: %s\n", family, table[i].name,
                            table[i].taken ? "isn't taken" : "is taken");
                wrong++;
            }
            /* However little of it there is, nothing else is read. */
            for (size_t cut = 0; cut < len; cut++) {
                uint8_t *exact = malloc(cut + 1);
                memcpy(exact, bytes, cut);
                bool taken = capture_filter_takes(filter, exact, cut);
                free(exact);
                wrong += taken && !table[i].taken;
            }
        }
        capture_filter_free(filter);
    }
    assert_int_equal(wrong, 0);
}

/* What the listener alone can look into is left to it, whatever its port. */
static void leaves_extension_headers_to_the_listener(void **state)
{
    (void)state;
    need_libpcap();
    static const struct shape table[] = {
        {"behind options", true, IPPROTO_UDP, .port = 443, .options = 8},
        {"a first fragment", true, IPPROTO_UDP, .port = 443, .fragment = 0x2000},
        {"a later one", false, IPPROTO_UDP, .port = 443, .fragment = 0x2001},
    };
    struct capture_ports ports = some_ports();
    struct capture_filter *filter = compile(&ports, 6);
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        uint8_t bytes[256];
        size_t len = build(&table[i], 6, bytes);
        assert_int_equal(capture_filter_takes(filter, bytes, len), table[i].taken);
    }
    capture_filter_free(filter);
}

static void without_sealed_knocks_no_span(void **state)
{
    (void)state;
    need_libpcap();
    static struct config none = {.sealed.packet_port = PACKET_PORT};
    struct capture_ports ports;
    capture_ports_init(&ports, &none, CAPTURE_ANY);
    for (int family = 4; family <= 6; family += 2) {
        struct capture_filter *filter = compile(&ports, family);
        uint8_t bytes[256];
        const struct shape span = {"", false, IPPROTO_UDP, .port = SPAN};
        const struct shape packet = {"", false, IPPROTO_UDP, .port = PACKET_PORT,
                                     .length = SEALED_SHORT};
        assert_false(capture_filter_takes(filter, bytes, build(&span, family, bytes)));
        assert_false(capture_filter_takes(filter, bytes, build(&packet, family, bytes)));
        capture_filter_free(filter);
    }
}

/* A capture takes the steps of doors that hear it, and of no other; what any door opens it leaves
 * out. */
static void takes_for_doors_that_hear_it(void **state)
{
    (void)state;
    struct config_door doors[] = {
        {.flags = syn,
         .unheard = 2,
         .port = {8010, IPPROTO_UDP},
         .sequence = {1, {{7000, IPPROTO_UDP}}}},
        {.flags = syn, .unheard = 1, .sequence = {1, {{8000, IPPROTO_UDP}}}},
    };
    struct config config = {.doors = doors, .door_count = 2};
    static const struct {
        uint64_t sources;
        bool first, second;
    } rows[] = {{1, true, false},
                {2, false, true},
                {3, true, true},
                {4, true, true},
                {CAPTURE_ANY, true, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct capture_ports ports;
        capture_ports_init(&ports, &config, rows[i].sources);
        assert_int_equal(port_set_has(&ports.steps, IPPROTO_UDP, 7000), rows[i].first);
        assert_int_equal(port_set_has(&ports.near, IPPROTO_UDP, 7001), rows[i].first);
        assert_int_equal(port_set_has(&ports.steps, IPPROTO_UDP, 8000), rows[i].second);
        assert_int_equal(port_set_has(&ports.near, IPPROTO_UDP, 8001), rows[i].second);
        assert_true(port_set_has(&ports.served, IPPROTO_UDP, 8010));
    }
}

static void takes_one_time_sequences(void **state)
{
    (void)state;
    need_libpcap();
    static struct config none;
    const struct sequence sequence = {2, {{40000, IPPROTO_UDP}, {41000, IPPROTO_TCP}}};
    struct capture_ports ports;
    capture_ports_init(&ports, &none, CAPTURE_ANY);
    capture_ports_add(&ports, &sequence, (struct flag_match){TCP_FIN, 0});
    struct capture_filter *filter = compile(&ports, 4);
    uint8_t bytes[256];
    const struct shape udp = {"", true, IPPROTO_UDP, .port = 40000};
    const struct shape fin = {"", true, TCP(TCP_FIN), .port = 41000};
    assert_true(capture_filter_takes(filter, bytes, build(&udp, 4, bytes)));
    assert_true(capture_filter_takes(filter, bytes, build(&fin, 4, bytes)));
    capture_filter_free(filter);
}

/* The host's own packets, and those that aren't for it, end in the first instructions. */
static void begins_by_what_is_for_this_host(void **state)
{
    (void)state;
    need_libpcap();
    struct capture_ports ports = some_ports();
    struct capture_filter *filter = compile(&ports, 4);
    unsigned count = 0;
    assert_non_null(capture_filter_program(filter, &count));
    assert_in_range(count, 10, 4096);
    capture_filter_free(filter);
}

/* --- limits --- */

static struct config_door *make_doors(unsigned count, unsigned served_each)
{
    struct config_door *doors = calloc(count, sizeof(*doors));
    unsigned seed = 4711;
    for (unsigned i = 0; i < count; i++) {
        doors[i].flags = i % 2 ? syn : (struct flag_match){TCP_FIN, 0};
        doors[i].sequence.count = STEPS_MAX;
        for (unsigned j = 0; j < STEPS_MAX; j++) {
            seed = seed * 1103515245 + 12345;
            doors[i].sequence.steps[j] = (struct port_proto){(uint16_t)(1 + (seed >> 8) % 65535),
                                                             j % 3 ? IPPROTO_UDP : IPPROTO_TCP};
        }
        doors[i].ignore_count = served_each;
        doors[i].ignore = calloc(served_each + 1, sizeof(struct port_proto));
        for (unsigned j = 0; j < served_each; j++)
            doors[i].ignore[j] =
                (struct port_proto){(uint16_t)(1 + (i * served_each + j) * 2 % 65535), IPPROTO_UDP};
    }
    return doors;
}

static void free_doors(struct config_door *doors, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(doors[i].ignore);
    free(doors);
}

/* Every step is taken, whatever else is. */
static void check_steps(const struct config *config, const struct capture_filter *filter,
                        int family)
{
    for (unsigned i = 0; i < config->door_count; i += 7)
        for (unsigned j = 0; j < STEPS_MAX; j++) {
            struct port_proto step = config->doors[i].sequence.steps[j];
            struct shape shape = {"", true, step.proto, .port = step.port,
                                  .flags = config->doors[i].flags.set};
            uint8_t bytes[256];
            size_t len = build(&shape, family, bytes);
            if (!capture_filter_takes(filter, bytes, len))
                fail_msg("IPv%d: %u:%u isn't taken", family, step.port, step.proto);
        }
}

/* doors, ports that each ignores, whether more than wanted is taken */
static void compiles_however_many_doors(void **state)
{
    (void)state;
    need_libpcap();
    static const struct {
        unsigned doors, served;
        bool widened;
    } table[] = {{1, 0, false},
                 {10, 0, false},
                 {10, 100, true},
                 {CONFIG_DOORS_MAX, 0, false},
                 {CONFIG_DOORS_MAX, 8, true}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++) {
        struct config config = {.door_count = table[i].doors,
                                .doors = make_doors(table[i].doors, table[i].served)};
        struct capture_ports ports;
        capture_ports_init(&ports, &config, CAPTURE_ANY);
        for (int family = 4; family <= 6; family += 2) {
            struct capture_filter *filter = compile(&ports, family);
            unsigned count = 0;
            capture_filter_program(filter, &count);
            assert_in_range(count, 10, 4096);
            print_message("%u doors, %u ports each, IPv%d: %u instructions, %u ports more\n",
                          table[i].doors, table[i].served, family, count,
                          capture_filter_widened(filter));
            check_steps(&config, filter, family);
            if (!table[i].widened)
                assert_int_equal(capture_filter_widened(filter), 0);
            capture_filter_free(filter);
        }
        free_doors(config.doors, config.door_count);
    }
}

/* Doors far apart whose surroundings are full of served ports: too many ranges for one filter. */
static void widens_over_the_narrowest_gaps(void **state)
{
    (void)state;
    need_libpcap();
    enum { HOLES = 4096, EACH = 64, DOORS = HOLES / EACH };
    struct config config = {.door_count = DOORS,
                            .doors = calloc(DOORS, sizeof(struct config_door))};
    for (unsigned i = 0; i < DOORS; i++) {
        struct config_door *door = &config.doors[i];
        door->flags = syn;
        door->sequence = (struct sequence){1, {{(uint16_t)(1000 + i * 300), IPPROTO_UDP}}};
        door->ignore_count = EACH;
        door->ignore = calloc(EACH, sizeof(struct port_proto));
        for (unsigned j = 0; j < EACH; j++)
            door->ignore[j] =
                (struct port_proto){(uint16_t)(1001 + i * 300 + j * 2 - EACH), IPPROTO_UDP};
    }
    struct capture_ports ports;
    capture_ports_init(&ports, &config, CAPTURE_ANY);
    for (int family = 4; family <= 6; family += 2) {
        struct capture_filter *filter = compile(&ports, family);
        uint8_t bytes[256];
        const struct shape gap = {"", false, IPPROTO_UDP, .port = 1000 + 150};
        assert_true(capture_filter_widened(filter) > HOLES - CAPTURE_RANGES - 100);
        assert_false(capture_filter_takes(filter, bytes, build(&gap, family, bytes)));
        capture_filter_free(filter);
    }
    free_doors(config.doors, DOORS);
}

/* Of far UDP ports one class of 32, in which nothing is that is served; without a step by UDP none.
 */
static void takes_a_sample_of_far_ports(void **state)
{
    (void)state;
    need_libpcap();
    struct port_proto many[64];
    struct config_door door = {.flags = syn,
                               .ignore = many,
                               .ignore_count = 64,
                               .sequence = {2, {{7000, IPPROTO_UDP}, {8000, IPPROTO_TCP}}}};
    struct config config = {.doors = &door, .door_count = 1};
    struct capture_ports ports;
    /* Of each class but one a port is served. */
    for (unsigned i = 0, port = 10000; i < 64; port++)
        if (!capture_ports_samples(17, (uint16_t)port))
            many[i++] = (struct port_proto){(uint16_t)port, IPPROTO_UDP};
    capture_ports_init(&ports, &config, CAPTURE_ANY);
    unsigned served = 1;
    assert_int_equal(capture_ports_sample(&ports, &served), 17);
    assert_int_equal(served, 0);
    unsigned sampled = 0;
    for (int family = 4; family <= 6; family += 2) {
        struct capture_filter *filter = compile(&ports, family);
        assert_int_equal(capture_filter_widened(filter), 0);
        for (unsigned port = 8200; port < 65536; port++) {
            const struct shape shape = {"", false, IPPROTO_UDP, .port = (uint16_t)port};
            uint8_t bytes[256];
            bool taken = capture_filter_takes(filter, bytes, build(&shape, family, bytes));
            if (taken != capture_ports_samples(17, (uint16_t)port))
                fail_msg("IPv%d, port %u: %s", family, port, taken ? "taken" : "not taken");
            sampled += taken;
        }
        capture_filter_free(filter);
    }
    assert_in_range(sampled / 2, (32768 - 8200) / 32 - 50, (32768 - 8200) / 32 + 50);
    door.ignore_count = 0;
    capture_ports_init(&ports, &config, CAPTURE_ANY);
    static const uint16_t busy[] = {53, 123, 443, 500, 1194, 3478, 4433, 4500, 5060, 8443};
    for (size_t i = 0; i < sizeof(busy) / sizeof(*busy); i++)
        assert_false(capture_ports_samples(capture_ports_sample(&ports, &served), busy[i]));
    door.sequence.steps[0].proto = IPPROTO_TCP;
    capture_ports_init(&ports, &config, CAPTURE_ANY);
    assert_int_equal(capture_ports_sample(&ports, &served), CAPTURE_SAMPLES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_may_be_a_knock),
        cmocka_unit_test(leaves_extension_headers_to_the_listener),
        cmocka_unit_test(without_sealed_knocks_no_span),
        cmocka_unit_test(takes_for_doors_that_hear_it),
        cmocka_unit_test(takes_one_time_sequences),
        cmocka_unit_test(takes_a_sample_of_far_ports),
        cmocka_unit_test(begins_by_what_is_for_this_host),
        cmocka_unit_test(compiles_however_many_doors),
        cmocka_unit_test(widens_over_the_narrowest_gaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
