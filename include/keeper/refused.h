/*
 * Remembers which sealed messages were refused as unknown, by the time and the hint that each says,
 * as long as they aren't stale: should a reload bring a key into force that made one of them, that
 * message stays refused. Pure.
 *
 * A hint is two bytes that only a key's holder can compute beforehand, so junk hardly ever delays a
 * new key; and there are no more than 65536 of them in a period, so nothing needs to be evicted.
 */
#ifndef KEEPER_REFUSED_H
#define KEEPER_REFUSED_H

#include "lib/sealed.h"

struct refused;

/* NULL when memory is short. */
struct refused *refused_new(void);
void refused_free(struct refused *refused);

/* A message was unknown. `own`: its hint is that of a key in force, so that it may be an unbound
 * message of that key. */
void refused_note(struct refused *refused, uint64_t time, uint16_t hint, bool own);

/* All messages up to that time count as refused ones. */
void refused_note_all(struct refused *refused, uint64_t time);

/* The latest time of a refused message that `key` may have made; 0: there is none. */
uint64_t refused_newest_of(const struct refused *refused, const struct sealed_key *key);

/* Likewise, of an unbound message of a key that is in force; and of any message. */
uint64_t refused_newest_unbound(const struct refused *refused);
uint64_t refused_newest(const struct refused *refused);

#endif
