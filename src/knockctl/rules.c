/* knockctl rules */
#include <getopt.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knockctl/check.h"
#include "knockctl/knockctl.h"
#include "knockctl/trial.h"

enum { TRY_MAX = 86400 };

static const char usage[] =
    "usage: knockctl rules [-c FILE] [-4|-6|--nft] [--nflog] [--accept PORT[:PROTO]]... "
    "[--again | --try SECONDS]\n"
    "       knockctl rules --check [-c FILE] [-4|-6|--nft]\n";

static const char help[] =
    "  -c, --config FILE          read FILE instead of /etc/knockd.conf\n"
    "  -4                         print what iptables-restore --noflush reads; the default\n"
    "  -6                         print what ip6tables-restore --noflush reads\n"
    "      --nft                  print what nft -f - reads, for both families\n"
    "      --nflog                log to groups of NFLOG alone; else as each source reads\n"
    "      --accept PORT[:PROTO]  leave this port open for everyone\n"
    "      --again                such rules are in place: replace them\n"
    "      --try SECONDS          apply, for both families, and take back unless confirmed\n"
    "      --check                look at the firewall in force, and tell what it lacks\n"
    "  -h, --help                 print this\n";

struct options {
    const char *config;
    enum rules_kind kind;
    bool kind_said, nflog, again, check, help;
    unsigned seconds; /* 0: print */
    struct port_set accept;
};

static bool wrong(const char *what, const char *text, const char *why)
{
    fprintf(stderr, "knockctl rules: %s \"%s\": %s\n%s", what, text, why, usage);
    return false;
}

static bool set_kind(struct options *options, enum rules_kind kind)
{
    if (options->kind_said && options->kind != kind) {
        fprintf(stderr, "knockctl rules: -4, -6 and --nft exclude each other\n%s", usage);
        return false;
    }
    options->kind = kind;
    options->kind_said = true;
    return true;
}

static bool set_seconds(struct options *options, const char *text)
{
    size_t digits = strspn(text, "0123456789");
    unsigned long value = digits > 0 && digits < 7 ? strtoul(text, NULL, 10) : 0;
    if (text[digits] != '\0' || value == 0 || value > TRY_MAX)
        return wrong("--try", text, "expected seconds from 1 to 86400");
    options->seconds = (unsigned)value;
    return true;
}

static bool add_accept(struct options *options, const char *text)
{
    struct port_proto step;
    const char *why;
    if (!port_proto_parse(text, &step, &why))
        return wrong("--accept", text, why);
    port_set_add(&options->accept, step.proto, step.port, step.port);
    return true;
}

static bool apply_option(struct options *options, int letter)
{
    switch (letter) {
    case 'c':
        options->config = optarg;
        return true;
    case '4':
        return set_kind(options, RULES_IP4);
    case '6':
        return set_kind(options, RULES_IP6);
    case 'n':
        return set_kind(options, RULES_NFT);
    case 'l':
        options->nflog = true;
        return true;
    case 'a':
        return add_accept(options, optarg);
    case 'g':
        options->again = true;
        return true;
    case 't':
        return set_seconds(options, optarg);
    case 'k':
        options->check = true;
        return true;
    case 'h':
        options->help = true;
        return true;
    default: /* getopt_long has named the option */
        fputs(usage, stderr);
        return false;
    }
}

static bool read_options(int argc, char **argv, struct options *options)
{
    static const struct option names[] = {
        {"config", required_argument, NULL, 'c'},
        {"nft", no_argument, NULL, 'n'},
        {"nflog", no_argument, NULL, 'l'},
        {"accept", required_argument, NULL, 'a'},
        {"again", no_argument, NULL, 'g'},
        {"try", required_argument, NULL, 't'},
        {"check", no_argument, NULL, 'k'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    optind = 0;
    for (int letter; (letter = getopt_long(argc, argv, "c:46h", names, NULL)) != -1;)
        if (!apply_option(options, letter))
            return false;
    if (optind < argc)
        return wrong("argument", argv[optind], "none is expected");
    if (options->again && options->seconds > 0)
        return wrong("option", "--again", "--try finds out by itself what is in place");
    if (options->check && (options->nflog || options->again || options->seconds > 0 ||
                           !port_set_is_empty(&options->accept)))
        return wrong("option", "--check", "it changes nothing: it goes with -4, -6, --nft alone");
    return true;
}

static void say(void *arg, bool error, const char *text)
{
    (void)arg;
    (void)error;
    fprintf(stderr, "%s\n", text);
}

/* A port can't be both: for everyone, and for those who knock. */
static bool check_accept(const struct rules *rules)
{
    static const uint8_t protos[] = {IPPROTO_TCP, IPPROTO_UDP};
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t port = 1; port <= UINT16_MAX; port++) {
            uint16_t p = (uint16_t)port;
            bool closed = port_set_has(&rules->doors, protos[i], p) ||
                          port_set_has(&rules->knocks, protos[i], p);
            if (!closed || !port_set_has(&rules->accept, protos[i], p))
                continue;
            fprintf(stderr,
                    "knockctl rules: --accept %u:%s: a door opens this port, or a knock "
                    "needs it; it can't be open for everyone\n",
                    port, proto_name(protos[i]));
            return false;
        }
    }
    return true;
}

