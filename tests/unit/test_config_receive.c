/* The listener's configuration, record by record: their order, and what none of them may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "listener/config_receive.h"

/* The record that a letter stands for; all are good by themselves. */
static struct message message_of(char letter)
{
    struct message r = {.generation = 5};
    switch (letter) {
    case 'C': /* one source, one door */
    case 'N': /* neither */
        r.type = MESSAGE_CONFIG;
        r.u.config.sources = r.u.config.doors = letter == 'C';
        r.u.config.max_sources = 1024;
        break;
    case 'S':
        r.type = MESSAGE_SOURCE;
        r.u.source = (struct message_source){SOURCE_FILE, FORMAT_KERNEL, 0, 0};
        break;
    case 'P':
        r.type = MESSAGE_PREFIX;
        strcpy(r.u.prefix.text, "[DENY]");
        break;
    case 'W': /* another source */
        r.type = MESSAGE_SOURCE;
        r.u.source = (struct message_source){SOURCE_PCAP, FORMAT_KERNEL, 0, 0};
        break;
    case 'H':
        r.type = MESSAGE_HEARD;
        strcpy(r.u.heard.interface, "eth0");
        break;
    case 'D':
        r.type = MESSAGE_DOOR;
        r.u.door.sequence = (struct sequence){1, {{7000, IPPROTO_TCP}}};
        r.u.door.timeout = 1000000000;
        break;
    case 'I':
        r.type = MESSAGE_IGNORE;
        r.u.ignore.ports = (struct sequence){1, {{22, IPPROTO_TCP}}};
        break;
    case '*':
        r.type = MESSAGE_START;
        break;
    case 'F':
        r.type = MESSAGE_FD;
        break;
    default: /* a digit: that type */
        r.type = (uint32_t)(letter - '0');
    }
    return r;
}

/* Every record is taken but the last, which is complete, or bad. */
static void records_come_in_order(void **state)
{
    (void)state;
    static const struct {
        const char *records;
        enum listener_config_result last;
    } rows[] = {
        {"CSD*", LISTENER_CONFIG_COMPLETE},   {"CSPPD*", LISTENER_CONFIG_COMPLETE},
        {"CSDII*", LISTENER_CONFIG_COMPLETE}, {"CSPDI*", LISTENER_CONFIG_COMPLETE},
        {"N*", LISTENER_CONFIG_COMPLETE},     {"CSDI", LISTENER_CONFIG_MORE},
        {"S", LISTENER_CONFIG_BAD},           {"P", LISTENER_CONFIG_BAD},
        {"D", LISTENER_CONFIG_BAD},           {"I", LISTENER_CONFIG_BAD},
        {"*", LISTENER_CONFIG_BAD},           {"F", LISTENER_CONFIG_BAD},
        {"CC", LISTENER_CONFIG_BAD},          {"CSC", LISTENER_CONFIG_BAD},
        {"NC", LISTENER_CONFIG_BAD},          {"C*", LISTENER_CONFIG_BAD},
        {"CS*", LISTENER_CONFIG_BAD},         {"CSD0", LISTENER_CONFIG_BAD},
        {"CSS", LISTENER_CONFIG_BAD},         {"CSDD", LISTENER_CONFIG_BAD},
        {"CP", LISTENER_CONFIG_BAD},          {"CI", LISTENER_CONFIG_BAD},
        {"CSI", LISTENER_CONFIG_BAD},         {"CSDP", LISTENER_CONFIG_BAD},
        {"CSF", LISTENER_CONFIG_BAD},         {"CSDF", LISTENER_CONFIG_BAD},
        {"NS", LISTENER_CONFIG_BAD},          {"ND", LISTENER_CONFIG_BAD},
        {"C0", LISTENER_CONFIG_BAD},          {"C1", LISTENER_CONFIG_BAD},
        {"C2", LISTENER_CONFIG_BAD},          {"C3", LISTENER_CONFIG_BAD},
        {"C4", LISTENER_CONFIG_BAD},          {"C\x7f", LISTENER_CONFIG_BAD},
        {"CD", LISTENER_CONFIG_BAD},          {"CWD*", LISTENER_CONFIG_COMPLETE},
        {"CWHHD*", LISTENER_CONFIG_COMPLETE}, {"CSH", LISTENER_CONFIG_BAD},
        {"CH", LISTENER_CONFIG_BAD},          {"CWDH", LISTENER_CONFIG_BAD},
        {"H", LISTENER_CONFIG_BAD},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct listener_config setup = {0};
        enum listener_config_result got = LISTENER_CONFIG_MORE;
        for (const char *p = rows[i].records; *p; p++) {
            struct message message = message_of(*p);
            if (got != LISTENER_CONFIG_MORE)
                fail_msg("%s: result %d before %s", rows[i].records, got, p);
            got = listener_config_receive(&setup, &message);
        }
        if (got != rows[i].last)
            fail_msg("%s: result %d, expected %d", rows[i].records, got, rows[i].last);
        assert_int_equal(setup.matcher != NULL, got == LISTENER_CONFIG_COMPLETE);
        listener_config_free(&setup);
        assert_null(setup.sources);
    }
}

