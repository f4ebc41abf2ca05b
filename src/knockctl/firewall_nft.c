/*
 * Reads the rules of nft(8) from what `nft -j list ruleset` prints, in the JSON of
 * libnftables-json(5). An object of the ruleset that isn't as that page describes it is an error,
 * since a rule may hide in it; a statement of a rule that this reader doesn't know makes the rule
 * one of which nothing is claimed.
 */
#include <inttypes.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/firewall.h"

enum { SCHEMA_VERSION = 1, TABLE_SIZE = 300 };

/* --- JSON --- */

/* The string `key` of an object; "" when it has none. */
static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool has_text(const json_t *object, const char *key, const char *text)
{
    return strcmp(text_of(object, key), text) == 0;
}

/* The one key of an object, and its value; NULL when it is something else. */
static const char *sole_key(json_t *object, json_t **value)
{
    void *entry = json_object_size(object) == 1 ? json_object_iter(object) : NULL;
    *value = entry ? json_object_iter_value(entry) : NULL;
    return entry ? json_object_iter_key(entry) : NULL;
}

/* An element of a set may have a counter, a comment, a timeout: {"elem": {"val": 22, ...}}. */
static json_t *without_extras(json_t *element)
{
    json_t *extras = json_object_get(element, "elem");
    return extras ? json_object_get(extras, "val") : element;
}

/* --- the right side of a match --- */

/* One or more values. */
struct values {
    json_t *list; /* NULL: `one` alone */
    json_t *one;
    size_t count;
};

/* A list is several values only behind "in"; elsewhere it is flags, all of them together. */
static struct values values_of(const char *op, json_t *right)
{
    json_t *set = json_object_get(right, "set");
    json_t *list = set ? set : right;
    if (json_is_array(list) && (set || strcmp(op, "in") == 0))
        return (struct values){.list = list, .count = json_array_size(list)};
    return (struct values){.one = list, .count = list != NULL};
}

static json_t *value_at(const struct values *values, size_t number)
{
    return without_extras(values->list ? json_array_get(values->list, number) : values->one);
}

/* Whether the match takes the values (false), or all others (true). -1: it does something else. */
static int negated(const char *op)
{
    if (strcmp(op, "!=") == 0)
        return true;
    return strcmp(op, "==") == 0 || strcmp(op, "in") == 0 ? false : -1;
}

/* A single thing that a match may ask for. Returns false when the value isn't understood. */
typedef bool match_value(struct firewall_rule *rule, const json_t *value);

/* The rule takes what one of the values does, of the packets that it took so far. */
static bool match_any(struct firewall_rule *rule, const char *op, json_t *right, match_value *match)
{
    struct values values = values_of(op, right);
    struct firewall_rule any = *rule;
    int others = negated(op);
    memset(any.matches, 0, sizeof(any.matches));
    if (others < 0 || values.count == 0)
        return false;
    for (size_t i = 0; i < values.count; i++) {
        struct firewall_rule one = *rule;
        if (!match(&one, value_at(&values, i)))
            return false;
        for (int j = 0; j < 2 * FIREWALL_PACKETS; j++)
            any.matches[j / 2][j % 2] |= one.matches[j / 2][j % 2];
    }
    for (int j = 0; j < 2 * FIREWALL_PACKETS; j++)
        rule->matches[j / 2][j % 2] &= any.matches[j / 2][j % 2] != others;
    return true;
}

/* "tcp", or the number of a protocol that has no name. */
static bool match_proto(struct firewall_rule *rule, const json_t *value)
{
    char number[24];
    const char *name = json_string_value(value);
    if (!name) {
        json_int_t proto = json_integer_value(value);
        if (!json_is_integer(value) || proto <= 0 || proto > UINT8_MAX)
            return false;
        snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT, proto);
        name = number;
    }
    if (*name == '@')
        return false;
    firewall_match_proto(rule, name, false);
    return true;
}

static bool is_one_of(const json_t *value, const char *const *names)
{
    const char *text = json_string_value(value);
    for (; text && *names; names++)
        if (strcmp(text, *names) == 0)
            return true;
    return false;
}

static bool match_state(struct firewall_rule *rule, const json_t *value)
{
    static const char *const states[] = {"new",     "established", "related",
                                         "invalid", "untracked",   NULL};
    if (!is_one_of(value, states))
        return false;
    firewall_match_state(rule, json_string_value(value), false);
    return true;
}

