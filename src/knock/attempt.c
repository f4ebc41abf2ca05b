#include "knock/attempt.h"

#include <string.h>
#include <unistd.h>

#include "knock/cause.h"
#include "knock/clock_state.h"
#include "knock/nat.h"
#include "knock/once_file.h"
#include "knock/say.h"
#include "knock/sides.h"
#include "knock/transmission.h"
#include "lib/clock.h"
#include "lib/crypto.h"

enum {
    LOOK_MS = 200, /* for an open port to answer before the knock; a shut one is silent */
    /* When one family's port is open, the other's has as long again as that took, but this long at
     * least and at most: its message went out at the same time. */
    OTHER_MIN_MS = 200,
    OTHER_MAX_MS = 1000,
};

/* An attempt under way. */
struct going {
    const struct attempt *attempt;
    const struct profile *profile;
    FILE *list; /* where packets are named; NULL: nowhere */
    struct sides sides;
    struct seal seal;
    struct transmission messages[SIDES_MAX];
    bool prepared;       /* the messages are open */
    bool looked;         /* at the ports before the knock */
    bool partly;         /* the port of one family was open before */
    bool sent;           /* a message went out */
    int told[SIDES_MAX]; /* errno of sending that was told last */
    struct watch watch;
    int64_t started, until; /* clock_now(); until: INT64_MAX if there is no limit */
};

/* What the packets won't show. */
static void list_seal(const struct going *go, const struct side *side)
{
    char text[ADDR_TEXT_SIZE];
    const struct addr *other = &go->profile->open_for;
    if (side->target.named)
        fprintf(go->list, "%s is %s\n", go->profile->host, side->target.text);
    if (!go->profile->key)
        return;
    fprintf(go->list, "sealed for door %s, ", go->profile->door);
    if (other->family)
        fprintf(go->list, "to open for %s, ", addr_format(other, text));
    fprintf(go->list, "%s\n", side->source.binding);
}

/* A file is looked at before anything is asked or sent, even if it isn't needed this time. */
static bool check_files(struct going *go)
{
    const struct profile *profile = go->profile;
    enum sealed_op op = go->attempt->close ? SEALED_CLOSE : SEALED_OPEN;
    if (profile->key)
        return seal_open(&go->seal, profile, op);
    return !profile->once || once_file_check(profile->once);
}

/* `list`: where the packets are named; NULL: nowhere. False, told already; finish() follows either
 * way. */
static bool begin(struct going *go, const struct attempt *attempt, FILE *list)
{
    int64_t timeout = attempt->profile->timeout;
    *go = (struct going){.attempt = attempt, .profile = attempt->profile, .list = list};
    go->seal.last.fd = -1;
    if (!check_files(go) || !sides_find(go->profile, attempt->proxy_host, list, &go->sides))
        return false;
    /* To look up a name takes as long as the resolver takes. */
    go->started = clock_now();
    go->until = timeout > 0 ? go->started + timeout : INT64_MAX;
    watch_open(&go->watch, go->sides.ports, go->sides.count);
    return true;
}

/* Begins to watch the ports that the sides have now. */
static void watch_again(struct going *go)
{
    watch_close(&go->watch);
    watch_open(&go->watch, go->sides.ports, go->sides.count);
}

/* Gets the messages ready. False, told already. */
static bool prepare(struct going *go, bool only_list)
{
    const struct profile *profile = go->profile;
    unsigned count = go->sides.count;
    if (!sides_bind(profile, go->until, only_list, go->list, &go->sides))
        return false;
    if (go->sides.count != count)
        watch_again(go);
    for (unsigned i = 0; i < go->sides.count; i++) {
        const struct side *side = &go->sides.all[i];
        if (go->list)
            list_seal(go, side);
        go->messages[i] = (struct transmission){.profile = profile,
                                                .target = &side->target,
                                                .source = &side->source,
                                                .seal = &go->seal,
                                                .list = go->list,
                                                .only_list = only_list};
        transmission_open(&go->messages[i]);
        go->sides.ports[i].replies = &go->messages[i].replies;
    }
    go->prepared = true;
    return true;
}

static void finish(struct going *go)
{
    for (unsigned i = 0; i < go->sides.count && go->prepared; i++)
        transmission_close(&go->messages[i]);
    watch_close(&go->watch);
    if (go->profile->key)
        seal_close(&go->seal);
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
    crypto_random(&chance, sizeof(chance));
    return (ms + chance % (ms / 4)) * (CLOCK_SECOND / 1000);
}

