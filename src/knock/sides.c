#include "knock/sides.h"

#include <string.h>
#include <strings.h>

#include "knock/binding.h"
#include "knock/say.h"
#include "lib/clock.h"

/* How long others may be asked for the address to bind to, when there is another side. */
enum { OTHER_WAIT_S = 1 };

static bool find(const char *host, int family, struct knock_target *out)
{
    say_progress("looking up %s", host);
    bool found = knock_target_find(host, family, out);
    say_no_progress();
    return found;
}

/* ssh names the host as its own configuration does: by the profile's name, its host, its address,
 * or it is another one behind the one that is knocked at. */
static bool is_other(const struct profile *profile, const char *host)
{
    return host && strcasecmp(host, profile->host) != 0 &&
           (!profile->name || strcasecmp(host, profile->name) != 0);
}

static bool find_watched(const struct profile *profile, const char *host, const struct side *side,
                         struct watched *out)
{
    *out = (struct watched){.target = side->target, .source = side->source};
    if (is_other(profile, host)) {
        if (!find(host, side->target.address.any.sa_family, &out->target))
            return false;
        struct addr other = knock_target_addr(&out->target);
        struct addr same = knock_target_addr(&side->target);
        if (!addr_equal(&other, &same))
            out->source.own.length = 0;
    }
    out->target = knock_target_at(&out->target, (uint16_t)profile->port);
    return true;
}

/* Adds a side by `family` if there is one. */
static bool add(const struct profile *profile, const char *proxy_host, int family,
                struct sides *sides)
{
    struct side *side = &sides->all[sides->count];
    if (!find(profile->host, family, &side->target) ||
        !source_choose(profile, &side->target, &side->source) ||
        !find_watched(profile, proxy_host, side, &sides->ports[sides->count]))
        return false;
    sides->count++;
    return true;
}

/* Why sides can't be had: an error if there is none, else something for -v. */
struct doubts {
    char why[SIDES_MAX][512];
    unsigned count;
};

/* Of both families, what is told of one waits for how the other fares. */
static void begin_doubt(struct doubts *doubts, bool both)
{
    if (both)
        say_into(doubts->why[doubts->count], sizeof(doubts->why[0]));
}

static void end_doubt(struct doubts *doubts, bool good)
{
    say_into(NULL, 0);
    doubts->count += !good;
}

static bool settle(const struct doubts *doubts, bool both, struct sides *sides, FILE *list)
{
    for (unsigned i = 0; i < doubts->count && both; i++) {
        if (sides->count == 0) {
            say("%s", doubts->why[i]);
            continue;
        }
        snprintf(sides->left_out, sizeof(sides->left_out), "not by IPv%d: %s",
                 sides->all[0].target.address.any.sa_family == AF_INET ? 6 : 4, doubts->why[i]);
        if (list)
            fprintf(list, "%s\n", sides->left_out);
    }
    return sides->count > 0;
}

bool sides_find(const struct profile *profile, const char *proxy_host, FILE *list,
                struct sides *sides)
{
    *sides =
        (struct sides){.watched_name = is_other(profile, proxy_host) ? proxy_host : profile->host};
    static const int families[SIDES_MAX] = {AF_INET6, AF_INET};
    bool both = profile->family == FAMILY_BOTH;
    struct doubts doubts = {.count = 0};
    for (unsigned i = 0; i < (both ? SIDES_MAX : 1); i++) {
        begin_doubt(&doubts, both);
        end_doubt(&doubts, add(profile, proxy_host, both ? families[i] : profile->family, sides));
    }
    return settle(&doubts, both, sides, list);
}

/* Takes out the sides that aren't to stay. */
static void keep_only(struct sides *sides, const bool stays[SIDES_MAX])
{
    unsigned kept = 0;
    for (unsigned i = 0; i < sides->count; i++)
        if (stays[i]) {
            sides->ports[kept] = sides->ports[i];
            sides->all[kept++] = sides->all[i];
        }
    sides->count = kept;
}

void sides_leave_open(struct sides *sides)
{
    bool stays[SIDES_MAX];
    for (unsigned i = 0; i < sides->count; i++)
        stays[i] = !sides->ports[i].open;
    keep_only(sides, stays);
}

/* What others have to be asked for comes last, and has little time if it isn't needed. */
bool sides_bind(const struct profile *profile, int64_t until, bool only_look, FILE *list,
                struct sides *sides)
{
    bool both = profile->family == FAMILY_BOTH, bound[SIDES_MAX] = {false};
    struct doubts doubts = {.count = 0};
    unsigned ready = 0;
    for (unsigned asks = 0; asks <= 1; asks++)
        for (unsigned i = 0; i < sides->count; i++) {
            struct side *side = &sides->all[i];
            int64_t soon = clock_now() + OTHER_WAIT_S * CLOCK_SECOND;
            if (binding_asks(profile, &side->target, &side->source) != asks)
                continue;
            begin_doubt(&doubts, both);
            bound[i] =
                binding_choose(profile, &side->target, ready > 0 && soon < until ? soon : until,
                               only_look, &side->source);
            end_doubt(&doubts, bound[i]);
            ready += bound[i];
        }
    keep_only(sides, bound);
    return settle(&doubts, both, sides, list);
}
