/*
 * From commands to a batch: a command whose every word means the same to iptables and to
 * iptables-restore, to nft with and without -f, or to ipset and its restore -> its kind -> one line
 * of the batch's input.
 * What is not surely the same stays a command of its own, and so does what may ask a resolver for a
 * name: it would keep the others waiting.
 */
#include "keeper/batch.h"

#include <ctype.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keeper/rule_deleter.h"
#include "keeper/set_command.h"
#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/command_words.h"

/* Longer ones, and longer lines, aren't worth a doubt about what iptables-restore takes. */
enum { WORD_LONGEST = 200, LINE_LONGEST = 1000 };

/* The words of a command that are still to be looked at. */
struct rest {
    const char *word; /* the next one; NULL: there is none */
    unsigned count;
};

static void skip_word(struct rest *rest)
{
    rest->word = --rest->count > 0 ? rest->word + strlen(rest->word) + 1 : NULL;
}

static bool is_next(const struct rest *rest, const char *name, const char *long_name)
{
    return rest->word && (strcmp(rest->word, name) == 0 || strcmp(rest->word, long_name) == 0);
}

static bool is_number(const char *word)
{
    return command_is_number(word, strlen(word));
}

/* A name of a table or a chain. */
static bool is_name(const char *word)
{
    for (const char *p = word; *p; p++)
        if (!isalnum((unsigned char)*p) && !(p > word && strchr("_-.", *p)))
            return false;
    return *word && strlen(word) < sizeof(((struct batch_kind *)NULL)->table);
}

/* -w, -w SECONDS and -t TABLE, in any order. */
static bool take_options(struct rest *rest, struct batch_kind *kind)
{
    strcpy(kind->table, "filter");
    strcpy(kind->wait, "-");
    while (is_next(rest, "-w", "--wait") || is_next(rest, "-t", "--table")) {
        bool table = is_next(rest, "-t", "--table");
        skip_word(rest);
        if (!rest->word || (table && !is_name(rest->word)))
            return false;
        if (!table)
            kind->wait[0] = '\0';
        if (table || is_number(rest->word)) {
            char *out = table ? kind->table : kind->wait;
            size_t size = table ? sizeof(kind->table) : sizeof(kind->wait);
            if ((size_t)snprintf(out, size, "%s", rest->word) >= size)
                return false;
            skip_word(rest);
        }
    }
    return rest->word != NULL;
}

/* It is about one rule, by what that says: a number would mean another rule in a batch. */
static bool check_action(struct rest rest, struct batch_kind *kind)
{
    kind->checks = is_next(&rest, "-C", "--check");
    if (!kind->checks && !is_next(&rest, "-I", "--insert") && !is_next(&rest, "-A", "--append") &&
        !is_next(&rest, "-D", "--delete"))
        return false;
    skip_word(&rest);
    if (!rest.word || !is_name(rest.word))
        return false;
    skip_word(&rest);
    return rest.word && !is_number(rest.word);
}

/* An address, or a network with its prefix or mask: no name of a host. */
static bool is_address(const char *text, size_t len, int family)
{
    struct addr addr;
    const char *slash = memchr(text, '/', len);
    size_t before = slash ? (size_t)(slash - text) : len;
    if (!addr_parse(text, before, &addr) || addr.family != family)
        return false;
    if (!slash)
        return true;
    size_t behind = len - before - 1, digits = strspn(slash + 1, "0123456789");
    return (behind > 0 && digits >= behind && behind <= 3) || addr_parse(slash + 1, behind, &addr);
}

/* As -s and -d take them. */
static bool are_addresses(const char *word, int family)
{
    for (;; word++) {
        size_t len = strcspn(word, ",");
        if (!is_address(word, len, family))
            return false;
        word += len;
        if (!*word)
            return true;
    }
}

static bool is_one_of(const char *word, const char *const *names)
{
    for (; *names; names++)
        if (strcmp(word, *names) == 0)
            return true;
    return false;
}

/* Options that are followed by addresses. */
static const char *const addressed[] = {"-s",    "--source",      "--src", "-d",
                                        "--dst", "--destination", NULL};

/* Options that iptables-restore takes in the same way, and which ask no resolver: names of ports
 * and protocols stand in files. */
static const char *const known[] = {
    "-p",
    "--protocol",
    "--proto",
    "-i",
    "--in-interface",
    "-o",
    "--out-interface",
    "-m",
    "--match",
    "-j",
    "--jump",
    "-g",
    "--goto",
    "-f",
    "--dport",
    "--dports",
    "--destination-port",
    "--destination-ports",
    "--sport",
    "--sports",
    "--source-port",
    "--source-ports",
    "--ports",
    "--tcp-flags",
    "--syn",
    "--icmp-type",
    "--icmpv6-type",
    "--ctstate",
    "--ctdir",
    "--state",
    "--comment",
    "--log-prefix",
    "--log-level",
    "--nflog-group",
    "--nflog-prefix",
    "--reject-with",
    "--to-destination",
    "--to-source",
    "--to-ports",
    "--mark",
    "--set-mark",
    "--set-xmark",
    "--match-set",
    "--limit",
    "--limit-burst",
    "--mac-source",
    "--src-range",
    "--dst-range",
    "--src-type",
    "--dst-type",
    "--physdev-in",
    "--physdev-out",
    NULL,
};

