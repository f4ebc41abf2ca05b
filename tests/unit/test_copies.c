/* The same knock by several sources: the first one counts, the others do nothing and aren't logged
 * as refused; a new knock is one all the same. */
#include "authorize_help.h"

#define COMMANDS " start_command = true stop_command = true "

/* Source 0 is `s`; `u` is the stream of a fleet. Door 0 takes sequences, behind the doors come
 * one-time ones of it; door 1 takes sealed knocks; door 2, too, but hears `s` alone; so does
 * door 3. */
static const char doors_text[] = "source t { type = file path = /var/log/t.log max_age = 10 }\n"
                                 "source u { type = file path = /var/log/u.log remote = true }\n"
                                 "door seq { sequence = { 90, 70, 80 }" COMMANDS "}\n"
                                 "door ssh { key = alice port = 22" COMMANDS "}\n"
                                 "door deaf { key = alice port = 22 source = s" COMMANDS "}\n"
                                 "door shut { sequence = { 91, 71, 81 } source = s" COMMANDS "}\n";

enum { LINES = 8, DOOR_SSH = 1 };

struct copies_world {
    struct authorize_world w;
    struct one_time_line lines[LINES];
    char texts[LINES][8];
    int64_t began;
    struct message_sealed messages[LINES];
    char happened; /* what came of the last knock: (O)pened, (E)xtended, (R)efused, or - */
};

static void on_event(void *arg, const struct door_event *event)
{
    struct copies_world *w = arg;
    if (event->kind == DOOR_OPENED)
        w->happened = 'O';
    if (event->kind == DOOR_EXTENDED)
        w->happened = 'E';
    if (event->kind == DOOR_REFUSED)
        w->happened = 'R';
}

static void make_copies_world(struct copies_world *w)
{
    memset(w, 0, sizeof(*w));
    authorize_make_world(&w->w, doors_text);
    w->w.copies = copies_new((const uint8_t[16]){9});
    assert_non_null(w->w.copies);
    w->w.once = (struct one_time){.count = LINES, .lines = w->lines};
    for (int i = 0; i < LINES; i++) {
        snprintf(w->texts[i], sizeof(w->texts[i]), "%d", i);
        w->lines[i] = (struct one_time_line){.text = w->texts[i]};
        w->messages[i] = authorize_seal(&w->w, (struct sent){.later = i});
    }
    w->began = w->w.now;
    doors_watch(w->w.kept.w.doors, on_event, w);
}

static void end_copies_world(struct copies_world *w)
{
    copies_free(w->w.copies);
    authorize_end_world(&w->w);
}

static bool is_settled(void *arg)
{
    const struct copies_world *w = arg;
    const struct doors_choice all = {0};
    struct open_door door = {0};
    bool settled = true;
    while (doors_next(w->w.kept.w.doors, &all, &door))
        settled = settled && door.state == OPEN_DOOR_OPEN;
    return settled;
}

/*
 * A word: "s1@0.5" is a knock of number 1 that source s brings 0.5 s after the begin; "close"
 * closes what is open. The number is the port that a sequence ended with, that of the one-time
 * sequence, or of the message.
 */
static char do_word(struct copies_world *w, char kind, const char *word)
{
    struct authorize service = authorize_of(&w->w);
    uint32_t source = (uint32_t)(word[0] - 's'), number = (uint32_t)(word[1] - '0');
    const struct addr address = address_of(HOME);
    w->happened = '-';
    if (strcmp(word, "close") == 0) {
        doors_close(w->w.kept.w.doors, &(struct doors_choice){0});
    } else {
        w->w.now = w->began + (int64_t)(strtod(word + 3, NULL) * 1e9);
        w->messages[number].source = source;
        struct message_open open = {
            .source = source, .address = address, .port = (uint16_t)(1000 + number)};
        if (kind == 'o')
            open = (struct message_open){.source = source,
                                         .door = w->w.config->door_count + number,
                                         .address = address,
                                         .port = (uint16_t)(1000 + source)};
        if (kind == 'k')
            authorize_sealed(&service, &w->messages[number], w->w.now, w->w.wall);
        else
            authorize_open(&service, &open, w->w.now);
    }
    bench_until(&w->w.kept.w.bench, is_settled, w);
    return w->happened;
}

