/* Good configurations: every key, every default, and those that administrators would write. */
#include "config_help.h"

#include <netinet/in.h>
#include <syslog.h>

static const int64_t second = INT64_C(1000000000);

/* Loads a copy: the tree may be another user's. */
static struct config *load_data(const char *name, struct told *told)
{
    char path[128], data[8192];
    begin(told);
    struct report report = {.say = hear, .arg = told};
    snprintf(path, sizeof(path), "%s/config/%s", TEST_DATA, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(data, 1, sizeof(data), file);
    fclose(file);
    write_file(told->dir, name, data, len);
    snprintf(path, sizeof(path), "%s/%s", told->dir, name);
    struct config *config = config_load(path, &report);
    remove_file(told->dir, name);
    assert_int_equal(rmdir(told->dir), 0);
    return config;
}

static void reads_every_global_key(void **state)
{
    (void)state;
    struct told told;
    struct config *c = load_data("full.conf", &told);
    assert_non_null(strstr(told.lines, "full.conf:21: warning: source \"kernel\" has no prefix"));
    assert_int_equal(strchr(told.lines, '\n') - told.lines + 1, (long)strlen(told.lines));
    assert_non_null(c);
    assert_string_equal(c->user, "knockd");
    assert_int_equal(c->user_pos.line, 3);
    assert_string_equal(c->state_dir, "/srv/knockd");
    assert_string_equal(c->control, "/run/knock/control");
    assert_string_equal(c->key_dir, "/srv/keys");
    assert_int_equal(c->facility, LOG_LOCAL3);
    assert_int_equal(c->stop_timeout, 120 * second);
    assert_int_equal(c->run_timeout, 5 * second);
    assert_false(c->batch);
    assert_int_equal(c->max_sources, 4096);
    assert_string_equal(c->path + strlen(told.dir), "/full.conf");
    assert_string_equal(c->user_pos.file, c->path);
    config_free(c);
}

static void reads_every_source_key(void **state)
{
    (void)state;
    struct told told;
    struct config *c = load_data("full.conf", &told);
    assert_non_null(c);
    assert_int_equal(c->source_count, 2);
    const struct config_source *log = &c->sources[0];
    assert_string_equal(log->name, "log");
    assert_int_equal(log->pos.line, 12);
    assert_int_equal(log->type, SOURCE_FILE);
    assert_int_equal(log->format, FORMAT_ULOGD);
    assert_string_equal(log->path, "/var/log//kern.log");
    assert_int_equal(log->prefixes.count, 2);
    assert_string_equal(log->prefixes.items[0].text, "[DENY]");
    assert_string_equal(log->prefixes.items[1].text, "[UFW BLOCK]");
    assert_int_equal(log->prefixes.items[1].pos.line, 17);
    assert_int_equal(c->sources[1].type, SOURCE_KMSG);
    assert_int_equal(c->sources[1].format, FORMAT_KERNEL);
    assert_int_equal(c->sources[1].prefixes.count, 0);
    assert_null(c->sources[1].path);
    config_free(c);
}

static void assert_step(struct port_proto step, unsigned port, unsigned proto)
{
    assert_int_equal(step.port, port);
    assert_int_equal(step.proto, proto);
}

static void reads_every_door_key(void **state)
{
    (void)state;
    struct told told;
    struct config *c = load_data("full.conf", &told);
    assert_non_null(c);
    assert_int_equal(c->door_count, 2);
    const struct config_door *d = &c->doors[0];
    assert_string_equal(d->name, "ssh");
    assert_int_equal(d->pos.line, 23);
    assert_int_equal(d->sequence.count, 3);
    assert_step(d->sequence.steps[1], 8000, IPPROTO_UDP);
    assert_int_equal(d->sequence_pos.line, 25);
    assert_int_equal(d->seq_timeout, 15 * second);
    assert_int_equal(d->cmd_timeout, 3600 * second);
    assert_int_equal(d->flags.set, TCP_SYN);
    assert_int_equal(d->flags.clear, TCP_ACK | TCP_FIN);
    assert_false(d->strict);
    assert_step(d->port, 22, IPPROTO_TCP);
    assert_int_equal(d->ignore_count, 3);
    assert_step(d->ignore[1], 53, IPPROTO_UDP);
    assert_step(d->ignore[2], 22, IPPROTO_TCP);
    assert_int_equal(d->target.family, 4);
    assert_string_equal(d->interface, "eth0");
    assert_int_equal(d->allow_count, 2);
    config_free(c);
}

static void reads_every_command(void **state)
{
    (void)state;
    struct told told;
    struct config *c = load_data("full.conf", &told);
    assert_non_null(c);
    const struct config_door *d = &c->doors[0];
    assert_int_equal(d->ip4.start.count, 3);
    assert_string_equal(d->ip4.start.items[0].text, "/bin/echo '${HOME} $HOME'");
    assert_string_equal(d->ip4.start.items[2].text, "/bin/more");
    assert_int_equal(d->ip4.start.items[2].pos.line, 36);
    assert_string_equal(d->ip4.stop.items[0].text, "/bin/stop %IP%");
    assert_int_equal(d->ip4.stop.items[0].pos.line, 37);
    assert_true(d->ip4.extend.set && d->ip4.extend.count == 0);
    assert_true(d->ip6.start.set && d->ip6.start.count == 0);
    assert_int_equal(d->ip6.start.pos.line, 40);
    assert_string_equal(d->ip6.stop.items[0].text, "/bin/stop6");
    assert_string_equal(d->ip6.extend.items[0].text, "/bin/extend6");
    assert_int_equal(d->ip6.extend.items[0].pos.line, 42);
    assert_true(d->stop_ok[0] == (UINT64_C(1) << 63 | 3) && d->stop_ok[1] == 1);
    assert_true(d->stop_ok[2] == 0 && d->stop_ok[3] == UINT64_C(1) << 63);
    config_free(c);
}

static void fills_in_defaults(void **state)
{
    (void)state;
    struct told told;
    struct config *c = load_data("setup1.conf", &told);
    assert_non_null(c);
    assert_string_equal(c->user, "knockd");
    assert_string_equal(c->state_dir, "/var/lib/knockd");
    assert_string_equal(c->control, "/run/knockd/control");
    assert_string_equal(c->key_dir, KNOCKD_SYSCONFDIR "/knockd/keys");
    assert_int_equal(c->facility, LOG_AUTHPRIV);
    assert_int_equal(c->stop_timeout, 60 * second);
    assert_int_equal(c->run_timeout, 10 * second);
    assert_true(c->batch);
    assert_int_equal(c->max_sources, 65536);
    const struct config_door *d = &c->doors[0];
    assert_int_equal(d->seq_timeout, 25 * second);
    assert_int_equal(d->cmd_timeout, 30 * second);
    assert_int_equal(d->flags.set, TCP_SYN);
    assert_int_equal(d->flags.clear, TCP_ACK | TCP_FIN | TCP_RST);
    assert_true(d->strict);
    assert_int_equal(d->port.port, 0);
    assert_int_equal(d->ignore_count, 0);
    assert_int_equal(d->target.family, 0);
    assert_string_equal(d->interface, "");
    assert_int_equal(d->stop_ok[0], 3);
    assert_false(d->ip4.start.set || d->ip6.start.set);
    config_free(c);
    c = load_data("setup2.conf", &told);
    assert_non_null(c);
    assert_int_equal(c->doors[0].stop_ok[0], 1);
    assert_int_equal(c->doors[0].cmd_timeout, 30 * second);
    config_free(c);
}

static void reads_what_administrators_write(void **state)
{
    (void)state;
    static const struct {
        const char *file, *prefix;
        unsigned prefixes, rules, starts, allowed;
    } rows[] = {
        {"setup1.conf", "[KNOCK]", 1, 1, 0, 0},
        {"setup2.conf", "[KNOCK]", 1, 0, 1, 0},
        {"setup3.conf", "[KNOCK]", 1, 2, 0, 1},
        {"setup5.conf", "[KNOCK]", 1, 1, 0, 1},
        {"setup7.conf", "[KNOCK]", 2, 1, 0, 0},
        {"setup8.conf", "[KNOCK]", 1, 1, 0, 0},
        {"setup9.conf", "filter_IN_public_REJECT:", 1, 0, 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct told told;
        struct config *c = load_data(rows[i].file, &told);
        assert_string_equal(told.lines, "");
        assert_non_null(c);
        assert_int_equal(c->sources[0].prefixes.count, rows[i].prefixes);
        assert_string_equal(c->sources[0].prefixes.items[0].text, rows[i].prefix);
        assert_int_equal(c->doors[0].rules.count, rows[i].rules);
        assert_int_equal(c->doors[0].ip4.start.count, rows[i].starts);
        assert_int_equal(c->doors[0].ip4.stop.count, rows[i].starts);
        assert_int_equal(c->doors[0].allow_count, rows[i].allowed);
        assert_step(c->doors[0].sequence.steps[0], 40112, IPPROTO_TCP);
        assert_step(c->doors[0].sequence.steps[1], 28733, IPPROTO_UDP);
        assert_step(c->doors[0].sequence.steps[2], 51990, IPPROTO_TCP);
        config_free(c);
    }
}

static void reads_every_spelling(void **state)
{
    (void)state;
    static const struct {
        const char *sequence, *timeout;
        int64_t seconds;
    } rows[] = {
        {"\"7000,8000:udp,9000\"", "30", 30},
        {"{ \"7000:tcp\", \"8000:udp\", \"9000\" }", "\"15s\"", 15},
        {"{ 7000, 8000:udp, 9000 }", "2m", 120},
        {"{\n7000 # first\n, 8000:udp // second\n, 9000, /* third */ }", "\"1h\"", 3600},
        {"{ \"7000, 8000:UDP\", 9000 }", "30d", 2592000},
    };
    struct told told;
    begin(&told);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512];
        snprintf(text, sizeof(text), SOURCE "door d { sequence = %s cmd_timeout = %s" RULE "}",
                 rows[i].sequence, rows[i].timeout);
        struct config *c = load_text(&told, text);
        assert_told(text, &told, "");
        assert_int_equal(c->doors[0].sequence.count, 3);
        assert_step(c->doors[0].sequence.steps[0], 7000, IPPROTO_TCP);
        assert_step(c->doors[0].sequence.steps[1], 8000, IPPROTO_UDP);
        assert_step(c->doors[0].sequence.steps[2], 9000, IPPROTO_TCP);
        assert_int_equal(c->doors[0].cmd_timeout, rows[i].seconds * second);
        config_free(c);
    }
    end(&told);
}

