#include "knock/attempt.h"

#include <string.h>
#include <strings.h>

#include "knock/binding.h"
#include "knock/message.h"
#include "knock/say.h"
#include "knock/watch.h"
#include "lib/clock.h"
#include "lib/keyed.h"

/* An attempt under way. */
struct going {
    const struct attempt *attempt;
    const struct profile *profile;
    struct knock_target target;  /* that is knocked at */
    struct knock_target watched; /* that is waited for, with its port */
    const char *watched_name;    /* as the user calls it */
    struct source source;        /* of the knock */
    struct source connecting;    /* of the connection that is waited for */
    struct message message;
    int64_t started, until; /* clock_now(); until: INT64_MAX if there is no limit */
};

static bool find(const char *host, int family, struct knock_target *out)
{
    say_progress("looking up %s", host);
    bool found = knock_target_find(host, family, out);
    say_no_progress();
    return found;
}

/* ssh names the host as its own configuration does: by the profile's name, its host, its address,
 * or it is another one behind the one that is knocked at. */
static bool find_watched(struct going *go)
{
    const struct profile *profile = go->profile;
    const char *host = go->attempt->proxy_host;
    go->watched = go->target;
    go->watched_name = profile->host;
    go->connecting = go->source;
    if (host && strcasecmp(host, profile->host) != 0 && strcasecmp(host, profile->name) != 0) {
        if (!find(host, go->target.address.any.sa_family, &go->watched))
            return false;
        go->watched_name = host;
        struct addr other = knock_target_addr(&go->watched), same = knock_target_addr(&go->target);
        if (!addr_equal(&other, &same))
            go->connecting.own.length = 0;
    }
    go->watched = knock_target_at(&go->watched, (uint16_t)profile->port);
    return true;
}

/* What the packets won't show. */
static void list_seal(const struct going *go, FILE *list)
{
    char text[ADDR_TEXT_SIZE];
    const struct addr *other = &go->profile->open_for;
    if (go->target.named)
        fprintf(list, "%s is %s\n", go->profile->host, go->target.text);
    if (!go->profile->key)
        return;
    fprintf(list, "sealed for door %s, ", go->profile->door);
    if (other->family)
        fprintf(list, "to open for %s, ", addr_format(other, text));
    fprintf(list, "%s\n", go->source.binding);
}

/* `list`: where the packets are named; NULL: nowhere. */
static bool prepare(struct going *go, FILE *list, bool only_look)
{
    const struct profile *profile = go->profile = go->attempt->profile;
    if (!find(profile->host, profile->family, &go->target) ||
        !source_choose(profile, &go->target, &go->source) ||
        !binding_choose(profile, &go->target, go->until, only_look, &go->source) ||
        !find_watched(go))
        return false;
    if (list)
        list_seal(go, list);
    go->message = (struct message){
        .profile = profile, .target = &go->target, .source = &go->source, .list = list};
    return true;
}

/*
 * Ever longer, for a slow path, and up to a quarter more by chance: two who began together, behind
 * a NAT that scatters ports, would else disturb each other in every round.
 */
static int64_t length_of_wait(unsigned round)
{
    static const uint32_t waits_ms[] = {500, 1000, 2000};
    unsigned last = sizeof(waits_ms) / sizeof(*waits_ms) - 1;
    uint32_t ms = waits_ms[round < last ? round : last], chance;
    keyed_random(&chance, sizeof(chance));
    return (ms + chance % (ms / 4)) * (CLOCK_SECOND / 1000);
}

/* Waits for the port after `round`, but not past the end. */
static int wait_after(struct going *go, unsigned round)
{
    int64_t until = clock_now() + length_of_wait(round);
    return watch_port(&go->watched, &go->connecting, until < go->until ? until : go->until);
}

static bool time_is_left(const struct going *go)
{
    return clock_now() < go->until;
}

/* Without a port to wait for there is no asking for more: parity is sent at once. */
static enum attempt_end send_blind(struct going *go)
{
    bool more = go->profile->retries > 0;
    if (!message_next(&go->message) || !message_send(&go->message, more))
        return ATTEMPT_NOT_SENT;
    /* The carrier without parity is repeated. */
    if (more && go->profile->key && go->message.packets.parity == 0)
        message_send(&go->message, true);
    return ATTEMPT_OPEN;
}

