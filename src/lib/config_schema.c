/* The keys of knockd.conf: where each may stand, how it is read, and within which bounds. */
#include "lib/config_schema.h"

#include <stddef.h>

#include "lib/carrier.h"
#include "lib/config_file.h"
#include "lib/config_scan.h"
#include "lib/config_values.h"
#include "lib/sealed.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, SOCKET_PATH_MAX = 107, PATH_BYTES_MAX = 4095 };

#define AT(type, field) offsetof(struct type, field)

static const struct config_key global_keys[] = {
    {"user", read_user, 0, 0, 0},
    {"state_dir", read_path, AT(config, state_dir), 1, PATH_BYTES_MAX},
    {"control", read_path, AT(config, control), 1, SOCKET_PATH_MAX},
    {"key_dir", read_path, AT(config, key_dir), 1, PATH_BYTES_MAX},
    {"facility", read_facility, AT(config, facility), 0, 0},
    {"comment", read_boolean, AT(config, comment), 0, 0},
    {"stop_timeout", read_duration, AT(config, stop_timeout), 1, HOUR},
    {"run_timeout", read_duration, AT(config, run_timeout), 1, 10 * MINUTE},
    {"batch", read_boolean, AT(config, batch), 0, 0},
    {"max_sources", read_number, AT(config, max_sources), 1024, CONFIG_MAX_SOURCES},
    {"max_failures", read_gone, 0, 0, 0},
    {"failure_window", read_gone, 0, 0, 0},
    {"penalty", read_gone, 0, 0, 0},
    {"allow_always", read_gone, 0, 0, 0},
    {"max_open", read_number, AT(config, max_open), 1, CONFIG_MAX_OPEN},
    {"init_command", read_commands, AT(config, init), 0, 0},
    {"exit_command", read_commands, AT(config, exit), 0, 0},
    {0},
};

static const struct config_key source_keys[] = {
    {"type", read_type, AT(config_source, type), 0, 0},
    {"path", read_path, AT(config_source, path), 1, PATH_BYTES_MAX},
    {"prefix", read_prefixes, AT(config_source, prefixes), 1, 127},
    {"format", read_format, AT(config_source, format), 0, 0},
    {"group", read_number, AT(config_source, group), 0, UINT16_MAX},
    {"interface", read_interfaces, AT(config_source, interfaces), 0, 0},
    {"command", read_command, AT(config_source, command), 0, 0},
    {"remote", read_boolean, AT(config_source, remote), 0, 0},
    {"max_age", read_bound, AT(config_source, max_age), 1, DAY},
    {0},
};

static const struct config_key door_keys[] = {
    {"sequence", read_sequence, 0, 0, 0},
    {"seq_timeout", read_duration, AT(config_door, seq_timeout), 1, HOUR},
    {"cmd_timeout", read_duration, AT(config_door, cmd_timeout), 1, 30 * DAY},
    {"tcpflags", read_flags, AT(config_door, flags), 0, 0},
    {"strict", read_boolean, AT(config_door, strict), 0, 0},
    {"strays", read_number, AT(config_door, strays), 0, STRAYS_MAX},
    {"port", read_port, AT(config_door, port), 0, 0},
    {"ignore", read_ignore, 0, 0, 0},
    {"target", read_address, AT(config_door, target), 0, 0},
    {"interface", read_interface, AT(config_door, interface), 0, 0},
    {"source", read_sources, AT(config_door, sources), 0, 0},
    {"allow", read_allow, 0, 0, 0},
    {"rule", read_commands, AT(config_door, rules), 0, 0},
    {"comment", read_boolean, AT(config_door, comment), 0, 0},
    {"start_command", read_commands, AT(config_door, ip4.start), 0, 0},
    {"stop_command", read_commands, AT(config_door, ip4.stop), 0, 0},
    {"extend_command", read_commands, AT(config_door, ip4.extend), 0, 0},
    {"check_command", read_commands, AT(config_door, ip4.check), 0, 0},
    {"start_command_6", read_commands, AT(config_door, ip6.start), 0, 0},
    {"stop_command_6", read_commands, AT(config_door, ip6.stop), 0, 0},
    {"extend_command_6", read_commands, AT(config_door, ip6.extend), 0, 0},
    {"check_command_6", read_commands, AT(config_door, ip6.check), 0, 0},
    {"check_interval", read_duration, AT(config_door, check_interval), 1, HOUR},
    {"start_delay", read_duration, AT(config_door, start_delay), 0, 10 * MINUTE},
    {"closes", read_door_names, AT(config_door, closes), 0, 0},
    {"stop_ok", read_statuses, AT(config_door, stop_ok), 0, 255},
    {"one_time_sequences", read_program, AT(config_door, once_path), 0, 0},
    {"key", read_key_names, AT(config_door, keys), 0, 0},
    {"ports", read_ports, 0, 0, 0},
    {"max_timeout", read_duration, AT(config_door, max_timeout), 1, 30 * DAY},
    {"bound", read_boolean, AT(config_door, bound), 0, 0},
    {"for", read_boolean, AT(config_door, for_others), 0, 0},
    {"max_open", read_number, AT(config_door, max_open), 1, CONFIG_MAX_OPEN},
    {"rate", read_rate, AT(config_door, rate), 0, 0},
    {0},
};

