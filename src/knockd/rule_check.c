/*
 * Tries rules: rule -> the command that looks for it (-C) -> run for a limited time -> its
 * exit status says what is wrong. 1 means that the rule is well written and not there, 2 that there
 * is a mistake in its words. The same command is tried once, however many doors have it. When one
 * can't be tried at all, the others can't either, and the check ends.
 */
#include "knockd/rule_check.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/process_output.h"
#include "keeper/program.h"
#include "keeper/rule.h"
#include "knockd/rule_review.h"
#include "lib/clock.h"
#include "lib/log.h"

/* How long one command may take, which waits 5 s for the lock itself, and all of them together. */
static const int64_t one_limit = 8 * CLOCK_SECOND;
static const int64_t all_limit = 30 * CLOCK_SECOND;

enum { OUTPUT_MAX = 400 };

struct check {
    const struct config *config;
    const struct plans *plans;
    struct report *report;
    int64_t deadline;
    uint8_t family;          /* that is being tried */
    bool over;               /* no more is tried */
    struct commands tried;   /* so that nothing is tried twice */
    char output[OUTPUT_MAX]; /* first line of what the last command wrote */
};

/* --- running --- */

/* Runs the command, and keeps the first line that it wrote. Returns its exit status; -1: it has
 * none. */
static int run_command(struct check *check, const struct command *command)
{
    int64_t deadline = clock_now() + one_limit;
    char line[OUTPUT_MAX];
    int status;
    snprintf(check->output, sizeof(check->output), "it doesn't end");
    FILE *file = process_output(command, true,
                                deadline < check->deadline ? deadline : check->deadline, &status);
    if (!file) {
        snprintf(check->output, sizeof(check->output), "%s", strerror(errno));
        return -1;
    }
    if (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        log_encode(line, strlen(line), check->output, sizeof(check->output));
    }
    fclose(file);
    return status;
}

/* Takes over the command's text. False when it was tried before. */
static bool is_new(struct check *check, struct command *command)
{
    struct commands one = {1, command};
    for (unsigned i = 0; i < check->tried.count; i++) {
        struct commands other = {1, &check->tried.items[i]};
        if (commands_equal(&one, &other)) {
            free(command->text);
            return false;
        }
    }
    struct command *items = realloc(check->tried.items, (check->tried.count + 1) * sizeof(*items));
    if (!items) {
        free(command->text);
        return false;
    }
    items[check->tried.count++] = *command;
    check->tried.items = items;
    return true;
}

/* --- the words of a command --- */

/* The number of the word `text`; the count of words when there is none. */
static unsigned find_word(const struct command *command, const char *text)
{
    const char *word = command->text;
    unsigned i = 0;
    while (i < command->words && strcmp(word, text) != 0) {
        word += strlen(word) + 1;
        i++;
    }
    return i;
}

static const char *word_at(const struct command *command, unsigned number)
{
    const char *word = command->text;
    while (number-- > 0)
        word += strlen(word) + 1;
    return word;
}

/* The command that lists the first rule of the chain that `look` (-C) looks into. -1: no memory. */
static int make_listing(const struct command *look, struct command *out)
{
    static const char first[] = "1";
    unsigned at = find_word(look, "-C");
    if (at + 1 >= look->words)
        return -1;
    const char *action = word_at(look, at), *chain = word_at(look, at + 1);
    size_t upto = (size_t)(chain - look->text) + strlen(chain) + 1;
    *out = (struct command){.words = at + 3, .size = upto + sizeof(first)};
    out->text = malloc(out->size);
    if (!out->text)
        return -1;
    memcpy(out->text, look->text, upto);
    out->text[action - look->text + 1] = 'S';
    memcpy(out->text + upto, first, sizeof(first));
    return 0;
}

/* --- what the exit status means --- */

static void stop_trying(struct check *check, struct config_pos pos, const char *why)
{
    check->over = true;
    report_warning(check->report, pos, "rules weren't tried with iptables from here on: %s", why);
}

/* Whether what is missing may be made by init_command. */
static bool init_may_make_it(const struct check *check)
{
    return check->config->init.count > 0 &&
           (strstr(check->output, "exist") || strstr(check->output, "load target"));
}

