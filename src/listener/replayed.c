#include "listener/replayed.h"

#include <string.h>

/* Writers with several threads don't keep to the order of their stamps. */
static const int64_t slack = INT64_C(2) * 1000000000;

void replayed_note(struct replayed *stale, const char *line, size_t len)
{
    stale->last_len = len < REPLAYED_HEAD ? len : REPLAYED_HEAD;
    memcpy(stale->last, line, stale->last_len);
}

void replayed_begin(struct replayed *stale, enum log_format format, int64_t today)
{
    struct timestamp timestamp;
    timestamps_init(&stale->timestamps, today);
    stale->measuring =
        timestamp_read(&stale->timestamps, format, stale->last, stale->last_len, &timestamp);
    stale->newest = stale->measuring ? timestamp.time : 0;
    stale->zone = stale->measuring ? timestamp.zone : TIMESTAMP_NONE;
}

void replayed_end(struct replayed *stale)
{
    stale->measuring = false;
}

bool replayed_is_old(struct replayed *stale, enum log_format format, const char *line, size_t len)
{
    struct timestamp timestamp;
    /* What is written again comes before what was read, and turns no year. */
    stale->timestamps.year = 0;
    return stale->measuring && timestamp_read(&stale->timestamps, format, line, len, &timestamp) &&
           timestamp.zone == stale->zone && timestamp.time < stale->newest - slack;
}
