/* Prints the rules as nft(8) reads them. */
#include <netinet/in.h>

#include "knockctl/rules.h"
#include "lib/carrier.h"

static void print_port_rules(FILE *out, const struct port_set *set, const char *verdict)
{
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
    for (unsigned i = 0; i < 2; i++) {
        uint16_t first, last;
        uint32_t from = 0;
        while (port_set_range(set, protos[i], from, &first, &last)) {
            if (from == 0)
                fprintf(out, "        %s dport { ", proto_name(protos[i]));
            fprintf(out, first == last ? "%s%u" : "%s%u-%u", from > 0 ? ", " : "", first, last);
            from = last + 1u;
        }
        if (from > 0)
            fprintf(out, " } %s\n", verdict);
    }
}

/* A source's account is full again after burst / rate seconds, at most 5, and can be forgotten. */
static void print_account(FILE *out, const char *name, const char *type)
{
    fprintf(out,
            "    set %s {\n"
            "        type %s\n"
            "        size 262144\n"
            "        flags dynamic,timeout\n"
            "        timeout 5s\n"
            "    }\n",
            name, type);
}

/* Those of one kind of packets: of IPv4, IPv6, and networks of IPv6. */
static void print_accounts(FILE *out, const char *of4, const char *of6, const char *nets6)
{
    print_account(out, of4, "ipv4_addr");
    print_account(out, of6, "ipv6_addr");
    print_account(out, nets6, "ipv6_addr");
}

/*
 * The accept of a base chain doesn't bind other tables, but a drop does: hence early, so that what
 * others deny is logged here. Sets stay when the file is read again, and open doors with them.
 */
static void print_table(FILE *out, const struct rules *rules)
{
    fprintf(out,
            "# Made by `knockctl rules --nft` from %s, for: nft -f -\n"
            "# A table of its own is filled anew. Nothing else is flushed, no policy is set.\n"
            "# It drops what it doesn't accept, even if another table accepts it: services for\n"
            "# everyone are named by --accept. What it accepts, another table may still drop.\n"
            "# Doors put whom they let in into its sets:\n"
            "#   start_command  = \"nft add element inet knockd knock%%FAMILY%% "
            "{ %%IP%% . %%PROTO%% . %%PORT%% timeout %%TIMEOUT%%s }\"\n"
            "#   extend_command = \"nft 'add element inet knockd knock%%FAMILY%% "
            "{ %%IP%% . %%PROTO%% . %%PORT%% }; delete element inet knockd knock%%FAMILY%% "
            "{ %%IP%% . %%PROTO%% . %%PORT%% }; add element inet knockd knock%%FAMILY%% "
            "{ %%IP%% . %%PROTO%% . %%PORT%% timeout %%TIMEOUT%%s }'\"\n"
            "#   stop_command   = \"nft delete element inet knockd knock%%FAMILY%% "
            "{ %%IP%% . %%PROTO%% . %%PORT%% }\"\n"
            "#   stop_ok        = { 0, 1 }  # 1: the time is up, the kernel has removed it\n"
            "%s",
            rules->path,
            rules->log_count ? "" : "# Knocks are captured: to hear them, no rule is needed.\n");
    fputs("table inet knockd {\n"
          "    set knock4 {\n"
          "        type ipv4_addr . inet_proto . inet_service\n"
          "        flags timeout\n"
          "    }\n"
          "    set knock6 {\n"
          "        type ipv6_addr . inet_proto . inet_service\n"
          "        flags timeout\n"
          "    }\n",
          out);
    if (rules->log_count > 0) {
        fputs("    # Sources and how much they have had logged. When full, all is logged.\n", out);
        print_accounts(out, "logged4", "logged6", "nets6");
    }
    if (rules->span)
        print_accounts(out, "sealed4", "sealed6", "sealednets6");
    if (rules->packet_port)
        print_accounts(out, "packet4", "packet6", "packetnets6");
    fputs("    chain deny {\n"
          "    }\n"
          "    chain input {\n"
          "        type filter hook input priority filter - 10\n"
          "    }\n"
          "}\n"
          "flush chain inet knockd input\n"
          "flush chain inet knockd deny\n",
          out);
}