/* Knocks come to this host's own address. */
static bool match_pkttype(struct firewall_rule *rule, const json_t *value)
{
    static const char *const ours[] = {"host", "unicast", NULL}, *const others[] = {"broadcast",
                                                                                    "multicast",
                                                                                    "other", NULL};
    if (is_one_of(value, ours))
        return true;
    if (!is_one_of(value, others))
        return false;
    firewall_match_proto(rule, "none", false);
    return true;
}

/* --- flags of TCP --- */

static bool add_flag(const json_t *value, uint8_t *flags)
{
    static const char *const names[] = {"fin", "syn", "rst", "psh", "ack", "urg", "ecn", "cwr"};
    const char *text = json_string_value(value);
    for (unsigned i = 0; text && i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(text, names[i]) == 0) {
            *flags |= (uint8_t)(1u << i);
            return true;
        }
    return json_is_integer(value) && json_integer_value(value) == 0;
}

/* "syn", ["syn", "ack"], or 0. */
static bool read_flags(const json_t *value, uint8_t *flags)
{
    *flags = 0;
    if (!json_is_array(value))
        return add_flag(value, flags);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (!add_flag(json_array_get(value, i), flags))
            return false;
    return true;
}

static bool match_exact_flags(struct firewall_rule *rule, const json_t *value)
{
    uint8_t flags;
    if (!read_flags(value, &flags))
        return false;
    firewall_match_flags(rule, UINT8_MAX, flags, false);
    return true;
}

/* "in": one of them is set; "!": none is; otherwise they are exactly these. */
static bool match_flags(struct firewall_rule *rule, const char *op, json_t *right)
{
    bool in = strcmp(op, "in") == 0;
    uint8_t flags;
    if (!in && strcmp(op, "!") != 0)
        return match_any(rule, op, right, match_exact_flags);
    if (!read_flags(right, &flags))
        return false;
    firewall_match_flags(rule, flags, 0, in);
    return true;
}

/* {"&": [flags, mask]} */
static bool match_masked_flags(struct firewall_rule *rule, const char *op, const json_t *mask_value,
                               const json_t *right)
{
    uint8_t mask, flags;
    int others = negated(op);
    if (others < 0 || strcmp(op, "in") == 0 || !read_flags(mask_value, &mask) ||
        !read_flags(right, &flags))
        return false;
    firewall_match_flags(rule, mask, flags, others);
    return true;
}

/* --- ports --- */

/* 22 or {"range": [6000, 6010]} */
static bool add_port(struct port_set *ports, json_t *value)
{
    json_int_t first, last;
    if (json_is_integer(value))
        first = last = json_integer_value(value);
    else if (json_unpack(value, "{s:[I,I!]!}", "range", &first, &last) != 0)
        return false;
    if (first < 0 || first > last || last > UINT16_MAX)
        return false;
    port_set_add(ports, IPPROTO_TCP, (uint16_t)first, (uint16_t)last);
    port_set_add(ports, IPPROTO_UDP, (uint16_t)first, (uint16_t)last);
    return true;
}

static bool match_ports(struct firewall_rule *rule, const char *op, json_t *right)
{
    struct values values = values_of(op, right);
    struct port_set ports = {0};
    int others = negated(op);
    if (others < 0 || values.count == 0)
        return false;
    for (size_t i = 0; i < values.count; i++)
        if (!add_port(&ports, value_at(&values, i)))
            return false;
    return firewall_keep_ports(rule, &ports, others);
}

/* --- matches --- */

static bool is_payload(const json_t *left, const char *proto, const char *field)
{
    const json_t *payload = json_object_get(left, "payload");
    return has_text(payload, "protocol", proto) && has_text(payload, "field", field);
}

static bool is_key(const json_t *left, const char *what, const char *key)
{
    const json_t *object = json_object_get(left, what);
    return json_object_size(object) == 1 && has_text(object, "key", key);
}

/* Who looks at a header of IPv4 takes no packets of IPv6, whatever is asked of it. */
static void narrow_by_header(struct firewall_rule *rule, const json_t *expression)
{
    const char *proto = text_of(json_object_get(expression, "payload"), "protocol");
    if (strcmp(proto, "ip") == 0)
        rule->families &= FIREWALL_IP4;
    else if (strcmp(proto, "ip6") == 0)
        rule->families &= FIREWALL_IP6;
    else if (strcmp(proto, "tcp") == 0 || strcmp(proto, "udp") == 0)
        firewall_match_proto(rule, proto, false);
}

/* {"payload": ...}, {"concat": [...]} or {"&": [..., mask]} */
static void narrow(struct firewall_rule *rule, const json_t *left)
{
    const json_t *parts = json_object_get(left, "concat"), *masked = json_object_get(left, "&");
    narrow_by_header(rule, left);
    narrow_by_header(rule, json_array_get(masked, 0));
    for (size_t i = 0; i < json_array_size(parts); i++)
        narrow_by_header(rule, json_array_get(parts, i));
}