static void assert_bad(const char *before, const struct message *message, const char *what)
{
    struct listener_config setup = {0};
    for (; *before; before++) {
        struct message good = message_of(*before);
        assert_int_equal(listener_config_receive(&setup, &good), LISTENER_CONFIG_MORE);
    }
    if (listener_config_receive(&setup, message) != LISTENER_CONFIG_BAD)
        fail_msg("%s was taken", what);
    listener_config_free(&setup);
}

/* Only a capture says which interfaces it hears; none: all. */
static void interfaces_are_heard_by_name(void **state)
{
    (void)state;
    struct listener_config setup = {0};
    struct message message = message_of('C'), heard = message_of('H');
    assert_int_equal(listener_config_receive(&setup, &message), LISTENER_CONFIG_MORE);
    message = message_of('W');
    assert_int_equal(listener_config_receive(&setup, &message), LISTENER_CONFIG_MORE);
    const struct listener_config_source *source = &setup.sources[0];
    assert_true(listener_config_hears(source, "eth0"));
    assert_true(listener_config_hears(source, "?"));
    for (unsigned i = 0; i < INTERFACES_MAX; i++) {
        snprintf(heard.u.heard.interface, IF_NAMESIZE, "eth%u", i);
        assert_int_equal(listener_config_receive(&setup, &heard), LISTENER_CONFIG_MORE);
    }
    assert_int_equal(listener_config_receive(&setup, &heard), LISTENER_CONFIG_BAD);
    assert_true(listener_config_hears(source, "eth0"));
    assert_true(listener_config_hears(source, "eth255"));
    assert_false(listener_config_hears(source, "eth256"));
    assert_false(listener_config_hears(source, "?"));
    assert_false(listener_config_hears(source, ""));
    listener_config_free(&setup);
    memset(heard.u.heard.interface, 'x', IF_NAMESIZE);
    assert_bad("CW", &heard, "a name without an end");
}

static void values_out_of_range_are_bad(void **state)
{
    (void)state;
    struct message r = message_of('C');
    r.u.config.sources = CONFIG_SOURCES_MAX + 1;
    assert_bad("", &r, "a source too many");
    r.u.config.sources = UINT32_MAX;
    assert_bad("", &r, "2^32 - 1 sources");
    r = message_of('C');
    r.u.config.doors = LISTENER_CONFIG_DOORS_MAX + 1;
    assert_bad("", &r, "a door too many");
    r = message_of('C');
    r.u.config.max_sources = 0;
    assert_bad("", &r, "room for no address");
    r.u.config.max_sources = CONFIG_MAX_SOURCES + 1;
    assert_bad("", &r, "room for an address too many");
    r = message_of('C');
    r.u.config.packet_port = 1;
    assert_bad("", &r, "a port for single packets, and none for sealed knocks");
    r.u.config.span = 20000;
    r.u.config.packet_port = UINT16_MAX + 1;
    assert_bad("", &r, "a port above 65535");
    r = message_of('P');
    memset(r.u.prefix.text, 'x', sizeof(r.u.prefix.text));
    assert_bad("CS", &r, "a prefix without end");
    r = message_of('D');
    r.u.door.sequence.count = STEPS_MAX + 1;
    assert_bad("CS", &r, "a step too many");
    r = message_of('D');
    memset(r.u.door.interface, 'x', sizeof(r.u.door.interface));
    assert_bad("CS", &r, "an interface without end");
    for (int i = 0; i < 2; i++) {
        r = message_of('D');
        r.u.door.strays[i] = STRAYS_MAX + 1;
        assert_bad("CS", &r, "a stray too many");
    }
    r = message_of('D');
    r.u.door.like = 1;
    assert_bad("CS", &r, "a door that is like itself");
    r.u.door.like = UINT32_MAX;
    assert_bad("CS", &r, "a door that is like none");
    r = message_of('I');
    r.u.ignore.ports.count = 0;
    assert_bad("CSD", &r, "no ignored port");
    r.u.ignore.ports.count = STEPS_MAX + 1;
    assert_bad("CSD", &r, "an ignored port too many");
}

static void the_longest_is_good(void **state)
{
    (void)state;
    struct listener_config setup = {0};
    struct message c = message_of('C'), s = message_of('S'), p = message_of('P'),
                   d = message_of('D'), end = message_of('*');
    memset(p.u.prefix.text, 'x', MESSAGE_PREFIX_MAX);
    memset(d.u.door.interface, 'e', IF_NAMESIZE - 1);
    d.u.door.sequence.count = STEPS_MAX;
    for (uint16_t i = 0; i < STEPS_MAX; i++)
        d.u.door.sequence.steps[i] = (struct port_proto){(uint16_t)(1000 + 3 * i), IPPROTO_UDP};
    c.u.config.sources = CONFIG_SOURCES_MAX;
    assert_int_equal(listener_config_receive(&setup, &c), LISTENER_CONFIG_MORE);
    for (int i = 0; i < CONFIG_SOURCES_MAX; i++) {
        assert_int_equal(listener_config_receive(&setup, &s), LISTENER_CONFIG_MORE);
        for (int j = 0; j < 40; j++)
            assert_int_equal(listener_config_receive(&setup, &p), LISTENER_CONFIG_MORE);
    }
    assert_int_equal(listener_config_receive(&setup, &d), LISTENER_CONFIG_MORE);
    assert_int_equal(listener_config_receive(&setup, &end), LISTENER_CONFIG_COMPLETE);
    assert_int_equal(setup.sources[CONFIG_SOURCES_MAX - 1].spec.prefix_count, 40);
    assert_int_equal(strlen(setup.sources[0].spec.prefixes[39]), MESSAGE_PREFIX_MAX);
    listener_config_free(&setup);
}

