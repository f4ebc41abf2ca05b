/*
 * Whose knocks break, and who is deaf for it: 2 broken ones within 60 s, for 100 s, 198.51.0.200
 * never. Doors are written as "7000,8000:udp,9000 OPTION", options: tolerant, ignore=PORT; they
 * have 15 s. Packets: "7000", to UDP "7000u", "=" as the one before, then suffixes: @S seconds
 * since the start, /N source address, #N source of log; "gap" stands for itself.
 * What is expected: a letter a packet, . seen, A-Z the door that opens, i idle, r repeat, d deaf,
 * ! seen, and deaf from here on, D deaf at once, for what ran out before.
 */
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

enum { DOORS = 2, TOO_MANY = 65, MAX_SOURCES = 1024 };
#define SECOND INT64_C(1000000000)

struct scenario {
    const char *doors[DOORS];
    const char *packets;
    const char *expected;
};

static struct addr host(unsigned n)
{
    return (struct addr){4, {198, (uint8_t)(51 + (n >> 16)), (uint8_t)(n >> 8), (uint8_t)n}};
}

static void take(struct setup *setup, const struct record *record)
{
    assert_int_not_equal(setup_take(setup, record), SETUP_BAD);
}

static void take_door(struct setup *setup, const char *door)
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
static void begin(struct setup *setup, const char *const *doors, unsigned most)
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

static void on_opened(void *arg, unsigned door)
{
    struct seen *seen = arg;
    seen->letter = (char)('A' + door);
}

static void on_penalised(void *arg)
{
    struct seen *seen = arg;
    seen->penalised = true;
}

static char feed(struct setup *setup, unsigned source, const struct packet *packet, int64_t now)
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

static struct packet packet_to(struct step step, struct addr from, uint16_t spt)
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

/* Reads one packet; `*packet` is the one before it. */
static void read_packet(const char *word, struct packet *packet, int64_t *now, unsigned *source)
{
    static uint16_t spt = 1024;
    unsigned from = 1;
    struct step step = {(uint16_t)atoi(word), strchr(word, 'u') ? IPPROTO_UDP : IPPROTO_TCP};
    *source = 0;
    for (const char *p = word + strcspn(word, "@/#"); *p; p += 1 + strcspn(p + 1, "@/#")) {
        if (*p == '@')
            *now = atoi(p + 1) * SECOND;
        else
            *(*p == '/' ? &from : source) = (unsigned)atoi(p + 1);
    }
    if (*word != '=')
        *packet = packet_to(step, host(from), spt++);
}