static void print_input(FILE *out, const struct rules *rules)
{
    fputs("    chain input {\n"
          "        # What this host says to itself.\n"
          "        iif lo accept\n"
          "        # Sessions that stand; a door that closes cuts none.\n"
          "        ct state established,related accept\n"
          "        # So do those from before the kernel tracked connections: a socket has them.\n"
          "        tcp flags & (fin | syn | rst | ack) != syn socket wildcard 0 accept\n"
          "        # Without neighbour discovery there is no IPv6.\n"
          "        meta l4proto ipv6-icmp accept\n"
          "        # Whom doors let in.\n"
          "        ip saddr . meta l4proto . th dport @knock4 accept\n"
          "        ip6 saddr . meta l4proto . th dport @knock6 accept\n",
          out);
    if (!port_set_is_empty(&rules->knocks))
        fputs("        # Ports of knocks: logged and dropped, whatever is accepted below.\n", out);
    print_port_rules(out, &rules->knocks, "goto deny");
    fputs("        # Ports of doors: closed, until a set above holds the address.\n", out);
    print_port_rules(out, &rules->doors, "goto deny");
    fputs("        # Answers of DHCPv6 servers: the question was multicast, nothing relates them.\n"
          "        ip6 saddr fe80::/10 udp sport 547 udp dport 546 accept\n"
          "        # Services for everyone (--accept).\n",
          out);
    print_port_rules(out, &rules->accept, "accept");
    fputs("        goto deny\n"
          "    }\n",
          out);
}

/* Logs to each place that sources read (`packets`: that gets packets, no lines). */
static void print_logs(FILE *out, const struct rules *rules, bool packets)
{
    for (unsigned i = 0; i < rules->log_count; i++) {
        const struct rules_log *log = &rules->logs[i];
        if (log->nflog)
            fprintf(out, "log prefix \"%s\" group %u snaplen 256 queue-threshold 1 ", log->prefix,
                    log->group);
        else if (!packets)
            fprintf(out, "log prefix \"%s\" ", log->prefix);
    }
}

/* `name`: what the sets of accounts begin with. */
static void print_wide(FILE *out, const char *match, const char *name)
{
    static const char *const limits[] = {
        "update @%s4 { ip saddr limit rate over 2000/second burst 2000 packets } drop\n",
        "update @%s6 { ip6 saddr limit rate over 2000/second burst 2000 packets } drop\n",
        ("update @%snets6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over 4000/second "
         "burst 8000 packets } drop\n")};
    for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
        fprintf(out, "        %s ", match);
        fprintf(out, limits[i], name);
    }
    fprintf(out, "        %s ", match);
}

static void print_sealed(FILE *out, const struct rules *rules)
{
    char match[64];
    if (rules->span) {
        unsigned first = rules->span, last = first + CARRIER_SPAN_SIZE - 1;
        snprintf(match, sizeof(match), "meta l4proto { tcp, udp } th dport %u-%u", first, last);
        fputs("        # Sealed knocks come in many packets, so they have a wider limit.\n", out);
        print_wide(out, match, "sealed");
        print_logs(out, rules, false);
        fputs("drop\n", out);
    }
    if (rules->packet_port) {
        snprintf(match, sizeof(match), "udp dport %u", rules->packet_port);
        fputs("        # Sealed knocks in one packet.\n", out);
        print_wide(out, match, "packet");
        print_logs(out, rules, true);
        fputs("drop\n", out);
    }
}

/* One limit for all ports but those of sealed knocks; why, and why these numbers, is said in
 * rules_iptables.c. */
static void print_limits(FILE *out, const struct rules *rules)
{
    fputs("        # Nobody knocks by broadcast or multicast.\n"
          "        meta pkttype { broadcast, multicast } drop\n"
          "        # Limited per source, not over all: junk from others hides no knock.\n",
          out);
    print_sealed(out, rules);
    fputs("        update @logged4 { ip saddr limit rate over 20/second burst 100 packets } drop\n"
          "        update @logged6 { ip6 saddr limit rate over 20/second burst 100 packets } drop\n"
          "        update @nets6 { ip6 saddr & ffff:ffff:ffff:ffff:: limit rate over "
          "1000/second burst 5000 packets } drop\n",
          out);
}

static void print_deny(FILE *out, const struct rules *rules)
{
    fputs("    chain deny {\n", out);
    if (rules->log_count > 0)
        print_limits(out, rules);
    fputs("        ", out);
    print_logs(out, rules, false);
    fputs("drop\n"
          "    }\n",
          out);
}

void rules_print_nft(FILE *out, const struct rules *rules)
{
    print_table(out, rules);
    fputs("table inet knockd {\n", out);
    print_input(out, rules);
    print_deny(out, rules);
    fputs("}\n", out);
}
