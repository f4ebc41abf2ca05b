/*
 * Finds the rule in a pair of iptables commands. Only words are let through that iptables takes for
 * sure, since knockd -t tries rules; with all others the commands stay what they are.
 */
#include <ctype.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/import_command.h"
#include "lib/addr.h"
#include "lib/command_words.h"

/* A command of iptables, taken apart. */
struct action {
    struct command_words text;
    bool ip6;
    char kind;          /* A, I or D; 0: another */
    const char *table;  /* NULL: filter */
    const char *chain;  /* NULL: none */
    const char *number; /* behind the chain; NULL: none */
    char **rest;        /* matches and target */
};

/* What the matches were like so far. */
struct matches {
    struct import_rule *rule;
    const char *chain;
    bool nat;
    bool source, proto, tcp, state, conntrack, multiport, comment, destination, in, out_interface;
    bool dport, more_ports;
    bool target, dnat;
};

static bool is(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || (b && strcmp(word, b) == 0);
}

static bool is_digits(const char *word)
{
    return *word && word[strspn(word, "0123456789")] == '\0';
}

/* --- commands --- */

static char kind_of(const char *word)
{
    return is(word, "-A", "--append")   ? 'A'
           : is(word, "-I", "--insert") ? 'I'
           : is(word, "-D", "--delete") ? 'D'
                                        : '\0';
}

/* Takes -w, which waits for a lock and is no part of the rule, and -t off the words; then the
 * action. */
static bool take_action(char **word, struct action *out)
{
    for (; *word && !out->kind; word++) {
        bool number = word[1] && is_digits(word[1]);
        if (is(*word, "-w", "--wait"))
            word += number;
        else if (is(*word, "-t", "--table") && word[1] && !out->table)
            out->table = *++word;
        else if (!(out->kind = kind_of(*word)))
            return false;
    }
    if (!out->kind || !*word)
        return false;
    out->chain = *word++;
    if (*word && is_digits(*word))
        out->number = *word++;
    out->rest = word;
    return true;
}

static bool take_apart(const struct import_command *command, struct action *out)
{
    *out = (struct action){0};
    if (!command->text || command->shell || command_words_split(command->text, &out->text))
        return false;
    const char *program = command_base_name(out->text.words[0]);
    out->ip6 = strcmp(program, "ip6tables") == 0;
    return (out->ip6 || strcmp(program, "iptables") == 0) && take_action(out->text.words + 1, out);
}

bool import_deletes_by_number(const struct import_command *start, const struct import_command *stop)
{
    struct action insert, take;
    return take_apart(start, &insert) && take_apart(stop, &take) && insert.kind != 'D' &&
           take.kind == 'D' && take.number && !*take.rest;
}

/* --- matches that are sure --- */

