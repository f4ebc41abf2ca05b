/* knockctl key new: a secret is drawn, kept in key_dir, and shown once. */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "knockctl/arguments.h"
#include "knockctl/key.h"
#include "lib/carrier.h"
#include "lib/crypto.h"
#include "lib/host_port.h"
#include "lib/key_file.h"

/* Names of a server, a key and doors have at most 64 bytes, and each stands in a profile up to four
 * times; that of a STUN server stands there once. */
enum { PROFILE_MAX = 1280 + HOST_PORT_MAX + 8, TEXT_SIZE = KEY_DOORS_MAX * PROFILE_MAX + 8192 };

/* A text with a secret in it, in locked memory. */
struct text {
    size_t len;
    char bytes[TEXT_SIZE];
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(struct text *text, const char *format, ...)
{
    size_t room = sizeof(text->bytes) - text->len;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text->bytes + text->len, room, format, args);
    va_end(args);
    assert(len >= 0 && (size_t)len < room);
    text->len += (size_t)len;
}

static bool refuse(const char *format, ...) __attribute__((format(printf, 1, 2)));

static bool refuse(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("knockctl key: ", stderr);
    vfprintf(stderr, format, args);
    fputs("\n", stderr);
    va_end(args);
    return false;
}

/* As the client reads it; and what has several colons is an IPv6 address, not stun:HOST:PORT. */
static bool check_stun(const struct key_options *options)
{
    char host[HOST_PORT_MAX + 1];
    uint16_t port;
    struct addr address;
    if (!options->stun)
        return true;
    if (options->roaming)
        return refuse("--roaming binds knocks to no address, so no STUN server is asked for one: "
                      "give one of --roaming and --stun");
    bool good = host_port_parse(options->stun, host, &port) &&
                (!strchr(host, ':') || addr_parse(host, strlen(host), &address));
    for (const char *p = options->stun; *p; p++)
        good &= *p > ' ' && *p <= '~' && !strchr("\"'\\$/", *p);
    return good ||
           refuse("--stun: \"%.300s\" won't do: expected HOST or HOST:PORT, an IPv6 address with a "
                  "port as [ADDRESS]:PORT",
                  options->stun);
}

/* A host's name is often that of a system, such as debian: on the device, the second key that is
 * named after it would take the first one's file. */
static bool check_server(const struct config *config)
{
    const char *host = config->sealed.server;
    if (config->sealed.server_given)
        return true;
    if (host[0] == '\0' || strcmp(host, "localhost") == 0 || strcmp(host, "(none)") == 0)
        host = "gate.example";
    return refuse("no name is set for this server, which its keys are for: expected sealed { "
                  "server = \"%s\" } in %s, or any name that none of your other servers has",
                  host, config->path);
}

/* What is wrong whatever the configuration says. */
static bool check_arguments(const struct key_options *options)
{
    int64_t end;
    if (!check_stun(options))
        return false;
    if (!options->expires)
        return true;
    if (!key_file_day(options->expires, &end))
        return refuse("--expires: \"%s\" won't do: expected the last day as YYYY-MM-DD",
                      options->expires);
    return end > time(NULL) || refuse("--expires: %s is over", options->expires);
}

static bool check_doors(const struct config *config, const struct key_options *options)
{
    for (unsigned i = 0; i < options->door_count; i++) {
        if (config_find_door(config, options->doors[i]))
            continue;
        char hint[CONFIG_DOOR_HINT_SIZE];
        return refuse("no door \"%s\" is configured in %s%s", options->doors[i], config->path,
                      config_door_hint(config, options->doors[i], hint));
    }
    return true;
}

static bool make_folder(const char *path)
{
    struct stat st;
    char *slash = strrchr(path, '/');
    if (mkdir(path, 0700) < 0 && errno == ENOENT && slash && slash > path) {
        char *parent = strndup(path, (size_t)(slash - path));
        if (parent && mkdir(parent, 0755) == 0)
            mkdir(path, 0700);
        free(parent);
    }
    if (stat(path, &st) < 0)
        return refuse("can't make the folder %s: %s", path, strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return refuse("%s is no folder", path);
    if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 022))
        return refuse("others than root may write to %s: chown root and chmod 700 it", path);
    return true;
}

