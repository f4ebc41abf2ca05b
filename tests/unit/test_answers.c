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

static void penalties(void **state)
{
    (void)state;
    static const struct {
        unsigned max_failures;
        uint32_t failures;
        int64_t until;
        bool good;
    } rows[] = {{5, 0, 0, true},          {5, 5, 0, true},   {5, 6, 0, false},
                {0, 0, 0, false},         {0, 1, 0, false},  {5, 0, INT64_MAX, true},
                {5, 0, INT64_MIN, false}, {5, 0, -1, false}, {5, 0, 1, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct record record = {.type = RECORD_PENALTY,
                                .u.penalty = {.failures = rows[i].failures,
                                              .until = rows[i].until}};
        config.penalty.max_failures = rows[i].max_failures;
        assert_true(takes(&record) == rows[i].good);
    }
}

static void events_of_penalties(void **state)
{
    (void)state;
    static const struct {
        unsigned max_failures;
        uint64_t seconds;
        uint32_t source;
        bool good;
    } rows[] = {{5, 600, 0, true},
                {0, 600, 0, false},
                {5, 601, 0, false},
                {5, UINT64_MAX, 0, false},
                {5, 600, 1, false}};
    config.penalty.length = config.penalty.window = INT64_C(600) * 1000000000;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct limit rate = limit_make(1, 100, 0);
        struct record record = {
            .type = RECORD_EVENT,
            .u.event = {.kind = EVENT_PENALTY,
                        .source = rows[i].source,
                        .number = rows[i].seconds,
                        .address = {4, {192, 0, 2, 1}}},
        };
        config.penalty.max_failures = rows[i].max_failures;
        assert_true(events_log(&config, &record, &rate, 0) == rows[i].good);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters),       cmocka_unit_test(tallies),
        cmocka_unit_test(other_prefixes), cmocka_unit_test(no_answers),
        cmocka_unit_test(penalties),      cmocka_unit_test(events_of_penalties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
