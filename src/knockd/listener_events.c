/* Puts the events of the listener into words for the log. */
#include "knockd/listener_events.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "listener/sandbox.h"

static void log_stage(const struct config *config, const struct message_event *event)
{
    char text[ADDR_TEXT_SIZE];
    const struct config_door *door = &config->doors[event->door];
    log_debug("door %s: %s reached step %llu of %u", door->name, addr_format(&event->address, text),
              (unsigned long long)event->number, door->sequence.count);
}

static void log_gap(const struct config_source *source, unsigned long long number)
{
    char count[24];
    snprintf(count, sizeof(count), number > 0 ? "%llu" : "some", number);
    log_warning("source %s: %s %s could be read; strict knocks under way start over", source->name,
                count,
                source_is_of_packets(source->type) ? "packets were dropped before they"
                                                   : "lines were overwritten before they");
}

static void log_source(const struct config *config, const struct message_event *event)
{
    const char *name = config->sources[event->source].name;
    unsigned long long number = event->number;
    switch (event->kind) {
    case EVENT_GAP:
        log_gap(&config->sources[event->source], number);
        break;
    case EVENT_LONG:
        log_warning("source %s: skipped %llu lines that are too long to be a packet's", name,
                    number);
        break;
    case EVENT_TRUNCATED:
        log_notice("source %s: the log was emptied; reading it from its start", name);
        break;
    case EVENT_CLOSED:
        if (number == 0)
            log_warning("source %s: end of file", name);
        else
            log_error("source %s: can't be read any more: %s", name, strerror((int)number));
        break;
    }
}

static void log_silence(const struct config *config, const struct message_event *event)
{
    const struct config_source *source = &config->sources[event->source];
    unsigned long long minutes = (unsigned long long)event->number / 60;
    if (source->type == SOURCE_PCAP)
        log_warning("source %s: no packet in %llu min; do knocks come in by the interfaces that it "
                    "has?",
                    source->name, minutes);
    else if (source->type == SOURCE_NFLOG)
        log_warning("source %s: no denied packet in %llu min; does a rule hand them to NFLOG group "
                    "%u? See knockctl rules",
                    source->name, minutes, source->group);
    else
        log_warning(
            "source %s: no denied packet in %llu min; does a rule log them? See knockctl rules",
            source->name, minutes);
}

/* What may have become of a packet that a knock lacks. */
static const char *suspicion(enum source_type type)
{
    if (type == SOURCE_PCAP)
        return "lost on its way?";
    return type == SOURCE_NFLOG ? "NFLOG rule limited?" : "LOG rule limited?";
}

/* Where a knock stalled: what came in place of the next step, or that nothing came, which makes one
 * suspect the log. */
static void log_stalled(const struct config *config, const struct message_event *event)
{
    char address[ADDR_TEXT_SIZE], what[80];
    const struct config_door *door = &config->doors[event->door];
    const struct port_proto *next = &door->sequence.steps[event->number];
    if (event->instead.port > 0)
        snprintf(what, sizeof(what), "%u:%s came instead of %u:%s", event->instead.port,
                 proto_name(event->instead.proto), next->port, proto_name(next->proto));
    else
        snprintf(what, sizeof(what), "no %u:%s within %lld s (%s)", next->port,
                 proto_name(next->proto), (long long)(door->seq_timeout / CLOCK_SECOND),
                 suspicion(config->sources[event->source].type));
    log_notice("door %s: %s reached step %llu of %u; %s", door->name,
               addr_format(&event->address, address), (unsigned long long)event->number,
               door->sequence.count, what);
}

static void log_scan(const struct config *config, const struct message_event *event)
{
    char address[ADDR_TEXT_SIZE];
    log_notice("door %s: %s knocked right, but sent to at least %llu other ports besides, as a "
               "port scan does: not opened",
               config->doors[event->door].name, addr_format(&event->address, address),
               (unsigned long long)event->number);
}

/* What to do about lines that aren't of now. */
static const char *stale_advice(const struct config_source *source, uint32_t reason)
{
    if (reason == STALE_UNDATED && !source->remote)
        return "their date doesn't exist, or is outside 1970 to 2261: is the writer's clock set?";
    if (reason == STALE_UNDATED)
        return "let what writes them put date, time and zone before each";
    if (!source->remote)
        return "was the clock set, or does a logger write its old lines again?";
    return reason == STALE_FUTURE ? "are the clocks of both hosts set, by NTP?"
                                  : "was the stream away, or are the clocks of both hosts not set, "
                                    "by NTP?";
}

/* ", written by host NAME", if that is another one. */
static const char *tell_host(const struct message_event *event, char *out, size_t size)
{
    const char *host = host_name_other(event->host);
    snprintf(out, size, "%s%s", host ? ", written by host " : "", host ? host : "");
    return out;
}

/* Nothing of what writes these lines will open a door until it is mended. */
static void log_other_zone(const struct config_source *source, const struct message_event *event)
{
    const char *host = host_name_other(event->host);
    if (source->remote)
        log_error("source %s: lines that name no time zone are %llu s from now, as if a host had "
                  "written them in another zone than this host's%s%s: NONE OF THEM OPENS A DOOR. "
                  "Let that host's logger name the zone (rsyslog: RSYSLOG_ForwardFormat)",
                  source->name, (unsigned long long)event->number,
                  host ? "; the last is of host " : "", host ? host : "");
    else
        log_error("source %s: its lines name no time zone and are %llu s from now, as if they "
                  "were written in another zone than this host's: NONE OF THEM OPENS A DOOR. Let "
                  "their writer name the zone (rsyslog: RSYSLOG_FileFormat), give knockd the "
                  "writer's zone (TZ=Europe/Berlin or the like in its environment), or set max_age "
                  "= off",
                  source->name, (unsigned long long)event->number);
}

