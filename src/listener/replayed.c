/* Recognises the lines of a rewritten log that were read before, by their time. */
#include "listener/replayed.h"

#include <string.h>

/* Writers with several threads don't keep to the order of their timestamps. */
static const int64_t slack = INT64_C(2) * 1000000000;

void replayed_note(struct replayed *replayed, const char *line, size_t len)
{
    replayed->last_len = len < REPLAYED_HEAD ? len : REPLAYED_HEAD;
    memcpy(replayed->last, line, replayed->last_len);
}

void replayed_begin(struct replayed *replayed, enum log_format format, int64_t today)
{
    struct timestamp timestamp;
    timestamps_init(&replayed->timestamps, today);
    replayed->measuring = timestamp_read(&replayed->timestamps, format, replayed->last,
                                         replayed->last_len, &timestamp);
    replayed->newest = replayed->measuring ? timestamp.time : 0;
    replayed->zone = replayed->measuring ? timestamp.zone : TIMESTAMP_NONE;
}

void replayed_end(struct replayed *replayed)
{
    replayed->measuring = false;
}

bool replayed_is_old(struct replayed *replayed, enum log_format format, const char *line,
                     size_t len)
{
    struct timestamp timestamp;
    /* What is written again comes before what was read, and turns no year. */
    replayed->timestamps.year = 0;
    return replayed->measuring &&
           timestamp_read(&replayed->timestamps, format, line, len, &timestamp) &&
           timestamp.zone == replayed->zone && timestamp.time < replayed->newest - slack;
}
