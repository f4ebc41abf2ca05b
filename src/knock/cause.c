#include "knock/cause.h"

#include <stdio.h>
#include <string.h>

/* Silent before the knock and refusing since: nothing but an open door makes that difference. */
static bool is_opened(const struct seen *seen)
{
    return seen->reset > 0 && seen->looked && seen->reset_before == 0;
}

static void say_opened(const struct seen *seen, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "port %u refuses since the knock and was silent before: the door opened, but nothing "
             "listens there; start the service, or name its port",
             seen->port);
}

/* Those of the knock's own packets say more. An error that the server itself sends about the port
 * is its firewall's way to deny. */
static const struct seen_obstacle *find_obstacle(const struct seen *seen)
{
    const struct seen_obstacle *port = &seen->port_obstacle;
    if (seen->knock_obstacle.count > 0)
        return &seen->knock_obstacle;
    return port->count > 0 && strcmp(port->sender, seen->server) != 0 ? port : NULL;
}

static bool has_obstacle(const struct seen *seen)
{
    return find_obstacle(seen) != NULL;
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

static bool is_by_firewall(const struct seen_obstacle *obstacle)
{
    return obstacle->kind == ICMP_KIND_PROHIBITED || obstacle->kind == ICMP_KIND_PORT;
}

static void say_here(const struct seen *seen, const struct seen_obstacle *obstacle,
                     const char *packets, char *out)
{
    if (is_by_firewall(obstacle))
        snprintf(out, CAUSE_SIZE,
                 "a firewall rule of this machine rejects %s; see its OUTPUT chain", packets);
    else
        snprintf(out, CAUSE_SIZE,
                 "this machine doesn't reach %s (%s): the server is off, or this network is cut "
                 "off; try \"ping %s\"",
                 seen->target, obstacle->error, seen->target);
}

static void say_obstacle(const struct seen *seen, char *out)
{
    const struct seen_obstacle *obstacle = find_obstacle(seen);
    bool knock = obstacle == &seen->knock_obstacle;
    const char *other = !knock || !seen->sealed ? ""
                        : seen->by_udp          ? "--carrier tcp, or "
                                                : "--carrier udp, or ";
    char packets[64] = "the knock's packets";
    if (!knock)
        snprintf(packets, sizeof(packets), "connections to port %u", seen->port);
    if (obstacle->sender[0] == '\0' || strcmp(obstacle->sender, seen->own) == 0)
        say_here(seen, obstacle, packets, out);
    else if (is_by_firewall(obstacle))
        snprintf(out, CAUSE_SIZE,
                 "%s, on the way, rejects %s (%s): a firewall there forbids them; try %sfrom "
                 "another network",
                 obstacle->sender, packets, name_icmp(obstacle->kind), other);
    else if (obstacle->kind == ICMP_KIND_EXPIRED)
        snprintf(out, CAUSE_SIZE,
                 "%s, on the way, says that packets to %s go in a circle (%s): its routes are "
                 "wrong; try later, or from another network",
                 obstacle->sender, seen->target, name_icmp(obstacle->kind));
    else
        snprintf(out, CAUSE_SIZE,
                 "%s, on the way, says of %s: %s; the server is off, or that host lets nothing "
                 "through",
                 obstacle->sender, seen->target, obstacle->error);
}

static bool is_behind(const struct seen *seen)
{
    return seen->behind > 0;
}

static void say_behind(const struct seen *seen, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "this machine's clock was %u s behind the last knock with this key: if it is wrong, "
             "the server refused the knock as stale; set it",
             seen->behind);
}

static bool is_refusing(const struct seen *seen)
{
    return seen->reset > 0 && !is_opened(seen);
}

static void say_refusing(const struct seen *seen, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "port %u refused %s: where the server's firewall drops, nothing listens there; start "
             "the service, or name its port",
             seen->port, seen->looked ? "before the knock, too" : "connections");
}

/* A knock is heard in the log of what the firewall denies: an answer may mean that it denied
 * nothing.
 */
static bool is_answered(const struct seen *seen)
{
    return seen->knock_reset > 0 || seen->knock_rejected > 0;
}

static void say_answered(const struct seen *seen, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "%s itself answers the knock's packets (%s): it rejects them, or no rule of its "
             "firewall denies them, and knockd hears only what the firewall logs; see \"knockctl "
             "rules\" there",
             seen->server, seen->knock_rejected > 0 ? name_icmp(seen->rejection) : "RST");
}

