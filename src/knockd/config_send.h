/* Sends a listener its part of the configuration: ports and prefixes, no commands, no keys. */
#ifndef KNOCKD_CONFIG_SEND_H
#define KNOCKD_CONFIG_SEND_H

#include "keeper/one_time.h"
#include "lib/config.h"
#include "lib/message.h"

/*
 * Calls send(arg, message) for each message that makes up the listener's configuration, in order:
 * its sources, its doors, then the one-time sequences (NULL: none) as further doors.
 */
void config_send(const struct config *config, const struct one_time *once, bool debug,
                 void (*send)(void *arg, const struct message *message), void *arg);

/* The address space, in bytes, that a listener of that configuration may take. */
uint64_t config_send_memory(const struct config *config, const struct one_time *once);

#endif
