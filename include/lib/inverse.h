/* Commands that take away what another command adds, known by their words. Pure. */
#ifndef LIB_INVERSE_H
#define LIB_INVERSE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether the command `undo` takes away what the command `start` adds: the same program and words,
 * but for -I or -A against -D (iptables), add against delete or del (nft, ipset). The number behind
 * -I CHAIN and `timeout TIME`, which `start` alone may have, don't count. Words are parted by
 * blanks or NULs, the texts are `undo_size` and `start_size` bytes long.
 */
bool inverse_texts(const char *undo, size_t undo_size, const char *start, size_t start_size);

/* Whether `start` is such a command that adds: what it adds is there twice if it runs twice. */
bool inverse_inserts(const char *start, size_t size);

#endif
