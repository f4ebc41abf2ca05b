/* Follows a knock and an open door through the firewall in force, and reports what stops them.
 * Rules that are nobody's are reported by strays.c. */
#include "knockctl/check.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* What can be wrong with a rule. */
enum fault {
    FAULT_CUTS,    /* drops packets of sessions */
    FAULT_LIMIT,   /* a limit that all senders share keeps knocks from the log */
    FAULT_PREFIX,  /* logs knocks with a prefix of no source that reads there */
    FAULT_GROUP,   /* hands knocks to a group of NFLOG that no source reads */
    FAULT_KERNEL,  /* logs knocks to the kernel's log, which no source reads */
    FAULT_ACCEPTS, /* accepts knocks */
    FAULT_SILENT,  /* drops knocks that weren't logged */
    FAULT_BARS,    /* drops what a door accepts elsewhere */
    FAULT_OPEN,    /* accepts what a door is to open */
};

/* %s in `says`: the ports; %u: the group of NFLOG that a source reads. */
struct fault_text {
    const char *says;
    const char *todo;
};

static const struct fault_text texts[] = {
    [FAULT_CUTS] = {"cuts the sessions through %s when their door closes",
                    "accept ESTABLISHED,RELATED before it"},
    [FAULT_LIMIT] =
        {"lets few lines about %s into the log, of all senders together, so junk hides a "
         "knock",
         "limit each sender by itself (hashlimit with --hashlimit-mode srcip, or a set "
         "of nft)"},
    [FAULT_PREFIX] = {"logs %s with a prefix that no source has",
                      "log with the prefix of a source, or add this one to a source"},
    [FAULT_GROUP] = {"hands %s to a group of NFLOG that no source reads",
                     "log to the kernel's log, or add a source of type nflog with this group"},
    [FAULT_ACCEPTS] = {"accepts %s, so knocks there are not logged", "log and drop them before it"},
    [FAULT_SILENT] = {"drops %s without a line in the log", "log them before it"},
    [FAULT_BARS] = {"drops %s even when a door has opened them in another chain",
                    "accept them here, or let doors open them here"},
    [FAULT_OPEN] = {"accepts %s for everyone, which a door is to open", "drop them before it"},
};

/* The same for a source that reads a group of NFLOG, where it is said otherwise. */
static const struct fault_text nflog_texts[] = {
    [FAULT_LIMIT] =
        {"lets few packets to %s through to NFLOG, of all senders together, so junk hides a "
         "knock",
         "limit each sender by itself (hashlimit with --hashlimit-mode srcip, or a set "
         "of nft)"},
    [FAULT_PREFIX] = {"hands %s to NFLOG with a prefix that no source of group %u has",
                      "use the prefix of that source, or add this one to it"},
    [FAULT_GROUP] = {"hands %s to a group of NFLOG that no source reads",
                     "use group %u, or give the source this one"},
    [FAULT_KERNEL] = {"logs %s to the kernel's log, which no source reads",
                      "hand them to group %u of NFLOG"},
    [FAULT_SILENT] = {"drops %s without handing them to group %u of NFLOG",
                      "hand them to it before"},
};

struct finding {
    enum fault fault;
    unsigned families;
    const struct firewall_chain *chain;
    const struct firewall_rule *rule; /* NULL: the chain's policy */
    const struct rules_log *log; /* where knocks don't get to; NULL: to none, or it's no knock */
    struct port_set ports;
};

/* One look at the whole. */
struct check {
    const struct firewall *firewall;
    const struct config *config;
    const struct rules *rules;
    enum firewall_family family; /* that is being looked at */
    const struct rules_log *log; /* where knocks are to be logged to */
    struct finding *findings;
    unsigned count;
    bool no_memory;
    struct port_set logged;  /* knocks that are */
    struct port_set foreign; /* that are, with another prefix */
    unsigned fresh;          /* findings of this family's knocks begin here */
};