/* What is wrong with its time, and the bound. */
static void tell_age(const struct config_source *source, const struct message_event *event,
                     char *out, size_t size)
{
    unsigned long long seconds = event->number;
    long long max_age = source->max_age / CLOCK_SECOND;
    if (event->door == STALE_UNDATED)
        snprintf(out, size, "states no valid time");
    else if (event->door == STALE_FUTURE && source->remote)
        snprintf(out, size, "is %llu s ahead of the clock (%lld s are allowed)", seconds,
                 (long long)(FRESHNESS_AHEAD / CLOCK_SECOND));
    else
        snprintf(out, size, "is %llu s %s (max_age is %lld s)", seconds,
                 event->door == STALE_FUTURE ? "ahead of the clock" : "old", max_age);
}

static void log_stale(const struct config *config, const struct message_event *event)
{
    char address[ADDR_TEXT_SIZE], age[128], host[HOST_NAME_SIZE + 32];
    const struct config_source *source = &config->sources[event->source];
    if (event->door == STALE_ZONE) {
        log_other_zone(source, event);
        return;
    }
    tell_age(source, event, age, sizeof(age));
    log_warning("source %s: refused a line about a packet of %s that %s%s, and others perhaps; %s",
                source->name, addr_format(&event->address, address), age,
                tell_host(event, host, sizeof(host)), stale_advice(source, event->door));
}

static void log_prefix(const struct config_source *source, const struct message_seen *seen)
{
    char ours[512] = "";
    size_t used = 0;
    for (unsigned i = 0; i < source->prefixes.count && used < sizeof(ours) - 1; i++)
        used += (size_t)snprintf(ours + used, sizeof(ours) - used, "%s\"%s\"", i ? " or " : "",
                                 source->prefixes.items[i].text);
    if (seen->count == 0)
        log_warning("source %s: %llu packets logged, none with prefix %s; all of them were "
                    "accepted, by their prefixes; does a rule log what is denied?",
                    source->name, (unsigned long long)seen->packets, ours);
    else
        log_warning(
            "source %s: %llu denied packets logged, none with prefix %s; seen: \"%s\" (%llu)",
            source->name, (unsigned long long)seen->packets, ours, seen->text,
            (unsigned long long)seen->count);
}

/* The text comes from the log, bytes and all; the log's sink encodes it. */
static void log_seen(const struct config *config, const struct message_seen *seen)
{
    const struct config_source *source = &config->sources[seen->source];
    if (seen->kind == SEEN_PREFIX)
        log_prefix(source, seen);
    else if (seen->kind == SEEN_ACCEPTED)
        log_warning("source %s: packets with \"%s\" count as knocks, though that is logged of "
                    "accepted packets; give the source the prefix of denied ones",
                    source->name, seen->text);
    else
        log_warning("source %s: %llu lines look like the firewall's, but for their header, so they "
                    "don't count; %s; the first: \"%s\"",
                    source->name, (unsigned long long)seen->packets,
                    header_advice((enum header_hint)seen->hint), seen->text);
}

static void log_event(const struct config *config, const struct message_event *event)
{
    if (event->kind == EVENT_STAGE)
        log_stage(config, event);
    else if (event->kind == EVENT_STALLED)
        log_stalled(config, event);
    else if (event->kind == EVENT_SCAN)
        log_scan(config, event);
    else if (event->kind == EVENT_STALE)
        log_stale(config, event);
    else if (event->kind == EVENT_SILENT)
        log_silence(config, event);
    else
        log_source(config, event);
}

/* What an administrator can do about a step that the kernel or a filter of the unit denied. */
static const char *sandbox_advice(const struct message_event *event)
{
    if (event->number != EPERM)
        return "";
    switch (event->door) {
    case SANDBOX_CHROOT:
    case SANDBOX_BOUNDS:
    case SANDBOX_USER:
    case SANDBOX_CAPABILITIES:
        return ": root lacks a capability that it takes, or a filter forbids it; allow CAP_SETUID, "
               "CAP_SETGID and CAP_SYS_CHROOT in the unit (CapabilityBoundingSet=), in a container "
               "by --cap-add, and chroot() (SystemCallFilter=)";
    case SANDBOX_FILTER:
        return ": a filter forbids it; allow seccomp() in the unit (SystemCallFilter=)";
    default:
        return "";
    }
}

static void log_sandbox(const struct message_event *event)
{
    log_error("the listener can't be confined (%s: %s), so it doesn't run%s",
              sandbox_step_name(event->door), strerror((int)event->number), sandbox_advice(event));
}

void event_log(const struct config *config, const struct message *message, struct limit *rate,
               int64_t now)
{
    const struct message_event *event = &message->u.event;
    /* It comes once, and ends the start. */
    if (message->type == MESSAGE_EVENT && event->kind == EVENT_SANDBOX)
        log_sandbox(event);
    else if (!limit_take(rate, now))
        return;
    else if (message->type == MESSAGE_SEEN)
        log_seen(config, &message->u.seen);
    else
        log_event(config, event);
}
