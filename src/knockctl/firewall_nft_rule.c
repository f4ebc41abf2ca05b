/* A rule as nft(8) prints it. */
#include <stdlib.h>
#include <string.h>

#include "knockctl/firewall.h"

/* A rule that is being read. */
struct reading {
    struct firewall_rule *rule;
    const struct rule_words *words;
    unsigned at; /* the word that comes next */
    bool done;   /* its verdict was read */
};

static const char *peek(const struct reading *r)
{
    return r->at < r->words->count ? r->words->words[r->at] : "";
}

static const char *next(struct reading *r)
{
    const char *word = peek(r);
    r->at += r->at < r->words->count;
    return word;
}

static bool skip(struct reading *r, const char *word)
{
    bool found = strcmp(peek(r), word) == 0;
    r->at += found;
    return found;
}

/* Calls take() for each value of "22", "{ 22, 80-90 }" or "a,b". True if "!=" stands before. */
static bool values(struct reading *r, void (*take)(struct reading *r, const char *value))
{
    bool negated = skip(r, "!=");
    skip(r, "==");
    bool set = skip(r, "{");
    do {
        char *list = strdup(next(r)), *rest = list;
        for (char *item; list && (item = strsep(&rest, ","));)
            if (*item)
                take(r, item);
        r->rule->partly |= !list;
        free(list);
    } while (set && *peek(r) && !skip(r, "}"));
    return negated;
}

static void take_port(struct reading *r, const char *value)
{
    r->rule->partly |= !firewall_add_ports(r->rule, value);
}

/* Several values: the rule takes what one of them does, of the packets that it took so far. */
static void take_all(struct reading *r,
                     void (*match)(struct firewall_rule *rule, const char *value))
{
    struct firewall_rule before = *r->rule, any = before;
    bool set = false, negated = skip(r, "!=");
    memset(any.matches, 0, sizeof(any.matches));
    skip(r, "==");
    set = skip(r, "{");
    do {
        struct firewall_rule one = before;
        char value[64] = "";
        strncat(value, next(r), sizeof(value) - 1);
        value[strcspn(value, set ? "," : "")] = '\0';
        match(&one, value);
        for (int i = 0; i < 2 * FIREWALL_PACKETS; i++)
            any.matches[i / 2][i % 2] |= one.matches[i / 2][i % 2];
    } while (set && *peek(r) && !skip(r, "}"));
    for (int i = 0; i < 2 * FIREWALL_PACKETS; i++)
        r->rule->matches[i / 2][i % 2] =
            before.matches[i / 2][i % 2] && any.matches[i / 2][i % 2] != negated;
}

static void match_proto(struct firewall_rule *rule, const char *value)
{
    firewall_match_proto(rule, value, false);
}

static void match_state(struct firewall_rule *rule, const char *value)
{
    firewall_match_state(rule, value, false);
}

static void match_kind(struct firewall_rule *rule, const char *value)
{
    if (strcmp(value, "host") != 0 && strcmp(value, "unicast") != 0)
        firewall_match_proto(rule, "none", false);
}

/* "!= syn / fin,syn,rst,ack", "& (fin | syn) == syn", or "syn": any of these is set. */
static void read_flags(struct reading *r)
{
    char text[128] = "";
    if (skip(r, "&")) {
        while (*peek(r) && strcmp(peek(r), "==") != 0 && strcmp(peek(r), "!=") != 0)
            strncat(text, next(r), sizeof(text) - strlen(text) - 1);
        bool negated = strcmp(next(r), "!=") == 0;
        firewall_match_flags(r->rule, firewall_flags(text), firewall_flags(next(r)), negated);
        return;
    }
    bool negated = skip(r, "!=");
    uint8_t flags = firewall_flags(next(r));
    if (skip(r, "/"))
        firewall_match_flags(r->rule, firewall_flags(next(r)), flags, negated);
    else
        firewall_match_flags(r->rule, flags, 0, !negated);
}

/* What stands in a block, as far as it matters. */
struct block {
    bool limit, excess, account;
};

/* Up to the "}" that closes the "{" which was just read. */
static struct block skip_block(struct reading *r)
{
    struct block block = {0};
    for (unsigned open = 1; open > 0 && *peek(r);) {
        const char *word = next(r);
        open += strcmp(word, "{") == 0;
        open -= strcmp(word, "}") == 0;
        block.limit |= strcmp(word, "limit") == 0;
        block.excess |= strcmp(word, "over") == 0;
        block.account |= strcmp(word, "saddr") == 0;
    }
    return block;
}

/* Something of packets that isn't the same for all: "ip saddr . th dport @set", a set or map. */
static void read_other(struct reading *r)
{
    r->rule->partly = true;
    while (skip(r, ".")) {
        next(r);
        if (*peek(r) && *peek(r) != '.' && *peek(r) != '@' && *peek(r) != '{')
            next(r);
    }
    if (skip(r, "{"))
        skip_block(r);
}

/* An account for each element of a set. */
static void read_account(struct reading *r)
{
    while (*peek(r) && !skip(r, "{"))
        next(r);
    struct block block = skip_block(r);
    r->rule->partly |= block.excess;
    r->rule->limited |= block.limit && !block.account;
}

/* "rate over 5/second burst 10 packets", "name x" */
static void read_limit(struct reading *r)
{
    r->rule->limited = true;
    if (skip(r, "name") || !skip(r, "rate")) {
        next(r);
        return;
    }
    r->rule->partly |= skip(r, "over");
    next(r);
    if (skip(r, "burst")) {
        next(r);
        next(r);
    }
}

