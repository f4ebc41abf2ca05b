/* control/control.h: what comes in over the socket, and who is there too long or too many. */
#include "control_help.h"

static void test_answers(void **state)
{
    static const struct {
        const char *request, *answer;
    } table[] = {
        {"words\n", "ok list\nword is=words\nend\n"},
        {"words a  b c \n", "ok list\nword is=words\nword is=a\nword is=b\nword is=c\nend\n"},
        {"  words\n", "ok list\nword is=words\nend\n"},
        {"words 100%\n", "ok list\nword is=words\nword is=100%25\nend\n"},
        {"words a b c d\n", "usage text=wrong%20number%20of%20arguments%20for%20words\n"},
        {"words a b c d e f g h i\n", "usage text=wrong%20number%20of%20arguments%20for%20words\n"},
        {"word\n", "error text=no%20such%20request;%20are%20knockctl%20and%20knockd%20of%20the%20"
                   "same%20version?\n"},
        {"\n", "error text=no%20such%20request;%20are%20knockctl%20and%20knockd%20of%20the%20same%"
               "20version?\n"},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        answers(*state, table[i].request, strlen(table[i].request), table[i].answer);
}

static void test_garbage_closes(void **state)
{
    char longest[CONTROL_REQUEST_MAX + 8];
    static const struct {
        const char *bytes;
        size_t len;
    } table[] = {{"words\nwords\n", 12}, {"words\n\n", 7},  {"wor\0ds\n", 7}, {"words\r\n", 7},
                 {"w\x01\n", 3},         {"\xff\n", 2},     {"words\t\n", 7}, {"\x16\x03\x01", 3},
                 {"words\nx", 7},        {"w\xc3\xb6\n", 4}};
    for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
        answers(*state, table[i].bytes, table[i].len, "");
    memset(longest, 'w', sizeof(longest));
    answers(*state, longest, sizeof(longest), "");
    answers(*state, longest, CONTROL_REQUEST_MAX + 1, "");
    /* One byte less, and the newline, is a request. */
    longest[CONTROL_REQUEST_MAX] = '\n';
    int fd = dial(*state);
    say(fd, longest, CONTROL_REQUEST_MAX + 1);
    assert_non_null(strstr(read_all(*state, fd).text, "error text=no%20such%20request"));
}

static void test_half_lines(void **state)
{
    struct world *w = *state;
    int fd = dial(w);
    for (const char *p = "words half\n"; *p; p++) {
        say(fd, p, 1);
        bench_within(&w->bench, 5 * MS, never, NULL);
    }
    assert_string_equal(read_all(w, fd).text, "ok list\nword is=words\nword is=half\nend\n");
    /* Without its end it is no request. */
    fd = dial(w);
    say(fd, "words", 5);
    shutdown(fd, SHUT_WR);
    assert_int_equal(read_all(w, fd).total, 0);
    /* After it, the other half of the connection may be closed at once. */
    fd = dial(w);
    say(fd, "words\n", 6);
    shutdown(fd, SHUT_WR);
    assert_string_equal(read_all(w, fd).text, "ok list\nword is=words\nend\n");
}

static void test_silence_is_closed(void **state)
{
    struct world *w = *state;
    int64_t before = clock_now();
    int fd = dial(w);
    say(fd, "wor", 3);
    assert_int_equal(read_all(w, fd).total, 0);
    int64_t took = clock_now() - before;
    assert_in_range(took / MS, 4500, 20000);
}

static void test_many_connections(void **state)
{
    struct world *w = *state;
    int fds[CONTROL_CONNECTIONS];
    for (int i = 0; i < CONTROL_CONNECTIONS; i++)
        fds[i] = dial(w);
    bench_within(&w->bench, 20 * MS, never, NULL);
    assert_int_equal(read_all(w, dial(w)).total, 0);
    /* Those that were there first are served, and leave room for others. */
    for (int i = 0; i < CONTROL_CONNECTIONS; i++) {
        say(fds[i], "words\n", 6);
        assert_string_equal(read_all(w, fds[i]).text, "ok list\nword is=words\nend\n");
    }
    answers(w, "words\n", 6, "ok list\nword is=words\nend\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_garbage_closes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_silence_is_closed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_connections, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
