/* What is not, or no longer, a store: moved aside or refused with a clear line, never a crash. */
#include "store_help.h"

#include <sqlite3.h>

enum { DOORS = 200, FLIPS = 300 };

/* Writes a store of DOORS openings; without a clean end its content is in the -wal file. */
static void fill(struct folder *f)
{
    struct store *store = folder_try(f);
    CHECK(store && add_range(store, 0, DOORS) == 0 && store_commit(store) == 0);
    CHECK(store_once_use(store, "ssh", "1,2,3", 5) == 0 && store_commit(store) == 0);
}

static void fill_cleanly(struct folder *f)
{
    struct store *store = folder_open(f);
    assert_int_equal(add_range(store, 0, DOORS), 0);
    assert_int_equal(store_once_use(store, "ssh", "1,2,3", 5), 0);
    assert_int_equal(store_commit(store), 0);
    store_close(store);
}

static uint8_t *file_read(const char *path, size_t *size)
{
    FILE *in = fopen(path, "re");
    assert_non_null(in);
    fseek(in, 0, SEEK_END);
    *size = (size_t)ftell(in);
    rewind(in);
    uint8_t *bytes = malloc(*size);
    assert_int_equal(fread(bytes, 1, *size, in), *size);
    fclose(in);
    return bytes;
}

static void file_write(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0 && write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

/* Whatever came of the old file: this one is a store, and it works. */
static void expect_working(struct folder *f, struct store *store)
{
    if (store_once_use(store, "ssh", "9,9,9", 5) < 0 || store_commit(store) < 0)
        fail_msg("%s", store_error(store));
    store_close(store);
    store = folder_open(f);
    assert_null(f->moved);
    assert_int_equal(store_once_used(store, "ssh", "9,9,9"), 1);
    store_close(store);
}

static void expect_moved(struct folder *f, const void *bytes, size_t size)
{
    file_write(f->file, bytes, size);
    struct store *store = folder_open(f);
    assert_non_null(f->moved);
    assert_non_null(strstr(f->moved, "/state.db.damaged-2"));
    assert_non_null(strstr(f->why, f->file));
    size_t kept;
    uint8_t *moved = file_read(f->moved, &kept);
    assert_int_equal(kept, size);
    assert_memory_equal(moved, bytes, size);
    free(moved);
    assert_int_equal(doors_kept(store), 0);
    expect_working(f, store);
    folder_names(f, "", true);
}

static void moves_aside_what_is_no_store(void **state)
{
    (void)state;
    struct folder f;
    size_t size;
    folder_make(&f);
    fill_cleanly(&f);
    uint8_t *bytes = file_read(f.file, &size);
    uint8_t *copy = malloc(size);

    expect_moved(&f, "", 0);
    expect_moved(&f, "x", 1);
    expect_moved(&f, "SQLite format 3", 16);
    memset(copy, 0, size);
    expect_moved(&f, copy, size);
    for (size_t keep = 99; keep < size; keep += size / 7)
        expect_moved(&f, bytes, keep);
    memcpy(copy, bytes, size);
    copy[0] = 'T'; /* the magic */
    expect_moved(&f, copy, size);
    memcpy(copy, bytes, size);
    copy[71] ^= 1; /* the application's id */
    expect_moved(&f, copy, size);
    memcpy(copy, bytes, size);
    copy[63] = 0; /* a version that there never was */
    expect_moved(&f, copy, size);
    memcpy(copy, bytes, size);
    copy[18] = 3; /* SQLite would read it, but not write */
    expect_moved(&f, copy, size);
    free(copy);
    free(bytes);
    folder_end(&f);
}

static void refuses_a_newer_version(void **state)
{
    (void)state;
    struct folder f;
    size_t size, left;
    folder_make(&f);
    fill_cleanly(&f);
    uint8_t *bytes = file_read(f.file, &size);
    bytes[63]++;
    file_write(f.file, bytes, size);
    assert_null(folder_try(&f));
    assert_null(f.moved);
    assert_non_null(strstr(f.why, "newer knockd"));
    uint8_t *after = file_read(f.file, &left);
    assert_int_equal(left, size);
    assert_memory_equal(after, bytes, size);
    free(after);
    free(bytes);
    folder_end(&f);
}

/* No release had the versions before: what is in one isn't read, as of a damaged store. */
static void moves_aside_an_earlier_version(void **state)
{
    (void)state;
    struct folder f;
    size_t size;
    folder_make(&f);
    fill_cleanly(&f);
    uint8_t *bytes = file_read(f.file, &size), version = bytes[63];
    assert_true(version > 1);
    for (uint8_t earlier = 1; earlier < version; earlier++) {
        char part[64];
        snprintf(part, sizeof(part), "version %d of the format and not %d", earlier, version);
        bytes[63] = earlier;
        expect_moved(&f, bytes, size);
        file_write(f.file, bytes, size);
        store_close(folder_open(&f));
        assert_non_null(strstr(f.why, part));
        folder_names(&f, "", true);
    }
    free(bytes);
    folder_end(&f);
}

static void execute(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    sqlite3_close(db);
}

/* Its marks alone make no store. */
static void moves_aside_what_lacks_a_table(void **state)
{
    (void)state;
    static const char *const lost[] = {"DROP TABLE command", "DROP TABLE sealed",
                                       "ALTER TABLE opening RENAME COLUMN sum TO other",
                                       "DELETE FROM number WHERE name = 'serial'"};
    for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++) {
        struct folder f;
        folder_make(&f);
        fill_cleanly(&f);
        execute(f.file, lost[i]);
        struct store *store = folder_try(&f);
        assert_true(!store || f.moved);
        assert_non_null(strstr(f.why, i < 3 ? "no such" : "its serial number isn't in it"));
        store_close(store);
        folder_end(&f);
    }
}