static void a_knock_by_several_sources_is_one(void **state)
{
    (void)state;
    /* Of each kind: (s)equence, (o)ne-time, sealed by a (k)ey. */
    static const struct {
        const char *kinds, *words, *expected;
    } rows[] = {
        /* at once, later, while it is open, which is 10 s */
        {"sok", "s1@0 t1@0", "O-"},
        {"sok", "s1@0 t1@0.1", "O-"},
        {"sok", "s1@0 t1@1", "O-"},
        {"sok", "s1@0 t1@3", "O-"},
        {"sok", "s1@0 t1@8", "O-"},
        {"sok", "t1@0 s1@0.1 u1@0.2", "O--"},
        {"sok", "s1@0 t1@19.9", "O-"},
        /* and after that */
        {"sok", "s1@0 close t1@0", "O--"},
        {"sok", "s1@0 close t1@0.1", "O--"},
        {"sok", "s1@0 close t1@1", "O--"},
        {"sok", "s1@0 close t1@4", "O--"},
        {"sok", "s1@0 close t1@8", "O--"},
        {"sok", "s1@0 close t1@4 u1@5", "O---"},
        {"s", "s1@0 close t1@20.1", "O-O"},
        {"o", "s1@0 close t1@20.1", "O-R"},
        {"k", "s1@0 close t1@30.1", "O-R"},
        /* a new knock, by all sources, in any order */
        {"sok", "s1@0 t1@0 s2@3 t2@3", "O-E-"},
        {"sok", "s1@0 t1@0 t2@3 s2@3", "O-E-"},
        {"sok", "s1@0 s2@3 t1@4 t2@4", "OE--"},
        {"sok", "s1@0 t1@0 close s2@3 t2@3", "O--O-"},
        {"sok", "s1@0 close s2@3 t1@4 t2@4", "O-O--"},
        {"sok", "s1@0 t2@1 u1@1 u2@2 s2@2 t1@2", "OE----"},
        /* and by one of them alone */
        {"sok", "s1@0 t2@3", "OE"},
        {"sok", "s1@0 close t2@3", "O-O"},
        {"sok", "s1@0 s2@3", "OE"},
        /* from one port */
        {"s", "s1@0 t1@0 s1@5 t1@5", "O-E-"},
        {"s", "s1@0 s1@5 t1@6 t1@6", "OE--"},
        {"s", "s1@0 t1@0 t1@5 s1@5 u1@6 u1@6", "O-E---"},
        /* the stream may bring a line twice, but not for long */
        {"sok", "u1@0 u1@1", "O-"},
        {"sok", "s1@0 u1@1 u1@9", "O--"},
        {"sok", "u1@0 close u1@9", "O--"},
        {"sok", "u1@0 u2@1 u1@2 u2@3", "OE--"},
        {"s", "u1@0 u1@10.1", "OE"},
        {"o", "u1@0 u1@10.1", "OR"},
        /* what is knocked once more is refused, and logged once */
        {"o", "s1@0 t1@0 s1@5 t1@5", "O-R-"},
        {"k", "s1@0 t1@0 s1@5 t1@5", "O---"},
        {"k", "s2@0 t2@0 s1@5 t1@5", "O-R-"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        for (const char *kind = rows[i].kinds; *kind; kind++) {
            char text[100], happened[16] = "", *rest;
            struct copies_world w;
            unsigned copies = 0;
            make_copies_world(&w);
            strcpy(text, rows[i].words);
            for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
                happened[strlen(happened)] = do_word(&w, *kind, word);
                copies += w.happened == '-' && strcmp(word, "close") != 0;
            }
            if (strcmp(happened, rows[i].expected) != 0)
                fail_msg("%c: %s: %s, expected %s", *kind, rows[i].words, happened,
                         rows[i].expected);
            /* Further rounds by the same source are counted with the messages. */
            bool rounds = *kind == 'k' && strcmp(rows[i].expected, "O---") == 0;
            if (!rounds)
                assert_int_equal(copies_of(w.w.copies, NULL), copies);
            end_copies_world(&w);
        }
}

/* A message that comes by a source which its door doesn't hear isn't used up: it may come by
 * another one yet. */
static void an_unheard_message_stays_good(void **state)
{
    (void)state;
    struct copies_world w;
    make_copies_world(&w);
    struct message_sealed msg = authorize_seal(&w.w, (struct sent){.door = "deaf"});
    for (msg.source = 1; msg.source < 3; msg.source++)
        assert_int_equal(authorize(&w.w, &msg), UNSEAL_UNHEARD);
    assert_int_equal(authorize_open_doors(&w.w), 0);
    msg.source = 0;
    assert_int_equal(authorize(&w.w, &msg), UNSEAL_GOOD);
    wait_log(&w.w.kept.w, "door deaf: opened for 198.51.100.7");
    msg.source = 1;
    assert_int_equal(authorize(&w.w, &msg), UNSEAL_UNHEARD);
    struct message_sealed end =
        authorize_seal(&w.w, (struct sent){.door = "deaf", .op = SEALED_CLOSE, .later = 1});
    end.source = 1;
    assert_int_equal(authorize(&w.w, &end), UNSEAL_UNHEARD);
    end.source = 0;
    assert_int_equal(authorize(&w.w, &end), UNSEAL_GOOD);
    assert_int_equal(bench_count(&w.w.kept.w.bench, "log", "refused"), 0);
    end_copies_world(&w);
}

/* Of one source there are no copies: what it brings is what it always was. */
static void one_source_has_no_copies(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, "door seq { sequence = { 90, 70, 80 }" COMMANDS "}\n");
    w.copies = copies_new((const uint8_t[16]){9});
    struct authorize service = authorize_of(&w);
    struct message_open open = {.address = address_of(HOME), .port = 1000};
    authorize_open(&service, &open, w.now);
    wait_log(&w.kept.w, "door seq: opened for 198.51.100.7");
    authorize_open(&service, &open, w.now);
    wait_log(&w.kept.w, "door seq: extended for 198.51.100.7");
    assert_int_equal(copies_of(w.copies, NULL), 0);
    copies_free(w.copies);
    authorize_end_world(&w);
}

