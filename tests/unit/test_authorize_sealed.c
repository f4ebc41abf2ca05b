/* Sealed knocks from the listener's record to the door, and what makes old messages stay dead. */
#include "authorize_help.h"
#include "sync_count.h"

#include <signal.h>
#include <sys/resource.h>

#define COMMANDS " start_command = true stop_command = true "

static const char doors_text[] =
    "door ssh { key = alice port = 22 cmd_timeout = 300" COMMANDS "}\n"
    "door web { key = { alice, bob } ports = { 443, 8443 } bound = false" COMMANDS "}\n"
    "door guest { key = alice for = true" COMMANDS "}\n";

static void opens_and_closes(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, doors_text);
    struct message_sealed msg = authorize_seal(&w, (struct sent){0});
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    wait_log(&w.kept.w,
             "door ssh: opened for 198.51.100.7, closes in 300 s (alice, 22:tcp, source s)");
    msg = authorize_seal(&w, (struct sent){.door = "web", .later = 1, .bound = ""});
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    msg = authorize_seal(&w, (struct sent){.door = "web", .later = 2, .port = 8443});
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    msg = authorize_seal(&w, (struct sent){.door = "guest", .later = 3, .address = "2001:db8::5"});
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    wait_log(&w.kept.w, "door guest: opened for 2001:db8::5, closes in 10 s (alice, source s)");
    /* What is closed before its command ran was never open. */
    wait_log(&w.kept.w,
             "door web: opened for 198.51.100.7, closes in 10 s (alice, 443:tcp, source s)");
    wait_log(&w.kept.w,
             "door web: opened for 198.51.100.7, closes in 10 s (alice, 8443:tcp, source s)");
    assert_int_equal(authorize_open_doors(&w), 4);
    msg = authorize_seal(&w, (struct sent){.key = BOB, .door = "web", .op = SEALED_CLOSE});
    assert_int_equal(authorize(&w, &msg), UNSEAL_NOTHING);
    msg = authorize_seal(&w, (struct sent){.door = "web", .op = SEALED_CLOSE, .later = 4});
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    wait_log(&w.kept.w,
             "door web: closed for 198.51.100.7 (alice, 8443:tcp): by a sealed knock of its key");
    wait_log(&w.kept.w,
             "door web: closed for 198.51.100.7 (alice, 443:tcp): by a sealed knock of its key");
    assert_int_equal(authorize_open_doors(&w), 2);
    authorize_end_world(&w);
}

/* Reloads, keys that come and go, clocks and lost stores: what was sent once is good for once. */
static void old_messages_stay_dead(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, doors_text);
    struct message_sealed old = authorize_seal(&w, (struct sent){0});
    struct message_sealed newer = authorize_seal(&w, (struct sent){.later = 1});
    assert_int_equal(authorize(&w, &newer), UNSEAL_GOOD);
    /* A further round of it opens nothing; it isn't said to be a replay, as what comes late is. */
    assert_int_equal(authorize(&w, &newer), UNSEAL_COPY);
    assert_int_equal(authorize(&w, &old), UNSEAL_REPLAYED);
    w.now += INT64_C(30000000000);
    assert_int_equal(authorize(&w, &newer), UNSEAL_REPLAYED);
    /* Another's times are his own. */
    struct message_sealed bobs = authorize_seal(&w, (struct sent){.key = BOB, .door = "web"});
    assert_int_equal(authorize(&w, &bobs), UNSEAL_GOOD);
    /* A reload, the key taken away, and given again. */
    authorize_load(&w, doors_text);
    assert_int_equal(authorize(&w, &newer), UNSEAL_REPLAYED);
    authorize_load(&w, "door web { key = bob" COMMANDS "}");
    assert_int_equal(authorize(&w, &newer), UNSEAL_UNKNOWN);
    authorize_load(&w, doors_text);
    assert_int_equal(authorize(&w, &newer), UNSEAL_REPLAYED);
    /* The keeper's clock set back, as far as the message isn't stale, and further. */
    w.wall.tv_sec -= 100;
    assert_int_equal(authorize(&w, &newer), UNSEAL_REPLAYED);
    w.wall.tv_sec -= 100;
    assert_int_equal(authorize(&w, &newer), UNSEAL_STALE);
    w.wall.tv_sec += 200;
    /* A restart. */
    kept_die(&w.kept);
    kept_begin(&w.kept);
    authorize_load(&w, doors_text);
    assert_int_equal(authorize(&w, &newer), UNSEAL_REPLAYED);
    assert_int_equal(authorize(&w, &bobs), UNSEAL_REPLAYED);
    authorize_end_world(&w);
}