static void flip_some(uint8_t *bytes, size_t size)
{
    int flips = 1 + rand() % 8;
    for (int i = 0; i < flips; i++) {
        size_t at = (size_t)rand() % size;
        /* The first page and the heads of pages hold what everything else hangs on. */
        if (rand() % 2)
            at = rand() % 2 ? at % 4096 : at - at % 4096 + (size_t)rand() % 32;
        bytes[at % size] ^= (uint8_t)(1 + rand() % 255);
    }
}

struct stats {
    unsigned same, moved, refused, bad;
};

static void expect_untouched(void *arg, struct stored_door *door)
{
    (void)arg;
    struct stored_door want = door_make((unsigned)(door->opened_wall - 1800000000));
    assert_string_equal(door->name, want.name);
    assert_true(commands_equal(&door->start, &want.start));
    assert_true(commands_equal(&door->stop, &want.stop));
    assert_true(addr_equal(&door->address, &want.address));
    assert_memory_equal(door->stop_ok, want.stop_ok, sizeof(want.stop_ok));
    stored_door_free(&want);
}

static void ignore_line(void *arg, const struct stored_event *event)
{
    (void)arg;
    (void)event;
}

/* Opens what is there and uses all of it. No command may be another than what was added. */
static void survive(struct folder *f, struct stats *stats)
{
    struct store *store = folder_try(f);
    if (!store) {
        assert_true(strlen(f->why) > 10);
        assert_null(strchr(f->why, '\n'));
        stats->refused++;
        return;
    }
    f->moved ? stats->moved++ : stats->same++;
    int bad = store_each(store, expect_untouched, NULL);
    assert_true(bad == 0 || strlen(store_error(store)) > 10);
    stats->bad += bad > 0;
    store_history(store, 1000, ignore_line, NULL);
    store_once_used(store, "ssh", "1,2,3");
    if (add_range(store, 0, 3) < 0 || store_remove(store, 7, 1, "closed") < 0 ||
        store_commit(store) < 0)
        assert_non_null(strstr(store_error(store), f->file));
    store_close(store);
}

static void survives_flipped_bytes(void **state)
{
    (void)state;
    struct folder f;
    struct stats stats = {0};
    size_t size, early_size, wal_size;
    char wal[80];
    srand(seed_of("flips"));
    folder_make(&f);
    snprintf(wal, sizeof(wal), "%s-wal", f.file);
    assert_int_equal(in_child(&f, fill), 0);
    uint8_t *log = file_read(wal, &wal_size), *early = file_read(f.file, &early_size);
    store_close(folder_open(&f));
    uint8_t *bytes = file_read(f.file, &size);
    for (int i = 0; i < FLIPS; i++) {
        bool in_log = i % 4 == 0;
        size_t copy_size = in_log ? wal_size : size;
        uint8_t *copy = malloc(copy_size);
        memcpy(copy, in_log ? log : bytes, copy_size);
        flip_some(copy, copy_size);
        file_write(in_log ? wal : f.file, copy, copy_size);
        if (in_log)
            file_write(f.file, early, early_size);
        survive(&f, &stats);
        folder_names(&f, "", true);
        free(copy);
    }
    printf("# of %d: %u opened, %u of them with openings not understood; %u moved, %u refused\n",
           FLIPS, stats.same, stats.bad, stats.moved, stats.refused);
    assert_true(stats.same > 0 && stats.moved > 0 && stats.bad > 0);
    free(bytes);
    free(early);
    free(log);
    folder_end(&f);
}

