/*
 * knockd with a listener in an attacker's hands: the keeper is the real one, and its listener says
 * whatever it is told to by lines in the FIFO "orders" beside the program:
 *
 *   sealed SOURCE ADDRESS HEX     hands over a message; IPv4 in IPv6 and :: are addresses too
 *   junk SOURCE ADDRESS           hands over a message that nobody made
 *   open SOURCE DOOR ADDRESS      asks for a door
 *   event KIND SOURCE DOOR ADDRESS NUMBER   tells of an event; ADDRESS - is none
 *   seen SOURCE                   tells of another prefix
 *   reopen WATCH                  has paths looked at
 *   answer TYPE                   a part of an answer, to the last question
 *   pong NUMBER                   answers a ping
 *   generation LINE               one of these, of another generation
 *   dirty LINE                    with something behind the four bytes of an IPv4 address
 *   descriptor LINE               with a descriptor
 *   raw TYPE SIZE                 a message of zeros; TYPE is a name of those below, or a number
 *   flood MS VARIETY LINE         says LINE as fast as it can: each time another of VARIETY
 *                                 addresses, doors, kinds or types, whichever it has, counted on
 *                                 from that in LINE
 *   deaf                          reads nothing any more
 *
 * It answers pings, but no questions.
 *
 * Everything but `listener_main` comes out of knockd's own archives.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "knockd/knockd.h"
#include "lib/crypto.h"
#include "lib/message.h"
#include "listener/listener.h"

static const char *const types[MESSAGE_TYPES] = {
    [MESSAGE_REPLY] = "reply",       [MESSAGE_OPEN] = "open",     [MESSAGE_SEALED] = "sealed",
    [MESSAGE_EVENT] = "event",       [MESSAGE_REOPEN] = "reopen", [MESSAGE_SEEN] = "seen",
    [MESSAGE_COUNTERS] = "counters", [MESSAGE_STATS] = "stats",   [MESSAGE_OTHER] = "other",
    [MESSAGE_PACKET] = "packet",     [MESSAGE_EFFECT] = "effect", [MESSAGE_ANSWERED] = "answered",
    [MESSAGE_PONG] = "pong",         [MESSAGE_START] = "start",
};

static uint32_t generation, query;
static bool deaf;

/* Beside the program, which /proc/self/exe is. Opened for writing too, it never comes to an end. */
static FILE *open_orders(void)
{
    char path[4096];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len < 0)
        return NULL;
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    if (!slash || (size_t)(slash - path) + sizeof("/orders") > sizeof(path))
        return NULL;
    strcpy(slash, "/orders");
    FILE *orders = fopen(path, "r+e");
    if (orders)
        setvbuf(orders, NULL, _IONBF, 0);
    return orders;
}

static bool read_address(const char *text, struct addr *out)
{
    return addr_parse(text, strlen(text), out);
}

static size_t read_hex(const char *hex, uint8_t *out, size_t size)
{
    size_t len = 0;
    while (len < size && sscanf(hex + 2 * len, "%2hhx", &out[len]) == 1)
        len++;
    return len;
}

static void send_raw(uint32_t type, size_t size)
{
    char bytes[8192] = {0};
    memcpy(bytes, &type, sizeof(type));
    memcpy(bytes + sizeof(type), &generation, sizeof(generation));
    send(LISTENER_SOCKET, bytes, size < sizeof(bytes) ? size : sizeof(bytes), MSG_NOSIGNAL);
}

static uint32_t read_type(const char *name)
{
    for (uint32_t type = 1; type < MESSAGE_TYPES; type++)
        if (types[type] && strcmp(types[type], name) == 0)
            return type;
    return (uint32_t)strtoul(name, NULL, 10);
}

static bool make_sealed(const char *line, struct message *msg)
{
    char address[64], hex[2 * SEALED_LONG + 3];
    struct message_sealed *sealed = &msg->u.sealed;
    msg->type = MESSAGE_SEALED;
    if (sscanf(line, "sealed %u %63s %98s", &sealed->source, address, hex) == 3) {
        sealed->length = (uint32_t)strlen(hex) / 2;
        read_hex(hex, sealed->message, sizeof(sealed->message));
        return read_address(address, &sealed->address);
    }
    if (sscanf(line, "junk %u %63s", &sealed->source, address) != 2)
        return false;
    sealed->length = SEALED_SHORT;
    crypto_random(sealed->message, sizeof(sealed->message));
    return read_address(address, &sealed->address);
}

static bool make_event(const char *line, struct message *msg)
{
    char address[64];
    struct message_event *event = &msg->u.event;
    unsigned long long number;
    msg->type = MESSAGE_EVENT;
    if (sscanf(line, "event %u %u %u %63s %llu", &event->kind, &event->source, &event->door,
               address, &number) != 5)
        return false;
    event->number = number;
    return strcmp(address, "-") == 0 || read_address(address, &event->address);
}