static bool write_all(int fd, const struct text *text)
{
    size_t done = 0;
    while (done < text->len) {
        ssize_t wrote = write(fd, text->bytes + done, text->len - done);
        if (wrote < 0 && errno != EINTR)
            return false;
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return fchmod(fd, 0600) == 0 && fsync(fd) == 0;
}

/* O_EXCL: a key that is there already may be in use, and is never written over. */
static bool write_file(const char *folder, const char *path, const struct text *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST)
        return refuse("%s is there already: choose another name, or remove that key first", path);
    if (fd < 0)
        return refuse("can't make %s: %s", path, strerror(errno));
    bool good = write_all(fd, text);
    int error = errno;
    close(fd);
    int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (good && dir >= 0 && fsync(dir) < 0) {
        error = errno;
        good = false;
    }
    if (dir >= 0)
        close(dir);
    if (good)
        return true;
    unlink(path);
    return refuse("can't write %s: %s", path, strerror(error));
}

/* Without a look at a table by a secret, whose lines in the cache would tell. */
static void put_secret(struct text *text, const uint8_t secret[SEALED_SECRET_SIZE])
{
    put(text, "key    = \"");
    for (unsigned i = 0; i < 2 * SEALED_SECRET_SIZE; i++) {
        unsigned digit = secret[i / 2] >> (i % 2 ? 0 : 4) & 15;
        text->bytes[text->len++] = (char)('0' + digit + ((9 - digit) >> 8 & 39));
    }
    put(text, "\"\n");
}

static void put_rights(struct text *text, const struct key_options *options)
{
    if (options->expires)
        put(text, "expires = \"%s\"\n", options->expires);
    for (unsigned i = 0; i < options->door_count; i++)
        put(text, "%s\"%s\"%s", i ? ", " : "door   = { ", options->doors[i],
            i + 1 == options->door_count ? " }\n" : "");
}

/* How the client gets along behind an address translator, where a knock can't be bound to its own
 * address. */
static void put_binding(struct text *text, const struct config_door *door,
                        const struct key_options *options)
{
    if (options->roaming) {
        put(text, "    bind    = any    # the first who sends it gets in\n");
        return;
    }
    put(text, "    bind    = auto\n");
    if (options->stun)
        put(text,
            "    stun    = \"%s\"    # behind a translator (NAT): tells the address outside\n",
            options->stun);
    else if (door->bound)
        put(text,
            "    # stun  = \"HOST\"    # behind a translator (NAT): who tells the address outside\n");
    else
        put(text,
            "    unbound = true    # behind a translator (NAT): the first who sends it gets in\n");
}

/* Whether some source gets the packet itself: then one will do. A line of a log has no payload. */
static bool hears_packets(const struct config *config)
{
    for (unsigned i = 0; i < config->source_count; i++)
        if (source_is_of_packets(config->sources[i].type))
            return true;
    return false;
}

static void put_profile(struct text *text, const struct config *config,
                        const struct config_door *door, const struct key_options *options)
{
    const struct config_sealed *sealed = &config->sealed;
    struct port_proto port = config_own_port(door);
    put(text,
        "profile \"%s-%s-%s\" {\n    host    = \"%s\"    # or its address\n"
        "    door    = \"%s\"\n",
        door->name, options->name, sealed->server, sealed->server, door->name);
    /* The client waits for a TCP port; of others it asks for none, and gets the door's own. */
    if (port.port && strcmp(proto_name(port.proto), "tcp") == 0)
        put(text, "    port    = %u\n", port.port);
    put(text, "    key     = \"~/.config/knock/%s-%s.key\"\n    carrier = %s\n", options->name,
        sealed->server, hears_packets(config) ? "packet" : "udp");
    put_binding(text, door, options);
    if (sealed->span_configured != CARRIER_SPAN_DEFAULT)
        put(text, "    span    = %u\n", sealed->span_configured);
    if (sealed->packet_port != sealed->span_configured + CARRIER_SPAN_SIZE - 1)
        put(text, "    packet_port = %u\n", sealed->packet_port);
    put(text, "}\n\n");
}

/* The doors that the key is for: those it is made for, or that name it, or that take keys at all.
 */
static bool is_for(const struct config_door *door, const struct key_options *options, bool listed)
{
    for (unsigned i = 0; i < options->door_count; i++)
        if (strcmp(door->name, options->doors[i]) == 0)
            return true;
    if (options->door_count > 0)
        return false;
    return listed ? config_list_has(&door->keys, options->name) : door->keys.set;
}

static bool any_lists(const struct config *config, const char *name)
{
    for (unsigned i = 0; i < config->door_count; i++)
        if (config_list_has(&config->doors[i].keys, name))
            return true;
    return false;
}

