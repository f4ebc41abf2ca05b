/* Commands as words: what splits, what is put in, and that what is put in splits nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "keeper/template.h"

static const struct values all = {.ip = "2001:db8::1",
                                  .iptables = "ip6tables",
                                  .family = "6",
                                  .door = "ssh",
                                  .port = "22",
                                  .proto = "tcp",
                                  .timeout = "30",
                                  .key = "alice"};

/* The words with a | after each. */
static const char *show(const struct words *words)
{
    static char out[2 * WORDS_SIZE];
    const char *word = words->text;
    size_t used = 0;
    for (unsigned i = 0; i < words->count; i++, word += strlen(word) + 1)
        used += (size_t)sprintf(out + used, "%s|", word);
    out[used] = '\0';
    assert_ptr_equal(word, words->text + words->size);
    return out;
}

static void splits_and_groups(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"a", "a|"},
        {"a b  c", "a|b|c|"},
        {" \t a\tb\r\nc \n", "a|b|c|"},
        {"a 'b c' \"d e\"", "a|b c|d e|"},
        {"'a'\"b\"c", "abc|"},
        {"a'b c'd\"e f\"g h", "ab cde fg|h|"},
        {"a '' \"\" b", "a|||b|"},
        {"a ''''", "a||"},
        {"a ''b''", "a|b|"},
        {"a '\"' \"'\"", "a|\"|'|"},
        {"a '\t\n'", "a|\t\n|"},
        {"a\\ b \\\"c d\\\"", "a\\|b|\\c d\\|"},
        {"a $HOME `id` $(id) ; & > < * ? ~ # ! { }", "a|$HOME|`id`|$(id)|;|&|>|<|*|?|~|#|!|{|}|"},
        {"a \xc3\xa4\x01", "a|\xc3\xa4\x01|"},
        {"a %%", "a|%|"},
        {"a %%IP%%", "a|%IP%|"},
        {"a '%%' \"%%%%\"", "a|%|%%|"},
        {"a b%%c", "a|b%c|"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct words words;
        char why[160] = "";
        if (!template_expand(rows[i].text, &all, &words, why, sizeof(why)))
            fail_msg("'%s': %s", rows[i].text, why);
        assert_string_equal(show(&words), rows[i].words);
    }
}

static void puts_in_every_value(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"a %IP%", "a|2001:db8::1|"},
        {"%IPTABLES% -w", "ip6tables|-w|"},
        {"a %FAMILY%", "a|6|"},
        {"a %DOOR%", "a|ssh|"},
        {"a %PORT%", "a|22|"},
        {"a %PROTO%", "a|tcp|"},
        {"a %TIMEOUT%", "a|30|"},
        {"a %KEY%", "a|alice|"},
        {"a %TIMEOUT%s", "a|30s|"},
        {"a x%IP%y%PORT%z", "a|x2001:db8::1y22z|"},
        {"a %IP%%PORT%", "a|2001:db8::122|"},
        {"a '%IP%' \"%PORT%\"", "a|2001:db8::1|22|"},
        {"a '{ %IP% timeout %TIMEOUT%s }'", "a|{ 2001:db8::1 timeout 30s }|"},
        {"a %IP%%%%PORT%", "a|2001:db8::1%22|"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct words words;
        char why[160] = "";
        if (!template_expand(rows[i].text, &all, &words, why, sizeof(why)))
            fail_msg("'%s': %s", rows[i].text, why);
        assert_string_equal(show(&words), rows[i].words);
    }
}

static void refuses_with_the_reason(void **state)
{
    (void)state;
    static const struct values few = {.ip = "192.0.2.1", .door = "ssh"};
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "the command is empty"},
        {" \t ", "the command is empty"},
        {"'' a", "the command is empty"},
        {"a 'b", "the quote ' isn't closed"},
        {"a \"b", "the quote \" isn't closed"},
        {"a \"b'", "the quote \" isn't closed"},
        {"a '", "the quote ' isn't closed"},
        {"a %IP", "%% for a percent sign"},
        {"a 100%", "%% for a percent sign"},
        {"a % IP%", "%% for a percent sign"},
        {"a %IP %", "%% for a percent sign"},
        {"a '%IP'%", "%% for a percent sign"},
        {"a %ip%", "unknown placeholder %ip%"},
        {"a %IPX%", "unknown placeholder %IPX%"},
        {"a %I%", "unknown placeholder %I%"},
        {"a %HOST%", "unknown placeholder %HOST%"},
        {"a %PORT%", "gives a value to the placeholder %PORT%: set port"},
        {"a %PROTO%", "gives a value to the placeholder %PROTO%: set port"},
        {"a %KEY%", "gives a value to the placeholder %KEY%"},
        {"a %TIMEOUT%", "gives a value to the placeholder %TIMEOUT%"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct words words;
        char why[160] = "";
        if (template_expand(rows[i].text, &few, &words, why, sizeof(why)))
            fail_msg("'%s' was taken: %s", rows[i].text, show(&words));
        if (!strstr(why, rows[i].why))
            fail_msg("'%s': %s", rows[i].text, why);
    }
}

