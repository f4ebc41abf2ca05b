/* knockctl key new, list, remove: their options; and the last one. */
#include "knockctl/key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "knockctl/knockctl.h"
#include "lib/config.h"

static int read_options(const struct arguments *arguments, struct key_options *o)
{
    o->config = arguments_text(arguments, OPTION_CONFIG, DEFAULT_CONFIG);
    o->name = arguments->words[0];
    o->expires = arguments_text(arguments, OPTION_EXPIRES, NULL);
    o->roaming = arguments_have(arguments, OPTION_ROAMING);
    o->stun = arguments_text(arguments, OPTION_STUN, NULL);
    o->json = arguments_have(arguments, OPTION_JSON);
    for (unsigned i = 0; i < arguments->option_count; i++) {
        if (arguments->options[i].id != OPTION_DOOR)
            continue;
        if (o->door_count == KEY_DOORS_MAX)
            return arguments_wrong(arguments,
                                   "too many doors: without --door the key may open any");
        o->doors[o->door_count++] = arguments->options[i].text;
    }
    if (!o->name || config_is_key_name(o->name))
        return KNOCKCTL_DONE;
    return arguments_wrong(arguments,
                           "a key's name is 1 to 63 of the characters A-Z a-z 0-9 _ . -, not "
                           "beginning with -, and neither sequence nor knockctl");
}

static void say(void *arg, bool error, const char *text)
{
    (void)arg;
    if (error)
        fprintf(stderr, "%s\n", text);
}

static int run(const struct arguments *arguments,
               int (*action)(const struct config *config, const struct key_options *options))
{
    struct key_options options = {0};
    struct report report = {.say = say};
    int status = read_options(arguments, &options);
    if (status != KNOCKCTL_DONE)
        return status;
    /* What this process has of secrets is nobody's to look at. */
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    struct config *config = config_load(options.config, &report);
    if (!config)
        return KNOCKCTL_FAILED;
    status = action(config, &options);
    config_free(config);
    return status;
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

static int key_remove(const struct config *config, const struct key_options *options)
{
    char path[KEY_PATH_SIZE];
    if (unlink(key_file_path(config->key_dir, options->name, path)) < 0) {
        fprintf(stderr, "knockctl key: can't remove %s: %s\n", path, strerror(errno));
        return KNOCKCTL_FAILED;
    }
    printf("%s is removed; a running knockd takes the key until knockctl reload\n", path);
    fflush(stdout);
    tell_named(config, options->name);
    return KNOCKCTL_DONE;
}

int knockctl_key_new(const struct arguments *arguments)
{
    return run(arguments, key_new);
}

int knockctl_key_list(const struct arguments *arguments)
{
    return run(arguments, key_list);
}

int knockctl_key_remove(const struct arguments *arguments)
{
    return run(arguments, key_remove);
}
