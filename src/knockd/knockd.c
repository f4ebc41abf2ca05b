/* The program: its modes, and the start up to the daemon: configuration, background, state folder,
 * log. */
#include "knockd/knockd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <syslog.h>
#include <unistd.h>

#include "keeper/rule_deleter.h"
#include "knockd/close_all.h"
#include "knockd/daemon.h"
#include "knockd/daemonize.h"
#include "knockd/host_check.h"
#include "knockd/options.h"
#include "knockd/replay.h"
#include "knockd/rule_check.h"
#include "knockd/rule_review.h"
#include "knockd/safe_folder.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "listener/listener.h"

/* The exit status where the command line is wrong; start_daemon() tells 1 from EX_TEMPFAIL. */
enum { WRONG_USAGE = 2 };

/* Under systemd stderr and syslog both end in the journal; once is enough (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char text[64];
    if (!stream || fstat(STDERR_FILENO, &st) < 0)
        return false;
    snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev,
             (unsigned long long)st.st_ino);
    return strcmp(stream, text) == 0;
}

/* Findings at the start, for the terminal and for the log. */
static void report_start(void *arg, bool error, const char *text)
{
    (void)arg;
    if (!stderr_is_journal())
        fprintf(stderr, "knockd: %s\n", text);
    if (error)
        log_error("%s", text);
    else
        log_warning("%s", text);
}

/* knockd -t: warnings and the verdict on stdout, errors on stderr, as a service manager wants. */
static void report_test(void *arg, bool error, const char *text)
{
    (void)arg;
    fprintf(error ? stderr : stdout, "%s\n", text);
}

/* A verdict that can't be written is none. Returns the exit status. */
static int end_output(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "knockd: can't write to standard output: %s\n", strerror(errno));
    return 1;
}

/* Whether the state folder that the configuration names is one, or can be made. */
static bool check_state_dir(const struct config *config, struct report *report)
{
    char why[1024];
    if (safe_folder_can_be(config->state_dir, why, sizeof(why)))
        return true;
    report_error(report, (struct config_pos){config->path, 0}, "state_dir: %s", why);
    return false;
}

/* Which lines of other hosts count. */
static void print_remote(const struct config *config)
{
    for (unsigned i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        if (source->remote && source->max_age > 0)
            printf("source %s: remote, max_age %lld s\n", source->name,
                   (long long)(source->max_age / CLOCK_SECOND));
        else if (source->remote)
            printf("source %s: remote, lines of any age count\n", source->name);
    }
}

static int test_config(const char *path)
{
    struct report report = {.say = report_test};
    struct generation *generation = generation_load(path, NULL, true, &report);
    if (!generation)
        return 1;
    /* What another user may not look into says nothing about root's start. */
    if (geteuid() == 0)
        check_state_dir(generation->config, &report);
    host_check_for_test(generation->config, &report);
    rule_review(generation->config, generation->plans, geteuid() != 0, &report);
    rule_check(generation->config, generation->plans, &report);
    print_remote(generation->config);
    generation_free(generation);
    if (report.errors > 0)
        return 1;
    puts("configuration OK");
    return 0;
}

/* A reload must find the file again, whatever folder the daemon is in by then. */
static void make_absolute(struct options *options)
{
    const char *path = options->config, *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char folder[PATH_MAX], real[PATH_MAX];
    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(name - path) : 1, slash ? path : ".");
    if (!realpath(folder, real))
        return;
    int len = snprintf(options->path, sizeof(options->path), "%s/%s", real[1] ? real : "", name);
    if (len > 0 && (size_t)len < sizeof(options->path))
        options->config = options->path;
}

static bool is_root(void)
{
    if (geteuid() == 0)
        return true;
    fputs("knockd: must be started as root: it runs firewall commands, and gives its listener "
          "to another user (knockd -t works without)\n",
          stderr);
    return false;
}

/* Closes inherited descriptors and opens the log. Until the configuration is read, report_start
 * writes to the terminal. */
