/* The table of those who break knocks: its window, and who makes room when it is full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/keyed.h"
#include "listener/penalty.h"

enum { ROW = 16 };

static struct penalties *table_of(unsigned max_failures, unsigned max)
{
    struct penalty_rule rule = {max_failures, 60, 100};
    uint8_t key[16];
    keyed_random(key, sizeof(key));
    struct penalties *p = penalties_new(&rule, max, key);
    assert_non_null(p);
    return p;
}

static struct addr host(unsigned n)
{
    return (struct addr){6,
                         {0x20, 1, 0x0d, 0xb8, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
}

/* A new address in one of these states at `now`: free (nothing yet), begun, failed, deaf. */
static void add(struct penalties *p, unsigned n, char state, int64_t now)
{
    struct addr address = host(n);
    struct suspect *suspect = penalties_add(p, &address, now);
    suspect->under_way = state == 'b';
    suspect->until = now + 15;
    for (int i = 0; i < (state == 'f' ? 1 : state == 'd' ? 2 : 0); i++)
        penalties_fail(p, suspect, now);
}

static bool is_there(const struct penalties *p, unsigned n)
{
    struct addr address = host(n);
    return penalties_find(p, &address) != NULL;
}

/* When knocks break, and at which of them the address becomes deaf: a letter each. */
static void the_window_slides(void **state)
{
    (void)state;
    static const struct {
        unsigned max_failures;
        int64_t times[8];
        const char *expected;
    } rows[] = {
        {1, {0, 1, 1}, "ddd"},
        {2, {0, 60, 61, 122}, ".d.."},
        {3, {0, 30, 60}, "..d"},
        {3, {0, 30, 61, 90, 91}, "...d."},
        {3,
         {0, 59, 61, 62, 63, 64, 65},
         "..."
         "d..d"},
        {3, {0, 40, 80, 120, 140}, "....d"},
        {4, {0, 20, 40, 61, 80, 81}, "....d."},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct penalties *p = table_of(rows[i].max_failures, ROW);
        struct addr address = host(1);
        struct suspect *suspect = penalties_add(p, &address, 0);
        for (unsigned k = 0; rows[i].expected[k]; k++) {
            bool deaf = penalties_fail(p, suspect, rows[i].times[k]);
            if (deaf != (rows[i].expected[k] == 'd'))
                fail_msg("row %zu, failure %u", i, k);
            if (deaf)
                assert_int_equal(suspect->deaf_until, rows[i].times[k] + 100);
        }
        penalties_free(p);
    }
}

static void what_counts_still(void **state)
{
    (void)state;
    struct penalties *p = table_of(3, ROW);
    struct addr address = host(1);
    struct suspect *suspect = penalties_add(p, &address, 0);
    penalties_fail(p, suspect, 0);
    penalties_fail(p, suspect, 50);
    assert_int_equal(penalties_failures(p, suspect, 60), 2);
    assert_int_equal(penalties_failures(p, suspect, 61), 1);
    assert_int_equal(penalties_failures(p, suspect, 111), 0);
    penalties_forgive(suspect);
    assert_int_equal(penalties_failures(p, suspect, 60), 0);
    penalties_free(p);
}

/* A row that is full, one address a letter as add() has it, at times 1, 2, 3 ...; who goes when one
 * more comes at `now`, and whether that is counted. */
static void who_makes_room(void **state)
{
    (void)state;
    static const struct {
        const char *row;
        int64_t now;
        unsigned goes;
        char counted; /* as e evicted, o overlooked, - nothing */
    } rows[] = {
        {"bbbbbbbbbbbbbbbb", 16, 0, 'o'},
        {"ffffffffbbffffff", 16, 8, 'o'},
        {"ddddfdddddddddfd", 16, 4, 'e'},
        {"dddddddddddddddd", 16, 0, 'e'},
        {"ddddddddddddddbd", 16, 14, 'o'},
        {"fdbdfdbdfdbdfdbd", 16, 2, 'o'},
        {"bbbbbbbbbbbbbbbx", 16, 15, '-'},
        /* what ran out counts as long as its failure could */
        {"bddddddddddddddd", 76, 0, 'o'},
        {"bddddddddddddddd", 77, 0, '-'},
        {"dffffffffffffffd", 62, 1, 'e'},
        {"dffffffffffffffd", 63, 1, '-'},
        {"dfffffffffffffff", 101, 0, '-'},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct penalties *p = table_of(2, ROW);
        for (unsigned k = 0; k < ROW; k++)
            add(p, k, rows[i].row[k], k + 1);
        assert_int_equal(penalties_counters(p)->evicted, 0);
        add(p, 99, 'b', rows[i].now);
        assert_true(is_there(p, 99));
        for (unsigned k = 0; k < ROW; k++)
            if (is_there(p, k) == (k == rows[i].goes))
                fail_msg("row %zu: %u", i, k);
        assert_int_equal(penalties_counters(p)->evicted, rows[i].counted == 'e');
        assert_int_equal(penalties_counters(p)->overlooked, rows[i].counted == 'o');
        penalties_free(p);
    }
}

/* 65,536 places; a million addresses with one broken knock each push out no penalty. */
static void a_flood_frees_nobody(void **state)
{
    (void)state;
    enum { DEAF = 1000, FLOOD = 1000000 };
    struct penalties *p = table_of(2, 65536);
    for (unsigned i = 0; i < DEAF; i++)
        add(p, i, 'd', 1);
    for (unsigned i = DEAF; i < DEAF + FLOOD; i++)
        add(p, i, 'f', 2);
    for (unsigned i = 0; i < DEAF; i++)
        assert_true(is_there(p, i));
    assert_int_equal(penalties_counters(p)->penalised, DEAF);
    assert_int_equal(penalties_counters(p)->evicted, DEAF + FLOOD - 65536);
    penalties_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_window_slides),
        cmocka_unit_test(what_counts_still),
        cmocka_unit_test(who_makes_room),
        cmocka_unit_test(a_flood_frees_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