static void keeps_the_rows_that_are_good(void **state)
{
    (void)state;
    struct folder f;
    size_t size;
    folder_make(&f);
    fill_cleanly(&f);
    uint8_t *bytes = file_read(f.file, &size);
    uint8_t *at = memmem(bytes, size, "203.0.0.77\n-j", 13);
    assert_non_null(at);
    at[8] = '6'; /* undoes it for a neighbour */
    file_write(f.file, bytes, size);
    free(bytes);
    struct store *store = folder_open(&f);
    unsigned count = 0;
    assert_null(f.moved);
    assert_int_equal(store_each(store, count_door, &count), 1);
    assert_int_equal(count, DOORS - 1);
    assert_non_null(strstr(store_error(store), "opening 78 can't be understood"));
    assert_int_equal(store_remove(store, 78, 5, "by hand"), 0);
    assert_int_equal(store_each(store, count_door, &count), 0);
    store_close(store);
    folder_end(&f);
}

/* One row of two is another than was added: it is neither undone nor given to anyone. */
static void takes_no_row_that_changed(void **state)
{
    (void)state;
    static const char *const changes[] = {
        "UPDATE opening SET door = 'Door6'",
        "UPDATE opening SET address = '203.0.0.7'",
        "UPDATE opening SET address = '203.0.0'",
        "UPDATE opening SET address = x'00'",
        "UPDATE opening SET port = port + 1",
        "UPDATE opening SET port = port + 65536",
        "UPDATE opening SET proto = -1",
        "UPDATE opening SET knock = 'another'",
        "UPDATE opening SET length = length + 1",
        "UPDATE opening SET length = '1 s'",
        "UPDATE opening SET opened = 0",
        "UPDATE opening SET state = 3",
        "UPDATE opening SET state = -1",
        "UPDATE opening SET boot = 5 || x'00'",
        "UPDATE opening SET ok3 = 0",
        "UPDATE opening SET ok0 = 'x'",
        "UPDATE opening SET sum = sum + 1",
        "UPDATE opening SET sum = CAST(sum AS TEXT) || 'x'",
        "UPDATE command SET words = replace(words, 'INPUT', 'input') WHERE kind = 'stop'",
        "UPDATE command SET words = words || 'x' WHERE kind = 'stop'",
        "UPDATE command SET words = words || x'0a' WHERE kind = 'stop'",
        "UPDATE command SET words = '' WHERE kind = 'start'",
        "UPDATE command SET words = CAST(words AS BLOB) WHERE kind = 'stop'",
        "UPDATE command SET words = 5 WHERE kind = 'stop'",
        ("UPDATE command SET words = (SELECT c.words FROM command AS c WHERE c.opening = 2"
         " AND c.kind = command.kind)"),
        "UPDATE command SET kind = 'check' WHERE kind = 'stop'",
        "UPDATE command SET kind = 'Stop' WHERE kind = 'stop'",
        "UPDATE command SET opening = 3 WHERE kind = 'stop'",
        "DELETE FROM command WHERE kind = 'stop'",
        "DELETE FROM command",
        "INSERT INTO command SELECT opening, kind, 1, words FROM command",
    };
    for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
        struct folder f;
        char sql[512];
        unsigned count = 0;
        folder_make(&f);
        struct store *store = folder_open(&f);
        assert_int_equal(add_range(store, 6, 8), 0);
        assert_int_equal(store_commit(store), 0);
        store_close(store);
        bool command = strstr(changes[i], "TE command") || strstr(changes[i], "FROM command");
        snprintf(sql, sizeof(sql), "%s %s %s = 1", changes[i],
                 strstr(changes[i], " WHERE kind") ? "AND" : "WHERE", command ? "opening" : "id");
        execute(f.file, sql);
        store = folder_open(&f);
        assert_null(f.moved);
        int bad = store_each(store, expect_untouched, NULL);
        store_each(store, count_door, &count);
        if (bad != 1 || count != 1)
            fail_msg("%s: %d not understood, %u taken", sql, bad, count);
        assert_non_null(strstr(store_error(store), "opening 1 can't be understood"));
        store_close(store);
        folder_end(&f);
    }
}