static bool is_name(const char *word, size_t longest)
{
    for (const char *p = word; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_-.", *p))
            return false;
    return *word && *word != '-' && strlen(word) <= longest;
}

/* 1 to 65535; 0: no port. */
static unsigned port_of(const char *text, size_t len)
{
    char digits[8] = "";
    if (len == 0 || len > 5)
        return 0;
    memcpy(digits, text, len);
    unsigned long value = is_digits(digits) ? strtoul(digits, NULL, 10) : 0;
    return value <= 65535 && *digits != '0' ? (unsigned)value : 0;
}

static bool is_ports(const char *word)
{
    unsigned count = 0, port;
    for (size_t len; *word; word += len + (word[len] == ',')) {
        len = strcspn(word, ",");
        port = port_of(word, len);
        if (port == 0 || ++count > 15 || (word[len] == ',' && !word[len + 1]))
            return false;
    }
    return count > 0;
}

static bool is_port_range(const char *word)
{
    size_t len = strcspn(word, ":");
    unsigned from = port_of(word, len);
    return from > 0 && (!word[len] || port_of(word + len + 1, strlen(word + len + 1)) >= from);
}

static bool is_states(const char *word)
{
    static const char *const names[] = {"NEW", "ESTABLISHED", "RELATED", "INVALID", NULL};
    for (size_t len;; word += len + 1) {
        const char *const *known = names;
        len = strcspn(word, ",");
        while (*known && (strlen(*known) != len || strncmp(*known, word, len) != 0))
            known++;
        if (!*known)
            return false;
        if (!word[len])
            return true;
    }
}

static bool is_ip4_net(const char *word)
{
    struct net net;
    return net_parse(word, &net) && net.addr.family == 4;
}

/* ADDRESS, or ADDRESS:PORT. */
static bool is_dnat_target(const char *word)
{
    struct addr addr;
    size_t len = strcspn(word, ":");
    return addr_parse(word, len, &addr) && addr.family == 4 &&
           (!word[len] || port_of(word + len + 1, strlen(word + len + 1)) > 0);
}

static bool once(bool *seen)
{
    bool first = !*seen;
    *seen = true;
    return first;
}

static bool take_module(struct matches *m, const char *value)
{
    if (is(value, "tcp", NULL))
        return m->proto && m->tcp;
    if (is(value, "udp", NULL))
        return m->proto && m->rule->udp;
    if (is(value, "state", NULL))
        return once(&m->state);
    if (is(value, "conntrack", NULL))
        return once(&m->conntrack);
    if (is(value, "multiport", NULL))
        return m->proto && once(&m->multiport);
    return is(value, "comment", NULL) && once(&m->comment);
}

static bool take_proto(struct matches *m, const char *value)
{
    m->tcp = is(value, "tcp", NULL);
    m->rule->udp = is(value, "udp", NULL);
    return (m->tcp || m->rule->udp) && once(&m->proto);
}

static bool take_source(struct matches *m, const char *value)
{
    m->rule->one_family |= is(value, "%IP%/32", NULL);
    return is(value, "%IP%", "%IP%/32") && once(&m->source);
}

static bool take_port(struct matches *m, const char *value)
{
    m->rule->port = port_of(value, strlen(value));
    return m->proto && is_port_range(value) && once(&m->dport);
}

static bool take_target(struct matches *m, const char *value)
{
    m->dnat = is(value, "DNAT", NULL);
    return (m->dnat ? m->nat && is(m->chain, "PREROUTING", NULL)
                    : is(value, "ACCEPT", NULL) && !m->nat) &&
           once(&m->target);
}

static bool outward(const char *chain)
{
    return is(chain, "OUTPUT", "POSTROUTING");
}

/* A match of two words. */
static bool take_pair(struct matches *m, const char *name, const char *value)
{
    if (is(name, "-j", "--jump"))
        return take_target(m, value);
    if (m->target) {
        m->rule->one_family = true;
        return m->dnat && is(name, "--to-destination", "--to") && is_dnat_target(value) &&
               once(&m->more_ports);
    }
    if (is(name, "-s", "--source") || is(name, "--src", NULL))
        return take_source(m, value);
    if (is(name, "-d", "--destination") || is(name, "--dst", NULL)) {
        m->rule->one_family = true;
        return is_ip4_net(value) && once(&m->destination);
    }
    if (is(name, "-p", "--protocol") || is(name, "--proto", NULL))
        return take_proto(m, value);
    if (is(name, "-m", "--match"))
        return take_module(m, value);
    if (is(name, "--dport", "--destination-port"))
        return take_port(m, value);
    if (is(name, "--dports", "--destination-ports"))
        return m->multiport && is_ports(value) && once(&m->more_ports);
    if (is(name, "--state", NULL))
        return m->state && is_states(value);
    if (is(name, "--ctstate", NULL))
        return m->conntrack && is_states(value);
    if (is(name, "--comment", NULL))
        return m->comment && strlen(value) < 128 && !strchr(value, '%');
    if (is(name, "-i", "--in-interface"))
        return is_name(value, IF_NAMESIZE - 1) && !outward(m->chain) && once(&m->in);
    return is(name, "-o", "--out-interface") && is(m->chain, "FORWARD", NULL) &&
           is_name(value, IF_NAMESIZE - 1) && once(&m->out_interface);
}

/* A module without its own match is a mistake. */
static bool is_complete(const struct matches *m, char *const *words)
{
    bool ports = false, states = false, tracked = false, comments = false;
    for (; *words; words++) {
        ports |= is(*words, "--dports", "--destination-ports");
        states |= is(*words, "--state", NULL);
        tracked |= is(*words, "--ctstate", NULL);
        comments |= is(*words, "--comment", NULL);
    }
    return m->source && m->target && ports == m->multiport && states == m->state &&
           tracked == m->conntrack && comments == m->comment && (!m->dnat || m->more_ports) &&
           !(m->dport && m->multiport);
}

static bool is_sure(const struct action *a, struct import_rule *rule)
{
    bool nat = a->table && is(a->table, "nat", NULL);
    struct matches m = {.rule = rule, .chain = a->chain, .nat = nat};
    if ((a->table && !nat && !is(a->table, "filter", NULL)) || !is_name(a->chain, 28))
        return false;
    for (char *const *word = a->rest; *word; word++) {
        if (is(*word, "--syn", NULL) && m.tcp && !m.target)
            continue;
        if (!word[1] || !take_pair(&m, word[0], word[1]))
            return false;
        word++;
    }
    /* In nat the port may be another than the one that is reached behind it. */
    if (nat)
        rule->port = 0;
    return is_complete(&m, a->rest);
}

static bool same_rest(const struct action *a, const struct action *b)
{
    char *const *x = a->rest, *const *y = b->rest;
    while (*x && *y && strcmp(*x, *y) == 0) {
        x++;
        y++;
    }
    return !*x && !*y;
}

static bool same_table(const struct action *a, const struct action *b)
{
    return strcmp(a->table ? a->table : "filter", b->table ? b->table : "filter") == 0;
}

static void put_word(FILE *out, const char *word)
{
    const char *quote = !*word || strpbrk(word, " \t;&|<>$`(){}#*?\"") ? "'"
                        : strchr(word, '\'')                           ? "\""
                                                                       : "";
    fprintf(out, " %s%s%s", quote, word, quote);
}

static bool write_rule(const struct action *a, struct import_rule *out)
{
    size_t size;
    FILE *file = open_memstream(&out->text, &size);
    if (!file)
        return false;
    if (a->table && !is(a->table, "filter", NULL))
        fprintf(file, "-t %s ", a->table);
    fputs(a->chain, file);
    for (char *const *word = a->rest; *word; word++)
        put_word(file, *word);
    return fclose(file) == 0;
}

/* A comment with both kinds of quotes couldn't be written. */
static bool is_quotable(char *const *words)
{
    for (; *words; words++)
        if (strchr(*words, '\''))
            return false;
    return true;
}

bool import_rule(const struct import_command *start, const struct import_command *stop,
                 struct import_rule *out)
{
    struct action insert, take;
    *out = (struct import_rule){0};
    if (!take_apart(start, &insert) || !take_apart(stop, &take) || insert.ip6 != take.ip6 ||
        insert.kind == 'D' || take.kind != 'D' || take.number ||
        (insert.number && strcmp(insert.number, "1") != 0) ||
        strcmp(insert.chain, take.chain) != 0 || !same_table(&insert, &take) ||
        !same_rest(&insert, &take) || !is_quotable(insert.rest) || !is_sure(&insert, out))
        return true;
    out->appended = insert.kind == 'A';
    out->ip6 = insert.ip6;
    return write_rule(&insert, out);
}