static void a_lost_store_makes_nothing_good_again(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, doors_text);
    w.wall.tv_sec -= 1; /* now it is */
    w.kept.folder.skew = 120;
    /* By a clock that is ahead. */
    struct message_sealed msg = authorize_seal(&w, (struct sent){.later = 100 * 65536});
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    /* The store alone, then the whole folder. */
    for (int i = 0; i < 2; i++) {
        kept_die(&w.kept);
        folder_names(&w.kept.folder, i == 0 ? "state.db" : "", true);
        kept_begin(&w.kept);
        assert_int_equal(w.kept.folder.found.lost, i == 0);
        w.keyring->keys[0].known = false;
        authorize_load(&w, doors_text);
        assert_int_equal(authorize(&w, &msg), UNSEAL_NEW_STATE);
        wait_log(
            &w.kept.w,
            "sealed knock from 198.51.100.7 refused: new state, or an old copy: sealed knocks are "
            "refused until 20");
    }
    w.wall.tv_sec += 130;
    msg = authorize_seal(&w, (struct sent){0});
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    authorize_end_world(&w);
}

/* As in_force.c has it after a kill -9: what was refused before isn't known. */
static void a_key_that_is_new_after_a_crash_waits(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, doors_text);
    w.keyring->keys[0].since = (uint64_t)(w.wall.tv_sec + 120) << 16;
    struct message_sealed msg = authorize_seal(&w, (struct sent){0});
    assert_int_equal(authorize(&w, &msg), UNSEAL_NEW_STATE);
    wait_log(&w.kept.w, "sealed knock from 198.51.100.7 refused: new key: its knocks are "
                        "refused until 20");
    w.wall.tv_sec += 130;
    assert_int_equal(authorize(&w, &msg), UNSEAL_STALE);
    msg = authorize_seal(&w, (struct sent){0});
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    authorize_end_world(&w);
}

static void what_was_refused_is_used_up(void **state)
{
    (void)state;
    static const char without[] = "door ssh { key = bob port = 22" COMMANDS "}\n"
                                  "door web { key = alice" COMMANDS "}";
    struct authorize_world w;
    authorize_make_world(&w, without);
    struct message_sealed msg = authorize_seal(&w, (struct sent){0});
    struct message_sealed before = authorize_seal(&w, (struct sent){.later = -1});
    assert_int_equal(authorize(&w, &msg), UNSEAL_OTHER_DOOR);
    authorize_load(&w, doors_text);
    assert_int_equal(authorize(&w, &msg), UNSEAL_REPLAYED);
    assert_int_equal(authorize(&w, &before), UNSEAL_REPLAYED);
    assert_int_equal(authorize_open_doors(&w), 0);
    assert_int_equal(bench_count(&w.kept.w.bench, "log",
                                 "door ssh: refused 198.51.100.7: not this door: the key isn't in "
                                 "its list, or names other doors (alice)"),
                     1);
    authorize_end_world(&w);
}

/* By its own time, or since that isn't over up to which the key waits. */
static bool is_dead(enum unseal_verdict verdict)
{
    return verdict == UNSEAL_REPLAYED || verdict == UNSEAL_NEW_STATE;
}

/* Nobody can use up what no key in force opens. It stays dead all the same when one does, by a
 * reload, a start or a start after a crash; what wasn't refused then is good, sealed before or
 * after, but for a crash, after which nobody knows. */
