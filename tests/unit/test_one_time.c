/* One-time sequences: what their file may say, and which of them open. */
#include "store_help.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include "keeper/one_time.h"
#include "lib/clock.h"

enum { LINES = 40 };

struct told {
    unsigned count;
    char last[256];
};

static void on_report(void *arg, bool error, const char *text)
{
    struct told *told = arg;
    (void)error;
    told->count++;
    snprintf(told->last, sizeof(told->last), "%s", text);
}

/* Writes `text` to a file, a NUL for each \1, and reads it as the sequences of a door. */
static bool load(const char *text, mode_t mode, struct one_time *once, struct told *told)
{
    char dir[] = "/tmp/knockd-once-XXXXXX", path[64], name[] = "ssh";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chmod(dir, 0755), 0);
    snprintf(path, sizeof(path), "%s/once", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (const char *at = text; *at; at++)
        fputc(*at == '\1' ? '\0' : *at, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
    struct config_door door = {.name = name, .once_path = {.text = path, .pos = {"c", 3}}};
    struct config config = {
        .sealed = {.span = 20000, .packet_port = 443}, .doors = &door, .door_count = 1};
    struct report report = {.say = on_report, .arg = told};
    *told = (struct told){0};
    bool good = one_time_load(&config, once, &report);
    unlink(path);
    rmdir(dir);
    return good;
}

static void reads_the_file_as_knockd_does(void **state)
{
    (void)state;
    struct one_time once;
    struct told told;
    assert_true(load("1001, 2002:UDP ,3003\n\n#4,5,6\n  # used\n7:tcp\r\n8,9", 0600, &once, &told));
    assert_int_equal(told.count, 1);
    assert_non_null(strstr(told.last, "/once:5: warning: door \"ssh\": one-time sequences of fewer "
                                      "than 3 different steps"));
    assert_non_null(strstr(told.last, "(this line is the first of 2)"));
    assert_int_equal(once.count, 3);
    assert_string_equal(once.lines[0].text, "1001:tcp,2002:udp,3003:tcp");
    assert_string_equal(once.lines[1].text, "7:tcp");
    assert_string_equal(once.lines[2].text, "8:tcp,9:tcp");
    one_time_free(&once);
}

static void tells_what_is_wrong_and_where(void **state)
{
    (void)state;
    struct one_time once;
    struct told told;
    assert_false(load("1,2,3\n1,x,3\n", 0600, &once, &told));
    assert_non_null(strstr(told.last, "/once:2: \"1,x,3\" is no sequence"));
    one_time_free(&once);
    assert_false(load("1,19999,32288\n1,2,32287:udp\n", 0600, &once, &told));
    assert_non_null(
        strstr(told.last, "/once:2: \"1,2,32287:udp\" uses a port from 20000 to 32287"));
    one_time_free(&once);
    assert_false(load("1,443,3\n1,443:udp,3\n", 0600, &once, &told));
    assert_non_null(strstr(told.last, "/once:2: \"1,443:udp,3\" uses a port from 20000 to 32287, "
                                      "or 443:udp, which carry sealed knocks"));
    one_time_free(&once);
    assert_false(load("1,2,3\n4,5,6\1,7\n", 0600, &once, &told));
    assert_non_null(strstr(told.last, "/once:2: the line has a NUL byte"));
    one_time_free(&once);
    assert_false(load("1,2,3\r4,5,6\n", 0600, &once, &told));
    assert_non_null(strstr(told.last, "/once:1: \"1,2,3"));
    one_time_free(&once);
    assert_true(load("1,2,3\n", 0644, &once, &told));
    assert_non_null(strstr(told.last, "c:3: warning: one_time_sequences: others may read"));
    one_time_free(&once);
    assert_false(load("1,2,3\n", 0602, &once, &told));
    assert_non_null(strstr(told.last, "/once: others than its owner may write the file of one-time "
                                      "sequences (mode 0602): chmod 600 it"));
    one_time_free(&once);
    char name[] = "ssh", path[] = "/nonexistent/once";
    struct config_door door = {.name = name, .once_path = {.text = path, .pos = {"c", 3}}};
    struct config config = {.doors = &door, .door_count = 1};
    struct report report = {.say = on_report, .arg = &told};
    assert_false(one_time_load(&config, &once, &report));
    assert_non_null(strstr(told.last, "c:3: one_time_sequences: can't read /nonexistent/once"));
    one_time_free(&once);
}

static void warns_of_lines(void **state)
{
    (void)state;
    static const struct {
        const char *text, *told; /* "": nothing is */
    } rows[] = {
        {"1,2,3\n3,2,1\n1,2,3:udp\n1,2,3,3\n", ""},
        {"1,2,3\n1,2\n", "/once:2: warning: door \"ssh\": one-time sequences of fewer than 3"},
        {"1,2,1,2\n1,2,3\n5,5,5\n", "(this line is the first of 2)"},
        {"1,2,3\n\n4,5,6\n1:tcp, 2,3\n4,5,6\n",
         "/once:4: warning: door \"ssh\": this one-time sequence is that of line 1 as well"},
        {"1,2,3\n4,5,6\n7,8,9\n4,5,6\n4,5,6\n1,2,3\n",
         "/once:4: warning: door \"ssh\": this one-time sequence is that of line 2 as well"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct one_time once;
        struct told told;
        assert_true(load(rows[i].text, 0600, &once, &told));
        assert_int_equal(told.count, *rows[i].told != 0);
        if (!strstr(told.last, rows[i].told))
            fail_msg("of:\n%swas told: %s", rows[i].text, told.last);
        one_time_free(&once);
    }
}

/* A door with 40 of them, in a store of its own. */
struct spending {
    struct one_time once;
    struct config_door door;
    struct config config;
    struct store *store;
    char dir[32], name[4];
};

/* As a new start reads them: `count` lines, of which nothing is known yet. */
static void begin_lines(struct spending *s, int count)
{
    char *text = malloc((size_t)count * 16 + 1), *end = text;
    struct told told;
    assert_non_null(text);
    for (int i = 0; i < count; i++)
        end += sprintf(end, "%d,2,3\n", 1000 + i);
    one_time_free(&s->once);
    assert_true(load(text, 0600, &s->once, &told));
    free(text);
}

static void begin(struct spending *s)
{
    char why[256];
    struct store_found found;
    *s = (struct spending){0};
    begin_lines(s, LINES);
    strcpy(s->name, "ssh");
    s->door = (struct config_door){.name = s->name};
    s->config = (struct config){.doors = &s->door, .door_count = 1};
    strcpy(s->dir, "/tmp/knockd-once-XXXXXX");
    assert_non_null(mkdtemp(s->dir));
    s->store = store_open(s->dir, "boot", 0, &found, why, sizeof(why));
    assert_non_null(s->store);
}

static void end(struct spending *s)
{
    char path[64];
    static const char *const names[] = {"state.db", "state.db-wal", "state.db-shm", "state.mark"};
    store_close(s->store);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/%s", s->dir, names[i]);
        unlink(path);
    }
    rmdir(s->dir);
    one_time_free(&s->once);
}

static const char *spend(struct spending *s, unsigned index)
{
    assert_int_equal(one_time_recall(&s->once, &s->config, s->store), 0);
    const char *why = one_time_refuse(&s->once, index);
    why = why ? why : one_time_spend(&s->once, index, &s->config, s->store);
    return why ? why : "";
}

/* As a start after that of the machine finds it. */
static void restart(struct spending *s)
{
    char why[256];
    struct store_found found;
    store_close(s->store);
    s->store = store_open(s->dir, "another boot", 0, &found, why, sizeof(why));
    assert_non_null(s->store);
    begin_lines(s, LINES);
}

static void spends_one_and_those_before_it(void **state)
{
    (void)state;
    struct spending s;
    begin(&s);
    assert_string_equal(spend(&s, 0), "");
    assert_non_null(strstr(spend(&s, 0), "used up"));
    /* The next is 1: 16 of them are 1 to 16. */
    assert_non_null(strstr(spend(&s, 17), "too far ahead"));
    assert_string_equal(spend(&s, 16), "");
    assert_non_null(strstr(spend(&s, 1), "used up"));
    assert_non_null(strstr(spend(&s, 16), "used up"));
    assert_string_equal(spend(&s, 32), "");
    assert_string_equal(spend(&s, LINES - 1), "");
    for (unsigned i = 0; i < LINES; i++)
        assert_non_null(strstr(spend(&s, i), "used up"));
    end(&s);
}

static void stays_spent_after_a_restart(void **state)
{
    (void)state;
    struct spending s;
    begin(&s);
    assert_string_equal(spend(&s, 5), "");
    restart(&s);
    assert_non_null(strstr(spend(&s, 5), "used up"));
    assert_non_null(strstr(spend(&s, 0), "used up"));
    assert_string_equal(spend(&s, 6), "");
    end(&s);
}

/* No file may grow, as on a full disk. */
static const char *spend_on_full_disk(struct spending *s, unsigned index)
{
    struct rlimit before, none;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    const char *refused = spend(s, index);
    assert_false(one_time_record(&s->once, &s->config, s->store));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    return refused;
}

/* The line was heard all the same, and the next one that can be recorded takes it along. */
static void what_cant_be_recorded_is_spent(void **state)
{
    (void)state;
    struct spending s;
    begin(&s);
    assert_non_null(strstr(spend_on_full_disk(&s, 5), "can't be recorded"));
    assert_non_null(strstr(spend(&s, 5), "used up"));
    assert_string_equal(spend(&s, 7), "");
    restart(&s);
    for (unsigned i = 0; i < 8; i++)
        assert_non_null(strstr(spend(&s, i), "used up"));
    assert_string_equal(spend(&s, 8), "");
    end(&s);
}

/* By a reload while the disk is full, and by a restart when it isn't any more. */
static void what_cant_be_recorded_stays_spent(void **state)
{
    (void)state;
    struct spending s;
    begin(&s);
    assert_non_null(strstr(spend_on_full_disk(&s, 5), "can't be recorded"));
    struct one_time before = s.once;
    s.once = (struct one_time){0};
    begin_lines(&s, LINES);
    one_time_follow(&s.once, &s.config, &before, &s.config);
    one_time_free(&before);
    for (unsigned i = 0; i < 6; i++)
        assert_non_null(strstr(spend(&s, i), "used up"));
    assert_true(one_time_record(&s.once, &s.config, s.store));
    restart(&s);
    for (unsigned i = 0; i < 6; i++)
        assert_non_null(strstr(spend(&s, i), "used up"));
    assert_string_equal(spend(&s, 6), "");
    assert_true(one_time_record(&s.once, &s.config, s.store));
    end(&s);
}

/* What was used up may lie behind what wasn't, since an administrator may add lines anywhere; and
 * what is twice there is used up by its first use. */
static void remembers_lines_one_by_one(void **state)
{
    (void)state;
    struct spending s;
    struct told told;
    begin(&s);
    assert_string_equal(spend(&s, 2), "");
    one_time_free(&s.once);
    assert_true(load("77,2,3\n1001,2,3\n78,2,3\n77,2,3\n", 0600, &s.once, &told));
    assert_non_null(strstr(spend(&s, 1), "used up"));
    assert_string_equal(spend(&s, 0), "");
    assert_non_null(strstr(spend(&s, 3), "used up"));
    assert_string_equal(spend(&s, 2), "");
    end(&s);
}

/* What a hostile listener asks for again and again is refused from memory: the store is away. */
static void refused_lines_cost_no_store(void **state)
{
    (void)state;
    struct spending s;
    begin(&s);
    begin_lines(&s, ONE_TIME_LINES_MAX);
    assert_string_equal(spend(&s, 15), "");
    struct store *store = s.store;
    s.store = NULL;
    int64_t before = clock_now();
    for (int i = 0; i < 100000; i++) {
        unsigned used = (unsigned)i % 16, ahead = 32 + (unsigned)i % (ONE_TIME_LINES_MAX - 32);
        if (!one_time_refuse(&s.once, used) || !one_time_refuse(&s.once, ahead))
            fail_msg("line %u or %u isn't refused", used, ahead);
    }
    int64_t spent = clock_now() - before;
    printf("# 200000 refusals: %lld ms\n", (long long)(spent / 1000000));
    assert_true(spent < 20 * CLOCK_SECOND);
    s.store = store;
    assert_string_equal(spend(&s, 16), "");
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_file_as_knockd_does),
        cmocka_unit_test(tells_what_is_wrong_and_where),
        cmocka_unit_test(warns_of_lines),
        cmocka_unit_test(spends_one_and_those_before_it),
        cmocka_unit_test(stays_spent_after_a_restart),
        cmocka_unit_test(what_cant_be_recorded_is_spent),
        cmocka_unit_test(what_cant_be_recorded_stays_spent),
        cmocka_unit_test(remembers_lines_one_by_one),
        cmocka_unit_test(refused_lines_cost_no_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