static void find(struct check *c, enum fault fault, const struct firewall_chain *chain,
                 const struct firewall_rule *rule, const struct port_set *ports)
{
    if (port_set_is_empty(ports))
        return;
    struct finding *findings = realloc(c->findings, (c->count + 1) * sizeof(*findings));
    if (!findings) {
        c->no_memory = true;
        return;
    }
    c->findings = findings;
    findings[c->count++] = (struct finding){
        fault, c->family, chain, rule, fault == FAULT_ACCEPTS ? NULL : c->log, *ports};
}

/* --- knocks --- */

/* Blanks at its ends don't count. */
static bool is_prefix(const char *logged, const char *wanted)
{
    logged += strspn(logged, " ");
    size_t len = strlen(logged);
    while (len > 0 && logged[len - 1] == ' ')
        len--;
    return strlen(wanted) == len && memcmp(logged, wanted, len) == 0;
}

/* Of a source without prefixes any will do. */
static bool has_prefix(const struct config_source *source, const char *prefix)
{
    const struct config_list *prefixes = &source->prefixes;
    for (unsigned i = 0; i < prefixes->count; i++)
        if (is_prefix(prefix, prefixes->items[i].text))
            return true;
    return prefixes->count == 0;
}

/* What sources do with what is logged somewhere. */
enum reading {
    READ_BY_NONE,
    READ_ELSEWHERE, /* by other sources than those asked about */
    READ_FOREIGN,   /* by these, but none has the prefix */
    READ_HEARD,
};

/* Whether the source reads where that is logged. Which groups ulogd has isn't known, but none that
 * an nflog source has (`taken`). */
static bool reads(const struct config_source *source, const struct firewall_log *log, bool taken)
{
    if (source->type == SOURCE_PCAP)
        return false;
    if (source->type == SOURCE_NFLOG)
        return log->nflog && log->group == source->group;
    return source->format == FORMAT_ULOGD ? log->nflog && !taken : !log->nflog;
}

/* Whether it is one of those asked about: that read the group, or all that read lines. */
static bool is_asked(const struct check *c, const struct config_source *source)
{
    bool nflog = source->type == SOURCE_NFLOG;
    return nflog == c->log->nflog && (!nflog || source->group == c->log->group);
}

static enum reading reading_of(const struct check *c, const struct firewall_log *log)
{
    enum reading best = READ_BY_NONE;
    bool taken = false;
    for (unsigned i = 0; i < c->config->source_count; i++)
        taken |=
            c->config->sources[i].type == SOURCE_NFLOG && reads(&c->config->sources[i], log, false);
    for (unsigned i = 0; i < c->config->source_count; i++) {
        const struct config_source *source = &c->config->sources[i];
        if (!reads(source, log, taken))
            continue;
        enum reading one = !is_asked(c, source)              ? READ_ELSEWHERE
                           : has_prefix(source, log->prefix) ? READ_HEARD
                                                             : READ_FOREIGN;
        best = one > best ? one : best;
    }
    return best;
}

static void visit_log(struct check *c, const struct firewall_chain *chain,
                      const struct firewall_rule *rule, const struct firewall_log *log,
                      const struct port_set *ports)
{
    struct port_set fresh = *ports;
    enum reading reading = reading_of(c, log);
    port_set_remove(&fresh, &c->logged);
    if (reading == READ_ELSEWHERE)
        return;
    if (reading != READ_HEARD) {
        enum fault fault = reading == READ_FOREIGN ? FAULT_PREFIX
                           : log->nflog            ? FAULT_GROUP
                                                   : FAULT_KERNEL;
        find(c, fault, chain, rule, &fresh);
        port_set_join(&c->foreign, &fresh);
        return;
    }
    if (rule->limited)
        find(c, FAULT_LIMIT, chain, rule, &fresh);
    port_set_join(&c->logged, ports);
}

/* Nothing is claimed of packets that this rule leaves, or may leave, to others. */
static void visit_knocks(void *arg, const struct firewall_chain *chain,
                         const struct firewall_rule *rule, const struct port_set *ports,
                         bool surely)
{
    struct check *c = arg;
    enum firewall_verdict verdict = rule ? rule->verdict : chain->policy;
    for (unsigned i = 0; rule && i < rule->log_count; i++)
        visit_log(c, chain, rule, &rule->logs[i], ports);
    struct port_set unheard = *ports;
    port_set_remove(&unheard, &c->logged);
    port_set_remove(&unheard, &c->foreign);
    if (rule && rule->limited && rule->partly && verdict == FIREWALL_DROP)
        find(c, FAULT_LIMIT, chain, rule, &unheard);
    else if (surely && verdict == FIREWALL_DROP)
        find(c, FAULT_SILENT, chain, rule, &unheard);
    else if (surely && verdict == FIREWALL_ACCEPT)
        find(c, FAULT_ACCEPTS, chain, rule, &unheard);
}

