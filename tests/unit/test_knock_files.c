/* What the client keeps: the last time of a key, one-time sequences. */
#include "knock_help.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "knock/last_time.h"
#include "knock/once_file.h"
#include "lib/sealed.h"

static const uint8_t id[SEALED_ID_SIZE] = {0xab, 0xcd};
#define LAST "/.local/state/knock/abcd0000000000000000000000000000.last"

static void each_time_is_later(void **state)
{
    (void)state;
    struct home home;
    uint64_t before = 0;
    home_make(&home);
    for (int i = 0; i < 5; i++) {
        struct last_time last;
        uint64_t time;
        assert_true(last_time_open(&last, id, INT64_MAX));
        assert_int_equal(last.time, before);
        for (int j = 0; j < 5; j++) {
            assert_true(last_time_reserve(&last, &time));
            assert_true(time > before);
            before = time;
        }
        last_time_close(&last);
    }
    assert_int_equal(strlen(home_read(&home, LAST)), 17);
    home_remove(&home);
}

/* Writes `text` as the last time and tries to take another; returns what was said. */
static const char *take_after(struct home *home, const char *text, bool *taken)
{
    struct last_time last;
    uint64_t time;
    unlink(home->path);
    assert_true(last_time_open(&last, id, INT64_MAX)); /* makes the directory */
    last_time_close(&last);
    home_write(home, LAST, text, 0600);
    home_listen(home);
    *taken = last_time_open(&last, id, INT64_MAX) && last_time_reserve(&last, &time);
    last_time_close(&last);
    return home_said(home);
}

static void refuses_times_that_cannot_be(void **state)
{
    (void)state;
    struct home home;
    char ahead[32], little[32];
    snprintf(ahead, sizeof(ahead), "%010u %05u\n", (unsigned)time(NULL) + 100, 0u);
    snprintf(little, sizeof(little), "%010u %05u\n", (unsigned)time(NULL) + 20, 0u);
    const struct {
        const char *text, *said; /* NULL: taken */
    } rows[] = {
        {"", NULL},
        {"1700000000 65535\n", NULL},
        {little, NULL},
        {ahead, "the clock is "},
        {"1700000000 65536\n", "is damaged"},
        {"4294967296 00000\n", "is damaged"},
        {"1700000000 12345", "is damaged"},
        {"1700000000 12345\n\n", "is damaged"},
        {"1700000000-12345\n", "is damaged"},
        {" 700000000 12345\n", "is damaged"},
        {"170000000012345 \n", "is damaged"},
        {"\n", "is damaged"},
        {"nonsense", "is damaged"},
    };
    home_make(&home);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        bool taken;
        const char *said = take_after(&home, rows[i].text, &taken);
        if (taken != !rows[i].said || (rows[i].said && !strstr(said, rows[i].said)))
            fail_msg("\"%s\": taken %d, said \"%s\"", rows[i].text, taken, said);
    }
    home_remove(&home);
}

/* Processes that take times of one key and are killed at any moment: no time comes twice. Each
 * reports what it took, as it would send it, by a pipe. */
static void no_time_is_used_twice(void **state)
{
    (void)state;
    enum { PROCESSES = 4, ROUNDS = 20 };
    struct home home;
    int ends[2];
    uint64_t got, count = 0, largest = 0;
    home_make(&home);
    unsigned seed = (unsigned)time(NULL);
    print_message("# seed %u\n", seed);
    for (int round = 0; round < ROUNDS; round++) {
        pid_t pids[PROCESSES];
        assert_int_equal(pipe(ends), 0);
        for (int i = 0; i < PROCESSES; i++) {
            pids[i] = fork();
            while (pids[i] == 0) {
                struct last_time last;
                if (!last_time_open(&last, id, INT64_MAX) || !last_time_reserve(&last, &got) ||
                    write(ends[1], &got, sizeof(got)) != sizeof(got))
                    _exit(1);
                last_time_close(&last);
            }
        }
        close(ends[1]);
        usleep((useconds_t)(rand_r(&seed) % 20000));
        for (int i = 0; i < PROCESSES; i++)
            kill(pids[i], SIGKILL);
        for (int i = 0; i < PROCESSES; i++)
            waitpid(pids[i], NULL, 0);
        /* The lock is held while it is written, so that they come in their order. */
        for (; read(ends[0], &got, sizeof(got)) == sizeof(got); count++) {
            assert_true(got > largest);
            largest = got;
        }
        close(ends[0]);
    }
    print_message("# %lu times\n", (unsigned long)count);
    assert_true(count > 0);
    home_remove(&home);
}

