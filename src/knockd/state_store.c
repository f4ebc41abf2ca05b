/*
 * Opens the store of a state folder: for a start, which logs what was lost with it, or to close
 * what an earlier run left open, from a copy if its disk has become read-only.
 */
#include "knockd/state_store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knockd/safe_folder.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/service.h"

enum { BOOT_ID_SIZE = 64 };

/* Reads the number that the kernel draws at each start
 * (Documentation/admin-guide/sysctl/kernel.rst), or takes what the unit knows of a container's.
 * False after an error was logged. */
static bool read_boot_id(char out[BOOT_ID_SIZE])
{
    if (service_boot_id(out))
        return true;
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool ok = file && fgets(out, BOOT_ID_SIZE, file);
    if (!ok)
        log_error("can't read /proc/sys/kernel/random/boot_id: %s", strerror(errno));
    else
        out[strcspn(out, "\n")] = '\0';
    if (file)
        fclose(file);
    return ok;
}

/* --- for a start --- */

/* What to do where openings were forgotten. A running knockd finds iptables' rules of its doors. */
#define FIND_RULES                                                                                 \
    "knockctl rules --check tells of rules that nobody closes, knockctl close --stray removes "    \
    "them; look through rules of other kinds yourself, and take used one-time sequences out of "   \
    "their files"

void state_store_log_gone(const char *state_dir)
{
    log_error("THE STATE IS GONE: %s/state.db was in use, and isn't there any more: what was open "
              "then isn't known; " FIND_RULES,
              state_dir);
}

/* Logs what was lost with a store, and what to do about it; `why`: what was wrong with it, or NULL.
 */
static void log_found(const struct config *config, const struct store_found *found, const char *why)
{
    long long skew = config->sealed.max_skew / CLOCK_SECOND;
    bool unknown = found->made || found->unmarked;
    const char *reason = found->made ? "the state is new" : "the state may be an old copy";
    if (found->moved && why)
        log_error("%s", why);
    if (found->moved)
        log_error(
            "THE STATE WAS DAMAGED and is now in %s: what was open then isn't known; " FIND_RULES,
            found->moved);
    if (found->lost)
        state_store_log_gone(config->state_dir);
    if (found->older)
        log_error(
            "THE STATE IS AN OLD COPY: %s/state.db is older than what was last written there: "
            "what was opened since isn't known; " FIND_RULES "; sealed knocks that were made "
            "before the last one that was used are refused",
            config->state_dir);
    if (found->unmarked)
        log_warning("%s/state.mark is gone or damaged, so whether state.db is an old copy can't be "
                    "told",
                    config->state_dir);
    if (unknown && config->sealed.span != 0)
        log_warning("sealed knocks are refused for the next %lld s, lest one that was used up be "
                    "good again: %s",
                    skew, reason);
    for (unsigned i = 0; unknown && i < config->door_count; i++)
        if (config->doors[i].once_path.text)
            log_warning("door %s: %s, so which one-time sequences are used up isn't known: remove "
                        "those that were used from %s",
                        config->doors[i].name, reason, config->doors[i].once_path.text);
}

struct store *state_store_open(struct state_dir *dir, const struct config *config)
{
    char why[512], boot_id[BOOT_ID_SIZE];
    struct store_found found;
    if (!state_dir_wait(dir, config->run_timeout, why, sizeof(why))) {
        log_error("%s", why);
        return NULL;
    }
    if (!read_boot_id(boot_id))
        return NULL;
    struct store *store =
        store_open(config->state_dir, boot_id, config->sealed.max_skew / CLOCK_SECOND, &found, why,
                   sizeof(why));
    log_found(config, &found, store ? why : NULL);
    free(found.moved);
    if (!store)
        log_error("%s", why);
    return store;
}

/* --- to close what is on record --- */

static const char *const store_files[] = {"state.db", "state.db-wal"};
enum { STORE_FILES = sizeof(store_files) / sizeof(*store_files) };

static bool is_read_only(const char *state_dir)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", state_dir, store_files[0]);
    return access(path, W_OK) < 0 && errno == EROFS;
}

static bool copy_file(const char *from, const char *to)
{
    char block[65536];
    ssize_t got = -1;
    int in = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    int out = in < 0 ? -1 : open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    while (out >= 0 && (got = read(in, block, sizeof(block))) > 0)
        if (write(out, block, (size_t)got) != got)
            break;
    /* A store that was ended well has no log. */
    bool good = got == 0 || (in < 0 && errno == ENOENT);
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return good;
}

/* Opens a copy of the store. What is closed by it can't be recorded: the next start undoes it once
 * more, and finds it gone. */
static struct store *open_copy(const char *state_dir, char copy[STATE_STORE_COPY_SIZE],
                               const char *boot_id, char *why, size_t size)
{
    char from[PATH_MAX], to[PATH_MAX];
    strcpy(copy, "/run/knockd/copy.XXXXXX");
    bool good = safe_folder_make_all("/run/knockd", 0755, why, size) && mkdtemp(copy);
    for (int i = 0; good && i < STORE_FILES; i++) {
        snprintf(from, sizeof(from), "%s/%s", state_dir, store_files[i]);
        snprintf(to, sizeof(to), "%s/%s", copy, store_files[i]);
        good = copy_file(from, to);
    }
    if (good)
        return store_open(copy, boot_id, 0, NULL, why, size);
    snprintf(why, size, "%s is read-only, and can't be copied to %s: %s", state_dir, copy,
             strerror(errno));
    return NULL;
}

void state_store_remove_copy(const char *copy)
{
    DIR *dir = *copy ? opendir(copy) : NULL;
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    if (*copy)
        rmdir(copy);
}

struct store *state_store_open_record(struct state_dir *dir, int64_t limit,
                                      char copy[STATE_STORE_COPY_SIZE])
{
    char why[640], boot_id[BOOT_ID_SIZE];
    struct store *store = NULL;
    *copy = '\0';
    if (!read_boot_id(boot_id))
        return NULL;
    if (state_dir_wait(dir, limit, why, sizeof(why)))
        store = is_read_only(dir->path) ? open_copy(dir->path, copy, boot_id, why, sizeof(why))
                                        : store_open(dir->path, boot_id, 0, NULL, why, sizeof(why));
    if (!store)
        log_error("what was left open can't be closed: %s", why);
    return store;
}
