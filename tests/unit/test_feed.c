/* Following a log: from where it is told to, past its being emptied and its being replaced. */
#include "keeper_help.h"

#include <sys/socket.h>

#include "lib/config.h"
#include "listener/feed.h"

struct feed_world {
    struct bench bench;
    struct feed feed;
    char heard[1 << 14]; /* <line>, !EVENT:number! */
};

static void say(struct feed_world *w, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(struct feed_world *w, const char *format, ...)
{
    size_t used = strlen(w->heard);
    va_list args;
    va_start(args, format);
    vsnprintf(w->heard + used, sizeof(w->heard) - used, format, args);
    va_end(args);
}

static void on_line(void *arg, const char *line, size_t len)
{
    say(arg, "<%.*s>", (int)(len < 200 ? len : 200), line);
}

static bool on_anew(void *arg, bool begins)
{
    (void)arg;
    return begins;
}

static void on_event(void *arg, enum event_kind kind, uint64_t number)
{
    static const char *const names[EVENT_KINDS] = {[EVENT_GAP] = "gap",
                                                   [EVENT_LONG] = "long",
                                                   [EVENT_TRUNCATED] = "truncated",
                                                   [EVENT_CLOSED] = "closed"};
    assert_non_null(names[kind]);
    say(arg, "!%s:%llu!", names[kind], (unsigned long long)number);
}

static void make_world(struct feed_world *w, uint32_t type)
{
    bench_make(&w->bench);
    struct feed_calls calls = {on_line, on_event, on_anew, w};
    assert_int_equal(feed_init(&w->feed, type, calls), 0);
    w->heard[0] = '\0';
}

static void end_world(struct feed_world *w)
{
    const char *made[] = {"a", "b", "c", NULL};
    feed_free(&w->feed);
    bench_end(&w->bench, made);
}

static void take(struct feed_world *w, const char *name, int64_t offset, int watch, int64_t now)
{
    char path[128];
    bench_path(&w->bench, name, path);
    struct record_fd record = {
        .kind = FD_LOG, .file_watch = watch, .folder_watch = 9, .offset = offset};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    feed_take(&w->feed, &record, fd, now);
}

/* Reads all there is and compares what was heard since the last time. */
static void assert_heard(struct feed_world *w, const char *expected)
{
    for (int i = 0; feed_read(&w->feed); i++)
        assert_true(i < 1000);
    assert_string_equal(w->heard, expected);
    w->heard[0] = '\0';
}

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
        struct feed_world w;
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
    struct feed_world w;
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
    struct feed_world w;
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

static void a_replaced_file_is_read_to_its_end_first(void **state)
{
    (void)state;
    struct feed_world w;
    make_world(&w, SOURCE_FILE);
    bench_write(&w.bench, "a", "a1\n");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<a1>");
    bench_write(&w.bench, "a", "a2\nhalf");
    bench_write(&w.bench, "b", "b1\n");
    take(&w, "b", 0, 2, 0);
    assert_true(feed_watches(&w.feed, 1) && feed_watches(&w.feed, 2));
    assert_false(feed_watches(&w.feed, 3) || feed_watches(&w.feed, -1));
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
    struct feed_world w;
    int64_t now = 1000 * CLOCK_SECOND;
    make_world(&w, SOURCE_FILE);
    bench_write(&w.bench, "a", "a1\nhalf");
    bench_write(&w.bench, "b", "b1\n");
    bench_write(&w.bench, "c", "c1\n");
    take(&w, "a", 0, 1, now);
    assert_int_equal(w.feed.old_until, 0);
    take(&w, "b", 0, 2, now);
    assert_heard(&w, "<a1><b1>");
    int64_t until = w.feed.old_until;
    assert_true(until > now);
    feed_tidy(&w.feed, until - 1);
    assert_true(feed_watches(&w.feed, 1));
    bench_write(&w.bench, "a", "-a2\na3");
    feed_tidy(&w.feed, until);
    assert_false(feed_watches(&w.feed, 1));
    assert_true(feed_watches(&w.feed, 2));
    assert_int_equal(w.feed.old_until, 0);
    /* Its last look found what was written; its half line went with it. */
    assert_heard(&w, "<half-a2>");
    bench_write(&w.bench, "b", "b2\n");
    assert_heard(&w, "<b2>");
    end_world(&w);
}

/* The half line at the end of one file is never joined to the beginning of another. */
static void half_lines_are_never_joined(void **state)
{
    (void)state;
    struct feed_world w;
    int before;
    make_world(&w, SOURCE_FILE);
    before = open_count();
    bench_write(&w.bench, "a", "a1\nhalf-a");
    bench_write(&w.bench, "b", "b1\nhalf-b");
    bench_write(&w.bench, "c", "c1\n");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<a1>");
    take(&w, "b", 0, 2, 0);
    assert_heard(&w, "<b1>");
    take(&w, "c", 0, 3, 0);
    assert_heard(&w, "<c1>");
    assert_false(feed_watches(&w.feed, 1));
    assert_true(feed_watches(&w.feed, 2) && feed_watches(&w.feed, 3));
    assert_int_equal(open_count(), before + 2);
    bench_write(&w.bench, "a", "more\n");
    bench_write(&w.bench, "c", "c2\n");
    bench_write(&w.bench, "b", "-b2\n");
    assert_heard(&w, "<half-b-b2><c2>");
    end_world(&w);
}

/* What was written before the third file came is read, though the first is let go for it. */
static void a_third_file_loses_nothing(void **state)
{
    (void)state;
    struct feed_world w;
    make_world(&w, SOURCE_FILE);
    bench_write(&w.bench, "a", "a1\n");
    bench_write(&w.bench, "b", "b1\n");
    bench_write(&w.bench, "c", "c1\n");
    take(&w, "a", 0, 1, 0);
    assert_heard(&w, "<a1>");
    bench_write(&w.bench, "a", "a2\n");
    take(&w, "b", 0, 2, 0);
    take(&w, "c", 0, 3, 0);
    assert_heard(&w, "<a2><b1><c1>");
    end_world(&w);
}

static void long_lines_are_told_of(void **state)
{
    (void)state;
    struct feed_world w;
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

static void count_line(void *arg, const char *line, size_t len)
{
    (void)line;
    assert_int_equal(len, 1022);
    ++*(unsigned *)arg;
}

/* A call reads a share and asks to be called again; nothing is lost between. */
static void a_large_file_is_read_in_shares(void **state)
{
    (void)state;
    enum { LINES = 10000 };
    struct feed_world w;
    static char text[1024];
    unsigned lines = 0, calls = 1;
    memset(text, 'x', sizeof(text) - 2);
    text[sizeof(text) - 2] = '\n';
    make_world(&w, SOURCE_FILE);
    w.feed.calls.line = count_line;
    w.feed.calls.arg = &lines;
    for (int i = 0; i < LINES; i++)
        bench_write(&w.bench, "a", text);
    take(&w, "a", 0, 1, 0);
    while (feed_read(&w.feed)) {
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
    struct feed_world w;
    int ends[2];
    make_world(&w, SOURCE_KMSG);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends),
                     0);
    struct record_fd record = {.kind = FD_LOG, .file_watch = -1, .folder_watch = -1};
    feed_take(&w.feed, &record, ends[0], 0);
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
        cmocka_unit_test(a_replaced_file_is_read_to_its_end_first),
        cmocka_unit_test(the_old_file_is_let_go),
        cmocka_unit_test(half_lines_are_never_joined),
        cmocka_unit_test(a_third_file_loses_nothing),
        cmocka_unit_test(long_lines_are_told_of),
        cmocka_unit_test(a_large_file_is_read_in_shares),
        cmocka_unit_test(counts_the_gaps_of_kmsg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
