/* What the last packets of an address did to each door: they are matched once more, apart. */
#ifndef LISTENER_WHY_H
#define LISTENER_WHY_H

#include "lib/record.h"
#include "listener/setup.h"
#include "listener/trace.h"

/* The packets that are told of, the newest. */
enum { WHY_PACKETS = 64 };

/* Answers question number `query` with RECORD_PACKET and RECORD_EFFECT, by tell(arg, record). */
void why_tell(const struct setup *setup, const struct trace *trace, uint32_t query,
              const struct addr *address, void (*tell)(void *arg, struct record *record),
              void *arg);

#endif
