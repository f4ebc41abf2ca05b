/* Sealed knocks judged: the order of the checks, and every edge of each. */
#include "config_help.h"
#include "keys_help.h"

#include <netinet/in.h>

#include "keeper/unseal.h"

#define NOW    INT64_C(1800000000) /* 2027-01-15 08:00:00 */
#define SKEW   (INT64_C(120) * 1000000000)
#define HOME   "198.51.100.7"
#define ANY    "server = \"" KEYS_SERVER "\""
#define SECOND INT64_C(1000000000)

enum { ALICE = 1, BOB, OLD, WEB_ALONE, STRANGER };

static const char text[] =
    " sealed { server = " KEYS_SERVER " }\n" SOURCE
    "door ssh { key = { alice, old, web-alone } port = 22 cmd_timeout = 30 start_command = true }\n"
    "door web { key = { bob, alice, old, web-alone } ports = { 443, 8443:udp } max_timeout = 1h\n"
    " bound = false start_command = true }\n"
    "door guest { key = alice for = true allow = { 192.0.2.0/24, 2001:db8::/32, 127.0.0.0/8,\n"
    " fe80::/10, 198.51.100.7 } start_command = true }\n"
    "door plain { sequence = { 90, 70, 80 } start_command = true }\n";

struct unseal_world {
    struct told told;
    struct config *config;
    struct keyring *keyring;
};

static void make_world(struct unseal_world *w)
{
    char whole[1200];
    struct report report = {.say = hear, .arg = &w->told};
    begin(&w->told);
    keys_write(w->told.dir, "alice", ALICE, ANY);
    keys_write(w->told.dir, "bob", BOB, ANY "\nexpires = \"2027-01-15\"");
    keys_write(w->told.dir, "old", OLD, ANY "\nexpires = \"2027-01-14\"");
    keys_write(w->told.dir, "web-alone", WEB_ALONE, ANY "\ndoor = web");
    snprintf(whole, sizeof(whole), "key_dir = %s%s", w->told.dir, text);
    w->config = load_text(&w->told, whole);
    assert_non_null(w->config);
    w->keyring = keyring_load(w->config, NOW, &report);
    assert_non_null(w->keyring);
}

static void end_world(struct unseal_world *w)
{
    static const char *const files[] = {"alice.key", "bob.key", "old.key", "web-alone.key"};
    for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
        remove_file(w->told.dir, files[i]);
    keyring_free(w->keyring);
    config_free(w->config);
    end(&w->told);
}

/* A message, and how it arrives. What isn't said is that of a good knock of alice's at ssh. */
struct arrival {
    unsigned key;
    const char *door;
    int op; /* -1: 0 */
    uint16_t seconds, port;
    const char *address;      /* to open for */
    const char *bound, *from; /* bound "": to nothing */
    double ahead;             /* s of its time before the clock */
};

static struct addr parse(const char *written)
{
    struct addr a = {0};
    if (written)
        assert_true(addr_parse(written, strlen(written), &a));
    return a;
}

static struct message_sealed seal(const struct arrival *a)
{
    struct message_sealed msg = {.address = parse(a->from ? a->from : HOME)};
    struct sealed_key key = keys_derive(a->key ? a->key : ALICE);
    struct addr bound = parse(a->bound ? *a->bound ? a->bound : NULL : HOME);
    struct sealed_request request = {.op = (uint8_t)(a->op < 0    ? 0
                                                     : a->op == 0 ? SEALED_OPEN
                                                                  : a->op),
                                     .seconds = a->seconds,
                                     .port = a->port,
                                     .address = parse(a->address)};
    sealed_door(a->door ? a->door : "ssh", request.door);
    uint64_t moment = (uint64_t)((double)NOW * 65536 + a->ahead * 65536);
    msg.length =
        (uint32_t)sealed_make(&key, moment, bound.family ? &bound : NULL, &request, msg.message);
    return msg;
}

static enum unseal_verdict judge(const struct unseal_world *w, const struct message_sealed *msg,
                                 struct sealed_wish *wish)
{
    struct unsealed message;
    uint64_t now = sealed_time(NOW, 0);
    enum unseal_verdict verdict = unseal_open(w->keyring, msg, now, SKEW, &message);
    if (verdict != UNSEAL_GOOD)
        return verdict;
    assert_true(message.time == sealed_message_time(msg->message));
    return unseal_validate(w->config, w->keyring, &message, &msg->address, NOW, wish);
}