static void what_was_unknown_stays_refused(void **state)
{
    (void)state;
    static const struct {
        const char *before; /* the doors, when the message is refused */
        int ahead;          /* s that the client's clock is ahead */
        enum { RELOADED, STARTED, KILLED } how;
    } cases[] = {
        {"door web { key = bob port = 22" COMMANDS "}\n", 0, RELOADED},
        {"door web { key = bob port = 22" COMMANDS "}\n", 100, RELOADED},
        {"door web { key = bob port = 22" COMMANDS "}\n", 100, STARTED},
        {"door web { key = bob port = 22" COMMANDS "}\n", 100, KILLED},
        {"door web { key = alice port = 22" COMMANDS "}\n", 0, RELOADED},
        {"door web { key = alice port = 22" COMMANDS "}\n", 100, RELOADED},
        {"door web { key = alice port = 22" COMMANDS "}\n", 100, STARTED},
        {"door web { key = alice port = 22" COMMANDS "}\n", 100, KILLED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct authorize_world w;
        authorize_make_world(&w, cases[i].before);
        bool unbound = i >= 4;
        struct sent sent = {.door = "web", .bound = unbound ? "" : NULL};
        sent.later = cases[i].ahead * 65536;
        struct message_sealed old = authorize_seal(&w, sent);
        struct message_sealed other = authorize_seal(&w, (struct sent){.door = "web", .later = 1});
        assert_int_equal(authorize(&w, &old), UNSEAL_UNKNOWN);
        w.wall.tv_sec += 5;
        if (cases[i].how == RELOADED)
            authorize_load(&w, doors_text);
        else
            authorize_restart(&w, cases[i].how == KILLED, doors_text);
        if (unbound)
            old.address = address_of("203.0.113.66"); /* by another, who overheard it */
        assert_true(is_dead(authorize(&w, &old)));
        /* Nor at the next reload, or start. */
        authorize_load(&w, doors_text);
        assert_true(is_dead(authorize(&w, &old)));
        authorize_restart(&w, true, doors_text);
        assert_true(is_dead(authorize(&w, &old)));
        assert_int_equal(authorize_open_doors(&w), 0);
        /* Bound messages of a key in force don't wait for what unbound ones wait for. */
        if (unbound)
            assert_int_equal(authorize(&w, &other), UNSEAL_GOOD);
        w.wall.tv_sec += 1 + (cases[i].how == KILLED ? 120 : cases[i].ahead);
        sent.later = 0;
        struct message_sealed fresh = authorize_seal(&w, sent);
        assert_int_equal(authorize(&w, &fresh), UNSEAL_GOOD);
        authorize_end_world(&w);
    }
}

/* Whatever strangers send: a new key works at once, though its clock is behind. */
static void junk_doesnt_delay_a_new_key(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, "door web { key = bob port = 22" COMMANDS "}\n");
    struct message_sealed msg = authorize_seal(&w, (struct sent){.later = 110 * 65536});
    struct message_sealed honest = authorize_seal(&w, (struct sent){0});
    for (int i = 0; i < 1000; i++) {
        uint16_t hint = (uint16_t)(sealed_message_hint(msg.message) + 1 + i);
        msg.message[0] = (uint8_t)(hint >> 8);
        msg.message[1] = (uint8_t)hint;
        assert_int_equal(authorize(&w, &msg), UNSEAL_UNKNOWN);
    }
    w.wall.tv_sec += 30;
    authorize_load(&w, doors_text);
    assert_int_equal(authorize(&w, &honest), UNSEAL_GOOD);
    authorize_end_world(&w);
}

/* A message that was too old for max_skew isn't good by a longer one. */
static void what_was_stale_stays_refused(void **state)
{
    (void)state;
    for (int restart = 0; restart < 2; restart++) {
        struct authorize_world w;
        char text[512];
        authorize_make_world(&w, doors_text);
        struct message_sealed old = authorize_seal(&w, (struct sent){0});
        w.wall.tv_sec += 130;
        struct message_sealed honest = authorize_seal(&w, (struct sent){.later = -65536});
        assert_int_equal(authorize(&w, &old), UNSEAL_STALE);
        snprintf(text, sizeof(text), "%s", doors_text);
        w.skew = 600;
        if (restart)
            authorize_restart(&w, true, text);
        else
            authorize_load(&w, text);
        assert_int_equal(authorize(&w, &old), UNSEAL_REPLAYED);
        assert_int_equal(authorize(&w, &honest), UNSEAL_GOOD);
        authorize_end_world(&w);
    }
}

