/* A table of causes: each holds by the evidence or not, and describes itself. */
#include "knock/cause.h"

#include <stdio.h>
#include <string.h>

/* Silent before the knock and refusing since: nothing but an open door makes that difference. */
static bool is_opened(const struct evidence *evidence)
{
    return evidence->reset > 0 && evidence->looked && evidence->reset_before == 0;
}

static void describe_opened(const struct evidence *evidence, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "port %u refuses since the knock and was silent before: the door opened, but nothing "
             "listens there; start the service, or name its port",
             evidence->port);
}

/* Those of the knock's own packets come first. An error that the server itself sends about the port
 * is its firewall's way to deny. */
static const struct obstacle *find_obstacle(const struct evidence *evidence)
{
    const struct obstacle *port = &evidence->port_obstacle;
    if (evidence->knock_obstacle.count > 0)
        return &evidence->knock_obstacle;
    return port->count > 0 && strcmp(port->sender, evidence->server) != 0 ? port : NULL;
}

static bool has_obstacle(const struct evidence *evidence)
{
    return find_obstacle(evidence) != NULL;
}

static const char *name_icmp(enum icmp_kind kind)
{
    switch (kind) {
    case ICMP_KIND_PROHIBITED:
        return "ICMP: administratively prohibited";
    case ICMP_KIND_PORT:
        return "ICMP: port unreachable";
    case ICMP_KIND_EXPIRED:
        return "ICMP: time exceeded";
    case ICMP_KIND_NO_ROUTE:
        return "ICMP: host unreachable";
    case ICMP_KIND_OTHER:
    case ICMP_KIND_TOO_BIG:
        break;
    }
    return "ICMP error";
}

static bool is_by_firewall(const struct obstacle *obstacle)
{
    return obstacle->kind == ICMP_KIND_PROHIBITED || obstacle->kind == ICMP_KIND_PORT;
}

static void describe_here(const struct evidence *evidence, const struct obstacle *obstacle,
                          const char *packets, char *out)
{
    if (is_by_firewall(obstacle))
        snprintf(out, CAUSE_SIZE,
                 "a firewall rule of this machine rejects %s; see its OUTPUT chain", packets);
    else
        snprintf(out, CAUSE_SIZE,
                 "this machine doesn't reach %s (%s): the server is off, or this network is cut "
                 "off; try \"ping %s\"",
                 evidence->target, obstacle->error, evidence->target);
}

static void describe_obstacle(const struct evidence *evidence, char *out)
{
    const struct obstacle *obstacle = find_obstacle(evidence);
    bool knock = obstacle == &evidence->knock_obstacle;
    const char *other = !knock || !evidence->sealed ? ""
                        : evidence->by_udp          ? "--carrier tcp, or "
                                                    : "--carrier udp, or ";
    char packets[64] = "the knock's packets";
    if (!knock)
        snprintf(packets, sizeof(packets), "connections to port %u", evidence->port);
    if (obstacle->sender[0] == '\0' || strcmp(obstacle->sender, evidence->own) == 0)
        describe_here(evidence, obstacle, packets, out);
    else if (is_by_firewall(obstacle))
        snprintf(out, CAUSE_SIZE,
                 "%s, on the way, rejects %s (%s): a firewall there forbids them; try %sfrom "
                 "another network",
                 obstacle->sender, packets, name_icmp(obstacle->kind), other);
    else if (obstacle->kind == ICMP_KIND_EXPIRED)
        snprintf(out, CAUSE_SIZE,
                 "%s, on the way, says that packets to %s go in a circle (%s): its routes are "
                 "wrong; try later, or from another network",
                 obstacle->sender, evidence->target, name_icmp(obstacle->kind));
    else
        snprintf(out, CAUSE_SIZE,
                 "%s, on the way, says of %s: %s; the server is off, or that host lets nothing "
                 "through",
                 obstacle->sender, evidence->target, obstacle->error);
}

static bool is_behind(const struct evidence *evidence)
{
    return evidence->behind > 0;
}

static void describe_behind(const struct evidence *evidence, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "this machine's clock was %u s behind the last knock with this key: if it is wrong, "
             "the server refused the knock as stale; set it",
             evidence->behind);
}

static bool is_refusing(const struct evidence *evidence)
{
    return evidence->reset > 0 && !is_opened(evidence);
}

static void describe_refusing(const struct evidence *evidence, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "port %u refused %s: where the server's firewall drops, nothing listens there; start "
             "the service, or name its port",
             evidence->port, evidence->looked ? "before the knock, too" : "connections");
}

/* A knock is heard in the log of what the firewall denies: an answer may mean that it denied
 * nothing.
 */
static bool is_answered(const struct evidence *evidence)
{
    return evidence->knock_reset > 0 || evidence->knock_rejected > 0;
}

static void describe_answered(const struct evidence *evidence, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "%s itself answers the knock's packets (%s): it rejects them, or no rule of its "
             "firewall denies them, and knockd hears only what the firewall %s; see \"knockctl "
             "rules\" there",
             evidence->server,
             evidence->knock_rejected > 0 ? name_icmp(evidence->rejection) : "RST",
             evidence->by_packet ? "passes on, unless it captures" : "logs");
}