/* How well a finding explains why packets were accepted: a rule says more than a policy, and the
 * policy of a chain with rules more than that of one which nobody uses. */
static unsigned weight(const struct finding *finding)
{
    return finding->rule ? 2 : finding->chain->count > 0;
}

/* Of what got through all chains, one is to blame for each port, of those with that fault. */
static void blame(struct check *c, enum fault fault, const struct port_set *passed)
{
    struct port_set left = *passed;
    for (unsigned wanted = 3; wanted-- > 0;)
        for (unsigned i = c->fresh; i < c->count; i++) {
            struct finding *finding = &c->findings[i];
            if (finding->fault != fault || weight(finding) != wanted)
                continue;
            port_set_keep(&finding->ports, &left);
            port_set_remove(&left, &finding->ports);
        }
}

/* What one rule does to a knock, a later one may have made good: logged it after all. */
static void drop_refuted(struct check *c)
{
    unsigned kept = c->fresh;
    for (unsigned i = c->fresh; i < c->count; i++) {
        struct finding *finding = &c->findings[i];
        if (finding->fault == FAULT_ACCEPTS || finding->fault == FAULT_PREFIX ||
            finding->fault == FAULT_GROUP || finding->fault == FAULT_KERNEL)
            port_set_remove(&finding->ports, &c->logged);
        if (!port_set_is_empty(&finding->ports))
            c->findings[kept++] = *finding;
    }
    c->count = kept;
}

/* --- all chains, one after another --- */

static const struct firewall_chain *next_chain(const struct check *c,
                                               const struct firewall_chain *before)
{
    const struct firewall_chain *next = NULL;
    for (unsigned i = 0; i < c->firewall->count; i++) {
        const struct firewall_chain *chain = &c->firewall->chains[i];
        bool later = !before || chain->priority > before->priority ||
                     (chain->priority == before->priority && chain > before);
        if (chain->input && (chain->families & c->family) && later &&
            (!next || chain->priority < next->priority))
            next = chain;
    }
    return next;
}

static void walk_all(struct check *c, enum firewall_packet kind, struct port_set *ports,
                     const struct firewall_visitor *visitor)
{
    for (const struct firewall_chain *chain = NULL; (chain = next_chain(c, chain));)
        firewall_walk(c->firewall, chain, c->family, kind, ports, visitor);
}

/* Whether they get to the kernel's log, or to a group of NFLOG. */
static void check_knocks(struct check *c, const struct rules_log *log)
{
    struct port_set ports = c->rules->knocks, packet = {0};
    /* A line has no payload. */
    if (c->rules->packet_port && !log->nflog) {
        port_set_add(&packet, IPPROTO_UDP, c->rules->packet_port, c->rules->packet_port);
        port_set_remove(&ports, &packet);
    }
    c->log = log;
    c->logged = c->foreign = (struct port_set){0};
    c->fresh = c->count;
    walk_all(c, FIREWALL_NEW, &ports, &(struct firewall_visitor){visit_knocks, c});
    blame(c, FAULT_ACCEPTS, &ports);
    drop_refuted(c);
    c->log = NULL;
}

static void visit_sessions(void *arg, const struct firewall_chain *chain,
                           const struct firewall_rule *rule, const struct port_set *ports,
                           bool surely)
{
    if (surely && (rule ? rule->verdict : chain->policy) == FIREWALL_DROP)
        find(arg, FAULT_CUTS, chain, rule, ports);
}

