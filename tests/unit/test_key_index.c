/* The table of hints: finds every key that a message may be of, and few others. */
#include "keys_help.h"

#include <time.h>

#include "lib/clock.h"

enum { FEW = 300, MANY = 10000, SKEW = 120 };

#define START (UINT64_C(1800000000) << 16)

/* The keys that are found are those that have the hint, whatever period is asked about. */
static void finds_what_a_look_at_all_finds(void **state)
{
    (void)state;
    struct sealed_key *keys = keys_make(FEW);
    struct key_index *hints = key_index_new(keys, FEW, SKEW);
    assert_non_null(hints);
    static const int64_t offsets[] = {0, 127, 128, -1, -128, 256, 100000, 0, 128};
    for (size_t i = 0; i < sizeof(offsets) / sizeof(*offsets); i++) {
        uint64_t time = START + (uint64_t)(offsets[i] * 65536);
        for (unsigned k = 0; k < FEW; k++) {
            uint16_t hint = sealed_hint(&keys[k], time);
            unsigned count, seen = 0;
            const uint32_t *found = key_index_find(hints, time, hint, &count);
            for (unsigned n = 0; n < count; n++) {
                assert_int_equal(sealed_hint(&keys[key_index_key(found[n])], time), hint);
                seen += key_index_key(found[n]) == k;
            }
            assert_int_equal(seen, 1);
        }
    }
    key_index_free(hints);
    free(keys);
}

/* Each hint of 16 bits, the first and the last too: together they give each key once. */
static void gives_each_key_one_hint(void **state)
{
    (void)state;
    struct sealed_key *keys = keys_make(FEW);
    struct key_index *hints = key_index_new(keys, FEW, SKEW);
    unsigned sum = 0;
    for (uint32_t hint = 0; hint <= UINT16_MAX; hint++) {
        unsigned count;
        key_index_find(hints, START, (uint16_t)hint, &count);
        sum += count;
    }
    assert_int_equal(sum, FEW);
    key_index_free(hints);
    free(keys);
}

static void serves_nobody(void **state)
{
    (void)state;
    struct key_index *hints = key_index_new(NULL, 0, SKEW);
    unsigned count = 7;
    key_index_find(hints, START, 0, &count);
    assert_int_equal(count, 0);
    key_index_free(hints);
}

/*
 * With 10,000 keys a message whose hint was guessed costs 10,000 / 65,536 trials on average, and
 * one whose hint was overheard that and one more: "no more than a few".
 */
static void ten_thousand_keys_cost_few_trials(void **state)
{
    (void)state;
    enum { MESSAGES = 200000 };
    struct sealed_key *keys = keys_make(MANY);
    struct key_index *hints = key_index_new(keys, MANY, SKEW);
    unsigned count, worst = 0;
    uint64_t guessed = 0, overheard = 0;
    int64_t begin = clock_now();
    key_index_find(hints, START, 0, &count);
    int64_t made = clock_now() - begin;
    srand(1);
    begin = clock_now();
    for (unsigned i = 0; i < MESSAGES; i++) {
        key_index_find(hints, START, (uint16_t)(rand() >> 8), &count);
        guessed += count;
        worst = count > worst ? count : worst;
    }
    int64_t searched = clock_now() - begin;
    for (unsigned k = 0; k < MANY; k++) {
        key_index_find(hints, START, sealed_hint(&keys[k], START), &count);
        overheard += count;
        worst = count > worst ? count : worst;
    }
    printf("# trials: %.3f guessed, %.3f overheard, %u at most; table %.1f ms, search %.0f ns\n",
           (double)guessed / MESSAGES, (double)overheard / MANY, worst, (double)made / 1e6,
           (double)searched / MESSAGES);
    assert_true((double)guessed / MESSAGES < 0.3);
    assert_true((double)overheard / MANY < 1.5);
    assert_true(worst <= 10);
    key_index_free(hints);
    free(keys);
}

/* Messages of all periods that aren't stale, in turn: no table is made twice. */
static void no_period_drives_out_another(void **state)
{
    (void)state;
    static const int64_t skews[] = {1, 63, 64, 65, 120, 128, 600};
    struct sealed_key *keys = keys_make(MANY);
    for (size_t i = 0; i < sizeof(skews) / sizeof(*skews); i++) {
        struct key_index *hints = key_index_new(keys, MANY, skews[i]);
        int64_t skew = skews[i] << 16;
        clock_t passes[2];
        unsigned count;
        /* At the worst moment for that, when one more second makes one more period. */
        uint64_t now = START - START % (UINT64_C(128) << 16) + (uint64_t)skew % (128 << 16);
        for (int pass = 0; pass < 2; pass++) {
            clock_t begin = clock();
            for (int64_t offset = -skew; offset <= skew; offset += 1 << 16)
                key_index_find(hints, now + (uint64_t)offset, 5, &count);
            passes[pass] = clock() - begin;
        }
        if (passes[1] * 4 > passes[0])
            fail_msg("skew %d: %lld us, then %lld us", (int)skews[i], (long long)passes[0],
                     (long long)passes[1]);
        key_index_free(hints);
    }
    free(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_a_look_at_all_finds),
        cmocka_unit_test(gives_each_key_one_hint),
        cmocka_unit_test(serves_nobody),
        cmocka_unit_test(ten_thousand_keys_cost_few_trials),
        cmocka_unit_test(no_period_drives_out_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
