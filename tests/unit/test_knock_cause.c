/* What the client holds for likely after a knock that didn't open, by what was evidence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "knock/cause.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define NO_ROUTE "No route to host"
#define OBSTACLE(what, which, who)                                                                 \
    {                                                                                              \
        .count = 2, .kind = ICMP_KIND_##which, .error = what, .sender = who                        \
    }
#define ROUTER OBSTACLE(NO_ROUTE, NO_ROUTE, "192.0.2.254")

/* Words of each cause, in the order of the table; "" ends it. */
static const struct row {
    struct evidence evidence;
    bool sequence, by_tcp, unbound, not_looked;
    const char *causes[CAUSES_MAX];
} rows[] = {
    {{0}, .causes = {"doesn't know the key", "lets no UDP out: try --carrier tcp"}},
    {{.udp_answered = true, .told = true},
     .causes = {"doesn't know the key", "lets UDP out to some ports alone: try --carrier tcp"}},
    {{0}, .by_tcp = true, .causes = {"doesn't know the key"}},
    {{0}, .sequence = true, .causes = {"the sequence isn't the door's"}},
    {{.unsynchronised = true}, .sequence = true, .causes = {"the sequence isn't the door's"}},
    /* The port. */
    {{.reset = 3}, .causes = {"port 22 refuses since the knock and was silent before"}},
    /* Then nothing else can be why. */
    {{.reset = 3,
      .port_obstacle = ROUTER,
      .knock_reset = 1,
      .behind = 1,
      .unsynchronised = true,
      .own = "10.0.0.5"},
     .causes = {"port 22 refuses since the knock and was silent before"}},
    {{.reset = 3, .reset_before = 1},
     .causes = {"port 22 refused before the knock, too", "doesn't know the key"}},
    {{.reset = 3},
     .not_looked = true,
     .causes = {"port 22 refused connections", "doesn't know the key"}},
    {{.port_obstacle = ROUTER},
     .causes = {"192.0.2.254, on the way, says of 203.0.113.1: No route to host",
                "doesn't know the key", "--carrier tcp"}},
    {{.port_obstacle = OBSTACLE(NO_ROUTE, NO_ROUTE, "")},
     .causes = {"doesn't reach 203.0.113.1 (No route to host)", "doesn't know the key",
                "--carrier tcp"}},
    {{.port_obstacle = OBSTACLE(NO_ROUTE, NO_ROUTE, "198.51.100.7")},
     .causes = {"doesn't reach 203.0.113.1", "doesn't know the key", "--carrier tcp"}},
    {{.port_obstacle = OBSTACLE("Connection refused", PORT, "203.0.113.1")},
     .causes = {"doesn't know the key", "--carrier tcp"}},
    {{.port_obstacle = OBSTACLE(NO_ROUTE, PROHIBITED, "192.0.2.254")},
     .causes = {"192.0.2.254, on the way, rejects connections to port 22 (ICMP: administratively "
                "prohibited): a firewall there forbids them; try from another network",
                "doesn't know the key", "--carrier tcp"}},
    {{.port_obstacle = OBSTACLE(NO_ROUTE, EXPIRED, "192.0.2.254")},
     .causes = {"192.0.2.254, on the way, says that packets to 203.0.113.1 go in a circle",
                "doesn't know the key", "--carrier tcp"}},
    /* A gateway that is knocked at denies what is meant for the host behind it. */
    {{.target = "10.0.0.22", .port_obstacle = OBSTACLE(NO_ROUTE, PROHIBITED, "203.0.113.1")},
     .causes = {"doesn't know the key", "--carrier tcp"}},
    /* The knock's own packets: what came back for them says more, and that UDP gets out. */
    {{.knock_obstacle = OBSTACLE(NO_ROUTE, PROHIBITED, "192.0.2.254"), .port_obstacle = ROUTER},
     .causes = {"192.0.2.254, on the way, rejects the knock's packets (ICMP: administratively "
                "prohibited): a firewall there forbids them; try --carrier tcp, or from another",
                "doesn't know the key"}},
    {{.knock_obstacle = OBSTACLE(NO_ROUTE, PORT, "192.0.2.254")},
     .by_tcp = true,
     .causes = {"(ICMP: port unreachable): a firewall there forbids them; try --carrier udp, or "
                "from another network",
                "doesn't know the key"}},
    {{.knock_obstacle = OBSTACLE(NO_ROUTE, PROHIBITED, "192.0.2.254")},
     .sequence = true,
     .causes = {"forbids them; try from another network", "the sequence isn't the door's"}},
    {{.knock_obstacle = ROUTER},
     .causes = {"192.0.2.254, on the way, says of 203.0.113.1: No route", "doesn't know the key"}},
    {{.knock_obstacle = OBSTACLE("Connection refused", PORT, "198.51.100.7")},
     .by_tcp = true,
     .causes = {"a firewall rule of this machine rejects the knock's packets",
                "doesn't know the key"}},
    {{.knock_rejected = 3, .rejection = ICMP_KIND_PORT},
     .causes = {"203.0.113.1 itself answers the knock's packets (ICMP: port unreachable): it",
                "doesn't know the key"}},
    {{.knock_rejected = 3, .rejection = ICMP_KIND_OTHER},
     .causes = {"203.0.113.1 itself answers the knock's packets (ICMP error)",
                "doesn't know the key"}},
    {{.knock_reset = 3},
     .sequence = true,
     .causes = {"203.0.113.1 itself answers the knock's packets (RST)",
                "the sequence isn't the door's"}},
    /* One packet: only some sources hear it. */
    {{.by_packet = true},
     .causes = {"may not hear single packets: that takes a source of type nflog or pcap",
                "doesn't know the key", "--carrier tcp"}},
    {{.by_packet = true, .knock_rejected = 1, .rejection = ICMP_KIND_PORT},
     .causes = {"knockd hears only what the firewall passes on, unless it captures; see",
                "may not hear single packets", "doesn't know the key"}},
    /* The clock. */
    {{.behind = 29}, .causes = {"clock was 29 s behind", "doesn't know the key", "--carrier tcp"}},
    {{.unsynchronised = true},
     .causes = {"nothing keeps this machine's clock right", "doesn't know the key",
                "--carrier tcp"}},
    /* Addresses. */
    {{.own = "10.0.0.5", .translated = true},
     .causes = {"bound to 198.51.100.7 and left this machine as 10.0.0.5", "doesn't know the key",
                "--carrier tcp"}},
    {{.own = "10.0.0.5", .translated = true},
     .unbound = true,
     .causes = {"wasn't bound to an address", "doesn't know the key", "--carrier tcp"}},
    {{.own = "10.0.0.5", .translated = true, .bound_inside = true},
     .causes = {"bound to 198.51.100.7, which 203.0.113.1 doesn't see", "doesn't know the key",
                "--carrier tcp"}},
    /* Behind a translator it is as it should be, unless that has several addresses. */
    {{.own = "10.0.0.5", .told = true, .udp_answered = true, .unsynchronised = true},
     .causes = {"nothing keeps", "doesn't know the key", "some ports alone"}},
    {{.own = "10.0.0.5", .told = true},
     .by_tcp = true,
     .causes = {"doesn't know the key", "bound to 198.51.100.7 and left this machine as 10.0.0.5"}},
    /* The likeliest three of many. */
    {{.reset = 1, .reset_before = 1, .port_obstacle = ROUTER, .behind = 1, .unsynchronised = true},
     .causes = {"192.0.2.254", "1 s behind", "refused before"}},
    {{.behind = 1, .unsynchronised = true, .own = "10.0.0.5"},
     .causes = {"1 s behind", "bound to 198.51.100.7", "nothing keeps"}},
};

