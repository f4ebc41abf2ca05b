/* What the client holds for likely after a knock that didn't open, by what was seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "knock/cause.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

#define ROUTER .error = "No route to host", .teller = "192.0.2.254"

/* Words of each cause, in the order of the table; "" ends it. */
static const struct row {
    struct seen seen;
    bool sequence, by_tcp, unbound, not_looked;
    const char *causes[CAUSES_MAX];
} rows[] = {
    {{0}, .causes = {"lets no UDP out: try --carrier tcp", "doesn't know the key"}},
    {{0}, .by_tcp = true, .causes = {"doesn't know the key"}},
    {{0}, .sequence = true, .causes = {"the sequence isn't the door's"}},
    {{.unsynchronised = true}, .sequence = true, .causes = {"the sequence isn't the door's"}},
    /* The port. */
    {{.reset = 3},
     .causes = {"port 22 refuses since the knock and was silent before", "doesn't know the key"}},
    {{.reset = 3, .reset_before = 1},
     .causes = {"port 22 refused before the knock, too", "doesn't know the key"}},
    {{.reset = 3},
     .not_looked = true,
     .causes = {"port 22 refused connections", "doesn't know the key"}},
    {{.unreachable = 2, ROUTER},
     .causes = {"192.0.2.254, on the way, says of 203.0.113.1: No route to host", "--carrier tcp",
                "doesn't know the key"}},
    {{.unreachable = 2, .error = "No route to host"},
     .causes = {"doesn't reach 203.0.113.1 (No route to host)", "--carrier tcp",
                "doesn't know the key"}},
    {{.unreachable = 2, .error = "No route to host", .teller = "198.51.100.7"},
     .causes = {"doesn't reach 203.0.113.1", "--carrier tcp", "doesn't know the key"}},
    {{.unreachable = 2, .error = "Connection refused", .teller = "203.0.113.1"},
     .causes = {"--carrier tcp", "doesn't know the key"}},
    /* The clock. */
    {{.behind = 29}, .causes = {"clock was 29 s behind", "--carrier tcp", "doesn't know the key"}},
    {{.unsynchronised = true},
     .causes = {"nothing keeps this machine's clock right", "--carrier tcp",
                "doesn't know the key"}},
    /* Addresses. */
    {{.own = "10.0.0.5", .translated = true},
     .causes = {"bound to 198.51.100.7 and left this machine as 10.0.0.5", "--carrier tcp",
                "doesn't know the key"}},
    {{.own = "10.0.0.5", .translated = true},
     .unbound = true,
     .causes = {"wasn't bound to an address", "--carrier tcp", "doesn't know the key"}},
    /* The likeliest three of many. */
    {{.reset = 1, .unreachable = 1, ROUTER, .behind = 1, .unsynchronised = true},
     .causes = {"port 22 refuses since", "192.0.2.254", "1 s behind"}},
    {{.behind = 1, .unsynchronised = true, .own = "10.0.0.5"},
     .causes = {"1 s behind", "bound to 198.51.100.7", "nothing keeps"}},
};

/* Silence is all that was seen, but for what the row says. */
static struct seen seen_of(const struct row *row)
{
    struct seen seen = row->seen;
    seen.port = 22;
    seen.target = "203.0.113.1";
    seen.looked = !row->not_looked;
    seen.sealed = !row->sequence;
    seen.by_udp = !row->by_tcp;
    seen.bound = row->unbound || row->sequence ? "" : "198.51.100.7";
    if (!seen.own)
        seen.own = "198.51.100.7";
    if (!seen.error)
        seen.error = "";
    if (!seen.teller)
        seen.teller = "";
    return seen;
}

static void names_the_likeliest_causes(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        char causes[CAUSES_MAX][CAUSE_SIZE];
        struct seen seen = seen_of(&rows[i]);
        unsigned count = cause_judge(&seen, causes), wanted = 0;
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
        bool translated;
        const char *expected;
    } addresses[] = {
        {"198.51.100.7", "198.51.100.7", false, "198.51.100.7"},
        {"198.51.100.7", "", false, "198.51.100.7"},
        {"10.0.0.5", "198.51.100.7", true, "198.51.100.7"},
        {"10.0.0.5", "", true, "ADDRESS"},
        {"", "", false, "ADDRESS"},
    };
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct seen seen = {.own = addresses[i].own,
                            .bound = addresses[i].bound,
                            .translated = addresses[i].translated};
        assert_string_equal(cause_address(&seen), addresses[i].expected);
    }
}

/* The longest texts fit, cut at worst. */
static void long_names_fit(void **state)
{
    (void)state;
    char causes[CAUSES_MAX][CAUSE_SIZE], name[300];
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct seen seen = {.sealed = true, .looked = true, .unreachable = 1, .reset = 1};
    seen.target = seen.error = seen.own = seen.bound = name;
    seen.teller = "192.0.2.254";
    assert_int_equal(cause_judge(&seen, causes), 3);
    for (unsigned c = 0; c < CAUSES_MAX; c++)
        assert_true(strlen(causes[c]) < CAUSE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_the_likeliest_causes),
        cmocka_unit_test(names_the_address_to_look_for),
        cmocka_unit_test(long_names_fit),
    };
    return cmocka_run_group_tests_name("knock_cause", tests, NULL, NULL);
}
