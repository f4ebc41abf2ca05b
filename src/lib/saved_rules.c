/* Takes "*TABLE" and "-A CHAIN ..." of what iptables-save(8) prints, and looks for our comments. */
#include "lib/saved_rules.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool saved_rules_door(const char *comment, char out[SAVED_RULES_NAME])
{
    static const char begins[] = SAVED_RULES_COMMENT;
    const char *name = comment + sizeof(begins) - 1;
    out[0] = '\0';
    if (strncmp(comment, begins, sizeof(begins) - 1) != 0)
        return false;
    /* As names of doors are (knockd.conf(5)): any other comment is somebody else's. */
    size_t len = strlen(name);
    if (len == 0 || len >= SAVED_RULES_NAME || *name == '-')
        return false;
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
            return false;
    memcpy(out, name, len + 1);
    return true;
}

static void find_door(struct saved_rule *rule)
{
    rule->door[0] = '\0';
    for (unsigned i = 2; i + 1 < rule->words.count; i++)
        if (strcmp(rule->words.words[i], "--comment") == 0 &&
            saved_rules_door(rule->words.words[i + 1], rule->door))
            return;
}

/* Whether the line was a rule, which is in rules->rule now. */
static bool read_line(struct saved_rules *rules)
{
    char *line = rules->line;
    struct saved_rule *rule = &rules->rule;
    size_t len = strcspn(line, "\n");
    line[len] = '\0';
    if (*line == '*')
        snprintf(rules->table, sizeof(rules->table), "%s", line + 1);
    rules->incompatible |= *line == '#' && strstr(line, SAVED_RULES_INCOMPATIBLE) != NULL;
    if (strncmp(line, "-A ", 3) != 0)
        return false;
    if (!rule_words_split(line, len, &rule->words)) {
        rules->no_memory = true;
        return false;
    }
    rule->table = rules->table;
    rule->text = line;
    find_door(rule);
    return rule->words.count >= 2 && rule->words.count < RULE_WORDS_MAX;
}

static void forget_words(struct saved_rules *rules)
{
    free(rules->rule.words.text);
    rules->rule.words.text = NULL;
}

const struct saved_rule *saved_rules_next(struct saved_rules *rules)
{
    forget_words(rules);
    while (!rules->no_memory && getline(&rules->line, &rules->room, rules->file) >= 0) {
        if (read_line(rules))
            return &rules->rule;
        forget_words(rules);
    }
    return NULL;
}

void saved_rules_end(struct saved_rules *rules)
{
    forget_words(rules);
    free(rules->line);
    rules->line = NULL;
}