/* Silence is all that was evidence, but for what the row says. */
static struct evidence evidence_of(const struct row *row)
{
    struct evidence evidence = row->evidence;
    evidence.port = 22;
    evidence.server = "203.0.113.1";
    if (!evidence.target)
        evidence.target = evidence.server;
    evidence.looked = !row->not_looked;
    evidence.sealed = !row->sequence;
    evidence.by_udp = !row->by_tcp;
    evidence.bound = row->unbound || row->sequence ? "" : "198.51.100.7";
    if (!evidence.own)
        evidence.own = "198.51.100.7";
    return evidence;
}

static void names_the_likeliest_causes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char causes[CAUSES_MAX][CAUSE_SIZE];
        struct evidence evidence = evidence_of(&rows[i]);
        unsigned count = cause_find(&evidence, causes), wanted = 0;
        while (wanted < CAUSES_MAX && rows[i].causes[wanted])
            wanted++;
        if (count != wanted)
            fail_msg("row %zu: %u causes, expected %u; the first: %s", i, count, wanted, causes[0]);
        for (unsigned c = 0; c < count; c++)
            if (!strstr(causes[c], rows[i].causes[c]))
                fail_msg("row %zu: cause %u is: %s", i, c, causes[c]);
    }
}

static void names_the_address_to_look_for(void **state)
{
    (void)state;
    static const struct {
        const char *own, *bound;
        bool translated, inside;
        const char *expected;
    } addresses[] = {
        {"198.51.100.7", "198.51.100.7", false, false, "198.51.100.7"},
        {"198.51.100.7", "", false, false, "198.51.100.7"},
        {"10.0.0.5", "198.51.100.7", true, false, "198.51.100.7"},
        {"10.0.0.5", "", true, false, "ADDRESS"},
        {"10.0.0.5", "10.0.0.6", true, true, "ADDRESS"},
        {"", "", false, false, "ADDRESS"},
    };
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct evidence evidence = {.own = addresses[i].own,
                                    .bound = addresses[i].bound,
                                    .bound_inside = addresses[i].inside,
                                    .translated = addresses[i].translated};
        assert_string_equal(cause_address(&evidence), addresses[i].expected);
    }
}

