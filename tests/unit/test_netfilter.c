/* The kernel's two packet filters: what is said of them, and of which of them a program is. What
 * the kernel tells is tested by tests/system/two-filters.t. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "lib/netfilter.h"

static void kinds(void **state)
{
    (void)state;
    static const struct {
        const char *version;
        enum netfilter_kind kind;
    } rows[] = {
        {"iptables v1.8.9 (nf_tables)\n", NETFILTER_NF_TABLES},
        {"ip6tables v1.8.9 (nf_tables)\n", NETFILTER_NF_TABLES},
        {"iptables v1.8.9 (legacy)\n", NETFILTER_LEGACY},
        {"iptables v1.6.1\n", NETFILTER_LEGACY},
        {"no version\n", NETFILTER_UNKNOWN},
        {"", NETFILTER_UNKNOWN},
        {"usage: iptables\n", NETFILTER_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (netfilter_kind(rows[i].version) != rows[i].kind)
            fail_msg("%s: %d", rows[i].version, netfilter_kind(rows[i].version));
}

static void both(void **state)
{
    (void)state;
    static const struct {
        struct netfilter holds;
        enum netfilter_kind kind;
        const char *families; /* NULL: nothing is said */
        const char *iptables;
    } rows[] = {
        {{0, 0}, NETFILTER_NF_TABLES, NULL, NULL},
        {{3, 0}, NETFILTER_NF_TABLES, NULL, NULL},
        {{0, 3}, NETFILTER_LEGACY, NULL, NULL},
        {{NETFILTER_IP4, NETFILTER_IP6}, NETFILTER_LEGACY, NULL, NULL},
        {{NETFILTER_IP4, 3}, NETFILTER_LEGACY, "rules for IPv4: ", "iptables is the legacy one"},
        {{3, NETFILTER_IP6}, NETFILTER_NF_TABLES, "rules for IPv6: ", "iptables is the nft one"},
        {{3, 3}, NETFILTER_UNKNOWN, "rules for IPv4 and IPv6: ", "iptables isn't there"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512] = "";
        bool told = netfilter_tell_both(&rows[i].holds, rows[i].kind, text, sizeof(text));
        if (told != (rows[i].families != NULL) ||
            (told && (!strstr(text, rows[i].families) || !strstr(text, rows[i].iptables))))
            fail_msg("row %zu: %s", i, text);
        assert_true(strlen(text) < sizeof(text) - 1);
    }
}

/* Whoever asks, and with whatever right, gets an answer. */
static void the_kernel_answers(void **state)
{
    (void)state;
    struct netfilter holds = netfilter_read();
    assert_int_equal(holds.legacy & ~3u, 0);
    assert_int_equal(holds.nf_tables & ~3u, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds),
        cmocka_unit_test(both),
        cmocka_unit_test(the_kernel_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
