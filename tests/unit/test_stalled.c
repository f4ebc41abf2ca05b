/* What a listener tells of knocks that stay behind, from log lines on: how far they came, and what
 * came instead of the next step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "listener/pipeline.h"

#define SECOND INT64_C(1000000000)

static struct listener_config setup;
static struct pipeline pipeline;
static char told[200]; /* an event each: "DOOR:STAGE", then " PORT/PROTO" of what came instead */

static void note(void *arg, struct message *message)
{
    const struct message_event *event = &message->u.event;
    size_t used = strlen(told);
    (void)arg;
    if (message->type != MESSAGE_EVENT || event->kind == EVENT_SILENT)
        return;
    snprintf(told + used, sizeof(told) - used, "%s%s%u:%llu", used ? ", " : "",
             event->kind == EVENT_STAGE ? "at " : "", event->door,
             (unsigned long long)event->number);
    used = strlen(told);
    if (event->instead.port > 0)
        snprintf(told + used, sizeof(told) - used, " %u/%u", event->instead.port,
                 event->instead.proto);
}

static void take(struct message message)
{
    assert_int_not_equal(listener_config_receive(&setup, &message), LISTENER_CONFIG_BAD);
}

static unsigned strays; /* that doors forgive */

static void take_door(const char *sequence, bool strict)
{
    const char *why;
    struct message door = {.type = MESSAGE_DOOR,
                           .u.door = {.timeout = 20 * SECOND,
                                      .strays = {strays, strays},
                                      .flags = {.set = TCP_SYN, .clear = TCP_ACK},
                                      .strict = strict}};
    assert_true(sequence_append(&door.u.door.sequence, sequence, &why));
    take(door);
}

/* Door 0: 7000, 8000, 9000, strict, without regard to 22. Door 1: the same from 100 on, tolerant.
 * The one-time sequence 2 isn't spoken of. */
static void configure(bool debug)
{
    listener_config_free(&setup);
    take((struct message){
        .type = MESSAGE_CONFIG,
        .u.config = {.sources = 2, .doors = 3, .plain = 2, .max_sources = 1024, .debug = debug}});
    for (int i = 0; i < 2; i++)
        take((struct message){.type = MESSAGE_SOURCE,
                              .u.source = {.type = SOURCE_FILE, .format = FORMAT_KERNEL}});
    take_door("7000,8000,9000", true);
    take((struct message){.type = MESSAGE_IGNORE, .u.ignore.ports = {1, {{22, IPPROTO_TCP}}}});
    take_door("7100,8100,9100", false);
    take_door("7200,8200", true);
    take((struct message){.type = MESSAGE_START});
    pipeline_init(&pipeline, &setup, note, NULL, 0);
    told[0] = '\0';
}

/* Words: PORT, or PORTu for UDP, each from a new source port; /N: another address; #1: by the other
 * source; gap; +S: later.
 */
static void log_words(const char *words)
{
    static unsigned spt = 1024;
    char text[200], *rest, line[512];
    int64_t now = SECOND;
    strcpy(text, words);
    for (char *w = strtok_r(text, " ", &rest); w; w = strtok_r(NULL, " ", &rest)) {
        const char *from = strchr(w, '/');
        if (*w == '+') {
            now += atoi(w) * SECOND;
            pipeline_due(&pipeline, now);
            continue;
        }
        if (strcmp(w, "gap") == 0) {
            pipeline_gap(&pipeline, 0, now);
            continue;
        }
        int len =
            snprintf(line, sizeof(line),
                     "Nov 25 09:00:00 gate kernel: [DENY] IN=eth0 OUT= MAC= SRC=192.0.2.%d "
                     "DST=192.0.2.1 LEN=60 TOS=0x00 PREC=0x00 TTL=64 ID=1 %s SPT=%u DPT=%d %s",
                     from ? atoi(from + 1) : 9, strchr(w, 'u') ? "PROTO=UDP" : "PROTO=TCP", spt++,
                     atoi(w), strchr(w, 'u') ? "LEN=8 " : "WINDOW=64240 RES=0x00 SYN URGP=0 ");
        assert_int_equal(pipeline_line(&pipeline, strchr(w, '#') ? 1 : 0, line, (size_t)len,
                                       (struct line_moment){.now = now}),
                         LINE_PACKET);
    }
    pipeline_due(&pipeline, now + 60 * SECOND);
}

