/*
 * Reads commands of nft and ipset that change elements of sets: text -> statements, or words ->
 * set, element and options -> whether they surely mean the same in a file, and what they mean when
 * they are run twice.
 */
#include "keeper/set_command.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/command_words.h"

/* Longer ones aren't worth a doubt about what reads them. */
enum { WORD_LONGEST = 200, TEXT_LONGEST = 1000 };

/* Names of sets of ipset are shorter. */
enum { SET_NAME_SIZE = 32 };

static bool is_program(const char *path, const char *name)
{
    return strcmp(command_base_name(path), name) == 0;
}

bool command_is_nft(const char *program)
{
    return is_program(program, "nft");
}

bool command_is_ipset(const char *program)
{
    return is_program(program, "ipset");
}

static bool is_digits(const char *text, size_t len)
{
    return len > 0 && len <= 9 && strspn(text, "0123456789") >= len;
}

static bool is_among(const char *text, size_t len, const char *const *names)
{
    for (; *names; names++)
        if (strlen(*names) == len && memcmp(*names, text, len) == 0)
            return true;
    return false;
}

static bool is_host(const char *text, size_t len)
{
    struct addr addr;
    return addr_parse(text, len, &addr);
}

/* --- nft: its text is read, as nft reads its words, as one --- */

/* The words behind the program. False when they are too long. */
static bool join_words(const struct command *command, char out[TEXT_LONGEST + 1])
{
    const char *word = command->text;
    size_t used = 0;
    out[0] = '\0';
    for (unsigned i = 1; i < command->words; i++) {
        word += strlen(word) + 1;
        int len = snprintf(out + used, TEXT_LONGEST + 1 - used, "%s%s", used ? " " : "", word);
        used += (size_t)len;
        if (used > TEXT_LONGEST)
            return false;
    }
    return true;
}

/* The next statement, without the blanks around it. NULL: there is none. */
static char *next_statement(char **rest)
{
    char *statement = strsep(rest, ";");
    if (!statement)
        return NULL;
    statement += strspn(statement, " ");
    for (size_t len = strlen(statement); len > 0 && statement[len - 1] == ' '; len--)
        statement[len - 1] = '\0';
    return statement;
}

/* An address or a network, with prefix or mask. */
static bool is_network(const char *text, size_t len)
{
    const char *slash = memchr(text, '/', len);
    size_t before = slash ? (size_t)(slash - text) : len, behind = len - before - (slash != NULL);
    return is_host(text, before) &&
           (!slash || (behind <= 3 && is_digits(slash + 1, behind)) || is_host(slash + 1, behind));
}

/* Numbers, addresses, and ranges of both. */
static bool is_value(const char *text, size_t len)
{
    const char *dash = memchr(text, '-', len);
    if (dash)
        return is_value(text, (size_t)(dash - text)) &&
               is_value(dash + 1, len - (size_t)(dash + 1 - text));
    return is_digits(text, len) || is_network(text, len);
}

/* What parts the values of an element, and what nft knows by name without asking. */
static bool is_known_value(const char *text, size_t len)
{
    static const char *const names[] = {".",    "timeout", "tcp",    "udp",  "icmp", "icmpv6",
                                        "sctp", ":",       "accept", "drop", NULL};
    return is_among(text, len, names) || is_value(text, len);
}

/* A time is one only behind `timeout`: elsewhere it may be a host. */
static bool is_time(const char *text, size_t len)
{
    return len > 0 && text[0] >= '0' && text[0] <= '9' && strspn(text, "0123456789dhms") >= len;
}

/* From the first brace on: values, which blanks, braces and commas part. */
static bool check_values(const char *text)
{
    static const char parting[] = " {},";
    bool timed = false;
    for (text += strspn(text, parting); *text; text += strspn(text, parting)) {
        size_t len = strcspn(text, parting);
        if (!(timed && is_time(text, len)) && !is_known_value(text, len))
            return false;
        timed = len == strlen("timeout") && memcmp(text, "timeout", len) == 0;
        text += len;
    }
    return true;
}

