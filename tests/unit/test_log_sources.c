/* The keeper's side of log files: when the path means another file, however that came about, it is
 * handed over; and no watch or descriptor is left behind. */
#include "keeper_help.h"

#include <poll.h>
#include <sys/inotify.h>

#include "keeper/log_sources.h"

/* A keeper without a listener: the test reads what inotify tells, and says so as the listener does.
 */
struct keeper {
    struct bench bench;
    char path[160];
    char names[2][2];
    struct config_source logs[2];
    struct config config;
    struct report report;
    struct log_sources *sources;
    int inotify;
    unsigned handed; /* files */
    ino_t inode;     /* of the last one */
    struct message_fd last;
};

static void be_told(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    (void)text;
}

static void on_handover(void *arg, const struct message *message, int fd)
{
    struct keeper *k = arg;
    struct stat st;
    if (message->u.fd.kind == FD_INOTIFY) {
        k->inotify = fd;
        return;
    }
    assert_int_equal(fstat(fd, &st), 0);
    k->inode = st.st_ino;
    k->last = message->u.fd;
    k->handed++;
}

static void shell(const struct keeper *k, const char *script)
{
    char text[1024];
    snprintf(text, sizeof(text), "cd %s && %s", k->bench.dir, script);
    if (system(text) != 0) {
        bench_speak(&k->bench);
        fail_msg("failed: %s", script);
    }
}

/* A keeper whose `count` sources are the file `name` of its folder. */
static void keeper_make(struct keeper *k, unsigned count, const char *setup, const char *name)
{
    memset(k, 0, sizeof(*k));
    k->inotify = -1;
    bench_make(&k->bench);
    shell(k, setup);
    snprintf(k->path, sizeof(k->path), "%s/%s", k->bench.dir, name);
    for (unsigned i = 0; i < count; i++) {
        snprintf(k->names[i], sizeof(k->names[i]), "%u", i);
        k->logs[i] =
            (struct config_source){.name = k->names[i], .type = SOURCE_FILE, .path = k->path};
    }
    k->config = (struct config){.sources = k->logs, .source_count = count};
    k->report.say = be_told;
    k->sources = log_sources_open(k->bench.loop, &k->config, NULL, NULL, &k->report);
    assert_non_null(k->sources);
    log_sources_start(k->sources, (struct handover){on_handover, k});
    assert_true(k->inotify >= 0);
}

static void keeper_end(struct keeper *k)
{
    static const char *const none[] = {NULL};
    log_sources_close(k->sources);
    shell(k, "find . -mindepth 1 ! -name log -delete");
    bench_end(&k->bench, none);
}

/* Does what the listener does. */
static void hear_of_it(struct keeper *k)
{
    union {
        struct inotify_event align;
        char bytes[4096];
    } buffer;
    for (ssize_t got; (got = read(k->inotify, buffer.bytes, sizeof(buffer.bytes))) > 0;) {
        for (ssize_t at = 0; at < got;) {
            const struct inotify_event *event = (const void *)(buffer.bytes + at);
            if (!(event->mask & (IN_MODIFY | IN_IGNORED)))
                log_sources_reopen(k->sources, event->wd);
            at += (ssize_t)(sizeof(*event) + event->len);
        }
    }
}

static ino_t inode_at(const struct keeper *k)
{
    struct stat st;
    assert_int_equal(stat(k->path, &st), 0);
    return st.st_ino;
}

/* How many watches the inotify instance has (proc(5), fdinfo). */
static unsigned watches(const struct keeper *k)
{
    char path[64], line[256];
    unsigned count = 0;
    snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", k->inotify);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    while (fgets(line, sizeof(line), file))
        count += strncmp(line, "inotify wd", 10) == 0;
    fclose(file);
    return count;
}

/* At once, or step by step, with time to hear of each. */
static void change(struct keeper *k, const char *script, bool at_once)
{
    char steps[256], *rest = steps;
    snprintf(steps, sizeof(steps), "%s", script);
    if (at_once)
        shell(k, script);
    else
        for (char *step; (step = strsep(&rest, ";")); hear_of_it(k))
            shell(k, step);
    hear_of_it(k);
}

