/* Commands as words, and words as parts: what splits, what groups, and what is left alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "lib/command_words.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* words: each in <>; or what is wrong. */
static const struct {
    const char *command, *words;
} commands[] = {
    {"ip", "<ip>"},
    {"  curl -s  https://a.example/?x=1&y ", "<curl><-s><https://a.example/?x=1&y>"},
    {"a 'b c' \"d 'e'\"", "<a><b c><d 'e'>"},
    {"a'b 'c\" d\"", "<ab c d>"},
    {"a ''\t\"\"", "<a><><>"},
    {"a \\' b'", "<a><\\ b>"},
    {"", "the command is empty"},
    {" \t ", "the command is empty"},
    {"a 'b", "the quote ' isn't closed"},
    {"a \"b'", "the quote \" isn't closed"},
    {"'' a", "the command is empty"},
};

static void splits_commands(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(commands); i++) {
        struct command_words words;
        char got[256] = "";
        const char *why = command_words_split(commands[i].command, &words);
        for (char **word = words.words; !why && *word; word++)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "<%s>", *word);
        if (strcmp(why ? why : got, commands[i].words) != 0)
            fail_msg("%s: %s", commands[i].command, why ? why : got);
    }
}

static void splits_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    char text[COMMAND_WORDS_SIZE + 1];
    struct command_words words;
    memset(text, 'a', sizeof(text));
    text[COMMAND_WORDS_SIZE - 1] = '\0';
    assert_null(command_words_split(text, &words));
    assert_string_equal(words.words[0], text);
    text[COMMAND_WORDS_SIZE - 1] = 'a';
    text[COMMAND_WORDS_SIZE] = '\0';
    assert_string_equal(command_words_split(text, &words), "the command is too long");
    for (size_t i = 0; i + 1 < sizeof(text); i += 2)
        memcpy(text + i, "a", 2);
    for (size_t i = 1; i < 2 * COMMAND_WORDS_MAX - 1; i += 2)
        text[i] = ' ';
    assert_null(command_words_split(text, &words));
    assert_null(words.words[COMMAND_WORDS_MAX]);
    text[2 * COMMAND_WORDS_MAX - 1] = ' ';
    assert_string_equal(command_words_split(text, &words), "the command has too many words");
}

/* Whatever the command, its words and their parts stand in it, one behind the other. */
static void takes_words_apart(void **state)
{
    (void)state;
    static const struct {
        const char *command, *parts;
    } rows[] = {
        {"", ""},
        {" a  b", "[a][b]"},
        {"a'b c'd", "[a'b c'd]"},
        {"''", "['']"},
        {"a \"it's\" b", "[a][\"it's\"][b]"},
        {"a 'b c", "[a]['b c...]"},
        {"'", "['...]"},
        {"a\"b\"'", "[a\"b\"'...]"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *rest = rows[i].command;
        struct command_word word;
        struct command_part part;
        char got[128] = "";
        while (command_word_take(&rest, &word)) {
            strcat(got, "[");
            while (command_part_take(&word, &part)) {
                char quote[2] = {part.quote, '\0'};
                snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%.*s%s", quote,
                         (int)part.len, part.text, part.open ? "..." : quote);
            }
            strcat(got, "]");
        }
        assert_string_equal(got, rows[i].parts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_commands),
        cmocka_unit_test(splits_no_more_than_there_is_room_for),
        cmocka_unit_test(takes_words_apart),
    };
    return cmocka_run_group_tests_name("command_words", tests, NULL, NULL);
}
