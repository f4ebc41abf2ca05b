/* Good messages, and a keeper that receives them, for fuzz_messages.c. */
#ifndef FUZZ_RECORDS_H
#define FUZZ_RECORDS_H

#include "fuzz_sealed.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/request_parts.h"
#include "keeper/inbound.h"
#include "keeper/plan.h"
#include "lib/log.h"
#include "lib/message.h"

struct keeper {
    struct config *config;
    struct plans *plans;
    struct requests requests; /* nobody asks: answers are checked, and reported to nobody */
    struct sealed_keeper sealed;
    struct one_time once; /* none */
    struct authorize authorize;
};

/* In the place of the C library's: the keeper's messages are made, but no syslog daemon gets them.
 */
int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    (void)fd;
    (void)address;
    (void)size;
    errno = ECONNREFUSED;
    return -1;
}

static void hear(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        fprintf(stderr, "%s\n", text);
}

static struct requests_state get_state(void *arg)
{
    const struct keeper *keeper = arg;
    return (struct requests_state){.config = keeper->config};
}

static inline void keeper_make(struct keeper *keeper)
{
    static const char format[] =
        "key_dir = \"%s\" sealed { server = " SEALED_SERVER " }\n"
        "source k { type = kmsg prefix = \"[DENY] \" }\n"
        "source f { type = file path = \"/var/log/kern.log\" }\n"
        "door a { sequence = { 9000, 7000, 8000 } start_command = true stop_command = \"\" }\n"
        "door b { sequence = { 9, 7 } start_command = true stop_command = \"\"\n"
        " allow = { 192.0.2.0/25, \"2001:db8:1::/48\" } }\n"
        "door c { sequence = { 19, 17, 18 } start_command = true stop_command = \"\"\n"
        " start_command_6 = \"\" }\n"
        "door d { key = alice for = true bound = false port = 22 ports = { \"53:udp\" }\n"
        " max_timeout = 60 start_command = true stop_command = \"\" allow = 192.0.2.0/25 }\n"
        "door e { key = alice port = 22 start_command = true stop_command = \"\" }\n";
    char path[64], dir[] = "/tmp/knockd-fuzz-XXXXXX", text[2048];
    struct report report = {.say = hear};
    log_open("fuzz", 0, false, true);
    sealed_write_key(dir);
    snprintf(text, sizeof(text), format, dir);
    int fd = memfd_create("config", MFD_CLOEXEC);
    CLAIM(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    keeper->config = config_load(path, &report);
    CLAIM(keeper->config);
    keeper->plans = plans_make(keeper->config, NULL, &report);
    CLAIM(keeper->plans);
    close(fd);
    keeper->sealed.config = keeper->config;
    keeper->sealed.plans = keeper->plans;
    sealed_keeper_make(&keeper->sealed, &report);
    sealed_remove_key(dir);
    keeper->authorize = (struct authorize){.config = keeper->config,
                                           .plans = keeper->plans,
                                           .once = &keeper->once,
                                           .keyring = keeper->sealed.keyring,
                                           .doors = keeper->sealed.doors};
    keeper->requests.services = (struct requests_services){.state = get_state, .arg = keeper};
}

/* A record that goes down, to the listener: one source and one door, of three steps. */
static inline bool message_down(char letter, struct message *r)
{
    switch (letter) {
    case 'C':
        r->type = MESSAGE_CONFIG;
        r->u.config = (struct message_config){
            .sources = 1, .doors = 1, .plain = 1, .max_sources = 16, .debug = 1};
        return true;
    case 'S':
        r->type = MESSAGE_SOURCE;
        r->u.source = (struct message_source){.type = SOURCE_KMSG, .format = FORMAT_KERNEL};
        return true;
    case 'P':
        r->type = MESSAGE_PREFIX;
        strcpy(r->u.prefix.text, "[DENY]");
        return true;
    case 'D':
        r->type = MESSAGE_DOOR;
        r->u.door.sequence =
            (struct sequence){3, {{7000, IPPROTO_UDP}, {8000, IPPROTO_UDP}, {9000, IPPROTO_UDP}}};
        r->u.door.timeout = INT64_C(10000000000);
        r->u.door.strict = 1;
        r->u.door.strays[1] = STRAYS_CAPTURED;
        return true;
    case 'I':
        r->type = MESSAGE_IGNORE;
        r->u.ignore.ports = (struct sequence){1, {{22, IPPROTO_TCP}}};
        return true;
    case '*':
        r->type = MESSAGE_START;
        return true;
    case 'Q':
        r->type = MESSAGE_QUERY;
        r->u.query = (struct message_query){7, {4, {192, 0, 2, 1}}};
        return true;
    default:
        return false;
    }
}

/* Any record; true if it goes down. */
static inline bool message_of(char letter, struct message *r)
{
    static const struct addr address = {4, {192, 0, 2, 1}};
    r->generation = 1;
    if (message_down(letter, r))
        return true;
    switch (letter) {
    case 'o':
        r->type = MESSAGE_OPEN;
        r->u.open.address = address;
        break;
    case 's':
        r->type = MESSAGE_SEEN;
        strcpy(r->u.seen.text, "[UFW BLOCK] ");
        break;
    case 'p':
        r->type = MESSAGE_PACKET;
        r->u.packet = (struct message_packet){.proto = IPPROTO_TCP, .dst = address, .time = 1};
        break;
    case 'f':
        r->type = MESSAGE_EFFECT;
        break;
    case 't':
        r->type = MESSAGE_STATS;
        break;
    case 'h':
        r->type = MESSAGE_OTHER;
        break;
    case 'r':
        r->type = MESSAGE_REOPEN;
        break;
    case 'c':
        r->type = MESSAGE_COUNTERS;
        break;
    default:
        r->type = MESSAGE_EVENT;
        r->u.event = (struct message_event){.kind = EVENT_STAGE, .address = address, .number = 1};
    }
    return false;
}

#endif
