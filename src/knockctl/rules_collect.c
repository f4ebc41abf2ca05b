/* Collects from the configuration what the firewall is to log and to let through. */
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>

#include "knockctl/rules.h"
#include "lib/carrier.h"

/* LOG and nft's `log` write to the kernel's log; what reads something else never sees them. */
static const struct config_source *kernel_source(const struct config *config)
{
    for (unsigned i = 0; i < config->source_count; i++)
        if (config->sources[i].format == FORMAT_KERNEL)
            return &config->sources[i];
    return NULL;
}

/* A newline would be a rule of its own; nft has no way to write a quote inside a string. */
static bool is_writable(const char *prefix, enum rules_kind kind)
{
    for (const char *p = prefix; *p; p++)
        if (iscntrl((unsigned char)*p) || (kind == RULES_NFT && *p == '"'))
            return false;
    return true;
}

static bool collect_prefix(const struct config_source *source, enum rules_kind kind,
                           struct rules *out, struct report *report)
{
    struct config_text none = {.text = (char[]){"[KNOCK]"}, .pos = source->pos};
    const struct config_text *prefix = source->prefixes.count ? source->prefixes.items : &none;
    size_t max = kind == RULES_NFT ? PREFIX_MAX_NFT : PREFIX_MAX_IPTABLES;
    size_t len = strlen(prefix->text);
    if (len > max) {
        report_error(report, prefix->pos, "prefix: %zu characters; %s takes %zu at most", len,
                     kind == RULES_NFT ? "nft" : "iptables", max);
        return false;
    }
    if (!is_writable(prefix->text, kind)) {
        report_error(report, prefix->pos,
                     "prefix: no rule can hold its quotes or control characters: take others");
        return false;
    }
    /* Blanks at the end don't count for knockd, but people read the log, too. */
    snprintf(out->prefix, sizeof(out->prefix), "%s%s", prefix->text, len < max ? " " : "");
    return true;
}

static void collect_knocks(const struct config_door *door, struct port_set *knocks)
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

/* Doors of other chains (FORWARD, DOCKER-USER, nat) are none of INPUT's business. */
static void collect_opened(const struct config_door *door, struct port_set *doors,
                           struct report *report)
{
    bool known = door->port.port != 0;
    if (known)
        port_set_add(doors, door->port.proto, door->port.port, door->port.port);
    for (unsigned i = 0; i < door->port_count; i++) {
        port_set_add(doors, door->ports[i].proto, door->ports[i].port, door->ports[i].port);
        known = true;
    }
    for (unsigned i = 0; i < door->rules.count; i++)
        if (rules_add_door_rule(doors, door->rules.items[i].text, door->port) != RULE_UNKNOWN)
            known = true;
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

bool rules_collect(const struct config *config, enum rules_kind kind, struct rules *out,
                   struct report *report)
{
    const struct config_source *source = kernel_source(config);
    out->path = config->path;
    if (!source) {
        report_error(report, (struct config_pos){config->path, 0},
                     "no source reads what the kernel logs (type kmsg, or file with format "
                     "kernel): these rules would log where nobody looks");
        return false;
    }
    if (!collect_prefix(source, kind, out, report))
        return false;
    collect_span(config, out);
    for (unsigned i = 0; i < config->door_count; i++) {
        collect_knocks(&config->doors[i], &out->knocks);
        collect_opened(&config->doors[i], &out->doors, report);
        check_kind(&config->doors[i], kind, report);
    }
    return true;
}