/* Waits for the port after `round`, but not past the end. */
static int wait_after(struct going *go, unsigned round)
{
    int64_t until = clock_now() + length_of_wait(round);
    return watch_ports(&go->watch, until < go->until ? until : go->until);
}

static bool time_is_left(const struct going *go)
{
    return clock_now() < go->until;
}

/* Makes a message for each side, as far as there are any: one-time sequences may be too few for
 * both. False, told already, when there is none at all. */
static bool next_messages(struct going *go)
{
    unsigned count = 0;
    for (unsigned i = 0; i < go->sides.count; i++) {
        char why[512] = "";
        if (count > 0)
            say_into(why, sizeof(why));
        count += transmission_next(&go->messages[i]);
        say_into(NULL, 0);
        if (why[0] && go->list)
            fprintf(go->list, "%s\n", why);
    }
    return count > 0;
}

/* What comes back from now on doesn't matter. */
static void collect_last(struct going *go)
{
    for (unsigned i = 0; i < go->sides.count; i++)
        transmission_collect(&go->messages[i], true);
}

static bool send_round(struct going *go, bool whole)
{
    return transmission_send(go->messages, go->sides.count, whole);
}

/* Of both families one is enough; without any, nothing was sent. Each reason is told once, however
 * often it is met. */
static void tell_failures(struct going *go, bool sent)
{
    char text[512];
    for (unsigned i = 0; i < go->sides.count; i++) {
        int failure = go->messages[i].failure;
        if (failure == 0 || failure == go->told[i])
            continue;
        go->told[i] = failure;
        transmission_failure(&go->messages[i], text, sizeof(text));
        if (!sent)
            say("%s", text);
        else if (go->list)
            fprintf(go->list, "%s\n", text);
    }
}

/* Without a port to wait for there is no asking for more: parity is sent at once. */
static enum attempt_end send_blind(struct going *go)
{
    bool more = go->profile->retries > 0;
    if (!go->attempt->verbose)
        say_progress("sending to %s", go->profile->host);
    if (!next_messages(go))
        return ATTEMPT_NOT_SENT;
    bool sent = send_round(go, more);
    tell_failures(go, sent);
    if (!sent)
        return ATTEMPT_NOT_SENT;
    /* The carrier without parity is repeated. */
    if (more && go->profile->key && go->messages[0].packets.parity == 0)
        send_round(go, true);
    say_no_progress();
    return ATTEMPT_OPEN;
}

static void show_round(const struct going *go, unsigned round, unsigned rounds)
{
    const struct sides *sides = &go->sides;
    if (!go->attempt->verbose)
        say_progress("waiting for port %u of %s, round %u of %u", go->profile->port,
                     sides->count > 1 ? sides->watched_name : sides->ports[0].target.text,
                     round + 1, rounds);
}

/*
 * One message a side, round after round. If none can be sent, though one could before, this machine
 * may be on its way from one network to another: then it waits as long as after a round.
 */
static enum attempt_end send_messages(struct going *go, int *connected)
{
    unsigned rounds = go->profile->retries + 1;
    for (unsigned round = 0; round < rounds && (round == 0 || time_is_left(go)); round++) {
        show_round(go, round, rounds);
        bool sent = send_round(go, round > 0);
        if (round == 0)
            tell_failures(go, sent);
        go->sent |= sent;
        if (!go->sent)
            return ATTEMPT_NOT_SENT;
        *connected = wait_after(go, round);
        if (*connected >= 0)
            return ATTEMPT_OPEN;
        if (!sent || go->partly)
            break;
    }
    return ATTEMPT_SHUT;
}

/* A command chooses by itself which family it uses: the other gets its time to open. */
static void wait_for_other(struct going *go)
{
    const int64_t ms = CLOCK_SECOND / 1000;
    struct watch watch;
    struct watched *other = &go->sides.ports[go->sides.ports[0].open ? 1 : 0];
    int64_t now = clock_now(), wait = now - go->started;
    if (go->sides.count < SIDES_MAX || go->attempt->proxy_host)
        return;
    wait = wait < OTHER_MIN_MS * ms ? OTHER_MIN_MS * ms : wait;
    wait = wait > OTHER_MAX_MS * ms ? OTHER_MAX_MS * ms : wait;
    watch_open(&watch, other, 1);
    int fd = watch_ports(&watch, now + wait);
    watch_close(&watch);
    if (fd >= 0)
        close(fd);
}

