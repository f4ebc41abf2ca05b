/*
 * Whose knocks break, and who is deaf for it. Packets: "7000", to UDP "7000u", "=" as the one
 * before, then suffixes: @S seconds since the start, /N source address, #N source of log; "gap"
 * stands for itself. What is expected: a letter a packet, . seen, A-Z the door that opens, i idle,
 * r repeat, d deaf, ! seen, and deaf from here on, D deaf at once, for what ran out before.
 */
#include "guesses_help.h"

enum { DOORS = 2 };

struct scenario {
    const char *doors[DOORS];
    const char *packets;
    const char *expected;
};

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_guesses_is_deaf),
        cmocka_unit_test(what_runs_out_is_a_failure),
        cmocka_unit_test(what_is_no_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