/* Each change leads to another file at the path; the events of inotify alone must tell of it. */
static void every_turn_is_noticed(void **state)
{
    (void)state;
    static const struct {
        const char *setup, *path, *change;
    } rows[] = {
        {"touch a", "a", "mv a a.1; touch a"},
        {"touch a", "a", "rm a; touch a"},
        {"touch a", "a", "touch b; mv b a"},
        {"true", "a", "touch a"},
        {"true", "d/e/a", "mkdir d; mkdir d/e; touch d/e/a"},
        {"mkdir -p d/e; touch d/e/a", "d/e/a", "mv d/e d/f; mkdir d/e; touch d/e/a"},
        {"mkdir -p d/e; touch d/e/a", "d/e/a", "mv d f; mkdir -p d/e; touch d/e/a"},
        {"mkdir -p d/e; touch d/e/a", "d/e/a", "rm -r d; mkdir -p d/e; touch d/e/a"},
        {"mkdir -p d/e; touch d/e/a", "d/e/a", "rm d/e/a; rmdir d/e; mkdir d/e; touch d/e/a"},
        {"mkdir -p d/e; touch d/e/a", "d/e/a",
         "rm d/e/a; rmdir d/e; rmdir d; mkdir d; mkdir d/e; touch d/e/a"},
        {"mkdir -p d f; touch d/a f/a", "d/a", "mv d e; mv f d"},
        {"touch b c; ln -s b a", "a", "ln -s c n; mv -T n a"},
        {"touch b c; ln -s b a", "a", "rm a; ln -s c a"},
        {"touch b; ln -s b a", "a", "mv b b.1; touch b"},
        {"ln -s b a", "a", "touch b"},
        {"mkdir x y; touch x/a y/a; ln -s x d", "d/a", "ln -s y n; mv -T n d"},
        {"mkdir x y; touch x/a y/a; ln -s x d; ln -s d e", "e/a", "ln -s y n; mv -T n d"},
        {"mkdir x y; touch x/b y/b; ln -s x d; ln -s d/b a", "a", "ln -s y n; mv -T n d"},
        {"mkdir x y; touch x/b y/b; ln -s x d; ln -s $PWD/d/../d/b a", "a", "ln -sfT y d"},
        {"mkdir x; touch x/b; ln -s x/b a", "a", "mv x y; mkdir x; touch x/b"},
    };
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
        const char *setup = rows[i / 2].setup, *script = rows[i / 2].change;
        struct keeper k;
        keeper_make(&k, 1, setup, rows[i / 2].path);
        unsigned before = k.handed;
        hear_of_it(&k);
        assert_int_equal(k.handed, before);
        change(&k, script, i % 2 == 0);
        if (k.handed == before || k.inode != inode_at(&k)) {
            bench_speak(&k.bench);
            fail_msg("not noticed: %s: %s", setup, script);
        }
        assert_int_equal(k.last.offset, 0);
        assert_false(k.last.polled);
        keeper_end(&k);
    }
}

static void what_stays_is_not_handed_over(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "touch b",     "echo >>a", "mv a b; mv b a", "ln a b; rm a; mv b a",
        "chmod 600 a", "rm a", /* absent: the old one is read on */
    };
    struct keeper k;
    keeper_make(&k, 1, "echo >a", "a");
    assert_int_equal(k.handed, 1);
    assert_int_equal(k.last.offset, 1);
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        shell(&k, changes[i]);
        hear_of_it(&k);
        assert_int_equal(k.handed, 1);
    }
    keeper_end(&k);
}

/* ext4 gives the inode number of a file that was removed to the next one, tmpfs and others don't.
 */
static void a_reused_inode_is_another_file(void **state)
{
    (void)state;
    struct keeper k;
    keeper_make(&k, 1, "touch a", "a");
    for (unsigned i = 0; i < 50; i++) {
        unsigned before = k.handed;
        bench_remove(&k.bench, "a");
        bench_write(&k.bench, "a", "x\n");
        hear_of_it(&k);
        assert_int_equal(k.handed, before + 1);
        assert_int_equal(k.inode, inode_at(&k));
    }
    keeper_end(&k);
}