static const struct config_key sealed_keys[] = {
    {"span", read_number, AT(config_sealed, span_configured), 1,
     CARRIER_SPAN_END - CARRIER_SPAN_SIZE},
    {"max_skew", read_duration, AT(config_sealed, max_skew), 1, CONFIG_SKEW_MAX},
    {"server", read_server_name, AT(config_sealed, server), 1, SEALED_SERVER_MAX},
    {"packet_port", read_number, AT(config_sealed, packet_port), 1, UINT16_MAX},
    {0},
};

/* What the keys of the other knockd, which listens to an interface by itself, are here. */
static const struct config_replaced replaced[] = {
    {"usesyslog", NULL, "remove it: knockd always logs to syslog, by facility"},
    {"logfile", NULL,
     "remove it: knockd logs to syslog, by facility, and to standard error, which may be "
     "redirected to a file"},
    {"pidfile", NULL,
     "remove it: a lock in state_dir decides that knockd runs once, and `pgrep -o -x knockd` "
     "finds it"},
    {"interface", NULL,
     "give it to a source, source \"wire\" { type = pcap interface = eth0 }, or to a door: interface = eth0"},
    {"command", "door", "write start_command"},
    {"command_6", "door", "write start_command_6"},
    {"timeout", "door", "write seq_timeout"},
    {0},
};

/* Whether it has a sequence: who reads that can knock. */
static bool holds_sequence(const struct config_file *file)
{
    struct config_scan scan = {file->data, file->data + file->len, 1};
    struct config_token token;
    do {
        token = config_scan_next(&scan);
    } while (token.kind != TOKEN_END && !config_token_equals(&token, "sequence"));
    return token.kind != TOKEN_END;
}

/* Root runs what the file says, so nobody else may have written it. */
static bool check_file(const struct config_file *file, const char *path, struct report *report)
{
    const bool secret = holds_sequence(file);
    const struct config_file_rule rule = {.what = "the configuration",
                                          .forbidden = 022,
                                          .advice = secret ? "chmod 600 it" : "chmod go-w it"};
    struct config_pos pos = {path, 0};
    if (!config_file_trusted(file, &rule, pos, report))
        return false;
    if (config_file_is_open(file) && secret)
        report_warning(report, pos,
                       "others than its owner may read it (mode %04o), and so the sequences in it: "
                       "chmod 600 it",
                       file->mode);
    return true;
}

const struct config_schema *config_schema(void)
{
    static const struct config_schema schema = {
        .kinds = {[CONFIG_GLOBAL] = {NULL, global_keys, 1, false},
                  [CONFIG_SOURCE] = {"source", source_keys, CONFIG_SOURCES_MAX, true},
                  [CONFIG_DOOR] = {"door", door_keys, CONFIG_DOORS_MAX, true},
                  [CONFIG_SEALED] = {"sealed", sealed_keys, 1, false}},
        .kind_count = CONFIG_KINDS,
        .replaced = replaced,
        .check_file = check_file,
        .ini = "knockctl import",
    };
    return &schema;
}

bool config_takes_list(const struct config_key *key)
{
    static config_read *const lists[] = {
        read_allow, read_commands, read_door_names, read_ignore,  read_interfaces, read_key_names,
        read_ports, read_prefixes, read_sequence,   read_sources, read_statuses,
    };
    bool takes = false;
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        takes |= key->read == lists[i];
    return takes;
}
