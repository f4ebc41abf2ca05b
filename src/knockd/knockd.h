/* The program. */
#ifndef KNOCKD_KNOCKD_H
#define KNOCKD_KNOCKD_H

/* Everything that main() is, so that all of it links into tests. Returns the exit status. */
int knockd_main(int argc, char **argv);

#endif
