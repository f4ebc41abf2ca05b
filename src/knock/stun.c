/* One transaction with a STUN server: asks, asks again while nothing comes, and takes the answer.
 */
#include "knock/stun.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "knock/answers.h"
#include "knock/port.h"
#include "knock/say.h"
#include "knock/stun_message.h"
#include "lib/clock.h"
#include "lib/crypto.h"

/* RFC 8489, 6.2.1, calls them Rc, RTO and Rm. */
enum { REQUESTS = 7, FIRST_WAIT_MS = 500, LAST_WAIT = 16 };

struct asking {
    const char *server; /* as the profile calls it */
    struct knock_target at;
    int fd;
    uint8_t id[STUN_ID_SIZE];
    struct stun_answer answer; /* STUN_OTHER: none yet */
    unsigned strays;           /* datagrams from the server that answer another request */
    struct answers answers;    /* ICMP errors */
    int error;                 /* why asking on makes no sense; 0: it does */
};

static bool find_server(struct asking *asking, int family, int64_t until)
{
    char host[KNOCK_HOST_MAX + 1];
    uint16_t port = STUN_PORT;
    const char *why;
    if (!knock_host_port_parse(asking->server, host, &port)) {
        say("stun: \"%s\" won't do: expected HOST or HOST:PORT, an IPv6 address as [ADDRESS]:PORT",
            asking->server);
        return false;
    }
    say_progress("looking up the STUN server %s", host);
    bool found = knock_target_resolve(host, family, &asking->at, &why);
    say_no_progress();
    if (!found) {
        say("cannot resolve the STUN server \"%s\" to an IPv%d address: %s; nothing was sent: check "
            "the name, or name a server that answers by IPv%d",
            host, family == AF_INET ? 4 : 6, why, family == AF_INET ? 4 : 6);
        return false;
    }
    asking->at = knock_target_at(&asking->at, port);
    if (clock_now() < until)
        return true;
    say("to look up the STUN server %s took the whole time; nothing was sent: allow more by "
        "--timeout, or give its address",
        host);
    return false;
}

/* Connected, so that the kernel keeps from us what others send, and tells when nobody is there. */
static bool open_socket(struct asking *asking, const struct source *source)
{
    const struct knock_target *own = &source->own;
    asking->fd = source_socket(source, &asking->at, SOCK_DGRAM);
    bool good = asking->fd >= 0 &&
                (own->length == 0 || bind(asking->fd, &own->address.any, own->length) == 0) &&
                connect(asking->fd, &asking->at.address.any, asking->at.length) == 0;
    if (asking->fd >= 0)
        icmp_listen(asking->fd, asking->at.address.any.sa_family);
    if (!good)
        say("cannot ask the STUN server %s (%s): %s; nothing was sent", asking->server,
            asking->at.text, strerror(errno));
    return good;
}

/* Nobody at the port is an answer; other errors may be of a network that is about to change, and
 * are only told if nothing comes. */
static void read_errors(struct asking *asking)
{
    struct addr server = knock_target_addr(&asking->at);
    unsigned rejected = asking->answers.rejected;
    answers_read(&asking->answers, asking->fd, &server);
    if (asking->answers.rejected > rejected && asking->answers.rejection == ICMP_KIND_PORT)
        asking->error = ECONNREFUSED;
}

/* A full queue has lost the request, as any router might. What fails once may be an ICMP error
 * about an earlier one. */
static void send_request(struct asking *asking)
{
    uint8_t request[STUN_REQUEST_SIZE];
    stun_request(asking->id, request);
    read_errors(asking);
    for (unsigned tries = 0; asking->error == 0 && tries < 2; tries++) {
        if (send(asking->fd, request, sizeof(request), 0) >= 0 || errno == EAGAIN ||
            errno == ENOBUFS)
            return;
        int error = errno;
        read_errors(asking);
        if (tries == 1 && asking->error == 0)
            asking->error = error;
    }
}

