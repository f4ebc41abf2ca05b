/* The system call filter of the listener. The only header that stands for libseccomp. */
#ifndef LISTENER_FILTER_H
#define LISTENER_FILTER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Loads the filter into the kernel: from here on the process waits, reads, and talks over the
 * descriptors that it has or is sent; anything else kills it. Sanitizer builds, which must read
 * their own /proc and write reports, get errors instead, and only for files, sockets and programs.
 * Returns 0, or -1 and errno.
 */
int filter_load(void);

/*
 * The same filter, not loaded, as a scmp_filter_ctx of libseccomp that the caller releases. What it
 * doesn't allow has the effect `otherwise` (SCMP_ACT_...): a test wants to be asked. NULL and errno
 * on failure.
 */
void *filter_make(uint32_t otherwise);

/* What this build's filter is called in the log: "strict" or "sanitizer". */
const char *filter_profile(void);

/* Whether it is the strict one, of a build without sanitizers. */
bool filter_is_strict(void);

#endif