static void make_folder(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_link(const char *path)
{
    assert_int_equal(symlink("elsewhere", path), 0);
}

static void make_fifo(const char *path)
{
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void make_open_to_all(const char *path)
{
    file_write(path, "", 0);
    assert_int_equal(chmod(path, 0666), 0);
}

static void refuses_what_is_no_file_of_ours(void **state)
{
    (void)state;
    static const struct {
        void (*make)(const char *path);
        const char *why;
    } cases[] = {
        {make_folder, "is a folder"},
        {make_link, "is a symbolic link"},
        {make_fifo, "is not a regular file"},
        {make_open_to_all, "can be written by others"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct folder f;
        folder_make(&f);
        cases[i].make(f.file);
        assert_null(folder_try(&f));
        assert_null(f.moved);
        if (!strstr(f.why, cases[i].why) || !strstr(f.why, f.file))
            fail_msg("%s", f.why);
        assert_int_equal(folder_names(&f, "", false), 1);
        folder_names(&f, "", true);
        store_close(folder_open(&f));
        folder_end(&f);
    }
}

static void tightens_its_mode(void **state)
{
    (void)state;
    struct folder f;
    struct stat st;
    folder_make(&f);
    fill_cleanly(&f);
    assert_int_equal(chmod(f.file, 0644), 0);
    struct store *store = folder_open(&f);
    assert_int_equal(stat(f.file, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(doors_kept(store), DOORS);
    store_close(store);
    folder_end(&f);
}

static void expect_denied(struct folder *f)
{
    /* Root is denied nothing; as nobody it owns neither the folder nor the file. */
    CHECK(geteuid() != 0 || setuid(65534) == 0);
    CHECK(!folder_try(f) && !f->moved && strstr(f->why, "ermission denied"));
}

static void says_what_may_not_be_read(void **state)
{
    (void)state;
    struct folder f;
    folder_make(&f);
    fill_cleanly(&f);
    assert_int_equal(chmod(f.file, 0), 0);
    assert_int_equal(in_child(&f, expect_denied), 0);
    assert_int_equal(unlink(f.file), 0);
    assert_int_equal(chmod(f.dir, 0500), 0);
    assert_int_equal(in_child(&f, expect_denied), 0);
    assert_int_equal(chmod(f.dir, 0700), 0);
    assert_int_equal(folder_names(&f, "state.db", false), 0);
    folder_end(&f);
}

/* Asked for none but an old store: nothing is made, nothing is moved, and the files stay as they
 * are. */
static void an_old_store_only(void **state)
{
    (void)state;
    static const char *const texts[] = {NULL, "", "no database"};
    struct folder f;
    folder_make(&f);
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        if (texts[i])
            file_write(f.file, texts[i], strlen(texts[i]));
        f.why[0] = '\0';
        assert_null(store_open(f.dir, BOOT, 0, NULL, f.why, sizeof(f.why)));
        assert_non_null(strstr(f.why, f.file));
        assert_int_equal(folder_names(&f, "", false), texts[i] ? 1 : 0);
    }
    folder_names(&f, "", true);
    fill_cleanly(&f);
    struct store *store = store_open(f.dir, BOOT, 0, NULL, f.why, sizeof(f.why));
    assert_non_null(store);
    assert_int_equal(doors_kept(store), DOORS);
    store_close(store);
    folder_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_aside_what_is_no_store),
        cmocka_unit_test(refuses_a_newer_version),
        cmocka_unit_test(moves_aside_an_earlier_version),
        cmocka_unit_test(moves_aside_what_lacks_a_table),
        cmocka_unit_test(survives_flipped_bytes),
        cmocka_unit_test(keeps_the_rows_that_are_good),
        cmocka_unit_test(takes_no_row_that_changed),
        cmocka_unit_test(refuses_what_is_no_file_of_ours),
        cmocka_unit_test(tightens_its_mode),
        cmocka_unit_test(says_what_may_not_be_read),
        cmocka_unit_test(an_old_store_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