static bool is_plain(const char *word)
{
    for (const char *p = word; *p; p++)
        if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
            return false;
    return *word && strlen(word) <= WORD_LONGEST;
}

/* From its action on. */
static bool check_words(struct rest rest, int family)
{
    size_t size = 0;
    bool addresses = false;
    skip_word(&rest);
    for (; rest.word; skip_word(&rest)) {
        bool option = rest.word[0] == '-';
        if (!is_plain(rest.word) || (addresses && !are_addresses(rest.word, family)))
            return false;
        addresses = option && is_one_of(rest.word, addressed);
        if (option && !addresses && !is_one_of(rest.word, known))
            return false;
        size += strlen(rest.word) + 3;
    }
    return size <= LINE_LONGEST;
}

/* --- all of them --- */

static bool copy_program(const struct command *command, struct batch_kind *kind)
{
    return (size_t)snprintf(kind->program, sizeof(kind->program), "%s", command->text) <
           sizeof(kind->program);
}

/* Splits a command of iptables at its action. */
static bool split(const struct command *command, struct batch_kind *kind, struct rest *action)
{
    *action = (struct rest){command->text, command->words};
    if (command_iptables_family(command->text) == 0 || !copy_program(command, kind))
        return false;
    skip_word(action);
    return take_options(action, kind);
}

/* Whether the command is one of nft, or of ipset, that changes elements of sets, or looks. */
static bool find_set_form(const struct command *command, struct set_form *form)
{
    return command_is_nft(command->text)     ? set_form_of_nft(command, form)
           : command_is_ipset(command->text) ? set_form_of_ipset(command, form)
                                             : false;
}

bool batch_kind_of(const struct command *command, struct batch_kind *out)
{
    struct set_form form;
    struct rest action;
    *out = (struct batch_kind){0};
    if (find_set_form(command, &form)) {
        out->checks = form.checks;
        out->exist = form.exist;
        return copy_program(command, out);
    }
    return split(command, out, &action) && check_action(action, out) &&
           check_words(action, command_iptables_family(out->program));
}

bool batch_may_repeat(const struct command *command)
{
    struct set_form form;
    return find_set_form(command, &form) && form.repeats;
}

bool batch_adds_element(const struct command *command)
{
    struct set_form form;
    return find_set_form(command, &form) && form.adds;
}

int batch_look(const struct command *command, struct command *out, bool *deletes)
{
    static const char check[] = "-C";
    struct batch_kind kind;
    struct rest action;
    if (!split(command, &kind, &action))
        return -1;
    size_t before = (size_t)(action.word - command->text), old = strlen(action.word) + 1;
    *deletes = is_next(&action, "-D", "--delete");
    *out = (struct command){.words = command->words,
                            .size = command->size - old + sizeof(check),
                            .text = malloc(command->size + sizeof(check))};
    if (!out->text)
        return -1;
    memcpy(out->text, command->text, before);
    memcpy(out->text + before, check, sizeof(check));
    memcpy(out->text + before + sizeof(check), command->text + before + old,
           command->size - before - old);
    return 0;
}

const char *batch_rule(const struct command *command, unsigned *words)
{
    struct batch_kind kind;
    struct rest rest;
    if (command_iptables_family(command->text) == 0 || !split(command, &kind, &rest) || !rest.word)
        return NULL;
    skip_word(&rest);
    *words = rest.count;
    return rest.word;
}

bool batch_kinds_equal(const struct batch_kind *a, const struct batch_kind *b)
{
    return strcmp(a->program, b->program) == 0 && strcmp(a->table, b->table) == 0 &&
           strcmp(a->wait, b->wait) == 0 && a->checks == b->checks && a->exist == b->exist;
}

/* One file is both programs, by the name that it is called: so they can't be of two backends. */
static bool are_one_file(const char *a, const char *b)
{
    char *real_a = realpath(a, NULL), *real_b = realpath(b, NULL);
    bool same = real_a && real_b && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return same;
}

/* The words of iptables-restore for the kind, up to NULL; `program` is room for the first. -1: it
 * isn't there. */
static int restore_words(const struct batch_kind *kind, char *program, size_t size,
                         const char *words[5])
{
    unsigned count = 2;
    snprintf(program, size, "%s-restore", kind->program);
    if (!are_one_file(kind->program, program))
        return -1;
    words[0] = program;
    words[1] = "--noflush";
    if (strcmp(kind->wait, "-") != 0)
        words[count++] = "-w";
    if (is_number(kind->wait))
        words[count++] = kind->wait;
    words[count] = NULL;
    return 0;
}

