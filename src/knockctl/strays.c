/* knockctl close --stray, and what rules --check says of such rules. knockd finds and removes them,
 * since it alone knows what its openings own. */
#include "knockctl/strays.h"

#include <stdlib.h>
#include <string.h>

#include "knockctl/firewall.h"
#include "knockctl/knockctl.h"
#include "knockctl/program.h"
#include "knockctl/show.h"
#include "lib/log.h"
#include "lib/saved_rules.h"

static bool is_true(const struct row_fields *row, const char *key)
{
    const char *value = row_get(row, key);
    return value && strcmp(value, "true") == 0;
}

/* The command that removes it; no byte of the rule reaches the terminal as it is. */
static const char *safe_command(const struct row_fields *row, char out[ROW_MAX])
{
    const char *command = row_get(row, "command");
    log_encode(command ? command : "", command ? strlen(command) : 0, out, ROW_MAX);
    return *out ? out : "(a rule too long to show; see iptables-save)";
}

void show_strays(struct reply *reply, int *status)
{
    char command[ROW_MAX];
    struct row_fields row;
    long long listed = 0;
    while (client_row(reply, &row, status)) {
        if (strcmp(row.kind, "stray") == 0) {
            printf("%s: %s\n", is_true(&row, "removed") ? "removed" : "NOT REMOVED",
                   safe_command(&row, command));
            listed++;
            continue;
        }
        long long removed = (long long)row_get_number(&row, "removed");
        long long left = (long long)row_get_number(&row, "left");
        if (removed + left > listed)
            printf("... and %lld more\n", removed + left - listed);
        printf("removed: %lld\n", removed);
        if (left > 0)
            *status = KNOCKCTL_FAILED;
    }
}

/* --- rules --check --- */

static unsigned family_of(const struct row_fields *row)
{
    return row_get_number(row, "family") == 6 ? FIREWALL_IP6 : FIREWALL_IP4;
}

static void print_stray(struct findings *out, const struct row_fields *row)
{
    char command[ROW_MAX];
    const char *table = row_get(row, "table"), *door = row_get(row, "door");
    const char *kind = row_get(row, "kind");
    bool ours = kind && strcmp(kind, "ours") == 0, alike = kind && strcmp(kind, "alike") == 0;
    unsigned family = family_of(row);
    fprintf(findings_line(out),
            "IPv%d, table %s: a rule %s door %s that no opening owns, so nobody closes it; was the "
            "firewall saved while the door was open (netfilter-persistent save)? %s: %s\n",
            family == FIREWALL_IP6 ? 6 : 4, table ? table : "-", alike ? "like those of" : "of",
            door ? door : "-",
            ours    ? "knockctl close --stray removes it, as does"
            : alike ? "If it isn't your own, remove it"
                    : "The configuration has no such door; if no other knockd has, remove it",
            safe_command(row, command));
    findings_end(out, &(struct finding_parts){.kind = ours    ? "stray"
                                                      : alike ? "stray-alike"
                                                              : "stray-unknown",
                                              .families = family,
                                              .table = table,
                                              .rule = command});
}

/* Those of a family beyond the ones that were listed. */
static void print_more(struct findings *out, const struct row_fields *row, unsigned family,
                       unsigned listed)
{
    int64_t all = row_get_number(row, family == FIREWALL_IP6 ? "ipv6" : "ipv4");
    if (all <= (int64_t)listed)
        return;
    fprintf(findings_line(out), "IPv%d: and %lld more such rules\n", family == FIREWALL_IP6 ? 6 : 4,
            (long long)all - listed);
    findings_end(out, &(struct finding_parts){.kind = "more", .families = family});
}

static int ask_knockd(struct findings *out, const char *path, unsigned families)
{
    struct reply reply;
    struct row_fields row;
    unsigned listed[FIREWALL_IP6 + 1] = {0};
    int status = client_ask(&reply, "knockctl rules", path, "strays");
    if (status != KNOCKCTL_DONE)
        return -1;
    while (client_row(&reply, &row, &status)) {
        unsigned family = family_of(&row);
        bool one = strcmp(row.kind, "stray") == 0;
        for (unsigned i = FIREWALL_IP4; !one && i <= FIREWALL_IP6; i++)
            if (families & i)
                print_more(out, &row, i, listed[i]);
        if (!one || !(families & family))
            continue;
        print_stray(out, &row);
        listed[family]++;
    }
    client_end(&reply);
    return status == KNOCKCTL_DONE ? (int)(listed[FIREWALL_IP4] + listed[FIREWALL_IP6]) : -1;
}

static unsigned count_ours(char *text)
{
    struct saved_rules rules = {.file = *text ? fmemopen(text, strlen(text), "r") : NULL};
    const struct saved_rule *rule;
    unsigned count = 0;
    while (rules.file && (rule = saved_rules_next(&rules)))
        count += rule->door[0] != '\0';
    saved_rules_end(&rules);
    if (rules.file)
        fclose(rules.file);
    return count;
}

/* knockd may take them up, once it is started: of an earlier run that was killed. */
static int look_without_knockd(struct findings *out, unsigned families)
{
    int lines = 0;
    for (unsigned family = FIREWALL_IP4; family <= FIREWALL_IP6; family++) {
        char name[16], *argv[] = {name, NULL};
        char *text = NULL, *errors = NULL;
        unsigned count = 0;
        snprintf(name, sizeof(name), "%s",
                 family == FIREWALL_IP6 ? "ip6tables-save" : "iptables-save");
        if ((families & family) && program_run(argv, NULL, &text, &errors) == 0)
            count = count_ours(text);
        free(text);
        free(errors);
        if (count == 0)
            continue;
        fprintf(findings_line(out),
                "IPv%d: %u rule%s of doors in the firewall while knockd isn't running, so nobody "
                "closes %s; start it: it closes what it recorded, and tells of the rest\n",
                family == FIREWALL_IP6 ? 6 : 4, count, count == 1 ? "" : "s",
                count == 1 ? "it" : "them");
        findings_end(out, &(struct finding_parts){.kind = "unowned", .families = family});
        lines++;
    }
    return lines;
}

int strays_check(struct findings *out, const struct config *config, unsigned families)
{
    return client_reaches(config->control) ? ask_knockd(out, config->control, families)
                                           : look_without_knockd(out, families);
}