static bool make_message(const char *line, struct message *msg)
{
    char address[64], name[16];
    struct message_open *open = &msg->u.open;
    if (sscanf(line, "open %u %u %63s", &open->source, &open->door, address) == 3) {
        msg->type = MESSAGE_OPEN;
        return read_address(address, &open->address);
    }
    if (sscanf(line, "seen %u", &msg->u.seen.source) == 1)
        msg->type = MESSAGE_SEEN;
    else if (sscanf(line, "reopen %d", &msg->u.reopen.watch) == 1)
        msg->type = MESSAGE_REOPEN;
    else if (sscanf(line, "pong %u", &msg->u.ping.number) == 1)
        msg->type = MESSAGE_PONG;
    else if (sscanf(line, "answer %15s", name) == 1) {
        msg->type = read_type(name);
        msg->u.answered.query = query;
    } else
        return make_event(line, msg) || make_sealed(line, msg);
    return true;
}

/* Whether `line` begins with `word`; then goes on to what is behind it. */
static bool skip_word(const char **line, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*line, word, len) != 0 || (*line)[len] != ' ')
        return false;
    *line += len + 1;
    return true;
}

static void receive_all(void);

/* The same once more, of the variety number `i`. */
static struct message vary(const struct message *msg, unsigned i)
{
    struct message other = *msg;
    if (other.type == MESSAGE_OPEN && i > 0 && other.u.open.address.family == 6)
        other.u.open.door += i;
    else if (other.type == MESSAGE_OPEN || other.type == MESSAGE_EVENT) {
        struct addr *address =
            other.type == MESSAGE_OPEN ? &other.u.open.address : &other.u.event.address;
        uint32_t low =
            (uint32_t)(address->bytes[1] << 16 | address->bytes[2] << 8 | address->bytes[3]) + i;
        if (address->family == 4) {
            address->bytes[1] = (uint8_t)(low >> 16);
            address->bytes[2] = (uint8_t)(low >> 8);
            address->bytes[3] = (uint8_t)low;
        }
        if (other.type == MESSAGE_EVENT && address->family == 0)
            other.u.event.kind += i;
    } else if (message_is_answer(other.type)) {
        other.type += i;
        other.u.answered.query = query;
    } else if (other.type == MESSAGE_SEALED) {
        crypto_random(other.u.sealed.message + 8, 24);
    }
    return other;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void flood(const struct message *msg, unsigned ms, unsigned variety)
{
    int64_t end = now_ms() + ms;
    for (unsigned i = 0; now_ms() < end; i++) {
        struct message other = vary(msg, i % variety);
        if (message_send(LISTENER_SOCKET, &other, -1, true) == MESSAGE_END)
            exit(0);
        if (i % 16 == 0 && !deaf)
            receive_all();
    }
}

static void obey(const char *line)
{
    struct message msg = {.generation = generation};
    unsigned size, ms = 0, variety = 1;
    char name[16];
    int used = 0;
    if (sscanf(line, "raw %15s %u", name, &size) == 2) {
        send_raw(read_type(name), size);
        return;
    }
    if (strncmp(line, "deaf", 4) == 0) {
        deaf = true;
        return;
    }
    if (sscanf(line, "flood %u %u %n", &ms, &variety, &used) == 2)
        line += used;
    msg.generation += skip_word(&line, "generation");
    bool dirty = skip_word(&line, "dirty");
    int fd = skip_word(&line, "descriptor") ? STDIN_FILENO : -1;
    if (!make_message(line, &msg))
        exit(3);
    if (dirty)
        msg.u.open.address.bytes[15] = 1;
    if (ms > 0)
        flood(&msg, ms, variety);
    else
        message_send(LISTENER_SOCKET, &msg, fd, true);
}

/* Receives its configuration, without which nothing it says counts, and answers pings. False at the
 * end. */
static bool receive(enum message_result *result)
{
    struct message msg;
    int fd;
    *result = message_receive(LISTENER_SOCKET, &msg, &fd);
    if (fd >= 0)
        close(fd);
    if (*result != MESSAGE_GOT)
        return *result == MESSAGE_NONE;
    if (msg.type == MESSAGE_START)
        generation = msg.generation;
    if (msg.type == MESSAGE_QUERY)
        query = msg.u.query.query;
    if (msg.type != MESSAGE_START && msg.type != MESSAGE_PING)
        return true;
    msg.type = msg.type == MESSAGE_START ? MESSAGE_REPLY : MESSAGE_PONG;
    msg.generation = generation;
    message_send(LISTENER_SOCKET, &msg, -1, true);
    return true;
}

static void receive_all(void)
{
    enum message_result result;
    do {
        if (!receive(&result))
            exit(0);
    } while (result == MESSAGE_GOT);
}

/* In place of the real one; see listener/listener.h. */
int listener_main(uid_t uid, gid_t gid, uint64_t memory)
{
    (void)memory;
    FILE *orders = open_orders();
    prctl(PR_SET_NAME, "knockd-listener");
    if (!orders || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return 3;
    struct pollfd ends[] = {{.fd = LISTENER_SOCKET, .events = POLLIN},
                            {.fd = fileno(orders), .events = POLLIN}};
    char line[512];
    while (poll(ends, 2, -1) > 0) {
        enum message_result result;
        if (!deaf && ends[0].revents && !receive(&result))
            break;
        if (deaf && ends[0].revents & (POLLHUP | POLLERR))
            break;
        ends[0].events = deaf ? 0 : POLLIN;
        if (generation > 0 && ends[1].revents && fgets(line, sizeof(line), orders))
            obey(line);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return knockd_main(argc, argv);
}
