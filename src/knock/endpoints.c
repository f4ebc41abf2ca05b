/* Finds and binds the endpoints of both families; one is enough. */
#include "knock/endpoints.h"

#include <string.h>
#include <strings.h>

#include "knock/binding.h"
#include "knock/output.h"
#include "lib/clock.h"

/* How long others may be asked for the address to bind to, when there is another endpoint. */
enum { OTHER_WAIT_S = 1 };

static bool find(const char *host, int family, struct knock_target *out)
{
    output_progress("looking up %s", host);
    bool found = knock_target_find(host, family, out);
    output_progress_end();
    return found;
}

/* ssh names the host as its own configuration does: by the profile's name, its host, its address,
 * or it is another one behind the one that is knocked at. */
static bool is_other(const struct profile *profile, const char *host)
{
    return host && strcasecmp(host, profile->host) != 0 &&
           (!profile->name || strcasecmp(host, profile->name) != 0);
}

static bool find_watched(const struct profile *profile, const char *host,
                         const struct endpoint *endpoint, struct watched *out)
{
    *out = (struct watched){.target = endpoint->target, .source = endpoint->source};
    if (is_other(profile, host)) {
        if (!find(host, endpoint->target.address.any.sa_family, &out->target))
            return false;
        struct addr other = knock_target_addr(&out->target);
        struct addr same = knock_target_addr(&endpoint->target);
        if (!addr_equal(&other, &same))
            out->source.own.length = 0;
    }
    out->target = knock_target_at(&out->target, (uint16_t)profile->port);
    return true;
}

/* Adds an endpoint by `family` if there is one. */
static bool add(const struct profile *profile, const char *proxy_host, int family,
                struct endpoints *endpoints)
{
    struct endpoint *endpoint = &endpoints->all[endpoints->count];
    if (!find(profile->host, family, &endpoint->target) ||
        !source_choose(profile, &endpoint->target, &endpoint->source) ||
        !find_watched(profile, proxy_host, endpoint, &endpoints->ports[endpoints->count]))
        return false;
    endpoints->count++;
    return true;
}

/* Why endpoints are missing: an error if there is none at all, else a line for -v. */
struct reasons {
    char why[ENDPOINTS_MAX][512];
    unsigned count;
};

/* Of both families, an error about one is kept until it is known how the other fares. */
static void capture_reason(struct reasons *reasons, bool both)
{
    if (both)
        output_capture(reasons->why[reasons->count], sizeof(reasons->why[0]));
}

static void keep_reason(struct reasons *reasons, bool good)
{
    output_capture(NULL, 0);
    reasons->count += !good;
}

static bool settle(const struct reasons *reasons, bool both, struct endpoints *endpoints,
                   FILE *list)
{
    for (unsigned i = 0; i < reasons->count && both; i++) {
        if (endpoints->count == 0) {
            output_error("%s", reasons->why[i]);
            continue;
        }
        snprintf(endpoints->left_out, sizeof(endpoints->left_out), "not by IPv%d: %s",
                 endpoints->all[0].target.address.any.sa_family == AF_INET ? 6 : 4,
                 reasons->why[i]);
        if (list)
            fprintf(list, "%s\n", endpoints->left_out);
    }
    return endpoints->count > 0;
}

bool endpoints_find(const struct profile *profile, const char *proxy_host, FILE *list,
                    struct endpoints *endpoints)
{
    *endpoints = (struct endpoints){.watched_name =
                                        is_other(profile, proxy_host) ? proxy_host : profile->host};
    static const int families[ENDPOINTS_MAX] = {AF_INET6, AF_INET};
    bool both = profile->family == FAMILY_BOTH;
    struct reasons reasons = {.count = 0};
    for (unsigned i = 0; i < (both ? ENDPOINTS_MAX : 1); i++) {
        capture_reason(&reasons, both);
        keep_reason(&reasons,
                    add(profile, proxy_host, both ? families[i] : profile->family, endpoints));
    }
    return settle(&reasons, both, endpoints, list);
}

/* Takes out the endpoints that aren't to stay. */
static void keep_only(struct endpoints *endpoints, const bool stays[ENDPOINTS_MAX])
{
    unsigned kept = 0;
    for (unsigned i = 0; i < endpoints->count; i++)
        if (stays[i]) {
            endpoints->ports[kept] = endpoints->ports[i];
            endpoints->all[kept++] = endpoints->all[i];
        }
    endpoints->count = kept;
}

void endpoints_drop_open(struct endpoints *endpoints)
{
    bool stays[ENDPOINTS_MAX];
    for (unsigned i = 0; i < endpoints->count; i++)
        stays[i] = !endpoints->ports[i].open;
    keep_only(endpoints, stays);
}

/* Addresses that a server or command has to be asked for come last, and have little time if another
 * endpoint is ready. */
bool endpoints_bind(const struct profile *profile, int64_t until, bool only_look, FILE *list,
                    struct endpoints *endpoints)
{
    bool both = profile->family == FAMILY_BOTH, bound[ENDPOINTS_MAX] = {false};
    struct reasons reasons = {.count = 0};
    unsigned ready = 0;
    for (unsigned asks = 0; asks <= 1; asks++)
        for (unsigned i = 0; i < endpoints->count; i++) {
            struct endpoint *endpoint = &endpoints->all[i];
            int64_t soon = clock_now() + OTHER_WAIT_S * CLOCK_SECOND;
            if (binding_asks(profile, &endpoint->target, &endpoint->source) != asks)
                continue;
            capture_reason(&reasons, both);
            bound[i] =
                binding_choose(profile, &endpoint->target, ready > 0 && soon < until ? soon : until,
                               only_look, &endpoint->source);
            keep_reason(&reasons, bound[i]);
            ready += bound[i];
        }
    keep_only(endpoints, bound);
    return settle(&reasons, both, endpoints, list);
}