/* Message after message, until the port opens, the time is over, or there is none any more. */
static enum attempt_end send_all(struct going *go, int *connected)
{
    bool more = go->profile->timeout > 0 && !go->partly;
    enum attempt_end end = ATTEMPT_SHUT;
    do {
        if (!next_messages(go))
            break;
        end = send_messages(go, connected);
    } while (end == ATTEMPT_SHUT && more && time_is_left(go));
    collect_last(go);
    if (end == ATTEMPT_OPEN)
        wait_for_other(go);
    say_no_progress();
    return go->sent || end == ATTEMPT_OPEN ? end : ATTEMPT_NOT_SENT;
}

/* " (192.0.2.1)", or nothing where the user calls it so. */
static const char *address_of(const struct going *go, unsigned i, char out[KNOCK_HOST_SIZE + 4])
{
    const char *text = go->sides.ports[i].target.text;
    out[0] = '\0';
    if (strcmp(go->sides.watched_name, text) != 0)
        snprintf(out, KNOCK_HOST_SIZE + 4, " (%s)", text);
    return out;
}

/* The texts that a struct seen points to. */
struct seen_texts {
    char port_sender[ADDR_TEXT_SIZE], knock_sender[ADDR_TEXT_SIZE];
    char own[ADDR_TEXT_SIZE], bound[ADDR_TEXT_SIZE];
};

/* "" where there is none. */
static const char *address_text(const struct addr *address, char out[ADDR_TEXT_SIZE])
{
    out[0] = '\0';
    return address->family ? addr_format(address, out) : out;
}

static struct seen_obstacle obstacle_of(const struct answers *answers, char sender[ADDR_TEXT_SIZE])
{
    return (struct seen_obstacle){.count = answers->unreachable,
                                  .kind = answers->obstacle.kind,
                                  .error = strerror(answers->obstacle.error),
                                  .sender = address_text(&answers->obstacle.sender, sender)};
}

static struct seen see(const struct going *go, unsigned i, struct seen_texts *texts)
{
    const struct side *side = &go->sides.all[i];
    const struct addr *bound = &side->source.bound;
    const struct watched *port = &go->sides.ports[i];
    const struct answers *knock = &go->messages[i].replies.answers;
    struct addr own = knock_target_addr(&side->source.own), to = knock_target_addr(&side->target);
    return (struct seen){.sealed = go->profile->key != NULL,
                         .by_udp = go->profile->carrier != PACKETS_TCP,
                         .port = go->profile->port,
                         .server = side->target.text,
                         .target = port->target.text,
                         .looked = go->looked,
                         .reset_before = port->reset_before,
                         .reset = port->answers.reset,
                         .port_obstacle = obstacle_of(&port->answers, texts->port_sender),
                         .knock_obstacle = obstacle_of(knock, texts->knock_sender),
                         .knock_reset = knock->reset,
                         .knock_rejected = knock->rejected,
                         .rejection = knock->rejection,
                         .own = address_text(&own, texts->own),
                         .translated = nat_between(&own, &to),
                         .bound = address_text(bound, texts->bound),
                         .bound_inside = bound->family && nat_between(bound, &to),
                         .told = side->source.told_by != TOLD_BY_NOBODY,
                         .udp_answered = side->source.told_by == TOLD_BY_STUN,
                         .behind = go->seal.last.behind,
                         .unsynchronised = clock_state_is_unsynchronised()};
}

/* The causes of all sides, each once. */
static void tell_causes(const struct seen *seen, unsigned count)
{
    char told[SIDES_MAX * CAUSES_MAX][CAUSE_SIZE], causes[CAUSES_MAX][CAUSE_SIZE];
    unsigned told_count = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned found = cause_find(&seen[i], causes);
        for (unsigned c = 0; c < found; c++) {
            unsigned known = 0;
            while (known < told_count && strcmp(told[known], causes[c]) != 0)
                known++;
            if (known == told_count && told_count < CAUSES_MAX) {
                strcpy(told[told_count], causes[c]);
                say("%s: %s", told_count++ == 0 ? "likely" : "or", causes[c]);
            }
        }
    }
}