static bool match_family(struct firewall_rule *rule, const char *op, const json_t *right)
{
    const char *name = json_string_value(right);
    int others = negated(op);
    unsigned family = !name                       ? 0
                      : strcmp(name, "ipv4") == 0 ? FIREWALL_IP4
                      : strcmp(name, "ipv6") == 0 ? FIREWALL_IP6
                                                  : 0;
    if (others < 0 || family == 0)
        return false;
    rule->families &= others ? ~family : family;
    return true;
}

static bool take_match(struct firewall_rule *rule, json_t *match)
{
    const char *op = text_of(match, "op");
    json_t *left = json_object_get(match, "left"), *right = json_object_get(match, "right");
    json_t *masked = json_object_get(left, "&");
    narrow(rule, left);
    if (json_object_size(left) != 1 || !right)
        return false;
    if (is_payload(left, "tcp", "dport") || is_payload(left, "udp", "dport") ||
        is_payload(left, "th", "dport"))
        return match_ports(rule, op, right);
    if (is_payload(left, "tcp", "flags"))
        return match_flags(rule, op, right);
    if (json_array_size(masked) == 2 && is_payload(json_array_get(masked, 0), "tcp", "flags"))
        return match_masked_flags(rule, op, json_array_get(masked, 1), right);
    if (is_key(left, "meta", "l4proto") || is_payload(left, "ip", "protocol") ||
        is_payload(left, "ip6", "nexthdr"))
        return match_any(rule, op, right, match_proto);
    if (is_key(left, "meta", "nfproto"))
        return match_family(rule, op, right);
    if (is_key(left, "meta", "pkttype"))
        return match_any(rule, op, right, match_pkttype);
    if (is_key(left, "ct", "state"))
        return match_any(rule, op, right, match_state);
    return false;
}

/* --- other statements --- */

static bool take_counter(struct firewall_rule *rule, json_t *counter)
{
    (void)rule, (void)counter;
    return true;
}

/* Whether the limit takes what is below it, not what is above. */
static bool is_upright(const json_t *limit)
{
    const json_t *inverse = json_object_get(limit, "inv");
    return !inverse || json_is_false(inverse);
}

/* {"rate": 3, "per": "minute", "inv": true}, or the name of one. */
static bool take_limit(struct firewall_rule *rule, json_t *limit)
{
    rule->limited = true;
    return is_upright(limit);
}

/* {"prefix": "[DENY] ", "group": 5, "snaplen": 256}; without a group it goes to the kernel's log,
 * or to the audit system's. */
static bool take_log(struct firewall_rule *rule, json_t *log)
{
    const json_t *group = json_object_get(log, "group");
    json_int_t number = json_integer_value(group);
    if (has_text(log, "level", "audit"))
        return true;
    if ((!json_is_null(log) && !json_is_object(log)) ||
        (group && (!json_is_integer(group) || number < 0 || number > UINT16_MAX)))
        return false;
    return firewall_add_log(rule, group != NULL, (uint16_t)number, text_of(log, "prefix"));
}

static bool is_sender(const json_t *expression)
{
    return has_text(json_object_get(expression, "payload"), "field", "saddr");
}

/* Whether an account is kept for each sender by itself, or for each of their networks. */
static bool is_per_sender(json_t *key)
{
    key = without_extras(key);
    json_t *parts = json_object_get(key, "concat"), *masked = json_object_get(key, "&");
    bool found = is_sender(key) || is_sender(json_array_get(masked, 0));
    for (size_t i = 0; i < json_array_size(parts); i++)
        found |= is_sender(json_array_get(parts, i));
    return found;
}

/* What is done to the account of an element of a set. */
static bool take_account(struct firewall_rule *rule, json_t *statement, bool per_sender)
{
    json_t *value;
    const char *kind = sole_key(statement, &value);
    if (!kind || strcmp(kind, "limit") != 0)
        return kind && strcmp(kind, "counter") == 0;
    rule->limited |= !per_sender;
    return is_upright(value);
}

/* {"op": "update", "elem": ..., "set": "@x", "stmt": [...]}; a meter's is {"key", "stmt"}. */
static bool take_set(struct firewall_rule *rule, json_t *set)
{
    json_t *key = json_object_get(set, "elem"), *statements = json_object_get(set, "stmt");
    bool per_sender = is_per_sender(key ? key : json_object_get(set, "key"));
    if (!statements)
        return json_is_object(set);
    if (!json_is_array(statements))
        return take_account(rule, statements, per_sender);
    bool good = true;
    for (size_t i = 0; i < json_array_size(statements); i++)
        good = take_account(rule, json_array_get(statements, i), per_sender) && good;
    return good;
}