static void judges_in_the_designed_order(void **state)
{
    (void)state;
    static const struct {
        struct arrival arrival;
        enum unseal_verdict expected;
    } rows[] = {
        {{0}, UNSEAL_GOOD},
        {{.op = SEALED_CLOSE}, UNSEAL_GOOD},
        /* time, before whose it is */
        {{.ahead = 120}, UNSEAL_GOOD},
        {{.ahead = -120}, UNSEAL_GOOD},
        {{.ahead = 120 + 1 / 65536.0}, UNSEAL_STALE},
        {{.ahead = -120 - 1 / 65536.0}, UNSEAL_STALE},
        {{.ahead = -1e9}, UNSEAL_STALE},
        {{.ahead = 1e9}, UNSEAL_STALE},
        {{.key = STRANGER, .ahead = 121}, UNSEAL_STALE},
        {{.from = "203.0.113.1", .ahead = -121}, UNSEAL_STALE},
        /* whose it is, before what it asks for */
        {{.key = STRANGER}, UNSEAL_UNKNOWN},
        {{.key = STRANGER, .door = "none", .op = 9}, UNSEAL_UNKNOWN},
        {{.from = "198.51.100.8"}, UNSEAL_UNKNOWN},
        {{.from = "2001:db8::1"}, UNSEAL_UNKNOWN},
        {{.from = "2001:db8::1", .bound = "2001:db8::1"}, UNSEAL_GOOD},
        {{.key = OLD, .from = "198.51.100.8"}, UNSEAL_UNKNOWN},
        /* the key, before the door */
        {{.key = OLD}, UNSEAL_EXPIRED},
        {{.key = OLD, .door = "none"}, UNSEAL_EXPIRED},
        {{.key = BOB, .door = "web", .port = 443}, UNSEAL_GOOD},
        /* the door, before its list of keys */
        {{.door = "none"}, UNSEAL_NO_DOOR},
        {{.door = "plain"}, UNSEAL_NO_DOOR},
        {{.door = "SSH"}, UNSEAL_NO_DOOR},
        {{.key = BOB}, UNSEAL_OTHER_DOOR},
        {{.key = WEB_ALONE}, UNSEAL_OTHER_DOOR},
        {{.key = WEB_ALONE, .door = "web"}, UNSEAL_GOOD},
        {{.key = BOB, .bound = "", .port = 9}, UNSEAL_OTHER_DOOR},
        /* bound, before allow; a message bound to nothing is good from everywhere, where it is */
        {{.bound = ""}, UNSEAL_UNBOUND},
        {{.bound = "", .port = 9, .op = 9}, UNSEAL_UNBOUND},
        {{.bound = "", .door = "guest", .address = "203.0.113.1"}, UNSEAL_UNBOUND},
        {{.bound = "", .door = "web", .from = "203.0.113.99"}, UNSEAL_GOOD},
        {{.bound = "", .door = "web", .from = "2001:db8::99"}, UNSEAL_GOOD},
        {{.door = "web"}, UNSEAL_GOOD},
        /* allow, and addresses that a key vouches for, before the port */
        {{.door = "guest"}, UNSEAL_GOOD},
        {{.door = "guest", .bound = "198.51.100.8", .from = "198.51.100.8"}, UNSEAL_NOT_ALLOWED},
        {{.door = "guest", .bound = "198.51.100.8", .from = "198.51.100.8", .port = 9},
         UNSEAL_NOT_ALLOWED},
        {{.door = "guest", .address = "192.0.2.1"}, UNSEAL_GOOD},
        {{.door = "guest", .address = "::ffff:192.0.2.1"}, UNSEAL_GOOD},
        {{.door = "guest", .address = "2001:db8::5"}, UNSEAL_GOOD},
        {{.door = "guest", .address = "203.0.113.1"}, UNSEAL_NOT_ALLOWED},
        {{.door = "guest", .address = "::"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "0.0.0.0"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "127.0.0.1"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "::1"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "::ffff:127.0.0.1"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "224.0.0.1"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "255.255.255.255"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "ff02::1"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "169.254.1.1"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "fe80::1"}, UNSEAL_NO_HOST},
        {{.door = "guest", .address = "febf::1"}, UNSEAL_NO_HOST},
        {{.address = HOME}, UNSEAL_FOR_OTHERS},
        {{.address = "::"}, UNSEAL_FOR_OTHERS},
        /* the port, before the op */
        {{.port = 22}, UNSEAL_GOOD},
        {{.port = 23}, UNSEAL_PORT},
        {{.port = 23, .op = 9}, UNSEAL_PORT},
        {{.port = 23, .op = SEALED_CLOSE}, UNSEAL_PORT},
        {{.door = "guest", .port = 22}, UNSEAL_PORT},
        {{.op = 3}, UNSEAL_OP},
        {{.op = 255}, UNSEAL_OP},
        {{.op = -1}, UNSEAL_OP},
    };
    struct unseal_world w;
    make_world(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct message_sealed msg = seal(&rows[i].arrival);
        struct sealed_wish wish;
        enum unseal_verdict verdict = judge(&w, &msg, &wish);
        if (verdict != rows[i].expected)
            fail_msg("row %zu: %s", i, verdict ? unseal_reason(verdict) : "taken");
    }
    end_world(&w);
}

