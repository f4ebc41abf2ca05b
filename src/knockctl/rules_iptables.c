/* Prints the rules as iptables-restore(8) reads them. */
#include <netinet/in.h>

#include "knockctl/rules.h"
#include "lib/carrier.h"

enum { MULTIPORT_MAX = 15 }; /* xt_multiport.h: XT_MULTI_PORTS; a range counts as two */

/* Prints as many ports as a rule holds, and returns where the next rule goes on. */
static uint32_t print_ports(FILE *out, const struct port_set *set, uint8_t proto, uint32_t from)
{
    uint16_t first, last;
    unsigned used = 0;
    while (port_set_range(set, proto, from, &first, &last)) {
        used += first == last ? 1 : 2;
        if (used > MULTIPORT_MAX)
            return first;
        fprintf(out, "%s%u", from > 0 && used > (first == last ? 1u : 2u) ? "," : "", first);
        if (first != last)
            fprintf(out, ":%u", last);
        from = last + 1u;
    }
    return UINT16_MAX + 1u;
}

static void print_port_rules(FILE *out, const struct port_set *set, const char *target)
{
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
    for (unsigned i = 0; i < 2; i++) {
        uint16_t first, last;
        uint32_t from = 0;
        while (port_set_range(set, protos[i], from, &first, &last)) {
            fprintf(out, "-A KNOCKD -p %s -m multiport --dports ", proto_name(protos[i]));
            from = print_ports(out, set, protos[i], first);
            fprintf(out, " -j %s\n", target);
        }
    }
}

static void print_head(FILE *out, const struct rules *rules, const char *ip)
{
    fprintf(
        out,
        "# Made by `knockctl rules` from %s, for: %stables-restore --noflush\n"
        "# Without --noflush all other rules would go. To replace these later: `knockctl "
        "rules --again`.\n"
        "# Two chains of their own are filled anew. Nothing else is flushed, no policy is set.\n",
        rules->path, ip);
    if (rules->log_count > 0)
        fputs("#   KNOCKD       in front of your own rules: keeps sessions, closes doors, logs "
              "knocks\n"
              "#   KNOCKD-DENY  behind your own rules: logs and drops what none of them accepted\n"
              "# Should your own rules end in a drop or reject, let them jump to KNOCKD-DENY "
              "instead:\n"
              "# what is denied without being logged makes a scan look like a knock.\n",
              out);
    else
        fputs("#   KNOCKD       in front of your own rules: keeps sessions, closes doors\n"
              "#   KNOCKD-DENY  behind your own rules: drops what none of them accepted\n"
              "# Knocks are captured: to hear them, no rule is needed.\n",
              out);
    fputs("*filter\n"
          ":KNOCKD - [0:0]\n"
          ":KNOCKD-DENY - [0:0]\n",
          out);
}

static void print_sessions(FILE *out, bool ip6)
{
    fputs("# What this host says to itself.\n"
          "-A KNOCKD -i lo -j ACCEPT\n"
          "# Sessions that stand; a door that closes cuts none.\n"
          "-A KNOCKD -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT\n"
          "# So do those from before the kernel tracked connections: a socket has them.\n"
          "-A KNOCKD -p tcp ! --syn -m socket -j ACCEPT\n",
          out);
    if (ip6)
        fputs("# Without neighbour discovery there is no IPv6.\n"
              "-A KNOCKD -p ipv6-icmp -j ACCEPT\n",
              out);
}

static void print_denied(FILE *out, const struct rules *rules)
{
    if (!port_set_is_empty(&rules->knocks))
        fputs("# Ports of knocks: logged and dropped, whatever your own rules accept.\n", out);
    print_port_rules(out, &rules->knocks, "KNOCKD-DENY");
    fputs("# Ports of doors: closed, until knockd inserts its rule in front of all these.\n", out);
    print_port_rules(out, &rules->doors, "KNOCKD-DENY");
}

static void print_accepted(FILE *out, const struct rules *rules, bool ip6)
{
    uint16_t first, last;
    if (ip6)
        fputs("# Answers of DHCPv6 servers: the question was multicast, so nothing relates them.\n"
              "-A KNOCKD -p udp -s fe80::/10 --sport 547 --dport 546 -j ACCEPT\n",
              out);
    if (port_set_range(&rules->accept, IPPROTO_TCP, 0, &first, &last) ||
        port_set_range(&rules->accept, IPPROTO_UDP, 0, &first, &last))
        fputs("# Services for everyone (--accept).\n", out);
    print_port_rules(out, &rules->accept, "ACCEPT");
}

/* iptables-restore takes quotes and backslashes after a backslash. */
static void print_quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putc('\\', out);
        putc(*text, out);
    }
    putc('"', out);
}

