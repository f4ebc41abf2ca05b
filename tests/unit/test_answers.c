/* What a listener answers and tells of is judged by the keeper, whether anyone asked or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "knockd/desk_parts.h"
#include "knockd/events.h"
#include "lib/log.h"

static struct config_source source = {.name = (char[]){"s"}};
static struct config config = {.source_count = 1, .sources = &source};

/* Nobody waits for an answer. */
static bool takes(const struct record *record)
{
    static struct regime regime = {.setting.config = &config};
    static struct daemon daemon = {.current = &regime};
    static struct desk desk = {.daemon = &daemon};
    return desk_record(&desk, &config, record);
}

static void counters(void **state)
{
    (void)state;
    struct record record = {.type = RECORD_COUNTERS, .u.counters.query = 1};
    for (int i = 0; i < LISTENER_COUNTS; i++) {
        assert_true(takes(&record));
        record.u.counters.counts[i] = INT64_MAX;
        assert_true(takes(&record));
        record.u.counters.counts[i]++;
        assert_false(takes(&record));
        record.u.counters.counts[i] = 0;
    }
}

static void tallies(void **state)
{
    (void)state;
    struct record record = {.type = RECORD_TALLY, .u.tally.query = 1};
    struct record_tally *tally = &record.u.tally;
    uint64_t *counts[] = {&tally->lines,  &tally->packets, &tally->foreign,
                          &tally->others, &tally->damaged, &tally->partial};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        *counts[i] = INT64_MAX;
        assert_true(takes(&record));
        *counts[i] += 1;
        assert_false(takes(&record));
        *counts[i] = 0;
    }
    tally->source = config.source_count;
    assert_false(takes(&record));
}

static void other_prefixes(void **state)
{
    (void)state;
    struct record record = {.type = RECORD_OTHER, .u.other.count = INT64_MAX};
    assert_true(takes(&record));
    record.u.other.count++;
    assert_false(takes(&record));
    record.u.other.count = 1;
    record.u.other.prefix[RECORD_PREFIX_MAX] = 'x';
    assert_false(takes(&record));
}

/* Records that are no part of an answer. */
static void no_answers(void **state)
{
    (void)state;
    struct record record = {.type = RECORD_OPEN};
    assert_false(takes(&record));
    record.type = RECORD_QUERY;
    assert_false(takes(&record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters),
        cmocka_unit_test(tallies),
        cmocka_unit_test(other_prefixes),
        cmocka_unit_test(no_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