static int restore_command(const struct batch_kind *kind, struct command *out)
{
    char program[sizeof(kind->program) + 16];
    const char *words[5];
    return restore_words(kind, program, sizeof(program), words) < 0
               ? -1
               : command_of_program(program, words + 1, out);
}

static bool is_iptables_nft(const char *program)
{
    char *real = command_iptables_family(program) ? realpath(program, NULL) : NULL;
    bool nft = real && strcmp(command_base_name(real), "xtables-nft-multi") == 0;
    free(real);
    return nft;
}

bool batch_changes_nft(const struct batch_kind *kind)
{
    return !kind->checks && (command_is_nft(kind->program) || is_iptables_nft(kind->program));
}

int batch_delete_command(const struct batch_kind *kind, const char *knockd, struct command *out)
{
    char program[sizeof(kind->program) + 16];
    const char *words[8] = {RULE_DELETER, kind->program, kind->table};
    if (kind->checks || !is_iptables_nft(kind->program) ||
        restore_words(kind, program, sizeof(program), words + 3) < 0)
        return -1;
    return command_of_program(knockd, words, out);
}

int batch_save_command(const struct batch_kind *kind, struct command *out)
{
    char program[sizeof(kind->program) + 16];
    const char *arguments[] = {"-t", kind->table, NULL};
    snprintf(program, sizeof(program), "%s-save", kind->program);
    if (command_iptables_family(kind->program) == 0 || !are_one_file(kind->program, program))
        return -1;
    return command_of_program(program, arguments, out);
}

/* With -q its commands that look don't say each what they see; nor which of them failed. */
static int ipset_command(const struct batch_kind *kind, struct command *out)
{
    const char *arguments[3] = {kind->checks ? "-q" : kind->exist ? "-exist" : "restore"};
    if (kind->checks || kind->exist)
        arguments[1] = "restore";
    return command_of_program(kind->program, arguments, out);
}

int batch_command(const struct batch_kind *kind, struct command *out)
{
    static const char *const nft[] = {"-f", "-", NULL};
    return command_is_nft(kind->program)     ? command_of_program(kind->program, nft, out)
           : command_is_ipset(kind->program) ? ipset_command(kind, out)
                                             : restore_command(kind, out);
}

static void write_rule(FILE *text, const struct command *command)
{
    struct batch_kind kind;
    struct rest rest;
    if (!split(command, &kind, &rest))
        return;
    for (; rest.word; skip_word(&rest))
        fprintf(text, strchr(rest.word, ' ') ? "\"%s\"%c" : "%s%c", rest.word,
                rest.count > 1 ? ' ' : '\n');
}

static void write_rules(FILE *text, const struct batch_kind *kind,
                        const struct command *const *commands, unsigned count)
{
    fprintf(text, "*%s\n", kind->table);
    for (unsigned i = 0; i < count; i++)
        write_rule(text, commands[i]);
    fputs("COMMIT\n", text);
}

static void write_input(FILE *text, const struct batch_kind *kind,
                        const struct command *const *commands, unsigned count)
{
    if (command_is_nft(kind->program))
        for (unsigned i = 0; i < count; i++)
            set_write_nft(text, commands[i]);
    else if (command_is_ipset(kind->program))
        for (unsigned i = 0; i < count; i++)
            set_write_ipset(text, commands[i], kind->checks);
    else
        write_rules(text, kind, commands, count);
}

char *batch_text(const struct batch_kind *kind, const struct command *const *commands,
                 unsigned count, size_t *size)
{
    char *out = NULL;
    FILE *text = open_memstream(&out, size);
    if (!text)
        return NULL;
    write_input(text, kind, commands, count);
    bool failed = ferror(text);
    if (fclose(text) == 0 && !failed)
        return out;
    free(out);
    return NULL;
}

bool batch_is_one_by_one(const struct batch_kind *kind)
{
    return command_is_ipset(kind->program);
}

unsigned batch_failed_at(const struct batch_kind *kind, const char *output)
{
    static const char names[] = "Error in line ";
    const char *error = batch_is_one_by_one(kind) ? strstr(output, names) : NULL;
    char *end = NULL;
    long line = error ? strtol(error + sizeof(names) - 1, &end, 10) : 0;
    return line > 0 && line <= INT_MAX && *end == ':' ? (unsigned)(line - 1) / SET_IPSET_LINES + 1
                                                      : 0;
}

bool batch_was_locked_out(const struct batch_kind *kind, int status, int64_t ns)
{
    enum { RESOURCE_PROBLEM = 4 }; /* of iptables(8) */
    int64_t seconds = is_number(kind->wait) ? atoll(kind->wait) : 0;
    return status == RESOURCE_PROBLEM && seconds > 0 && ns >= seconds * CLOCK_SECOND * 9 / 10;
}