/* Whatever a value holds, it is one word, or a part of the word that it stands in. */
static void hostile_values_stay_one_word(void **state)
{
    (void)state;
    static const char *const hostile[] = {
        "a b",       "a\tb",     "a\nb",     "' x '", "\" x \"",      "'\"'\"", "; rm -rf /",
        "$(reboot)", "`reboot`", "| mail x", "%IP%",  "%DOOR% %%",    "100%",   "-j ACCEPT",
        "\\",        "a\\ b",    "",         " ",     "\x01\x7f\xff", "*",      "../../etc/passwd",
        "\n\n",      "%",        "a'b\"c d",
    };
    static const char *const templates[] = {"p %IP%", "p '%IP%'", "p \"%IP%\"", "p ''%IP%''"};
    for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
        for (size_t j = 0; j < sizeof(templates) / sizeof(*templates); j++) {
            struct values values = {.ip = hostile[i]};
            struct words words;
            char why[160];
            assert_true(template_expand(templates[j], &values, &words, why, sizeof(why)));
            assert_int_equal(words.count, 2);
            assert_string_equal(words.text + 2, hostile[i]);
        }
        struct values values = {.ip = hostile[i], .key = hostile[i]};
        struct words words;
        char why[160], want[128];
        assert_true(template_expand("p <%IP%/%KEY%> end", &values, &words, why, sizeof(why)));
        snprintf(want, sizeof(want), "p|<%s/%s>|end|", hostile[i], hostile[i]);
        assert_string_equal(show(&words), want);
    }
}

static void has_a_bound_on_words(void **state)
{
    (void)state;
    char text[2 * WORDS_MAX + 8] = "", why[160];
    struct words words;
    for (int i = 0; i < WORDS_MAX; i++)
        strcat(text, "a ");
    assert_true(template_expand(text, &all, &words, why, sizeof(why)));
    assert_int_equal(words.count, WORDS_MAX);
    strcat(text, "a");
    assert_false(template_expand(text, &all, &words, why, sizeof(why)));
    assert_non_null(strstr(why, "128 words"));
}

/* Just fits, and one byte more: as text, and as a value. */
static void has_a_bound_on_size(void **state)
{
    (void)state;
    static char text[WORDS_SIZE + 1];
    for (int more = 0; more < 2; more++) {
        struct words words;
        char why[160] = "";
        memset(text, 'x', sizeof(text));
        text[WORDS_SIZE - 1 + more] = '\0';
        assert_int_equal(template_expand(text, &all, &words, why, sizeof(why)), !more);
        assert_int_equal(strstr(why, "longer than 8192") != NULL, more);
        text[WORDS_SIZE - 3 + more] = '\0';
        struct values values = {.key = text};
        assert_int_equal(template_expand("x %KEY%", &values, &words, why, sizeof(why)), !more);
    }
}

/* A reason that is longer than the room for it is cut, not written past the end. */
static void the_reason_is_cut(void **state)
{
    (void)state;
    struct words words;
    char why[16];
    memset(why, '#', sizeof(why));
    assert_false(template_expand("a %AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA%",
                                 &all, &words, why, 10));
    assert_int_equal(strlen(why), 9);
    assert_int_equal(why[10], '#');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_and_groups),       cmocka_unit_test(puts_in_every_value),
        cmocka_unit_test(refuses_with_the_reason), cmocka_unit_test(hostile_values_stay_one_word),
        cmocka_unit_test(has_a_bound_on_words),    cmocka_unit_test(has_a_bound_on_size),
        cmocka_unit_test(the_reason_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
