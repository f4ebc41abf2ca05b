/* Commands that ask knockd: the socket's path, the request, the answer. */
#include <ctype.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/knockctl.h"
#include "knockctl/reload_test.h"
#include "knockctl/show.h"
#include "lib/addr.h"
#include "lib/clock.h"
#include "lib/config.h"
#include "lib/config_values.h"

/* The longest opening that knockd takes, in s: 30 days. */
enum { TIME_MAX = 30 * 86400 };

/* How the answer to a command is shown. */
static const struct answer_view {
    const char *name;
    show_function *show;
} views[] = {
    {"status", show_status},   {"doors", show_doors},   {"open", show_open},
    {"close", show_close},     {"forget", show_forget}, {"history", show_history},
    {"sources", show_sources}, {"watch", show_watch},   {"why", show_why},
    {"reload", show_reload},
};

static show_function *choose_view(const struct arguments *arguments)
{
    size_t i = 0;
    if (arguments_have(arguments, OPTION_JSON))
        return show_json;
    if (arguments_have(arguments, OPTION_PROMETHEUS))
        return show_prometheus;
    if (arguments_have(arguments, OPTION_STRAY))
        return show_strays;
    while (strcmp(views[i].name, arguments->command->name) != 0)
        i++;
    return views[i].show;
}

static void say(void *arg, bool error, const char *text)
{
    if (arg && error)
        fprintf(stderr, "%s\n", text);
}

/* Where the configuration is wrong, knockd runs by what it was before, and is asked as before. NULL
 * if it can't be read. */
static char *find_socket_of_wrong(const struct arguments *arguments, const char *config)
{
    char socket[PATH_MAX];
    if (!config_scan_control(config, socket, sizeof(socket)))
        return NULL;
    fprintf(
        stderr,
        "%s: %s is wrong, and `knockd -t -c %s` says where; a knockd that runs is asked all the "
        "same, at %s\n",
        arguments->title, config, config, socket);
    return strdup(socket);
}

/*
 * The socket that the configuration names. One that was asked for must be there to read; the usual
 * one is only looked at, since whoever can't read it may still be told that knockd runs.
 */
static char *find_socket(const struct arguments *arguments)
{
    const char *given = arguments_text(arguments, OPTION_SOCKET, NULL);
    const char *file = arguments_text(arguments, OPTION_CONFIG, NULL);
    const char *path = file ? file : DEFAULT_CONFIG;
    if (given)
        return strdup(given);
    struct report report = {.say = say};
    struct config *config = config_load(path, &report);
    char *socket = config ? strdup(config->control) : find_socket_of_wrong(arguments, path);
    if (!socket && !file)
        socket = strdup(CONFIG_CONTROL);
    config_free(config);
    if (socket)
        return socket;
    report.arg = stderr;
    config_free(config_load(path, &report));
    return NULL;
}

/* What names of doors, addresses and numbers are made of: nothing else can make another request of
 * an argument. */
static bool add_word(char *request, size_t size, const char *word)
{
    size_t used = strlen(request);
    for (const char *p = word; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("_.-:", *p))
            return false;
    return *word != '\0' &&
           (size_t)snprintf(request + used, size - used, " %s", word) < size - used;
}

/* Whether it is an address and a slash, whatever follows. */
static bool is_network(const char *word)
{
    struct addr address;
    const char *slash = strchr(word, '/');
    return slash && addr_parse(word, (size_t)(slash - word), &address);
}

/* The arguments as knockd takes them: a time is seconds. False after saying what is wrong. */
static bool add_argument(const struct arguments *arguments, unsigned number, char *request,
                         size_t size)
{
    char seconds[24];
    int64_t time;
    const char *word = arguments->words[number];
    if (strcmp(arguments->command->name, "open") == 0 && number == 2) {
        if (!parse_duration(word, &time) || time == 0 || time > TIME_MAX * CLOCK_SECOND) {
            fprintf(stderr,
                    "%s: \"%s\": expected a time from 1s to 30d, as seconds or with s, m, h or d "
                    "behind the number\n",
                    arguments->title, word);
            return false;
        }
        snprintf(seconds, sizeof(seconds), "%" PRId64, time / CLOCK_SECOND);
        word = seconds;
    }
    /* An address alone is asked of why, so that one that is none is told without a knockd. */
    struct addr address;
    bool wrong =
        strcmp(arguments->command->name, "why") == 0 && !addr_parse(word, strlen(word), &address);
    if (!wrong && add_word(request, size, word))
        return true;
    if (is_network(word))
        fprintf(stderr, "%s: \"%s\": expected one address, not a network\n", arguments->title,
                word);
    else if (wrong)
        fprintf(stderr, "%s: \"%s\": expected an IPv4 or IPv6 address\n", arguments->title, word);
    else
        fprintf(stderr, "%s: no door, address or number looks like that: \"%s\"\n",
                arguments->title, word);
    return false;
}

static bool make_request(const struct arguments *arguments, char *request, size_t size)
{
    const char *name = arguments->command->name;
    bool all = arguments_have(arguments, OPTION_ALL);
    if (arguments_have(arguments, OPTION_STRAY))
        name = "strays remove";
    snprintf(request, size, all ? "%s *" : "%s", name);
    if (arguments->command->takes & TAKES(LINES)) {
        const char *lines = arguments_text(arguments, OPTION_LINES, "100");
        if (!add_word(request, size, lines)) {
            fprintf(stderr, "%s: \"%s\": expected a number of lines\n", arguments->title, lines);
            return false;
        }
    }
    for (unsigned i = 0; i < arguments->word_count; i++)
        if (!add_argument(arguments, i, request, size))
            return false;
    return true;
}

/* What the table of commands can't say. */
static int check(const struct arguments *arguments)
{
    bool all = arguments_have(arguments, OPTION_ALL);
    bool stray = arguments_have(arguments, OPTION_STRAY);
    if (strcmp(arguments->command->name, "close") != 0)
        return KNOCKCTL_DONE;
    if (stray && (all || arguments->word_count > 0))
        return arguments_wrong(arguments, "--stray stands alone: it closes what no opening owns");
    if (all && arguments->word_count > 0)
        return arguments_wrong(arguments, "--all is for all doors: leave DOOR out");
    if (!all && !stray && arguments->word_count == 0)
        return arguments_wrong(arguments, "say which DOOR, or --all, or --stray");
    return KNOCKCTL_DONE;
}

int knockctl_ask(const struct arguments *arguments)
{
    char request[257];
    struct reply reply;
    int status = check(arguments);
    if (status != KNOCKCTL_DONE)
        return status;
    if (!make_request(arguments, request, sizeof(request)))
        return KNOCKCTL_USAGE;
    char *path = find_socket(arguments);
    if (!path)
        return KNOCKCTL_FAILED;
    if (strcmp(arguments->command->name, "reload") == 0)
        status = reload_test(arguments->title, path);
    if (status == KNOCKCTL_DONE)
        status = client_ask(&reply, arguments->title, path, request);
    if (status == KNOCKCTL_DONE) {
        choose_view(arguments)(&reply, &status);
        client_end(&reply);
    }
    free(path);
    return status;
}
