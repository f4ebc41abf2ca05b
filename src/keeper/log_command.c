/*
 * The life of a program that writes log lines: started -> its pipe is handed over -> it ended:
 * logged once, and started again after a pause that doubles, until it has lived for a minute.
 */
#include "keeper/log_command.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/program.h"
#include "lib/backoff.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/service.h"

/* Before a program that ended is started again; one that lived for so long begins over. */
static const struct backoff restarts = {.first = 1 * CLOCK_SECOND, .longest = 60 * CLOCK_SECOND};

/* The kernel's lines only, from now on, with a time stamp that has its zone (journalctl(1)). */
#define JOURNAL_COMMAND "journalctl -f -n 0 -o short-iso-precise --no-pager -q"

struct log_command {
    struct loop *loop;
    const struct config_source *source;
    struct process_user user;
    struct command command;
    void (*opened)(void *arg, int fd);
    void *arg;
    struct process process;
    struct timer again;
    int64_t started;
    struct backoff pauses;
    bool logged; /* that it ended */
};

static bool has_program(const struct config_source *source)
{
    return source->type == SOURCE_JOURNAL || source->type == SOURCE_COMMAND;
}

/* Of this boot. journalctl -k asks /proc which one that is; the unit's may not know it. */
static void name_boot(char *out, size_t size)
{
    char id[SERVICE_BOOT_ID_SIZE];
    if (service_boot_id(id))
        snprintf(out, size, JOURNAL_COMMAND " _TRANSPORT=kernel _BOOT_ID=%s",
                 getenv("KNOCKD_BOOT_ID"));
    else
        snprintf(out, size, JOURNAL_COMMAND " -k");
}

/* The program of `source`, with its words. -1 after telling `report`. */
static int make_command(const struct config_source *source, struct report *report,
                        struct command *out)
{
    char journal[128], what[CONFIG_NAME_MAX + sizeof("source \"\"")];
    struct config_text text = source->command;
    if (source->type == SOURCE_JOURNAL) {
        name_boot(journal, sizeof(journal));
        text = (struct config_text){.text = journal, .pos = source->pos};
    }
    snprintf(what, sizeof(what), "source \"%s\"", source->name);
    return program_command(&text, what, report, out);
}

void log_command_check(const struct config_source *source, struct report *report)
{
    struct command command = {0};
    if (has_program(source))
        make_command(source, report, &command);
    free(command.text);
}

static void add_group(struct process_user *user, const char *name)
{
    const struct group *group = getgrnam(name);
    int room = (int)(sizeof(user->groups) / sizeof(*user->groups));
    if (group && user->group_count < room)
        user->groups[user->group_count++] = group->gr_gid;
}

/* The user's own groups, and those that may read the journal and /var/log where they exist. */
static int find_user(struct process_user *user, const char *name)
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
    if (now - p->started > p->pauses.longest) {
        backoff_reset(&p->pauses);
        p->logged = false;
    }
    loop_timer_set(p->loop, &p->again, now + backoff_next(&p->pauses));
}

static void log_once(struct log_command *p, const char *what, int number)
{
    if (!p->logged)
        log_warning("source %s: %s %s %d; starting it again, and not saying so each time",
                    p->source->name, p->command.text, what, number);
    p->logged = true;
}

static void on_ended(void *arg, const siginfo_t *how)
{
    struct log_command *p = arg;
    bool exited = how->si_code == CLD_EXITED;
    log_once(p, exited ? "exited with status" : "was killed by signal", how->si_status);
    plan_again(p);
}

static int launch(struct log_command *p, int output)
{
    struct process_world world = {
        .output = output, .errors = STDERR_FILENO, .user = &p->user, .lock = -1};
    pid_t pid = process_start(&p->command, &world);
    return pid < 0 ? -1 : process_watch(&p->process, pid, INT64_MAX);
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
        log_once(p, "can't be started: error", errno);
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
static void report_nothing(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    (void)text;
}

struct log_command *log_command_new(struct loop *loop, const struct config_source *source,
                                    const char *user, void (*opened)(void *arg, int fd), void *arg)
{
    struct report report = {.say = report_nothing};
    struct log_command *p = calloc(1, sizeof(*p));
    if (!p || process_init(&p->process, loop, on_ended, p) < 0) {
        free(p);
        errno = ENOMEM;
        return NULL;
    }
    if (loop_timer_register(loop, &p->again, on_again, p) < 0) {
        process_free(&p->process);
        free(p);
        errno = ENOMEM;
        return NULL;
    }
    p->loop = loop;
    p->source = source;
    p->opened = opened;
    p->arg = arg;
    p->pauses = restarts;
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
    process_free(&p->process);
    loop_timer_unregister(p->loop, &p->again);
    free(p->command.text);
    free(p);
}
