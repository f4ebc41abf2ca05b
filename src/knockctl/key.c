/* knockctl key new|list|remove */
#include "knockctl/key.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "knockctl/knockctl.h"

#define DEFAULT_CONFIG "/etc/knockd.conf"

static const char usage[] =
    "usage: knockctl key new NAME [-c FILE] [--door DOOR]... [--expires YYYY-MM-DD]\n"
    "           [--roaming | --stun HOST[:PORT]]\n"
    "       knockctl key list [-c FILE] [--json]\n"
    "       knockctl key remove NAME [-c FILE]\n";

static const char help[] =
    "  -c, --config FILE          read FILE instead of /etc/knockd.conf\n"
    "      --door DOOR            let the key open this door alone; may be repeated\n"
    "      --expires YYYY-MM-DD   its last day, in UTC\n"
    "      --roaming              bind its knocks to no address: the first who sends one gets in\n"
    "      --stun HOST[:PORT]     let its profiles ask this STUN server for the address outside\n"
    "      --json                 print JSON\n"
    "  -h, --help                 print this\n";

enum { MAY_NEW = 1, MAY_LIST = 2 };

static const struct action {
    const char *name;
    int (*run)(const struct config *config, const struct key_options *options);
    bool named;
    int may;
} actions[] = {
    {"new", key_new, true, MAY_NEW},
    {"list", key_list, false, MAY_LIST},
    {"remove", key_remove, true, 0},
};

static bool wrong(const char *what)
{
    fprintf(stderr, "knockctl key: %s\n%s", what, usage);
    return false;
}

static bool apply(struct key_options *o, int letter, int may)
{
    switch (letter) {
    case 'c':
        o->config = optarg;
        return true;
    case 'h':
        o->help = true;
        return true;
    case 'j':
        o->json = true;
        return (may & MAY_LIST) || wrong("--json is for list");
    case 'd':
        if (o->door_count == KEY_DOORS_MAX)
            return wrong("too many doors: without --door the key may open any");
        o->doors[o->door_count++] = optarg;
        break;
    case 'e':
        o->expires = optarg;
        break;
    case 'r':
        o->roaming = true;
        break;
    case 's':
        o->stun = optarg;
        break;
    default: /* getopt_long has named the option */
        fputs(usage, stderr);
        return false;
    }
    return (may & MAY_NEW) || wrong("--door, --expires, --roaming and --stun are for new");
}

static bool read_options(int argc, char **argv, const struct action *action, struct key_options *o)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'},  {"door", required_argument, NULL, 'd'},
        {"expires", required_argument, NULL, 'e'}, {"roaming", no_argument, NULL, 'r'},
        {"stun", required_argument, NULL, 's'},    {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0}};
    optind = 0;
    for (int letter; (letter = getopt_long(argc, argv, "c:h", names, NULL)) != -1;)
        if (!apply(o, letter, action->may))
            return false;
    if (o->help)
        return true;
    if (argc - optind != (action->named ? 1 : 0))
        return wrong(action->named ? "expected the name of one key" : "no argument is expected");
    o->name = argv[optind];
    if (!action->named || config_is_key_name(o->name))
        return true;
    return wrong("a key's name is 1 to 63 of the characters A-Z a-z 0-9 _ . -, not beginning with "
                 "-, and neither sequence nor knockctl");
}

static void say(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        fprintf(stderr, "%s\n", text);
}

static int run(const struct action *action, const struct key_options *options)
{
    struct report report = {.say = say};
    /* What this process has of secrets is nobody's to look at. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    struct config *config = config_load(options->config, &report);
    if (!config)
        return EXIT_FAILURE;
    int status = action->run(config, options);
    config_free(config);
    return status;
}

int knockctl_key(int argc, char **argv)
{
    struct key_options options = {.config = DEFAULT_CONFIG};
    const char *name = argc > 1 ? argv[1] : "";
    char title[32];
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0) {
        printf("%s%s", usage, help);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
        if (strcmp(name, actions[i].name) != 0)
            continue;
        snprintf(title, sizeof(title), "knockctl key %s", name);
        argv[1] = title;
        if (!read_options(argc - 1, argv + 1, &actions[i], &options))
            return EXIT_FAILURE;
        if (!options.help)
            return run(&actions[i], &options);
        printf("%s%s", usage, help);
        return EXIT_SUCCESS;
    }
    wrong("expected new, list or remove");
    return EXIT_FAILURE;
}

static void tell_named(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->door_count; i++) {
        const struct config_door *door = &config->doors[i];
        for (unsigned j = 0; j < door->keys.count; j++)
            if (strcmp(door->keys.items[j].text, name) == 0)
                fprintf(stderr, "%s:%d: door \"%s\" still names it\n", door->keys.items[j].pos.file,
                        door->keys.items[j].pos.line, door->name);
    }
}

int key_remove(const struct config *config, const struct key_options *options)
{
    char path[KEY_PATH_SIZE];
    if (unlink(key_file_path(config->key_dir, options->name, path)) < 0) {
        fprintf(stderr, "knockctl key: can't remove %s: %s\n", path, strerror(errno));
        return EXIT_FAILURE;
    }
    printf("%s is removed; a running knockd takes the key until knockctl reload\n", path);
    fflush(stdout);
    tell_named(config, options->name);
    return EXIT_SUCCESS;
}
