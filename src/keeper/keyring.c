/*
 * Reads the key files that doors name, and derives from each secret what sealed knocks need, in
 * locked memory.
 */
#include "keeper/keyring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/config_section.h"
#include "lib/crypto.h"
#include "lib/key_file.h"
#include "lib/service.h"

/* Fresh messages of one key, a second and at once: each is a write to the disk. */
enum { KEY_RATE = 5, KEY_BURST = 50 };

struct loading {
    const struct config *config;
    struct report *report;
    int64_t now;
    struct keyring *keyring;
    struct key_file *file; /* the one that is being read, in locked memory */
};

static void no_memory(struct loading *l)
{
    report_error(l->report, (struct config_pos){l->config->files[0], 0},
                 "out of memory while reading the keys");
}

/* Who may write here could put a key of his own in a good one's place. */
static bool check_folder(struct loading *l)
{
    const char *path = l->config->key_dir;
    struct config_pos pos = {l->config->files[0], 0};
    struct stat st;
    if (stat(path, &st) < 0)
        report_error(l->report, pos, "key_dir: %s: %s; knockctl key new makes it%s", path,
                     strerror(errno), service_note(path));
    else if (!S_ISDIR(st.st_mode))
        report_error(l->report, pos, "key_dir: %s is no folder", path);
    else if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
        report_error(
            l->report, pos,
            "key_dir: others than root may write to %s, so its keys can't be trusted: look "
            "at them, then chown root and chmod 700 it",
            path);
    else
        return true;
    return false;
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(const struct config_text *const *)a)->text,
                  (*(const struct config_text *const *)b)->text);
}

/* The names that doors have in their lists, each once, in order. Sets *count; the caller frees. */
static const struct config_text **list_names(const struct config *config, unsigned *count)
{
    size_t all = 0, used = 0;
    for (unsigned i = 0; i < config->door_count; i++)
        all += config->doors[i].keys.count;
    const struct config_text **names = calloc(all + 1, sizeof(struct config_text *));
    for (unsigned i = 0; names && i < config->door_count; i++)
        for (unsigned j = 0; j < config->doors[i].keys.count; j++)
            names[used++] = &config->doors[i].keys.items[j];
    *count = 0;
    if (!names)
        return NULL;
    qsort(names, all, sizeof(struct config_text *), by_text);
    for (size_t i = 0; i < all; i++)
        if (*count == 0 || by_text(&names[*count - 1], &names[i]) != 0)
            names[(*count)++] = names[i];
    return names;
}

static bool check_key(struct loading *l, const struct key_file *file)
{
    if (strcmp(file->server, l->config->sealed.server) != 0) {
        report_error(
            l->report, (struct config_pos){file->path, 0},
            "the key is for the server \"%s\", and this one is \"%s\" (sealed { server }): "
            "make another by knockctl key new",
            file->server, l->config->sealed.server);
        return false;
    }
    if (file->expires <= l->now)
        report_warning(l->report, (struct config_pos){file->path, 0},
                       "the key has expired: its knocks are refused");
    return true;
}

static bool load_key(struct loading *l, const struct config_text *name)
{
    char path[KEY_PATH_SIZE];
    struct keyring *keyring = l->keyring;
    struct key_file *file = l->file;
    key_file_path(l->config->key_dir, name->text, path);
    /* A key that was taken away must not keep the others, or a reload, from working. */
    if (access(path, F_OK) < 0 && errno == ENOENT) {
        report_warning(
            l->report, name->pos,
            "key: there is no %s, so %s opens nothing: make it by knockctl key new %s, or "
            "remove the name",
            path, name->text, name->text);
        return true;
    }
    bool good = key_file_read(path, l->report, file) && check_key(l, file);
    if (good) {
        struct key *key = &keyring->keys[keyring->count];
        *key = (struct key){.name = name->text,
                            .expires = file->expires,
                            .doors = file->doors,
                            .rate = limit_make(KEY_RATE, KEY_BURST, clock_now())};
        file->doors = (struct config_list){0};
        sealed_key_derive(file->secret, file->server, &keyring->secrets[keyring->count++]);
    }
    key_file_free(file);
    return good;
}

static bool load_keys(struct loading *l)
{
    unsigned count;
    const struct config_text **names = list_names(l->config, &count);
    struct keyring *keyring = l->keyring;
    bool good = names && count <= KEY_INDEX_MAX;
    if (names && !good)
        report_error(l->report, (struct config_pos){l->config->files[0], 0}, "more than %d keys",
                     KEY_INDEX_MAX);
    if (good) {
        keyring->keys = calloc(count + 1, sizeof(*keyring->keys));
        keyring->secrets = crypto_alloc((count + 1) * sizeof(*keyring->secrets));
        l->file = crypto_alloc(sizeof(*l->file));
    }
    bool room = keyring->keys && keyring->secrets && l->file;
    if (!names || (good && !room)) {
        no_memory(l);
        good = false;
    }
    /* All are tried, so that all mistakes are told at once. */
    for (unsigned i = 0; room && i < count; i++)
        good &= load_key(l, names[i]);
    crypto_free(l->file);
    free(names);
    return good;
}