/* One message, round after round. `*sent`: whether a round went out. */
static enum attempt_end send_message(struct going *go, bool *sent, int *connected)
{
    unsigned rounds = go->profile->retries + 1;
    if (!message_next(&go->message))
        return *sent ? ATTEMPT_SHUT : ATTEMPT_NOT_SENT;
    for (unsigned round = 0; round < rounds && (round == 0 || time_is_left(go)); round++) {
        if (!go->attempt->verbose)
            say_progress("waiting for port %u of %s, round %u of %u", go->profile->port,
                         go->watched.text, round + 1, rounds);
        if (!message_send(&go->message, round > 0))
            return *sent ? ATTEMPT_SHUT : ATTEMPT_NOT_SENT;
        *sent = true;
        *connected = wait_after(go, round);
        if (*connected >= 0)
            return ATTEMPT_OPEN;
    }
    return ATTEMPT_SHUT;
}

static enum attempt_end send_all(struct going *go, int *connected)
{
    bool sent = false, more = go->profile->timeout > 0;
    enum attempt_end end;
    do
        end = send_message(go, &sent, connected);
    while (end == ATTEMPT_SHUT && more && time_is_left(go));
    say_no_progress();
    return end;
}

static void tell_shut(const struct going *go, const char *where, const char *seen)
{
    say("sent, but port %u of %s%s did not answer within %d s; on the server, \"knockctl why %s\" "
        "tells what became of it",
        go->profile->port, go->watched_name, where,
        (int)((clock_now() - go->started) / CLOCK_SECOND), seen);
    if (go->message.seal.last.behind > 0)
        say("this machine's clock was %u s behind the last knock with this key: if it is wrong, the "
            "server may have refused the knock as stale; set it",
            go->message.seal.last.behind);
}

static void tell(const struct going *go, enum attempt_end end, bool watched)
{
    char where[KNOCK_HOST_SIZE + 4] = "", seen[ADDR_TEXT_SIZE] = "ADDRESS";
    if (strcmp(go->watched_name, go->watched.text) != 0)
        snprintf(where, sizeof(where), " (%s)", go->watched.text);
    if (go->source.bound.family)
        addr_format(&go->source.bound, seen);
    if (end == ATTEMPT_SHUT)
        tell_shut(go, where, seen);
    else if (end == ATTEMPT_OPEN && !go->attempt->quiet && watched)
        printf("port %u of %s%s is open\n", go->profile->port, go->watched_name, where);
    else if (end == ATTEMPT_OPEN && !go->attempt->quiet)
        printf("sent to %s%s\n", go->watched_name, where);
}

enum attempt_end attempt_run(const struct attempt *attempt, int *connected)
{
    struct going go = {.attempt = attempt, .until = INT64_MAX};
    enum sealed_op op = attempt->close ? SEALED_CLOSE : SEALED_OPEN;
    enum attempt_end end = ATTEMPT_NOT_SENT;
    *connected = -1;
    FILE *out = attempt->quiet ? stderr : stdout;
    if (attempt->profile->timeout > 0)
        go.until = clock_now() + attempt->profile->timeout;
    if (!prepare(&go, attempt->verbose ? out : NULL, false))
        return end;
    bool watched = go.profile->port > 0 && !attempt->close;
    go.started = clock_now();
    if (message_open(&go.message, op, go.until))
        end = watched ? send_all(&go, connected) : send_blind(&go);
    message_close(&go.message);
    tell(&go, end, watched);
    return end;
}

enum attempt_end attempt_show(const struct attempt *attempt)
{
    struct going go = {.attempt = attempt, .until = INT64_MAX};
    enum sealed_op op = attempt->close ? SEALED_CLOSE : SEALED_OPEN;
    if (!prepare(&go, stdout, true))
        return ATTEMPT_NOT_SENT;
    go.message.only_list = true;
    bool good = message_open(&go.message, op, INT64_MAX) && message_next(&go.message) &&
                message_send(&go.message, true);
    if (good && go.message.packets.parity > 0 && go.profile->port > 0 && !attempt->close)
        printf("%u of them first; all, from another source port, until the port answers\n",
               go.message.packets.count);
    if (good && go.profile->key)
        puts("the ports and lengths change with each knock; no time was used up");
    message_close(&go.message);
    return good ? ATTEMPT_OPEN : ATTEMPT_NOT_SENT;
}
