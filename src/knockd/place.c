#include "knockd/place.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "listener/sandbox.h"

bool place_user(const struct config *config, uid_t *uid, gid_t *gid, struct report *report)
{
    errno = 0;
    const struct passwd *entry = getpwnam(config->user);
    if (!entry) {
        report_error(report, config->user_pos,
                     "the listener's user \"%s\" doesn't exist; create it "
                     "(useradd --system --no-create-home %s) or set another user",
                     config->user, config->user);
        return false;
    }
    if (entry->pw_uid == 0 || entry->pw_gid == 0) {
        report_error(report, config->user_pos,
                     "the listener's user \"%s\" has root's rights; it reads what strangers "
                     "write, so it must have none",
                     config->user);
        return false;
    }
    *uid = entry->pw_uid;
    *gid = entry->pw_gid;
    return true;
}

/* Makes the folders of an absolute path, the last with `mode`. */
static int make_path(const char *path, mode_t mode)
{
    char *copy = strdup(path);
    if (!copy)
        return -1;
    int rc = 0;
    for (char *slash = copy; rc == 0 && (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        rc = mkdir(copy, 0755) < 0 && errno != EEXIST ? -1 : 0;
        *slash = '/';
    }
    if (rc == 0 && mkdir(copy, mode) < 0 && errno != EEXIST)
        rc = -1;
    free(copy);
    return rc;
}

/* Whoever may rename a folder above it can put another in its place. /tmp and the like are safe
 * from that by their sticky bit. */
static bool safe_above(const char *path)
{
    char *copy = strdup(path);
    bool safe = copy != NULL;
    for (char *slash; safe && (slash = strrchr(copy, '/'));) {
        struct stat st;
        *slash = '\0';
        safe = stat(*copy ? copy : "/", &st) == 0 && st.st_uid == 0 &&
               (!(st.st_mode & 022) || (st.st_mode & S_ISVTX));
    }
    free(copy);
    return safe;
}

/* A folder that others could write to could hold anything by the time it is used. */
bool place_is_safe(const char *path, char *why, size_t why_size)
{
    struct stat st;
    if (stat(path, &st) < 0)
        snprintf(why, why_size, "can't use %s: %s", path, strerror(errno));
    else if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 022) ||
             !safe_above(path))
        snprintf(why, why_size,
                 "%s must be a folder of root's that nobody else can write to or rename", path);
    else
        return true;
    return false;
}

bool place_make_folder(const char *path, mode_t mode, char *why, size_t why_size)
{
    if (make_path(path, mode) == 0)
        return place_is_safe(path, why, why_size);
    snprintf(why, why_size, "can't make %s: %s", path, strerror(errno));
    return false;
}

bool place_make_root(char *why, size_t why_size)
{
    return place_make_folder(SANDBOX_ROOT, 0555, why, why_size);
}

bool place_root(const struct config *config, struct report *report)
{
    char why[512];
    bool good = place_make_root(why, sizeof(why));
    if (!good)
        report_error(report, (struct config_pos){config->path, 0}, "%s", why);
    return good;
}

/* A number that the kernel draws at each start (Documentation/admin-guide/sysctl/kernel.rst). */
bool place_boot_id(char out[PLACE_BOOT_ID_SIZE])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    bool ok = file && fgets(out, PLACE_BOOT_ID_SIZE, file);
    if (!ok)
        log_error("can't read /proc/sys/kernel/random/boot_id: %s", strerror(errno));
    else
        out[strcspn(out, "\n")] = '\0';
    if (file)
        fclose(file);
    return ok;
}

/* What was lost with a store, and what to do about it. */
static void tell_found(const struct config *config, const struct store_found *found)
{
    long long skew = config->sealed.max_skew / CLOCK_SECOND;
    if (found->moved)
        log_error(
            "THE STATE WAS DAMAGED and is now in %s: what was open then isn't known, so look "
            "through the firewall's rules, and take used one-time sequences out of their files",
            found->moved);
    if (found->lost)
        log_error("THE STATE IS GONE: %s/state.db was in use, and isn't there any more: what was "
                  "open then isn't known, so look through the firewall's rules, and take used "
                  "one-time sequences out of their files",
                  config->state_dir);
    if (found->older)
        log_error(
            "THE STATE IS AN OLD COPY: %s/state.db is older than what was last written there: "
            "what was opened since isn't known, so look through the firewall's rules, and "
            "take used one-time sequences out of their files; sealed knocks that were made "
            "before the last one that was used are refused",
            config->state_dir);
    if (found->unmarked)
        log_warning("%s/state.mark is gone or damaged, so whether state.db is an old copy can't be "
                    "told",
                    config->state_dir);
    if ((found->made || found->unmarked) && config->sealed.span != 0)
        log_warning("sealed knocks are refused for the next %lld s, lest one that was used up be "
                    "good again: %s",
                    skew, found->made ? "the state is new" : "the state may be an old copy");
}

bool place_state(const struct config *config, struct state_dir *dir, struct store **store)
{
    char why[512], boot_id[PLACE_BOOT_ID_SIZE];
    struct store_found found;
    if (!state_dir_wait(dir, config->run_timeout, why, sizeof(why))) {
        log_error("%s", why);
        return false;
    }
    if (!place_boot_id(boot_id))
        return false;
    *store = store_open(config->state_dir, boot_id, config->sealed.max_skew / CLOCK_SECOND, &found,
                        why, sizeof(why));
    tell_found(config, &found);
    free(found.moved);
    if (!*store)
        log_error("%s", why);
    return *store != NULL;
}

int place_fork(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -1;
    pid_t pid = fork();
    if (pid < 0)
        return -1;
    if (pid == 0) {
        close(ends[0]);
        setsid();
        return ends[1];
    }
    close(ends[1]);
    char ready;
    _exit(read(ends[0], &ready, 1) == 1 ? 0 : 1);
}

void place_leave(int parent)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null >= 0 && fd < 3; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    (void)!chdir("/");
    (void)!write(parent, "", 1);
    close(parent);
}
