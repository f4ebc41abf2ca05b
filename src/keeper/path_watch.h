/*
 * The way to a file: every folder and symbolic link that its path leads through. Each is watched,
 * so that it is noticed when one of them is replaced, turned elsewhere, or created.
 */
#ifndef KEEPER_PATH_WATCH_H
#define KEEPER_PATH_WATCH_H

#include <stdbool.h>

enum { PATH_WATCH_MAX = 32 };

struct path_watch {
    int watches[PATH_WATCH_MAX]; /* of inotify */
    unsigned count;
    bool whole; /* nothing can change on the way without an event */
};

/* Watches the way to the absolute `path`, as it is now, by `inotify`. `held`: a file that was there
 * is open. Removes no watch. */
void path_watch_begin(struct path_watch *watched, int inotify, const char *path, bool held);

bool path_watch_has(const struct path_watch *watched, int watch);

/* Whether inotify hears of all that happens in the file system of the open `fd`: not of what other
 * machines do to a shared one, nor of what FUSE serves. */
bool path_watch_hears_all(int fd);

#endif
