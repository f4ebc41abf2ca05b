/* Following a log past its being replaced: each line once, none late, half lines never joined. */
#include "log_stream_help.h"

static void a_replaced_file_is_read_to_its_end_first(void **state)
{
    (void)state;
    struct log_stream_world w;
    make_world(&w, SOURCE_FILE);
    bench_write(&w.bench, "a", "a1\n");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<a1>");
    bench_write(&w.bench, "a", "a2\nhalf");
    bench_write(&w.bench, "b", "b1\n");
    take(&w, "b", 0, 2, 0);
    assert_true(log_stream_watches(&w.stream, 1) && log_stream_watches(&w.stream, 2));
    assert_false(log_stream_watches(&w.stream, 3) || log_stream_watches(&w.stream, -1));
    assert_heard(&w, "<a2><b1>");
    /* Its writer goes on with the old one for a while. */
    bench_write(&w.bench, "b", "b2\n");
    bench_write(&w.bench, "a", " whole\na3\nhalf");
    assert_heard(&w, "<half whole><a3><b2>");
    end_world(&w);
}

static void the_old_file_is_let_go(void **state)
{
    (void)state;
    struct log_stream_world w;
    int64_t now = 1000 * CLOCK_SECOND;
    make_world(&w, SOURCE_FILE);
    bench_write(&w.bench, "a", "a1\nhalf");
    bench_write(&w.bench, "b", "b1\n");
    take(&w, "a", 0, 1, now);
    assert_true(log_stream_tidy(&w.stream, now) == INT64_MAX);
    take(&w, "b", 0, 2, now);
    assert_heard(&w, "<a1><b1>");
    int64_t until = log_stream_tidy(&w.stream, now);
    assert_true(until > now && until < now + 3600 * CLOCK_SECOND);
    assert_true(log_stream_tidy(&w.stream, until - 1) == until);
    assert_true(log_stream_watches(&w.stream, 1));
    bench_write(&w.bench, "a", "-a2\na3");
    assert_true(log_stream_tidy(&w.stream, until) == INT64_MAX);
    assert_false(log_stream_watches(&w.stream, 1));
    assert_true(log_stream_watches(&w.stream, 2));
    /* Its last look found what was written; its half line went with it. */
    assert_heard(&w, "<half-a2>");
    bench_write(&w.bench, "b", "b2\n");
    assert_heard(&w, "<b2>");
    end_world(&w);
}

/* Five files: the writers of three linger, that of the first has been left behind. The half line at
 * the end of one is never joined to another's beginning. */
static void some_old_files_are_read_on(void **state)
{
    (void)state;
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    struct log_stream_world w;
    char text[32];
    make_world(&w, SOURCE_FILE);
    int before = open_count();
    for (int i = 0; i < 5; i++) {
        snprintf(text, sizeof(text), "%s1\nhalf-%s", names[i], names[i]);
        bench_write(&w.bench, names[i], text);
        take(&w, names[i], 0, i + 1, i);
    }
    assert_int_equal(open_count(), before + LOG_FILES);
    assert_false(log_stream_watches(&w.stream, 1));
    assert_heard(&w, "<a1><b1><c1><d1><e1>");
    for (int i = 0; i < 5; i++)
        bench_write(&w.bench, names[i], "-more\n");
    assert_heard(&w, "<half-b-more><half-c-more><half-d-more><half-e-more>");
    log_stream_tidy(&w.stream, INT64_MAX - 1);
    assert_int_equal(open_count(), before + 1);
    assert_true(log_stream_watches(&w.stream, 5));
    end_world(&w);
}

