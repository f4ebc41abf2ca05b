/*
 * A folder that is moved says so itself, and so does a link, which is turned by another one in its
 * place. So only the last folder, in which the next name or the file is to appear, is watched for
 * what is created in it: what others do in /tmp on the way to a log wakes nobody. A folder that is
 * removed says so too late if the file that was in it is held open: while there is no other, the
 * folder's own folder is to tell of that.
 */
#include "keeper/path_watch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

enum { LINKS_MAX = 40 }; /* as the kernel, path_resolution(7) */

enum {
    HERE = IN_MOVE_SELF | IN_DELETE_SELF,
    WITHIN = HERE | IN_CREATE | IN_MOVED_TO | IN_DELETE,
};

struct walk {
    struct path_watch *watched;
    int inotify;
    uint32_t here_events;
    int links;
    bool absent;         /* it ended where something isn't there */
    char here[PATH_MAX]; /* without links; "": the root */
    char rest[PATH_MAX];
};

bool path_watch_hears_all(int fd)
{
    /* From the kernel's magic.h and the file systems' own headers: NFS, SMB of old, CIFS, SMB 2,
     * FUSE, 9P, Ceph, AFS, kAFS, Coda, Lustre, GFS2, OCFS2, of VirtualBox, of VMware. */
    static const unsigned silent[] = {
        0x6969,     0x517b,     0xff534d42, 0xfe534d42, 0x65735546,
        0x01021997, 0x00c36400, 0x5346414f, 0x6b414653, 0x73757245,
        0x0bd00bd0, 0x01161970, 0x7461636f, 0x786f4256, 0xbacbacbc,
    };
    struct statfs fs;
    if (fstatfs(fd, &fs) < 0)
        return false;
    for (size_t i = 0; i < sizeof(silent) / sizeof(*silent); i++)
        if ((unsigned)fs.f_type == silent[i])
            return false;
    return true;
}

static bool hears_all_of_folder(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    bool heard = fd >= 0 && path_watch_hears_all(fd);
    if (fd >= 0)
        close(fd);
    return heard;
}

/* Another log may lead through the same folder and want to be told of more. A watch for which there
 * is no room could never be removed again. */
static void watch(struct walk *walk, const char *path, uint32_t events)
{
    struct path_watch *watched = walk->watched;
    int got = -1;
    if (watched->count < PATH_WATCH_MAX)
        got = inotify_add_watch(walk->inotify, path, events | IN_DONT_FOLLOW | IN_MASK_ADD);
    if (got < 0)
        watched->whole = false;
    else if (!path_watch_has(watched, got))
        watched->watches[watched->count++] = got;
}

static const char *folder_path(const struct walk *walk)
{
    return walk->here[0] ? walk->here : "/";
}

/* The next name of the rest; false at its end. */
static bool take_name(struct walk *walk, char name[NAME_MAX + 1])
{
    const char *start = walk->rest + strspn(walk->rest, "/");
    size_t len = strcspn(start, "/");
    if (len == 0 || len > NAME_MAX)
        return false;
    memcpy(name, start, len);
    name[len] = '\0';
    memmove(walk->rest, start + len, strlen(start + len) + 1);
    return true;
}

static void go_up(struct walk *walk)
{
    char *slash = strrchr(walk->here, '/');
    if (slash)
        *slash = '\0';
}

/* What a link says stands for its name. */
static bool follow_link(struct walk *walk, const char *link)
{
    char target[PATH_MAX], rest[PATH_MAX];
    ssize_t len = readlink(link, target, sizeof(target) - 1);
    if (len <= 0 || ++walk->links > LINKS_MAX)
        return false;
    target[len] = '\0';
    memcpy(rest, walk->rest, sizeof(rest));
    int size = snprintf(walk->rest, sizeof(walk->rest), "%s%s", target, rest);
    if (target[0] == '/')
        walk->here[0] = '\0';
    return size > 0 && (size_t)size < sizeof(walk->rest);
}

static bool leads_on(const char *path, struct stat *st)
{
    return lstat(path, st) == 0 && (S_ISDIR(st->st_mode) || S_ISLNK(st->st_mode));
}

/* Watches first and looks then, so that what happens between is seen by one or the other. */
static bool watch_name(struct walk *walk, const char *name)
{
    char next[PATH_MAX];
    struct stat st;
    int size = snprintf(next, sizeof(next), "%s/%s", walk->here, name);
    if (size < 0 || (size_t)size >= sizeof(next)) {
        walk->watched->whole = false;
        return false;
    }
    if (!leads_on(next, &st)) {
        watch(walk, folder_path(walk), WITHIN);
        if (!leads_on(next, &st)) {
            walk->absent = access(next, F_OK) < 0;
            return false;
        }
    }
    watch(walk, next, walk->here_events);
    if (S_ISLNK(st.st_mode))
        return follow_link(walk, next);
    memcpy(walk->here, next, sizeof(next));
    return true;
}

/* True: the file is there. */
static bool watch_path(struct path_watch *watched, int inotify, const char *path,
                       uint32_t here_events)
{
    struct walk walk = {.watched = watched, .inotify = inotify, .here_events = here_events};
    char name[NAME_MAX + 1];
    bool on = true;
    watched->count = 0;
    watched->whole = strlen(path) < sizeof(walk.rest);
    snprintf(walk.rest, sizeof(walk.rest), "%s", path);
    watch(&walk, "/", here_events);
    while (on && take_name(&walk, name)) {
        if (strcmp(name, "..") == 0)
            go_up(&walk);
        else if (strcmp(name, ".") != 0)
            on = watch_name(&walk, name);
    }
    if (!hears_all_of_folder(folder_path(&walk)))
        watched->whole = false;
    return !walk.absent;
}

void path_watch_begin(struct path_watch *watched, int inotify, const char *path, bool held)
{
    if (!watch_path(watched, inotify, path, HERE) && held)
        watch_path(watched, inotify, path, HERE | IN_DELETE);
}

bool path_watch_has(const struct path_watch *watched, int watch_number)
{
    for (unsigned i = 0; i < watched->count; i++)
        if (watched->watches[i] == watch_number)
            return true;
    return false;
}
