/* One transaction with a STUN server: asks, asks again while nothing comes, and takes the answer.
 */
#include "knock/stun.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "knock/answers.h"
#include "knock/output.h"
#include "knock/stun_message.h"
#include "lib/clock.h"
#include "lib/crypto.h"
#include "lib/host_port.h"

/* RFC 8489, 6.2.1, calls them Rc, RTO and Rm. */
enum { REQUESTS = 7, FIRST_WAIT_MS = 500, LAST_WAIT = 16 };

struct stun_query {
    const char *server; /* as the profile calls it */
    struct knock_target at;
    int fd;
    uint8_t id[STUN_ID_SIZE];
    struct stun_answer answer; /* STUN_OTHER: none yet */
    unsigned strays;           /* datagrams from the server that answer another request */
    struct answers answers;    /* ICMP errors */
    int error;                 /* why asking on makes no sense; 0: it does */
};

static bool find_server(struct stun_query *query, int family, int64_t until)
{
    char host[HOST_PORT_MAX + 1];
    uint16_t port = STUN_PORT;
    const char *why;
    if (!host_port_parse(query->server, host, &port)) {
        output_error(
            "stun: \"%s\" won't do: expected HOST or HOST:PORT, an IPv6 address as [ADDRESS]:PORT",
            query->server);
        return false;
    }
    output_progress("looking up the STUN server %s", host);
    bool found = knock_target_resolve(host, family, &query->at, &why);
    output_progress_end();
    if (!found) {
        output_error(
            "cannot resolve the STUN server \"%s\" to an IPv%d address: %s; nothing was sent: check "
            "the name, or name a server that answers by IPv%d",
            host, family == AF_INET ? 4 : 6, why, family == AF_INET ? 4 : 6);
        return false;
    }
    query->at = knock_target_at(&query->at, port);
    if (clock_now() < until)
        return true;
    output_error(
        "to look up the STUN server %s took the whole time; nothing was sent: allow more by "
        "--timeout, or give its address",
        host);
    return false;
}

/* Connected, so that the kernel keeps from us what others send, and reports when nobody is there.
 */
static bool open_socket(struct stun_query *query, const struct source *source)
{
    query->fd = source_bound_socket(source, &query->at, SOCK_DGRAM);
    bool good = query->fd >= 0 && connect(query->fd, &query->at.address.any, query->at.length) == 0;
    if (query->fd >= 0)
        icmp_listen(query->fd, query->at.address.any.sa_family);
    if (!good)
        output_error("cannot ask the STUN server %s (%s): %s; nothing was sent", query->server,
                     query->at.text, strerror(errno));
    return good;
}

/* Nobody at the port is an answer; other errors may be of a network that is about to change, and
 * are only reported if nothing comes. */
static void read_errors(struct stun_query *query)
{
    struct addr server = knock_target_addr(&query->at);
    unsigned rejected = query->answers.rejected;
    answers_read(&query->answers, query->fd, &server);
    if (query->answers.rejected > rejected && query->answers.rejection == ICMP_KIND_PORT)
        query->error = ECONNREFUSED;
}

/* A full queue has lost the request, as any router might. What fails once may be an ICMP error
 * about an earlier one. */
static void send_request(struct stun_query *query)
{
    uint8_t request[STUN_REQUEST_SIZE];
    stun_request(query->id, request);
    read_errors(query);
    for (unsigned tries = 0; query->error == 0 && tries < 2; tries++) {
        if (send(query->fd, request, sizeof(request), 0) >= 0 || errno == EAGAIN ||
            errno == ENOBUFS)
            return;
        int error = errno;
        read_errors(query);
        if (tries == 1 && query->error == 0)
            query->error = error;
    }
}

static void receive(struct stun_query *query)
{
    uint8_t bytes[STUN_ANSWER_MAX];
    ssize_t len = recv(query->fd, bytes, sizeof(bytes), 0);
    int error = len < 0 ? errno : 0;
    read_errors(query);
    if (error == ECONNREFUSED)
        query->error = error;
    if (len < 0)
        return;
    stun_read(bytes, (size_t)len, query->id, &query->answer);
    query->strays += query->answer.kind == STUN_OTHER;
}

static bool goes_on(const struct stun_query *query)
{
    return query->answer.kind == STUN_OTHER && query->error == 0;
}

static void wait_until(struct stun_query *query, int64_t until)
{
    const int64_t ms = CLOCK_SECOND / 1000;
    struct pollfd socket = {.fd = query->fd, .events = POLLIN};
    for (int64_t left; goes_on(query) && (left = until - clock_now()) > 0;)
        if (poll(&socket, 1, (int)((left + ms - 1) / ms)) > 0)
            receive(query);
}

static void ask(struct stun_query *query, int64_t until)
{
    int64_t wait = FIRST_WAIT_MS * (CLOCK_SECOND / 1000), last = LAST_WAIT * wait;
    output_progress("asking the STUN server %s for this machine's public address", query->server);
    for (unsigned i = 1; goes_on(query) && i <= REQUESTS && clock_now() < until; i++, wait *= 2) {
        int64_t end = clock_now() + (i == REQUESTS ? last : wait);
        send_request(query);
        wait_until(query, end < until ? end : until);
    }
    output_progress_end();
}

static void report_silence(const struct stun_query *query, int64_t began)
{
    char strays[80] = "", obstacle[160] = "", sender[ADDR_TEXT_SIZE];
    const struct icmp_error *last = &query->answers.obstacle;
    if (query->strays > 0)
        snprintf(strays, sizeof(strays), " (%u datagrams came that answer another request)",
                 query->strays);
    if (last->sender.family)
        snprintf(obstacle, sizeof(obstacle), ", but %s says: %s",
                 addr_format(&last->sender, sender), strerror(last->error));
    output_error(
        "the STUN server %s (%s) did not answer within %d s%s%s; nothing was sent: check its name and "
        "port, and that UDP gets out of this network; or give the public address by --bind ADDRESS",
        query->server, query->at.text,
        (int)((clock_now() - began + CLOCK_SECOND / 2) / CLOCK_SECOND), strays, obstacle);
}

static void report_failure(const struct stun_query *query, int64_t began)
{
    const struct stun_answer *answer = &query->answer;
    if (query->error)
        output_error(
            "the STUN server %s (%s) can't be asked: %s; nothing was sent: check its name and port",
            query->server, query->at.text, strerror(query->error));
    else if (answer->kind == STUN_ERROR)
        output_error(
            "the STUN server %s (%s) refuses to tell this machine's address: %u %s; nothing was "
            "sent: ask another server",
            query->server, query->at.text, answer->code, answer->reason);
    else if (answer->kind == STUN_UNCLEAR)
        output_error(
            "the STUN server %s (%s) sends an answer that can't be used; nothing was sent: ask "
            "another server",
            query->server, query->at.text);
    else
        report_silence(query, began);
}

bool stun_ask(const char *server, const struct source *source, const struct knock_target *target,
              int64_t until, struct addr *out)
{
    struct stun_query query = {.server = server, .fd = -1};
    int64_t began = clock_now();
    bool ready =
        find_server(&query, target->address.any.sa_family, until) && open_socket(&query, source);
    if (ready) {
        crypto_random(query.id, sizeof(query.id));
        ask(&query, until);
        if (query.answer.kind != STUN_ADDRESS)
            report_failure(&query, began);
    }
    if (query.fd >= 0)
        close(query.fd);
    *out = query.answer.address;
    return query.answer.kind == STUN_ADDRESS;
}