/* --- verdicts --- */

/* The states that `ct state vmap { established : accept, invalid : drop }` accepts. What becomes of
 * those that no packet of ours is in doesn't matter. */
static bool take_state_map(struct firewall_rule *rule, json_t *map)
{
    json_t *pairs = json_object_get(json_object_get(map, "data"), "set"), *value;
    char accepted[32] = "";
    if (!is_key(json_object_get(map, "key"), "ct", "state") || json_array_size(pairs) == 0)
        return false;
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        json_t *pair = json_array_get(pairs, i);
        json_t *state = without_extras(json_array_get(pair, 0));
        const char *verdict = sole_key(json_array_get(pair, 1), &value);
        struct firewall_rule one = *rule;
        if (!verdict || !match_state(&one, state))
            return false;
        bool ours = strcmp(json_string_value(state), "new") == 0 ||
                    strcmp(json_string_value(state), "established") == 0;
        if (ours && strcmp(verdict, "accept") != 0)
            return false;
        if (ours && !strstr(accepted, json_string_value(state)))
            strcat(strcat(accepted, json_string_value(state)), ",");
    }
    firewall_match_state(rule, accepted, false);
    rule->verdict = FIREWALL_ACCEPT;
    return true;
}

/* Returns whether it is one; then the rule ends here. */
static bool take_verdict(struct firewall_rule *rule, const char *kind, const json_t *value)
{
    static const struct {
        const char *kind;
        enum firewall_verdict verdict;
    } verdicts[] = {{"accept", FIREWALL_ACCEPT}, {"drop", FIREWALL_DROP},
                    {"reject", FIREWALL_DROP},   {"return", FIREWALL_RETURN},
                    {"continue", FIREWALL_NEXT}, {"jump", FIREWALL_JUMP},
                    {"goto", FIREWALL_GOTO}};
    for (size_t i = 0; i < sizeof(verdicts) / sizeof(*verdicts); i++) {
        if (strcmp(kind, verdicts[i].kind) != 0)
            continue;
        rule->verdict = verdicts[i].verdict;
        if (rule->verdict == FIREWALL_JUMP || rule->verdict == FIREWALL_GOTO) {
            const char *target = text_of(value, "target");
            rule->target = strdup(target);
            rule->partly |= !rule->target || *target == '\0';
        }
        return true;
    }
    return false;
}

/* Returns whether the rule ends here. */
static bool take_statement(struct firewall_rule *rule, json_t *statement)
{
    static const struct {
        const char *kind;
        bool (*take)(struct firewall_rule *rule, json_t *value);
    } kinds[] = {{"match", take_match}, {"counter", take_counter}, {"limit", take_limit},
                 {"log", take_log},     {"set", take_set},         {"meter", take_set}};
    json_t *value;
    const char *kind = sole_key(statement, &value);
    if (kind && take_verdict(rule, kind, value))
        return true;
    if (kind && strcmp(kind, "vmap") == 0 && take_state_map(rule, value))
        return true;
    bool good = false;
    for (size_t i = 0; kind && i < sizeof(kinds) / sizeof(*kinds); i++)
        if (strcmp(kind, kinds[i].kind) == 0)
            good = kinds[i].take(rule, value);
    rule->partly |= !good;
    return false;
}

/* --- the ruleset --- */

struct reader {
    struct firewall *firewall;
    bool iptables;   /* what it made is left out */
    unsigned recent; /* the number of the chain that was needed last */
    char *why;
};

static bool refuse(const struct reader *r, const char *why)
{
    snprintf(r->why, FIREWALL_WHY_SIZE, "%s", why);
    return false;
}

/* The families of an object's table; 0: no packet to this host passes it, or iptables made it. */
static unsigned families_of(const struct reader *r, const char *family, const char *table)
{
    unsigned families = strcmp(family, "ip") == 0     ? FIREWALL_IP4
                        : strcmp(family, "ip6") == 0  ? FIREWALL_IP6
                        : strcmp(family, "inet") == 0 ? FIREWALL_BOTH
                                                      : 0;
    bool made = r->iptables && families != FIREWALL_BOTH && strcmp(table, "filter") == 0;
    return made ? 0 : families;
}

