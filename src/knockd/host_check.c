/* Checks what of this host, as it is just now, keeps knocks from being logged, or lets others make
 * them. */
#include "knockd/host_check.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "keeper/process_output.h"
#include "keeper/program.h"
#include "lib/capture_ports.h"
#include "lib/clock.h"
#include "lib/config_file.h"
#include "lib/netfilter.h"
#include "lib/rule_words.h"

/* How long a program may take. */
static const int64_t program_limit = 8 * CLOCK_SECOND;

static void check_door(const struct config_door *door, const struct port_set *taken,
                       struct report *report)
{
    for (unsigned i = 0; i < door->sequence.count; i++) {
        struct port_proto step = door->sequence.steps[i];
        if (port_set_has(taken, step.proto, step.port))
            report_warning(
                report, door->sequence_pos,
                "door \"%s\": something on this host listens on %u:%s; a knock there may "
                "be accepted, and then it isn't logged",
                door->name, step.port, proto_name(step.proto));
    }
}

/* What captures packets hears those that are accepted, too. */
static bool needs_denial(const struct config *config, const struct config_door *door)
{
    bool needs = false;
    for (unsigned i = 0; i < config->source_count; i++)
        needs |= config_hears(door, i) && !source_is_captured(config->sources[i].type);
    return needs;
}

void host_check_ports(const struct config *config, const struct port_set *taken,
                      struct report *report)
{
    for (unsigned i = 0; i < config->door_count; i++)
        if (needs_denial(config, &config->doors[i]))
            check_door(&config->doors[i], taken, report);
}

/* The first door that a line of the source number `source` can open, which is one with a sequence;
 * NULL: none. */
static const struct config_door *find_door_with_sequence(const struct config *config,
                                                         unsigned source, unsigned *count)
{
    const struct config_door *first = NULL;
    *count = 0;
    for (unsigned i = 0; i < config->door_count; i++) {
        const struct config_door *door = &config->doors[i];
        if ((door->sequence.count == 0 && !door->once_path.text) || !config_hears(door, source))
            continue;
        first = first ? first : door;
        ++*count;
    }
    return first;
}

/* Where a rule logs to. */
struct logging {
    const char *prefix; /* NULL: it doesn't log */
    bool nflog;
    unsigned long group;
};

static struct logging logging_of(const struct rule_words *rule)
{
    struct logging logging = {0};
    for (unsigned i = 0; i + 1 < rule->count; i++) {
        const char *word = rule->words[i], *value = rule->words[i + 1];
        bool jump = strcmp(word, "-j") == 0;
        if (strcmp(word, "--log-prefix") == 0 || strcmp(word, "--nflog-prefix") == 0)
            logging.prefix = value;
        else if (strcmp(word, "--nflog-group") == 0)
            logging.group = strtoul(value, NULL, 10);
        else if (jump && strcmp(value, "NFLOG") == 0)
            logging.nflog = true;
        if (jump && !logging.prefix && (logging.nflog || strcmp(value, "LOG") == 0))
            logging.prefix = "";
    }
    return logging;
}

/* Whether the source hears what is logged so, with this prefix of its own. Which groups ulogd has
 * isn't known. */
static bool hears(const struct config_source *source, const struct logging *logging,
                  const char *prefix)
{
    bool nflog = source->type == SOURCE_NFLOG;
    return logging->prefix && strncmp(logging->prefix, prefix, strlen(prefix)) == 0 &&
           logging->nflog == (nflog || source->format == FORMAT_ULOGD) &&
           (!nflog || logging->group == source->group);
}

static bool names_ports(const struct rule_words *rule)
{
    for (unsigned i = 0; i < rule->count; i++)
        if (strcmp(rule->words[i], "--dport") == 0 || strcmp(rule->words[i], "--dports") == 0)
            return true;
    return false;
}

/* Whether rules of any table that iptables-save(8) printed log for the source with this prefix, and
 * each of them only some ports. False as well when memory is short. */
static bool logs_some_ports(FILE *rules, const struct config_source *source, const char *prefix)
{
    char line[2048];
    unsigned all = 0, some = 0;
    rewind(rules);
    while (fgets(line, sizeof(line), rules)) {
        struct rule_words rule;
        if (strncmp(line, "-A ", 3) != 0)
            continue;
        if (!rule_words_split(line, strcspn(line, "\n"), &rule))
            return false;
        struct logging logging = logging_of(&rule);
        if (hears(source, &logging, prefix))
            (*(names_ports(&rule) ? &some : &all))++;
        free(rule.text);
    }
    return some > 0 && all == 0;
}

static void check_prefix(const struct config_source *source, const struct config_text *prefix,
                         FILE *rules, struct report *report)
{
    char group[32] = "";
    if (!logs_some_ports(rules, source, prefix->text))
        return;
    if (source->type == SOURCE_NFLOG)
        snprintf(group, sizeof(group), " to group %u of NFLOG", source->group);
    report_warning(report, prefix->pos,
                   "source \"%s\": the firewall logs only some ports%s with prefix \"%s\"; "
                   "of a port scan it then logs nothing but the knock; log all that is "
                   "denied (see knockctl rules)",
                   source->name, group, prefix->text);
}

