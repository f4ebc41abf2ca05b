/* knockctl rules */
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "knockctl/check.h"
#include "knockctl/knockctl.h"
#include "knockctl/trial.h"
#include "lib/clock.h"
#include "lib/config_values.h"

enum { TRY_MAX = 86400 };

struct options {
    const char *config;
    enum rules_kind kind;
    bool kind_said, nflog, again, check, json;
    unsigned seconds; /* 0: print */
    struct port_set accept;
};

static int set_kind(const struct arguments *arguments, struct options *options)
{
    static const enum option_id ids[] = {
        [RULES_IP4] = OPTION_IPV4, [RULES_IP6] = OPTION_IPV6, [RULES_NFT] = OPTION_NFT};
    for (int kind = RULES_IP4; kind <= RULES_NFT; kind++) {
        if (!arguments_have(arguments, ids[kind]))
            continue;
        if (options->kind_said)
            return arguments_wrong(arguments, "-4, -6 and --nft exclude each other");
        options->kind = (enum rules_kind)kind;
        options->kind_said = true;
    }
    return KNOCKCTL_DONE;
}

static int set_seconds(const struct arguments *arguments, struct options *options)
{
    const char *text = arguments_text(arguments, OPTION_TRY, NULL);
    if (!text)
        return KNOCKCTL_DONE;
    int64_t time;
    if (!parse_duration(text, &time) || time == 0 || time > TRY_MAX * CLOCK_SECOND)
        return arguments_wrong(arguments,
                               "--try \"%s\": expected a time from 1s to 1d, as seconds or with s, "
                               "m, h or d behind the number",
                               text);
    options->seconds = (unsigned)(time / CLOCK_SECOND);
    return KNOCKCTL_DONE;
}

static int add_accept(const struct arguments *arguments, struct options *options)
{
    for (unsigned i = 0; i < arguments->option_count; i++) {
        struct port_proto step;
        const char *why, *text = arguments->options[i].text;
        if (arguments->options[i].id != OPTION_ACCEPT)
            continue;
        if (!port_proto_parse(text, &step, &why))
            return arguments_wrong(arguments, "--accept \"%s\": %s", text, why);
        port_set_add(&options->accept, step.proto, step.port, step.port);
    }
    return KNOCKCTL_DONE;
}

static int read_options(const struct arguments *arguments, struct options *options)
{
    options->config = arguments_text(arguments, OPTION_CONFIG, DEFAULT_CONFIG);
    options->nflog = arguments_have(arguments, OPTION_NFLOG);
    options->again = arguments_have(arguments, OPTION_AGAIN);
    options->check = arguments_have(arguments, OPTION_CHECK);
    options->json = arguments_have(arguments, OPTION_JSON);
    int status = set_kind(arguments, options);
    if (status == KNOCKCTL_DONE)
        status = set_seconds(arguments, options);
    if (status == KNOCKCTL_DONE)
        status = add_accept(arguments, options);
    if (status != KNOCKCTL_DONE)
        return status;
    if (options->json && !options->check)
        return arguments_wrong(arguments, "--json goes with --check: rules are for their programs");
    if (options->again && options->seconds > 0)
        return arguments_wrong(arguments, "--again: --try finds out by itself what is in place");
    if (options->check && (options->nflog || options->again || options->seconds > 0 ||
                           !port_set_is_empty(&options->accept)))
        return arguments_wrong(
            arguments, "--check changes nothing: it goes with -4, -6, --nft and --json alone");
    return KNOCKCTL_DONE;
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

/* The rules of each configuration fill the same chains. */
static void tell_of_another(const char *config, enum rules_kind kind)
{
    if (strcmp(config, DEFAULT_CONFIG) == 0 || access(DEFAULT_CONFIG, F_OK) < 0)
        return;
    fprintf(stderr,
            "knockctl rules: these fill %s, as those of " DEFAULT_CONFIG
            " do, and would take their place: where both knockds are to run, join their rules by "
            "hand\n",
            kind == RULES_NFT ? "the table inet knockd" : "the chains KNOCKD and KNOCKD-DENY");
}

/* Who applies these rules should know what they are for, and what they close. */
static void tell_purpose(const struct rules *rules, const char *config, enum rules_kind kind)
{
    struct port_set listening = {0};
    tell_of_another(config, kind);
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
    tell_purpose(&rules, options->config, options->kind);
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
    tell_purpose(&parts[0].rules, options->config, parts[0].kind);
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
    struct json json = {.out = stdout};
    struct findings findings = {.out = stdout, .json = options->json ? &json : NULL};
    if (options->json)
        json_begin(&json, stdout, REPLY_LIST);
    int status = check_run(&findings, config, &rules, options->kind, options->kind_said);
    if (options->json)
        json_end(&json);
    return status;
}

int knockctl_rules(const struct arguments *arguments)
{
    struct options options = {.kind = RULES_IP4};
    struct report report = {.say = say};
    int status = read_options(arguments, &options);
    if (status != KNOCKCTL_DONE)
        return status;
    struct config *config = config_load(options.config, &report);
    if (!config)
        return options.check ? CHECK_FAILED : KNOCKCTL_FAILED;
    if (options.check)
        status = check(config, &options);
    else if (options.seconds > 0)
        status = try_out(config, &options, &report) ? KNOCKCTL_DONE : KNOCKCTL_FAILED;
    else
        status = print(config, &options, &report) ? KNOCKCTL_DONE : KNOCKCTL_FAILED;
    config_free(config);
    return status;
}