static void receive(struct asking *asking)
{
    uint8_t bytes[STUN_ANSWER_MAX];
    ssize_t len = recv(asking->fd, bytes, sizeof(bytes), 0);
    int error = len < 0 ? errno : 0;
    read_errors(asking);
    if (error == ECONNREFUSED)
        asking->error = error;
    if (len < 0)
        return;
    stun_read(bytes, (size_t)len, asking->id, &asking->answer);
    asking->strays += asking->answer.kind == STUN_OTHER;
}

static bool goes_on(const struct asking *asking)
{
    return asking->answer.kind == STUN_OTHER && asking->error == 0;
}

static void wait_until(struct asking *asking, int64_t until)
{
    const int64_t ms = CLOCK_SECOND / 1000;
    struct pollfd socket = {.fd = asking->fd, .events = POLLIN};
    for (int64_t left; goes_on(asking) && (left = until - clock_now()) > 0;)
        if (poll(&socket, 1, (int)((left + ms - 1) / ms)) > 0)
            receive(asking);
}

static void ask(struct asking *asking, int64_t until)
{
    int64_t wait = FIRST_WAIT_MS * (CLOCK_SECOND / 1000), last = LAST_WAIT * wait;
    say_progress("asking the STUN server %s for this machine's public address", asking->server);
    for (unsigned i = 1; goes_on(asking) && i <= REQUESTS && clock_now() < until; i++, wait *= 2) {
        int64_t end = clock_now() + (i == REQUESTS ? last : wait);
        send_request(asking);
        wait_until(asking, end < until ? end : until);
    }
    say_no_progress();
}

static void tell_silence(const struct asking *asking, int64_t began)
{
    char strays[80] = "", obstacle[160] = "", sender[ADDR_TEXT_SIZE];
    const struct icmp_error *last = &asking->answers.obstacle;
    if (asking->strays > 0)
        snprintf(strays, sizeof(strays), " (%u datagrams came that answer another request)",
                 asking->strays);
    if (last->sender.family)
        snprintf(obstacle, sizeof(obstacle), ", but %s says: %s",
                 addr_format(&last->sender, sender), strerror(last->error));
    say("the STUN server %s (%s) did not answer within %d s%s%s; nothing was sent: check its name and "
        "port, and that UDP gets out of this network; or give the public address by --bind ADDRESS",
        asking->server, asking->at.text,
        (int)((clock_now() - began + CLOCK_SECOND / 2) / CLOCK_SECOND), strays, obstacle);
}

static void tell_failure(const struct asking *asking, int64_t began)
{
    const struct stun_answer *answer = &asking->answer;
    if (asking->error)
        say("the STUN server %s (%s) can't be asked: %s; nothing was sent: check its name and port",
            asking->server, asking->at.text, strerror(asking->error));
    else if (answer->kind == STUN_ERROR)
        say("the STUN server %s (%s) refuses to tell this machine's address: %u %s; nothing was "
            "sent: ask another server",
            asking->server, asking->at.text, answer->code, answer->reason);
    else if (answer->kind == STUN_UNCLEAR)
        say("the STUN server %s (%s) sends an answer that can't be used; nothing was sent: ask "
            "another server",
            asking->server, asking->at.text);
    else
        tell_silence(asking, began);
}

bool stun_ask(const char *server, const struct source *source, const struct knock_target *target,
              int64_t until, struct addr *out)
{
    struct asking asking = {.server = server, .fd = -1};
    int64_t began = clock_now();
    bool ready =
        find_server(&asking, target->address.any.sa_family, until) && open_socket(&asking, source);
    if (ready) {
        crypto_random(asking.id, sizeof(asking.id));
        ask(&asking, until);
        if (asking.answer.kind != STUN_ADDRESS)
            tell_failure(&asking, began);
    }
    if (asking.fd >= 0)
        close(asking.fd);
    *out = asking.answer.address;
    return asking.answer.kind == STUN_ADDRESS;
}