/* Where it isn't known which ports doors open, it may be any. */
static void check_sessions(struct check *c)
{
    struct port_set ports = c->rules->doors;
    if (port_set_is_empty(&ports))
        port_set_add(&ports, IPPROTO_TCP, 1, UINT16_MAX);
    walk_all(c, FIREWALL_STANDING, &ports, &(struct firewall_visitor){visit_sessions, c});
}

/* --- doors --- */

static void visit_doors(void *arg, const struct firewall_chain *chain,
                        const struct firewall_rule *rule, const struct port_set *ports, bool surely)
{
    if (surely && (rule ? rule->verdict : chain->policy) == FIREWALL_DROP)
        find(arg, FAULT_BARS, chain, rule, ports);
}

static bool has_table(const struct check *c, const char *table)
{
    for (unsigned i = 0; i < c->firewall->count; i++)
        if (strcmp(c->firewall->chains[i].table, table) == 0)
            return true;
    return false;
}

/* The table in which a start command opens: "" that of iptables, NULL not known. A kind of iptables
 * that is named is a table of its own where `iptables` is the other kind. */
static const char *table_of_command(const struct check *c, const char *command)
{
    static const struct {
        const char *program, *table;
    } programs[] = {
        {"iptables", ""},
        {"ip6tables", ""},
        {"iptables-legacy", "iptables-legacy"},
        {"ip6tables-legacy", "iptables-legacy"},
        {"iptables-nft", "iptables-nft"},
        {"ip6tables-nft", "iptables-nft"},
    };
    size_t len = strcspn(command, " \t");
    for (const char *slash; (slash = memchr(command, '/', len)); command = slash + 1)
        len -= (size_t)(slash + 1 - command);
    for (size_t i = 0; i < sizeof(programs) / sizeof(*programs); i++)
        if (strlen(programs[i].program) == len && memcmp(command, programs[i].program, len) == 0)
            return has_table(c, programs[i].table) ? programs[i].table : "";
    return NULL;
}

/* The table in which doors open, as the first one has it of which it is known. */
static const char *table_of_doors(const struct check *c)
{
    const char *table = NULL;
    for (unsigned i = 0; i < c->config->door_count && !table; i++) {
        const struct config_door *door = &c->config->doors[i];
        if (door->rules.count > 0)
            return "";
        for (unsigned j = 0; j < door->ip4.start.count && !table; j++)
            table = table_of_command(c, door->ip4.start.items[j].text);
    }
    return table || !has_table(c, "inet knockd") ? table : "inet knockd";
}

static void visit_closed(void *arg, const struct firewall_chain *chain,
                         const struct firewall_rule *rule, const struct port_set *ports,
                         bool surely)
{
    if (surely && (rule ? rule->verdict : chain->policy) == FIREWALL_ACCEPT)
        find(arg, FAULT_OPEN, chain, rule, ports);
}

/* Who captures packets needs nothing logged, but that what doors open is closed until then. */
static void check_closed(struct check *c)
{
    struct port_set ports = c->rules->input;
    c->fresh = c->count;
    walk_all(c, FIREWALL_NEW, &ports, &(struct firewall_visitor){visit_closed, c});
    blame(c, FAULT_OPEN, &ports);
    drop_refuted(c);
}

/* What a door accepts in its chain is dropped by any other that says so, before or after. */
static void check_doors(struct check *c)
{
    const char *table = table_of_doors(c);
    for (const struct firewall_chain *chain = NULL; table && (chain = next_chain(c, chain));) {
        struct port_set ports = c->rules->doors;
        if (strcmp(chain->table, table) != 0)
            firewall_walk(c->firewall, chain, c->family, FIREWALL_NEW, &ports,
                          &(struct firewall_visitor){visit_doors, c});
    }
}

/* --- telling --- */

enum { RANGES_TOLD = 6, PORTS_SIZE = 200 };

