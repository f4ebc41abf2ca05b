/* Tries whether iptables(8) knows comments, without a change to any rule. */
#include "keeper/rule_comments.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/process_output.h"
#include "keeper/program.h"
#include "keeper/rule.h"
#include "lib/clock.h"

/* How long it may take: iptables waits 5 s for its lock. */
static const int64_t probe_limit = 8 * CLOCK_SECOND;

static bool wants_comment(const struct config_door *door, const struct config_text *rule)
{
    return door->comment && !rule_has_comment(rule->text);
}

/* The first rule that would get a comment, and its door. */
static const struct config_text *find_rule(const struct config *config,
                                           const struct config_door **door)
{
    for (unsigned i = 0; i < config->door_count; i++) {
        *door = &config->doors[i];
        for (unsigned j = 0; j < (*door)->rules.count; j++)
            if (wants_comment(*door, &(*door)->rules.items[j]))
                return &(*door)->rules.items[j];
    }
    return NULL;
}

/* The command that tries it. False where it can't be made: then plans_make says why. */
static bool make_probe(const struct config_door *door, const struct config_text *rule, bool ip6,
                       struct command *out)
{
    static const char *const samples[2] = {"192.0.2.1", "2001:db8::1"};
    struct value_texts texts;
    struct words words;
    struct addr address;
    char why[160], *template = rule_comment_probe(rule->text);
    if (!template || !addr_parse(samples[ip6], strlen(samples[ip6]), &address)) {
        free(template);
        return false;
    }
    struct knock knock = knock_plain(door, NULL, &address, "sequence");
    value_texts_fill(&texts, &knock);
    bool good = template_expand(template, &texts.values, &words, why, sizeof(why));
    char *program = good ? program_find(words.text) : NULL;
    good = program && command_from_words(&words, program, out) == 0;
    free(program);
    free(template);
    return good;
}

/* Runs the probe. Its exit status; -1: it has none. `said`: the first line that it wrote. */
static int run_probe(const struct command *probe, char *said, size_t size)
{
    int status;
    FILE *output = process_output(probe, true, clock_now() + probe_limit, &status);
    if (!output || !fgets(said, (int)size, output))
        said[0] = '\0';
    said[strcspn(said, "\n")] = '\0';
    if (output)
        fclose(output);
    return status;
}

/* 1 says that there is no such rule, or no such chain, so the words are known. What says nothing of
 * comments, as of a table that isn't there, leaves the family untried. */
static enum rule_comments_state try_family(const struct config *config, bool ip6,
                                           struct report *report)
{
    const struct config_door *door;
    const struct config_text *rule = find_rule(config, &door);
    struct command probe;
    char said[200];
    if (!rule || !make_probe(door, rule, ip6, &probe))
        return RULE_COMMENTS_UNTRIED;
    int status = run_probe(&probe, said, sizeof(said));
    free(probe.text);
    if (status == 0 || status == 1)
        return RULE_COMMENTS_WORK;
    if (status != 2 || !strstr(said, "comment"))
        return RULE_COMMENTS_UNTRIED;
    report_warning(report, rule->pos,
                   "%s can't put a comment on a rule here (%s), so doors open without one, and "
                   "knockctl close --stray won't know their rules; comment = false leaves out "
                   "comments, and this warning",
                   ip6 ? "ip6tables" : "iptables", said);
    return RULE_COMMENTS_MISSING;
}

void rule_comments_try(struct rule_comments *comments, const struct config *config,
                       struct report *report)
{
    for (int ip6 = 0; ip6 < 2; ip6++)
        if (comments->of[ip6] == RULE_COMMENTS_UNTRIED)
            comments->of[ip6] = try_family(config, ip6, report);
}
