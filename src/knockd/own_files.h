/* Tells when files that a running knockd rests on may have been removed or replaced. */
#ifndef KNOCKD_OWN_FILES_H
#define KNOCKD_OWN_FILES_H

#include "lib/loop.h"

struct own_files;

/*
 * Calls look(arg) soon after something was removed, renamed or replaced in the folders of
 * `state_dir` and of the file `control`, and once a minute besides, since not all that happens to a
 * path is told. NULL when memory or descriptors are short.
 */
struct own_files *own_files_watch(struct loop *loop, const char *state_dir, const char *control,
                                  void (*look)(void *arg), void *arg);

/* NULL is fine. */
void own_files_free(struct own_files *files);

#endif