static void tell_shut(const struct going *go)
{
    struct seen_texts texts[SIDES_MAX];
    char where[SIDES_MAX][KNOCK_HOST_SIZE + 4] = {"", ""};
    struct seen seen[SIDES_MAX] = {{0}};
    for (unsigned i = 0; i < go->sides.count; i++) {
        seen[i] = see(go, i, &texts[i]);
        address_of(go, i, where[i]);
    }
    bool two = go->sides.count > 1;
    const char *address = cause_address(&seen[0]);
    say("sent, but port %u of %s%s%s did not answer within %d s; on the server, \"knockctl why "
        "%s\"%s%s%s tells what became of it%s",
        go->profile->port, go->sides.watched_name, where[0], where[1],
        (int)((clock_now() - go->started) / CLOCK_SECOND), address,
        two ? " or \"knockctl why " : "", two ? cause_address(&seen[1]) : "", two ? "\"" : "",
        strcmp(address, "ADDRESS") == 0 ? ", ADDRESS being what the translator (NAT) has outside"
                                        : "");
    tell_causes(seen, go->sides.count);
    if (!go->list && go->sides.left_out[0])
        say("%s", go->sides.left_out);
}

static void tell_open(const struct going *go, const char *more)
{
    char where[KNOCK_HOST_SIZE + 4];
    for (unsigned i = 0; i < go->sides.count; i++)
        if (go->sides.ports[i].open && (!go->attempt->quiet || go->list))
            fprintf(go->attempt->quiet ? go->list : stdout, "port %u of %s%s is open%s\n",
                    go->profile->port, go->sides.watched_name, address_of(go, i, where), more);
}

/*
 * Looks at the ports before the knock. Of both families, one whose port answers is done, and the
 * other is knocked at; but a proxy takes the first. Whether there is nothing to knock for.
 */
static bool is_open_already(struct going *go, int *connected)
{
    int64_t until = clock_now() + LOOK_MS * (CLOCK_SECOND / 1000);
    go->looked = true;
    *connected = watch_look(&go->watch, until);
    if (*connected < 0)
        return false;
    unsigned open = 0;
    for (unsigned i = 0; i < go->sides.count; i++)
        open += go->sides.ports[i].open;
    if (open == go->sides.count || go->attempt->proxy_host) {
        tell_open(go, " already: nothing was sent (--always sends)");
        return true;
    }
    tell_open(go, " already");
    go->partly = true;
    sides_leave_open(&go->sides);
    watch_again(go);
    close(*connected);
    *connected = -1;
    return false;
}

static void tell_sent(const struct going *go)
{
    char where[KNOCK_HOST_SIZE + 4];
    for (unsigned i = 0; i < go->sides.count && !go->attempt->quiet; i++)
        if (go->messages[i].made && !go->messages[i].failure)
            printf("sent to %s%s\n", go->sides.watched_name, address_of(go, i, where));
}

/* Of both families one is enough: if its port was open before, that is how the attempt ends. */
static enum attempt_end knock(struct going *go, bool watched, int *connected)
{
    enum attempt_end end = ATTEMPT_NOT_SENT;
    if (prepare(go, false) && (!go->profile->key || seal_lock(&go->seal, go->until)))
        end = watched ? send_all(go, connected) : send_blind(go);
    if (go->partly && end != ATTEMPT_OPEN)
        return ATTEMPT_OPEN;
    if (end == ATTEMPT_SHUT)
        tell_shut(go);
    else if (end == ATTEMPT_OPEN && watched)
        tell_open(go, "");
    else if (end == ATTEMPT_OPEN)
        tell_sent(go);
    return end;
}

enum attempt_end attempt_run(const struct attempt *attempt, int *connected)
{
    struct going go;
    const struct profile *profile = attempt->profile;
    enum attempt_end end = ATTEMPT_NOT_SENT;
    *connected = -1;
    FILE *out = attempt->quiet ? stderr : stdout;
    /* If it is to open for another, our own connections tell nothing. */
    bool watched = profile->port > 0 && !attempt->close && profile->open_for.family == 0;
    bool look = watched && !attempt->always;
    if (begin(&go, attempt, attempt->verbose ? out : NULL))
        end =
            look && is_open_already(&go, connected) ? ATTEMPT_OPEN : knock(&go, watched, connected);
    finish(&go);
    return end;
}

enum attempt_end attempt_show(const struct attempt *attempt)
{
    struct going go;
    bool good = begin(&go, attempt, stdout) && prepare(&go, true) && next_messages(&go) &&
                send_round(&go, true);
    if (good && go.messages[0].packets.parity > 0 && go.profile->port > 0 && !attempt->close)
        printf("%u of them first; all, from another source port, until the port answers\n",
               go.messages[0].packets.count);
    if (good && go.profile->key)
        puts("the ports and lengths change with each knock; no time was used up");
    finish(&go);
    return good ? ATTEMPT_OPEN : ATTEMPT_NOT_SENT;
}