/* The longest texts fit, cut at worst. */
static void long_names_fit(void **state)
{
    (void)state;
    char causes[CAUSES_MAX][CAUSE_SIZE], name[300];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct evidence evidence = {.sealed = true, .reset = 1, .knock_reset = 1};
    evidence.server = evidence.target = evidence.own = evidence.bound = name;
    for (int kind = ICMP_KIND_OTHER; kind <= ICMP_KIND_TOO_BIG; kind++) {
        evidence.knock_obstacle = (struct obstacle){
            .count = 1, .kind = (enum icmp_kind)kind, .error = name, .sender = "192.0.2.254"};
        assert_int_equal(cause_find(&evidence, causes), 3);
        for (unsigned c = 0; c < CAUSES_MAX; c++)
            assert_true(strlen(causes[c]) < CAUSE_SIZE);
    }
}

/* By the types and codes of the RFCs, and by any other: whatever comes has a kind. */
static void knows_icmp_errors(void **state)
{
    (void)state;
    static const struct {
        uint8_t family, type, code;
        enum icmp_kind kind;
    } errors[] = {
        {4, 3, 0, ICMP_KIND_NO_ROUTE},    {4, 3, 1, ICMP_KIND_NO_ROUTE},
        {4, 3, 2, ICMP_KIND_OTHER},       {4, 3, 3, ICMP_KIND_PORT},
        {4, 3, 4, ICMP_KIND_TOO_BIG},     {4, 3, 9, ICMP_KIND_PROHIBITED},
        {4, 3, 10, ICMP_KIND_PROHIBITED}, {4, 3, 13, ICMP_KIND_PROHIBITED},
        {4, 3, 14, ICMP_KIND_OTHER},      {4, 3, 255, ICMP_KIND_OTHER},
        {4, 11, 0, ICMP_KIND_EXPIRED},    {4, 12, 0, ICMP_KIND_OTHER},
        {4, 255, 3, ICMP_KIND_OTHER},     {6, 1, 0, ICMP_KIND_NO_ROUTE},
        {6, 1, 1, ICMP_KIND_PROHIBITED},  {6, 1, 2, ICMP_KIND_OTHER},
        {6, 1, 3, ICMP_KIND_NO_ROUTE},    {6, 1, 4, ICMP_KIND_PORT},
        {6, 1, 5, ICMP_KIND_PROHIBITED},  {6, 1, 6, ICMP_KIND_NO_ROUTE},
        {6, 1, 7, ICMP_KIND_OTHER},       {6, 1, 255, ICMP_KIND_OTHER},
        {6, 2, 0, ICMP_KIND_TOO_BIG},     {6, 3, 0, ICMP_KIND_EXPIRED},
        {6, 4, 1, ICMP_KIND_OTHER},       {6, 11, 0, ICMP_KIND_OTHER},
    };
    for (size_t i = 0; i < COUNT(errors); i++)
        if (icmp_kind_of(errors[i].family, errors[i].type, errors[i].code) != errors[i].kind)
            fail_msg("ICMP of IPv%u, type %u, code %u", errors[i].family, errors[i].type,
                     errors[i].code);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_likeliest_causes),
        cmocka_unit_test(names_the_address_to_look_for),
        cmocka_unit_test(long_names_fit),
        cmocka_unit_test(knows_icmp_errors),
    };
    return cmocka_run_group_tests_name("knock_cause", tests, NULL, NULL);
}
