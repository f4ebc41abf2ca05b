#include "listener/stats.h"

#include <string.h>

void stats_reset(struct stats *stats)
{
    *stats = (struct stats){.say_at = 50, .say_foreign_at = 10};
}

static bool is(const struct stats_prefix *seen, const char *prefix, size_t len)
{
    return seen->count > 0 && memcmp(seen->text, prefix, len) == 0 && seen->text[len] == '\0';
}

static void count_prefix(struct stats *stats, const char *prefix, size_t len)
{
    struct stats_prefix *rarest = &stats->seen[0];
    if (len > PREFIX_MAX)
        len = PREFIX_MAX;
    for (int i = 0; i < STATS_PREFIXES; i++) {
        struct stats_prefix *seen = &stats->seen[i];
        if (is(seen, prefix, len)) {
            seen->count++;
            return;
        }
        if (seen->count < rarest->count)
            rarest = seen;
    }
    rarest->count++;
    memcpy(rarest->text, prefix, len);
    rarest->text[len] = '\0';
}

void stats_line(struct stats *stats, enum line_verdict verdict, const char *prefix, size_t len)
{
    stats->lines++;
    stats->verdicts[verdict]++;
    stats->accepted += prefix && verdict == LINE_PACKET;
    if (prefix)
        count_prefix(stats, prefix, len);
}

bool stats_speaks(struct stats *stats)
{
    if (stats->verdicts[LINE_PACKET] > 0 || stats->verdicts[LINE_PREFIX] < stats->say_at)
        return false;
    stats->say_at *= 10;
    return true;
}

bool stats_speaks_of_headers(struct stats *stats)
{
    if (stats->verdicts[LINE_PACKET] > 0 || stats->foreign.count < stats->say_foreign_at)
        return false;
    stats->say_foreign_at *= 10;
    return true;
}

const struct stats_prefix *stats_commonest(const struct stats *stats)
{
    const struct stats_prefix *most = NULL;
    for (int i = 0; i < STATS_PREFIXES; i++) {
        const struct stats_prefix *seen = &stats->seen[i];
        if (seen->count > (most ? most->count : 0) &&
            !prefix_is_of_accepted(seen->text, strlen(seen->text)))
            most = seen;
    }
    return most;
}
