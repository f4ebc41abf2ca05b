/*
 * A file of one-time sequences: one a line, "7000,8000:udp,9000", used from top to bottom; a line
 * that begins with # is used or a comment.
 */
#ifndef KNOCK_ONCE_FILE_H
#define KNOCK_ONCE_FILE_H

#include <stdbool.h>

#include "lib/sequence.h"

/*
 * Takes the next sequence of the file at `path`: marked as used on the disk before this returns.
 * `peek`: only looks. False, reported already, when there is none or it can't be marked.
 */
bool once_file_next(const char *path, bool peek, struct sequence *out);

/* Whether the file can be read and marked: it need not hold a sequence. False, reported already. */
bool once_file_check(const char *path);

#endif