/* Whatever is replaced: the watches are those of four files, and of the way. */
static void no_watch_is_left(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "mv d/a d/a.1; echo >d/a",
        "rm d/a; echo >d/a",
        "rm -rf d.1; mv d d.1; mkdir d; echo >d/a",
        "mkdir d.$$; echo >d.$$/a; mv d d.x$$; mv d.$$ d",
    };
    struct keeper k;
    keeper_make(&k, 2, "mkdir d; echo >d/a", "d/a");
    int descriptors = open_count();
    unsigned limit = watches(&k) + LOG_FILES - 1;
    for (int i = 0; i < 100; i++) {
        unsigned before = k.handed;
        shell(&k, changes[i % 4]);
        hear_of_it(&k);
        assert_int_equal(k.handed, before + 2);
        if (watches(&k) > limit) {
            bench_speak(&k.bench);
            fail_msg("%u watches after: %s", watches(&k), changes[i % 4]);
        }
    }
    assert_int_equal(open_count(), descriptors);
    /* Both sources' watch of the file is the same one, and still there. */
    struct pollfd told = {.fd = k.inotify, .events = POLLIN};
    assert_int_equal(poll(&told, 1, 0), 0);
    shell(&k, "echo >>d/a");
    assert_int_equal(poll(&told, 1, 0), 1);
    keeper_end(&k);
}

/* Folders deeper than what is watched, all replaced again and again. */
static void no_watch_is_left_of_a_long_way(void **state)
{
    (void)state;
    static const char make[] = "d=1; for i in $(seq 40); do d=$d/x; done; mkdir -p $d; touch $d/a";
    static const char change[] = "mv 1 $(mktemp -u XXXXXXXX); d=1; for i in $(seq 40); do d=$d/x; "
                                 "done; mkdir -p $d; touch $d/a";
    char path[96] = "1";
    for (unsigned i = 0; i < 40; i++)
        strcat(path, "/x");
    strcat(path, "/a");
    struct keeper k;
    keeper_make(&k, 1, make, path);
    unsigned limit = watches(&k) + LOG_FILES - 1;
    for (int i = 0; i < 5; i++) {
        shell(&k, change);
        log_sources_reopen(k.sources, -1);
        assert_int_equal(k.inode, inode_at(&k));
        if (watches(&k) > limit)
            fail_msg("%u watches, %u are enough", watches(&k), limit);
    }
    keeper_end(&k);
}

static bool has_last(void *arg)
{
    const struct keeper *k = arg;
    return k->inode == inode_at(k);
}

/* A listener that tells of changes without an end has paths looked at 100 times a second and no
 * more; the last change isn't missed. */
static void many_changes_share_a_look(void **state)
{
    (void)state;
    struct keeper k;
    keeper_make(&k, 1, "touch a", "a");
    char path[128];
    bench_path(&k.bench, "n", path);
    unsigned before = k.handed;
    int64_t start = clock_now();
    for (int i = 0; i < 1000; i++) {
        bench_write(&k.bench, "n", "x\n");
        assert_int_equal(rename(path, k.path), 0);
        log_sources_changed(k.sources, -1);
    }
    int64_t most = 100 + 100 * (clock_now() - start) / CLOCK_SECOND + 1;
    assert_true(k.handed - before >= 100);
    assert_true(k.handed - before <= most);
    bench_until(&k.bench, has_last, &k);
    keeper_end(&k);
}

/* A link to a FIFO in the place of the log: it isn't read, and not even opened. */
static void only_regular_files_are_opened(void **state)
{
    (void)state;
    struct keeper k;
    char path[128], event[4096];
    keeper_make(&k, 1, "touch a; mkfifo f", "a");
    bench_path(&k.bench, "f", path);
    int told = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(inotify_add_watch(told, path, IN_OPEN) >= 0);
    /* Some kernels tell of a descriptor that is no more than a place, too. */
    close(open(path, O_PATH | O_CLOEXEC));
    bool tells_places = read(told, event, sizeof(event)) > 0;
    shell(&k, "ln -s f n; mv -T n a");
    hear_of_it(&k);
    assert_int_equal(k.handed, 1);
    bool opened = read(told, event, sizeof(event)) > 0;
    assert_true(tells_places || !opened);
    close(told);
    keeper_end(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_turn_is_noticed),
        cmocka_unit_test(what_stays_is_not_handed_over),
        cmocka_unit_test(a_reused_inode_is_another_file),
        cmocka_unit_test(no_watch_is_left),
        cmocka_unit_test(no_watch_is_left_of_a_long_way),
        cmocka_unit_test(many_changes_share_a_look),
        cmocka_unit_test(only_regular_files_are_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
