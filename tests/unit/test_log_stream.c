/* Following a log: from where it is told to, past its being emptied; lines too long; kmsg. */
#include "log_stream_help.h"

#include <sys/socket.h>

static void starts_where_it_is_told_to(void **state)
{
    (void)state;
    static const struct {
        int64_t offset;
        const char *heard;
    } rows[] = {
        {0, "<one><two><three>"},
        {1, "<two><three>"},
        {3, "<two><three>"},
        {4, "<two><three>"},
        {5, "<three>"},
        {8, "<three>"},
        {13, ""},
        {14, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct log_stream_world w;
        make_world(&w, SOURCE_FILE);
        bench_write(&w.bench, "a", "one\ntwo\nthree\n");
        take(&w, "a", rows[i].offset, 1, 0);
        assert_heard(&w, rows[i].heard);
        bench_write(&w.bench, "a", "four\nfi");
        assert_heard(&w, "<four>");
        bench_write(&w.bench, "a", "ve\n");
        assert_heard(&w, "<five>");
        assert_heard(&w, "");
        end_world(&w);
    }
}

/* Started in a line that isn't whole yet: its rest is no line. */
static void starts_in_a_half_line(void **state)
{
    (void)state;
    struct log_stream_world w;
    make_world(&w, SOURCE_FILE);
    bench_write(&w.bench, "a", "one\nhalf of a ");
    take(&w, "a", 14, 1, 0);
    assert_heard(&w, "");
    bench_write(&w.bench, "a", "line\nwhole\n");
    assert_heard(&w, "<whole>");
    end_world(&w);
}

static void an_emptied_file_is_read_from_its_start(void **state)
{
    (void)state;
    struct log_stream_world w;
    char path[128];
    make_world(&w, SOURCE_FILE);
    bench_path(&w.bench, "a", path);
    bench_write(&w.bench, "a", "one\ntwo\nhalf");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<one><two>");
    assert_int_equal(truncate(path, 0), 0);
    bench_write(&w.bench, "a", "new\n");
    assert_heard(&w, "!truncated:0!<new>");
    assert_int_equal(truncate(path, 0), 0);
    assert_heard(&w, "!truncated:0!");
    assert_heard(&w, "");
    bench_write(&w.bench, "a", "again\n");
    assert_heard(&w, "<again>");
    end_world(&w);
}

/* Emptied and filled again with more than it held, while its lines are being taken. */
static bool empty_and_fill(void *arg, const char *line, size_t len)
{
    struct log_stream_world *w = arg;
    char path[128];
    on_line(arg, line, len);
    if (strncmp(line, "last", 4) != 0)
        return true;
    bench_path(&w->bench, "a", path);
    assert_int_equal(truncate(path, 0), 0);
    bench_write(&w->bench, "a", "a new beginning, longer than before\nand on\n");
    return true;
}

static void a_file_emptied_while_it_is_read(void **state)
{
    (void)state;
    struct log_stream_world w;
    make_world(&w, SOURCE_FILE);
    w.stream.calls.line = empty_and_fill;
    bench_write(&w.bench, "a", "first\nlast\n");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<first><last>!truncated:0!<a new beginning, longer than before><and on>");
    end_world(&w);
}

/* A hole before what a writer without O_APPEND goes on with, a line of 10 MB: bounded memory. */
static void holes_and_huge_lines(void **state)
{
    (void)state;
    enum { HUGE_LINE = 10 << 20 };
    struct log_stream_world w;
    char path[128], *text = malloc(HUGE_LINE + 1);
    assert_non_null(text);
    memset(text, 'x', HUGE_LINE);
    text[HUGE_LINE] = '\0';
    make_world(&w, SOURCE_FILE);
    bench_path(&w.bench, "a", path);
    bench_write(&w.bench, "a", "one\n");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<one>");
    bench_write(&w.bench, "a", text);
    bench_write(&w.bench, "a", "\ntwo\n");
    assert_heard(&w, "!long:1!<two>");
    int64_t size = (int64_t)HUGE_LINE + 9;
    assert_int_equal(truncate(path, 0), 0);
    assert_int_equal(truncate(path, size), 0);
    bench_write(&w.bench, "a", "three\nfour\n");
    assert_heard(&w, "!truncated:0!<three><four>");
    free(text);
    end_world(&w);
}

static void long_lines_are_told_of(void **state)
{
    (void)state;
    struct log_stream_world w;
    static char text[3 * LINES_LONGEST];
    memset(text, 'x', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    make_world(&w, SOURCE_FILE);
    for (int i = 0; i < 5; i++)
        bench_write(&w.bench, "a", text);
    bench_write(&w.bench, "a", "short\n");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<short>!long:5!");
    bench_write(&w.bench, "a", "more\n");
    assert_heard(&w, "<more>");
    end_world(&w);
}

static bool count_line(void *arg, const char *line, size_t len)
{
    (void)line;
    assert_int_equal(len, 1022);
    ++*(unsigned *)arg;
    return true;
}

/* A call reads a share and asks to be called again; nothing is lost between. */
static void a_large_file_is_read_in_shares(void **state)
{
    (void)state;
    enum { LINES = 10000 };
    struct log_stream_world w;
    static char text[1024];
    unsigned lines = 0, calls = 1;
    memset(text, 'x', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    make_world(&w, SOURCE_FILE);
    w.stream.calls.line = count_line;
    w.stream.calls.arg = &lines;
    for (int i = 0; i < LINES; i++)
        bench_write(&w.bench, "a", text);
    take(&w, "a", 0, 1, 0);
    while (log_stream_read(&w.stream, 0)) {
        assert_true(lines > 0 && lines < LINES);
        calls++;
    }
    assert_true(calls > 1);
    assert_int_equal(lines, LINES);
    end_world(&w);
}

/* /dev/kmsg by a socket that, as it does, gives one record a read. */
static void counts_the_gaps_of_kmsg(void **state)
{
    (void)state;
    static const char *const records[] = {
        "6,10,1,-;a\n", "6,11,1,-;b\n", "6,15,1,-;c\n", "garbage", "6,;x", "6",
        "6,16,1,-;d\n", "6,3,1,-;e\n",  "6,4,1,-;f\n",
    };
    struct log_stream_world w;
    int ends[2];
    make_world(&w, SOURCE_KMSG);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
                     0);
    struct message_fd message = {.kind = FD_LOG, .watch = -1};
    log_stream_open(&w.stream, &message, ends[0], 0);
    for (size_t i = 0; i < sizeof(records) / sizeof(*records); i++)
        assert_int_equal(send(ends[1], records[i], strlen(records[i]), 0), strlen(records[i]));
    assert_heard(&w, "<6,10,1,-;a\n><6,11,1,-;b\n>!gap:3!<6,15,1,-;c\n><6,16,1,-;d\n>"
                     "<6,3,1,-;e\n><6,4,1,-;f\n>");
    close(ends[1]);
    assert_heard(&w, "!closed:0!");
    assert_heard(&w, "");
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_where_it_is_told_to),
        cmocka_unit_test(starts_in_a_half_line),
        cmocka_unit_test(an_emptied_file_is_read_from_its_start),
        cmocka_unit_test(a_file_emptied_while_it_is_read),
        cmocka_unit_test(holes_and_huge_lines),
        cmocka_unit_test(long_lines_are_told_of),
        cmocka_unit_test(a_large_file_is_read_in_shares),
        cmocka_unit_test(counts_the_gaps_of_kmsg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
