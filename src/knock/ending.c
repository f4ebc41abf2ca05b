/* A handler for the signals that end a program, which then does end by the signal. */
#include "knock/ending.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t doomed, wiped;

static void on_end(int number)
{
    if (wiped)
        (void)!write(STDERR_FILENO, ENDING_WIPE, sizeof(ENDING_WIPE) - 1);
    if (doomed)
        kill(-(pid_t)doomed, SIGKILL);
    raise(number); /* SA_RESETHAND: its usual effect, when this returns */
}

static void install(void)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    static bool installed;
    if (installed)
        return;
    installed = true;
    struct sigaction action = {.sa_handler = on_end, .sa_flags = (int)SA_RESETHAND}, before;
    sigfillset(&action.sa_mask);
    for (unsigned i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(signals[i], &action, NULL);
}

void ending_kill(pid_t group)
{
    doomed = group;
    install();
}

void ending_wipe(bool wipe)
{
    wiped = wipe;
    install();
}
