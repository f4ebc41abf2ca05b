/* The keeper's second look: what an honest listener may ask for, and what none would say. */
#include "config_help.h"

#include "keeper/authorize.h"

enum { SOURCES = 2, DOORS = 3 };

static const char text[] =
    SOURCE "source f { type = file path = \"/var/log/kern.log\" }\n"
           "door all { sequence = { 9000, 7000, 8000 } start_command = true stop_command = \"\" }\n"
           "door some { sequence = { 9, 7, 8 } start_command = true stop_command = \"\"\n"
           " allow = { 192.0.2.0/25, \"2001:db8:1::/48\" } }\n"
           "door four { sequence = { 19, 17, 18 } start_command = true stop_command = \"\"\n"
           " start_command_6 = \"\" }\n";

struct gate_world {
    struct told told;
    struct config *config;
    struct plans *plans;
};

static void make_world(struct gate_world *w)
{
    begin(&w->told);
    struct report report = {.say = hear, .arg = &w->told};
    w->config = load_text(&w->told, text);
    assert_non_null(w->config);
    w->plans = plans_make(w->config, &report);
    assert_non_null(w->plans);
    assert_int_equal(w->config->source_count, SOURCES);
    assert_int_equal(w->config->door_count, DOORS);
}

static void end_world(struct gate_world *w)
{
    plans_free(w->plans);
    config_free(w->config);
    end(&w->told);
}

static enum gate_verdict judge(const struct gate_world *w, const struct message_open *message,
                               const char **why)
{
    *why = "";
    return gate_judge(w->config, w->plans, message, why);
}

static void judges_honest_knocks(void **state)
{
    (void)state;
    static const struct {
        uint32_t door;
        const char *address;
        enum gate_verdict verdict;
        const char *why;
    } rows[] = {
        {0, "192.0.2.1", GATE_OPEN, ""},
        {0, "2001:db8::1", GATE_OPEN, ""},
        {0, "255.255.255.254", GATE_REFUSED, "no host can have that"},
        {0, "223.255.255.254", GATE_OPEN, ""},
        {0, "0.0.0.0", GATE_REFUSED, "no host can have that"},
        {0, "::", GATE_REFUSED, "no host can have that"},
        {0, "255.255.255.255", GATE_REFUSED, "no host can have that"},
        {0, "224.0.0.251", GATE_REFUSED, "no host can have that"},
        {0, "ff02::1", GATE_REFUSED, "no host can have that"},
        {1, "192.0.2.127", GATE_OPEN, ""},
        {1, "192.0.2.128", GATE_REFUSED, "not in its list"},
        {1, "2001:db8:1:ffff::1", GATE_OPEN, ""},
        {1, "2001:db8:2::1", GATE_REFUSED, "not in its list"},
        {1, "::ffff:192.0.2.1", GATE_REFUSED, "no host can have that"},
        {2, "192.0.2.1", GATE_OPEN, ""},
        {2, "2001:db8::1", GATE_REFUSED, "no commands for IPv6"},
    };
    struct gate_world w;
    make_world(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        for (uint32_t source = 0; source < SOURCES; source++) {
            struct message_open message = {.source = source, .door = rows[i].door};
            const char *why;
            assert_true(addr_parse(rows[i].address, strlen(rows[i].address), &message.address));
            enum gate_verdict verdict = judge(&w, &message, &why);
            if (verdict != rows[i].verdict || !strstr(why, rows[i].why))
                fail_msg("door %u, %s: %d %s", rows[i].door, rows[i].address, verdict, why);
        }
    }
    end_world(&w);
}

static void tells_what_no_listener_says(void **state)
{
    (void)state;
    static const struct message_open rows[] = {
        {.door = DOORS, .address = {4, {192, 0, 2, 1}}},
        {.door = UINT32_MAX, .address = {4, {192, 0, 2, 1}}},
        {.source = SOURCES, .address = {4, {192, 0, 2, 1}}},
        {.source = UINT32_MAX, .address = {4, {192, 0, 2, 1}}},
        {.address = {0, {0}}},
        {.address = {0, {192, 0, 2, 1}}},
        {.address = {5, {192, 0, 2, 1}}},
        {.address = {255, {192, 0, 2, 1}}},
        {.address = {4, {192, 0, 2, 1, 1}}},
        {.address = {4, {192, 0, 2, 1, [15] = 1}}},
    };
    struct gate_world w;
    make_world(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        const char *why;
        if (judge(&w, &rows[i], &why) != GATE_BAD)
            fail_msg("row %zu was taken", i);
    }
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_honest_knocks),
        cmocka_unit_test(tells_what_no_listener_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
