/* Sends the ports of the command line once, or makes a profile of them to be waited for. */
#include "knock/plain_form.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "knock/output.h"
#include "knock/port_argument.h"
#include "knock/send.h"
#include "knock/target.h"

static bool read_steps(char **texts, unsigned count, uint8_t proto, struct port_proto *steps)
{
    for (unsigned i = 0; i < count; i++) {
        const char *why;
        if (!knock_port_parse(texts[i], proto, knock_service_lookup, &steps[i], &why)) {
            options_wrong("port \"%s\": %s", texts[i], why);
            return false;
        }
    }
    return true;
}

/* The resolver takes 7000 for 0.0.27.88: a forgotten HOST would go unnoticed. */
static bool is_host(const char *host)
{
    struct port_proto step;
    const char *why;
    if (!port_proto_parse(host, &step, &why))
        return true;
    options_wrong("host \"%s\" is a port: give HOST before the ports", host);
    return false;
}

static bool knock_once(const struct source *source, const struct knock_target *target,
                       struct port_proto step, const struct options *options,
                       struct replies *replies)
{
    char point[KNOCK_POINT_SIZE];
    knock_target_point(target, step, point);
    if (options->verbose || options->dry_run)
        printf("hitting %s\n", point);
    int error = options->dry_run ? 0 : knock_send(source, target, step, replies);
    if (error == 0)
        return true;
    const char *advice = knock_target_advice(target, error);
    output_error("cannot send to %s: %s%s%s", point, strerror(error), advice ? "; " : "",
                 advice ? advice : "");
    return false;
}

static bool knock_all(const struct knock_target *target, const struct source *source,
                      const struct port_proto *steps, unsigned count, const struct options *options)
{
    struct replies replies;
    bool sent = true;
    replies_open(&replies, target, false);
    if (!options->verbose)
        output_progress("knocking at %s", target->text);
    for (unsigned i = 0; sent && i < count; i++) {
        if (i > 0 && !options->dry_run)
            knock_pause(options->delay_ms);
        sent = knock_once(source, target, steps[i], options, &replies);
    }
    output_progress_end();
    replies_close(&replies);
    return sent;
}

/* Without bind and interface the kernel chooses, and sending the first packet fails if it can't. */
static bool find_source(const struct profile *profile, const struct knock_target *target,
                        struct source *out)
{
    *out = (struct source){0};
    return (profile->bind != BIND_ADDRESS && !profile->interface) ||
           source_choose(profile, target, out);
}

static bool knock_from(const struct profile *profile, const struct port_proto *steps,
                       unsigned count, const struct options *options)
{
    const char *host = options->words[0];
    struct knock_target target;
    struct source source;
    if (!is_host(host) || !knock_target_find(host, options->family, &target) ||
        !find_source(profile, &target, &source))
        return false;
    if (target.named && (options->verbose || options->dry_run))
        printf("%s is %s\n", host, target.text);
    return knock_all(&target, &source, steps, count, options);
}

static bool has_words(const struct options *options)
{
    if (options->word_count >= 2)
        return true;
    if (options->word_count < 1)
        options_wrong("no HOST given");
    else
        options_wrong("no PORT given to knock at on host \"%s\"", options->words[0]);
    return false;
}

/* Nothing is sent before every argument is known to be right. */
bool knock_ports(const struct options *options)
{
    if (!has_words(options))
        return false;
    unsigned count = options->word_count - 1;
    struct port_proto *steps = calloc(count, sizeof(*steps));
    if (!steps) {
        fprintf(stderr, "knock: out of memory for %u ports\n", count);
        return false;
    }
    struct profile profile;
    bool done = profile_of_values(options->values, options->value_count, &profile) &&
                read_steps(options->words + 1, count, options->proto, steps) &&
                knock_from(&profile, steps, count, options);
    profile_free(&profile);
    free(steps);
    return done;
}

bool ports_profile(const struct options *options, struct profile *profile)
{
    *profile = (struct profile){0};
    if (!has_words(options))
        return false;
    unsigned count = options->word_count - 1;
    if (count > STEPS_MAX) {
        options_wrong("%u ports: with -p or a COMMAND there are %d at most", count, STEPS_MAX);
        return false;
    }
    if (!is_host(options->words[0]) ||
        !profile_of_values(options->values, options->value_count, profile) ||
        !read_steps(options->words + 1, count, options->proto, profile->sequence.steps))
        return false;
    profile->sequence.count = count;
    profile->host = strdup(options->words[0]);
    if (!profile->host)
        output_error("out of memory");
    return profile->host != NULL;
}