/* What was written before it was let go is read, though it was never looked at in between. */
static void a_file_too_many_loses_nothing(void **state)
{
    (void)state;
    static const char *const names[] = {"b", "c", "d", "e"};
    struct log_stream_world w;
    make_world(&w, SOURCE_FILE);
    bench_write(&w.bench, "a", "a1\n");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<a1>");
    for (int i = 0; i < 3; i++) {
        bench_write(&w.bench, names[i], "x\n");
        take(&w, names[i], 0, i + 2, 0);
    }
    bench_write(&w.bench, "a", "a2\n");
    bench_write(&w.bench, "e", "e1\n");
    take(&w, "e", 0, 5, 0);
    assert_heard(&w, "<x><x><a2><x><e1>");
    end_world(&w);
}

struct endless {
    struct log_stream_world *w;
    unsigned lines;
    bool new_heard;
};

/* The writer of the old file is as quick as its reader: for each line one more. */
static bool write_another(void *arg, const char *line, size_t len)
{
    struct endless *e = arg;
    static char text[1025];
    memset(text, 'o', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    if (len > 0 && *line == 'o')
        bench_write(&e->w->bench, "a", text);
    else
        e->new_heard = true;
    e->lines++;
    return true;
}

static void an_endless_old_file_delays_nothing(void **state)
{
    (void)state;
    struct log_stream_world w;
    make_world(&w, SOURCE_FILE);
    struct endless e = {&w, 0, false};
    w.stream.calls.line = write_another;
    w.stream.calls.arg = &e;
    w.stream.calls.event = no_event;
    for (int i = 0; i < 100; i++)
        bench_write(&w.bench, "a", "old\n");
    bench_write(&w.bench, "b", "new\n");
    take(&w, "a", 0, 1, 0);
    take(&w, "b", 0, 2, 0);
    assert_true(log_stream_read(&w.stream, 0));
    assert_true(e.new_heard);
    end_world(&w);
}

static bool log_line(void *arg, const char *line, size_t len)
{
    char *order = arg;
    if (len > 0 && strchr(order, line[0]) == NULL)
        strncat(order, line, 1);
    return true;
}

/* What a large old file held when it was replaced is older than what the new one holds. */
static void what_was_there_comes_first(void **state)
{
    (void)state;
    struct log_stream_world w;
    char order[8] = "", text[1025];
    memset(text, 'o', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    text[sizeof(text) - 1] = '\0';
    make_world(&w, SOURCE_FILE);
    w.stream.calls = (struct log_stream_calls){log_line, no_event, order};
    bench_write(&w.bench, "a", "");
    take(&w, "a", 0, 1, 0);
    for (int i = 0; i < 12000; i++)
        bench_write(&w.bench, "a", text);
    bench_write(&w.bench, "a", "last\n");
    bench_write(&w.bench, "b", "new\n");
    take(&w, "b", 0, 2, 0);
    while (log_stream_read(&w.stream, 0))
        ;
    assert_string_equal(order, "oln");
    end_world(&w);
}

static void is_polled_without_a_watch(void **state)
{
    (void)state;
    struct log_stream_world w;
    make_world(&w, SOURCE_FILE);
    assert_false(log_stream_is_polled(&w.stream));
    bench_write(&w.bench, "a", "a1\n");
    bench_write(&w.bench, "b", "b1\n");
    take(&w, "a", 0, -1, 0);
    assert_true(log_stream_is_polled(&w.stream));
    assert_false(log_stream_watches(&w.stream, -1) && log_stream_watches(&w.stream, 1));
    /* As long as the old one is read. */
    take(&w, "b", 0, 2, 0);
    assert_true(log_stream_is_polled(&w.stream));
    assert_heard(&w, "<a1><b1>");
    log_stream_tidy(&w.stream, INT64_MAX - 1);
    assert_false(log_stream_is_polled(&w.stream));
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_replaced_file_is_read_to_its_end_first),
        cmocka_unit_test(the_old_file_is_let_go),
        cmocka_unit_test(some_old_files_are_read_on),
        cmocka_unit_test(a_file_too_many_loses_nothing),
        cmocka_unit_test(an_endless_old_file_delays_nothing),
        cmocka_unit_test(what_was_there_comes_first),
        cmocka_unit_test(is_polled_without_a_watch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