/* The rest of the text behind its first word, which is `word`; NULL when it isn't. */
static const char *behind_word(const char *text, const char *word)
{
    size_t len = strlen(word);
    return strncmp(text, word, len) == 0 && text[len] == ' ' ? text + len + strspn(text + len, " ")
                                                             : NULL;
}

/* What the statement's verb is about: the element, its set and its table; NULL: another verb. */
static const char *element_of(const char *statement, const char *verb)
{
    const char *rest = behind_word(statement, verb);
    return rest ? behind_word(rest, "element") : NULL;
}

/* What begins with a dash is an option. */
static bool has_options(const char *text)
{
    return text[0] == '-' || strstr(text, " -") != NULL;
}

/* An element that is added right before it is deleted is there then. */
static bool check_statement(const char *statement, const char **added, struct set_form *form)
{
    const char *adds = element_of(statement, "add"), *deletes = element_of(statement, "delete");
    const char *looks = element_of(statement, "get");
    const char *about = adds ? adds : deletes ? deletes : looks;
    if (!about || has_options(about))
        return false;
    const char *brace = strchr(about, '{');
    if (!brace || !check_values(brace))
        return false;
    form->checks |= looks != NULL;
    form->changes |= looks == NULL;
    form->repeats &= adds || looks || (*added && strcmp(*added, deletes) == 0);
    *added = adds;
    return true;
}

bool set_form_of_nft(const struct command *command, struct set_form *out)
{
    static const char taken[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "_-.:/{},; ";
    char text[TEXT_LONGEST + 1], *rest = text, *statement;
    const char *added = NULL;
    *out = (struct set_form){.repeats = true};
    if (!join_words(command, text) || text[strspn(text, taken)])
        return false;
    while ((statement = next_statement(&rest)))
        if (!check_statement(statement, &added, out))
            return false;
    return out->checks != out->changes;
}

void set_write_nft(FILE *text, const struct command *command)
{
    const char *word = command->text;
    for (unsigned i = 1; i < command->words; i++) {
        word += strlen(word) + 1;
        fprintf(text, "%s%c", word, i + 1 < command->words ? ' ' : '\n');
    }
}

/* --- ipset: its words are read one by one --- */

/* The command's words that say what is to be done, without -exist. */
struct ipset_words {
    const char *items[16];
    unsigned count;
    bool exist;
};

static bool is_exist(const char *word)
{
    return strcmp(word, "-exist") == 0 || strcmp(word, "-!") == 0;
}

/* False when there are too many. */
static bool split_ipset(const struct command *command, struct ipset_words *out)
{
    const char *word = command->text;
    *out = (struct ipset_words){0};
    for (unsigned i = 1; i < command->words; i++) {
        word += strlen(word) + 1;
        if ((i == 1 || i + 1 == command->words) && is_exist(word))
            out->exist = true;
        else if (out->count == sizeof(out->items) / sizeof(*out->items))
            return false;
        else
            out->items[out->count++] = word;
    }
    return true;
}

static bool is_set_name(const char *word)
{
    for (const char *p = word; *p; p++)
        if (!isalnum((unsigned char)*p) && !(p > word && strchr("_-.:", *p)))
            return false;
    return *word && strlen(word) < SET_NAME_SIZE;
}

/* "22" or "tcp:22", no range. */
static bool is_port(const char *text, size_t len)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp", "udplite", NULL};
    const char *colon = memchr(text, ':', len);
    size_t before = colon ? (size_t)(colon - text) + 1 : 0;
    return (!colon || is_among(text, before - 1, protocols)) &&
           is_digits(text + before, len - before);
}

/* Hosts and ports, which commas part. A network may be many elements, of which some are done. */
static bool is_element(const char *word)
{
    for (;; word++) {
        size_t len = strcspn(word, ",");
        if (!is_host(word, len) && !is_port(word, len))
            return false;
        word += len;
        if (!*word)
            return true;
    }
}

