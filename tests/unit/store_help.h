/* A folder with a store, openings to put into it, and children in which a store may die. */
#ifndef TEST_STORE_HELP_H
#define TEST_STORE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/store.h"
#include "keeper/stored_door.h"

#define BOOT "5a1c6f0e-1111-4222-8333-444455556666"

struct folder {
    char dir[40];
    char file[64]; /* the store's */
    char why[640];
    char *moved;
    struct store_found found;
    int64_t skew; /* s */
};

/* For children, where cmocka's asserts can't fail the test. */
#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("# line %d: %s\n", __LINE__, #condition);                                       \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static inline void folder_make(struct folder *f)
{
    memset(f, 0, sizeof(*f));
    strcpy(f->dir, "/tmp/knockd-store-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->file, sizeof(f->file), "%s/state.db", f->dir);
}

/* How many names of the folder contain `part`; with `remove` they go. */
static inline unsigned folder_names(const struct folder *f, const char *part, bool remove)
{
    DIR *dir = opendir(f->dir);
    unsigned count = 0;
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        if (entry->d_name[0] == '.' || !strstr(entry->d_name, part))
            continue;
        count++;
        if (remove && unlinkat(dirfd(dir), entry->d_name, 0) < 0)
            unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
    }
    if (dir)
        closedir(dir);
    return count;
}

static inline void folder_end(struct folder *f)
{
    free(f->moved);
    folder_names(f, "", true);
    assert_int_equal(rmdir(f->dir), 0);
}

/* NULL, with f->why, when it doesn't open. */
static inline struct store *folder_try(struct folder *f)
{
    free(f->moved);
    f->moved = NULL;
    f->why[0] = '\0';
    struct store *store = store_open(f->dir, BOOT, f->skew, &f->found, f->why, sizeof(f->why));
    f->moved = f->found.moved;
    return store;
}

static inline struct store *folder_open(struct folder *f)
{
    struct store *store = folder_try(f);
    if (!store)
        fail_msg("%s", f->why);
    return store;
}

/* A command of words, each ended by '|'; commands_free frees it. */
static inline void command_add(struct commands *list, const char *words)
{
    struct command *items = realloc(list->items, (list->count + 1) * sizeof(*items));
    struct command *command = &items[list->count++];
    list->items = items;
    *command = (struct command){.size = strlen(words), .text = malloc(strlen(words))};
    memcpy(command->text, words, command->size);
    for (size_t i = 0; i < command->size; i++)
        if (words[i] == '|') {
            command->text[i] = '\0';
            command->words++;
        }
}

/* An opening that differs by `number` in all that one can differ in. */
static inline struct stored_door door_make(unsigned number)
{
    struct stored_door door = {.state = STORED_OPENING,
                               .address = {.family = 4, .bytes = {203, 0, 113}},
                               .opened_wall = 1800000000 + number,
                               .port = {(uint16_t)number,
                                        (uint8_t)(number ? 6 + number % 2 * 11 : 0)},
                               .deadline = INT64_C(30000000000) + number,
                               .length = INT64_C(10000000000) + number,
                               .stop_ok = {1, number, 0, UINT64_C(1) << 63}};
    char words[160];
    door.address.bytes[2] = (uint8_t)(number >> 8);
    door.address.bytes[3] = (uint8_t)number;
    snprintf(door.name, sizeof(door.name), "door%u", number);
    snprintf(door.by, sizeof(door.by), "key %u", number);
    snprintf(words, sizeof(words), "/usr/sbin/iptables|-w|-I|INPUT|-s|203.0.%u.%u|-j|ACCEPT|",
             number >> 8 & 255, number & 255);
    command_add(&door.start, words);
    words[sizeof("/usr/sbin/iptables|-w|-") - 1] = 'D';
    command_add(&door.stop, words);
    return door;
}

static inline bool door_equal(const struct stored_door *a, const struct stored_door *b)
{
    return a->id == b->id && a->state == b->state && strcmp(a->name, b->name) == 0 &&
           addr_equal(&a->address, &b->address) && a->port.port == b->port.port &&
           a->port.proto == b->port.proto && strcmp(a->by, b->by) == 0 &&
           a->opened_wall == b->opened_wall && a->deadline == b->deadline &&
           a->length == b->length && a->this_boot == b->this_boot &&
           memcmp(a->stop_ok, b->stop_ok, sizeof(a->stop_ok)) == 0 &&
           commands_equal(&a->start, &b->start) && commands_equal(&a->stop, &b->stop) &&
           commands_equal(&a->extend, &b->extend) && commands_equal(&a->check, &b->check);
}

/* Adds openings number `from` to `to`, that one not. -1 with store_error. */
static inline int add_range(struct store *store, unsigned from, unsigned to)
{
    int rc = 0;
    for (unsigned i = from; i < to && rc == 0; i++) {
        struct stored_door door = door_make(i);
        rc = store_add(store, &door);
        stored_door_free(&door);
    }
    return rc;
}

static inline void count_door(void *arg, struct stored_door *door)
{
    (void)door;
    ++*(unsigned *)arg;
}

/* How many openings are kept and understood. */
static inline unsigned doors_kept(struct store *store)
{
    unsigned count = 0;
    return store_each(store, count_door, &count) < 0 ? 0 : count;
}

/* The seed of this run's dice: $SEED, or a new one. It is printed. */
static inline unsigned seed_of(const char *test)
{
    const char *given = getenv("SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)getpid();
    printf("# %s: SEED=%u\n", test, seed);
    fflush(stdout);
    return seed;
}

/* Runs child(f) in a process of its own; what waitpid says of it. */
static inline int in_child(struct folder *f, void (*child)(struct folder *f))
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        child(f);
        _exit(0);
    }
    int status = -1;
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return status;
}

#endif