static void takes_one_line_after_another(void **state)
{
    (void)state;
    struct home home;
    struct sequence sequence;
    home_make(&home);
    home_write(&home, "once", "# mine\n\n#1,2\n7000,8000:udp,9000\r\n  1000, 2000\n3", 0600);
    char path[128];
    snprintf(path, sizeof(path), "%s/once", home.dir);
    assert_true(once_file_next(path, true, &sequence));
    assert_true(once_file_next(path, false, &sequence));
    assert_int_equal(sequence.count, 3);
    assert_int_equal(sequence.steps[1].port, 8000);
    assert_true(once_file_next(path, false, &sequence));
    assert_int_equal(sequence.steps[0].port, 1000);
    assert_string_equal(home_read(&home, "once"),
                        "# mine\n\n#1,2\n#7000,8000:udp,9000\r\n#  1000, 2000\n3");
    assert_true(once_file_next(path, false, &sequence));
    assert_int_equal(sequence.count, 1);
    home_listen(&home);
    assert_false(once_file_next(path, false, &sequence));
    assert_non_null(strstr(home_said(&home), "no one-time sequence is left in "));
    home_remove(&home);
}

/* A link stays one, and the mode stays what it was. */
static void replaces_what_a_link_leads_to(void **state)
{
    (void)state;
    struct home home;
    struct sequence sequence;
    struct stat st;
    char path[128], link[128];
    home_make(&home);
    home_write(&home, "once", "1,2\n3,4\n", 0400);
    snprintf(path, sizeof(path), "%s/once", home.dir);
    snprintf(link, sizeof(link), "%s/link", home.dir);
    assert_int_equal(symlink("once", link), 0);
    assert_true(once_file_next(link, false, &sequence));
    assert_true(once_file_next(path, false, &sequence));
    assert_int_equal(sequence.steps[0].port, 3);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0400);
    home_remove(&home);
}

static void refuses_files_of_sequences(void **state)
{
    (void)state;
    static const struct {
        const char *text, *said;
        mode_t mode;
    } rows[] = {
        {"1,2\n", "chmod 600", 0640},
        {"1,2\n", "chmod 600", 0602},
        {"# a\n1,x\n", "once:2: this is no sequence", 0600},
        {"70000\n", "once:1: this is no sequence", 0600},
        {"", "no one-time sequence is left", 0600},
    };
    struct home home;
    struct sequence sequence;
    char path[128];
    home_make(&home);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        home_write(&home, "once", rows[i].text, rows[i].mode);
        home_listen(&home);
        assert_false(once_file_next(home.path, false, &sequence));
        const char *said = home_said(&home);
        if (!strstr(said, rows[i].said))
            fail_msg("\"%s\": said \"%s\"", rows[i].text, said);
        assert_string_equal(home_read(&home, "once"), rows[i].text);
    }
    snprintf(path, sizeof(path), "%s/none", home.dir);
    home_listen(&home);
    assert_false(once_file_next(path, false, &sequence));
    assert_non_null(strstr(home_said(&home), "No such file"));
    home_remove(&home);
}

/* Processes at once: each line goes to one of them. */
static void each_line_goes_to_one(void **state)
{
    (void)state;
    enum { LINES = 24, PROCESSES = 4 };
    struct home home;
    char text[LINES * 8] = "";
    unsigned seen[LINES + 1] = {0};
    home_make(&home);
    for (unsigned i = 1; i <= LINES; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%u\n", i);
    home_write(&home, "once", text, 0600);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    for (int i = 0; i < PROCESSES; i++)
        if (fork() == 0) {
            struct sequence sequence;
            for (int j = 0; j < LINES / PROCESSES; j++)
                if (!once_file_next(home.path, false, &sequence) ||
                    write(ends[1], &sequence.steps[0].port, 2) != 2)
                    _exit(1);
            _exit(0);
        }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    for (int i = 0; i < LINES; i++) {
        uint16_t port;
        assert_int_equal(read(ends[0], &port, 2), 2);
        assert_in_range(port, 1, LINES);
        assert_int_equal(++seen[port], 1);
    }
    home_remove(&home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_time_is_later),
        cmocka_unit_test(refuses_times_that_cannot_be),
        cmocka_unit_test(no_time_is_used_twice),
        cmocka_unit_test(takes_one_line_after_another),
        cmocka_unit_test(replaces_what_a_link_leads_to),
        cmocka_unit_test(refuses_files_of_sequences),
        cmocka_unit_test(each_line_goes_to_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
