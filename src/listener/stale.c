#include "listener/stale.h"

#include <string.h>

/* Writers with several threads don't keep to the order of their stamps. */
static const int64_t slack = INT64_C(2) * 1000000000;

void stale_note(struct stale *stale, const char *line, size_t len)
{
    stale->last_len = len < STALE_HEAD ? len : STALE_HEAD;
    memcpy(stale->last, line, stale->last_len);
}

void stale_begin(struct stale *stale, enum log_format format, int64_t today)
{
    struct stamp stamp;
    stamps_init(&stale->stamps, today);
    stale->measuring = stamp_read(&stale->stamps, format, stale->last, stale->last_len, &stamp);
    stale->newest = stale->measuring ? stamp.time : 0;
    stale->zone = stale->measuring ? stamp.zone : STAMP_NONE;
}

void stale_end(struct stale *stale)
{
    stale->measuring = false;
}

bool stale_is_old(struct stale *stale, enum log_format format, const char *line, size_t len)
{
    struct stamp stamp;
    /* What is written again comes before what was read, and turns no year. */
    stale->stamps.year = 0;
    return stale->measuring && stamp_read(&stale->stamps, format, line, len, &stamp) &&
           stamp.zone == stale->zone && stamp.time < stale->newest - slack;
}
