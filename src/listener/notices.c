/* Files are watched for IN_MODIFY alone, so every other event is about the way to one. */
#include "listener/notices.h"

#include <stdbool.h>
#include <sys/inotify.h>
#include <unistd.h>

static void tell(const struct inotify_event *event, struct notice_calls calls, int *moved)
{
    bool lost = event->mask & IN_Q_OVERFLOW;
    if (lost || event->mask & IN_MODIFY)
        calls.written(calls.arg, event->wd);
    /* A watch that is gone was taken away by the keeper, or with what it watched, of which another
     * event tells. */
    if (event->mask & (IN_MODIFY | IN_IGNORED))
        return;
    /* A folder in which much happens need be looked at once. */
    if (event->wd != *moved)
        calls.moved(calls.arg, event->wd);
    *moved = event->wd;
}

void notices_read(int inotify, struct notice_calls calls)
{
    union {
        struct inotify_event align;
        char bytes[4096];
    } buffer;
    ssize_t got = read(inotify, buffer.bytes, sizeof(buffer.bytes));
    int moved = 0;
    for (ssize_t at = 0; at < got;) {
        const struct inotify_event *event = (const void *)(buffer.bytes + at);
        tell(event, calls, &moved);
        at += (ssize_t)(sizeof(*event) + event->len);
    }
}