/* Names the TCP ports that programs listen on, those of knocks or the others. */
static bool tell_listening(const struct rules *rules, const struct port_set *listening, bool knocks)
{
    uint16_t first, last;
    bool any = false;
    for (uint32_t from = 0; port_set_range(listening, IPPROTO_TCP, from, &first, &last);
         from = first + 1u) {
        if (port_set_has(&rules->doors, IPPROTO_TCP, first) ||
            port_set_has(&rules->accept, IPPROTO_TCP, first) ||
            port_set_has(&rules->knocks, IPPROTO_TCP, first) != knocks)
            continue;
        if (!any)
            fprintf(stderr, "knockctl rules: programs listen on these TCP ports%s:",
                    knocks ? " of knocks" : "");
        fprintf(stderr, " %u", first);
        any = true;
    }
    if (any)
        fputc('\n', stderr);
    return any;
}

/* Who applies these rules should know what they are for, and what they close. */
static void tell_purpose(const struct rules *rules, enum rules_kind kind)
{
    struct port_set listening = {0};
    if (rules->log_count == 0)
        fputs("knockctl rules: knocks are captured (type pcap), so no rule is needed to hear them; "
              "these close what doors open, and what nobody else accepts\n",
              stderr);
    ports_add_listening(&listening);
    if (tell_listening(rules, &listening, false))
        fprintf(stderr, "knockctl rules: they will be closed unless %s--accept PORT is given\n",
                kind == RULES_NFT ? "" : "your own rules accept them or ");
    if (tell_listening(rules, &listening, true))
        fputs("knockctl rules: they will be closed; move them, or the knocks (sealed { span })\n",
              stderr);
}

static bool make(const struct config *config, const struct options *options, enum rules_kind kind,
                 struct report *report, struct rules *rules)
{
    *rules = (struct rules){.accept = options->accept};
    return rules_collect(config, kind, options->nflog, rules, report) && check_accept(rules);
}

static bool print(const struct config *config, const struct options *options, struct report *report)
{
    struct rules rules;
    if (!make(config, options, options->kind, report, &rules))
        return false;
    tell_purpose(&rules, options->kind);
    if (options->kind == RULES_NFT)
        rules_print_nft(stdout, &rules);
    else
        rules_print_iptables(stdout, &rules, options->kind,
                             JUMP_LAST | (options->again ? JUMP_MOVED : JUMP_FIRST));
    return true;
}

/* Without -4, -6 or --nft both families: a door closed for one of them only is open. */
static bool try_out(const struct config *config, const struct options *options,
                    struct report *report)
{
    struct trial_part parts[2] = {{.kind = options->kind}, {.kind = RULES_IP6}};
    bool both = !options->kind_said && access("/proc/net/if_inet6", F_OK) == 0;
    if (!make(config, options, parts[0].kind, report, &parts[0].rules))
        return false;
    parts[1].rules = parts[0].rules;
    tell_purpose(&parts[0].rules, parts[0].kind);
    return trial_run(parts, both ? 2 : 1, options->seconds);
}

/* The configuration's own doubts were told when the rules were made; here they hide findings. */
static void say_errors(void *arg, bool error, const char *text)
{
    if (error)
        say(arg, error, text);
}

static int check(const struct config *config, const struct options *options)
{
    struct rules rules;
    struct report report = {.say = say_errors};
    if (!make(config, options, options->kind, &report, &rules))
        return CHECK_FAILED;
    return check_run(config, &rules, options->kind, options->kind_said);
}

int knockctl_rules(int argc, char **argv)
{
    struct options options = {.config = "/etc/knockd.conf", .kind = RULES_IP4};
    struct report report = {.say = say};
    if (!read_options(argc, argv, &options))
        return options.check ? CHECK_FAILED : EXIT_FAILURE;
    if (options.help) {
        printf("%s%s", usage, help);
        return EXIT_SUCCESS;
    }
    struct config *config = config_load(options.config, &report);
    if (!config)
        return options.check ? CHECK_FAILED : EXIT_FAILURE;
    int status;
    if (options.check)
        status = check(config, &options);
    else if (options.seconds > 0)
        status = try_out(config, &options, &report) ? EXIT_SUCCESS : EXIT_FAILURE;
    else
        status = print(config, &options, &report) ? EXIT_SUCCESS : EXIT_FAILURE;
    config_free(config);
    return status;
}
