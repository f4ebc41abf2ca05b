#include "listener/tally.h"

#include <string.h>

void tally_reset(struct tally *tally)
{
    *tally = (struct tally){.say_at = 50, .say_foreign_at = 10};
}

static bool is(const struct tally_prefix *seen, const char *prefix, size_t len)
{
    return seen->count > 0 && memcmp(seen->text, prefix, len) == 0 && seen->text[len] == '\0';
}

static void count_prefix(struct tally *tally, const char *prefix, size_t len)
{
    struct tally_prefix *rarest = &tally->seen[0];
    if (len > PREFIX_MAX)
        len = PREFIX_MAX;
    for (int i = 0; i < TALLY_PREFIXES; i++) {
        struct tally_prefix *seen = &tally->seen[i];
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

void tally_line(struct tally *tally, enum line_verdict verdict, const char *prefix, size_t len)
{
    tally->lines++;
    tally->verdicts[verdict]++;
    tally->accepted += prefix && verdict == LINE_PACKET;
    if (prefix)
        count_prefix(tally, prefix, len);
}

bool tally_speaks(struct tally *tally)
{
    if (tally->verdicts[LINE_PACKET] > 0 || tally->verdicts[LINE_PREFIX] < tally->say_at)
        return false;
    tally->say_at *= 10;
    return true;
}

bool tally_speaks_of_headers(struct tally *tally)
{
    if (tally->verdicts[LINE_PACKET] > 0 || tally->foreign.count < tally->say_foreign_at)
        return false;
    tally->say_foreign_at *= 10;
    return true;
}

const struct tally_prefix *tally_commonest(const struct tally *tally)
{
    const struct tally_prefix *most = NULL;
    for (int i = 0; i < TALLY_PREFIXES; i++) {
        const struct tally_prefix *seen = &tally->seen[i];
        if (seen->count > (most ? most->count : 0) &&
            !prefix_is_of_accepted(seen->text, strlen(seen->text)))
            most = seen;
    }
    return most;
}
