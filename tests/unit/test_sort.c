/* Sorting: every order that a few items can have, and many items of many orders and sizes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/sort.h"

enum { MANY = 20000 };

/* Compared by `key` alone; the rest of the item must go with it. */
struct numbered {
    uint32_t key;
    uint32_t copy;
    char rest[SORT_ITEM_MAX - 8];
};

static int by_key(const void *a, const void *b)
{
    const struct numbered *x = a, *y = b;
    return (x->key > y->key) - (x->key < y->key);
}

static int by_byte(const void *a, const void *b)
{
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

static void few_in_every_order(void **state)
{
    (void)state;
    for (unsigned count = 0; count <= 6; count++) {
        unsigned orders = 1;
        for (unsigned i = 0; i < count; i++)
            orders *= 6;
        for (unsigned order = 0; order < orders; order++) {
            uint8_t items[6], seen[6] = {0}, found[6] = {0};
            for (unsigned i = 0, left = order; i < count; i++, left /= 6)
                seen[items[i] = (uint8_t)(left % 6)]++;
            sort(items, count, 1, by_byte);
            for (unsigned i = 0; i < count; i++) {
                found[items[i]]++;
                assert_true(i == 0 || items[i - 1] <= items[i]);
            }
            assert_memory_equal(seen, found, sizeof(seen));
        }
    }
}

static struct numbered item_of(uint32_t key)
{
    struct numbered item = {.key = key, .copy = ~key};
    snprintf(item.rest, sizeof(item.rest), "%u", key);
    return item;
}

static void many_keep_what_they_hold(void **state)
{
    (void)state;
    unsigned seed = (unsigned)time(NULL);
    print_message("# seed %u\n", seed);
    srand(seed);
    struct numbered *items = malloc(MANY * sizeof(*items));
    assert_non_null(items);
    for (int order = 0; order < 4; order++) {
        for (uint32_t i = 0; i < MANY; i++)
            items[i] = item_of(order == 0   ? i
                               : order == 1 ? MANY - i
                               : order == 2 ? (uint32_t)rand()
                                            : i % 7);
        sort(items, MANY, sizeof(*items), by_key);
        for (uint32_t i = 0; i < MANY; i++) {
            struct numbered expected = item_of(items[i].key);
            assert_memory_equal(&items[i], &expected, sizeof(expected));
            assert_true(i == 0 || items[i - 1].key <= items[i].key);
        }
    }
    assert_int_equal(sort_unique(items, MANY, sizeof(*items), by_key), 7);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(items[i].key, i);
    free(items);
}

static void nothing_stays_nothing(void **state)
{
    (void)state;
    uint8_t none[1] = {9};
    assert_int_equal(sort_unique(none, 0, 1, by_byte), 0);
    assert_int_equal(none[0], 9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_in_every_order),
        cmocka_unit_test(many_keep_what_they_hold),
        cmocka_unit_test(nothing_stays_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
