/* What a listener answers to `knockctl why`: told on if it can be true, else not believed. */
#include "config_help.h"

#include "control/request_parts.h"
#include "lib/clock.h"
#include "listener/matcher.h"

static const struct message_packet good = {.verdict = MATCH_SEEN, .proto = 6, .dpt = 7000};

static void packets_are_of_the_past(void **state)
{
    (void)state;
    int64_t now = clock_now();
    const struct {
        int64_t time;
        bool taken;
    } rows[] = {{0, true},          {now, true},        {now + 3600 * CLOCK_SECOND, false},
                {INT64_MAX, false}, {INT64_MIN, false}, {-1, false}};
    struct told told;
    struct row row;
    begin(&told);
    struct config *config = load_text(&told, SOURCE DOOR);
    assert_non_null(config);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct message_packet packet = good;
        packet.time = rows[i].time;
        if (requests_list_packet(config, &packet, &row) != rows[i].taken)
            fail_msg("time %lld", (long long)rows[i].time);
    }
    config_free(config);
    end(&told);
}

static void packets_are_of_what_there_is(void **state)
{
    (void)state;
    struct told told;
    struct row row;
    begin(&told);
    struct config *config = load_text(&told, SOURCE DOOR);
    assert_non_null(config);
    struct message_packet packet = good;
    assert_true(requests_list_packet(config, &packet, &row));
    packet.source = config->source_count;
    assert_false(requests_list_packet(config, &packet, &row));
    packet = good;
    packet.verdict = MATCH_VERDICTS;
    assert_false(requests_list_packet(config, &packet, &row));
    struct message_effect effect = {.before = 3, .after = 3};
    assert_true(requests_list_effect(config, &effect, NULL, &row));
    effect.after = 4;
    assert_false(requests_list_effect(config, &effect, NULL, &row));
    config_free(config);
    end(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packets_are_of_the_past),
        cmocka_unit_test(packets_are_of_what_there_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
