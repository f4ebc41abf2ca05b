/* Collects from the configuration what the firewall is to log and to let through. */
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#include "knockctl/rules.h"
#include "lib/carrier.h"

/* A newline would be a rule of its own; nft has no way to write a quote inside a string. */
static bool is_writable(const char *prefix, enum rules_kind kind)
{
    for (const char *p = prefix; *p; p++)
        if (iscntrl((unsigned char)*p) || (kind == RULES_NFT && *p == '"'))
            return false;
    return true;
}

static bool collect_prefix(const struct config_source *source, enum rules_kind kind,
                           struct rules_log *out, struct report *report)
{
    struct config_text none = {.text = (char[]){"[KNOCK]"}, .pos = source->pos};
    const struct config_text *prefix = source->prefixes.count ? source->prefixes.items : &none;
    size_t max = kind == RULES_NFT ? PREFIX_MAX_NFT
                 : out->nflog      ? PREFIX_MAX_NFLOG
                                   : PREFIX_MAX_IPTABLES;
    size_t len = strlen(prefix->text);
    if (len > max) {
        report_error(report, prefix->pos, "prefix: %zu characters; %s takes %zu at most", len,
                     kind == RULES_NFT ? "nft"
                     : out->nflog      ? "NFLOG of iptables"
                                       : "iptables",
                     max);
        return false;
    }
    if (!is_writable(prefix->text, kind)) {
        report_error(report, prefix->pos,
                     "prefix: no rule can hold its quotes or control characters: take others");
        return false;
    }
    /* Blanks at the end don't count for knockd, but people read the log, too. */
    memcpy(out->prefix, prefix->text, len);
    memcpy(out->prefix + len, len < max ? " " : "", len < max ? 2 : 1);
    return true;
}

static bool has_log(const struct rules *rules, bool nflog, uint16_t group)
{
    for (unsigned i = 0; i < rules->log_count; i++)
        if (rules->logs[i].nflog == nflog && (!nflog || rules->logs[i].group == group))
            return true;
    return false;
}

/* LOG and nft's `log` write to the kernel's log, whatever may read it. */
static bool collect_log(const struct config_source *source, enum rules_kind kind, struct rules *out,
                        struct report *report)
{
    struct rules_log *log = &out->logs[out->log_count];
    *log =
        (struct rules_log){.nflog = source->type == SOURCE_NFLOG, .group = (uint16_t)source->group};
    if (has_log(out, log->nflog, log->group))
        return true;
    out->log_count++;
    return collect_prefix(source, kind, log, report);
}

/* A line for each packet where a source reads the kernel's log, and a packet for each group of
 * NFLOG that one reads. What reads something else, as ulogd's file, has rules of its own. */
static bool collect_logs(const struct config *config, enum rules_kind kind, bool nflog,
                         struct rules *out, struct report *report)
{
    for (unsigned i = 0; i < config->source_count; i++) {
        const struct config_source *source = &config->sources[i];
        bool wanted = source->type == SOURCE_NFLOG || (!nflog && source->format == FORMAT_KERNEL);
        if (source->type == SOURCE_PCAP)
            out->captures = true;
        else if (wanted && !collect_log(source, kind, out, report))
            return false;
    }
    if (out->log_count > 0 || (out->captures && !nflog))
        return true;
    report_error(report, (struct config_pos){config->path, 0},
                 nflog ? "no source reads a group of NFLOG (type nflog): these rules would log "
                         "where nobody looks"
                       : "no source reads what the kernel logs (type kmsg, or file with format "
                         "kernel), a group of NFLOG (nflog) or captures packets (pcap): these "
                         "rules would log where nobody looks");
    return false;
}

static void collect_steps(const struct config_door *door, struct port_set *knocks)
{
    for (unsigned i = 0; i < door->sequence.count; i++) {
        const struct port_proto *step = &door->sequence.steps[i];
        port_set_add(knocks, step->proto, step->port, step->port);
    }
}

static void collect_span(const struct config *config, struct rules *out)
{
    out->span = (uint16_t)config->sealed.span;
    if (out->span == 0)
        return;
    uint16_t last = (uint16_t)(out->span + CARRIER_SPAN_SIZE - 1);
    port_set_add(&out->knocks, IPPROTO_TCP, out->span, last);
    port_set_add(&out->knocks, IPPROTO_UDP, out->span, last);
}

/* A line of a log has no payload, so the single packet is only for what gets the packet itself. */
static void collect_packet_port(const struct config *config, struct rules *out)
{
    uint16_t port = (uint16_t)config->sealed.packet_port;
    bool heard = false;
    for (unsigned i = 0; i < out->log_count; i++)
        heard |= out->logs[i].nflog;
    if (out->span == 0 || !heard || carrier_has(out->span, IPPROTO_UDP, port))
        return;
    out->packet_port = port;
    port_set_add(&out->knocks, IPPROTO_UDP, port, port);
}

static void collect_knocks(const struct config *config, struct rules *out)
{
    for (unsigned i = 0; i < config->door_count; i++)
        collect_steps(&config->doors[i], &out->knocks);
    collect_span(config, out);
    collect_packet_port(config, out);
}

/* Doors of other chains (FORWARD, DOCKER-USER, nat) are none of INPUT's business. */
static void collect_opened(const struct config_door *door, struct rules *out, struct report *report)
{
    struct port_set doors = {0};
    bool known = door->port.port != 0, input = door->rules.count == 0;
    if (known)
        port_set_add(&doors, door->port.proto, door->port.port, door->port.port);
    for (unsigned i = 0; i < door->port_count; i++) {
        port_set_add(&doors, door->ports[i].proto, door->ports[i].port, door->ports[i].port);
        known = true;
    }
    for (unsigned i = 0; i < door->rules.count; i++) {
        enum rule_ports found = rules_add_door_rule(&doors, door->rules.items[i].text, door->port);
        known |= found != RULE_UNKNOWN;
        input |= found == RULE_ADDED;
    }
    port_set_join(&out->doors, &doors);
    if (input)
        port_set_join(&out->input, &doors);
    if (!known)
        report_warning(report, door->pos,
                       "door \"%s\": it isn't clear which port it opens, so no rule here closes "
                       "that in front of your own rules; say port = ...",
                       door->name);
}

static void check_kind(const struct config_door *door, enum rules_kind kind, struct report *report)
{
    if (kind == RULES_NFT && door->rules.count > 0)
        report_warning(report, door->rules.pos,
                       "door \"%s\": `rule` opens in iptables, but table inet knockd still drops "
                       "the packet: use the start_command that these rules show, or iptables",
                       door->name);
}

bool rules_collect(const struct config *config, enum rules_kind kind, bool nflog, struct rules *out,
                   struct report *report)
{
    out->path = config->path;
    if (!collect_logs(config, kind, nflog, out, report))
        return false;
    if (out->log_count > 0)
        collect_knocks(config, out);
    for (unsigned i = 0; i < config->door_count; i++) {
        collect_opened(&config->doors[i], out, report);
        check_kind(&config->doors[i], kind, report);
    }
    return true;
}
