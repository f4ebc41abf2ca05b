#include "knock/sides.h"

#include <string.h>
#include <strings.h>

#include "knock/binding.h"
#include "knock/say.h"

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

static bool settle(const struct doubts *doubts, bool both, const struct sides *sides, FILE *list)
{
    for (unsigned i = 0; i < doubts->count && both; i++)
        if (sides->count == 0)
            say("%s", doubts->why[i]);
        else if (list)
            fprintf(list, "not by IPv%d: %s\n",
                    sides->all[0].target.address.any.sa_family == AF_INET ? 6 : 4, doubts->why[i]);
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

bool sides_bind(const struct profile *profile, int64_t until, bool only_look, FILE *list,
                struct sides *sides)
{
    bool both = profile->family == FAMILY_BOTH;
    struct doubts doubts = {.count = 0};
    unsigned count = sides->count;
    sides->count = 0;
    for (unsigned i = 0; i < count; i++) {
        struct side *side = &sides->all[i];
        begin_doubt(&doubts, both);
        bool good = binding_choose(profile, &side->target, until, only_look, &side->source);
        end_doubt(&doubts, good);
        if (good) {
            sides->ports[sides->count] = sides->ports[i];
            sides->all[sides->count++] = *side;
        }
    }
    return settle(&doubts, both, sides, list);
}