static void understands_what_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        struct arrival arrival;
        const char *door, *address;
        int64_t seconds;
        uint16_t port;
        uint8_t proto;
    } rows[] = {
        {{0}, "ssh", HOME, 30, 22, IPPROTO_TCP},
        {{.seconds = 1}, "ssh", HOME, 1, 22, IPPROTO_TCP},
        {{.seconds = 30}, "ssh", HOME, 30, 22, IPPROTO_TCP},
        {{.seconds = 31}, "ssh", HOME, 30, 22, IPPROTO_TCP},
        {{.seconds = 65535}, "ssh", HOME, 30, 22, IPPROTO_TCP},
        {{.door = "web"}, "web", HOME, 10, 443, IPPROTO_TCP},
        {{.door = "web", .port = 8443}, "web", HOME, 10, 8443, IPPROTO_UDP},
        {{.door = "web", .seconds = 3600}, "web", HOME, 3600, 443, IPPROTO_TCP},
        {{.door = "web", .seconds = 3601}, "web", HOME, 3600, 443, IPPROTO_TCP},
        {{.door = "web", .op = SEALED_CLOSE}, "web", HOME, 10, 0, 0},
        {{.door = "web", .op = SEALED_CLOSE, .port = 443}, "web", HOME, 10, 443, IPPROTO_TCP},
        {{.door = "guest"}, "guest", HOME, 10, 0, 0},
        {{.door = "guest", .address = "::ffff:192.0.2.1"}, "guest", "192.0.2.1", 10, 0, 0},
    };
    struct unseal_world w;
    make_world(&w);
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct message_sealed msg = seal(&rows[i].arrival);
        struct sealed_wish wish;
        char address[ADDR_TEXT_SIZE];
        assert_int_equal(judge(&w, &msg, &wish), UNSEAL_GOOD);
        assert_string_equal(wish.door->name, rows[i].door);
        assert_ptr_equal(wish.door, &w.config->doors[wish.number]);
        assert_string_equal(addr_format(&wish.address, address), rows[i].address);
        assert_int_equal(wish.op, rows[i].arrival.op ? rows[i].arrival.op : SEALED_OPEN);
        assert_int_equal(wish.port.port, rows[i].port);
        assert_int_equal(wish.port.proto, rows[i].proto);
        assert_true(wish.length == rows[i].seconds * SECOND);
    }
    end_world(&w);
}

/* Whichever bit a stranger changes, and however much he cuts off or adds. */
static void every_bit_counts(void **state)
{
    (void)state;
    static const struct arrival arrivals[] = {
        {0}, {.bound = "", .door = "web"}, {.door = "guest", .address = "192.0.2.1"}};
    struct unseal_world w;
    make_world(&w);
    for (size_t i = 0; i < sizeof(arrivals) / sizeof(*arrivals); i++) {
        struct message_sealed msg = seal(&arrivals[i]);
        struct sealed_wish wish;
        assert_int_equal(judge(&w, &msg, &wish), UNSEAL_GOOD);
        for (unsigned bit = 0; bit < 8 * msg.length; bit++) {
            msg.message[bit / 8] ^= (uint8_t)(1 << bit % 8);
            enum unseal_verdict verdict = judge(&w, &msg, &wish);
            if (verdict != UNSEAL_UNKNOWN && verdict != UNSEAL_STALE)
                fail_msg("bit %u: verdict %d", bit, verdict);
            msg.message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
        msg.length = msg.length == SEALED_SHORT ? SEALED_LONG : SEALED_SHORT;
        assert_int_equal(judge(&w, &msg, &wish), UNSEAL_UNKNOWN);
    }
    end_world(&w);
}

/* While no door takes them, messages that are bound to nothing aren't even tried. */
static void unbound_messages_need_a_door_that_takes_them(void **state)
{
    (void)state;
    struct unseal_world w;
    make_world(&w);
    struct message_sealed msg = seal(&(struct arrival){.bound = "", .door = "web"});
    struct sealed_wish wish;
    assert_int_equal(judge(&w, &msg, &wish), UNSEAL_GOOD);
    w.keyring->unbound = false;
    assert_int_equal(judge(&w, &msg, &wish), UNSEAL_UNKNOWN);
    end_world(&w);
}

static void every_refusal_has_its_reason(void **state)
{
    (void)state;
    for (int verdict = UNSEAL_GOOD + 1; verdict < UNSEAL_VERDICTS; verdict++)
        assert_non_null(unseal_reason((enum unseal_verdict)verdict));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_in_the_designed_order),
        cmocka_unit_test(understands_what_is_asked_for),
        cmocka_unit_test(every_bit_counts),
        cmocka_unit_test(unbound_messages_need_a_door_that_takes_them),
        cmocka_unit_test(every_refusal_has_its_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
