/* The background (-d): who started knockd waits until it is ready. */
#ifndef KNOCKD_DAEMONIZE_H
#define KNOCKD_DAEMONIZE_H

/*
 * Forks. The parent waits until the child calls daemonize_ready, and exits with status 0; with 1 if
 * the child ends before that. Returns, in the child, what daemonize_ready wants; -1 and errno.
 */
int daemonize_fork(void);

/* Lets go of the terminal and of the waiting parent. */
void daemonize_ready(int parent);

#endif