/* Reads which table an object belongs to: "inet filter". */
static bool read_table(const struct reader *r, const json_t *object, char table[TABLE_SIZE],
                       unsigned *families)
{
    const char *family = text_of(object, "family"), *name = text_of(object, "table");
    if (*family == '\0' || *name == '\0')
        return refuse(r, "a chain or a rule has no table");
    *families = families_of(r, family, name);
    if (snprintf(table, TABLE_SIZE, "%s %s", family, name) >= TABLE_SIZE)
        return refuse(r, "a table has a name that is too long");
    return true;
}

/* A number of another type, or a word that isn't known, is nothing to guess from. */
static bool read_hook(const struct reader *r, const json_t *object, struct firewall_chain *chain)
{
    const json_t *hook = json_object_get(object, "hook"),
                 *priority = json_object_get(object, "prio");
    const char *policy = text_of(object, "policy");
    if (!hook)
        return true;
    bool drops = strcmp(policy, "drop") == 0;
    if (!json_is_string(hook) || !json_is_integer(priority) ||
        json_integer_value(priority) < INT32_MIN || json_integer_value(priority) > INT32_MAX ||
        (!drops && json_object_get(object, "policy") && strcmp(policy, "accept") != 0))
        return refuse(r, "a chain's hook, priority or policy isn't known");
    chain->input = has_text(object, "hook", "input");
    chain->priority = (int)json_integer_value(priority);
    chain->policy = drops ? FIREWALL_DROP : FIREWALL_ACCEPT;
    return true;
}

static bool read_chain(struct reader *r, json_t *object)
{
    char table[TABLE_SIZE];
    unsigned families;
    const char *name = text_of(object, "name");
    if (!read_table(r, object, table, &families))
        return false;
    if (*name == '\0')
        return refuse(r, "a chain has no name");
    if (families == 0)
        return true;
    struct firewall_chain *chain = firewall_add_chain(r->firewall, table, name, families);
    return chain ? read_hook(r, object, chain) : refuse(r, "out of memory");
}

static bool read_rule(struct reader *r, json_t *object)
{
    char table[TABLE_SIZE], text[64];
    unsigned families;
    const json_t *statements = json_object_get(object, "expr"),
                 *handle = json_object_get(object, "handle");
    if (!read_table(r, object, table, &families))
        return false;
    if (families == 0)
        return true;
    struct firewall_chain *chain =
        firewall_find_chain(r->firewall, &r->recent, table, text_of(object, "chain"));
    if (!chain || !json_is_array(statements) || !json_is_integer(handle))
        return refuse(r, "a rule has no chain, no statements or no handle");
    snprintf(text, sizeof(text), "the rule with handle %" JSON_INTEGER_FORMAT,
             json_integer_value(handle));
    struct firewall_rule *rule = firewall_add_rule(chain, text);
    if (!rule)
        return refuse(r, "out of memory");
    rule->handle = json_integer_value(handle);
    for (size_t i = 0; i < json_array_size(statements); i++)
        if (take_statement(rule, json_array_get(statements, i)))
            break;
    return true;
}

/* {"chain": {...}}; sets, counters and the like do nothing by themselves. */
static bool read_object(struct reader *r, json_t *item, bool *versioned)
{
    json_t *object;
    const char *kind = sole_key(item, &object);
    if (!kind || !json_is_object(object))
        return refuse(r, "something in the list is no object");
    if (strcmp(kind, "metainfo") == 0) {
        *versioned =
            json_integer_value(json_object_get(object, "json_schema_version")) == SCHEMA_VERSION;
        return *versioned || refuse(r, "its JSON is of another version than 1");
    }
    if (strcmp(kind, "chain") == 0)
        return read_chain(r, object);
    return strcmp(kind, "rule") != 0 || read_rule(r, object);
}

static bool read_ruleset(struct reader *r, json_t *root)
{
    json_t *list = json_object_get(root, "nftables");
    bool versioned = false;
    if (!json_is_array(list))
        return refuse(r, "it has no list \"nftables\"");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!read_object(r, json_array_get(list, i), &versioned))
            return false;
    return versioned || refuse(r, "it doesn't say of which version its JSON is");
}

bool firewall_reads_nft(void)
{
    return true;
}

bool firewall_read_nft(struct firewall *firewall, const char *json, bool iptables,
                       char why[FIREWALL_WHY_SIZE])
{
    struct reader r = {.firewall = firewall, .iptables = iptables, .why = why};
    json_error_t error;
    json_t *root = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    if (!root) {
        snprintf(why, FIREWALL_WHY_SIZE, "line %d, column %d: %.*s", error.line, error.column, 80,
                 error.text);
        return false;
    }
    bool good = read_ruleset(&r, root);
    json_decref(root);
    return good;
}
