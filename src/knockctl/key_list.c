/* knockctl key list: what lies in key_dir, what doors name, and what a running knockd knows. */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "knockctl/json.h"
#include "knockctl/key.h"
#include "knockctl/table.h"
#include "lib/crypto.h"
#include "lib/key_file.h"

/* A key that there is a file or a door for. */
struct known {
    char *name;
    bool asked;     /* a running knockd has it */
    long long used; /* s since 1970, 0: never */
};

struct list {
    const struct config *config;
    const struct key_options *options;
    struct known *keys;
    size_t count, room;
    bool no_memory;
    bool running; /* knockd was asked */
    bool bad;     /* a file is wrong */
    struct table table;
    struct json json;
};

static struct known *find(const struct list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->keys[i].name, name) == 0)
            return &list->keys[i];
    return NULL;
}

static void add(struct list *list, const char *name)
{
    if (list->count == list->room) {
        size_t room = list->room ? 2 * list->room : 64;
        struct known *more = realloc(list->keys, room * sizeof(*more));
        list->no_memory |= !more;
        if (!more)
            return;
        list->keys = more;
        list->room = room;
    }
    struct known *key = &list->keys[list->count];
    *key = (struct known){.name = strdup(name)};
    list->no_memory |= !key->name;
    list->count += key->name != NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct known *)a)->name, ((const struct known *)b)->name);
}

/* Names may stand twice after this, until they are sorted. */
static void add_files(struct list *list)
{
    DIR *dir = opendir(list->config->key_dir);
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t len = strlen(entry->d_name);
        if (len <= 4 || strcmp(entry->d_name + len - 4, ".key") != 0)
            continue;
        entry->d_name[len - 4] = '\0';
        if (config_is_key_name(entry->d_name))
            add(list, entry->d_name);
    }
    if (!dir && errno != ENOENT) {
        fprintf(stderr, "knockctl key: can't read %s: %s\n", list->config->key_dir,
                strerror(errno));
        list->bad = true;
    }
    if (dir)
        closedir(dir);
}

static void collect(struct list *list)
{
    add_files(list);
    for (unsigned i = 0; i < list->config->door_count; i++)
        for (unsigned j = 0; j < list->config->doors[i].keys.count; j++)
            add(list, list->config->doors[i].keys.items[j].text);
    if (list->count > 0)
        qsort(list->keys, list->count, sizeof(*list->keys), by_name);
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++)
        if (kept > 0 && strcmp(list->keys[kept - 1].name, list->keys[i].name) == 0)
            free(list->keys[i].name);
        else
            list->keys[kept++] = list->keys[i];
    list->count = kept;
}

/* Without a running knockd the files alone are listed, which is no error. */
static void ask(struct list *list)
{
    struct reply reply;
    struct row_fields row;
    int status = KNOCKCTL_DONE;
    if (access(list->config->control, F_OK) < 0 ||
        client_ask(&reply, "knockctl key", list->config->control, "keys") != KNOCKCTL_DONE)
        return;
    list->running = true;
    while (client_row(&reply, &row, &status)) {
        const char *name = row_get(&row, "key");
        struct known *key = name ? find(list, name) : NULL;
        if (!key)
            continue;
        key->asked = true;
        key->used = (long long)row_get_number(&row, "used");
    }
    client_end(&reply);
}

/* "ssh,web"; names have no comma. */
static void add_doors(const struct list *list, const char *name, struct row *row)
{
    char text[1024] = "";
    for (unsigned i = 0; i < list->config->door_count; i++) {
        size_t used = strlen(text);
        const struct config_door *door = &list->config->doors[i];
        if (config_list_has(&door->keys, name))
            snprintf(text + used, sizeof(text) - used, "%s%s", used ? "," : "", door->name);
    }
    row_text(row, "doors", text);
}

static void add_only(const struct key_file *file, struct row *row)
{
    char text[512] = "";
    for (unsigned i = 0; i < file->doors.count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof(text) - used, "%s%s", used ? "," : "",
                 file->doors.items[i].text);
    }
    if (file->doors.set)
        row_text(row, "only", text);
    else
        row_null(row, "only");
}

static void say(void *arg, bool error, const char *text)
{
    (void)arg, (void)error;
    fprintf(stderr, "%s\n", text);
}

/* The last day as it was written: the file has the moment after it. */
static void add_expires(int64_t expires, struct row *row)
{
    char text[32] = "";
    time_t last = (time_t)(expires - 86400);
    struct tm tm;
    if (expires == INT64_MAX || !gmtime_r(&last, &tm) || !strftime(text, sizeof(text), "%F", &tm))
        row_null(row, "expires");
    else
        row_text(row, "expires", text);
}

static const char *state_of(struct list *list, const struct key_file *file, bool good,
                            const char *path)
{
    if (access(path, F_OK) < 0 && errno == ENOENT)
        return "missing";
    list->bad |= !good;
    if (!good)
        return "wrong";
    if (strcmp(file->server, list->config->sealed.server) != 0)
        return "other server";
    return file->expires <= time(NULL) ? "expired" : "good";
}

static void list_one(struct list *list, const struct known *key, struct key_file *file)
{
    char path[KEY_PATH_SIZE];
    struct report report = {.say = say};
    struct row row;
    struct row_fields fields;
    *file = (struct key_file){.expires = INT64_MAX};
    bool there = access(key_file_path(list->config->key_dir, key->name, path), F_OK) == 0;
    bool good = there && key_file_read(path, &report, file);
    row_begin(&row, 0, "keys");
    row_text(&row, "key", key->name);
    row_text(&row, "state", state_of(list, file, good, path));
    add_doors(list, key->name, &row);
    add_only(file, &row);
    add_expires(file->expires, &row);
    if (key->used)
        row_number(&row, "used", key->used);
    else
        row_null(&row, "used");
    if (list->running)
        row_flag(&row, "loaded", key->asked);
    else
        row_null(&row, "loaded");
    key_file_free(file);
    if (!row_parse(row.text, &fields))
        return;
    if (list->options->json)
        json_row(&list->json, &fields);
    else
        list->no_memory |= !table_row(&list->table, &fields);
}

static void show(struct list *list)
{
    static const struct column columns[] = {
        {"key", "KEY", COLUMN_TEXT},         {"state", "STATE", COLUMN_STATE},
        {"doors", "DOORS", COLUMN_TEXT},     {"only", "ONLY", COLUMN_TEXT},
        {"expires", "EXPIRES", COLUMN_TEXT}, {"used", "LAST USED", COLUMN_TIME},
        {"loaded", "LOADED", COLUMN_TEXT},   {NULL, NULL, COLUMN_TEXT}};
    struct key_file *file = crypto_alloc(sizeof(*file));
    list->no_memory |= !file;
    table_begin(&list->table, columns);
    if (list->options->json)
        json_begin(&list->json, stdout, REPLY_LIST);
    for (size_t i = 0; file && i < list->count; i++)
        list_one(list, &list->keys[i], file);
    if (list->options->json)
        json_end(&list->json);
    else
        table_end(&list->table, stdout, "there is no key; knockctl key new makes one");
    crypto_free(file);
}

int key_list(const struct config *config, const struct key_options *options)
{
    struct list list = {.config = config, .options = options};
    collect(&list);
    ask(&list);
    show(&list);
    for (size_t i = 0; i < list.count; i++)
        free(list.keys[i].name);
    free(list.keys);
    if (list.no_memory)
        fputs("knockctl key: out of memory\n", stderr);
    return list.no_memory || list.bad ? KNOCKCTL_FAILED : KNOCKCTL_DONE;
}
