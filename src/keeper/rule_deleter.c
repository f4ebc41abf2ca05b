/*
 * A batch at standard input -> commands that delete -> the table as iptables-save prints it, which
 * tells the number of each rule in its chain -> the chains as the kernel numbers them, which tell
 * its handle -> deleted, if the firewall is still of the generation in which all of this was read;
 * else once more. A handle is never another rule's, and so is nothing of a generation: what goes is
 * what iptables would have deleted, or nothing.
 */
#include "keeper/rule_deleter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "keeper/batch.h"
#include "keeper/nft_rules.h"
#include "keeper/process_output.h"
#include "keeper/rule_search.h"
#include "lib/clock.h"
#include "lib/grow.h"
#include "lib/rule_words.h"

/* How often the firewall may change between a look and what follows. */
enum { TRIES = 5 };

/* How long the table may take to be printed: until our own limit, by which we are killed. */
static const int64_t save_limit = 3600 * CLOCK_SECOND;

/* What iptables-restore compares in about a second. More isn't left to it: the batch fails, and is
 * tried again by halves. */
enum { COMPARED_MOST = 1 << 20 };

/* Chains that one batch is about. */
enum { CHAINS_MOST = 16 };

struct chain {
    const char *name;
    uint64_t *handles;
    unsigned count;
};

struct deleter {
    const char *iptables, *table;
    struct command *commands;
    struct nft_rule *rules; /* that the commands delete, in their order */
    unsigned count;
    struct chain chains[CHAINS_MOST];
    unsigned chain_count;
    uint64_t compared; /* that iptables-restore would compare, as far as that is known */
    int netlink;
};

/* How a try ended. */
enum result { DONE, ABSENT, CHANGED, UNSURE };

/* --- what is to be deleted --- */

/* The command "IPTABLES -t TABLE -D CHAIN ...". -1 when memory is short. */
static int make_command(const struct deleter *d, const struct rule_words *line, struct command *out)
{
    size_t size = 0;
    FILE *text = open_memstream(&out->text, &size);
    if (!text)
        return -1;
    fprintf(text, "%s%c-t%c%s%c", d->iptables, 0, 0, d->table, 0);
    for (unsigned i = 0; i < line->count; i++)
        fprintf(text, "%s%c", line->words[i], 0);
    if (fclose(text) != 0)
        return -1;
    out->words = line->count + 3;
    out->size = size;
    return 0;
}

/* False when the line is none that deletes a rule, or memory is short. */
static bool add_line(struct deleter *d, const char *line, size_t len)
{
    struct rule_words words;
    struct command *commands = grow(d->commands, d->count, sizeof(*commands));
    if (!commands)
        return false;
    d->commands = commands;
    bool good = rule_words_split(line, len, &words) && words.count > 2 &&
                strcmp(words.words[0], "-D") == 0 &&
                make_command(d, &words, &commands[d->count]) == 0;
    free(words.text);
    d->count += good;
    return good;
}

/* False when not all of the input is understood. */
static bool read_batch(struct deleter *d)
{
    char *line = NULL;
    size_t room = 0;
    bool good = true, whole = false;
    while (good && getline(&line, &room, stdin) >= 0) {
        size_t len = strcspn(line, "\n");
        if (line[0] == '*')
            good = strlen(d->table) == len - 1 && memcmp(line + 1, d->table, len - 1) == 0;
        else if (len == strlen("COMMIT") && memcmp(line, "COMMIT", len) == 0)
            whole = true;
        else
            good = !whole && add_line(d, line, len);
    }
    free(line);
    return good && whole && d->count > 0;
}

/* --- which rules these are --- */

/* The table as iptables prints it; NULL: it can't be had, or read. */
static struct rule_search *search_table(const struct deleter *d)
{
    struct batch_kind kind = {0};
    struct command save = {0};
    struct rule_search *search = NULL;
    char *text = NULL;
    size_t size = 0;
    int status = -1;
    snprintf(kind.program, sizeof(kind.program), "%s", d->iptables);
    snprintf(kind.table, sizeof(kind.table), "%s", d->table);
    FILE *file = batch_save_command(&kind, &save) < 0
                     ? NULL
                     : process_output(&save, false, clock_now() + save_limit, &status);
    if (file && status == 0 && fseek(file, 0, SEEK_END) == 0) {
        long end = ftell(file);
        size = end > 0 ? (size_t)end : 0;
        rewind(file);
        text = size > 0 ? malloc(size) : NULL;
    }
    if (text && fread(text, 1, size, file) == size)
        search = rule_search_new(text, size);
    free(text);
    free(save.text);
    if (file)
        fclose(file);
    return search;
}

