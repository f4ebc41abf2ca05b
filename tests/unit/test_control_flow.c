/* control/control.h: what goes out, however slowly it is read, and the file of the socket. */
#include "control_help.h"

#include <inttypes.h>
#include <sys/wait.h>

static bool is_held(void *arg)
{
    return ((struct world *)arg)->held != NULL;
}

static bool is_gone(void *arg)
{
    return ((struct world *)arg)->gone > 0;
}

static void test_answer_later(void **state)
{
    struct world *w = *state;
    int fd = dial(w);
    say(fd, "hold\n", 5);
    bench_until(&w->bench, is_held, w);
    answer_error(w->held, "%s", "two words");
    /* Who waits is told at once that somebody is there. */
    assert_string_equal(read_all(w, fd).text, "wait\nerror text=two%20words\n");
    assert_int_equal(w->gone, 0);
}

static void test_asker_leaves(void **state)
{
    static const char *const ways[] = {"hold\nx", "stream\n"};
    struct world *w = *state;
    int fd = dial(w);
    say(fd, "hold\n", 5);
    bench_until(&w->bench, is_held, w);
    say(fd, ways[0] + 5, 1);
    bench_until(&w->bench, is_gone, w);
    /* No more than that somebody is there. */
    assert_in_range(read_all(w, fd).total, 0, strlen("wait\n"));
    w->gone = 0;
    fd = dial(w);
    say(fd, ways[1], 7);
    bench_until(&w->bench, is_held, w);
    close(fd);
    bench_until(&w->bench, is_gone, w);
    assert_null(w->held);
}

/* Of 4 MB, nobody reads a byte; then one comes who does. */
static void test_slow_reader(void **state)
{
    struct world *w = *state;
    w->rows = 4000;
    int fds[CONTROL_CONNECTIONS - 1];
    int64_t before = clock_now();
    for (int i = 0; i < CONTROL_CONNECTIONS - 1; i++) {
        fds[i] = dial(w);
        say(fds[i], "many\n", 5);
    }
    answers(w, "words\n", 6, "ok list\nword is=words\nend\n");
    /* Who reads nothing is left after 30 s. */
    assert_true(clock_now() - before < 20 * CLOCK_SECOND);
    for (int i = 0; i < CONTROL_CONNECTIONS - 1; i++) {
        struct reader r = read_all(w, fds[i]);
        assert_in_range(r.total, 1000000, (1 << 20) + 4096);
        assert_string_equal(r.text + r.len - 10, "x\ncut\nend\n");
    }
}

static void test_stream_leaves_out(void **state)
{
    struct world *w = *state;
    struct row row;
    w->rows = 2000;
    int fd = dial(w);
    say(fd, "stream\n", 7);
    bench_until(&w->bench, is_held, w);
    add_rows(w, w->held);
    struct reader r = {.fd = fd};
    bench_within(&w->bench, 200 * MS, read_more, &r);
    assert_false(r.over);
    r.len = 0;
    row_begin(&row, 0, "last");
    answer_row(w->held, &row);
    answer_end(w->held);
    w->held = NULL;
    bench_until(&w->bench, read_more, &r);
    close(fd);
    int64_t lost = 0;
    assert_int_equal(sscanf(r.text, "lost rows:%" SCNd64, &lost), 1);
    assert_in_range(lost, 900, 2000);
    assert_string_equal(strchr(r.text, '\n'), "\nlast\nend\n");
}

static void test_socket_file(void **state)
{
    struct world *w = *state;
    struct stat st;
    char why[256];
    assert_int_equal(lstat(w->path, &st), 0);
    assert_int_equal(st.st_mode, S_IFSOCK | 0600);
    /* Somebody listens there. */
    assert_null(open_control(w, why));
    assert_non_null(strstr(why, "another program listens at"));
    /* A stale one is replaced: here, by a process that is gone. */
    control_close(w->control);
    assert_int_equal(lstat(w->path, &st), -1);
    pid_t pid = fork();
    if (pid == 0) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        memcpy(name.sun_path, w->path, strlen(w->path));
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        _exit(bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 || listen(fd, 1) != 0);
    }
    int status = 1;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    w->control = open_control(w, why);
    assert_non_null(w->control);
    answers(w, "words\n", 6, "ok list\nword is=words\nend\n");
}

static void test_not_a_socket(void **state)
{
    struct world *w = *state;
    char why[256];
    control_close(w->control);
    w->control = NULL;
    bench_write(&w->bench, "control", "precious");
    assert_null(open_control(w, why));
    assert_non_null(strstr(why, "isn't a socket of knockd's"));
    assert_true(bench_exists(&w->bench, "control"));
    bench_path(&w->bench, "no/such/folder", w->path);
    assert_null(open_control(w, why));
    assert_non_null(strstr(why, "No such file"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answer_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_asker_leaves, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_reader, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stream_leaves_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_socket_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_not_a_socket, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
