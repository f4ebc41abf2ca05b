/* What a listener answers and tells of is judged by the keeper, whether anyone asked or not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "control/request_parts.h"
#include "knockd/listener_events.h"
#include "lib/log.h"

static struct config_source source = {.name = (char[]){"s"}};
static struct config config = {.source_count = 1, .sources = &source};

static struct requests_state get_state(void *arg)
{
    (void)arg;
    return (struct requests_state){.config = &config};
}

/* Nobody waits for an answer. */
static bool takes(const struct message *message)
{
    static struct requests requests = {.services.state = get_state};
    return requests_record(&requests, &config, message);
}

static void counters(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_COUNTERS, .u.counters.query = 1};
    for (int i = 0; i < LISTENER_COUNTS; i++) {
        assert_true(takes(&message));
        message.u.counters.counts[i] = INT64_MAX;
        assert_true(takes(&message));
        message.u.counters.counts[i]++;
        assert_false(takes(&message));
        message.u.counters.counts[i] = 0;
    }
}

static void tallies(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_STATS, .u.stats.query = 1};
    struct message_stats *stats = &message.u.stats;
    uint64_t *counts[] = {&stats->lines,  &stats->packets, &stats->foreign,
                          &stats->others, &stats->damaged, &stats->partial};
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        *counts[i] = INT64_MAX;
        assert_true(takes(&message));
        *counts[i] += 1;
        assert_false(takes(&message));
        *counts[i] = 0;
    }
    stats->source = config.source_count;
    assert_false(takes(&message));
}

static void other_prefixes(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_OTHER, .u.other.count = INT64_MAX};
    assert_true(takes(&message));
    message.u.other.count++;
    assert_false(takes(&message));
    message.u.other.count = 1;
    message.u.other.text[MESSAGE_TEXT_MAX] = 'x';
    assert_false(takes(&message));
    message.u.other.text[MESSAGE_TEXT_MAX] = '\0';
    message.u.other.kind = SEEN_HEADER;
    message.u.other.hint = HEADER_HINTS - 1;
    assert_true(takes(&message));
    message.u.other.hint = HEADER_HINTS;
    assert_false(takes(&message));
    message.u.other.hint = 0;
    message.u.other.kind = SEEN_KINDS;
    assert_false(takes(&message));
}

/* Records that are no part of an answer. */
static void no_answers(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_OPEN};
    assert_false(takes(&message));
    message.type = MESSAGE_QUERY;
    assert_false(takes(&message));
}

static bool logs(const struct message *message, struct limit *rate)
{
    return events_log(&config, message, rate, 0);
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
        struct message_event event;
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
        struct message message = {.type = MESSAGE_EVENT, .u.event = rows[i / 2].event};
        if (logs(&message, &rate) != rows[i / 2].good)
            fail_msg("row %zu, %zu messages left", i / 2, i & 1);
    }
    for (unsigned left = 0; left < 2; left++) {
        struct limit rate = limit_make(1, left, 0);
        struct message seen = {.type = MESSAGE_SEEN, .u.seen = {.packets = 2, .count = 3}};
        assert_false(logs(&seen, &rate));
        seen.u.seen.count = 2;
        seen.u.seen.source = 1;
        assert_false(logs(&seen, &rate));
        seen.u.seen.source = 0;
        seen.u.seen.text[MESSAGE_TEXT_MAX] = 'x';
        assert_false(logs(&seen, &rate));
        seen.u.seen.text[MESSAGE_TEXT_MAX] = '\0';
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
