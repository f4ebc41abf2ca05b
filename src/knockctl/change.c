/*
 * Writes a firewall change and the change that takes it back, and has the firewall program make
 * them.
 */
#include "knockctl/change.h"

#include <stdlib.h>
#include <string.h>

#include "knockctl/program.h"

static const char jump_first[] = "-A INPUT -j KNOCKD\n", jump_last[] = "-A INPUT -j KNOCKD-DENY\n";
static const char *const chains[] = {"KNOCKD", "KNOCKD-DENY"};

static const char *tool(enum rules_kind kind)
{
    return kind == RULES_NFT ? "nft" : kind == RULES_IP6 ? "ip6tables-restore" : "iptables-restore";
}

/* The whole of `line`, with its newline, at the start of a line of `text`. */
static bool has_line(const char *text, const char *line)
{
    for (const char *p = text; (p = strstr(p, line)); p++)
        if (p == text || p[-1] == '\n')
            return true;
    return false;
}

unsigned change_missing_jumps(const char *saved)
{
    return (has_line(saved, jump_first) ? 0 : JUMP_FIRST) |
           (has_line(saved, jump_last) ? 0 : JUMP_LAST);
}

/* Prints the lines of `text` that begin with `start`. */
static bool copy_lines(FILE *out, const char *text, const char *start)
{
    bool any = false;
    for (const char *line = text, *end; *line; line = end) {
        end = line + strcspn(line, "\n");
        end += *end == '\n';
        if (strncmp(line, start, strlen(start)) != 0)
            continue;
        fwrite(line, 1, (size_t)(end - line), out);
        any = true;
    }
    return any;
}

/* A chain that was there gets its rules back; one that wasn't goes. */
static void undo_chain(FILE *out, const char *saved, const char *chain)
{
    char start[32];
    snprintf(start, sizeof(start), ":%s ", chain);
    if (!copy_lines(out, saved, start)) {
        fprintf(out, "-F %s\n-X %s\n", chain, chain);
        return;
    }
    snprintf(start, sizeof(start), "-A %s ", chain);
    copy_lines(out, saved, start);
}

/* Not the whole table: a door that closed meanwhile must not come back with it. */
char *change_undo_iptables(const char *saved)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    unsigned missing = change_missing_jumps(saved);
    fputs("*filter\n", out);
    if (missing & JUMP_FIRST)
        fputs("-D INPUT -j KNOCKD\n", out);
    if (missing & JUMP_LAST)
        fputs("-D INPUT -j KNOCKD-DENY\n", out);
    /* KNOCKD goes first: it jumps to the other. */
    for (unsigned i = 0; i < 2; i++)
        undo_chain(out, saved, chains[i]);
    fputs("COMMIT\n", out);
    return fclose(out) == 0 ? text : NULL;
}

static bool make_iptables(struct change *change, const struct rules *rules)
{
    bool ip6 = change->kind == RULES_IP6;
    char name[16];
    snprintf(name, sizeof(name), "%stables-save", ip6 ? "ip6" : "ip");
    char *argv[] = {name, (char[]){"-t"}, (char[]){"filter"}, NULL};
    char *saved = NULL;
    size_t size;
    if (program_run(argv, NULL, &saved, NULL) != 0) {
        fprintf(stderr,
                "knockctl rules: cannot read the rules in place with %s: is it installed, "
                "and are you root?\n",
                name);
        free(saved);
        return false;
    }
    FILE *out = open_memstream(&change->apply, &size);
    if (out) {
        rules_print_iptables(out, rules, change->kind, change_missing_jumps(saved));
        if (fclose(out) != 0)
            out = NULL;
    }
    change->undo = change_undo_iptables(saved);
    change->fallback = strdup("*filter\n:KNOCKD - [0:0]\n:KNOCKD-DENY - [0:0]\nCOMMIT\n");
    free(saved);
    return out && change->undo && change->fallback;
}

/* What `nft list chain` prints can be read again. NULL: no such chain. */
static char *list_chain(const char *chain)
{
    char name[16], *text = NULL, *errors = NULL;
    snprintf(name, sizeof(name), "%s", chain);
    char *argv[] = {(char[]){"nft"},
                    (char[]){"list"},
                    (char[]){"chain"},
                    (char[]){"inet"},
                    (char[]){"knockd"},
                    name,
                    NULL};
    int status = program_run(argv, NULL, &text, &errors);
    free(errors);
    if (status == 0)
        return text;
    free(text);
    return NULL;
}

static bool make_nft(struct change *change, const struct rules *rules)
{
    char *check[] = {(char[]){"nft"}, (char[]){"list"}, (char[]){"tables"}, NULL};
    size_t size;
    if (program_run(check, NULL, NULL, NULL) != 0) {
        fputs("knockctl rules: cannot read the rules in place with nft: is it installed, and are "
              "you root?\n",
              stderr);
        return false;
    }
    FILE *out = open_memstream(&change->apply, &size);
    if (out) {
        rules_print_nft(out, rules);
        if (fclose(out) != 0)
            out = NULL;
    }
    char *input = list_chain("input"), *deny = list_chain("deny");
    int rc = 0;
    if (input && deny)
        rc = asprintf(&change->undo,
                      "flush chain inet knockd input\nflush chain inet knockd deny\n"
                      "%s%s",
                      input, deny);
    else
        change->undo = strdup("delete table inet knockd\n");
    free(input);
    free(deny);
    return out && rc >= 0 && change->undo;
}

bool change_make(struct change *out, const struct rules *rules, enum rules_kind kind)
{
    *out = (struct change){.kind = kind};
    return kind == RULES_NFT ? make_nft(out, rules) : make_iptables(out, rules);
}

void change_free(struct change *change)
{
    free(change->apply);
    free(change->undo);
    free(change->fallback);
}

static bool stream(enum rules_kind kind, const char *text)
{
    char name[24];
    snprintf(name, sizeof(name), "%s", tool(kind));
    char *nft[] = {name, (char[]){"-f"}, (char[]){"-"}, NULL};
    char *iptables[] = {name, (char[]){"--noflush"}, (char[]){"-w"}, (char[]){"5"}, NULL};
    return program_run(kind == RULES_NFT ? nft : iptables, text, NULL, NULL) == 0;
}

bool change_apply(const struct change *change)
{
    if (stream(change->kind, change->apply))
        return true;
    fprintf(stderr, "knockctl rules: %s failed: nothing of this was applied\n", tool(change->kind));
    return false;
}

bool change_undo(const struct change *change)
{
    if (stream(change->kind, change->undo))
        return true;
    if (change->fallback && stream(change->kind, change->fallback)) {
        fprintf(stderr,
                "knockctl rules: someone changed the rules meanwhile; the chains KNOCKD and "
                "KNOCKD-DENY are empty now: have a look\n");
        return true;
    }
    fprintf(stderr, "knockctl rules: %s failed: the rules on trial may still stand\n",
            tool(change->kind));
    return false;
}
