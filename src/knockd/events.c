#include "knockd/events.h"

#include <string.h>

#include "lib/log.h"
#include "listener/sandbox.h"

static void log_stage(const struct config *config, const struct record_event *event)
{
    char text[ADDR_TEXT_SIZE];
    const struct config_door *door = &config->doors[event->door];
    log_debug("door %s: %s reached step %llu of %u", door->name, addr_format(&event->address, text),
              (unsigned long long)event->number, door->sequence.count);
}

static void log_source(const struct config *config, const struct record_event *event)
{
    const char *name = config->sources[event->source].name;
    unsigned long long number = event->number;
    switch (event->kind) {
    case EVENT_GAP:
        log_warning("source %s: %llu lines were overwritten before they could be read; strict "
                    "knocks under way start over",
                    name, number);
        break;
    case EVENT_LONG:
        log_warning("source %s: skipped %llu lines that are too long to be a packet's", name,
                    number);
        break;
    case EVENT_TRUNCATED:
        log_notice("source %s: the log was emptied; reading it from its start", name);
        break;
    case EVENT_CLOSED:
        log_error("source %s: can't be read any more: %s", name,
                  number > 0 && number < 4096 ? strerror((int)number) : "end of file");
        break;
    }
}

bool events_log(const struct config *config, const struct record_event *event, struct limit *rate,
                int64_t now)
{
    if (event->kind == EVENT_SANDBOX) {
        log_error("the listener can't be confined (%s: %s), so it doesn't run",
                  sandbox_step_name(event->door),
                  event->number < 4096 ? strerror((int)event->number) : "unknown error");
        return true;
    }
    if (event->kind == 0 || event->kind >= EVENT_KINDS || event->source >= config->source_count ||
        (event->kind == EVENT_STAGE && event->door >= config->door_count))
        return false;
    if (!limit_take(rate, now))
        return true;
    if (event->kind == EVENT_STAGE)
        log_stage(config, event);
    else
        log_source(config, event);
    return true;
}