/* A door for unbound messages that a reload brings leaves bound ones of its keys alone. */
static void what_was_known_stays_good(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, "door ssh { key = alice port = 22" COMMANDS "}\n");
    struct message_sealed msg = authorize_seal(&w, (struct sent){0});
    w.wall.tv_sec += 5;
    authorize_load(&w, doors_text);
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    authorize_end_world(&w);
}

static bool has_started(void *arg)
{
    struct authorize_world *w = arg;
    return bench_exists(&w->kept.w.bench, "go");
}

/* Used up and opened in one transaction; what is refused is used up by one of its own. */
static void one_sync_until_its_command_starts(void **state)
{
    (void)state;
    struct authorize_world w;
    char text[512];
    authorize_make_world(&w, doors_text);
    snprintf(text, sizeof(text),
             "door ssh { key = alice start_command = \"sh -c 'touch %s/go; sleep 60'\" }",
             w.kept.w.bench.dir);
    authorize_load(&w, text);
    struct message_sealed msg = authorize_seal(&w, (struct sent){0});
    unsigned before = syncs;
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    bench_until(&w.kept.w.bench, has_started, &w);
    serve(&w.kept.w, 50 * MS);
    assert_int_equal(syncs, before + 1);
    msg = authorize_seal(&w, (struct sent){.door = "nowhere", .later = 1});
    assert_int_equal(authorize(&w, &msg), UNSEAL_NO_DOOR);
    serve(&w.kept.w, 50 * MS);
    assert_int_equal(syncs, before + 2);
    authorize_end_world(&w);
}

static const struct sent sent_before_death[] = {
    {.later = 77},
    {.door = "guest", .key = BOB}, /* refused */
    {.door = "web", .op = SEALED_CLOSE},
};
enum { SENT = sizeof(sent_before_death) / sizeof(*sent_before_death) };

static void take_and_die(struct authorize_world *w, struct sent sent)
{
    struct message_sealed msg = authorize_seal(w, sent);
    kept_begin(&w->kept);
    authorize(w, &msg);
    kill(getpid(), SIGKILL);
}

/* The power fails after the message is used up, and before its command runs. */
static void a_crash_before_the_command_leaves_it_used_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SENT; i++) {
        struct authorize_world w;
        int status = -1;
        authorize_make_world(&w, doors_text);
        doors_free(w.kept.w.doors);
        w.kept.w.doors = NULL;
        store_close(w.kept.store);
        fflush(stdout);
        pid_t pid = fork();
        if (pid == 0)
            take_and_die(&w, sent_before_death[i]);
        assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
        kept_begin(&w.kept);
        struct message_sealed msg = authorize_seal(&w, sent_before_death[i]);
        assert_int_equal(authorize(&w, &msg), UNSEAL_REPLAYED);
        assert_int_equal(authorize_open_doors(&w), 0);
        assert_int_equal(bench_count(&w.kept.w.bench, "log", "opened for"), 0);
        /* What its command may have opened is on record. */
        assert_int_equal(doors_resume(w.kept.w.doors), 0);
        assert_int_equal(authorize_open_doors(&w), i == 0);
        authorize_end_world(&w);
    }
}

static void nothing_is_served_that_cant_be_recorded(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(
        &w, "door ssh { key = alice port = 22 rate = \"2/10m\" cmd_timeout = 300" COMMANDS "}\n");
    struct message_sealed msg = authorize_seal(&w, (struct sent){0});
    /* No byte more may be written to any file. */
    struct rlimit limit, none;
    getrlimit(RLIMIT_FSIZE, &limit);
    none = (struct rlimit){0, limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &none);
    for (int round = 0; round < 4; round++)
        assert_int_equal(authorize(&w, &msg), UNSEAL_UNRECORDED);
    setrlimit(RLIMIT_FSIZE, &limit);
    /* What wasn't served hasn't used up the door's rate. */
    assert_int_equal(authorize_open_doors(&w), 0);
    assert_int_equal(authorize(&w, &msg), UNSEAL_GOOD);
    assert_int_equal(authorize(&w, &msg), UNSEAL_COPY);
    authorize_end_world(&w);
}

