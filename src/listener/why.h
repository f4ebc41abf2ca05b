/* What the last packets of an address did to each door: they are matched once more, apart. */
#ifndef LISTENER_WHY_H
#define LISTENER_WHY_H

#include "lib/message.h"
#include "listener/config_receive.h"
#include "listener/history.h"

/* The packets that are told of, the newest. */
enum { WHY_PACKETS = 64 };

/* Answers question number `query` with MESSAGE_PACKET and MESSAGE_EFFECT, by tell(arg, record). */
void why_tell(const struct listener_config *setup, const struct history *trace, uint32_t query,
              const struct addr *address, void (*tell)(void *arg, struct message *message),
              void *arg);

#endif
