/*
 * From the configuration of a door to the commands that open and close it, once a family, before
 * anybody knocks: so a mistake in a command is found when the configuration is read.
 */
#include "keeper/plan.h"

#include <assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/batch.h"
#include "keeper/command.h"
#include "keeper/program.h"
#include "keeper/rule.h"
#include "lib/clock.h"

struct plans {
    unsigned count;
    struct plan (*doors)[2]; /* by family: IPv4, IPv6 */
};

/* What is being planned: a door for one family, and whom to tell. */
struct draft {
    const struct config_door *door;
    struct report *report;
    bool ip6;
    bool comments; /* iptables of this family knows comments */
    bool lacks_iptables;
};

/* The longest of the names that a key can have. */
#define SAMPLE_KEY "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
_Static_assert(sizeof(SAMPLE_KEY) - 1 == CONFIG_NAME_MAX, "as long as a name can be");

/*
 * One of two knocks by addresses of the documentation's networks (RFC 5737, 3849), which differ in
 * all that knocks at this door can differ in.
 */
static struct knock sample_knock(const struct draft *draft, const struct addr *address, int which)
{
    const struct config_door *door = draft->door;
    struct knock knock = knock_plain(door, NULL, address, "sequence");
    if (which == 0)
        knock.key = SAMPLE_KEY;
    else if (door->keys.count > 0)
        knock.length = door->max_timeout > knock.length ? door->max_timeout : CLOCK_SECOND / 2;
    if (which == 1 && door->port_count > 0)
        knock.port = (struct port_proto){UINT16_MAX, knock.port.proto ^ IPPROTO_TCP ^ IPPROTO_UDP};
    return knock;
}

static bool try_command(struct draft *draft, const struct config_text *text, int which,
                        struct words *words)
{
    static const char *const samples[2][2] = {{"192.0.2.1", "192.0.2.2"},
                                              {"2001:db8::1", "2001:db8::2"}};
    const char *sample = samples[draft->ip6][which];
    struct value_texts texts;
    struct addr address;
    char why[160];
    bool ok = addr_parse(sample, strlen(sample), &address);
    assert(ok);
    (void)ok;
    struct knock knock = sample_knock(draft, &address, which);
    value_texts_fill(&texts, &knock);
    if (template_expand(text->text, &texts.values, words, why, sizeof(why)))
        return true;
    report_error(draft->report, text->pos, "door \"%s\": %s", draft->door->name, why);
    return false;
}

static char *find_program(struct draft *draft, const char *name, struct config_pos pos)
{
    char why[320], *path = program_find(name);
    /* What another alternative finds nothing of is open all the same. */
    if (path && command_iptables_family(path) != 0)
        path = program_pin(path);
    if (path && program_runs(path, why, sizeof(why)))
        return path;
    if (path) {
        report_error(draft->report, pos, "door \"%s\": %s can't be executed: %s", draft->door->name,
                     name, why);
        free(path);
        return NULL;
    }
    if (strcmp(name, draft->ip6 ? "ip6tables" : "iptables") == 0)
        draft->lacks_iptables = true;
    else
        report_error(draft->report, pos, "door \"%s\": %s: %s", draft->door->name, name,
                     program_missing(name));
    return NULL;
}

/* The first word names the program, which must be known now: so nothing that a knock brings. */
static char *check_program(struct draft *draft, const struct config_text *text)
{
    struct words words, other;
    if (!try_command(draft, text, 0, &words) || !try_command(draft, text, 1, &other))
        return NULL;
    if (strcmp(words.text, other.text) != 0) {
        report_error(draft->report, text->pos,
                     "door \"%s\": the name of the program can't hold %%IP%%, nor what sealed "
                     "knocks choose: %%PORT%%, %%PROTO%%, %%TIMEOUT%%, %%KEY%%",
                     draft->door->name);
        return NULL;
    }
    return find_program(draft, words.text, text->pos);
}

static int add_command(struct plan_list *list, char *program, char *template)
{
    struct plan_command *items = realloc(list->items, (list->count + 1) * sizeof(*items));
    if (!items || !program || !template) {
        list->items = items ? items : list->items;
        free(program);
        free(template);
        return -1;
    }
    items[list->count++] = (struct plan_command){program, template};
    list->items = items;
    return 0;
}

