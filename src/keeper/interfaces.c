/*
 * Follows interfaces by rtnetlink(7), whose messages are no more than a reason to look: each name
 * is asked for again. So nothing is lost when messages are.
 */
#include "keeper/interfaces.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/limit.h"

/* So often a second it is looked at once; more changes wait, and share one look. */
enum { LOOK_RATE = 20 };
static const int64_t look_pause = CLOCK_SECOND / 10;

struct interfaces {
    struct loop *loop;
    int socket;
    struct watch *on_change;
    struct timer later;
    struct limit looks;
    interfaces_call *call;
    void *arg;
    unsigned count;
    struct message_interface names[INTERFACES_MAX];
};

/* --- which names --- */

static void add_name(struct interfaces *in, const char *name)
{
    for (unsigned i = 0; i < in->count; i++)
        if (strcmp(in->names[i].name, name) == 0)
            return;
    /* config_check.c holds the number of names to that. */
    if (*name == '\0' || in->count == INTERFACES_MAX)
        return;
    struct message_interface *new = &in->names[in->count];
    *new = (struct message_interface){.slot = in->count++};
    strncpy(new->name, name, IF_NAMESIZE - 1);
}

static void add_names(struct interfaces *in, const struct config *config)
{
    for (unsigned i = 0; i < config->source_count; i++)
        for (unsigned j = 0; j < config->sources[i].interfaces.count; j++)
            add_name(in, config->sources[i].interfaces.items[j].text);
    for (unsigned i = 0; i < config->door_count; i++)
        add_name(in, config->doors[i].interface);
}

/* --- warnings --- */

/* Whether /sys tells of this network namespace: it stays that of whom it was mounted by. */
static bool is_in_sys(const char *name, unsigned index)
{
    char path[64], text[16] = "";
    snprintf(path, sizeof(path), "/sys/class/net/%.15s/ifindex", name);
    FILE *file = fopen(path, "re");
    bool same = file && fgets(text, sizeof(text), file) && strtoul(text, NULL, 10) == index;
    if (file)
        fclose(file);
    return same;
}

/* The interface whose part `name` is, by /sys; false: of none. */
static bool find_master(const char *name, char master[IF_NAMESIZE])
{
    char path[64], target[256];
    snprintf(path, sizeof(path), "/sys/class/net/%.15s/master", name);
    ssize_t len = readlink(path, target, sizeof(target) - 1);
    if (len < 0)
        return false;
    target[len] = '\0';
    const char *slash = strrchr(target, '/');
    snprintf(master, IF_NAMESIZE, "%.15s", slash ? slash + 1 : target);
    return true;
}

/* A VRF's parts keep their names: the firewall has both. */
static bool keeps_names(const char *master)
{
    char path[64];
    snprintf(path, sizeof(path), "/sys/class/net/%.15s/bridge", master);
    if (access(path, F_OK) == 0)
        return false;
    snprintf(path, sizeof(path), "/sys/class/net/%.15s/bonding", master);
    return access(path, F_OK) < 0;
}

static void check_name(const char *what, const char *owner, const char *name, struct config_pos pos,
                       struct report *report)
{
    char master[IF_NAMESIZE], own[IF_NAMESIZE];
    unsigned index = if_nametoindex(name);
    if (index == 0)
        report_warning(report, pos, "%s \"%s\": interface %s isn't there now; waiting for it", what,
                       owner, name);
    else if (if_indextoname(index, own) && strcmp(own, name) != 0)
        report_warning(report, pos,
                       "%s \"%s\": %s is another name of interface %s, which packets that come by "
                       "it have: write interface = %s",
                       what, owner, name, own, own);
    else if (is_in_sys(name, index) && find_master(name, master) && !keeps_names(master))
        report_warning(report, pos,
                       "%s \"%s\": interface %s is a part of %s, and packets that come by it are "
                       "%s's: write interface = %s",
                       what, owner, name, master, master, master);
}

void interfaces_check(const struct config *config, struct report *report)
{
    for (unsigned i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        for (unsigned j = 0; j < source->interfaces.count; j++)
            check_name("source", source->name, source->interfaces.items[j].text,
                       source->interfaces.items[j].pos, report);
    }
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].interface[0])
            check_name("door", config->doors[i].name, config->doors[i].interface,
                       config->doors[i].pos, report);
}

/* --- following --- */

static void look(struct interfaces *in, bool tell_all)
{
    for (unsigned i = 0; i < in->count; i++) {
        struct message message = {.type = MESSAGE_INTERFACE};
        uint32_t index = if_nametoindex(in->names[i].name);
        if (index == in->names[i].index && !tell_all)
            continue;
        in->names[i].index = index;
        message.u.interface = in->names[i];
        in->call(in->arg, &message);
    }
}

static void on_later(void *arg)
{
    look(arg, false);
}

static void on_change(void *arg)
{
    struct interfaces *in = arg;
    char skipped[8192];
    while (recv(in->socket, skipped, sizeof(skipped), MSG_DONTWAIT) >= 0 || errno == ENOBUFS ||
           errno == EINTR)
        ;
    int64_t now = clock_now();
    if (timer_is_set(&in->later))
        return;
    if (limit_take(&in->looks, now))
        look(in, false);
    else
        loop_timer_set(in->loop, &in->later, now + look_pause);
}

static int open_socket(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    const struct sockaddr_nl links = {.nl_family = AF_NETLINK, .nl_groups = RTMGRP_LINK};
    if (fd < 0 || bind(fd, (const struct sockaddr *)&links, sizeof(links)) == 0)
        return fd;
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

struct interfaces *interfaces_open(struct loop *loop, const struct config *config,
                                   struct report *report)
{
    struct interfaces *in = calloc(1, sizeof(*in));
    if (!in || loop_timer_register(loop, &in->later, on_later, in) < 0) {
        free(in);
        errno = ENOMEM;
        return NULL;
    }
    in->loop = loop;
    in->looks = limit_make(LOOK_RATE, LOOK_RATE, clock_now());
    add_names(in, config);
    in->socket = open_socket();
    if (in->socket < 0) {
        int error = errno;
        interfaces_close(in);
        errno = error;
        return NULL;
    }
    interfaces_check(config, report);
    return in;
}

void interfaces_start(struct interfaces *in, interfaces_call *call, void *arg)
{
    in->call = call;
    in->arg = arg;
    look(in, true);
    in->on_change = loop_watch(in->loop, in->socket, LOOP_READ, on_change, in);
}

void interfaces_close(struct interfaces *in)
{
    if (!in)
        return;
    loop_unwatch(in->on_change);
    loop_timer_unregister(in->loop, &in->later);
    if (in->socket >= 0)
        close(in->socket);
    free(in);
}
