/*
 * Answers `knockctl why`: what the last packets of an address did to each door. They are matched
 * once more, apart from the listener's own matcher.
 */
#ifndef LISTENER_WHY_H
#define LISTENER_WHY_H

#include "listener/config_receive.h"
#include "listener/history.h"

/* The packets that are reported, the newest. */
enum { WHY_PACKETS = 64 };

/* Answers the query for an address with MESSAGE_PACKET and MESSAGE_EFFECT, by send(arg, message).
 */
void why_answer(const struct listener_config *setup, const struct history *history,
                const struct message_query *query, void (*send)(void *arg, struct message *message),
                void *arg);

#endif