/* "22:tcp, 20000-32287:tcp ..." */
static const char *ports_text(const struct port_set *ports, char out[PORTS_SIZE])
{
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
    unsigned told = 0, used = 0;
    for (unsigned i = 0; i < 2; i++) {
        uint16_t first, last;
        for (uint32_t from = 0; port_set_range(ports, protos[i], from, &first, &last);
             from = last + 1u) {
            if (told++ >= RANGES_TOLD)
                continue;
            used += (unsigned)snprintf(out + used, PORTS_SIZE - used, "%s%u", told > 1 ? ", " : "",
                                       first);
            if (last != first)
                used += (unsigned)snprintf(out + used, PORTS_SIZE - used, "-%u", last);
            used += (unsigned)snprintf(out + used, PORTS_SIZE - used, ":%s", proto_name(protos[i]));
        }
    }
    if (told > RANGES_TOLD)
        snprintf(out + used, PORTS_SIZE - used, " and more");
    return out;
}

static void print_line(FILE *out, const struct finding *finding)
{
    static const char *const families[] = {"", "IPv4: ", "IPv6: ", ""};
    char ports[PORTS_SIZE];
    const struct firewall_chain *chain = finding->chain;
    bool other_kind = strncmp(chain->table, "iptables-", strlen("iptables-")) == 0;
    bool of_nft = *chain->table && !other_kind;
    fputs(families[finding->families], out);
    if (of_nft)
        fprintf(out, "table %s, chain %s: ", chain->table, chain->name);
    else if (other_kind)
        fprintf(out, "%s: ", chain->table);
    if (finding->rule)
        fputs(finding->rule->text, out);
    else if (of_nft)
        fputs(chain->policy == FIREWALL_DROP ? "policy drop" : "policy accept", out);
    else
        fprintf(out, "-P %s %s", chain->name, chain->policy == FIREWALL_DROP ? "DROP" : "ACCEPT");
    fputs(": ", out);
    const struct rules_log *log = finding->log;
    const struct fault_text *text = &texts[finding->fault];
    if (log && log->nflog)
        text = &nflog_texts[finding->fault];
    unsigned group = log ? log->group : 0;
    fprintf(out, text->says, ports_text(&finding->ports, ports), group);
    fputs("; ", out);
    fprintf(out, text->todo, group);
    putc('\n', out);
}

static void tell(struct findings *out, const struct finding *finding)
{
    static const char *const kinds[] = {
        [FAULT_CUTS] = "cuts",     [FAULT_LIMIT] = "limit",   [FAULT_PREFIX] = "prefix",
        [FAULT_GROUP] = "group",   [FAULT_KERNEL] = "kernel", [FAULT_ACCEPTS] = "accepts",
        [FAULT_SILENT] = "silent", [FAULT_BARS] = "bars",     [FAULT_OPEN] = "open",
    };
    const struct firewall_chain *chain = finding->chain;
    print_line(findings_line(out), finding);
    findings_end(out, &(struct finding_parts){kinds[finding->fault], finding->families,
                                              *chain->table ? chain->table : NULL, chain->name,
                                              finding->rule ? finding->rule->text : NULL});
}

/* A rule for both families is reported once. */
static void merge(struct check *c)
{
    for (unsigned i = 0; i < c->count; i++)
        for (unsigned j = i + 1; j < c->count;) {
            struct finding *one = &c->findings[i], *other = &c->findings[j];
            if (one->fault != other->fault || one->rule != other->rule ||
                one->chain != other->chain || one->log != other->log) {
                j++;
                continue;
            }
            one->families |= other->families;
            port_set_join(&one->ports, &other->ports);
            memmove(other, other + 1, (--c->count - j) * sizeof(*other));
        }
}

unsigned check_firewall(struct findings *out, const struct firewall *firewall,
                        const struct config *config, const struct rules *rules, unsigned families)
{
    struct check c = {.firewall = firewall, .config = config, .rules = rules};
    for (unsigned family = FIREWALL_IP4; family <= FIREWALL_IP6; family++) {
        c.family = family;
        if (!(families & family))
            continue;
        check_sessions(&c);
        for (unsigned i = 0; i < rules->log_count; i++)
            check_knocks(&c, &rules->logs[i]);
        if (rules->captures)
            check_closed(&c);
        check_doors(&c);
    }
    merge(&c);
    for (unsigned i = 0; i < c.count; i++)
        tell(out, &c.findings[i]);
    if (c.no_memory)
        fputs("knockctl rules: out of memory; there may be more\n", out->json ? stderr : out->out);
    free(c.findings);
    return c.count + c.no_memory;
}