static void allows_only_somebody(void **state)
{
    (void)state;
    static const struct {
        const char *allow, *address;
        bool allowed;
    } rows[] = {
        {"", "192.0.2.1", true},
        {"", "2001:db8::1", true},
        {"", "0.0.0.0", false},
        {"", "::", false},
        {"", "224.0.0.1", false},
        {"", "255.255.255.255", false},
        {"", "ff02::1", false},
        {"allow = 192.0.2.0/24", "192.0.2.9", true},
        {"allow = 192.0.2.0/24", "192.0.3.9", false},
        {"allow = 192.0.2.0/24", "2001:db8::1", false},
        {"allow = { 192.0.2.7, \"2001:db8::/32\" }", "2001:db8::1", true},
        {"allow = \"0.0.0.0/0\"", "2001:db8::1", false},
        {"allow = \"0.0.0.0/0\"", "0.0.0.0", false},
        {"allow = \"::/0\"", "ff02::1", false},
    };
    struct told told;
    begin(&told);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char text[512];
        struct addr a;
        snprintf(text, sizeof(text), SOURCE "door d { sequence = \"7,9,3\" %s" RULE "}",
                 rows[i].allow);
        struct config *c = load_text(&told, text);
        assert_told(text, &told, "");
        assert_true(addr_parse(rows[i].address, strlen(rows[i].address), &a));
        assert_int_equal(config_allows(&c->doors[0], &a), rows[i].allowed);
        config_free(c);
    }
    struct addr nobody = {0};
    assert_false(config_allows(&(struct config_door){0}, &nobody));
    end(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_global_key), cmocka_unit_test(reads_every_source_key),
        cmocka_unit_test(reads_every_door_key),   cmocka_unit_test(reads_every_command),
        cmocka_unit_test(fills_in_defaults),      cmocka_unit_test(reads_what_administrators_write),
        cmocka_unit_test(reads_every_spelling),   cmocka_unit_test(allows_only_somebody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
