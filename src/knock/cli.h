/* The client's command line. */
#ifndef KNOCK_CLI_H
#define KNOCK_CLI_H

/* Does what `knock` does when called with these arguments. Returns its exit status, 0 or 1. */
int knock_main(int argc, char **argv);

#endif
