/* The service manager's protocol: a datagram to the socket that it named in the environment. */
#include "knockd/notify.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

void notify_send(const char *format, ...)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || strlen(path) >= sizeof(to.sun_path) || (*path != '/' && *path != '@'))
        return;
    size_t len = strlen(path);
    memcpy(to.sun_path, path, len);
    /* An abstract address is written with an @ for its leading NUL (unix(7)). */
    if (*path == '@')
        to.sun_path[0] = '\0';
    char text[256];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (size < 0)
        return;
    if ((size_t)size >= sizeof(text))
        size = sizeof(text) - 1;
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* A manager that doesn't listen is its own problem; nothing here depends on it. */
    (void)!sendto(fd, text, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&to,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    close(fd);
}

void notify_reloading(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) == 0)
        notify_send("RELOADING=1\nMONOTONIC_USEC=%lld",
                    (long long)now.tv_sec * 1000000 + now.tv_nsec / 1000);
}

int64_t notify_watchdog(void)
{
    const char *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
    if (!usec || (pid && strtol(pid, NULL, 10) != getpid()))
        return 0;
    long long interval = strtoll(usec, NULL, 10);
    return interval > 0 && interval < INT64_MAX / 1000 ? interval * 1000 / 2 : 0;
}
