/* Turns a rule of the configuration into the iptables(8) command that inserts, deletes or checks
 * it. */
#include "keeper/rule.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

static const char *wrong(const char *chain)
{
    if (*chain == '-' || *chain == '\0' || *chain == '!')
        return "a rule is [-t TABLE] CHAIN MATCHES -j TARGET; knockd adds -I, -D and -C itself";
    const char *word = next_word(chain);
    if (isdigit((unsigned char)*word))
        return "a rule can't have a number: it goes to the top of its chain, and is deleted by what "
               "it says";
    for (; *word; word = next_word(word))
        if (is_command(word))
            return "a rule holds matches and a target; it can't hold commands, -t behind its chain, "
                   "or -c";
    return NULL;
}

char *rule_command(const char *rule, const char *action, char *why, size_t why_size)
{
    const char *table = rule + strspn(rule, blanks), *chain = table;
    if (strncmp(chain, "-t", 2) == 0 && strchr(blanks, chain[2]))
        chain = next_word(next_word(chain));
    const char *mistake = wrong(chain);
    char *text = NULL;
    /* -w waits for the lock that other programs hold, without which one call in many fails. */
    if (mistake)
        snprintf(why, why_size, "%s", mistake);
    else if (asprintf(&text, "%%IPTABLES%% -w 5 %.*s%s %s", (int)(chain - table), table, action,
                      chain) < 0) {
        snprintf(why, why_size, "out of memory");
        text = NULL;
    }
    return text;
}
