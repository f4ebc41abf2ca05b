/* Prints what rules --check finds, for people or for programs. */
#include "knockctl/findings.h"

#include <stdlib.h>
#include <string.h>

#include "knockctl/firewall.h"

FILE *findings_line(struct findings *findings)
{
    findings->text = NULL;
    findings->line = findings->json ? open_memstream(&findings->text, &findings->size) : NULL;
    return findings->line ? findings->line : findings->json ? stderr : findings->out;
}

static void add_field(struct row_fields *row, const char *key, const char *value, bool listed)
{
    row->fields[row->count++] =
        (struct row_field){key, value ? value : "null", .literal = !value, .listed = listed};
}

void findings_end(struct findings *findings, const struct finding_parts *parts)
{
    struct row_fields row = {.kind = "findings"};
    if (!findings->json)
        return;
    if (findings->line)
        fclose(findings->line);
    if (findings->text)
        findings->text[strcspn(findings->text, "\n")] = '\0';
    add_field(&row, "kind", parts->kind, false);
    if (parts->families & FIREWALL_IP4)
        add_field(&row, "families", "IPv4", true);
    if (parts->families & FIREWALL_IP6)
        add_field(&row, "families", "IPv6", true);
    add_field(&row, "table", parts->table, false);
    add_field(&row, "chain", parts->chain, false);
    add_field(&row, "rule", parts->rule, false);
    add_field(&row, "text", findings->text, false);
    json_row(findings->json, &row);
    free(findings->text);
}
