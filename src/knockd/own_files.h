/* Notices when files that a running knockd needs may have been removed or replaced. */
#ifndef KNOCKD_OWN_FILES_H
#define KNOCKD_OWN_FILES_H

#include "lib/loop.h"

struct own_files;

/*
 * Calls changed(arg) soon after something was removed, renamed or replaced in the folders of
 * `state_dir`, of the notes of state folders and of the file `control`, and once a minute besides,
 * since inotify doesn't report all that happens to a path; but after two seconds where it returns
 * false, since not all is well. NULL when memory or descriptors are short.
 */
struct own_files *own_files_watch(struct loop *loop, const char *state_dir, const char *control,
                                  bool (*changed)(void *arg), void *arg);

/* NULL is fine. */
void own_files_free(struct own_files *files);

#endif