static int plan_texts(struct draft *draft, const struct config_list *texts, struct plan_list *out)
{
    int rc = 0;
    for (unsigned i = 0; i < texts->count; i++) {
        char *program = check_program(draft, &texts->items[i]);
        if (!program || add_command(out, program, strdup(texts->items[i].text)) < 0)
            rc = -1;
    }
    return rc;
}

static int plan_rule(struct draft *draft, const struct config_text *rule, const char *action,
                     struct plan_list *out)
{
    char why[160];
    bool comment = draft->comments && draft->door->comment;
    struct config_text derived = {
        .text = rule_command(rule->text, action, comment, why, sizeof(why)), .pos = rule->pos};
    if (!derived.text) {
        report_error(draft->report, rule->pos, "door \"%s\": %s", draft->door->name, why);
        return -1;
    }
    char *program = check_program(draft, &derived);
    if (program)
        return add_command(out, program, derived.text);
    free(derived.text);
    return -1;
}

static const struct config_list *choose(bool ip6, const struct config_list *own,
                                        const struct config_list *common)
{
    return ip6 && own->set ? own : common;
}

static int plan_extend(struct draft *draft, struct plan *plan)
{
    const struct config_commands *ip4 = &draft->door->ip4, *ip6 = &draft->door->ip6;
    return plan_texts(draft, choose(draft->ip6, &ip6->extend, &ip4->extend), &plan->extend);
}

static int plan_check(struct draft *draft, struct plan *plan)
{
    const struct config_commands *ip4 = &draft->door->ip4, *ip6 = &draft->door->ip6;
    return plan_texts(draft, choose(draft->ip6, &ip6->check, &ip4->check), &plan->check);
}

static int plan_commands(struct draft *draft, struct plan *plan)
{
    const struct config_commands *ip4 = &draft->door->ip4, *ip6 = &draft->door->ip6;
    int rc = plan_texts(draft, choose(draft->ip6, &ip6->start, &ip4->start), &plan->start);
    if (draft->door->closer) {
        ip4 = &draft->door->closer->ip4;
        ip6 = &draft->door->closer->ip6;
        if (plan_texts(draft, choose(draft->ip6, &ip6->start, &ip4->start), &plan->stop) < 0)
            rc = -1;
    } else if (plan_texts(draft, choose(draft->ip6, &ip6->stop, &ip4->stop), &plan->stop) < 0) {
        rc = -1;
    }
    if (plan_check(draft, plan) < 0)
        rc = -1;
    return plan_extend(draft, plan) < 0 ? -1 : rc;
}

/* Rules go in as they are listed and come out backwards. */
static int plan_rules(struct draft *draft, struct plan *plan)
{
    const struct config_list *rules = &draft->door->rules;
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < rules->count; i++)
        rc = plan_rule(draft, &rules->items[i], "-I", &plan->start);
    for (unsigned i = rules->count; rc == 0 && i-- > 0;)
        rc = plan_rule(draft, &rules->items[i], "-D", &plan->stop);
    /* A check of the administrator's own knows better than -C. */
    if (rc == 0)
        rc = plan_check(draft, plan);
    bool derive = plan->check.count == 0;
    for (unsigned i = 0; rc == 0 && derive && i < rules->count; i++)
        rc = plan_rule(draft, &rules->items[i], "-C", &plan->check);
    /* A knock on an open door needs no new rule, but may do something else as well. */
    return rc < 0 ? rc : plan_extend(draft, plan);
}

/* Whether anyone of this family may come at all: an IPv4 door needs no ip6tables. */
static bool family_wanted(const struct config_door *door, bool ip6)
{
    for (unsigned i = 0; i < door->allow_count; i++)
        if (door->allow[i].addr.family == (ip6 ? 6 : 4))
            return true;
    return door->allow_count == 0;
}

/* Commands that name iptables can't take an IPv6 address, nor ip6tables the other: such a door is
 * for one family only, unless it has commands of its own for the other. */
