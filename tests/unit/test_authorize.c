/* For whom a door opens that an honest listener asks for, and why not. */
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

struct rules_world {
    struct told told;
    struct config *config;
    struct plans *plans;
};

static void make_world(struct rules_world *w)
{
    begin(&w->told);
    struct report report = {.say = hear, .arg = &w->told};
    w->config = load_text(&w->told, text);
    assert_non_null(w->config);
    w->plans = plans_make(w->config, NULL, &report);
    assert_non_null(w->plans);
    assert_int_equal(w->config->source_count, SOURCES);
    assert_int_equal(w->config->door_count, DOORS);
}

static void end_world(struct rules_world *w)
{
    plans_free(w->plans);
    config_free(w->config);
    end(&w->told);
}

static void judges_honest_knocks(void **state)
{
    (void)state;
    static const struct {
        uint32_t door;
        const char *address;
        const char *why; /* NULL: it may be opened */
    } rows[] = {
        {0, "192.0.2.1", NULL},
        {0, "2001:db8::1", NULL},
        {0, "255.255.255.254", "no host can have that"},
        {0, "223.255.255.254", NULL},
        {0, "0.0.0.0", "no host can have that"},
        {0, "::", "no host can have that"},
        {0, "255.255.255.255", "no host can have that"},
        {0, "224.0.0.251", "no host can have that"},
        {0, "ff02::1", "no host can have that"},
        {1, "192.0.2.127", NULL},
        {1, "192.0.2.128", "not in its list"},
        {1, "2001:db8:1:ffff::1", NULL},
        {1, "2001:db8:2::1", "not in its list"},
        {1, "::ffff:192.0.2.1", "no host can have that"},
        {2, "192.0.2.1", NULL},
        {2, "2001:db8::1", "no commands for IPv6"},
    };
    struct rules_world w;
    make_world(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct addr address;
        assert_true(addr_parse(rows[i].address, strlen(rows[i].address), &address));
        const char *why = authorize_refusal(w.config, w.plans, rows[i].door, &address);
        if (!why != !rows[i].why || (why && !strstr(why, rows[i].why)))
            fail_msg("door %u, %s: %s", rows[i].door, rows[i].address, why ? why : "opens");
    }
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_honest_knocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
