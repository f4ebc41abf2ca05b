/* What a listener answers and tells of is judged by the keeper, whether anyone asked or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>

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
    record.u.other.text[RECORD_TEXT_MAX] = 'x';
    assert_false(takes(&record));
    record.u.other.text[RECORD_TEXT_MAX] = '\0';
    record.u.other.kind = SEEN_HEADER;
    record.u.other.hint = HEADER_HINTS - 1;
    assert_true(takes(&record));
    record.u.other.hint = HEADER_HINTS;
    assert_false(takes(&record));
    record.u.other.hint = 0;
    record.u.other.kind = SEEN_KINDS;
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

static bool logs(const struct record *record, struct limit *rate)
{
    return events_log(&config, record, rate, 0);
}

/* What an event or a prefix says is judged whether there is a message left for it or not. */
static void judged_beyond_the_rate(void **state)
{
    (void)state;
    static char name[] = "d";
    static struct config_door door = {.name = name, .sequence.count = 3};
    const struct addr good = {4, {192, 0, 2, 1}}, dirty = {4, {192, 0, 2, 1, 1}};
    config.door_count = 1;
    config.doors = &door;
    const struct {
        struct record_event event;
        bool good;
    } rows[] = {
        {{EVENT_STAGE, 0, 0, good, 1, {0, 0}}, true},
        {{EVENT_STALLED, 0, 0, good, 2, {0, 0}}, true},
        {{EVENT_STALLED, 0, 0, good, 0, {0, 0}}, false},
        {{EVENT_STALLED, 0, 0, good, 3, {0, 0}}, false},
        {{EVENT_STALLED, 0, 1, good, 1, {0, 0}}, false},
        {{EVENT_STALLED, 1, 0, good, 1, {0, 0}}, false},
        {{EVENT_STALLED, 0, 0, dirty, 1, {0, 0}}, false},
        {{EVENT_STAGE, 0, 0, {7, {0}}, 1, {0, 0}}, false},
        {{EVENT_STALLED, 0, 0, good, 1, {443, IPPROTO_TCP}}, true},
        {{EVENT_STALLED, 0, 0, good, 1, {443, IPPROTO_UDP}}, true},
        {{EVENT_STALLED, 0, 0, good, 1, {443, IPPROTO_ICMP}}, false},
        {{EVENT_GAP, 0, 0, {0}, INT64_MAX, {0, 0}}, true},
        {{EVENT_GAP, 0, 0, {0}, UINT64_MAX, {0, 0}}, false},
        {{EVENT_GAP, 1, 0, {0}, 1, {0, 0}}, false},
        {{EVENT_LONG, 0, 1, {0}, 1, {0, 0}}, false},
        {{EVENT_CLOSED, 0, 0, good, 0, {0, 0}}, false},
        {{EVENT_KINDS, 0, 0, {0}, 0, {0, 0}}, false},
        {{0, 0, 0, {0}, 0, {0, 0}}, false},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
        /* With a message left, and without one. */
        struct limit rate = limit_make(1, i & 1, 0);
        struct record record = {.type = RECORD_EVENT, .u.event = rows[i / 2].event};
        if (logs(&record, &rate) != rows[i / 2].good)
            fail_msg("row %zu, %zu messages left", i / 2, i & 1);
    }
    for (unsigned left = 0; left < 2; left++) {
        struct limit rate = limit_make(1, left, 0);
        struct record seen = {.type = RECORD_SEEN, .u.seen = {.packets = 2, .count = 3}};
        assert_false(logs(&seen, &rate));
        seen.u.seen.count = 2;
        seen.u.seen.source = 1;
        assert_false(logs(&seen, &rate));
        seen.u.seen.source = 0;
        seen.u.seen.text[RECORD_TEXT_MAX] = 'x';
        assert_false(logs(&seen, &rate));
        seen.u.seen.text[RECORD_TEXT_MAX] = '\0';
        assert_true(logs(&seen, &rate));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters),
        cmocka_unit_test(tallies),
        cmocka_unit_test(other_prefixes),
        cmocka_unit_test(no_answers),
        cmocka_unit_test(judged_beyond_the_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