/* --- the table --- */

static bool note(struct copies *copies, uint16_t port, const char *source, int64_t now)
{
    struct copies_knock knock = {.port = port, .what = "s"};
    return copies_note(copies, &knock, &(struct copies_source){.name = source}, now, now + 100);
}

static void sources_are_known_by_their_names(void **state)
{
    (void)state;
    struct copies *copies = copies_new((const uint8_t[16]){1});
    assert_false(note(copies, 1, "a", 0));
    assert_true(note(copies, 1, "b", 1));
    assert_true(note(copies, 1, "c", 2));
    assert_false(note(copies, 1, "b", 3));
    assert_int_equal(copies_of(copies, "a"), 0);
    assert_int_equal(copies_of(copies, "b"), 1);
    assert_int_equal(copies_of(copies, "c"), 1);
    assert_int_equal(copies_of(copies, "d"), 0);
    /* Reloads bring other names until there is no more room: then it begins again. */
    for (int i = 0; i < CONFIG_SOURCES_MAX - 3; i++) {
        char name[8];
        snprintf(name, sizeof(name), "n%d", i);
        assert_true(note(copies, 1, name, 4));
    }
    assert_false(note(copies, 1, "last", 5));
    assert_true(note(copies, 1, "a", 6));
    assert_int_equal(copies_of(copies, NULL), 1);
    copies_free(copies);
}

static void remembers_as_long_as_said(void **state)
{
    (void)state;
    struct copies *copies = copies_new((const uint8_t[16]){1});
    assert_false(note(copies, 1, "a", 0));
    assert_true(note(copies, 1, "b", 100));
    assert_false(note(copies, 1, "c", 101));
    copies_free(copies);
}

/* In a flood what is newest stays, and what made room is counted. */
static void is_bounded(void **state)
{
    (void)state;
    struct copies *copies = copies_new((const uint8_t[16]){1});
    const struct copies_source a = {.name = "a"}, b = {.name = "b"};
    struct copies_knock knock = {.what = "s"};
    for (unsigned i = 0; i < 4 * COPIES_MAX; i++) {
        knock.port = (uint16_t)i;
        knock.address.bytes[0] = (uint8_t)(i >> 16);
        assert_false(copies_note(copies, &knock, &a, i, INT64_MAX));
    }
    assert_in_range(copies_evicted(copies), 3 * COPIES_MAX, 4 * COPIES_MAX - COPIES_MAX / 2);
    unsigned known = 0;
    for (unsigned i = 4 * COPIES_MAX - 1000; i < 4 * COPIES_MAX; i++) {
        knock.port = (uint16_t)i;
        knock.address.bytes[0] = (uint8_t)(i >> 16);
        known += copies_note(copies, &knock, &b, 4 * COPIES_MAX, INT64_MAX);
    }
    assert_in_range(known, 990, 1000);
    copies_free(copies);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_knock_by_several_sources_is_one),
        cmocka_unit_test(an_unheard_message_stays_good),
        cmocka_unit_test(one_source_has_no_copies),
        cmocka_unit_test(sources_are_known_by_their_names),
        cmocka_unit_test(remembers_as_long_as_said),
        cmocka_unit_test(is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
