/*
 * Watches the folders of the state, of its note in /run and of the control socket: a change in one
 * of them -> a moment's wait, since `rm -r` isn't done with the first file -> changed() -> the
 * folders that are at the paths now are watched. Without inotify the check once a minute has to do.
 */
#include "knockd/own_files.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "knockd/state_dir.h"
#include "lib/clock.h"

static const int64_t wait_time = CLOCK_SECOND / 10;
static const int64_t check_again = 60 * CLOCK_SECOND;
static const int64_t check_soon = 2 * CLOCK_SECOND;

enum { STATE, CONTROL, NOTES, FOLDERS };

struct own_files {
    struct loop *loop;
    int inotify; /* -1: there is none */
    struct watch *watch;
    struct timer timer;
    struct {
        char path[PATH_MAX];
        int number; /* of inotify; -1: not watched */
    } folders[FOLDERS];
    bool (*changed)(void *arg);
    void *arg;
};

static bool is_watched(const struct own_files *files, int number)
{
    for (int i = 0; i < FOLDERS; i++)
        if (files->folders[i].number == number)
            return true;
    return false;
}

static void watch_folders(struct own_files *files)
{
    for (int i = 0; files->inotify >= 0 && i < FOLDERS; i++) {
        int number = inotify_add_watch(files->inotify, files->folders[i].path,
                                       IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF |
                                           IN_DELETE_SELF | IN_ONLYDIR);
        int before = files->folders[i].number;
        files->folders[i].number = number;
        if (before >= 0 && !is_watched(files, before))
            inotify_rm_watch(files->inotify, before);
    }
}

static void on_timer(void *arg)
{
    struct own_files *files = arg;
    int64_t pause = files->changed(files->arg) ? check_again : check_soon;
    loop_timer_set(files->loop, &files->timer, clock_now() + pause);
    watch_folders(files);
}

static void on_inotify(void *arg)
{
    struct own_files *files = arg;
    char events[4096];
    while (read(files->inotify, events, sizeof(events)) > 0)
        ;
    int64_t soon = clock_now() + wait_time;
    if (files->timer.due > soon)
        loop_timer_set(files->loop, &files->timer, soon);
}

struct own_files *own_files_watch(struct loop *loop, const char *state_dir, const char *control,
                                  bool (*changed)(void *arg), void *arg)
{
    struct own_files *files = calloc(1, sizeof(*files));
    if (!files || loop_timer_register(loop, &files->timer, on_timer, files) < 0) {
        free(files);
        return NULL;
    }
    files->loop = loop;
    files->changed = changed;
    files->arg = arg;
    const char *slash = strrchr(control, '/');
    snprintf(files->folders[STATE].path, PATH_MAX, "%s", state_dir);
    snprintf(files->folders[CONTROL].path, PATH_MAX, "%.*s/", slash ? (int)(slash - control) : 0,
             control);
    snprintf(files->folders[NOTES].path, PATH_MAX, "%s", STATE_DIR_NOTES);
    for (int i = 0; i < FOLDERS; i++)
        files->folders[i].number = -1;
    files->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (files->inotify >= 0)
        files->watch = loop_watch(loop, files->inotify, LOOP_READ, on_inotify, files);
    watch_folders(files);
    /* The first check finds what happened before the folders were watched. */
    loop_timer_set(loop, &files->timer, clock_now());
    return files;
}

void own_files_free(struct own_files *files)
{
    if (!files)
        return;
    loop_unwatch(files->watch);
    loop_timer_unregister(files->loop, &files->timer);
    if (files->inotify >= 0)
        close(files->inotify);
    free(files);
}
