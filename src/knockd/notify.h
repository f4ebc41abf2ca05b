/* Notifies the service manager: readiness, reloads, signs of life (sd_notify(3)), without a
 * library. */
#ifndef KNOCKD_NOTIFY_H
#define KNOCKD_NOTIFY_H

#include <stdint.h>

/* Sends "READY=1" and the like to $NOTIFY_SOCKET; nothing when there is none. */
void notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* RELOADING=1, with the time of CLOCK_MONOTONIC that belongs to it. */
void notify_reloading(void);

/* How often WATCHDOG=1 is to be sent, in ns: half of what the manager allows; 0: never. */
int64_t notify_watchdog(void);

#endif