static bool is_comment(const char *word)
{
    for (const char *p = word; *p; p++)
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
            return false;
    return *word && strlen(word) <= WORD_LONGEST;
}

/* Options of an element from the word `at` on. */
static bool check_options(const struct ipset_words *words, unsigned at)
{
    static const char *const numbered[] = {"timeout", "packets", "bytes", NULL};
    for (; at < words->count; at++) {
        const char *name = words->items[at];
        if (strcmp(name, "nomatch") == 0)
            continue;
        bool number = is_among(name, strlen(name), numbered);
        if (++at == words->count || (!number && strcmp(name, "comment") != 0))
            return false;
        const char *value = words->items[at];
        if (!(number ? is_digits(value, strlen(value)) : is_comment(value)))
            return false;
    }
    return true;
}

bool set_form_of_ipset(const struct command *command, struct set_form *out)
{
    struct ipset_words words;
    if (command->size > TEXT_LONGEST || !split_ipset(command, &words) || words.count < 3)
        return false;
    bool adds = strcmp(words.items[0], "add") == 0, checks = strcmp(words.items[0], "test") == 0;
    *out = (struct set_form){.checks = checks,
                             .changes = !checks,
                             .adds = adds,
                             .exist = words.exist,
                             .repeats = checks || words.exist};
    if ((!adds && !checks && strcmp(words.items[0], "del") != 0) || (checks && words.exist))
        return false;
    return is_set_name(words.items[1]) && is_element(words.items[2]) && check_options(&words, 3) &&
           (!checks || words.count == 3);
}

void set_write_ipset(FILE *text, const struct command *command, bool test)
{
    struct ipset_words words;
    if (!split_ipset(command, &words) || words.count < 3)
        return;
    fprintf(text, "%s %s %s", test ? "test" : words.items[0], words.items[1], words.items[2]);
    for (unsigned i = 3; i < words.count && !test; i++)
        fprintf(text, strchr(words.items[i], ' ') ? " \"%s\"" : " %s", words.items[i]);
    fputs("\nCOMMIT\n", text);
}

/* --- run in doubt --- */

/* Adds the elements and deletes them, which nft does as one. Only of what surely is one statement:
 * behind a "#" nothing would be deleted. */
static int forgive_nft(const struct command *command, struct command *out)
{
    char text[TEXT_LONGEST + 1];
    struct set_form form;
    if (!set_form_of_nft(command, &form) || !join_words(command, text))
        return -1;
    const char *about = element_of(text, "delete");
    if (!about || strchr(about, ';'))
        return -1;
    int len = asprintf(&out->text, "%s%cadd element %s; delete element %s", command->text, 0, about,
                       about);
    if (len < 0)
        return -1;
    out->words = 2;
    out->size = (size_t)len + 1;
    return 0;
}

/* The same with -exist. */
static int forgive_ipset(const struct command *command, struct command *out)
{
    static const char option[] = "-exist";
    size_t before = strlen(command->text) + 1;
    const char *verb = command->words > 1 ? command->text + before : "";
    if ((strcmp(verb, "add") != 0 && strcmp(verb, "del") != 0) || command->words >= WORDS_MAX)
        return -1;
    *out = (struct command){.words = command->words + 1,
                            .size = command->size + sizeof(option),
                            .text = malloc(command->size + sizeof(option))};
    if (!out->text)
        return -1;
    memcpy(out->text, command->text, before);
    memcpy(out->text + before, option, sizeof(option));
    memcpy(out->text + before + sizeof(option), command->text + before, command->size - before);
    return 0;
}

int set_command_forgiving(const struct command *command, struct command *out)
{
    *out = (struct command){0};
    if (command_is_nft(command->text))
        return forgive_nft(command, out);
    return command_is_ipset(command->text) ? forgive_ipset(command, out) : -1;
}
