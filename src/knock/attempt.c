/* One attempt from its files to its end: look at the port, send rounds, watch, report the outcome.
 */
#include "knock/attempt.h"

#include <string.h>
#include <unistd.h>

#include "knock/cause.h"
#include "knock/clock_state.h"
#include "knock/endpoints.h"
#include "knock/nat.h"
#include "knock/once_file.h"
#include "knock/output.h"
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
struct attempt_state {
    const struct attempt *attempt;
    const struct profile *profile;
    FILE *list; /* where packets are named; NULL: nowhere */
    struct endpoints endpoints;
    struct seal seal;
    struct transmission messages[ENDPOINTS_MAX];
    bool prepared;               /* the messages are open */
    bool looked;                 /* at the ports before the knock */
    bool partly;                 /* the port of one family was open before */
    bool sent;                   /* a message went out */
    int reported[ENDPOINTS_MAX]; /* errno of sending that was reported last */
    struct watch watch;
    int64_t started, until; /* clock_now(); until: INT64_MAX if there is no limit */
};

/* Lists what the packets don't show. */
static void list_seal(const struct attempt_state *state, const struct endpoint *endpoint)
{
    char text[ADDR_TEXT_SIZE];
    const struct addr *other = &state->profile->open_for;
    if (endpoint->target.named)
        fprintf(state->list, "%s is %s\n", state->profile->host, endpoint->target.text);
    if (!state->profile->key)
        return;
    fprintf(state->list, "sealed for door %s, ", state->profile->door);
    if (other->family)
        fprintf(state->list, "to open for %s, ", addr_format(other, text));
    fprintf(state->list, "%s\n", endpoint->source.binding);
}

/* A file is looked at before anything is asked or sent, even if it isn't needed this time. */
static bool check_files(struct attempt_state *state)
{
    const struct profile *profile = state->profile;
    enum sealed_op op = state->attempt->close ? SEALED_CLOSE : SEALED_OPEN;
    if (profile->key)
        return seal_open(&state->seal, profile, op);
    return !profile->once || once_file_check(profile->once);
}

/* `list`: where the packets are named; NULL: nowhere. False, reported already; finish() follows
 * either way. */
static bool begin(struct attempt_state *state, const struct attempt *attempt, FILE *list)
{
    int64_t timeout = attempt->profile->timeout;
    *state = (struct attempt_state){.attempt = attempt, .profile = attempt->profile, .list = list};
    state->seal.last.fd = -1;
    if (!check_files(state) ||
        !endpoints_find(state->profile, attempt->proxy_host, list, &state->endpoints))
        return false;
    /* To look up a name takes as long as the resolver takes. */
    state->started = clock_now();
    state->until = timeout > 0 ? state->started + timeout : INT64_MAX;
    watch_open(&state->watch, state->endpoints.ports, state->endpoints.count);
    return true;
}

/* Begins to watch the ports that the endpoints have now. */
static void watch_again(struct attempt_state *state)
{
    watch_close(&state->watch);
    watch_open(&state->watch, state->endpoints.ports, state->endpoints.count);
}

/* Gets the messages ready. False, reported already. */
static bool prepare(struct attempt_state *state, bool only_list)
{
    const struct profile *profile = state->profile;
    unsigned count = state->endpoints.count;
    if (!endpoints_bind(profile, state->until, only_list, state->list, &state->endpoints))
        return false;
    if (state->endpoints.count != count)
        watch_again(state);
    for (unsigned i = 0; i < state->endpoints.count; i++) {
        const struct endpoint *endpoint = &state->endpoints.all[i];
        if (state->list)
            list_seal(state, endpoint);
        state->messages[i] = (struct transmission){.profile = profile,
                                                   .target = &endpoint->target,
                                                   .source = &endpoint->source,
                                                   .seal = &state->seal,
                                                   .list = state->list,
                                                   .only_list = only_list};
        transmission_open(&state->messages[i]);
        state->endpoints.ports[i].replies = &state->messages[i].replies;
    }
    state->prepared = true;
    return true;
}

