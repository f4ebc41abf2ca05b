/* knockctl key: what it writes is for root alone, what it prints is for the client, once. */
#include "config_help.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "knockctl/knockctl.h"
#include "lib/key_file.h"

static const char text[] =
    "sealed { server = gate.example }\n" SOURCE
    "door ssh { key = { alice, bob } port = 22 start_command = true }\n"
    "door web { key = bob ports = { 443:udp } start_command = true bound = no }\n"
    "door plain { sequence = { 90, 70, 80 } start_command = true }\n";

struct key_world {
    struct told told;
    char config[64], keys[64];
    char out[65536], err[4096];
};

static void make_world(struct key_world *w)
{
    char whole[2048];
    memset(w, 0, sizeof(*w));
    begin(&w->told);
    snprintf(w->config, sizeof(w->config), "%s/c", w->told.dir);
    snprintf(w->keys, sizeof(w->keys), "%s/etc/keys", w->told.dir);
    int len = snprintf(whole, sizeof(whole), "key_dir = %s control = %s/none\n%s", w->keys,
                       w->told.dir, text);
    write_file(w->told.dir, "c", whole, (size_t)len);
}

static void end_world(struct key_world *w)
{
    static const char *const files[] = {"etc/keys/alice.key",
                                        "etc/keys/bob.key",
                                        "etc/keys/eve.key",
                                        "etc/keys/dave.key",
                                        "out",
                                        "err"};
    char path[128];
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        remove_file(w->told.dir, files[i]);
    rmdir(w->keys);
    snprintf(path, sizeof(path), "%s/etc", w->told.dir);
    rmdir(path);
    end(&w->told);
}

static void read_back(const struct key_world *w, const char *name, char *out, size_t size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", w->told.dir, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    out[fread(out, 1, size - 1, file)] = '\0';
    fclose(file);
}

static void redirect(const struct key_world *w, const char *name, int fd)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", w->told.dir, name);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0 || dup2(file, fd) < 0)
        _exit(99);
}

/* More doors than are told of, with the longest names. */
static void write_many_doors(const struct key_world *w, const char *key)
{
    static char whole[65536];
    int len = snprintf(whole, sizeof(whole), "key_dir = %s\nsealed { server = %064d }\n%s", w->keys,
                       0, SOURCE);
    for (int i = 0; i < 80; i++)
        len += snprintf(whole + len, sizeof(whole) - (size_t)len,
                        "door %063d { key = %s port = 22 start_command = true }\n", i, key);
    assert_true((size_t)len < sizeof(whole));
    write_file(w->told.dir, "c", whole, (size_t)len);
}

/* Runs `knockctl key ARGUMENTS -c FILE`; returns its exit status. */
static int key(struct key_world *w, const char *arguments)
{
    char program[] = "knockctl", command[] = "key", option[] = "-c", line[512];
    char *argv[16] = {program, command};
    int argc = 2, status = -1;
    snprintf(line, sizeof(line), "%s", arguments);
    for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc++] = option;
    argv[argc++] = w->config;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        redirect(w, "out", STDOUT_FILENO);
        redirect(w, "err", STDERR_FILENO);
        exit(knockctl_main(argc, argv));
    }
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status));
    read_back(w, "out", w->out, sizeof(w->out));
    read_back(w, "err", w->err, sizeof(w->err));
    return WEXITSTATUS(status);
}

static void assert_says(const char *said, const char *part)
{
    if (!strstr(said, part))
        fail_msg("\"%s\" isn't in:\n%s", part, said);
}

static struct key_file read_key(const struct key_world *w, const char *path)
{
    char full[160];
    struct key_file file;
    struct told told = {.lines = ""};
    struct report report = {.say = hear, .arg = &told};
    snprintf(full, sizeof(full), "%s/%s", w->told.dir, path);
    if (!key_file_read(full, &report, &file))
        fail_msg("%s", told.lines);
    return file;
}

