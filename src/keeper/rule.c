/* Turns a rule of the configuration into the iptables(8) command that inserts, deletes or checks
 * it. */
#include "keeper/rule.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/command_words.h"
#include "lib/saved_rules.h"

static const char blanks[] = " \t\r\n";

static const char *next_word(const char *word)
{
    word += strcspn(word, blanks);
    return word + strspn(word, blanks);
}

static bool is_one_of(const char *word, const char *const *names)
{
    size_t len = strcspn(word, blanks);
    for (; *names; names++)
        if (strlen(*names) == len && memcmp(*names, word, len) == 0)
            return true;
    return false;
}

/* Options that are commands of their own, and counters, which -D and -C don't take. */
static bool is_command(const char *word)
{
    static const char *const names[] = {"-A",
                                        "-C",
                                        "-D",
                                        "-E",
                                        "-F",
                                        "-I",
                                        "-L",
                                        "-N",
                                        "-P",
                                        "-R",
                                        "-S",
                                        "-V",
                                        "-X",
                                        "-Z",
                                        "-c",
                                        "-t",
                                        "--append",
                                        "--check",
                                        "--delete",
                                        "--flush",
                                        "--insert",
                                        "--list",
                                        "--policy",
                                        "--table",
                                        "--replace",
                                        "--zero",
                                        "--rename-chain",
                                        "--new-chain",
                                        "--delete-chain",
                                        "--list-rules",
                                        "--set-counters",
                                        NULL};
    return is_one_of(word, names);
}

/* A table, or counters, with the value joined to the option, or the option abbreviated. */
static bool is_respelt_command(const char *word)
{
    size_t len = strcspn(word, " \t\r\n=");
    if (word[0] == '-' && (word[1] == 't' || word[1] == 'c'))
        return true;
    return (len > 2 && strncmp("--table", word, len) == 0) ||
           (len > strlen("--set") && strncmp("--set-counters", word, len) == 0);
}

static const char *wrong(const char *chain)
{
    static const char *const programs[] = {"iptables", "ip6tables", NULL};
    if (*chain == '-' || *chain == '\0' || *chain == '!')
        return "a rule is [-t TABLE] CHAIN MATCHES -j TARGET; knockd adds -I, -D and -C itself";
    if (is_one_of(chain, programs))
        return "a rule begins with its chain: leave iptables and -I or -A out; knockd adds them "
               "itself";
    const char *word = next_word(chain);
    if (isdigit((unsigned char)*word))
        return "a rule can't have a number: it goes to the top of its chain, and is deleted by what "
               "it says";
    for (; *word; word = next_word(word))
        if (is_command(word) || is_respelt_command(word))
            return "a rule holds matches and a target; it can't hold commands, -t behind its chain, "
                   "or -c";
    return NULL;
}

/* Moves *rule to its chain. Returns where its table is named, which may be there, too. */
static const char *find_chain(const char **rule)
{
    const char *table = *rule + strspn(*rule, blanks);
    *rule = table;
    if (strncmp(table, "-t", 2) == 0 && strchr(blanks, table[2]))
        *rule = next_word(next_word(table));
    return table;
}

/* Whether the word, with the one behind it (NULL: none), is -m comment. iptables takes --match
 * abbreviated, too. */
static bool names_comment(const char *word, const char *next)
{
    size_t len = strcspn(word, "=");
    const char *value = word[len] ? word + len + 1 : next;
    bool match = strcmp(word, "-m") == 0 || (len > 2 && strncmp("--match", word, len) == 0);
    return strncmp(word, "--comment", strlen("--comment")) == 0 || strcmp(word, "-mcomment") == 0 ||
           (match && value && strcmp(value, "comment") == 0);
}

bool rule_has_comment(const char *rule)
{
    struct command_words words;
    if (command_words_split(rule, &words))
        return false;
    for (char *const *word = words.words; *word; word++)
        if (names_comment(word[0], word[1]))
            return true;
    return false;
}

char *rule_command(const char *rule, const char *action, bool comment, char *why, size_t why_size)
{
    const char *chain = rule, *table = find_chain(&chain);
    const char *mistake = wrong(chain);
    bool added = comment && !rule_has_comment(rule);
    char *text = NULL;
    /* -w waits for the lock that other programs hold, without which one call in many fails. */
    if (mistake)
        snprintf(why, why_size, "%s", mistake);
    else if (asprintf(&text, "%%IPTABLES%% -w 5 %.*s%s %s%s", (int)(chain - table), table, action,
                      chain,
                      added ? " -m comment --comment \"" SAVED_RULES_COMMENT "%DOOR%\"" : "") < 0) {
        snprintf(why, why_size, "out of memory");
        text = NULL;
    }
    return text;
}

char *rule_comment_probe(const char *rule)
{
    const char *chain = rule, *table = find_chain(&chain);
    char *text = NULL;
    if (wrong(chain) ||
        asprintf(&text, "%%IPTABLES%% -w 5 %.*s-C %.*s -m comment --comment knockd",
                 (int)(chain - table), table, (int)strcspn(chain, blanks), chain) < 0)
        return NULL;
    return text;
}