static void check_source(const struct config_source *source, FILE *rules, struct report *report)
{
    struct config_text any = {.text = (char[]){""}, .pos = source->pos};
    if (source->type == SOURCE_PCAP)
        return;
    for (unsigned i = 0; i < source->prefixes.count; i++)
        check_prefix(source, &source->prefixes.items[i], rules, report);
    if (source->prefixes.count == 0 && source->type == SOURCE_NFLOG)
        check_prefix(source, &any, rules, report);
}

void host_check_rules(const struct config *config, FILE *rules, struct report *report)
{
    unsigned with_sequence;
    for (unsigned i = 0; i < config->source_count; i++)
        if (find_door_with_sequence(config, i, &with_sequence))
            check_source(&config->sources[i], rules, report);
}

/* --- prefixes --- */

/* The longest --log-prefix and --nflog-prefix of iptables (xt_LOG.h, xt_NFLOG.h: with a NUL, 30 and
 * 64 bytes), and of nft. */
enum { LOG_PREFIX_LONGEST = 29, NFLOG_PREFIX_LONGEST = 63, NFT_PREFIX_LONGEST = 127 };

static void check_length(const struct config_source *source, const struct config_text *prefix,
                         struct report *report)
{
    bool nflog = source->type == SOURCE_NFLOG || source->format == FORMAT_ULOGD;
    size_t len = strlen(prefix->text);
    int longest = nflog ? NFLOG_PREFIX_LONGEST : LOG_PREFIX_LONGEST;
    if (len > (size_t)longest)
        report_warning(report, prefix->pos,
                       "source \"%s\": this prefix has %zu characters, and %s of iptables takes "
                       "%d at most; shorten it, unless nft logs, which takes %d",
                       source->name, len, nflog ? "NFLOG" : "LOG", longest, NFT_PREFIX_LONGEST);
}

void host_check_prefixes(const struct config *config, struct report *report)
{
    for (unsigned i = 0; i < config->source_count; i++)
        for (unsigned j = 0; j < config->sources[i].prefixes.count; j++)
            check_length(&config->sources[i], &config->sources[i].prefixes.items[j], report);
}

/* --- what a capture takes in --- */

/* The door with a step so near to the port that a capture by one of `sources` takes in what comes
 * to that. */
static const struct config_door *find_near(const struct config *config, uint64_t sources,
                                           uint8_t proto, uint16_t port)
{
    for (unsigned i = 0; i < config->door_count; i++)
        for (unsigned j = 0; j < config->doors[i].sequence.count; j++) {
            const struct config_door *door = &config->doors[i];
            struct port_proto step = door->sequence.steps[j];
            if ((~door->unheard & sources) && step.proto == proto &&
                abs((int)step.port - (int)port) <= SEQUENCE_DECOYS)
                return door;
        }
    return NULL;
}

void host_check_captured(const struct config *config, const struct port_set *taken,
                         struct report *report)
{
    static const uint8_t protos[] = {IPPROTO_UDP, IPPROTO_TCP};
    struct capture_ports capture;
    uint64_t captured = 0;
    for (unsigned i = 0; i < config->source_count; i++)
        if (source_is_captured(config->sources[i].type))
            captured |= UINT64_C(1) << i;
    if (!captured)
        return;
    capture_ports_init(&capture, config, captured);
    struct port_set found = *taken;
    port_set_keep(&found, &capture.near);
    port_set_remove(&found, &capture.served);
    for (size_t i = 0; i < sizeof(protos) / sizeof(*protos); i++) {
        uint16_t first, last;
        for (uint32_t from = 0; port_set_range(&found, protos[i], from, &first, &last);
             from = last + 1u) {
            const struct config_door *door = find_near(config, captured, protos[i], first);
            if (door)
                report_warning(report, door->sequence_pos,
                               "door \"%s\": something on this host listens on %u:%s, within %d "
                               "ports of a step, so all that it gets is captured as well; move the "
                               "step away, or name that port in ignore",
                               door->name, first, proto_name(protos[i]), SEQUENCE_DECOYS);
        }
    }
}

enum netns_logging host_check_read_netns(const char *folder)
{
    char path[128], value = '0';
    snprintf(path, sizeof(path), "%s/nf_log_all_netns", folder);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        /* Other namespaces have all of this folder but that. */
        snprintf(path, sizeof(path), "%s/nf_log", folder);
        return errno == ENOENT && access(path, F_OK) == 0 ? NETNS_NOT_FIRST : NETNS_FIRST;
    }
    bool all = read(fd, &value, 1) == 1 && value != '0';
    close(fd);
    return all ? NETNS_ALL : NETNS_FIRST;
}

