/* The doors that knocks in a log would have opened, and until when, by the log's time. */
#ifndef KNOCKD_LOG_DOORS_H
#define KNOCKD_LOG_DOORS_H

#include <stdint.h>

#include "lib/addr.h"

struct log_doors;

/* An empty table. NULL when memory is short. */
struct log_doors *log_doors_new(void);
void log_doors_free(struct log_doors *doors);

/* Closes all doors. */
void log_doors_clear(struct log_doors *doors);

enum log_knock { LOG_KNOCK_OPEN, LOG_KNOCK_EXTEND, LOG_KNOCK_NO_MEMORY };

/*
 * A knock by `address` for `door` at `now` (ns, never going back), which leaves it open until
 * `until`. Returns whether it opened the door or found it open; at `until` it is closed.
 */
enum log_knock log_doors_knock(struct log_doors *doors, unsigned door, const struct addr *address,
                               int64_t now, int64_t until);

#endif
