/*
 * A change in one of the folders -> a moment of patience, since `rm -r` isn't done with the first
 * file -> look() -> the folders that are at the paths now are watched. Without inotify the minute
 * has to do.
 */
#include "knockd/own_files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/clock.h"

static const int64_t patience = CLOCK_SECOND / 10;
static const int64_t look_again = 60 * CLOCK_SECOND;

enum { STATE, CONTROL, FOLDERS };

struct own_files {
    struct loop *loop;
    int inotify; /* -1: there is none */
    struct watch *watch;
    struct timer look_timer;
    struct {
        char path[PATH_MAX];
        int number; /* of inotify; -1: not watched */
    } folders[FOLDERS];
    void (*look)(void *arg);
    void *arg;
};

static void watch_folders(struct own_files *files)
{
    for (int i = 0; files->inotify >= 0 && i < FOLDERS; i++) {
        int number = inotify_add_watch(files->inotify, files->folders[i].path,
                                       IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF |
                                           IN_DELETE_SELF | IN_ONLYDIR);
        int before = files->folders[i].number;
        files->folders[i].number = number;
        if (before >= 0 && before != files->folders[STATE].number &&
            before != files->folders[CONTROL].number)
            inotify_rm_watch(files->inotify, before);
    }
}

static void on_look(void *arg)
{
    struct own_files *files = arg;
    loop_timer_set(files->loop, &files->look_timer, clock_now() + look_again);
    files->look(files->arg);
    watch_folders(files);
}

static void on_change(void *arg)
{
    struct own_files *files = arg;
    char events[4096];
    while (read(files->inotify, events, sizeof(events)) > 0)
        ;
    int64_t soon = clock_now() + patience;
    if (files->look_timer.due > soon)
        loop_timer_set(files->loop, &files->look_timer, soon);
}

struct own_files *own_files_watch(struct loop *loop, const char *state_dir, const char *control,
                                  void (*look)(void *arg), void *arg)
{
    struct own_files *files = calloc(1, sizeof(*files));
    if (!files || loop_timer_register(loop, &files->look_timer, on_look, files) < 0) {
        free(files);
        return NULL;
    }
    files->loop = loop;
    files->look = look;
    files->arg = arg;
    const char *slash = strrchr(control, '/');
    snprintf(files->folders[STATE].path, PATH_MAX, "%s", state_dir);
    snprintf(files->folders[CONTROL].path, PATH_MAX, "%.*s/", slash ? (int)(slash - control) : 0,
             control);
    files->folders[STATE].number = files->folders[CONTROL].number = -1;
    files->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (files->inotify >= 0)
        files->watch = loop_watch(loop, files->inotify, LOOP_READ, on_change, files);
    watch_folders(files);
    /* What happened before the folders were watched is seen by the first look. */
    loop_timer_set(loop, &files->look_timer, clock_now());
    return files;
}

void own_files_free(struct own_files *files)
{
    if (!files)
        return;
    loop_unwatch(files->watch);
    loop_timer_unregister(files->loop, &files->look_timer);
    if (files->inotify >= 0)
        close(files->inotify);
    free(files);
}