static void what_came_instead_is_told(void **state)
{
    (void)state;
    static const struct {
        const char *packets, *told;
    } rows[] = {
        {"7000 8000", "0:2"},
        {"7000 8000 8000 22", "0:2"},
        {"7000 8000 443 9000 80", "0:2 443/6"},
        {"7000 8000 9000u", "0:2 9000/17"},
        {"7000 8000 7000", "0:2 7000/6"},
        {"7000 8000 443 7000 1", "0:2 443/6"},
        {"7000 443 7000 8000", "0:2"},
        {"7000 443 7000 8000 80", "0:2 80/6"},
        {"7000 443/8", "0:1"},
        {"7000 443 7000 8000 9000", ""},
        {"7000 8000 9000 443", ""},
        {"7000 7000 8000 8000 9000 9000 443", ""},
        /* a tolerant door waits on */
        {"7100 8100 443 22", "1:2"},
        /* what comes when it is too late came instead of nothing */
        {"7000 8000 +25 443", "0:2"},
        /* of lost lines nobody knows */
        {"7000 8000 gap 443", ""},
        {"7000 8000 gap 7000 443", "0:1 443/6"},
        {"7100 gap 443", "1:1"},
        {"7200 443", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        configure(false);
        log_words(rows[i].packets);
        if (strcmp(told, rows[i].told) != 0)
            fail_msg("%s: told \"%s\", expected \"%s\"", rows[i].packets, told, rows[i].told);
    }
}

/* What is forgiven came instead of nothing; what was too much, or near a step, did. */
static void forgiven_strays_are_not_told(void **state)
{
    (void)state;
    static const struct {
        const char *packets, *told;
    } rows[] = {
        {"7000 8000 443 80", "0:2"},         {"7000 8000 443 80 443 1", "0:2 1/6"},
        {"7000 8000 443 80 1 2", "0:2 1/6"}, {"7000 443 8000 80 443 7001", "0:2 7001/6"},
        {"7000 443 8000 80 443 9000", ""},
    };
    strays = 2;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        configure(false);
        log_words(rows[i].packets);
        if (strcmp(told, rows[i].told) != 0)
            fail_msg("%s: told \"%s\", expected \"%s\"", rows[i].packets, told, rows[i].told);
    }
    strays = 0;
}

/* What one source lacks of a knock, another has: it is no failure to tell of. */
static void what_another_source_completes_is_not_told(void **state)
{
    (void)state;
    static const struct {
        const char *packets, *told;
    } rows[] = {
        {"7000#1 7000 8000#1 9000 9000#1", ""},
        {"7000#1 8000#1 9000#1 7000 8000", ""},
        {"7000 9000 7000#1 8000#1 9000#1", ""},
        {"7000 7000#1 8000#1 8000 9000#1", ""},
        {"7000/8 7000#1 8000#1 9000#1", "0:1"},
        /* one tells, the farther one */
        {"7000 7000#1 8000#1", "0:2"},
        {"7000#1 8000#1 7000 443", "0:2"},
        /* a later knock that lacks something */
        {"7000#1 8000#1 9000#1 +30 7000 8000", "0:2"},
        {"7000#1 8000#1 9000#1 +5 7000#1 8000#1", "0:2"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        configure(false);
        log_words(rows[i].packets);
        if (strcmp(told, rows[i].told) != 0)
            fail_msg("%s: told \"%s\", expected \"%s\"", rows[i].packets, told, rows[i].told);
    }
}

/* Each once, however often its packet is doubled, and none of what is open already. */
static void stages_are_told(void **state)
{
    (void)state;
    configure(true);
    log_words("7000 7000 8000 22 8000 9000 9000 22 7200 7000");
    assert_string_equal(told, "at 0:1, at 0:2, at 0:1, 0:1");
}

static int tear_down(void **state)
{
    (void)state;
    listener_config_free(&setup);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_instead_is_told),
        cmocka_unit_test(forgiven_strays_are_not_told),
        cmocka_unit_test(what_another_source_completes_is_not_told),
        cmocka_unit_test(stages_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, tear_down);
}
