/* The profile's command that tells this machine's public address. */
#ifndef KNOCK_ADDRESS_COMMAND_H
#define KNOCK_ADDRESS_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/addr.h"

/*
 * Runs the command, found by PATH, without a shell, and takes the first line that it prints as the
 * address. It has to end before `until` (clock_now()), with exit status 0, or it is killed with its
 * process group. False, reported already, when it tells no address.
 */
bool address_command_ask(const char *command, int64_t until, struct addr *out);

#endif
