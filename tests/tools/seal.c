/*
 * seal KEYFILE SPAN WINDOW SOURCE TIME OP DOOR SECONDS PORT ADDRESS [BIT]: seals a message,
 * whatever it asks for and whenever it claims to be made, and prints the packets that carry it,
 * parity last, as lines "tcp PORT" or "udp PORT LENGTH" behind one with the message in hex. WINDOW:
 * tcp, udp or udp-long; SOURCE: the address that it is bound to, or any; TIME as in the message, in
 * 1/65536 s; OP: a number; DOOR: a name; ADDRESS: to open for, or -; BIT: that one is turned, 0 is
 * the first byte's highest.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/key_file.h"
#include "lib/sealed.h"

enum { KEYFILE = 1, SPAN, WINDOW, SOURCE, TIME, OP, DOOR, SECONDS, PORT, ADDRESS, BIT };

static void on_finding(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    fprintf(stderr, "seal: %s\n", text);
}

static bool read_key(const char *path, struct sealed_key *out)
{
    struct report report = {.say = on_finding};
    struct key_file file;
    bool ok = key_file_read(path, &report, &file);
    if (ok)
        sealed_key_derive(file.secret, file.server, out);
    key_file_free(&file);
    return ok;
}

static bool read_request(char **argv, struct sealed_request *out)
{
    const char *address = argv[ADDRESS];
    *out = (struct sealed_request){.op = (uint8_t)atoi(argv[OP]),
                                   .seconds = (uint16_t)atoi(argv[SECONDS]),
                                   .port = (uint16_t)atoi(argv[PORT])};
    sealed_door(argv[DOOR], out->door);
    return strcmp(address, "-") == 0 || addr_parse(address, strlen(address), &out->address);
}

static bool read_window(const char *name, enum carrier_window *out)
{
    static const char *const names[CARRIER_WINDOWS] = {"tcp", "udp", "udp-long"};
    for (int i = 0; i < CARRIER_WINDOWS; i++)
        if (strcmp(name, names[i]) == 0) {
            *out = (enum carrier_window)i;
            return true;
        }
    return false;
}

static void print(enum carrier_window window, uint16_t span, const uint8_t *message)
{
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    const struct carrier_shape *shape = carrier_shape(window);
    for (unsigned i = 0; i < shape->length; i++)
        printf("%02x", message[i]);
    putchar('\n');
    carrier_packets(window, span, message, packets);
    for (unsigned i = 0; i < shape->slots; i++)
        if (packets[i].proto == IPPROTO_TCP)
            printf("tcp %u\n", packets[i].port);
        else
            printf("udp %u %u\n", packets[i].port, packets[i].length);
}

int main(int argc, char **argv)
{
    uint8_t message[SEALED_LONG];
    struct sealed_key key;
    struct sealed_request request;
    struct addr source, *bound = NULL;
    enum carrier_window window;
    if (argc < ADDRESS + 1 || argc > BIT + 1 || !read_window(argv[WINDOW], &window) ||
        !read_request(argv, &request) || !read_key(argv[KEYFILE], &key))
        return 2;
    if (strcmp(argv[SOURCE], "any") != 0) {
        bound = &source;
        if (!addr_parse(argv[SOURCE], strlen(argv[SOURCE]), &source))
            return 2;
    }
    size_t length = sealed_make(&key, strtoull(argv[TIME], NULL, 10), bound, &request, message);
    unsigned bit = argc > BIT ? (unsigned)atoi(argv[BIT]) : 0;
    if (length != carrier_shape(window)->length || bit >= 8 * length)
        return 2;
    if (argc > BIT)
        message[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    print(window, (uint16_t)atoi(argv[SPAN]), message);
    return 0;
}
