/*
 * A flood of sealed knocks, for scripts/bench-junk.sh.
 *
 *   make_junk keys COUNT       writes the key files 0.key, 1.key ... into the current folder
 *   make_junk flood COUNT SECONDS
 *       writes a firewall's log to standard output, 20,000 messages a second, at that pace. Each is
 *       whole, of the right time, from an address of its own, and sealed by nobody; half of them
 *       have a hint by chance, the others one of the COUNT keys', as who overhears knocks can send
 *       it. Once a second the owner of key 0 knocks at the door "ssh" in earnest.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/carrier.h"
#include "lib/crypto.h"
#include "lib/sealed.h"

#define SERVER "gate.example"

enum { RATE = 20000, TURNS = 100, OWNER = 10 << 24 | 255 << 16, JUNK = 10 << 24 };

static void make_secret(unsigned number, uint8_t out[SEALED_SECRET_SIZE])
{
    for (unsigned i = 0; i < SEALED_SECRET_SIZE; i++)
        out[i] = (uint8_t)(i < 4 ? number >> 8 * i : i);
}

static struct sealed_key *make_keys(unsigned count)
{
    uint8_t secret[SEALED_SECRET_SIZE];
    struct sealed_key *keys = calloc(count, sizeof(*keys));
    for (unsigned i = 0; keys && i < count; i++) {
        make_secret(i, secret);
        sealed_key_derive(secret, SERVER, &keys[i]);
    }
    return keys;
}

static int write_keys(unsigned count)
{
    uint8_t secret[SEALED_SECRET_SIZE];
    char name[32];
    umask(077);
    for (unsigned number = 0; number < count; number++) {
        snprintf(name, sizeof(name), "%u.key", number);
        FILE *file = fopen(name, "w");
        if (!file)
            return 1;
        make_secret(number, secret);
        fputs("key = \"", file);
        for (unsigned i = 0; i < sizeof(secret); i++)
            fprintf(file, "%02x", secret[i]);
        fputs("\"\nserver = \"" SERVER "\"\n", file);
        if (fclose(file) != 0)
            return 1;
    }
    return 0;
}

/* As many packets of a message as make it. */
static void write_message(uint32_t from, const uint8_t *message)
{
    struct carrier_packet packets[CARRIER_SLOTS_MAX];
    char stamp[32];
    time_t now = time(NULL);
    /* Older lines don't count. */
    strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", localtime(&now));
    carrier_packets(CARRIER_UDP, CARRIER_SPAN_DEFAULT, message, packets);
    for (unsigned i = 0; i < carrier_shape(CARRIER_UDP)->message_slots; i++)
        printf("%s gate kernel: [ 4711.123456] [DENY] IN=eth0 OUT= "
               "MAC=02:00:c0:00:02:01:52:54:00:9b:7e:01:08:00 SRC=%u.%u.%u.%u DST=192.0.2.1 "
               "LEN=%u TOS=0x00 PREC=0x00 TTL=64 ID=%u DF PROTO=UDP SPT=40404 DPT=%u LEN=%u \n",
               stamp, from >> 24, from >> 16 & 255, from >> 8 & 255, from & 255,
               packets[i].length + 28U, i, packets[i].port, packets[i].length + 8U);
}

static struct timespec wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now;
}

static uint64_t wall_time(void)
{
    struct timespec now = wall();
    return sealed_time(now.tv_sec, (int32_t)now.tv_nsec);
}

static void write_junk(const struct sealed_key *keys, unsigned count, unsigned number)
{
    uint8_t message[SEALED_SHORT];
    uint64_t time = wall_time();
    crypto_random(message, sizeof(message));
    for (unsigned i = 0; i < 6; i++)
        message[2 + i] = (uint8_t)(time >> (40 - 8 * i));
    if (number % 2 == 0) {
        uint16_t hint = sealed_hint(&keys[number / 2 % count], time);
        message[0] = (uint8_t)(hint >> 8);
        message[1] = (uint8_t)hint;
    }
    write_message(JUNK + number, message);
}

static void write_knock(const struct sealed_key *key, unsigned second)
{
    uint8_t message[SEALED_LONG];
    struct sealed_request request = {.op = SEALED_OPEN};
    struct addr from = {4, {10, 255, 0, (uint8_t)second}};
    sealed_door("ssh", request.door);
    sealed_make(key, wall_time(), &from, &request, message);
    write_message(OWNER + second, message);
}

/* Waits until this part of the second has come, if it hasn't yet. */
static void keep_pace(struct timespec began, unsigned turn)
{
    struct timespec now = wall();
    int64_t due = INT64_C(1000000000) / TURNS * turn;
    int64_t passed =
        (now.tv_sec - began.tv_sec) * INT64_C(1000000000) + now.tv_nsec - began.tv_nsec;
    struct timespec rest = {.tv_sec = (due - passed) / 1000000000,
                            .tv_nsec = (due - passed) % 1000000000};
    if (due > passed)
        nanosleep(&rest, NULL);
}

static int write_flood(unsigned count, unsigned seconds)
{
    struct sealed_key *keys = make_keys(count);
    struct timespec began = wall();
    if (!keys)
        return 1;
    for (unsigned turn = 0; turn < seconds * TURNS; turn++) {
        keep_pace(began, turn);
        for (unsigned i = 0; i < RATE / TURNS; i++)
            write_junk(keys, count, turn * (RATE / TURNS) + i);
        if (turn % TURNS == TURNS / 2)
            write_knock(&keys[0], turn / TURNS);
        if (fflush(stdout) != 0)
            return 1;
    }
    free(keys);
    return 0;
}

int main(int argc, char **argv)
{
    unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    if (argc == 3 && strcmp(argv[1], "keys") == 0 && count > 0)
        return write_keys(count);
    if (argc == 4 && strcmp(argv[1], "flood") == 0 && count > 0)
        return write_flood(count, (unsigned)strtoul(argv[3], NULL, 10));
    fputs("usage: make_junk keys COUNT | flood COUNT SECONDS\n", stderr);
    return 2;
}
