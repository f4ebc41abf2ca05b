/*
 * Doors that guessing at has a penalty: 2 broken knocks within 60 s make an address deaf for 100 s,
 * 198.51.0.200 never. Doors are written as "7000,8000:udp,9000 OPTION", options: tolerant,
 * ignore=PORT; they have 15 s.
 */
#ifndef TEST_GUESSES_HELP_H
#define TEST_GUESSES_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "listener/guesses.h"
#include "listener/penalty.h"

#define SSH "7000,8000:udp,9000"

enum { MAX_SOURCES = 1024 };
#define SECOND INT64_C(1000000000)

static inline struct addr host(unsigned n)
{
    return (struct addr){4, {198, (uint8_t)(51 + (n >> 16)), (uint8_t)(n >> 8), (uint8_t)n}};
}

static inline void take(struct setup *setup, const struct record *record)
{
    assert_int_not_equal(setup_take(setup, record), SETUP_BAD);
}

static inline void take_door(struct setup *setup, const char *door)
{
    char text[200], *rest;
    const char *why;
    struct record ignore = {.type = RECORD_IGNORE};
    struct record record = {
        .type = RECORD_DOOR,
        .u.door = {.timeout = 15 * SECOND, .flags = {TCP_SYN, TCP_ACK}, .strict = true}};
    strncpy(text, door, sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    assert_true(sequence_append(&record.u.door.sequence, strtok_r(text, " ", &rest), &why));
    char *option = strtok_r(NULL, " ", &rest);
    record.u.door.strict = !option || strcmp(option, "tolerant") != 0;
    take(setup, &record);
    if (option && strncmp(option, "ignore=", 7) == 0) {
        assert_true(step_parse(option + 7, &ignore.u.ignore.step, &why));
        take(setup, &ignore);
    }
}

/* With the doors up to the first NULL, `most` of them. */
static inline void begin(struct setup *setup, const char *const *doors, unsigned most)
{
    struct record record = {.type = RECORD_CONFIG};
    struct record_config *config = &record.u.config;
    memset(setup, 0, sizeof(*setup));
    *config = (struct record_config){.sources = 2,
                                     .max_sources = MAX_SOURCES,
                                     .max_failures = 2,
                                     .exempts = 1,
                                     .failure_window = 60 * SECOND,
                                     .penalty = 100 * SECOND};
    while (config->doors < most && doors[config->doors])
        config->doors++;
    config->plain = config->doors;
    keyed_random(config->key, sizeof(config->key));
    take(setup, &record);
    take(setup, &(struct record){.type = RECORD_EXEMPT, .u.exempt.net = {host(200), 32}});
    for (int i = 0; i < 2; i++)
        take(setup, &(struct record){.type = RECORD_SOURCE});
    for (unsigned i = 0; i < record.u.config.doors; i++)
        take_door(setup, doors[i]);
    assert_int_equal(setup_take(setup, &(struct record){.type = RECORD_START}), SETUP_COMPLETE);
    assert_non_null(setup->penalties);
}

/* What the last packet did. */
struct seen {
    char letter;
    bool penalised;
};

static inline void on_opened(void *arg, unsigned door)
{
    struct seen *seen = arg;
    seen->letter = (char)('A' + door);
}

static inline void on_penalised(void *arg)
{
    struct seen *seen = arg;
    seen->penalised = true;
}

static inline char feed(struct setup *setup, unsigned source, const struct packet *packet,
                        int64_t now)
{
    static const char letters[MATCH_VERDICTS] = {
        [MATCH_REPEAT] = 'r', [MATCH_IDLE] = 'i', [MATCH_DEAF] = 'd'};
    struct seen seen = {.letter = '.'};
    struct guesses_calls calls = {on_opened, on_penalised, &seen};
    enum match_verdict verdict = guesses_feed(setup, source, packet, now, &calls);
    if (seen.penalised)
        return verdict == MATCH_DEAF ? 'D' : '!';
    return verdict == MATCH_SEEN ? seen.letter : letters[verdict];
}

static inline struct packet packet_to(struct step step, struct addr from, uint16_t spt)
{
    return (struct packet){.src = from,
                           .dst = {4, {192, 0, 2, 1}},
                           .proto = step.proto,
                           .spt = spt,
                           .dpt = step.port,
                           .flags = step.proto == IPPROTO_TCP ? TCP_SYN : 0,
                           .has_ports = true,
                           .in_len = 4,
                           .in = "eth0"};
}

#endif