static void read_log(struct reading *r)
{
    static const char *const options[] = {"prefix",  "level", "group",
                                          "snaplen", "flags", "queue-threshold"};
    const char *prefix = "";
    for (bool found = true; found;) {
        found = false;
        for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++)
            if (skip(r, options[i])) {
                const char *word = next(r);
                prefix = i == 0 ? word : prefix;
                if (strcmp(word, "tcp") == 0 || strcmp(word, "ip") == 0)
                    next(r);
                found = true;
            }
    }
    free(r->rule->prefix);
    r->rule->prefix = strdup(prefix);
}

/* "ct state vmap { established : accept, related : accept, invalid : drop }" */
static void read_state_map(struct reading *r)
{
    bool accepts = false;
    while (*peek(r))
        accepts |= strncmp(next(r), "established", 11) == 0 && skip(r, ":") &&
                   strncmp(peek(r), "accept", 6) == 0;
    firewall_match_state(r->rule, accepts ? "established" : "", false);
    r->rule->verdict = accepts ? FIREWALL_ACCEPT : FIREWALL_NEXT;
    r->done = true;
}

static void read_ports(struct reading *r)
{
    if (strcmp(peek(r), ".") == 0 || *peek(r) == '@' || strcmp(peek(r), "vmap") == 0)
        read_other(r);
    else if (values(r, take_port))
        firewall_negate_ports(r->rule);
}

/* What follows tcp, udp or th. */
static void read_transport(struct reading *r, const char *proto)
{
    if (strcmp(proto, "th") != 0)
        firewall_match_proto(r->rule, proto, false);
    if (skip(r, "dport"))
        read_ports(r);
    else if (strcmp(proto, "tcp") == 0 && skip(r, "flags"))
        read_flags(r);
    else
        read_other(r);
}

static void read_proto(struct reading *r)
{
    if (strcmp(peek(r), ".") == 0 || *peek(r) == '@' || strcmp(peek(r), "vmap") == 0)
        read_other(r);
    else
        take_all(r, match_proto);
}

static void read_network(struct reading *r, unsigned family)
{
    r->rule->families &= family;
    if (skip(r, "protocol") || skip(r, "nexthdr"))
        read_proto(r);
    else {
        next(r);
        read_other(r);
    }
}

static void read_conntrack(struct reading *r)
{
    if (!skip(r, "state"))
        read_other(r);
    else if (skip(r, "vmap"))
        read_state_map(r);
    else
        take_all(r, match_state);
}

static bool read_verdict(struct reading *r, const char *word)
{
    static const struct {
        const char *word;
        enum firewall_verdict verdict;
    } verdicts[] = {{"accept", FIREWALL_ACCEPT}, {"drop", FIREWALL_DROP}, {"reject", FIREWALL_DROP},
                    {"return", FIREWALL_RETURN}, {"jump", FIREWALL_JUMP}, {"goto", FIREWALL_GOTO}};
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++) {
        if (strcmp(word, verdicts[i].word) != 0)
            continue;
        r->rule->verdict = verdicts[i].verdict;
        if (r->rule->verdict == FIREWALL_JUMP || r->rule->verdict == FIREWALL_GOTO)
            r->rule->target = strdup(next(r));
        r->done = true;
        return true;
    }
    return false;
}

static void read_family(struct reading *r)
{
    const char *word = next(r);
    r->rule->families &= strcmp(word, "ipv4") == 0   ? FIREWALL_IP4
                         : strcmp(word, "ipv6") == 0 ? FIREWALL_IP6
                                                     : FIREWALL_BOTH;
}

static void read_match(struct reading *r, const char *word)
{
    if (strcmp(word, "tcp") == 0 || strcmp(word, "udp") == 0 || strcmp(word, "th") == 0)
        read_transport(r, word);
    else if (strcmp(word, "l4proto") == 0)
        read_proto(r);
    else if (strcmp(word, "nfproto") == 0)
        read_family(r);
    else if (strcmp(word, "pkttype") == 0)
        take_all(r, match_kind);
    else if (strcmp(word, "ip") == 0 || strcmp(word, "ip6") == 0)
        read_network(r, word[2] ? FIREWALL_IP6 : FIREWALL_IP4);
    else if (strcmp(word, "ct") == 0)
        read_conntrack(r);
    else if (strcmp(word, "meta") != 0)
        read_other(r);
}

void firewall_read_nft_rule(struct firewall_rule *rule, const struct rule_words *words)
{
    struct reading r = {.rule = rule, .words = words};
    rule->partly = words->count == RULE_WORDS_MAX;
    while (!r.done && *peek(&r)) {
        const char *word = next(&r);
        if (read_verdict(&r, word))
            continue;
        if (strcmp(word, "log") == 0)
            read_log(&r);
        else if (strcmp(word, "limit") == 0)
            read_limit(&r);
        else if (strcmp(word, "update") == 0 || strcmp(word, "add") == 0 ||
                 strcmp(word, "meter") == 0)
            read_account(&r);
        else if (strcmp(word, "comment") == 0)
            next(&r);
        else if (strcmp(word, "counter") == 0) {
            if (skip(&r, "packets"))
                r.at += 3;
        } else
            read_match(&r, word);
    }
}
