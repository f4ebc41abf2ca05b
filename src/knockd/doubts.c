#include "knockd/doubts.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/program.h"

static void tell_of_door(const struct config_door *door, const struct port_set *taken,
                         struct report *report)
{
    for (unsigned i = 0; i < door->sequence.count; i++) {
        struct step step = door->sequence.steps[i];
        if (port_set_has(taken, step.proto, step.port))
            report_warning(
                report, door->sequence_pos,
                "door \"%s\": something on this host listens on %u:%s; a knock there may "
                "be accepted, and then it isn't logged",
                door->name, step.port, proto_name(step.proto));
    }
}

void doubts_of_ports(const struct config *config, const struct port_set *taken,
                     struct report *report)
{
    for (unsigned i = 0; i < config->door_count; i++)
        tell_of_door(&config->doors[i], taken, report);
}

/* Whether a line of iptables-save(8) logs with this prefix, which it prints in quotes if need be.
 */
static bool logs_with(const char *rule, const char *prefix)
{
    const char *found = strstr(rule, "--log-prefix ");
    if (!found)
        found = strstr(rule, "--nflog-prefix ");
    if (!found)
        return false;
    found = strchr(found, ' ') + 1;
    found += *found == '"';
    return strncmp(found, prefix, strlen(prefix)) == 0;
}

static bool names_ports(const char *rule)
{
    return strstr(rule, "--dport ") || strstr(rule, "--dports ");
}

void doubts_of_rules(const struct config *config, FILE *rules, struct report *report)
{
    enum { PREFIXES = 32 };
    unsigned all[CONFIG_SOURCES_MAX][PREFIXES] = {{0}}, some[CONFIG_SOURCES_MAX][PREFIXES] = {{0}};
    char line[2048];
    while (fgets(line, sizeof(line), rules))
        for (unsigned i = 0; i < config->source_count; i++)
            for (unsigned j = 0; j < config->sources[i].prefixes.count && j < PREFIXES; j++)
                if (logs_with(line, config->sources[i].prefixes.items[j].text))
                    (names_ports(line) ? some : all)[i][j]++;
    for (unsigned i = 0; i < config->source_count; i++)
        for (unsigned j = 0; j < config->sources[i].prefixes.count && j < PREFIXES; j++)
            if (some[i][j] > 0 && all[i][j] == 0)
                report_warning(
                    report, config->sources[i].prefixes.items[j].pos,
                    "source \"%s\": the firewall logs only some ports with prefix \"%s\"; "
                    "of a port scan it then logs nothing but the knock; log all that is "
                    "denied (see knockctl rules)",
                    config->sources[i].name, config->sources[i].prefixes.items[j].text);
}

/* What a program prints, in a temporary file; NULL when it can't be had. */
static FILE *output_of(const char *name)
{
    char *path = program_find(name);
    FILE *file = path ? tmpfile() : NULL;
    pid_t pid = -1;
    if (file) {
        struct command command = {.words = 1, .size = strlen(path) + 1, .text = path};
        struct program_world world = {.output = fileno(file), .errors = STDERR_FILENO, .lock = -1};
        pid = program_start(&command, &world);
    }
    if (pid > 0)
        waitpid(pid, NULL, 0);
    free(path);
    if (file)
        rewind(file);
    return file;
}

void doubts_tell(const struct config *config, struct report *report)
{
    static const char *const savers[] = {"iptables-save", "ip6tables-save"};
    struct port_set taken = {0};
    ports_add_listening(&taken);
    ports_add_bound_udp(&taken);
    doubts_of_ports(config, &taken, report);
    for (size_t i = 0; geteuid() == 0 && i < sizeof(savers) / sizeof(*savers); i++) {
        FILE *rules = output_of(savers[i]);
        if (rules) {
            doubts_of_rules(config, rules, report);
            fclose(rules);
        }
    }
}
