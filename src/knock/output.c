/* Writes lines for the user, and on a terminal one that shows what is going on. */
#include "knock/output.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <unistd.h>

#include "knock/ending.h"

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
    char line[sizeof(progress.text) + 40] = ENDING_WIPE;
    size_t len = sizeof(ENDING_WIPE) - 1;
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
    ending_wipe(true);
    set_timer(1);
}

/* What fits on the terminal's line, with the seconds behind it: of two lines one would stay. */
static size_t room_for_text(void)
{
    enum { SECONDS = sizeof(", 99999 s") };
#ifdef TIOCGWINSZ
    struct winsize window;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 0)
        return window.ws_col > SECONDS ? (size_t)window.ws_col - SECONDS : 0;
#endif
    return sizeof(progress.text) - 1;
}

void output_progress(const char *format, ...)
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
    size_t room = room_for_text();
    progress.len = len < 0 ? 0
                           : strnlen(progress.text,
                                     room < sizeof(progress.text) ? room : sizeof(progress.text));
    if (!progress.running)
        start();
    sigprocmask(SIG_SETMASK, &before, NULL);
}

void output_progress_end(void)
{
    if (!progress.running)
        return;
    set_timer(0);
    progress.running = false;
    if (progress.shown)
        fputs(ENDING_WIPE, stderr);
    progress.shown = false;
    ending_wipe(false);
}

void output_error(const char *format, ...)
{
    va_list args;
    output_progress_end();
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

void output_capture(char *out, size_t size)
{
    into.text = out;
    into.size = size;
}

void output_finding(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    output_error("%s", text);
}