/* The chain of that name, of which the kernel is asked the first time. NULL and errno. */
static const struct chain *find_chain(struct deleter *d, const char *name)
{
    for (unsigned i = 0; i < d->chain_count; i++)
        if (strcmp(d->chains[i].name, name) == 0)
            return &d->chains[i];
    if (d->chain_count == CHAINS_MOST) {
        errno = E2BIG;
        return NULL;
    }
    struct chain *chain = &d->chains[d->chain_count];
    *chain = (struct chain){.name = name};
    if (nft_rules_list(d->netlink, command_iptables_family(d->iptables), d->table, name,
                       &chain->handles, &chain->count) < 0)
        return NULL;
    d->chain_count++;
    return chain;
}

static void forget_chains(struct deleter *d)
{
    for (unsigned i = 0; i < d->chain_count; i++)
        free(d->chains[i].handles);
    d->chain_count = 0;
}

/* Finds the rule of the command number `i`. */
static enum result find_rule(struct deleter *d, struct rule_search *search, unsigned i)
{
    unsigned words, number = 0, printed = 0;
    const char *name = batch_rule(&d->commands[i], &words);
    enum rule_found found = rule_search_take(search, &d->commands[i], &number, &printed);
    const struct chain *chain = found == RULE_THERE ? find_chain(d, name) : NULL;
    if (found == RULE_ABSENT)
        return ABSENT;
    if (found == RULE_THERE && !chain && errno == EINTR)
        return CHANGED;
    /* What was printed isn't all that there is, or that has changed. */
    if (!chain || chain->count != printed)
        return UNSURE;
    d->rules[i] = (struct nft_rule){.chain = name, .handle = chain->handles[number]};
    d->compared += number + 1;
    return DONE;
}

static enum result find_rules(struct deleter *d, struct rule_search *search)
{
    enum result result = DONE;
    d->compared = 0;
    for (unsigned i = 0; i < d->count; i++) {
        enum result one = find_rule(d, search, i);
        if (one == CHANGED || one == ABSENT)
            return one;
        if (one == UNSURE)
            result = UNSURE;
    }
    return result;
}

static enum result try_deleting(struct deleter *d)
{
    uint32_t generation;
    enum result result = UNSURE;
    if (nft_rules_generation(d->netlink, &generation) < 0)
        return UNSURE;
    struct rule_search *search = search_table(d);
    if (search)
        result = find_rules(d, search);
    rule_search_free(search);
    forget_chains(d);
    if (result != DONE)
        return result;
    if (nft_rules_delete(d->netlink, command_iptables_family(d->iptables), d->table, d->rules,
                         d->count, generation) == 0)
        return DONE;
    return errno == ERESTART || errno == ENOENT ? CHANGED : UNSURE;
}

static enum result delete_rules(struct deleter *d)
{
    enum result result = CHANGED;
    d->netlink = nft_rules_socket();
    d->rules = read_batch(d) ? calloc(d->count, sizeof(*d->rules)) : NULL;
    if (d->netlink < 0 || !d->rules)
        return UNSURE;
    for (unsigned i = 0; i < TRIES && result == CHANGED; i++)
        result = try_deleting(d);
    return result;
}

static void free_deleter(struct deleter *d)
{
    for (unsigned i = 0; i < d->count; i++)
        free(d->commands[i].text);
    free(d->commands);
    free(d->rules);
    if (d->netlink >= 0)
        close(d->netlink);
}

int rule_deleter_main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    prctl(PR_SET_NAME, "knockd-deleter");
    struct deleter d = {.iptables = argv[2], .table = argv[3]};
    enum result result = delete_rules(&d);
    free_deleter(&d);
    if (result == DONE)
        return 0;
    if (result == ABSENT || d.compared > COMPARED_MOST) {
        fprintf(stderr, "%s\n",
                result == ABSENT    ? "a rule isn't there"
                : result == CHANGED ? "the firewall changes all the time"
                                    : "too many rules for iptables-restore");
        return 1;
    }
    if (lseek(STDIN_FILENO, 0, SEEK_SET) == 0)
        execv(argv[4], argv + 4);
    return 1;
}