static void tells_why(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, doors_text);
    struct message_sealed msg = authorize_seal(&w, (struct sent){0});
    w.wall.tv_sec += 312;
    assert_int_equal(authorize(&w, &msg), UNSEAL_STALE);
    wait_log(&w.kept.w, "sealed knock from 198.51.100.7 refused: stale: its time is further from "
                        "this host's clock than max_skew: 312 s behind; set the clocks of both");
    msg.message[31] ^= 1;
    w.wall.tv_sec -= 312;
    assert_int_equal(authorize(&w, &msg), UNSEAL_UNKNOWN);
    wait_log(&w.kept.w, "sealed knock from 198.51.100.7 refused: unknown: no key in force ");
    msg = authorize_seal(&w, (struct sent){.door = "nowhere"});
    assert_int_equal(authorize(&w, &msg), UNSEAL_NO_DOOR);
    wait_log(&w.kept.w, "sealed knock of alice from 198.51.100.7 refused: not this door: no door");
    /* However many there are, the log stays readable, and says what it left out. */
    msg.message[31] ^= 1;
    for (int i = 0; i < 1000; i++)
        assert_int_equal(authorize(&w, &msg), UNSEAL_UNKNOWN);
    assert_int_equal(bench_count(&w.kept.w.bench, "log", "refused: unknown"), 18);
    assert_int_equal(bench_count(&w.kept.w.bench, "log", "left out"), 0);
    assert_int_equal(w.limits.sealed[UNSEAL_UNKNOWN], 1001);
    w.now += INT64_C(1000000000);
    authorize(&w, &msg);
    wait_log(&w.kept.w, "permits that; 983 more left out");
    w.now += INT64_C(1000000000);
    authorize(&w, &msg);
    assert_int_equal(bench_count(&w.kept.w.bench, "log", "left out"), 1);
    authorize_end_world(&w);
}

/* Junk of one address, and of many, and another's honest mistake. */
static void junk_hides_no_refusal(void **state)
{
    (void)state;
    struct authorize_world w;
    authorize_make_world(&w, doors_text);
    struct message_sealed junk = authorize_seal(&w, (struct sent){0});
    struct message_sealed stale = junk;
    junk.message[31] ^= 1;
    stale.address = address_of("2001:db8::7");
    w.wall.tv_sec += 100;
    for (int i = 0; i < 1000; i++)
        authorize(&w, &junk);
    w.wall.tv_sec += 400;
    assert_int_equal(authorize(&w, &stale), UNSEAL_STALE);
    wait_log(&w.kept.w, "sealed knock from 2001:db8::7 refused: stale: its time is further");
    const struct refusal *refusal = refusal_log_find(w.refusals, &stale.address);
    assert_non_null(refusal);
    assert_int_equal(refusal->apart, -500);
    assert_int_equal(refusal->count, 1);
    refusal = refusal_log_find(w.refusals, &junk.address);
    assert_int_equal(refusal->count, 1000);
    assert_int_equal(refusal->apart, 0);
    assert_ptr_equal(refusal->why, unseal_reason(UNSEAL_UNKNOWN));
    /* So many addresses that most are forgotten: the last is remembered all the same. */
    for (uint32_t i = 0; i < 4 * REFUSAL_LOG_MAX; i++) {
        w.now++;
        memcpy(junk.address.bytes, &i, sizeof(i));
        authorize(&w, &junk);
    }
    assert_int_equal(refusal_log_find(w.refusals, &junk.address)->count, 1);
    assert_true(bench_count(&w.kept.w.bench, "log", "refused: ") <= 210);
    authorize_end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_and_closes),
        cmocka_unit_test(old_messages_stay_dead),
        cmocka_unit_test(a_lost_store_makes_nothing_good_again),
        cmocka_unit_test(a_key_that_is_new_after_a_crash_waits),
        cmocka_unit_test(what_was_refused_is_used_up),
        cmocka_unit_test(what_was_unknown_stays_refused),
        cmocka_unit_test(junk_doesnt_delay_a_new_key),
        cmocka_unit_test(what_was_stale_stays_refused),
        cmocka_unit_test(what_was_known_stays_good),
        cmocka_unit_test(one_sync_until_its_command_starts),
        cmocka_unit_test(a_crash_before_the_command_leaves_it_used_up),
        cmocka_unit_test(nothing_is_served_that_cant_be_recorded),
        cmocka_unit_test(tells_why),
        cmocka_unit_test(junk_hides_no_refusal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