static bool is_bound_inside(const struct evidence *evidence)
{
    return evidence->bound_inside;
}

static void describe_bound_inside(const struct evidence *evidence, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "the knock was bound to %s, which %s doesn't see but the address of a translator "
             "(NAT): bind it to that, or let a STUN server tell it, by --bind stun --stun HOST",
             evidence->bound, evidence->server);
}

static bool is_bound_elsewhere(const struct evidence *evidence)
{
    return evidence->bound[0] != '\0' && !evidence->bound_inside && !evidence->told &&
           strcmp(evidence->bound, evidence->own) != 0;
}

/* As it should be behind a translator, unless that has several addresses. */
static bool is_told_elsewhere(const struct evidence *evidence)
{
    return evidence->told && !evidence->bound_inside && strcmp(evidence->bound, evidence->own) != 0;
}

static void describe_bound_elsewhere(const struct evidence *evidence, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "the knock was bound to %s and left this machine as %s: if the server saw another "
             "address than %s, it refused it; bind it to what the server's log shows",
             evidence->bound, evidence->own, evidence->bound);
}

static bool is_unbound(const struct evidence *evidence)
{
    return evidence->sealed && evidence->bound[0] == '\0';
}

static void describe_unbound(const struct evidence *evidence, char *out)
{
    (void)evidence;
    snprintf(out, CAUSE_SIZE,
             "the knock wasn't bound to an address: the server refused it unless the door has "
             "bound = false");
}

static bool is_unsynchronised(const struct evidence *evidence)
{
    return evidence->sealed && evidence->unsynchronised;
}

static void describe_unsynchronised(const struct evidence *evidence, char *out)
{
    (void)evidence;
    snprintf(
        out, CAUSE_SIZE,
        "nothing keeps this machine's clock right (NTP), says its kernel: if it is two minutes "
        "off, the server refused the knock as stale; compare \"date -u\" on both");
}

/* What came back for the packets shows how far they came. */
static bool is_by_udp(const struct evidence *evidence)
{
    return evidence->sealed && evidence->by_udp && evidence->reset == 0 &&
           evidence->knock_rejected == 0 && evidence->knock_obstacle.count == 0;
}

static void describe_by_udp(const struct evidence *evidence, char *out)
{
    snprintf(out, CAUSE_SIZE, "this network lets %s: try --carrier tcp",
             evidence->udp_answered ? "UDP out to some ports alone" : "no UDP out");
}

static bool is_by_packet(const struct evidence *evidence)
{
    return evidence->sealed && evidence->by_packet;
}

static void describe_by_packet(const struct evidence *evidence, char *out)
{
    (void)evidence;
    snprintf(out, CAUSE_SIZE,
             "the server may not hear single packets: that takes a source of type nflog or pcap, "
             "and its packet_port here; see \"knockctl sources\" there, or try --carrier udp");
}

static bool is_sealed(const struct evidence *evidence)
{
    return evidence->sealed;
}

static void describe_unknown(const struct evidence *evidence, char *out)
{
    (void)evidence;
    snprintf(out, CAUSE_SIZE,
             "the server doesn't know the key, or the door doesn't take it: see \"knockctl key "
             "list\" there; or its state is new, and it refuses sealed knocks for two minutes "
             "(max_skew): try again then");
}

static bool is_sequence(const struct evidence *evidence)
{
    return !evidence->sealed;
}

static void describe_sequence(const struct evidence *evidence, char *out)
{
    (void)evidence;
    snprintf(out, CAUSE_SIZE,
             "the sequence isn't the door's, or its packets came in another order: compare it, or "
             "try --delay 100");
}

/* The likeliest first: what was seen of the port, then of the clock, then of addresses, then
 * what is never seen. */
static const struct cause {
    bool (*holds)(const struct evidence *evidence);
    void (*describe)(const struct evidence *evidence, char *out); /* CAUSE_SIZE bytes */
} table[] = {
    {is_opened, describe_opened},
    {has_obstacle, describe_obstacle},
    {is_behind, describe_behind},
    {is_refusing, describe_refusing},
    {is_answered, describe_answered},
    {is_bound_inside, describe_bound_inside},
    {is_bound_elsewhere, describe_bound_elsewhere},
    {is_unbound, describe_unbound},
    {is_unsynchronised, describe_unsynchronised},
    {is_sequence, describe_sequence},
    {is_by_packet, describe_by_packet},
    {is_sealed, describe_unknown},
    {is_by_udp, describe_by_udp},
    {is_told_elsewhere, describe_bound_elsewhere},
};

/* If the door has opened, it is for no other reason. */
unsigned cause_find(const struct evidence *evidence, char out[CAUSES_MAX][CAUSE_SIZE])
{
    unsigned count = 0, most = is_opened(evidence) ? 1 : CAUSES_MAX;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table) && count < most; i++)
        if (table[i].holds(evidence))
            table[i].describe(evidence, out[count++]);
    return count;
}

const char *cause_address(const struct evidence *evidence)
{
    if (evidence->bound[0] != '\0' && !evidence->bound_inside)
        return evidence->bound;
    return evidence->translated || evidence->own[0] == '\0' ? "ADDRESS" : evidence->own;
}