static void run(const struct scenario *scenario)
{
    char packets[400], got[100] = "", *out = got, *rest;
    struct setup setup;
    struct packet packet = {0};
    int64_t now = 0;
    begin(&setup, scenario->doors, DOORS);
    strncpy(packets, scenario->packets, sizeof(packets) - 1);
    packets[sizeof(packets) - 1] = '\0';
    for (char *word = strtok_r(packets, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        unsigned source;
        if (strcmp(word, "gap") == 0) {
            guesses_gap(&setup, 0);
            continue;
        }
        read_packet(word, &packet, &now, &source);
        *out++ = feed(&setup, source, &packet, now);
    }
    if (strcmp(got, scenario->expected) != 0)
        fail_msg("%s\n  got      %s\n  expected %s", scenario->packets, got, scenario->expected);
    setup_free(&setup);
}

#define RUN(rows)                                                                                  \
    for (size_t i = 0; i < sizeof(rows) / sizeof(*(rows)); i++)                                    \
    run(&(rows)[i])

#define SSH   "7000,8000:udp,9000"
#define OTHER "7000,8500,9500"

static void who_guesses_is_deaf(void **state)
{
    (void)state;
    static const struct scenario rows[] = {
        {{SSH}, "7000 1 7000 2 7000 8000u 9000 5", "...!dddd"},
        {{SSH},
         "7000 1 2 3 4 5 6 7 7000 8000u 8000",
         ".........."
         "!"},
        /* for its time, to the moment */
        {{SSH}, "7000 1 7000 2@10 7000@109 7000@110 8000u 9000", "...!d..A"},
        /* a new count after that */
        {{SSH}, "7000 1 7000 2 7000@100 3 7000 4", "...!...!"},
        /* whatever log it comes in, and nobody else */
        {{SSH}, "7000 1 7000 2 7000#1 7000/2 8000u/2 9000/2", "...!d..A"},
        {{SSH}, "7000 1 7000/2 1/2 7000 2 7000/2 2/2", ".....!.!"},
        /* within the window, which slides */
        {{SSH}, "7000 1 7000@60 1", "...!"},
        {{SSH}, "7000 1 7000@61 1 7000@62 8000u 9000", "......A"},
        {{SSH}, "7000 1 7000@61 1 7000@121 1", ".....!"},
        /* who is in allow_always never is */
        {{SSH},
         "7000/200 1/200 7000/200 2/200 7000/200 3/200 7000/200 8000u/200 9000/200",
         "........A"},
    };
    RUN(rows);
}

static void what_runs_out_is_a_failure(void **state)
{
    (void)state;
    static const struct scenario rows[] = {
        {{SSH}, "7000 7000@16 8000u@32", "..D"},
        {{SSH}, "7000 8000u 7000@16 8000u 9000@32", "....D"},
        /* deaf since it ran out, at 31, not since it was noticed */
        {{SSH}, "7000 7000@16 7000@40 7000@130 7000@131", "..Dd."},
        {{SSH}, "7000 7000@16 7000@131 8000u 9000", "..!.A"},
        {{SSH}, "7000 8000u 9000@15 7000@40 8000u 9000@55", "..A..A"},
        {{SSH}, "7000 1 7000@1 8000u 9000@16", "....A"},
        /* begun again in time is nothing */
        {{SSH}, "7000 7000@10 7000@20 7000@30 7000@40 8000u 9000", "......A"},
        {{SSH}, "7000 8000u 7000@10 8000u 7000@20 8000u 7000@30 8000u 9000", "........A"},
        {{SSH " tolerant"}, "7000 1 2 3 7000@16 8000u 9000@32", "......D"},
    };
    RUN(rows);
}

static void what_is_no_failure(void **state)
{
    (void)state;
    static const struct scenario rows[] = {
        {{SSH},
         "7000 7000 8000u 9000 7000 7000 8000u 9000 7000 7000 7000 8000u 9000",
         "...A...A....A"},
        {{SSH}, "7000 = = 8000u = 9000 =", ".rr.rAr"},
        {{SSH}, "7000 1 7000 = 8000u 9000 7000 = 8000u 9000", "...r.A.r.A"},
        {{SSH}, "1 2 3 4 5 9000 8000u 7000 8000u 9000", "iiiiiii..A"},
        /* an opening wipes out what was before */
        {{SSH}, "7000 1 7000 8000u 9000 7000 1 7000 8000u 9000 7000 1 7000 2", "....A....A...!"},
        /* strays behind an opening */
        {{SSH}, "7000 8000u 9000 1 2 7000 8000u 9000 3 4 7000 8000u 9000", "..A....A....A"},
        /* doors with the same first steps: one goes on while the other breaks */
        {{SSH, OTHER}, "7000 8500 9500 7000 8000u 9000 7000 8500 9500", "..B..A..B"},
        {{SSH, OTHER}, "7000 8500 9000 7000 8000u 9500", ".....!"},
        {{SSH, "8000:udp,1000,2000"},
         "7000 8000u 9000 7000 8000u 9000 7000 8000u 1000 2000",
         "..A..A...B"},
        {{SSH, "8000:udp,1000,2000"}, "8000u 7000 8000u 9000 8000u 7000 8000u 9000", "...A...A"},
        /* a stray that one of them ignores */
        {{SSH " ignore=22", OTHER}, "7000 22 8000u 22 9000 7000 22 8000u 9000", "....A...A"},
        {{SSH " tolerant"}, "7000 1 8000u 2 9000 7000 3 4 8000u 9000", "....A....A"},
        /* a tolerant door under way covers no guessing at a strict one */
        {{"1000,2000,3000 tolerant", SSH}, "1000 7000 1 7000 2 7000", "....!d"},
        /* lost lines */
        {{SSH}, "7000 gap 8000u 7000 gap 8000u 7000 gap 8000u 7000 8000u 9000", "........A"},
        {{SSH}, "7000 gap 7000@16 gap 7000@32 gap 7000@48 8000u 9000", ".....A"},
        /* one log doesn't break what goes on in another */
        {{SSH}, "7000#1 7000 1#1 7000#1 7000 2#1 8000u 9000", ".......A"},
        {{SSH}, "7000 1#1 2#1 8000u 9000 7000 3#1 8000u 9000", ".ii.A.i.A"},
    };
    RUN(rows);
}

/* Of all ports, in order: one failure for each first step at least, and deaf after two. */
static void a_scan_is_guessing(void **state)
{
    (void)state;
    struct setup setup;
    char last = '.';
    begin(&setup, (const char *const[]){SSH, "5000,6000,4000"}, 2);
    for (unsigned port = 1; port <= 65535; port++) {
        struct packet packet =
            packet_to((struct step){(uint16_t)port, IPPROTO_TCP}, host(1), (uint16_t)port);
        last = feed(&setup, 0, &packet, port);
    }
    assert_int_equal(last, 'd');
    assert_int_equal(penalties_counters(setup.penalties)->penalised, 1);
    assert_int_equal(penalties_counters(setup.penalties)->ignored, 65535 - 7001);
    assert_int_equal(matcher_counters(setup.matcher)->opened, 0);
    setup_free(&setup);
}

/* Where too many doors have one first step, nobody is blamed for what breaks there. */
static void too_many_doors_to_look_at(void **state)
{
    (void)state;
    const char *doors[TOO_MANY];
    for (unsigned i = 0; i < TOO_MANY; i++)
        doors[i] = SSH;
    for (unsigned most = TOO_MANY - 1; most <= TOO_MANY; most++) {
        struct setup setup;
        char last = '.';
        begin(&setup, doors, most);
        for (unsigned i = 0; i < 8; i++) {
            struct packet packet =
                packet_to((struct step){i % 2 ? 1 : 7000, IPPROTO_TCP}, host(1), (uint16_t)i);
            last = feed(&setup, 0, &packet, 0);
        }
        assert_int_equal(last, most == TOO_MANY ? '.' : 'd');
        setup_free(&setup);
    }
}

/* First steps from a hundred times as many addresses as there is room for. */
static void flood(struct setup *setup, unsigned from, int64_t now)
{
    static const struct step first = {7000, IPPROTO_TCP};
    for (unsigned i = 0; i < 100 * MAX_SOURCES; i++) {
        struct packet packet = packet_to(first, host(from + i), 1024);
        assert_int_equal(feed(setup, 0, &packet, now), '.');
    }
}

/* They take the knock's place in the matcher's table; that makes nobody deaf, not even who has
 * broken one before, and frees nobody who is. */
static void a_flood_makes_nobody_deaf(void **state)
{
    (void)state;
    static const struct {
        struct step step;
        int64_t time;
        bool flood; /* after it */
        char expected;
    } packets[] = {
        {{7000, IPPROTO_TCP}, 1, false, '.'}, {{1, IPPROTO_TCP}, 1, false, '.'},
        {{7000, IPPROTO_TCP}, 1, true, '.'},  {{8000, IPPROTO_UDP}, 2, false, 'i'},
        {{7000, IPPROTO_TCP}, 20, true, '.'}, {{8000, IPPROTO_UDP}, 21, false, 'i'},
        {{7000, IPPROTO_TCP}, 40, true, '.'}, {{7000, IPPROTO_TCP}, 41, false, '.'},
        {{2, IPPROTO_TCP}, 41, true, '!'},    {{7000, IPPROTO_TCP}, 42, false, 'd'},
    };
    struct setup setup;
    begin(&setup, (const char *const[]){SSH}, 1);
    for (unsigned i = 0; i < sizeof(packets) / sizeof(*packets); i++) {
        struct packet packet = packet_to(packets[i].step, host(1), (uint16_t)i);
        int64_t now = packets[i].time * SECOND;
        assert_int_equal(feed(&setup, 0, &packet, now), packets[i].expected);
        if (packets[i].flood)
            flood(&setup, 1000 + 100 * MAX_SOURCES * i, now);
    }
    assert_int_equal(penalties_counters(setup.penalties)->penalised, 1);
    assert_int_equal(penalties_counters(setup.penalties)->evicted, 0);
    assert_true(penalties_counters(setup.penalties)->overlooked > 0);
    setup_free(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_guesses_is_deaf),       cmocka_unit_test(what_runs_out_is_a_failure),
        cmocka_unit_test(what_is_no_failure),        cmocka_unit_test(a_scan_is_guessing),
        cmocka_unit_test(too_many_doors_to_look_at), cmocka_unit_test(a_flood_makes_nobody_deaf),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
