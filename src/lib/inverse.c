/* Compares two commands word by word, with one pair of words that must be each other's opposite. */
#include "lib/inverse.h"

#include <string.h>

#include "lib/command_words.h"

/* A word within a text. */
struct word {
    const char *text;
    size_t len; /* 0: the text is over */
};

static bool is_gap(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\0';
}

static struct word next_word(const char **text, const char *end)
{
    while (*text < end && is_gap(**text))
        ++*text;
    struct word word = {*text, 0};
    while (*text < end && !is_gap(**text))
        ++*text;
    word.len = (size_t)(*text - word.text);
    return word;
}

static bool word_is(struct word word, const char *text)
{
    return strlen(text) == word.len && memcmp(word.text, text, word.len) == 0;
}

static bool words_equal(struct word a, struct word b)
{
    return a.len == b.len && memcmp(a.text, b.text, a.len) == 0;
}

/* A program by its last name: one of the two may be written as a path. */
static struct word program_name(struct word word)
{
    const char *slash = memrchr(word.text, '/', word.len);
    if (!slash)
        return word;
    size_t before = (size_t)(slash + 1 - word.text);
    return (struct word){slash + 1, word.len - before};
}

static const struct {
    const char *add, *take;
    bool numbered; /* behind it and its chain, the place of a rule may stand */
} opposites[] = {
    {"-I", "-D", true},
    {"-A", "-D", false},
    {"--insert", "--delete", true},
    {"--append", "--delete", false},
    {"add", "delete", false},
    {"add", "del", false},
};

enum { OPPOSITES = sizeof(opposites) / sizeof(*opposites) };

/* The row of `opposites` that the two words are, or OPPOSITES. */
static int find_opposite(struct word start, struct word undo)
{
    int i = 0;
    while (i < OPPOSITES && !(word_is(start, opposites[i].add) && word_is(undo, opposites[i].take)))
        i++;
    return i;
}

static bool is_number(struct word word)
{
    return command_is_number(word.text, word.len);
}

bool inverse_texts(const char *undo, size_t undo_size, const char *start, size_t start_size)
{
    const char *undo_end = undo + undo_size, *start_end = start + start_size;
    struct word b = next_word(&undo, undo_end), a = next_word(&start, start_end);
    bool opposite = false;
    int until_number = 0; /* words till the place of a rule may stand; 0: none may */
    if (a.len == 0 || !words_equal(program_name(a), program_name(b)))
        return false;
    for (;;) {
        a = next_word(&start, start_end);
        b = next_word(&undo, undo_end);
        if (until_number > 0 && --until_number == 0 && is_number(a) && !is_number(b))
            a = next_word(&start, start_end);
        if (word_is(a, "timeout") && !words_equal(a, b)) {
            next_word(&start, start_end);
            a = next_word(&start, start_end);
        }
        if (a.len == 0 && b.len == 0)
            return opposite;
        if (words_equal(a, b))
            continue;
        int row = opposite ? OPPOSITES : find_opposite(a, b);
        if (row == OPPOSITES)
            return false;
        opposite = true;
        until_number = opposites[row].numbered ? 2 : 0;
    }
}

bool inverse_inserts(const char *start, size_t size)
{
    static const char *const programs[] = {"iptables", "ip6tables", "%IPTABLES%"};
    const char *end = start + size;
    struct word program = program_name(next_word(&start, end));
    bool known = false;
    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
        known |= word_is(program, programs[i]);
    for (struct word word = next_word(&start, end); known && word.len;
         word = next_word(&start, end))
        for (int i = 0; i < 4; i++)
            if (word_is(word, opposites[i].add))
                return true;
    return false;
}
