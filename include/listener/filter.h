/* The system call filter of the listener. The only header that stands for libseccomp. */
#ifndef LISTENER_FILTER_H
#define LISTENER_FILTER_H

/*
 * Loads the filter into the kernel: from here on the process waits, reads, and talks over the
 * descriptors that it has or is sent; anything else kills it. Sanitizer builds, which must read
 * their own /proc and write reports, get errors instead, and only for files, sockets and programs.
 * Returns 0, or -1 and errno.
 */
int filter_load(void);

/*
 * The same filter, not loaded, as a scmp_filter_ctx of libseccomp, for tests that add to it what
 * the test itself needs. The caller releases it. NULL and errno on failure.
 */
void *filter_make(void);

/* What this build's filter is called in the log: "strict" or "sanitizer". */
const char *filter_profile(void);

#endif
