/* What has to survive a power cut. */
#ifndef KNOCK_DURABLE_H
#define KNOCK_DURABLE_H

#include <stdbool.h>

/* Puts the names in the directory of the file at `path` on the disk. False: see errno. */
bool durable_name(const char *path);

#endif
