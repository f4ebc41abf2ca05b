/*
 * unseal KEYFILE SOURCE SPAN: reads packets as lines "tcp PORT" or "udp PORT LENGTH HEX" (the
 * payload), recovers the message that they carry and opens it, as sent from the address SOURCE.
 * Prints "WINDOW bound|any TIME OP DOOR SECONDS PORT ADDRESS", the door as its three bytes; exits
 * 1 when they carry none that the key opens.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/carrier.h"
#include "lib/key_file.h"
#include "lib/sealed.h"

/* What has come of each window. */
struct window {
    struct carrier_piece pieces[CARRIER_SLOTS_MAX];
    unsigned count;
};

static struct sealed_key key;
static struct addr source;

static void on_finding(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    fprintf(stderr, "unseal: %s\n", text);
}

static int print(const char *name, const uint8_t *message, size_t len)
{
    struct sealed_request request;
    char address[ADDR_TEXT_SIZE];
    bool bound = sealed_open(&key, message, len, &source, &request);
    if (!bound && !sealed_open(&key, message, len, NULL, &request))
        return EXIT_FAILURE;
    if (sealed_message_hint(message) != sealed_hint(&key, sealed_message_time(message)))
        return EXIT_FAILURE;
    printf("%s %s %llu %u %02x%02x%02x %u %u %s\n", name, bound ? "bound" : "any",
           (unsigned long long)sealed_message_time(message), request.op, request.door[0],
           request.door[1], request.door[2], request.seconds, request.port,
           addr_format(&request.address, address));
    return EXIT_SUCCESS;
}

static int open_window(enum carrier_window number, const struct window *window)
{
    static const char *const names[CARRIER_WINDOWS] = {"tcp", "udp", "udp-long"};
    const struct carrier_shape *shape = carrier_shape(number);
    uint8_t message[SEALED_LONG];
    if (window->count < shape->message_slots)
        return EXIT_FAILURE;
    carrier_recover(number, window->pieces, message);
    return print(names[number], message, shape->length);
}

static int open_payload(const char *hex, size_t len)
{
    uint8_t message[SEALED_LONG];
    for (size_t i = 0; i < len; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &message[i]) != 1)
            return EXIT_FAILURE;
    return print("packet", message, len);
}

/* A slot counts once. */
static void take(struct window *windows, const struct carrier_piece *piece)
{
    struct window *window = &windows[piece->window];
    for (unsigned i = 0; i < window->count; i++)
        if (window->pieces[i].slot == piece->slot)
            return;
    window->pieces[window->count++] = *piece;
}

static int read_packets(uint16_t span)
{
    struct window windows[CARRIER_WINDOWS] = {0};
    char line[4096], proto[4], hex[4000];
    unsigned port, length;
    while (fgets(line, sizeof(line), stdin)) {
        struct carrier_piece piece;
        length = 0;
        hex[0] = '\0';
        if (sscanf(line, "%3s %u %u %3999s", proto, &port, &length, hex) < 2)
            continue;
        uint8_t number = strcmp(proto, "udp") == 0 ? IPPROTO_UDP : IPPROTO_TCP;
        if (carrier_read(span, number, (uint16_t)port, length, &piece))
            take(windows, &piece);
        else if (length == SEALED_SHORT || length == SEALED_LONG)
            return open_payload(hex, length);
    }
    for (int i = 0; i < CARRIER_WINDOWS; i++)
        if (open_window((enum carrier_window)i, &windows[i]) == EXIT_SUCCESS)
            return EXIT_SUCCESS;
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    struct report report = {.say = on_finding};
    struct key_file file;
    if (argc != 4 || !addr_parse(argv[2], strlen(argv[2]), &source) ||
        !key_file_read(argv[1], &report, &file))
        return 2;
    sealed_key_derive(file.secret, file.server, &key);
    key_file_free(&file);
    return read_packets((uint16_t)atoi(argv[3]));
}
