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

/* An error that the server itself sends is its firewall's way to deny. */
static bool is_unreachable(const struct seen *seen)
{
    return seen->unreachable > 0 && strcmp(seen->teller, seen->target) != 0;
}

static void say_unreachable(const struct seen *seen, char *out)
{
    if (seen->teller[0] == '\0' || strcmp(seen->teller, seen->own) == 0)
        snprintf(out, CAUSE_SIZE,
                 "this machine doesn't reach %s (%s): the server is off, or this network is cut "
                 "off; try \"ping %s\"",
                 seen->target, seen->error, seen->target);
    else
        snprintf(out, CAUSE_SIZE,
                 "%s, on the way, says of %s: %s; the server is off, or that host lets nothing "
                 "through",
                 seen->teller, seen->target, seen->error);
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

static bool is_bound_elsewhere(const struct seen *seen)
{
    return seen->bound[0] != '\0' && strcmp(seen->bound, seen->own) != 0;
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

static bool is_by_udp(const struct seen *seen)
{
    return seen->sealed && seen->by_udp && seen->reset == 0;
}

static void say_by_udp(const struct seen *seen, char *out)
{
    (void)seen;
    snprintf(out, CAUSE_SIZE, "this network lets no UDP out: try --carrier tcp");
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
    {is_unreachable, say_unreachable},
    {is_behind, say_behind},
    {is_refusing, say_refusing},
    {is_bound_elsewhere, say_bound_elsewhere},
    {is_unbound, say_unbound},
    {is_unsynchronised, say_unsynchronised},
    {is_sequence, say_sequence},
    {is_by_udp, say_by_udp},
    {is_sealed, say_unknown},
};

unsigned cause_judge(const struct seen *seen, char out[CAUSES_MAX][CAUSE_SIZE])
{
    unsigned count = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(*table) && count < CAUSES_MAX; i++)
        if (table[i].holds(seen))
            table[i].say(seen, out[count++]);
    return count;
}

const char *cause_address(const struct seen *seen)
{
    if (seen->bound[0] != '\0')
        return seen->bound;
    return seen->translated || seen->own[0] == '\0' ? "ADDRESS" : seen->own;
}
