/* What the log says of a listener's events, by the type of the source that they are of. */
#include "keeper_help.h"

#include <netinet/in.h>

#include "knockd/listener_events.h"

enum { SOURCES = 4 };

static char *const names[SOURCES] = {"k", "n", "any", "c"};
static const enum source_type types[SOURCES] = {SOURCE_KMSG, SOURCE_NFLOG, SOURCE_PCAP,
                                                SOURCE_PCAP};

/* Logs the event of each source; the lines must have these parts. */
static void assert_said(struct message_event event, const char *const parts[SOURCES])
{
    struct config_text interfaces[] = {{.text = "eth0"}, {.text = "eth1"}};
    struct config_source sources[SOURCES] = {0};
    struct config_door door = {
        .name = "d",
        .seq_timeout = 15 * CLOCK_SECOND,
        .sequence = {3, {{7000, IPPROTO_TCP}, {8000, IPPROTO_UDP}, {9000, IPPROTO_TCP}}}};
    struct config config = {
        .sources = sources, .source_count = SOURCES, .doors = &door, .door_count = 1};
    for (unsigned i = 0; i < SOURCES; i++) {
        struct bench b;
        struct limit rate = limit_make(1, 1, 0);
        char text[1000];
        sources[i].name = names[i];
        sources[i].type = types[i];
        sources[i].group = 5;
        sources[3].interfaces = (struct config_list){.items = interfaces, .count = 2};
        event.source = i;
        struct message message = {.type = MESSAGE_EVENT, .u.event = event};
        bench_make(&b);
        event_log(&config, &message, &rate, 0);
        bench_read(&b, "log", text, sizeof(text));
        bench_end(&b, (const char *const[]){NULL});
        if (!strstr(text, parts[i]))
            fail_msg("source %s: expected \"%s\" in %s", names[i], parts[i], text);
    }
}

static void silence(void **state)
{
    (void)state;
    static const char *const parts[SOURCES] = {
        "source k: no denied packet in 10 min; does a rule log them? See knockctl rules",
        "source n: no denied packet in 10 min; does a rule hand them to NFLOG group 5?",
        "source any: no packet in 10 min; do knocks come in by the interfaces",
        "source c: no packet in 10 min; do knocks come in by the interfaces"};
    assert_said((struct message_event){.kind = EVENT_SILENT, .number = 600}, parts);
}

static void gaps(void **state)
{
    (void)state;
    static const char *const parts[SOURCES] = {
        "source k: 7 lines were overwritten before they could be read; strict knocks",
        "source n: 7 packets were dropped before they could be read; strict knocks",
        "source any: 7 packets were dropped before they could be read; strict knocks",
        "source c: 7 packets were dropped before they could be read; strict knocks"};
    assert_said((struct message_event){.kind = EVENT_GAP, .number = 7}, parts);
}

static void stalled_knocks(void **state)
{
    (void)state;
    static const char *const parts[SOURCES] = {
        "step 1 of 3; no 8000:udp within 15 s (LOG rule limited?)",
        "step 1 of 3; no 8000:udp within 15 s (NFLOG rule limited?)",
        "step 1 of 3; no 8000:udp within 15 s (lost on its way?)",
        "step 1 of 3; no 8000:udp within 15 s (lost on its way?)"};
    struct message_event event = {
        .kind = EVENT_STALLED, .number = 1, .address = {4, {192, 0, 2, 1}}};
    assert_said(event, parts);
}

static void scans(void **state)
{
    (void)state;
    static const char *const same =
        "192.0.2.1 knocked right, but sent to at least 12 other ports besides, as a port scan does";
    static const char *const parts[SOURCES] = {same, same, same, same};
    assert_said(
        (struct message_event){.kind = EVENT_SCAN, .number = 12, .address = {4, {192, 0, 2, 1}}},
        parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(silence),
        cmocka_unit_test(gaps),
        cmocka_unit_test(stalled_knocks),
        cmocka_unit_test(scans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