static bool is_bound_inside(const struct seen *seen)
{
    return seen->bound_inside;
}

static void say_bound_inside(const struct seen *seen, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "the knock was bound to %s, which %s doesn't see but the address of a translator "
             "(NAT): bind it to that, or let a STUN server tell it, by --bind stun --stun HOST",
             seen->bound, seen->server);
}

static bool is_bound_elsewhere(const struct seen *seen)
{
    return seen->bound[0] != '\0' && !seen->bound_inside && !seen->told &&
           strcmp(seen->bound, seen->own) != 0;
}

/* As it should be behind a translator, unless that has several addresses. */
static bool is_told_elsewhere(const struct seen *seen)
{
    return seen->told && !seen->bound_inside && strcmp(seen->bound, seen->own) != 0;
}

static void say_bound_elsewhere(const struct seen *seen, char *out)
{
    snprintf(out, CAUSE_SIZE,
             "the knock was bound to %s and left this machine as %s: if the server saw another "
             "address than %s, it refused it; bind it to what the server's log shows",
             seen->bound, seen->own, seen->bound);
}

static bool is_unbound(const struct seen *seen)
{
    return seen->sealed && seen->bound[0] == '\0';
}

static void say_unbound(const struct seen *seen, char *out)
{
    (void)seen;
    snprintf(out, CAUSE_SIZE,
             "the knock wasn't bound to an address: the server refused it unless the door has "
             "bound = false");
}

static bool is_unsynchronised(const struct seen *seen)
{
    return seen->sealed && seen->unsynchronised;
}

static void say_unsynchronised(const struct seen *seen, char *out)
{
    (void)seen;
    snprintf(
        out, CAUSE_SIZE,
        "nothing keeps this machine's clock right (NTP), says its kernel: if it is two minutes "
        "off, the server refused the knock as stale; compare \"date -u\" on both");
}

/* What came back for the packets shows how far they came. */
static bool is_by_udp(const struct seen *seen)
{
    return seen->sealed && seen->by_udp && seen->reset == 0 && seen->knock_rejected == 0 &&
           seen->knock_obstacle.count == 0;
}

static void say_by_udp(const struct seen *seen, char *out)
{
    snprintf(out, CAUSE_SIZE, "this network lets %s: try --carrier tcp",
             seen->udp_answered ? "UDP out to some ports alone" : "no UDP out");
}

static bool is_sealed(const struct seen *seen)
{
    return seen->sealed;
}

static void say_unknown(const struct seen *seen, char *out)
{
    (void)seen;
    snprintf(out, CAUSE_SIZE,
             "the server doesn't know the key, or the door doesn't take it: see \"knockctl key "
             "list\" there");
}

static bool is_sequence(const struct seen *seen)
{
    return !seen->sealed;
}

static void say_sequence(const struct seen *seen, char *out)
{
    (void)seen;
    snprintf(out, CAUSE_SIZE,
             "the sequence isn't the door's, or its packets came in another order: compare it, or "
             "try --delay 100");
}

/* The likeliest first: what was seen of the port, then of the clock, then of addresses, then what
 * is never seen. */
static const struct cause {
    bool (*holds)(const struct seen *seen);
    void (*say)(const struct seen *seen, char *out); /* CAUSE_SIZE bytes */
} table[] = {
    {is_opened, say_opened},
    {has_obstacle, say_obstacle},
    {is_behind, say_behind},
    {is_refusing, say_refusing},
    {is_answered, say_answered},
    {is_bound_inside, say_bound_inside},
    {is_bound_elsewhere, say_bound_elsewhere},
    {is_unbound, say_unbound},
    {is_unsynchronised, say_unsynchronised},
    {is_sequence, say_sequence},
    {is_sealed, say_unknown},
    {is_by_udp, say_by_udp},
    {is_told_elsewhere, say_bound_elsewhere},
};

/* If the door has opened, it is for no other reason. */
unsigned cause_find(const struct seen *seen, char out[CAUSES_MAX][CAUSE_SIZE])
{
    unsigned count = 0, most = is_opened(seen) ? 1 : CAUSES_MAX;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table) && count < most; i++)
        if (table[i].holds(seen))
            table[i].say(seen, out[count++]);
    return count;
}

const char *cause_address(const struct seen *seen)
{
    if (seen->bound[0] != '\0' && !seen->bound_inside)
        return seen->bound;
    return seen->translated || seen->own[0] == '\0' ? "ADDRESS" : seen->own;
}
