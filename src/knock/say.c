#include "knock/say.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define WIPE "\r\033[K"

/*
 * A signal's handler writes the line, so that it appears whatever the program waits in: the
 * resolver, a lock, a socket. What the handler sees is changed only while the signal is blocked.
 */
static struct {
    char text[200];
    size_t len;
    unsigned seconds;
    bool running, shown;
} progress;

/* Where lines go; text NULL: to standard error. */
static struct {
    char *text;
    size_t size;
} into;

static size_t put_number(char *out, unsigned number)
{
    char digits[12];
    size_t count = 0, len = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (count > 0)
        out[len++] = digits[--count];
    return len;
}

static void on_alarm(int number)
{
    (void)number;
    int saved = errno;
    char line[sizeof(progress.text) + 40] = WIPE;
    size_t len = sizeof(WIPE) - 1;
    memcpy(line + len, progress.text, progress.len);
    len += progress.len;
    memcpy(line + len, ", ", 2);
    len += 2;
    len += put_number(line + len, ++progress.seconds);
    memcpy(line + len, " s", 2);
    progress.shown = true;
    if (write(STDERR_FILENO, line, len + 2) < 0)
        progress.shown = false;
    errno = saved;
}

static void set_timer(int seconds)
{
    struct itimerval timer = {{seconds, 0}, {seconds, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

static void start(void)
{
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGALRM, &action, NULL);
    progress.seconds = 0;
    progress.running = true;
    set_timer(1);
}

void say_progress(const char *format, ...)
{
    sigset_t alarm, before;
    va_list args;
    if (!isatty(STDERR_FILENO))
        return;
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    sigprocmask(SIG_BLOCK, &alarm, &before);
    va_start(args, format);
    int len = vsnprintf(progress.text, sizeof(progress.text), format, args);
    va_end(args);
    progress.len = len < 0 ? 0 : strlen(progress.text);
    if (!progress.running)
        start();
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void say_no_progress(void)
{
    if (!progress.running)
        return;
    set_timer(0);
    progress.running = false;
    if (progress.shown)
        fputs(WIPE, stderr);
    progress.shown = false;
}

void say(const char *format, ...)
{
    va_list args;
    say_no_progress();
    va_start(args, format);
    if (into.text) {
        vsnprintf(into.text, into.size, format, args);
    } else {
        fputs("knock: ", stderr);
        vfprintf(stderr, format, args);
        fputc('\n', stderr);
    }
    va_end(args);
}

void say_into(char *out, size_t size)
{
    into.text = out;
    into.size = size;
}

void say_finding(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    say("%s", text);
}
