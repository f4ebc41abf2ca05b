/*
 * Commands: a value never becomes two words, nor changes how many there are; and what a rule
 * inserts can be deleted and checked. The input is the command, then the values, with NULs between.
 */
#include "fuzz.h"

#include "keeper/rule.h"
#include "keeper/template.h"

static const char *const plain[8] = {"192.0.2.1", "iptables", "4", "ssh", "22", "tcp", "30", "k"};

static struct values values_of(const char *const v[8])
{
    return (struct values){v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]};
}

static void claim_words(const struct words *words)
{
    unsigned ends = 0;
    CLAIM(words->count > 0 && words->count <= WORDS_MAX && words->size <= WORDS_SIZE);
    for (size_t i = 0; i < words->size; i++)
        ends += words->text[i] == '\0';
    CLAIM(ends == words->count && words->text[words->size - 1] == '\0');
}

/* True, with *out, if it is a command. A reason is a line, and ends within its room. */
static bool expand(const char *text, const struct values *values, struct words *out)
{
    char why[256];
    memset(why, 'x', sizeof(why));
    if (template_expand(text, values, out, why, sizeof(why))) {
        claim_words(out);
        return true;
    }
    CLAIM(memchr(why, '\0', sizeof(why)) && *why);
    return false;
}

static void claim_rule(const char *rule, bool comment)
{
    static const char *const actions[] = {"-I", "-D", "-C"};
    struct values values = values_of(plain);
    char why[256] = "";
    unsigned made = 0, expanded = 0, words = 0;
    for (int i = 0; i < 3; i++) {
        struct words out;
        char *command = rule_command(rule, actions[i], comment, why, sizeof(why));
        CLAIM(command || *why);
        made += command != NULL;
        if (command && expand(command, &values, &out)) {
            CLAIM(strcmp(out.text, "iptables") == 0 && (expanded == 0 || out.count == words));
            words = out.count;
            expanded++;
        }
        free(command);
    }
    CLAIM(made == 0 || made == 3);
    CLAIM(expanded == 0 || expanded == 3);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = input_of(data, size);
    struct words words, usual;
    char *text = input_text(&in), *texts[8];
    const char *hostile[8];
    for (int i = 0; i < 8; i++)
        hostile[i] = texts[i] = input_text(&in);
    struct values values = values_of(hostile), none = {0}, good = values_of(plain);
    if (expand(text, &values, &words) && expand(text, &good, &usual))
        CLAIM(words.count == usual.count);
    if (expand(text, &none, &words) && expand(text, &good, &usual))
        CLAIM(words.size == usual.size && memcmp(words.text, usual.text, words.size) == 0);
    claim_rule(text, false);
    claim_rule(text, true);
    for (int i = 0; i < 8; i++)
        free(texts[i]);
    free(text);
    return 0;
}
