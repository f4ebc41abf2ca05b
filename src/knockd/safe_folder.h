/* Folders that nobody but root can change or replace. */
#ifndef KNOCKD_SAFE_FOLDER_H
#define KNOCKD_SAFE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Makes the last folder of the absolute `path` with `mode` if it is missing: what is above it must
 * be there, since a path that was mistyped is to be noticed. False with one line in `why`, also for
 * what safe_folder_can_be refuses.
 */
bool safe_folder_make(const char *path, mode_t mode, char *why, size_t why_size);

/* Makes all folders of knockd's own `path`, the last with `mode`, as far as they are missing; else
 * as safe_folder_make. */
bool safe_folder_make_all(const char *path, mode_t mode, char *why, size_t why_size);

/* Whether `path` is a folder that safe_folder_check lets pass, or safe_folder_make could make.
 * Changes nothing. False with one line in `why`, which names the folder that is to blame. */
bool safe_folder_can_be(const char *path, char *why, size_t why_size);

/* Whether nobody but root can change what the folder holds, or put another in its place. False with
 * one line in `why`. */
bool safe_folder_check(const char *path, char *why, size_t why_size);

#endif