static void begin_log(const struct options *options, bool to_stderr)
{
    close_range(STDERR_FILENO + 1, ~0U, 0);
    log_open("knockd", LOG_AUTHPRIV, to_stderr && !stderr_is_journal(), options->debug);
}

/* The start failed before there was a daemon: closes what is due of an earlier run, by its record.
 */
static void fail_early(const struct options *options, struct generation *generation)
{
    generation_free(generation);
    log_open("knockd", LOG_AUTHPRIV, !stderr_is_journal(), options->debug);
    close_due(options->config);
}

/* The locks of the state folder and the configuration, held until the process ends. */
static bool take_locks(const char *path, const struct config *config, struct state_dir *dir,
                       struct report *report)
{
    char why[1024];
    bool taken = safe_folder_make(config->state_dir, 0700, why, sizeof(why)) &&
                 state_dir_take(dir, config->state_dir, why, sizeof(why)) == STATE_DIR_TAKEN;
    bool claimed = taken && state_dir_claim(dir, path, why, sizeof(why));
    if (taken && !claimed)
        state_dir_release(dir);
    if (!claimed)
        report_error(report, (struct config_pos){config->path, 0}, "%s", why);
    return claimed;
}

/* Returns 1 when the configuration is wrong, which another start doesn't mend, and EX_TEMPFAIL for
 * every other failure: the unit tells them apart. */
static int start_daemon(struct options *options)
{
    struct report report = {.say = report_start};
    struct state_dir dir;
    if (!is_root())
        return 1;
    begin_log(options, false);
    make_absolute(options);
    struct generation *generation = generation_load(options->config, NULL, false, &report);
    if (!generation || !check_state_dir(generation->config, &report)) {
        fail_early(options, generation);
        return 1;
    }
    int parent = options->background ? daemonize_fork() : -1;
    if (options->background && parent < 0) {
        fprintf(stderr, "knockd: can't go into the background: %s\n", strerror(errno));
        fail_early(options, generation);
        return EX_TEMPFAIL;
    }
    if (!take_locks(options->config, generation->config, &dir, &report)) {
        generation_free(generation);
        return EX_TEMPFAIL;
    }
    const struct config *config = generation->config;
    log_open("knockd", config->facility, !stderr_is_journal(), options->debug);
    close_before(options->config, config->state_dir);
    return daemon_run(generation, &dir, options, parent);
}

static int run_close_all(struct options *options)
{
    if (!is_root())
        return 1;
    begin_log(options, true);
    make_absolute(options);
    return close_all_run(options);
}

/* Started without stdin, stdout or stderr, the first files opened would take their places. */
static void fill_standard_descriptors(void)
{
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

int knockd_main(int argc, char **argv)
{
    /* How the keeper starts a listener; by hand it finds no socket and ends. */
    if (argc == 5 && strcmp(argv[1], "--listener") == 0)
        return listener_main((uid_t)strtoul(argv[2], NULL, 10), (gid_t)strtoul(argv[3], NULL, 10),
                             strtoull(argv[4], NULL, 10));
    /* How the keeper's runner deletes rules of iptables-nft. */
    if (argc > 1 && strcmp(argv[1], RULE_DELETER) == 0)
        return rule_deleter_main(argc, argv);
    fill_standard_descriptors();
    struct options options;
    if (!options_parse(argc, argv, &options))
        return WRONG_USAGE;
    switch (options.mode) {
    case MODE_HELP:
        options_usage(stdout);
        return end_output(0);
    case MODE_VERSION:
        puts("knockd " KNOCKD_VERSION);
        return end_output(0);
    case MODE_TEST:
        return end_output(test_config(options.config));
    case MODE_REPLAY:
        return replay_run(&options);
    case MODE_CLOSE_ALL:
        return run_close_all(&options);
    case MODE_RUN:
        break;
    }
    return start_daemon(&options);
}