static void what_was_said_is_kept(void **state)
{
    (void)state;
    static const struct {
        struct message_source said;
        enum log_format format;
    } sources[] = {{{SOURCE_KMSG, FORMAT_KERNEL, 0, 0}, LOG_KMSG},
                   {{SOURCE_FILE, FORMAT_KERNEL, 1, CONFIG_AGE_MAX}, LOG_KERNEL},
                   {{SOURCE_FILE, FORMAT_ULOGD, 0, 1}, LOG_ULOGD}};
    enum { COUNT = sizeof(sources) / sizeof(*sources) };
    struct listener_config setup = {0};
    struct message c = message_of('C'), p = message_of('P'), d = message_of('D'),
                   i = message_of('I'), like_first = message_of('D'), end = message_of('*');
    c.u.config.sources = COUNT;
    c.u.config.doors = 3;
    c.u.config.debug = 1;
    c.u.config.span = 20000;
    c.u.config.packet_port = UINT16_MAX;
    assert_int_equal(listener_config_receive(&setup, &c), LISTENER_CONFIG_MORE);
    for (int n = 0; n < COUNT; n++) {
        struct message s = {.type = MESSAGE_SOURCE, .u.source = sources[n].said};
        assert_int_equal(listener_config_receive(&setup, &s), LISTENER_CONFIG_MORE);
        snprintf(p.u.prefix.text, sizeof(p.u.prefix.text), "[%d]", n);
        assert_int_equal(listener_config_receive(&setup, &p), LISTENER_CONFIG_MORE);
    }
    d.u.door.strict = 1;
    d.u.door.strays[0] = STRAYS_MAX;
    d.u.door.strays[1] = 3;
    d.u.door.flags = (struct flag_match){TCP_SYN, TCP_ACK};
    d.u.door.target = (struct addr){4, {192, 0, 2, 1}};
    strcpy(d.u.door.interface, "eth0");
    assert_int_equal(listener_config_receive(&setup, &d), LISTENER_CONFIG_MORE);
    assert_int_equal(listener_config_receive(&setup, &i), LISTENER_CONFIG_MORE);
    i.u.ignore.ports = (struct sequence){2, {{80, IPPROTO_TCP}, {53, IPPROTO_UDP}}};
    assert_int_equal(listener_config_receive(&setup, &i), LISTENER_CONFIG_MORE);
    for (uint32_t like = 1; like <= 2; like++) {
        like_first.u.door.like = like;
        assert_int_equal(listener_config_receive(&setup, &like_first), LISTENER_CONFIG_MORE);
    }
    assert_int_equal(listener_config_receive(&setup, &end), LISTENER_CONFIG_COMPLETE);

    assert_int_equal(setup.generation, 5);
    assert_int_equal(setup.config.debug, 1);
    assert_int_equal(setup.config.packet_port, UINT16_MAX);
    assert_int_equal(setup.source_count, COUNT);
    for (int n = 0; n < COUNT; n++) {
        char prefix[8];
        snprintf(prefix, sizeof(prefix), "[%d]", n);
        assert_int_equal(setup.sources[n].type, sources[n].said.type);
        assert_int_equal(setup.sources[n].spec.format, sources[n].format);
        assert_int_equal(setup.sources[n].spec.prefix_count, 1);
        assert_string_equal(setup.sources[n].spec.prefixes[0], prefix);
    }
    const struct match_door *door = &setup.doors[0];
    assert_int_equal(door->sequence.steps[0].port, 7000);
    assert_int_equal(door->timeout, 1000000000);
    assert_int_equal(door->flags.clear, TCP_ACK);
    assert_int_equal(door->strays[0], STRAYS_MAX);
    assert_int_equal(door->strays[1], 3);
    assert_string_equal(door->interface, "eth0");
    assert_true(addr_equal(&door->target, &d.u.door.target) && door->strict);
    for (int n = 0; n < 3; n++) {
        assert_int_equal(door[n].ignore_count, 3);
        assert_int_equal(door[n].ignore[0].port, 22);
        assert_int_equal(door[n].ignore[1].port, 80);
        assert_int_equal(door[n].ignore[2].proto, IPPROTO_UDP);
    }
    listener_config_free(&setup);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_in_order),
        cmocka_unit_test(interfaces_are_heard_by_name),
        cmocka_unit_test(values_out_of_range_are_bad),
        cmocka_unit_test(the_longest_is_good),
        cmocka_unit_test(what_was_said_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
