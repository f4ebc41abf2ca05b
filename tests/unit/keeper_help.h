/* A folder, a loop and commands, for the tests of modules that run, read or wait. */
#ifndef TEST_KEEPER_HELP_H
#define TEST_KEEPER_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "keeper/command.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/loop.h"

/* Far more than anything takes: it only ends a test that would wait for ever. */
#define PATIENCE (30 * CLOCK_SECOND)
#define MS       INT64_C(1000000)

/* A folder of the test's own, and a loop. What is logged goes to the folder's file "log". */
struct bench {
    char dir[32];
    struct loop *loop;
    struct timer look;
    bool (*wanted)(void *arg);
    void *arg;
    int64_t give_up;
    bool came;
    int stderr_fd;
};

static inline void bench_path(const struct bench *b, const char *name, char out[128])
{
    snprintf(out, 128, "%s/%s", b->dir, name);
}

/* The content of a file of the folder, "" if there is none. */
static inline const char *bench_read(const struct bench *b, const char *name, char *out,
                                     size_t size)
{
    char path[128];
    bench_path(b, name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, out, size - 1);
    if (fd >= 0)
        close(fd);
    out[got < 0 ? 0 : got] = '\0';
    return out;
}

/* Appends to a file of the folder, which is made if it isn't there. */
static inline void bench_write(const struct bench *b, const char *name, const char *text)
{
    char path[128];
    bench_path(b, name, path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static inline void bench_remove(const struct bench *b, const char *name)
{
    char path[128];
    bench_path(b, name, path);
    unlink(path);
}

static inline bool bench_exists(const struct bench *b, const char *name)
{
    char path[128];
    bench_path(b, name, path);
    return access(path, F_OK) == 0;
}

/* How often `part` stands in a file of the folder. */
static inline unsigned bench_count(const struct bench *b, const char *name, const char *part)
{
    static char text[1 << 16];
    unsigned count = 0;
    bench_read(b, name, text, sizeof(text));
    for (const char *p = text; (p = strstr(p, part)); p += strlen(part))
        count++;
    return count;
}

static inline void bench_look(void *arg)
{
    struct bench *b = arg;
    int64_t now = clock_now();
    b->came = b->wanted && b->wanted(b->arg);
    if (b->came || now >= b->give_up)
        loop_stop(b->loop);
    else
        loop_timer_set(b->loop, &b->look, now + 2 * MS);
}

/* Serves the loop until wanted(arg) is true; false when `patience` ns were not enough. */
static inline bool bench_within(struct bench *b, int64_t patience, bool (*wanted)(void *arg),
                                void *arg)
{
    b->wanted = wanted;
    b->arg = arg;
    b->give_up = clock_now() + patience;
    b->came = false;
    loop_timer_set(b->loop, &b->look, clock_now());
    loop_run(b->loop);
    return b->came;
}

/* Gives stderr back before a test fails: cmocka writes there what fail_msg was told. */
static inline void bench_speak(const struct bench *b)
{
    fflush(stderr);
    dup2(b->stderr_fd, STDERR_FILENO);
}

static inline void bench_until(struct bench *b, bool (*wanted)(void *arg), void *arg)
{
    static char text[1 << 14];
    if (bench_within(b, PATIENCE, wanted, arg))
        return;
    bench_speak(b);
    fail_msg("waited in vain; the log says:\n%s", bench_read(b, "log", text, sizeof(text)));
}

static inline void bench_make(struct bench *b)
{
    char path[128];
    memset(b, 0, sizeof(*b));
    strcpy(b->dir, "/tmp/knockd-unit-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    b->loop = loop_new();
    assert_non_null(b->loop);
    assert_int_equal(loop_timer_register(b->loop, &b->look, bench_look, b), 0);
    bench_path(b, "log", path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    fflush(stderr);
    b->stderr_fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    dup2(fd, STDERR_FILENO);
    close(fd);
    log_open("knockd", LOG_USER, true, true);
}

/* `names`, up to NULL: the files that the test made. */
static inline void bench_end(struct bench *b, const char *const *names)
{
    bench_speak(b);
    close(b->stderr_fd);
    loop_timer_unregister(b->loop, &b->look);
    loop_free(b->loop);
    bench_remove(b, "log");
    for (; *names; names++)
        bench_remove(b, *names);
    rmdir(b->dir);
}

/* How many descriptors this process has open. */
static inline int open_count(void)
{
    int count = 0;
    for (int fd = 0; fd < 512; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The command `sh -c script`, with `script` as printf makes it. */
static inline __attribute__((format(printf, 2, 3))) void command_make(struct command *command,
                                                                      const char *format, ...)
{
    char script[1024];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(script, sizeof(script), format, args);
    va_end(args);
    assert_true(len >= 0 && (size_t)len < sizeof(script));
    static const char head[] = "/bin/sh\0-c";
    command->words = 3;
    command->size = sizeof(head) + (size_t)len + 1;
    command->text = malloc(command->size);
    assert_non_null(command->text);
    memcpy(command->text, head, sizeof(head));
    memcpy(command->text + sizeof(head), script, (size_t)len + 1);
}

static inline struct addr address_of(const char *text)
{
    struct addr a;
    assert_true(addr_parse(text, strlen(text), &a));
    return a;
}

#endif