static bool of_other_family(const struct draft *draft, const struct plan *plan)
{
    const char *other = draft->ip6 ? "iptables" : "ip6tables";
    for (unsigned i = 0; i < plan->start.count; i++) {
        const char *slash = strrchr(plan->start.items[i].program, '/');
        if (slash && strcmp(slash + 1, other) == 0) {
            report_warning(draft->report, draft->door->pos,
                           "door \"%s\": its start command is %s, so it won't open for %s",
                           draft->door->name, other, draft->ip6 ? "IPv6" : "IPv4");
            return true;
        }
    }
    return false;
}

/* Whether all commands of the list are such as run in batches. */
static bool run_together(struct draft *draft, const struct plan_list *list)
{
    bool together = true;
    for (unsigned i = 0; together && i < list->count; i++) {
        const struct plan_command *plan = &list->items[i];
        struct config_text text = {.text = plan->template, .pos = draft->door->pos};
        struct batch_kind kind;
        struct command command = {0};
        struct words words;
        together = try_command(draft, &text, 0, &words) &&
                   command_from_words(&words, plan->program, &command) == 0 &&
                   batch_kind_of(&command, &kind);
        free(command.text);
    }
    return together;
}

static void plan_family(struct draft *draft, struct plan *plan)
{
    if (!family_wanted(draft->door, draft->ip6))
        return;
    unsigned errors = draft->report->errors;
    int rc = draft->door->rules.count ? plan_rules(draft, plan) : plan_commands(draft, plan);
    bool acts = plan->start.count > 0 || draft->door->closes.count > 0;
    plan->usable = rc == 0 && acts && !of_other_family(draft, plan);
    plan->together =
        plan->usable && run_together(draft, &plan->start) && run_together(draft, &plan->stop);
    if (draft->lacks_iptables)
        report_warning(draft->report, draft->door->pos,
                       "door \"%s\": %s isn't installed; it won't open for %s", draft->door->name,
                       draft->ip6 ? "ip6tables" : "iptables", draft->ip6 ? "IPv6" : "IPv4");
    else if (rc < 0 && draft->report->errors == errors)
        report_error(draft->report, draft->door->pos, "door \"%s\": out of memory",
                     draft->door->name);
}

static void plan_door(const struct config_door *door, const struct rule_comments *comments,
                      struct plan plan[2], struct report *report)
{
    unsigned errors = report->errors;
    for (int ip6 = 0; ip6 < 2; ip6++) {
        /* What is wrong in both families is said once. */
        if (report->errors > errors)
            return;
        struct draft draft = {.door = door, .report = report, .ip6 = ip6};
        draft.comments = comments && comments->of[ip6] != RULE_COMMENTS_MISSING;
        plan_family(&draft, &plan[ip6]);
    }
    if (!plan[0].usable && !plan[1].usable && report->errors == errors)
        report_error(report, door->pos, "door \"%s\": opens for neither IPv4 nor IPv6", door->name);
}

struct plans *plans_make(const struct config *config, const struct rule_comments *comments,
                         struct report *report)
{
    struct plans *plans = calloc(1, sizeof(*plans));
    if (plans)
        plans->doors = calloc(config->door_count + 1, sizeof(*plans->doors));
    if (!plans || !plans->doors) {
        report_error(report, (struct config_pos){config->path, 0}, "out of memory");
        free(plans);
        return NULL;
    }
    unsigned errors = report->errors;
    plans->count = config->door_count;
    for (unsigned i = 0; i < plans->count; i++)
        plan_door(&config->doors[i], comments, plans->doors[i], report);
    if (report->errors == errors)
        return plans;
    plans_free(plans);
    return NULL;
}

static void free_list(struct plan_list *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        free(list->items[i].program);
        free(list->items[i].template);
    }
    free(list->items);
}

void plans_free(struct plans *plans)
{
    if (!plans)
        return;
    for (unsigned i = 0; i < plans->count; i++) {
        for (int ip6 = 0; ip6 < 2; ip6++) {
            free_list(&plans->doors[i][ip6].start);
            free_list(&plans->doors[i][ip6].stop);
            free_list(&plans->doors[i][ip6].extend);
            free_list(&plans->doors[i][ip6].check);
        }
    }
    free(plans->doors);
    free(plans);
}

const struct plan *plans_get(const struct plans *plans, unsigned door, uint8_t family)
{
    assert(door < plans->count);
    return &plans->doors[door][family == 6];
}
