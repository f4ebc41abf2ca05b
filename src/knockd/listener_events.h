/* What a listener tells of, put into words; never more often than an administrator would read. */
#ifndef KNOCKD_LISTENER_EVENTS_H
#define KNOCKD_LISTENER_EVENTS_H

#include "lib/config.h"
#include "lib/limit.h"
#include "lib/message.h"

/* Logs an EVENT or SEEN record of a listener for `config`. False when no honest listener says that.
 */
bool events_log(const struct config *config, const struct message *message, struct limit *rate,
                int64_t now);

#endif