static int by_id(const void *a, const void *b)
{
    return memcmp((*(const struct sealed_key *const *)a)->id,
                  (*(const struct sealed_key *const *)b)->id, SEALED_ID_SIZE);
}

/* The secrets in the order of their ids. The caller frees; NULL: out of memory. */
static const struct sealed_key **list_secrets(const struct keyring *keyring)
{
    const struct sealed_key **list = calloc(keyring->count + 1, sizeof(struct sealed_key *));
    for (unsigned i = 0; list && i < keyring->count; i++)
        list[i] = &keyring->secrets[i];
    if (list)
        qsort(list, keyring->count, sizeof(struct sealed_key *), by_id);
    return list;
}

/* They would share the time of their last message, and be told apart by nothing. */
static bool check_secrets(struct loading *l)
{
    const struct keyring *keyring = l->keyring;
    const struct sealed_key **list = list_secrets(keyring);
    bool good = true;
    if (!list) {
        no_memory(l);
        return false;
    }
    for (unsigned i = 1; i < keyring->count; i++)
        if (by_id(&list[i - 1], &list[i]) == 0) {
            report_error(l->report, (struct config_pos){l->config->key_dir, 0},
                         "the keys %s and %s have the same secret: make another for one of them",
                         keyring->keys[list[i - 1] - keyring->secrets].name,
                         keyring->keys[list[i] - keyring->secrets].name);
            good = false;
        }
    free(list);
    return good;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct key *)a)->name, ((const struct key *)b)->name);
}

bool key_may_open(const struct key *key, const char *door)
{
    for (unsigned i = 0; i < key->doors.count; i++)
        if (strcmp(key->doors.items[i].text, door) == 0)
            return true;
    return !key->doors.set;
}

/* A door's list and a key's contradict each other: the narrower one counts. */
static void warn_of_doors(struct loading *l, const struct config_door *door)
{
    for (unsigned i = 0; i < door->keys.count; i++) {
        struct key wanted = {.name = door->keys.items[i].text};
        const struct key *key = bsearch(&wanted, l->keyring->keys, l->keyring->count,
                                        sizeof(*l->keyring->keys), by_name);
        if (key && !key_may_open(key, door->name))
            report_warning(l->report, door->keys.items[i].pos,
                           "door \"%s\": the file of key %s names other doors, so it doesn't open "
                           "this one",
                           door->name, key->name);
    }
}

static bool list_doors(struct loading *l)
{
    struct keyring *keyring = l->keyring;
    keyring->doors = calloc(l->config->door_count + 1, sizeof(*keyring->doors));
    for (unsigned i = 0; keyring->doors && i < l->config->door_count; i++) {
        const struct config_door *door = &l->config->doors[i];
        if (door->keys.count == 0)
            continue;
        struct keyed_door *keyed = &keyring->doors[keyring->door_count++];
        sealed_door(door->name, keyed->id);
        keyed->number = i;
        keyring->unbound |= !door->bound;
        warn_of_doors(l, door);
    }
    if (!keyring->doors)
        no_memory(l);
    return keyring->doors != NULL;
}

static bool fill(struct loading *l)
{
    struct keyring *keyring = l->keyring;
    if (!check_folder(l) || !load_keys(l) || !check_secrets(l) || !list_doors(l))
        return false;
    keyring->index =
        key_index_new(keyring->secrets, keyring->count, l->config->sealed.max_skew / CLOCK_SECOND);
    if (!keyring->index)
        no_memory(l);
    return keyring->index != NULL;
}

struct keyring *keyring_load(const struct config *config, int64_t now, struct report *report)
{
    struct loading l = {config, report, now, calloc(1, sizeof(*l.keyring)), NULL};
    if (!l.keyring)
        no_memory(&l);
    else if (config->sealed.span == 0 || fill(&l))
        return l.keyring;
    keyring_free(l.keyring);
    return NULL;
}

/* Without memory all keys count as fresh: too late is safe. */
void keyring_follow(struct keyring *keyring, const struct keyring *old)
{
    const struct sealed_key **list = list_secrets(old);
    for (unsigned i = 0; i < keyring->count; i++) {
        const struct sealed_key *key = &keyring->secrets[i], *const *found = NULL;
        if (list)
            found = bsearch(&key, list, old->count, sizeof(struct sealed_key *), by_id);
        /* For another server's name the same secret makes other messages. */
        bool known = found && memcmp(*found, key, sizeof(*key)) == 0;
        keyring->keys[i].fresh = !known;
        if (known)
            keyring->keys[i].since = old->keys[*found - old->secrets].since;
    }
    keyring->unbound_fresh = !old->unbound;
    if (old->unbound)
        keyring->unbound_since = old->unbound_since;
    free(list);
}

bool keyring_is_early(const struct keyring *keyring, unsigned key, bool bound, uint64_t time)
{
    return time <= keyring->keys[key].since || (!bound && time <= keyring->unbound_since);
}

void keyring_free(struct keyring *keyring)
{
    if (!keyring)
        return;
    for (unsigned i = 0; i < keyring->count; i++)
        config_list_free(&keyring->keys[i].doors);
    key_index_free(keyring->index);
    crypto_free(keyring->secrets);
    free(keyring->keys);
    free(keyring->doors);
    free(keyring);
}
