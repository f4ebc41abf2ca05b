/*
 * A log file as the keeper has it: open, so that its inode isn't given to another file, and watched
 * for what is written to it and for what takes its place. The same with those that it replaced, as
 * long as the listener may read them.
 */
#ifndef KEEPER_WATCHED_FILE_H
#define KEEPER_WATCHED_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "keeper/path_watch.h"
#include "lib/message.h"

struct watched_file {
    int fd;                 /* -1: absent */
    int watch;              /* of inotify; -1: none could be had */
    int old[LOG_FILES - 1]; /* of those before it, the newest first */
    bool polled;            /* inotify doesn't tell of all that is written to it */
    dev_t device;
    ino_t inode;
    int64_t size; /* when it was opened */
    struct path_watch path;
};

void watched_file_init(struct watched_file *file);

/*
 * Watches the way to `path`, then opens it if it means another file than the one that is open: 1,
 * the one before is closed. 0: it is the same. -1 and errno: it can't be read, EINVAL if it is no
 * regular file, and the one before stays open. Watches are added to `inotify`, and none is removed.
 */
int watched_file_look(struct watched_file *file, int inotify, const char *path);

/* Whether a watch is one of the file's, of those before it, or of its way. */
bool watched_file_uses(const struct watched_file *file, int watch);

/* errno in words. */
const char *watched_file_reason(int error);

#endif
