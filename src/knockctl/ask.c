/* Subcommands that ask knockd: options, the socket's path, the request, the answer. */
#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "knockctl/knockctl.h"
#include "knockctl/show.h"
#include "lib/config.h"

#define DEFAULT_CONFIG "/etc/knockd.conf"
#define DEFAULT_SOCKET "/run/knockd/control"

enum { MAY_ALL = 1, MAY_COUNT = 2, MAY_PROMETHEUS = 4 };

/* What knockctl asks for by this name, and how it shows the answer. */
static const struct question {
    const char *name;
    int least, most; /* arguments */
    int options;
    show_function *show;
} questions[] = {
    {"status", 0, 0, MAY_PROMETHEUS, show_status},
    {"doors", 0, 0, 0, show_doors},
    {"open", 2, 3, 0, show_open},
    {"close", 0, 2, MAY_ALL, show_close},
    {"forget", 2, 3, 0, show_forget},
    {"history", 0, 0, MAY_COUNT, show_history},
    {"sources", 0, 0, 0, show_sources},
    {"watch", 0, 0, 0, show_watch},
    {"why", 1, 1, 0, show_why},
    {"reload", 0, 0, 0, show_reload},
};

struct asking {
    const struct question *question;
    const char *name; /* of the program, for messages */
    const char *socket, *config, *count;
    bool all, help;
    show_function *show;
    int argc;
    char **argv; /* arguments */
};

static const struct question *find_question(const char *name)
{
    for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++)
        if (strcmp(questions[i].name, name) == 0)
            return &questions[i];
    return NULL;
}

static bool apply(struct asking *a, int letter)
{
    int may = a->question->options;
    switch (letter) {
    case 's':
        a->socket = optarg;
        return true;
    case 'c':
        a->config = optarg;
        return true;
    case 'j':
        a->show = show_json;
        return true;
    case 'h':
        a->help = true;
        return true;
    case 'n':
        a->count = optarg;
        return may & MAY_COUNT;
    case 'a':
        a->all = true;
        return may & MAY_ALL;
    case 'p':
        a->show = show_prometheus;
        return may & MAY_PROMETHEUS;
    default:
        return false;
    }
}

/* What getopt_long doesn't know it complains of itself. */
static bool parse(struct asking *a, int argc, char **argv)
{
    static const struct option names[] = {
        {"socket", required_argument, NULL, 's'}, {"config", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},         {"help", no_argument, NULL, 'h'},
        {"lines", required_argument, NULL, 'n'},  {"all", no_argument, NULL, 'a'},
        {"prometheus", no_argument, NULL, 'p'},   {NULL, 0, NULL, 0}};
    optind = 0;
    for (int letter; (letter = getopt_long(argc, argv, "s:c:n:h", names, NULL)) != -1;) {
        if (apply(a, letter))
            continue;
        if (letter != '?')
            fprintf(stderr, "%s: it has no such option\n", a->name);
        return false;
    }
    a->argc = argc - optind;
    a->argv = argv + optind;
    if (a->help)
        return true;
    const char *wrong = NULL;
    if (a->argc < a->question->least || (a->question->options & MAY_ALL && !a->all && !a->argc))
        wrong = "an argument is missing";
    else if (a->argc > a->question->most || (a->all && a->argc > 0))
        wrong = "too many arguments";
    if (wrong)
        fprintf(stderr, "%s: %s\n", a->name, wrong);
    return !wrong;
}

static void say(void *arg, bool error, const char *text)
{
    if (arg && error)
        fprintf(stderr, "%s\n", text);
}

/*
 * The socket that the configuration names. One that was asked for must be right; the usual one is
 * only looked at, since whoever can't read it may still be told that knockd runs.
 */
static char *find_socket(const struct asking *a)
{
    if (a->socket)
        return strdup(a->socket);
    struct report report = {.say = say, .arg = a->config ? stderr : NULL};
    struct config *config = config_load(a->config ? a->config : DEFAULT_CONFIG, &report);
    if (!config && a->config)
        return NULL;
    char *path = strdup(config ? config->control : DEFAULT_SOCKET);
    if (config)
        config_free(config);
    return path;
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

static bool make_request(const struct asking *a, char *request, size_t size)
{
    bool good = (size_t)snprintf(request, size, "%s", a->question->name) < size;
    if (a->all)
        good &= (size_t)snprintf(request, size, "%s *", a->question->name) < size;
    if (a->question->options & MAY_COUNT)
        good &= add_word(request, size, a->count ? a->count : "100");
    for (int i = 0; i < a->argc; i++)
        good &= add_word(request, size, a->argv[i]);
    if (!good)
        fprintf(stderr, "%s: no door, address or number looks like that\n", a->name);
    return good;
}

static int ask(const struct asking *a)
{
    char request[257];
    struct reply reply;
    if (!make_request(a, request, sizeof(request)))
        return ASK_USAGE;
    char *path = find_socket(a);
    if (!path)
        return ASK_FAILED;
    int status = client_ask(&reply, a->name, path, request);
    if (status == ASK_DONE) {
        a->show(&reply, &status);
        client_end(&reply);
    }
    free(path);
    return status;
}

int knockctl_ask(int argc, char **argv)
{
    const char *blank = strchr(argv[0], ' ');
    struct asking a = {.question = find_question(blank ? blank + 1 : argv[0]), .name = argv[0]};
    if (!a.question)
        return ASK_USAGE;
    a.show = a.question->show;
    bool good = parse(&a, argc, argv);
    if (good && !a.help)
        return ask(&a);
    return good ? KNOCKCTL_HELP : KNOCKCTL_MISUSED;
}