static void finish(struct attempt_state *state)
{
    for (unsigned i = 0; i < state->endpoints.count && state->prepared; i++)
        transmission_close(&state->messages[i]);
    watch_close(&state->watch);
    if (state->profile->key)
        seal_close(&state->seal);
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
static int wait_after(struct attempt_state *state, unsigned round)
{
    int64_t until = clock_now() + length_of_wait(round);
    return watch_ports(&state->watch, until < state->until ? until : state->until);
}

static bool time_is_left(const struct attempt_state *state)
{
    return clock_now() < state->until;
}

/* Makes a message for each endpoint, as far as there are any: one-time sequences may be too few for
 * both. False, reported already, when there is none at all. */
static bool next_messages(struct attempt_state *state)
{
    unsigned count = 0;
    for (unsigned i = 0; i < state->endpoints.count; i++) {
        char why[512] = "";
        if (count > 0)
            output_capture(why, sizeof(why));
        count += transmission_next(&state->messages[i]);
        output_capture(NULL, 0);
        if (why[0] && state->list)
            fprintf(state->list, "%s\n", why);
    }
    return count > 0;
}

/* What comes back from now on doesn't matter. */
static void collect_last(struct attempt_state *state)
{
    for (unsigned i = 0; i < state->endpoints.count; i++)
        transmission_collect(&state->messages[i], true);
}

static bool send_round(struct attempt_state *state, bool whole)
{
    return transmission_send(state->messages, state->endpoints.count, whole);
}

/* Of both families one is enough; without any, nothing was sent. Each reason is reported once,
 * however often it is met. */
static void report_failures(struct attempt_state *state, bool sent)
{
    char text[512];
    for (unsigned i = 0; i < state->endpoints.count; i++) {
        int failure = state->messages[i].failure;
        if (failure == 0 || failure == state->reported[i])
            continue;
        state->reported[i] = failure;
        transmission_failure(&state->messages[i], text, sizeof(text));
        if (!sent)
            output_error("%s", text);
        else if (state->list)
            fprintf(state->list, "%s\n", text);
    }
}

/* Without a port to wait for there is no asking for more: parity is sent at once. */
static enum attempt_end send_blind(struct attempt_state *state)
{
    bool more = state->profile->retries > 0;
    if (!state->attempt->verbose)
        output_progress("sending to %s", state->profile->host);
    if (!next_messages(state))
        return ATTEMPT_NOT_SENT;
    bool sent = send_round(state, more);
    report_failures(state, sent);
    if (!sent)
        return ATTEMPT_NOT_SENT;
    /* The carrier without parity is repeated. */
    if (more && state->profile->key && state->messages[0].packets.parity == 0)
        send_round(state, true);
    output_progress_end();
    return ATTEMPT_OPEN;
}

static void show_round(const struct attempt_state *state, unsigned round, unsigned rounds)
{
    const struct endpoints *endpoints = &state->endpoints;
    if (!state->attempt->verbose)
        output_progress("waiting for port %u of %s, round %u of %u", state->profile->port,
                        endpoints->count > 1 ? endpoints->watched_name
                                             : endpoints->ports[0].target.text,
                        round + 1, rounds);
}

/*
 * One message an endpoint, round after round. If none can be sent, though one could before, this
 * machine may be on its way from one network to another: then it waits as long as after a round.
 */
static enum attempt_end send_messages(struct attempt_state *state, int *connected)
{
    unsigned rounds = state->profile->retries + 1;
    for (unsigned round = 0; round < rounds && (round == 0 || time_is_left(state)); round++) {
        show_round(state, round, rounds);
        bool sent = send_round(state, round > 0);
        if (round == 0)
            report_failures(state, sent);
        state->sent |= sent;
        if (!state->sent)
            return ATTEMPT_NOT_SENT;
        *connected = wait_after(state, round);
        if (*connected >= 0)
            return ATTEMPT_OPEN;
        if (!sent || state->partly)
            break;
    }
    return ATTEMPT_SHUT;
}

/* A command chooses by itself which family it uses: the other gets its time to open. */
static void wait_for_other(struct attempt_state *state)
{
    const int64_t ms = CLOCK_SECOND / 1000;
    struct watch watch;
    struct watched *other = &state->endpoints.ports[state->endpoints.ports[0].open ? 1 : 0];
    int64_t now = clock_now(), wait = now - state->started;
    if (state->endpoints.count < ENDPOINTS_MAX || state->attempt->proxy_host)
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
static enum attempt_end send_all(struct attempt_state *state, int *connected)
{
    bool more = state->profile->timeout > 0 && !state->partly;
    enum attempt_end end = ATTEMPT_SHUT;
    do {
        if (!next_messages(state))
            break;
        end = send_messages(state, connected);
    } while (end == ATTEMPT_SHUT && more && time_is_left(state));
    collect_last(state);
    if (end == ATTEMPT_OPEN)
        wait_for_other(state);
    output_progress_end();
    return state->sent || end == ATTEMPT_OPEN ? end : ATTEMPT_NOT_SENT;
}

/* " (192.0.2.1)", or nothing where the user calls it so. */
static const char *address_of(const struct attempt_state *state, unsigned i,
                              char out[KNOCK_HOST_SIZE + 4])
{
    const char *text = state->endpoints.ports[i].target.text;
    out[0] = '\0';
    if (strcmp(state->endpoints.watched_name, text) != 0)
        snprintf(out, KNOCK_HOST_SIZE + 4, " (%s)", text);
    return out;
}

/* The texts that a struct evidence points to. */
struct evidence_texts {
    char port_sender[ADDR_TEXT_SIZE], knock_sender[ADDR_TEXT_SIZE];
    char own[ADDR_TEXT_SIZE], bound[ADDR_TEXT_SIZE];
};

/* "" where there is none. */
static const char *address_text(const struct addr *address, char out[ADDR_TEXT_SIZE])
{
    out[0] = '\0';
    return address->family ? addr_format(address, out) : out;
}

static struct obstacle obstacle_of(const struct answers *answers, char sender[ADDR_TEXT_SIZE])
{
    return (struct obstacle){.count = answers->unreachable,
                             .kind = answers->obstacle.kind,
                             .error = strerror(answers->obstacle.error),
                             .sender = address_text(&answers->obstacle.sender, sender)};
}

static struct evidence collect_evidence(const struct attempt_state *state, unsigned i,
                                        struct evidence_texts *texts)
{
    const struct endpoint *endpoint = &state->endpoints.all[i];
    const struct addr *bound = &endpoint->source.bound;
    const struct watched *port = &state->endpoints.ports[i];
    const struct answers *knock = &state->messages[i].replies.answers;
    struct addr own = knock_target_addr(&endpoint->source.own),
                to = knock_target_addr(&endpoint->target);
    return (struct evidence){.sealed = state->profile->key != NULL,
                             .by_udp = state->profile->carrier != PACKETS_TCP,
                             .by_packet = state->profile->carrier == PACKETS_ONE,
                             .port = state->profile->port,
                             .server = endpoint->target.text,
                             .target = port->target.text,
                             .looked = state->looked,
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
                             .told = endpoint->source.learned_from != LEARNED_FROM_NOBODY,
                             .udp_answered = endpoint->source.learned_from == LEARNED_FROM_STUN,
                             .behind = state->seal.last.behind,
                             .unsynchronised = clock_state_is_unsynchronised()};
}

/* The causes of all endpoints, each once. */
static void report_causes(const struct evidence *evidence, unsigned count)
{
    char told[ENDPOINTS_MAX * CAUSES_MAX][CAUSE_SIZE], causes[CAUSES_MAX][CAUSE_SIZE];
    unsigned told_count = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned found = cause_find(&evidence[i], causes);
        for (unsigned c = 0; c < found; c++) {
            unsigned known = 0;
            while (known < told_count && strcmp(told[known], causes[c]) != 0)
                known++;
            if (known == told_count && told_count < CAUSES_MAX) {
                strcpy(told[told_count], causes[c]);
                output_error("%s: %s", told_count++ == 0 ? "likely" : "or", causes[c]);
            }
        }
    }
}

static void report_shut(const struct attempt_state *state)
{
    struct evidence_texts texts[ENDPOINTS_MAX];
    char where[ENDPOINTS_MAX][KNOCK_HOST_SIZE + 4] = {"", ""};
    struct evidence evidence[ENDPOINTS_MAX] = {{0}};
    for (unsigned i = 0; i < state->endpoints.count; i++) {
        evidence[i] = collect_evidence(state, i, &texts[i]);
        address_of(state, i, where[i]);
    }
    bool two = state->endpoints.count > 1;
    const char *address = cause_address(&evidence[0]);
    output_error(
        "sent, but port %u of %s%s%s did not answer within %d s; on the server, \"knockctl why "
        "%s\"%s%s%s tells what became of it%s",
        state->profile->port, state->endpoints.watched_name, where[0], where[1],
        (int)((clock_now() - state->started) / CLOCK_SECOND), address,
        two ? " or \"knockctl why " : "", two ? cause_address(&evidence[1]) : "", two ? "\"" : "",
        strcmp(address, "ADDRESS") == 0 ? ", ADDRESS being what the translator (NAT) has outside"
                                        : "");
    report_causes(evidence, state->endpoints.count);
    if (!state->list && state->endpoints.left_out[0])
        output_error("%s", state->endpoints.left_out);
}

static void report_open(const struct attempt_state *state, const char *more)
{
    char where[KNOCK_HOST_SIZE + 4];
    for (unsigned i = 0; i < state->endpoints.count; i++)
        if (state->endpoints.ports[i].open && (!state->attempt->quiet || state->list))
            fprintf(state->attempt->quiet ? state->list : stdout, "port %u of %s%s is open%s\n",
                    state->profile->port, state->endpoints.watched_name,
                    address_of(state, i, where), more);
}

/*
 * Looks at the ports before the knock. Of both families, one whose port answers is done, and the
 * other is knocked at; but a proxy takes the first. Whether there is nothing to knock for.
 */
static bool is_open_already(struct attempt_state *state, int *connected)
{
    int64_t until = clock_now() + LOOK_MS * (CLOCK_SECOND / 1000);
    state->looked = true;
    *connected = watch_look(&state->watch, until);
    if (*connected < 0)
        return false;
    unsigned open = 0;
    for (unsigned i = 0; i < state->endpoints.count; i++)
        open += state->endpoints.ports[i].open;
    if (open == state->endpoints.count || state->attempt->proxy_host) {
        report_open(state, " already: nothing was sent (--always sends)");
        return true;
    }
    report_open(state, " already");
    state->partly = true;
    endpoints_drop_open(&state->endpoints);
    watch_again(state);
    close(*connected);
    *connected = -1;
    return false;
}

static void report_sent(const struct attempt_state *state)
{
    char where[KNOCK_HOST_SIZE + 4];
    for (unsigned i = 0; i < state->endpoints.count && !state->attempt->quiet; i++)
        if (state->messages[i].made && !state->messages[i].failure)
            printf("sent to %s%s\n", state->endpoints.watched_name, address_of(state, i, where));
}

/* Of both families one is enough: if its port was open before, that is how the attempt ends. */
static enum attempt_end knock(struct attempt_state *state, bool watched, int *connected)
{
    enum attempt_end end = ATTEMPT_NOT_SENT;
    if (prepare(state, false) && (!state->profile->key || seal_lock(&state->seal, state->until)))
        end = watched ? send_all(state, connected) : send_blind(state);
    if (state->partly && end != ATTEMPT_OPEN)
        return ATTEMPT_OPEN;
    if (end == ATTEMPT_SHUT)
        report_shut(state);
    else if (end == ATTEMPT_OPEN && watched)
        report_open(state, "");
    else if (end == ATTEMPT_OPEN)
        report_sent(state);
    return end;
}

/* Whether the port is waited for. If it is to open for another, our own connections tell nothing.
 */
static bool is_watched(const struct attempt *attempt)
{
    const struct profile *profile = attempt->profile;
    return profile->port > 0 && !attempt->close && profile->open_for.family == 0;
}

enum attempt_end attempt_run(const struct attempt *attempt, int *connected)
{
    struct attempt_state state;
    enum attempt_end end = ATTEMPT_NOT_SENT;
    *connected = -1;
    FILE *out = attempt->quiet ? stderr : stdout;
    bool watched = is_watched(attempt);
    bool look = watched && !attempt->always;
    if (begin(&state, attempt, attempt->verbose ? out : NULL))
        end = look && is_open_already(&state, connected) ? ATTEMPT_OPEN
                                                         : knock(&state, watched, connected);
    finish(&state);
    return end;
}

/* How often what was listed is sent, and from where; what else there is to know of it. */
static void show_rounds(const struct attempt_state *state)
{
    const struct packets *packets = &state->messages[0].packets;
    bool waits = is_watched(state->attempt);
    if (!state->profile->key)
        return;
    if (packets->parity > 0 && waits)
        printf("%u of them first; all, from another source port, until the port answers\n",
               packets->count);
    else if (packets->parity == 0 && state->profile->retries > 0)
        printf("the same again, from another source port%s\n",
               waits ? ", until the port answers" : "");
    printf("the %s with each knock; no time was used up\n",
           packets->payload ? "content changes" : "ports and lengths change");
}

enum attempt_end attempt_show(const struct attempt *attempt)
{
    struct attempt_state state;
    bool good = begin(&state, attempt, stdout) && prepare(&state, true) && next_messages(&state) &&
                send_round(&state, true);
    if (good)
        show_rounds(&state);
    finish(&state);
    return good ? ATTEMPT_OPEN : ATTEMPT_NOT_SENT;
}
