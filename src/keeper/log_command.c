/*
 * The life of a producer: started -> its pipe is handed over -> it ended: said once, and started
 * again after a pause that doubles, until it has lived for a minute.
 */
#include "keeper/log_command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"

static const int64_t pause_first = 1 * CLOCK_SECOND;
static const int64_t pause_longest = 60 * CLOCK_SECOND;

/* The kernel's lines only, from now on, with a time stamp that has its zone (journalctl(1)). */
static const char journal_command[] = "journalctl -k -f -n 0 -o short-iso-precise --no-pager -q";

struct log_command {
    struct loop *loop;
    const struct config_source *source;
    struct program_user user;
    struct command command;
    void (*opened)(void *arg, int fd);
    void *arg;
    pid_t pid; /* 0: it doesn't run */
    int pidfd;
    struct watch *on_exit;
    struct timer again;
    int64_t started;
    int64_t pause;
    bool said; /* that it ended */
};

static bool has_program(const struct config_source *source)
{
    return source->type == SOURCE_JOURNAL || source->type == SOURCE_COMMAND;
}

/* The words of the program, its first one looked up. -1 after telling `report`. */
static int make_command(const struct config_source *source, struct report *report,
                        struct command *out)
{
    static const struct values none;
    bool journal = source->type == SOURCE_JOURNAL;
    struct config_pos pos = journal ? source->pos : source->command.pos;
    struct words words;
    char why[160];
    *out = (struct command){0};
    if (!template_expand(journal ? journal_command : source->command.text, &none, &words, why,
                         sizeof(why))) {
        report_error(report, pos, "source \"%s\": command: %s", source->name, why);
        return -1;
    }
    char *program = program_find(words.text);
    if (!program) {
        report_error(report, pos, "source \"%s\": %s: %s", source->name, words.text,
                     program_missing(words.text));
        return -1;
    }
    int rc = command_from_words(&words, program, out);
    free(program);
    if (rc < 0)
        report_error(report, pos, "source \"%s\": out of memory", source->name);
    return rc;
}

void log_command_check(const struct config_source *source, struct report *report)
{
    struct command command = {0};
    if (has_program(source))
        make_command(source, report, &command);
    free(command.text);
}

static void add_group(struct program_user *user, const char *name)
{
    const struct group *group = getgrnam(name);
    int room = (int)(sizeof(user->groups) / sizeof(*user->groups));
    if (group && user->group_count < room)
        user->groups[user->group_count++] = group->gr_gid;
}

/* The user's own groups, and those that may read the journal and /var/log where they exist. */
static int find_user(struct program_user *user, const char *name)
{
    const struct passwd *entry = getpwnam(name);
    if (!entry) {
        errno = ENOENT;
        return -1;
    }
    user->uid = entry->pw_uid;
    user->gid = entry->pw_gid;
    user->group_count = (int)(sizeof(user->groups) / sizeof(*user->groups)) - 2;
    if (getgrouplist(name, entry->pw_gid, user->groups, &user->group_count) < 0)
        user->group_count = 0;
    add_group(user, "systemd-journal");
    add_group(user, "adm");
    return 0;
}

static void plan_again(struct log_command *p)
{
    int64_t now = clock_now();
    if (now - p->started > pause_longest) {
        p->pause = pause_first;
        p->said = false;
    }
    loop_timer_set(p->loop, &p->again, now + p->pause);
    p->pause = 2 * p->pause < pause_longest ? 2 * p->pause : pause_longest;
}

static void say_once(struct log_command *p, const char *what, int number)
{
    if (!p->said)
        log_warning("source %s: %s %s %d; starting it again, and not saying so each time",
                    p->source->name, p->command.text, what, number);
    p->said = true;
}

static void release(struct log_command *p)
{
    loop_unwatch(p->on_exit);
    p->on_exit = NULL;
    if (p->pidfd >= 0)
        close(p->pidfd);
    p->pidfd = -1;
    p->pid = 0;
}

static void on_exit_ready(void *arg)
{
    struct log_command *p = arg;
    siginfo_t info = {0};
    if (waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
        return;
    kill(-p->pid, SIGKILL);
    waitid(P_PID, (id_t)p->pid, &info, WEXITED);
    bool exited = info.si_code == CLD_EXITED;
    say_once(p, exited ? "exited with status" : "was killed by signal", info.si_status);
    release(p);
    plan_again(p);
}

static int launch(struct log_command *p, int output)
{
    struct program_world world = {
        .output = output, .errors = STDERR_FILENO, .user = &p->user, .lock = -1};
    p->pid = program_start(&p->command, &world);
    if (p->pid < 0) {
        p->pid = 0;
        return -1;
    }
    p->pidfd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    if (p->pidfd >= 0)
        p->on_exit = loop_watch(p->loop, p->pidfd, LOOP_READ, on_exit_ready, p);
    if (p->on_exit)
        return 0;
    kill(-p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    release(p);
    return -1;
}

void log_command_start(struct log_command *p)
{
    int ends[2] = {-1, -1};
    p->started = clock_now();
    /* Only our end doesn't block: the program's must, like any other. */
    if (pipe2(ends, O_CLOEXEC) == 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0 &&
        launch(p, ends[1]) == 0) {
        p->opened(p->arg, ends[0]);
    } else {
        say_once(p, "can't be started: error", errno);
        plan_again(p);
    }
    for (int i = 0; i < 2; i++)
        if (ends[i] >= 0)
            close(ends[i]);
}

static void on_again(void *arg)
{
    log_command_start(arg);
}

/* Mistakes were told when the configuration was checked. */
static void say_nothing(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    (void)text;
}

struct log_command *log_command_new(struct loop *loop, const struct config_source *source,
                                    const char *user, void (*opened)(void *arg, int fd), void *arg)
{
    struct report report = {.say = say_nothing};
    struct log_command *p = calloc(1, sizeof(*p));
    if (!p || loop_timer_register(loop, &p->again, on_again, p) < 0) {
        free(p);
        errno = ENOMEM;
        return NULL;
    }
    p->loop = loop;
    p->source = source;
    p->opened = opened;
    p->arg = arg;
    p->pidfd = -1;
    p->pause = pause_first;
    errno = ENOENT;
    if (find_user(&p->user, user) == 0 && make_command(source, &report, &p->command) == 0)
        return p;
    int error = errno;
    log_command_free(p);
    errno = error;
    return NULL;
}

void log_command_free(struct log_command *p)
{
    if (!p)
        return;
    if (p->pid > 0) {
        /* It may have moved itself to another group. */
        kill(-p->pid, SIGKILL);
        kill(p->pid, SIGKILL);
        waitpid(p->pid, NULL, 0);
        release(p);
    }
    loop_timer_unregister(p->loop, &p->again);
    free(p->command.text);
    free(p);
}
