/* Reads the command line and does what its form asks for. */
#include "knock/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knock/attempt.h"
#include "knock/options.h"
#include "knock/output.h"
#include "knock/plain_form.h"
#include "knock/proxy.h"

/* The shell's exit statuses of a command that isn't there, or can't be run. */
enum { NOT_FOUND = 127, NOT_RUN = 126 };

/* What was asked for may be the output itself: with -V, -h or --dry-run on a full disk. */
static bool flush_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "knock: cannot write to standard output: %s\n", strerror(errno));
    return false;
}

/* Profiles are where XDG says, or in ~/.config. */
static bool find_config(const struct options *options, char *out, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool own = config && config[0] == '/';
    int len;
    if (options->config)
        len = snprintf(out, size, "%s", options->config);
    else if (own)
        len = snprintf(out, size, "%s/knock/knock.conf", config);
    else
        len = snprintf(out, size, "%s/.config/knock/knock.conf", home ? home : "");
    if (len > 0 && (size_t)len < size)
        return true;
    output_error("the path of the profiles is too long: name the file with -c FILE");
    return false;
}

/* The arguments of a form say the same as keys of a profile would. */
static void add_words(struct options *options)
{
    static const char *const key_words[] = {"host", "door"}, *const proxy_words[] = {"port"};
    bool proxy = options->form == FORM_PROXY;
    const char *const *keys = proxy ? proxy_words : key_words;
    for (unsigned i = proxy ? 2 : 0; options->form != FORM_PROFILE && i < options->word_count; i++)
        options->values[options->value_count++] =
            (struct profile_value){.key = *keys++, .text = options->words[i]};
}

static int run(char **command)
{
    execvp(command[0], command);
    int error = errno;
    output_error("cannot run %s: %s", command[0], strerror(error));
    return error == ENOENT ? NOT_FOUND : NOT_RUN;
}

static int knock_profile(const struct options *options, const struct profile *profile)
{
    bool proxy = options->form == FORM_PROXY, command = options->command && options->command[0];
    struct attempt attempt = {.profile = profile,
                              .proxy_host = proxy ? options->words[1] : NULL,
                              .close = options->close,
                              .always = options->always,
                              .verbose = options->verbose,
                              .quiet = proxy || command};
    int connected;
    if (options->close && !profile->key) {
        output_error("--close needs a sealed knock: a sequence can only open");
        return ATTEMPT_NOT_SENT;
    }
    if (proxy && profile->port == 0) {
        output_error("--proxy needs a PORT to connect to, not 0");
        return ATTEMPT_NOT_SENT;
    }
    if (proxy && profile->open_for.family) {
        output_error(
            "--proxy can't connect to a port that opens for another address: leave out --for");
        return ATTEMPT_NOT_SENT;
    }
    if (options->dry_run)
        return (int)attempt_show(&attempt);
    enum attempt_end end = attempt_run(&attempt, &connected);
    if (end == ATTEMPT_OPEN && proxy)
        return proxy_relay(connected) ? ATTEMPT_OPEN : ATTEMPT_SHUT;
    if (connected >= 0)
        close(connected);
    return end == ATTEMPT_OPEN && command ? run(options->command) : (int)end;
}

static int knock_sealed(struct options *options)
{
    char path[4096];
    struct profile profile;
    int status = ATTEMPT_NOT_SENT;
    add_words(options);
    if (!find_config(options, path, sizeof(path)))
        return status;
    const char *name = options->form == FORM_KEY ? NULL : options->words[0];
    if (profile_load(path, name, options->values, options->value_count, &profile))
        status = knock_profile(options, &profile);
    profile_free(&profile);
    return status;
}

static int knock_waiting(const struct options *options)
{
    struct profile profile;
    int status = ATTEMPT_NOT_SENT;
    if (ports_profile(options, &profile))
        status = knock_profile(options, &profile);
    profile_free(&profile);
    return status;
}

/* NAME, HOST, DOOR and how, by tabs, for other programs, too. */
static void print_profile(const struct profile *profile, bool good)
{
    static const char *const carriers[] = {[PACKETS_UDP] = "sealed udp",
                                           [PACKETS_TCP] = "sealed tcp",
                                           [PACKETS_ONE] = "sealed packet"};
    const char *how = !good           ? "wrong"
                      : profile->key  ? carriers[profile->carrier]
                      : profile->once ? "once"
                                      : "sequence";
    printf("%s\t%s\t%s\t%s\n", profile->name, profile->host ? profile->host : "-",
           profile->door ? profile->door : "-", how);
}

static int list_profiles(const struct options *options)
{
    char path[4096];
    return find_config(options, path, sizeof(path)) && profile_each(path, print_profile)
               ? EXIT_SUCCESS
               : EXIT_FAILURE;
}

static int act(struct options *options)
{
    bool command = options->command && options->command[0];
    if (options->form == FORM_LIST)
        return list_profiles(options);
    if (options->form != FORM_PORTS)
        return knock_sealed(options);
    if (options->waits || command)
        return knock_waiting(options);
    return knock_ports(options) ? EXIT_SUCCESS : EXIT_FAILURE;
}

int knock_main(int argc, char **argv)
{
    struct options options;
    int status = EXIT_FAILURE;
    setvbuf(stdout, NULL, _IOLBF, 0);
    enum options_result result = options_read(argc, argv, &options);
    if (result == OPTIONS_DONE)
        status = EXIT_SUCCESS;
    else if (result == OPTIONS_RUN)
        status = act(&options);
    return flush_output() || status != EXIT_SUCCESS ? status : EXIT_FAILURE;
}