static void put_profiles(struct text *text, const struct config *config,
                         const struct key_options *options)
{
    bool listed = any_lists(config, options->name);
    unsigned count = 0;
    put(text,
        "# The key \"%s\" of %s, shown only here: whoever has it opens its doors.\n"
        "# On its device, append this to ~/.config/knock/knock.conf (chmod 600):\n\n",
        options->name, config->sealed.server);
    for (unsigned i = 0; i < config->door_count; i++)
        if (is_for(&config->doors[i], options, listed) && count++ < KEY_DOORS_MAX)
            put_profile(text, config, &config->doors[i], options);
    if (count > KEY_DOORS_MAX)
        put(text, "# %u more doors are like these.\n\n", count - KEY_DOORS_MAX);
    if (count == 0 && config->door_count > 0)
        put_profile(text, config, &config->doors[0], options);
    put(text, "# And this is its file ~/.config/knock/%s-%s.key (chmod 600):\n\n", options->name,
        config->sealed.server);
}

/* What the profiles do behind a translator, and what that costs. */
static void advise_binding(const struct config *config, const struct key_options *options,
                           bool listed)
{
    unsigned bound = 0, unbound = 0;
    for (unsigned i = 0; i < config->door_count; i++)
        if (is_for(&config->doors[i], options, listed))
            ++*(config->doors[i].bound ? &bound : &unbound);
    if (options->stun) {
        fprintf(
            stderr,
            "knockctl key: knocks are bound to the client's public address; behind a translator "
            "(NAT) %s tells it, and learns when and from where it is asked\n",
            options->stun);
        return;
    }
    if (bound > 0)
        fputs("knockctl key: knocks are bound to the client's public address; behind a translator "
              "(NAT) the profile needs stun = \"HOST\", as --stun HOST writes it: a STUN server, "
              "which learns when and from where it is asked; or knock --bind ADDRESS\n",
              stderr);
    for (unsigned i = 0; unbound > 0 && i < config->door_count; i++)
        if (!config->doors[i].bound && is_for(&config->doors[i], options, listed))
            fprintf(stderr,
                    "knockctl key: door \"%s\" has bound = false: behind a translator (NAT) knocks "
                    "are bound to no address, and open for the first who sends the packets; a "
                    "profile with stun = \"HOST\" binds them\n",
                    config->doors[i].name);
}

/* What is still to be done here, for a terminal: not part of the profile. */
static void advise(const struct config *config, const struct key_options *options, const char *path)
{
    bool listed = any_lists(config, options->name);
    fprintf(stderr, "knockctl key: %s is made", path);
    if (!listed)
        fprintf(stderr, "; now name it in %s: door \"%s\" { key = { ..., \"%s\" } ... }",
                config->path, options->door_count ? options->doors[0] : "...", options->name);
    fprintf(stderr, "; then: knockctl reload\n");
    if (!options->roaming) {
        advise_binding(config, options, listed);
        return;
    }
    fputs(
        "knockctl key: its knocks aren't bound to an address, and open for the first who sends the "
        "packets; its doors need bound = false\n",
        stderr);
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].bound && is_for(&config->doors[i], options, listed))
            fprintf(stderr, "knockctl key: door \"%s\" has not\n", config->doors[i].name);
}

static bool print(const struct text *profile)
{
    fwrite(profile->bytes, 1, profile->len, stdout);
    return fflush(stdout) == 0 && !ferror(stdout);
}

static bool make(const struct config *config, const struct key_options *options,
                 struct text texts[2], uint8_t secret[SEALED_SECRET_SIZE])
{
    char path[KEY_PATH_SIZE];
    struct text *file = &texts[0], *profile = &texts[1];
    crypto_random(secret, SEALED_SECRET_SIZE);
    file->len = profile->len = 0;
    put_secret(file, secret);
    put(file, "server = \"%s\"\n", config->sealed.server);
    put_profiles(profile, config, options);
    put(profile, "%.*s", (int)file->len, file->bytes);
    put_rights(file, options);
    if (!make_folder(config->key_dir) ||
        !write_file(config->key_dir, key_file_path(config->key_dir, options->name, path), file))
        return false;
    if (!print(profile)) {
        unlink(path);
        return refuse("can't print the profile, so the key is removed again: %s", strerror(errno));
    }
    advise(config, options, path);
    return true;
}

int key_new(const struct config *config, const struct key_options *options)
{
    if (!check_arguments(options))
        return KNOCKCTL_USAGE;
    struct text *texts = crypto_alloc(2 * sizeof(*texts));
    uint8_t *secret = crypto_alloc(SEALED_SECRET_SIZE);
    bool good = texts && secret && check_server(config) && check_doors(config, options) &&
                make(config, options, texts, secret);
    if (!texts || !secret)
        refuse("out of memory");
    crypto_free(texts);
    crypto_free(secret);
    return good ? KNOCKCTL_DONE : KNOCKCTL_FAILED;
}
