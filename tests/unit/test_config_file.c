/* Who may have written a configuration, and may read it: files, folders on the way, users. */
#include "config_help.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/config_file.h"

enum { ALICE = 12345 };

#define OPENS     " rule = \"INPUT -s %IP% -j ACCEPT\" }\n"
#define SEQUENCE  SOURCE "door d { sequence = { 9000, 7000, 8000 }" OPENS
#define NO_SECRET SOURCE "door d { key = k" OPENS

/* The file is DIR/sub/c, where anybody may enter DIR. */
struct place {
    mode_t folder, file;
    uid_t folder_owner, owner;
    uid_t reader; /* his group has the same number */
    gid_t group;
    const char *text, *expected;
};

static void make_place(struct told *told, const struct place *place)
{
    char sub[64], path[80];
    const char *text = place->text ? place->text : SEQUENCE;
    begin(told);
    assert_int_equal(chmod(told->dir, 0755), 0);
    snprintf(sub, sizeof(sub), "%s/sub", told->dir);
    assert_int_equal(mkdir(sub, 0700), 0);
    write_file(told->dir, "sub/c", text, strlen(text));
    snprintf(path, sizeof(path), "%s/c", sub);
    assert_int_equal(chown(path, place->owner, place->group), 0);
    assert_int_equal(chmod(path, place->file), 0);
    assert_int_equal(chown(sub, place->folder_owner, 0), 0);
    assert_int_equal(chmod(sub, place->folder), 0);
}

static void remove_place(struct told *told)
{
    char sub[64];
    snprintf(sub, sizeof(sub), "%s/sub", told->dir);
    remove_file(told->dir, "sub/c");
    assert_int_equal(rmdir(sub), 0);
    assert_int_equal(rmdir(told->dir), 0);
}

/* As the user `reader`, what is told of the file `name`, through a pipe. */
static void load_as(struct told *told, uid_t reader, const char *name)
{
    int ends[2], status;
    told->lines[0] = '\0';
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        char path[64];
        struct report report = {.say = hear, .arg = told};
        snprintf(path, sizeof(path), "%s/%s", told->dir, name);
        if (reader != 0 && (setegid(reader) < 0 || seteuid(reader) < 0))
            _exit(2);
        struct config *config = config_load(path, &report);
        bool agree = (config == NULL) == (report.errors > 0);
        size_t len = strlen(told->lines);
        bool sent = write(ends[1], told->lines, len) == (ssize_t)len;
        config_free(config);
        _exit(agree && sent ? 0 : 1);
    }
    close(ends[1]);
    size_t used = 0;
    for (ssize_t got;
         (got = read(ends[0], told->lines + used, sizeof(told->lines) - 1 - used)) > 0;)
        used += (size_t)got;
    told->lines[used] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void judges_who_may_write(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    static const struct place rows[] = {
        {0755, 0600, 0, 0, 0, 0, NULL, ""},
        {0755, 0640, 0, 0, 0, 0, NULL,
         "sub/c: warning: others than its owner may read it (mode 0640)"},
        {0755, 0644, 0, 0, 0, 0, NULL,
         "sub/c: warning: others than its owner may read it (mode 0644)"},
        {0755, 0644, 0, 0, 0, 0, NO_SECRET, ""},
        {0755, 0620, 0, 0, 0, 0, NULL,
         "sub/c: others than its owner may write the configuration (mode 0620): chmod 600 it"},
        {0755, 0666, 0, 0, 0, 0, NULL,
         "sub/c: others than its owner may write the configuration (mode 0666): chmod 600 it"},
        {0755, 0602, 0, 0, 0, 0, NO_SECRET,
         "sub/c: others than its owner may write the configuration (mode 0602): chmod go-w it"},
        /* Nobody else gets there. */
        {0700, 0666, 0, 0, 0, 0, NULL, ""},
        {0744, 0666, 0, 0, 0, 0, NULL, ""},
        {0710, 0660, 0, 0, 0, 0, NULL, "sub/c: others than its owner may write the configuration"},
        /* A folder where others could put another in its place. */
        {0777, 0600, 0, 0, 0, 0, NULL, "/sub or own it: chown root and chmod go-w that folder"},
        {0775, 0600, 0, 0, 0, 0, NULL,
         "sub/c: others than root could replace the configuration, since"},
        {01777, 0600, 0, 0, 0, 0, NULL, ""},
        {0755, 0600, ALICE, 0, 0, 0, NULL,
         "sub/c: others than root could replace the configuration, since"},
        {0700, 0600, ALICE, 0, 0, 0, NULL,
         "sub/c: others than root could replace the configuration, since"},
        /* Another's file, and an ordinary user's own. */
        {0755, 0600, 0, ALICE, 0, 0, NULL,
         "sub/c: the configuration belongs to user 12345: expected root; chown root it"},
        {0755, 0600, ALICE, ALICE, ALICE, ALICE, NULL, ""},
        {0755, 0644, 0, 0, ALICE, 0, NO_SECRET, ""},
        {0775, 0664, ALICE, ALICE, ALICE, ALICE, NO_SECRET,
         "sub/c: warning: its group may write the configuration (mode 0664), and root's knockd refuses"},
        {0755, 0666, ALICE, ALICE, ALICE, ALICE, NO_SECRET,
         "sub/c: others than its owner may write the configuration (mode 0666)"},
        {0755, 0664, ALICE, ALICE, ALICE, 0, NO_SECRET,
         "sub/c: others than its owner may write the configuration (mode 0664)"},
        {0755, 0644, ALICE, ALICE + 1, ALICE, 0, NO_SECRET,
         "sub/c: the configuration belongs to user 12346: expected root or user 12345, who reads it"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct told told;
        make_place(&told, &rows[i]);
        load_as(&told, rows[i].reader, "sub/c");
        remove_place(&told);
        const char *newline = strchr(told.lines, '\n');
        if (!strstr(told.lines, rows[i].expected) || !*rows[i].expected != !*told.lines ||
            (newline && newline[1]))
            fail_msg("row %zu: was told:\n%s", i, told.lines);
    }
}

/* The file that was opened counts, not the name; and each that is included. */
static void judges_what_was_opened(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    static const struct place place = {0755, 0666, 0, 0, 0, 0, NULL, NULL};
    struct told told;
    char link[64];
    make_place(&told, &place);
    snprintf(link, sizeof(link), "%s/c", told.dir);
    assert_int_equal(symlink("sub/c", link), 0);
    load_as(&told, 0, "c");
    assert_told("link", &told, "c: others than its owner may write the configuration (mode 0666)");
    assert_int_equal(unlink(link), 0);
    write_file(told.dir, "c", "include(\"sub/c\")\n", strlen("include(\"sub/c\")\n"));
    assert_int_equal(chmod(link, 0600), 0);
    load_as(&told, 0, "c");
    assert_non_null(
        strstr(told.lines, "sub/c: others than its owner may write the configuration (mode 0666)"));
    remove_file(told.dir, "sub/c");
    snprintf(link, sizeof(link), "%s/sub/c", told.dir);
    write_file(told.dir, "sub/c", SEQUENCE, strlen(SEQUENCE));
    assert_int_equal(chmod(link, 0644), 0);
    load_as(&told, 0, "c");
    assert_non_null(
        strstr(told.lines, "sub/c: warning: others than its owner may read it (mode 0644)"));
    if (strchr(told.lines, '\n')[1])
        fail_msg("%s", told.lines);
    remove_file(told.dir, "c");
    remove_place(&told);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_who_may_write),
        cmocka_unit_test(judges_what_was_opened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
