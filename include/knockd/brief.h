/* What a listener is told of the configuration: ports and prefixes, no commands, no keys. */
#ifndef KNOCKD_BRIEF_H
#define KNOCKD_BRIEF_H

#include "keeper/once.h"
#include "lib/config.h"
#include "lib/record.h"

/*
 * Calls send() for each record that makes up the listener's configuration, in order: its doors,
 * then the one-time sequences (NULL: none) as further doors.
 */
void brief_send(const struct config *config, const struct once *once, bool debug,
                void (*send)(void *arg, const struct record *record), void *arg);

/* The address space, in bytes, that the listener may take. */
uint64_t brief_memory(const struct config *config, const struct once *once);

#endif
