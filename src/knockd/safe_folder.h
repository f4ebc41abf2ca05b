/* Folders that nobody but root can change or replace. */
#ifndef KNOCKD_SAFE_FOLDER_H
#define KNOCKD_SAFE_FOLDER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * Makes the folders of the absolute `path`, the last with `mode`, as far as they are missing. False
 * with one line in `why`, also for a folder that safe_folder_check refuses.
 */
bool safe_folder_make(const char *path, mode_t mode, char *why, size_t why_size);

/* Whether nobody but root can change what the folder holds, or put another in its place. False with
 * one line in `why`. */
bool safe_folder_check(const char *path, char *why, size_t why_size);

#endif
