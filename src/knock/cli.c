#include "knock/cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "knock/port.h"
#include "knock/send.h"
#include "knock/target.h"

enum { DELAY_DEFAULT = 20, DELAY_MAX = 60000 };

static const char usage[] = "usage: knock [-uv] [-d MS] [-4|-6] [--dry-run] HOST PORT[:PROTO]...\n";

static const char help[] =
    "  -u, --udp         send UDP where no protocol is said, instead of TCP\n"
    "  -d, --delay MS    wait MS milliseconds between knocks, 0-60000; default 20\n"
    "  -4, --ipv4        use IPv4 only\n"
    "  -6, --ipv6        use IPv6 only\n"
    "  -v, --verbose     print the address and each knock\n"
    "      --dry-run     print the same, send nothing\n"
    "  -V, --version     print the version\n"
    "  -h, --help        print this\n"
    "PORT is a number or a service's name, PROTO is tcp or udp.\n";

struct options {
    int family;
    uint8_t proto; /* of ports that don't say it */
    unsigned delay_ms;
    bool verbose;
    bool dry_run;
};

/* What to do after the options were read. */
enum verdict { GO_ON, DONE, WRONG };

__attribute__((format(printf, 1, 2))) static enum verdict wrong(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("knock: ", stderr);
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n%s", usage);
    va_end(args);
    return WRONG;
}

static enum verdict set_delay(struct options *options, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits <= 9 ? strtoul(text, NULL, 10) : DELAY_MAX + 1;
    if (text[digits] != '\0' || value > DELAY_MAX)
        return wrong("delay \"%s\": expected milliseconds from 0 to %d", text, DELAY_MAX);
    options->delay_ms = (unsigned)value;
    return GO_ON;
}

static enum verdict set_family(struct options *options, int family)
{
    if (options->family != AF_UNSPEC && options->family != family)
        return wrong("-4 and -6 exclude each other: give one of them");
    options->family = family;
    return GO_ON;
}

static enum verdict apply_option(struct options *options, int letter)
{
    switch (letter) {
    case 'u':
        options->proto = IPPROTO_UDP;
        return GO_ON;
    case 'd':
        return set_delay(options, optarg);
    case '4':
        return set_family(options, AF_INET);
    case '6':
        return set_family(options, AF_INET6);
    case 'v':
        options->verbose = true;
        return GO_ON;
    case 'n':
        options->dry_run = true;
        return GO_ON;
    case 'V':
        puts("knock " KNOCKD_VERSION);
        return DONE;
    case 'h':
        printf("%s%s", usage, help);
        return DONE;
    default: /* getopt_long has named the option */
        fputs(usage, stderr);
        return WRONG;
    }
}

static enum verdict read_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"udp", no_argument, NULL, 'u'},
        {"delay", required_argument, NULL, 'd'},
        {"ipv4", no_argument, NULL, '4'},
        {"ipv6", no_argument, NULL, '6'},
        {"verbose", no_argument, NULL, 'v'},
        {"dry-run", no_argument, NULL, 'n'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    enum verdict verdict = GO_ON;
    int letter;
    optind = 0; /* starts getopt_long over, should it have run before */
    while (verdict == GO_ON && (letter = getopt_long(argc, argv, "ud:46vVh", names, NULL)) != -1)
        verdict = apply_option(options, letter);
    return verdict;
}

static bool read_steps(char **texts, unsigned count, uint8_t proto, struct step *steps)
{
    for (unsigned i = 0; i < count; i++) {
        const char *why;
        if (!knock_port_parse(texts[i], proto, knock_service_lookup, &steps[i], &why)) {
            wrong("port \"%s\": %s", texts[i], why);
            return false;
        }
    }
    return true;
}

static bool resolve(const char *host, int family, struct knock_target *target)
{
    struct step step;
    const char *why;
    /* The resolver takes 7000 for 0.0.27.88: a forgotten HOST would go unnoticed. */
    if (step_parse(host, &step, &why)) {
        wrong("host \"%s\" is a port: give HOST before the ports", host);
        return false;
    }
    if (knock_target_resolve(host, family, target, &why))
        return true;
    if (family == AF_UNSPEC)
        fprintf(stderr, "knock: cannot resolve \"%s\": %s; check the name or give an address\n",
                host, why);
    else
        fprintf(stderr, "knock: cannot resolve \"%s\" to an IPv%d address: %s; try without -%d\n",
                host, family == AF_INET ? 4 : 6, why, family == AF_INET ? 4 : 6);
    return false;
}

static void pause_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR)
        continue;
}

static bool knock_once(struct knock_sender *sender, const struct knock_target *target,
                       struct step step, const struct options *options)
{
    char point[KNOCK_POINT_SIZE];
    knock_target_point(target, step, point);
    if (options->verbose || options->dry_run)
        printf("hitting %s\n", point);
    int error = options->dry_run ? 0 : knock_send(sender, target, step);
    if (error == 0)
        return true;
    const char *advice = knock_send_advice(target, error);
    fprintf(stderr, "knock: cannot send to %s: %s%s%s\n", point, strerror(error),
            advice ? "; " : "", advice ? advice : "");
    return false;
}

static bool knock_all(const struct knock_target *target, const struct step *steps, unsigned count,
                      const struct options *options)
{
    struct knock_sender sender;
    bool sent = true;
    knock_sender_open(&sender);
    for (unsigned i = 0; sent && i < count; i++) {
        if (i > 0 && !options->dry_run)
            pause_ms(options->delay_ms);
        sent = knock_once(&sender, target, steps[i], options);
    }
    knock_sender_close(&sender);
    return sent;
}

/* HOST PORT[:PROTO]...: nothing is sent before every argument is known to be right. */
static bool knock_ports(int argc, char **argv, const struct options *options)
{
    if (argc < 2) {
        if (argc < 1)
            wrong("no HOST given");
        else
            wrong("no PORT given to knock at on host \"%s\"", argv[0]);
        return false;
    }
    unsigned count = (unsigned)argc - 1;
    struct step *steps = calloc(count, sizeof(*steps));
    if (!steps) {
        fprintf(stderr, "knock: out of memory for %u ports\n", count);
        return false;
    }
    struct knock_target target;
    bool done = read_steps(argv + 1, count, options->proto, steps) &&
                resolve(argv[0], options->family, &target);
    if (done && target.named && (options->verbose || options->dry_run))
        printf("%s is %s\n", argv[0], target.text);
    done = done && knock_all(&target, steps, count, options);
    free(steps);
    return done;
}

/* What was asked for may be the output itself: with -V, -h or --dry-run on a full disk. */
static bool flush_output(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    fprintf(stderr, "knock: cannot write to standard output: %s\n", strerror(errno));
    return false;
}

int knock_main(int argc, char **argv)
{
    char name[] = "knock"; /* for the messages of getopt_long, whatever path it was called by */
    struct options options = {.family = AF_UNSPEC, .proto = IPPROTO_TCP, .delay_ms = DELAY_DEFAULT};
    if (argc > 0)
        argv[0] = name;
    setvbuf(stdout, NULL, _IOLBF, 0);
    enum verdict verdict = read_options(argc, argv, &options);
    bool done = verdict == DONE;
    if (verdict == GO_ON)
        done = knock_ports(argc - optind, argv + optind, &options);
    return flush_output() && done ? EXIT_SUCCESS : EXIT_FAILURE;
}
