/*
 * knockd with a listener in an attacker's hands: the keeper is the real one, and its listener says
 * whatever it is told to by lines in the FIFO "orders" beside the program:
 *
 *   sealed SOURCE ADDRESS HEX     hands over a message; IPv4 in IPv6 and :: are addresses too
 *   open SOURCE DOOR ADDRESS      asks for a door
 *   generation LINE               one of these, of another generation
 *   dirty LINE                    with something behind the four bytes of an IPv4 address
 *   descriptor LINE               with a descriptor
 *   raw TYPE SIZE                 a record of zeros
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
#include <unistd.h>

#include "knockd/knockd.h"
#include "lib/record.h"
#include "listener/listener.h"

static uint32_t generation;

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

static bool make_record(const char *line, struct record *record)
{
    char address[64], hex[2 * SEALED_LONG + 3];
    unsigned source, door;
    if (sscanf(line, "sealed %u %63s %98s", &source, address, hex) == 3) {
        struct record_sealed *sealed = &record->u.sealed;
        record->type = RECORD_SEALED;
        sealed->source = source;
        sealed->length = (uint32_t)strlen(hex) / 2;
        read_hex(hex, sealed->message, sizeof(sealed->message));
        return read_address(address, &sealed->address);
    }
    if (sscanf(line, "open %u %u %63s", &source, &door, address) == 3) {
        record->type = RECORD_OPEN;
        record->u.open = (struct record_open){.source = source, .door = door};
        return read_address(address, &record->u.open.address);
    }
    return false;
}

/* Whether `line` begins with `word`; then goes on to what is behind it. */
static bool take_word(const char **line, const char *word)
{
    size_t len = strlen(word);
    if (strncmp(*line, word, len) != 0 || (*line)[len] != ' ')
        return false;
    *line += len + 1;
    return true;
}

static void obey(const char *line)
{
    struct record record = {.generation = generation};
    unsigned type, size;
    if (sscanf(line, "raw %u %u", &type, &size) == 2) {
        send_raw(type, size);
        return;
    }
    record.generation += take_word(&line, "generation");
    bool dirty = take_word(&line, "dirty");
    int fd = take_word(&line, "descriptor") ? STDIN_FILENO : -1;
    if (!make_record(line, &record))
        exit(3);
    if (dirty)
        record.u.open.address.bytes[15] = 1;
    record_send(LISTENER_SOCKET, &record, fd, true);
}

/* Takes its configuration as it should, or it wouldn't be heard. False at the end. */
static bool hear(void)
{
    struct record record;
    int fd;
    enum record_result result = record_receive(LISTENER_SOCKET, &record, &fd);
    if (fd >= 0)
        close(fd);
    if (result == RECORD_GOT && record.type == RECORD_START) {
        generation = record.generation;
        record = (struct record){.type = RECORD_REPLY, .generation = generation};
        record_send(LISTENER_SOCKET, &record, -1, true);
    }
    return result == RECORD_GOT || result == RECORD_NONE;
}

/* In place of the real one; see listener/listener.h. */
int listener_main(uid_t uid, gid_t gid)
{
    FILE *orders = open_orders();
    prctl(PR_SET_NAME, "knockd-listener");
    if (!orders || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
        return 3;
    struct pollfd ends[] = {{.fd = LISTENER_SOCKET, .events = POLLIN},
                            {.fd = fileno(orders), .events = POLLIN}};
    char line[512];
    while (poll(ends, 2, -1) > 0) {
        if (ends[0].revents && !hear())
            break;
        if (generation > 0 && ends[1].revents && fgets(line, sizeof(line), orders))
            obey(line);
    }
    return 0;
}

int main(int argc, char **argv)
{
    return knockd_main(argc, argv);
}