/* What to do about an address of one family in the rule of a door that both may knock at. */
static const char *family_hint(const struct check *check, const struct config_text *rule)
{
    uint8_t family = rule_review_family(rule->text);
    if (family == 0 || family == check->family)
        return "";
    return family == 4 ? "; it has an IPv4 address: give the door allow = 0.0.0.0/0"
                       : "; it has an IPv6 address: give the door allow = \"::/0\"";
}

static void report_mistake(struct check *check, const struct config_door *door,
                           const struct config_text *rule)
{
    if (init_may_make_it(check))
        report_warning(
            check->report, rule->pos,
            "door \"%s\": iptables can't take this rule now: %s; is that what init_command "
            "makes?",
            door->name, check->output);
    else
        report_error(check->report, rule->pos, "door \"%s\": " RULE_REFUSED ": %s%s", door->name,
                     check->output, family_hint(check, rule));
}

/* iptables -C says the same of a chain that isn't there as of a rule that isn't. */
static void look_for_chain(struct check *check, const struct config_door *door,
                           const struct config_text *rule, const struct command *look)
{
    struct command listing;
    if (check->config->init.count > 0 || make_listing(look, &listing) < 0 ||
        !is_new(check, &listing))
        return;
    if (run_command(check, &check->tried.items[check->tried.count - 1]) == 1)
        report_warning(check->report, rule->pos,
                       "door \"%s\": the firewall has no chain %s just now; without it the door "
                       "can't open",
                       door->name, word_at(look, find_word(look, "-C") + 1));
}

static void try_command(struct check *check, const struct config_door *door,
                        const struct config_text *rule, struct command *command)
{
    if (!is_new(check, command))
        return;
    const struct command look = check->tried.items[check->tried.count - 1];
    int status = run_command(check, &look);
    bool no_privilege = strstr(check->output, "ermission denied") != NULL;
    if (status == 2 || (status == 3 && !no_privilege))
        report_mistake(check, door, rule);
    else if (status == 1)
        look_for_chain(check, door, rule, &look);
    else if (status != 0)
        stop_trying(check, rule->pos, check->output);
}

/* --- what is tried --- */

/* An address that may knock: the first of the networks that the door allows. */
static bool sample_address(const struct config_door *door, uint8_t family, struct addr *out)
{
    const char *text = family == 6 ? "2001:db8::1" : "192.0.2.1";
    for (unsigned i = 0; i < door->allow_count; i++) {
        if (door->allow[i].addr.family == family) {
            *out = door->allow[i].addr;
            return true;
        }
    }
    return door->allow_count == 0 && addr_parse(text, strlen(text), out);
}

static bool make_look(const struct config_text *rule, const struct knock *knock,
                      struct command *out)
{
    struct value_texts texts;
    struct words words;
    char why[160];
    char *template = rule_command(rule->text, "-C", false, why, sizeof(why));
    value_texts_fill(&texts, knock);
    bool good = template && template_expand(template, &texts.values, &words, why, sizeof(why));
    char *program = good ? program_find(words.text) : NULL;
    good = program && command_from_words(&words, program, out) == 0;
    free(program);
    free(template);
    return good;
}

static void try_door(struct check *check, unsigned number, uint8_t family)
{
    const struct config_door *door = &check->config->doors[number];
    const struct plan *plan = plans_get(check->plans, number, family);
    struct addr address;
    check->family = family;
    if (!plan->usable || !sample_address(door, family, &address))
        return;
    struct knock knock = knock_plain(door, plan, &address, "sequence");
    for (unsigned i = 0; i < door->rules.count && !check->over; i++) {
        const struct config_text *rule = &door->rules.items[i];
        struct command command;
        if (clock_now() >= check->deadline)
            stop_trying(check, rule->pos, "there are so many that it would take too long");
        else if (make_look(rule, &knock, &command))
            try_command(check, door, rule, &command);
    }
}

void rule_check(const struct config *config, const struct plans *plans, struct report *report)
{
    struct check check = {
        .config = config, .plans = plans, .report = report, .deadline = clock_now() + all_limit};
    for (unsigned i = 0; i < config->door_count && !check.over; i++) {
        if (config->doors[i].rules.count > 0 && geteuid() != 0) {
            stop_trying(&check, config->doors[i].rules.items[0].pos, "only root can");
            break;
        }
        unsigned before = report->errors + report->warnings;
        try_door(&check, i, 4);
        /* What is wrong in both families is reported once. */
        if (report->errors + report->warnings == before)
            try_door(&check, i, 6);
    }
    commands_free(&check.tried);
}
