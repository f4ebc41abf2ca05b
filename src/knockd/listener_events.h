/* Logs the events of the listener; never more often than an administrator would read. */
#ifndef KNOCKD_LISTENER_EVENTS_H
#define KNOCKD_LISTENER_EVENTS_H

#include "lib/config.h"
#include "lib/limit.h"
#include "lib/message.h"

/* Logs a MESSAGE_EVENT or MESSAGE_SEEN, which keeper/inbound.h has checked, of a listener that
 * works by `config`; as far as `rate` allows. */
void event_log(const struct config *config, const struct message *message, struct limit *rate,
               int64_t now);

#endif
