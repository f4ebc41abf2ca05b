/*
 * The way to a file: every folder and symbolic link that its path leads through. Each is watched,
 * so that it is noticed when one of them is replaced, turned elsewhere, or comes to be.
 */
#ifndef KEEPER_WAY_H
#define KEEPER_WAY_H

#include <stdbool.h>

enum { WAY_MAX = 32 };

struct way {
    int watches[WAY_MAX]; /* of inotify */
    unsigned count;
    bool whole; /* nothing can change on the way without an event */
};

/* Watches the way to the absolute `path`, as it is now, by `inotify`. `held`: a file that was there
 * is open. Removes no watch. */
void way_watch(struct way *way, int inotify, const char *path, bool held);

bool way_has(const struct way *way, int watch);

/* Whether inotify hears of all that happens in the file system of the open `fd`: not of what other
 * machines do to a shared one, nor of what FUSE serves. */
bool way_is_told(int fd);

#endif
