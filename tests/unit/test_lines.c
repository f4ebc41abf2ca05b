/* Bytes into lines: however they come in pieces, the lines are the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "listener/lines.h"

/* What was heard: each line in <>, long ones by their length. */
struct heard {
    char text[4096];
    size_t used;
};

static struct lines lines;

static void hear(struct heard *heard, const char *line, size_t len)
{
    int got = len <= 64 ? snprintf(heard->text + heard->used, sizeof(heard->text) - heard->used,
                                   "<%.*s>", (int)len, line)
                        : snprintf(heard->text + heard->used, sizeof(heard->text) - heard->used,
                                   "<%zu>", len);
    heard->used += (size_t)got;
    assert_true(heard->used < sizeof(heard->text));
}

static void stream(struct heard *heard, const char *bytes, size_t len)
{
    while (len > 0) {
        size_t room;
        char *into = lines_room(&lines, &room);
        assert_true(room > 0);
        size_t part = len < room ? len : room;
        memcpy(into, bytes, part);
        const char *line;
        size_t line_len;
        lines_add(&lines, part);
        while (lines_next(&lines, &line, &line_len))
            hear(heard, line, line_len);
        bytes += part;
        len -= part;
    }
}

static void begin(struct heard *heard, bool midway)
{
    memset(heard, 0, sizeof(*heard));
    lines_reset(&lines, midway);
    lines.too_long = 0;
}

static void every_split_gives_the_same(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool midway;
        const char *lines;
    } rows[] = {
        {"one\ntwo\n\nthree\r\nfour", false, "<one><two><><three\r>"},
        {"\n\n", false, "<><>"},
        {"half", false, ""},
        {"rest\none\ntwo\n", true, "<one><two>"},
        {"\none\n", true, "<one>"},
        {"rest", true, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        size_t len = strlen(rows[i].text);
        for (size_t a = 0; a <= len; a++) {
            for (size_t b = a; b <= len; b++) {
                struct heard heard;
                begin(&heard, rows[i].midway);
                stream(&heard, rows[i].text, a);
                stream(&heard, rows[i].text + a, b - a);
                stream(&heard, rows[i].text + b, len - b);
                assert_string_equal(heard.text, rows[i].lines);
                assert_int_equal(lines.too_long, 0);
            }
        }
    }
}

/* A line with a NUL in it is a line like any other. */
static void a_nul_ends_nothing(void **state)
{
    (void)state;
    struct heard heard;
    static char text[128];
    memset(text, 'x', 100);
    text[50] = '\0';
    text[99] = '\n';
    begin(&heard, false);
    stream(&heard, text, 100);
    assert_string_equal(heard.text, "<99>");
}

/* A line of `len` between two short ones, fed in pieces of `piece` bytes. */
static void log_stream_long(struct heard *heard, size_t len, size_t piece)
{
    char *text = malloc(len + 16), *end = text + 3 + len;
    assert_non_null(text);
    memcpy(text, "aa\n", 3);
    memset(text + 3, 'x', len);
    memcpy(end, "\nbb\n", 4);
    begin(heard, false);
    for (char *p = text; p < end + 4; p += piece)
        stream(heard, p, (size_t)(end + 4 - p) < piece ? (size_t)(end + 4 - p) : piece);
    free(text);
}

static void long_lines_are_skipped_and_counted(void **state)
{
    (void)state;
    static const size_t lengths[] = {LINES_LONGEST - 1, LINES_LONGEST,  LINES_LONGEST + 1,
                                     2 * LINES_LONGEST, LINES_ROOM - 4, LINES_ROOM,
                                     LINES_ROOM + 1,    5 * LINES_ROOM};
    static const size_t pieces[] = {1, 7, 4096, LINES_LONGEST, LINES_ROOM - 1, 10 * LINES_ROOM};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        for (size_t j = 0; j < sizeof(pieces) / sizeof(*pieces); j++) {
            struct heard heard;
            char want[64] = "<aa><bb>";
            bool good = lengths[i] <= LINES_LONGEST;
            if (good)
                snprintf(want, sizeof(want), "<aa><%zu><bb>", lengths[i]);
            log_stream_long(&heard, lengths[i], pieces[j]);
            assert_string_equal(heard.text, want);
            assert_int_equal(lines.too_long, good ? 0 : 1);
        }
    }
}

static void each_long_line_counts(void **state)
{
    (void)state;
    static char text[3 * LINES_LONGEST];
    struct heard heard;
    begin(&heard, false);
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\n';
    for (int i = 0; i < 50; i++) {
        stream(&heard, text, sizeof(text));
        stream(&heard, "ok\n", 3);
    }
    assert_int_equal(lines.too_long, 50);
    assert_int_equal(heard.used, 50 * 4);
}

/* The rest of a line whose beginning was never seen isn't known to be too long. */
static void midway_counts_nothing(void **state)
{
    (void)state;
    static char text[2 * LINES_ROOM];
    struct heard heard;
    begin(&heard, true);
    memset(text, 'x', sizeof(text));
    stream(&heard, text, sizeof(text));
    stream(&heard, "\nok\n", 4);
    assert_string_equal(heard.text, "<ok>");
    assert_int_equal(lines.too_long, 0);
    stream(&heard, "half", 4);
    lines_reset(&lines, false);
    stream(&heard, "whole\n", 6);
    assert_string_equal(heard.text, "<ok><whole>");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_split_gives_the_same),
        cmocka_unit_test(a_nul_ends_nothing),
        cmocka_unit_test(long_lines_are_skipped_and_counted),
        cmocka_unit_test(each_long_line_counts),
        cmocka_unit_test(midway_counts_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