/* After burst / rate seconds, at most 5, an account is full again and can be forgotten. */
static void print_limit(FILE *out, const char *match, const char *name, unsigned rate,
                        unsigned burst, unsigned bits)
{
    fprintf(out,
            "-A KNOCKD-DENY %s-m hashlimit --hashlimit-above %u/second --hashlimit-burst %u "
            "--hashlimit-mode srcip --hashlimit-srcmask %u --hashlimit-name %s "
            "--hashlimit-htable-size 16384 --hashlimit-htable-max 262144 "
            "--hashlimit-htable-expire 5000 -j DROP\n",
            match, rate, burst, bits, name);
}

/* What knockd reads of a packet, and each at once: what waits for others knocks late. */
#define NFLOG_OPTIONS "--nflog-size 256 --nflog-threshold 1"

/* Logs to each place that sources read (`packets`: that gets packets, no lines), and drops. */
static void print_verdict(FILE *out, const struct rules *rules, const char *match, bool packets)
{
    for (unsigned i = 0; i < rules->log_count; i++) {
        const struct rules_log *log = &rules->logs[i];
        if (packets && !log->nflog)
            continue;
        fprintf(out, "-A KNOCKD-DENY %s-j ", match);
        if (log->nflog)
            fprintf(out, "NFLOG --nflog-group %u " NFLOG_OPTIONS " --nflog-prefix ", log->group);
        else
            fputs("LOG --log-prefix ", out);
        print_quoted(out, log->prefix);
        putc('\n', out);
    }
    fprintf(out, "-A KNOCKD-DENY %s-j DROP\n", match);
}

/*
 * Sealed knocks are no part of a scan for knockd, so they can be logged apart, and need more room:
 * 10 users behind one address who knock at once send 960 packets, two rounds of 48 each, within
 * 200 ms; and while forged packets with that address come, as many as 1,000 a second, 48 packets
 * in 100 ms must still get through. Both fit into 2,000 at once and 2,000 a second.
 */
static void print_sealed(FILE *out, const struct rules *rules, bool ip6)
{
    static const char *const protos[] = {"tcp", "udp"};
    fputs("# Sealed knocks come in many packets, so they have a wider limit of their own.\n", out);
    for (unsigned i = 0; i < 2; i++) {
        char match[64];
        unsigned first = rules->span, last = first + CARRIER_SPAN_SIZE - 1;
        snprintf(match, sizeof(match), "-p %s -m multiport --dports %u:%u ", protos[i], first,
                 last);
        print_limit(out, match, "knockd-sealed", 2000, 2000, ip6 ? 128 : 32);
        if (ip6)
            print_limit(out, match, "knockd-snet", 4000, 8000, 64);
        print_verdict(out, rules, match, false);
    }
}

/* The port of sealed knocks in one packet, with an account of its own: packets to the span don't
 * use it up. */
static void print_packet(FILE *out, const struct rules *rules, bool ip6)
{
    char match[64];
    fputs("# Sealed knocks in one packet.\n", out);
    snprintf(match, sizeof(match), "-p udp -m multiport --dports %u ", rules->packet_port);
    print_limit(out, match, "knockd-packet", 2000, 2000, ip6 ? 128 : 32);
    if (ip6)
        print_limit(out, match, "knockd-pnet", 4000, 8000, 64);
    print_verdict(out, rules, match, true);
}

/*
 * One limit for all ports but those of sealed knocks: were those of sequences logged apart, with a
 * limit of their own, the log of a quick scan would hold them and little else. Who has one address
 * of IPv6 has 2^64, hence a limit for these as well; it is wide, since some hosters put many
 * customers into one network.
 */
static void print_log(FILE *out, const struct rules *rules, bool ip6)
{
    if (rules->log_count == 0) {
        print_verdict(out, rules, "", false);
        return;
    }
    fputs("# Nobody knocks by broadcast or multicast.\n"
          "-A KNOCKD-DENY -m pkttype --pkt-type broadcast -j DROP\n"
          "-A KNOCKD-DENY -m pkttype --pkt-type multicast -j DROP\n"
          "# Limited per source, not over all: junk from others hides no knock.\n",
          out);
    if (rules->span)
        print_sealed(out, rules, ip6);
    if (rules->packet_port)
        print_packet(out, rules, ip6);
    print_limit(out, "", "knockd", 20, 100, ip6 ? 128 : 32);
    if (ip6)
        print_limit(out, "", "knockd-net", 1000, 5000, 64);
    print_verdict(out, rules, "", false);
}

void rules_print_iptables(FILE *out, const struct rules *rules, enum rules_kind kind,
                          unsigned jumps)
{
    bool ip6 = kind == RULES_IP6;
    print_head(out, rules, ip6 ? "ip6" : "ip");
    print_sessions(out, ip6);
    print_denied(out, rules);
    print_accepted(out, rules, ip6);
    print_log(out, rules, ip6);
    if (jumps)
        fputs("# The ways into the chains.\n", out);
    if (jumps & JUMP_FIRST)
        fputs("-I INPUT -j KNOCKD\n", out);
    if (jumps & JUMP_MOVED)
        fputs("-D INPUT -j KNOCKD-DENY\n", out);
    if (jumps & JUMP_LAST)
        fputs("-A INPUT -j KNOCKD-DENY\n", out);
    fputs("COMMIT\n", out);
}
