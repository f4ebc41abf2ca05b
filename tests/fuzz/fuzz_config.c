/*
 * The configuration: refused with reasons or taken; and one that is taken can be handed to a
 * listener, and its commands looked through.
 */
#include "fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include "keeper/plan.h"
#include "knockd/config_send.h"
#include "lib/config.h"
#include "listener/config_receive.h"

static void hear(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    CLAIM(*text && !strchr(text, '\n'));
}

static void take(void *arg, const struct message *message)
{
    struct listener_config *setup = arg;
    struct message smaller = *message;
    CLAIM(message_size(message->type) > 0 && !setup->matcher);
    /* Memory for four million addresses would be all that is measured. */
    if (message->type == MESSAGE_CONFIG)
        smaller.u.config.max_sources = 16;
    CLAIM(listener_config_receive(setup, &smaller) ==
          (message->type == MESSAGE_START ? LISTENER_CONFIG_COMPLETE : LISTENER_CONFIG_MORE));
}

static void claim_briefed(const struct config *config)
{
    struct listener_config setup = {0};
    config_send(config, NULL, true, take, &setup);
    CLAIM(setup.matcher && setup.door_count == config->door_count);
    listener_config_free(&setup);
}

static void claim_planned(const struct config *config)
{
    struct report report = {.say = hear};
    struct plans *plans = plans_make(config, NULL, &report);
    CLAIM((plans == NULL) == (report.errors > 0));
    for (unsigned i = 0; plans && i < config->door_count; i++)
        CLAIM(plans_get(plans, i, 4) && plans_get(plans, i, 6));
    plans_free(plans);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char path[64];
    struct report report = {.say = hear};
    int fd = memfd_create("config", MFD_CLOEXEC);
    CLAIM(fd >= 0 && write(fd, data, size) == (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct config *config = config_load(path, &report);
    CLAIM((config == NULL) == (report.errors > 0));
    if (config) {
        claim_briefed(config);
        claim_planned(config);
    }
    config_free(config);
    close(fd);
    return 0;
}