static void a_new_key_is_roots_alone(void **state)
{
    (void)state;
    struct key_world w;
    struct stat st;
    char path[128];
    make_world(&w);
    mode_t old = umask(0);
    assert_int_equal(key(&w, "new alice --expires 2099-12-31 --door ssh --door web"), 0);
    umask(old);
    assert_int_equal(stat(w.keys, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    snprintf(path, sizeof(path), "%s/alice.key", w.keys);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    struct key_file file = read_key(&w, "etc/keys/alice.key");
    assert_string_equal(file.server, "gate.example");
    assert_true(file.expires == 4102444800);
    assert_int_equal(file.doors.count, 2);
    assert_string_equal(file.doors.items[1].text, "web");
    key_file_free(&file);
    /* It is never written over. */
    assert_int_equal(key(&w, "new alice"), 1);
    assert_says(w.err, "alice.key is there already");
    assert_string_equal(w.out, "");
    file = read_key(&w, "etc/keys/alice.key");
    assert_int_equal(file.doors.count, 2);
    key_file_free(&file);
    end_world(&w);
}

/* What is printed for the client has the same secret, and a profile for each door. */
static void the_client_gets_its_half(void **state)
{
    (void)state;
    struct key_world w;
    make_world(&w);
    assert_int_equal(key(&w, "new bob"), 0);
    assert_says(w.out, "profile \"ssh-bob-gate.example\" {\n");
    assert_says(w.out, "    host    = \"gate.example\"");
    assert_says(w.out, "    door    = \"ssh\"\n    port    = 22\n");
    assert_says(w.out, "profile \"web-bob-gate.example\" {\n");
    assert_says(w.out,
                "    door    = \"web\"\n    key     = \"~/.config/knock/bob-gate.example.key\"\n");
    assert_says(w.out, "file ~/.config/knock/bob-gate.example.key (chmod 600):\n");
    assert_null(strstr(w.out, "span"));
    assert_null(strstr(w.out, "plain"));
    char *half = strstr(w.out, "\nkey    = ");
    assert_non_null(half);
    write_file(w.told.dir, "etc/keys/eve.key", half + 1, strlen(half + 1));
    char path[128];
    snprintf(path, sizeof(path), "%s/eve.key", w.keys);
    assert_int_equal(chmod(path, 0600), 0);
    struct key_file ours = read_key(&w, "etc/keys/bob.key"),
                    theirs = read_key(&w, "etc/keys/eve.key");
    assert_memory_equal(ours.secret, theirs.secret, sizeof(ours.secret));
    assert_string_equal(theirs.server, "gate.example");
    key_file_free(&ours);
    key_file_free(&theirs);
    /* Another key is another secret. */
    remove_file(w.told.dir, "etc/keys/eve.key");
    assert_int_equal(key(&w, "new eve"), 0);
    ours = read_key(&w, "etc/keys/bob.key");
    theirs = read_key(&w, "etc/keys/eve.key");
    assert_true(memcmp(ours.secret, theirs.secret, sizeof(ours.secret)) != 0);
    key_file_free(&ours);
    key_file_free(&theirs);
    end_world(&w);
}

/* Behind a translator: as the door permits. */
static void profiles_work_behind_a_translator(void **state)
{
    (void)state;
    struct key_world w;
    make_world(&w);
    assert_int_equal(key(&w, "new alice"), 0);
    assert_says(w.out, "    carrier = udp\n    bind    = auto\n    # stun  = \"HOST\" ");
    assert_null(strstr(w.out, "unbound"));
    assert_says(w.err,
                "bound to the client's public address; behind a translator (NAT) the profile "
                "needs stun = \"HOST\"");
    assert_null(strstr(w.err, "bound = false"));
    assert_int_equal(key(&w, "new bob --door web"), 0);
    assert_says(w.out, "    bind    = auto\n    unbound = true ");
    assert_null(strstr(w.out, "# stun"));
    assert_says(w.err, "door \"web\" has bound = false: behind a translator (NAT) knocks are bound "
                       "to no address, and open for the first who");
    assert_null(strstr(w.err, "needs stun"));
    end_world(&w);
}

/* One packet where a source gets the packet itself, whatever else listens. */
static void profiles_choose_the_carrier(void **state)
{
    (void)state;
    static const struct {
        const char *sources, *carrier;
    } rows[] = {
        {"", "udp"},
        {"source n { type = nflog group = 5 prefix = x }\n", "packet"},
        {"source p { type = pcap }\n", "packet"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        char path[128], expected[64];
        struct key_world w;
        make_world(&w);
        snprintf(path, sizeof(path), "%s/c", w.told.dir);
        FILE *file = fopen(path, "a");
        assert_non_null(file);
        fputs(rows[i].sources, file);
        fclose(file);
        assert_int_equal(key(&w, "new alice"), 0);
        snprintf(expected, sizeof(expected), "    carrier = %s\n", rows[i].carrier);
        assert_says(w.out, expected);
        end_world(&w);
    }
}

/* For doors that take unbound knocks as well: a bound one is better. */
static void profiles_ask_a_stun_server(void **state)
{
    (void)state;
    static const char *const servers[] = {"stun.example", "stun.example:3479", "192.0.2.9",
                                          "2001:db8::9", "[2001:db8::9]:3479"};
    char command[128], expected[128];
    struct key_world w;
    make_world(&w);
    for (size_t i = 0; i < sizeof(servers) / sizeof(*servers); i++) {
        snprintf(command, sizeof(command), "new bob --stun %s", servers[i]);
        assert_int_equal(key(&w, command), 0);
        snprintf(expected, sizeof(expected), "    bind    = auto\n    stun    = \"%s\" ",
                 servers[i]);
        assert_says(w.out, expected);
        assert_says(strstr(w.out, "profile \"web-bob"), expected);
        assert_null(strstr(w.out, "unbound"));
        snprintf(expected, sizeof(expected), "(NAT) %s tells it, and learns when", servers[i]);
        assert_says(w.err, expected);
        assert_null(strstr(w.err, "needs stun"));
        assert_null(strstr(w.err, "bound = false"));
        assert_int_equal(key(&w, "remove bob"), 0);
    }
    end_world(&w);
}

/* The key is shown this once, however much there is to say before it. */
static void the_client_gets_it_for_many_doors(void **state)
{
    (void)state;
    static char name[64], stun[256], command[512];
    struct key_world w;
    make_world(&w);
    snprintf(name, sizeof(name), "%063d", 0);
    snprintf(stun, sizeof(stun), "%0255d", 0);
    snprintf(command, sizeof(command), "new %s --stun %s:65535", name, stun);
    write_many_doors(&w, name);
    assert_int_equal(key(&w, command), 0);
    unsigned profiles = 0;
    for (const char *at = w.out; (at = strstr(at, "profile \"")); at++)
        profiles++;
    assert_int_equal(profiles, 64);
    assert_says(w.out, "# 16 more doors are like these.\n");
    assert_says(w.out, "\nkey    = \"");
    snprintf(command, sizeof(command), "remove %s", name);
    assert_int_equal(key(&w, command), 0);
    end_world(&w);
}

static void says_what_is_left_to_do(void **state)
{
    (void)state;
    struct key_world w;
    make_world(&w);
    assert_int_equal(key(&w, "new alice"), 0);
    assert_says(w.err, "alice.key is made; then: knockctl reload");
    assert_int_equal(key(&w, "new eve --door ssh --roaming"), 0);
    assert_says(w.err, "door \"ssh\" { key = { ..., \"eve\" } ... }; then: knockctl reload");
    assert_says(w.err, "its doors need bound = false\nknockctl key: door \"ssh\" has not");
    assert_says(w.out, "    bind    = any    # the first who sends it gets in\n");
    assert_says(w.err, "open for the first who sends the packets");
    assert_int_equal(key(&w, "new bob --door web --roaming"), 0);
    assert_null(strstr(w.err, "has not"));
    assert_int_equal(key(&w, "new dave --door ssh --stun stun.example:3479"), 0);
    assert_says(w.out, "    bind    = auto\n    stun    = \"stun.example:3479\"    # ");
    assert_says(w.err, "(NAT) stun.example:3479 tells it, and learns when");
    end_world(&w);
}

/* Else the keys of two servers that are called debian would have the same file on a device. */
static void demands_a_name_of_the_server(void **state)
{
    (void)state;
    static const char *const sections[] = {"", "sealed { span = 6000 }\n"};
    struct key_world w;
    char host[65] = "", whole[1024], expected[256];
    make_world(&w);
    assert_int_equal(gethostname(host, sizeof(host) - 1), 0);
    bool named = *host && strcmp(host, "localhost") != 0 && strcmp(host, "(none)") != 0;
    snprintf(expected, sizeof(expected), "expected sealed { server = \"%s\" } in %s",
             named ? host : "gate.example", w.config);
    for (size_t i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
        int len = snprintf(whole, sizeof(whole),
                           "key_dir = %s\n" SOURCE
                           "door d { key = alice port = 22 start_command = true }\n%s",
                           w.keys, sections[i]);
        write_file(w.told.dir, "c", whole, (size_t)len);
        assert_int_equal(key(&w, "new alice"), 1);
        assert_says(w.err, expected);
        assert_string_equal(w.out, "");
    }
    assert_int_equal(access(w.keys, F_OK), -1);
    end_world(&w);
}

static void refuses(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int status;
        const char *expected;
    } rows[] = {
        {"", 2, "usage: knockctl key new NAME [OPTION]...\nusage: knockctl key list [OPTION]...\n"},
        {"make x", 2, "usage: knockctl key new NAME"},
        {"mew x", 2, "no such command: \"key mew\"; did you mean key new?"},
        {"new", 2, "an argument is missing"},
        {"new a b", 2, "too many arguments"},
        {"new ../a", 2, "a key's name is"},
        {"new sequence", 2, "a key's name is"},
        {"new knockctl", 2, "a key's name is"},
        {"new a --door none", 1, "no door \"none\" is configured"},
        {"new a --door shh", 1, "; did you mean ssh?"},
        {"new a --expires 2000-01-01", 2, "2000-01-01 is over"},
        {"new a --expires tomorrow", 2, "expected the last day as YYYY-MM-DD"},
        {"new a --json", 2, "knockctl key new: it has no option --json"},
        {"list a", 2, "no argument is expected"},
        {"new a --stun x --roaming", 2, "no STUN server is asked for one: give one of"},
        {"new a --stun stun.example:0", 2, "--stun: \"stun.example:0\" won't do: expected HOST or"},
        {"new a --stun stun:stun.example:3478", 2, "won't do: expected HOST or HOST:PORT"},
        {"new a --stun [stun.example", 2, "won't do"},
        {"new a --stun stun://stun.example", 2, "won't do"},
        {"new a --stun a\"b", 2, "--stun: \"a\"b\" won't do: expected HOST or HOST:PORT"},
        {"list --roaming", 2, "it has no option --roaming"},
        {"list --stun x", 2, "it has no option --stun"},
        {"remove a", 1, "can't remove"},
        {"remove a --door ssh", 2, "it has no option --door"},
    };
    struct key_world w;
    make_world(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        if (key(&w, rows[i].arguments) != rows[i].status || *w.out)
            fail_msg("row %zu: %s", i, w.out);
        assert_says(w.err, rows[i].expected);
    }
    end_world(&w);
}

static void refuses_a_folder_of_others(void **state)
{
    (void)state;
    struct key_world w;
    char path[128];
    make_world(&w);
    snprintf(path, sizeof(path), "%s/etc", w.told.dir);
    assert_int_equal(mkdir(path, 0755), 0);
    assert_int_equal(mkdir(w.keys, 0755), 0);
    assert_int_equal(chmod(w.keys, 0770), 0);
    assert_int_equal(key(&w, "new alice"), 1);
    assert_says(w.err, "others than root may write to");
    assert_string_equal(w.out, "");
    end_world(&w);
}

static void lists_and_removes(void **state)
{
    (void)state;
    struct key_world w;
    make_world(&w);
    assert_int_equal(key(&w, "list"), 0);
    assert_says(w.out, "alice  missing  ssh      -     -        -          -\n");
    assert_int_equal(key(&w, "new alice --expires 2099-12-31 --door ssh"), 0);
    assert_int_equal(key(&w, "new eve"), 0);
    assert_int_equal(key(&w, "list --json"), 0);
    assert_says(w.out, "[{\"key\":\"alice\",\"state\":\"good\",\"doors\":\"ssh\",\"only\":\"ssh\","
                       "\"expires\":\"2099-12-31\",\"used\":null,\"loaded\":null},\n");
    assert_says(w.out,
                "{\"key\":\"bob\",\"state\":\"missing\",\"doors\":\"ssh,web\",\"only\":null");
    assert_says(w.out, "{\"key\":\"eve\",\"state\":\"good\",\"doors\":\"\",");
    write_file(w.told.dir, "etc/keys/eve.key", "key = 1", 7);
    assert_int_equal(key(&w, "list"), 1);
    assert_says(w.out, "eve    wrong");
    assert_int_equal(key(&w, "remove alice"), 0);
    assert_says(w.out, "alice.key is removed");
    assert_says(w.err, "c:4: door \"ssh\" still names it");
    assert_int_equal(key(&w, "list"), 1);
    assert_says(w.out, "alice  missing");
    end_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_key_is_roots_alone),
        cmocka_unit_test(the_client_gets_its_half),
        cmocka_unit_test(profiles_work_behind_a_translator),
        cmocka_unit_test(profiles_choose_the_carrier),
        cmocka_unit_test(profiles_ask_a_stun_server),
        cmocka_unit_test(the_client_gets_it_for_many_doors),
        cmocka_unit_test(says_what_is_left_to_do),
        cmocka_unit_test(demands_a_name_of_the_server),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_a_folder_of_others),
        cmocka_unit_test(lists_and_removes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