void host_check_netns(const struct config *config, enum netns_logging logging,
                      struct report *report)
{
    for (unsigned i = 0; logging != NETNS_FIRST && i < config->source_count; i++) {
        unsigned count;
        char others[32] = "";
        const struct config_source *source = &config->sources[i];
        const struct config_door *door = find_door_with_sequence(config, i, &count);
        if (!door || (source->type != SOURCE_KMSG && source->type != SOURCE_JOURNAL))
            continue;
        if (count > 1)
            snprintf(others, sizeof(others), " and %u more", count - 1);
        report_warning(
            report, source->pos,
            "source \"%s\": %s, any local user can have the kernel log packets of any "
            "address, in a network namespace of his own, and so knock at door \"%s\"%s, "
            "which a sequence opens; have the firewall hand the packets to knockd (type = "
            "nflog), which hears this namespace alone, %s, or let sealed knocks alone "
            "open doors (key in place of sequence)",
            source->name,
            logging == NETNS_ALL
                ? "since net.netfilter.nf_log_all_netns is 1"
                : "this is not the first network namespace, so the kernel logs its "
                  "packets only with net.netfilter.nf_log_all_netns = 1, and then",
            door->name, others,
            logging == NETNS_ALL ? "set that to 0" : "run knockd in the first one");
    }
}

/* --- who writes a log --- */

/* Permissions to write that somebody has of whom a log needn't take lines. A group of root's is
 * none but root; an ordinary user's own is his, as it is where each user has one. */
static unsigned others_write(const struct config_file *file)
{
    bool own = file->group == 0 || (geteuid() != 0 && file->group == getegid());
    return file->sheltered ? 0 : file->mode & (own ? 02 : 022);
}

void host_check_writers(const struct config *config, struct report *report)
{
    for (unsigned i = 0; i < config->source_count; i++) {
        unsigned count;
        char others[32] = "";
        struct config_file file;
        const struct config_source *source = &config->sources[i];
        const struct config_door *door = find_door_with_sequence(config, i, &count);
        if (source->type != SOURCE_FILE || !door || !config_file_look(source->path, &file))
            continue;
        unsigned bits = others_write(&file);
        if (count > 1)
            snprintf(others, sizeof(others), " and %u more", count - 1);
        if (bits)
            report_warning(
                report, source->pos,
                "source \"%s\": %s may write %s (mode %04o), and so knock as any address "
                "at door \"%s\"%s, which a sequence opens: chmod %s it, and let what "
                "writes it make it so (rsyslog: fileCreateMode, a logrotate: create)",
                source->name, bits & 02 ? "all users" : "its group", source->path, file.mode,
                door->name, others, bits & 02 ? "go-w" : "g-w");
        config_file_free(&file);
    }
}

/* What a program prints, with one argument or (NULL) none, in a temporary file; NULL when it can't
 * be had within its time. */
static FILE *output_of(const char *name, const char *argument)
{
    const char *const arguments[] = {argument, NULL};
    char *path = program_find(name);
    struct command command;
    int status = -1;
    FILE *file = NULL;
    if (path && command_of_program(path, arguments, &command) == 0) {
        file = process_output(&command, false, clock_now() + program_limit, &status);
        free(command.text);
    }
    free(path);
    if (file && status != 0) {
        fclose(file);
        return NULL;
    }
    return file;
}

static enum netfilter_kind iptables_kind(void)
{
    char version[128] = "";
    FILE *file = output_of("iptables", "--version");
    if (file && !fgets(version, sizeof(version), file))
        version[0] = '\0';
    if (file)
        fclose(file);
    return netfilter_kind(version);
}

static void check_filters(const struct config *config, struct report *report)
{
    struct netfilter netfilter = netfilter_read();
    char text[512];
    if ((netfilter.legacy & netfilter.nf_tables) &&
        netfilter_tell_both(&netfilter, iptables_kind(), text, sizeof(text)))
        report_warning(report, (struct config_pos){config->path, 0},
                       "%s; see knockctl rules --check", text);
}

/* iptables inherits what root may do. */
static void check_capability(const struct config *config, struct report *report)
{
    if (geteuid() != 0 || prctl(PR_CAPBSET_READ, CAP_NET_ADMIN) != 0)
        return;
    for (unsigned i = 0; i < config->door_count; i++)
        if (config->doors[i].rules.count > 0) {
            report_warning(report, config->doors[i].rules.items[0].pos,
                           "doors with rules can't open: root lacks the capability CAP_NET_ADMIN "
                           "here; allow it in the unit (CapabilityBoundingSet=), in a container by "
                           "--cap-add");
            return;
        }
}

void host_check_kernel(const struct config *config, struct report *report)
{
    check_capability(config, report);
    host_check_netns(config, host_check_read_netns("/proc/sys/net/netfilter"), report);
    host_check_writers(config, report);
    check_filters(config, report);
}

void host_check_for_test(const struct config *config, struct report *report)
{
    static const char *const savers[] = {"iptables-save", "ip6tables-save"};
    struct port_set taken = {0};
    ports_add_listening(&taken);
    ports_add_bound_udp(&taken);
    host_check_ports(config, &taken, report);
    host_check_captured(config, &taken, report);
    host_check_prefixes(config, report);
    for (size_t i = 0; geteuid() == 0 && i < sizeof(savers) / sizeof(*savers); i++) {
        FILE *rules = output_of(savers[i], NULL);
        if (rules) {
            host_check_rules(config, rules, report);
            fclose(rules);
        }
    }
}
