/*
 * A capture's sockets, from the keeper that opens them to the listener that reads them, in a
 * network namespace of the test's own: what they hear and when, what is lost, and what a listener
 * can't do with them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/packet_sockets.h"
#include "lib/capture.h"
#include "listener/filter.h"
#include "listener/listener.h"
#include "listener/packet_stream.h"
#include "listener/sandbox.h"

enum { STEP = 28733, SERVED = 443, REFUSED = 100, NO_SANDBOX = 99 };

static uid_t nobody_uid;
static gid_t nobody_gid;
static bool ready;

static bool loopback_up(void)
{
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    if (fd >= 0)
        close(fd);
    return ok;
}

static int set_up(void **state)
{
    (void)state;
    const struct passwd *nobody = getpwnam("nobody");
    if (geteuid() != 0 || !nobody || !capture_is_built())
        return 0;
    nobody_uid = nobody->pw_uid;
    nobody_gid = nobody->pw_gid;
    ready = unshare(CLONE_NEWNET) == 0 && loopback_up();
    return 0;
}

static void need_namespace(void)
{
    if (ready)
        return;
    print_message("needs root, the user nobody, network namespaces and libpcap\n");
    skip();
}

static void no_report(void *arg, bool error, const char *text)
{
    (void)arg, (void)error;
    print_error("%s\n", text);
}

static struct config_door door = {.flags = {TCP_SYN, TCP_ACK},
                                  .port = {SERVED, IPPROTO_UDP},
                                  .sequence = {1, {{STEP, IPPROTO_UDP}}}};
static const struct config_source source = {.name = (char[]){"wire"}, .type = SOURCE_PCAP};

static void open_sockets(int fds[PACKET_SOCKETS])
{
    const struct config config = {.doors = &door, .door_count = 1};
    struct report report = {.say = no_report};
    struct capture_ports ports;
    const char *why = NULL;
    capture_ports_init(&ports, &config, CAPTURE_ANY);
    int count = packet_sockets_open(&ports, &source, fds, &why, &report);
    if (count != PACKET_SOCKETS)
        fail_msg("%s", why);
    assert_int_equal(report.warnings, 0);
}

/* Sends to the step, or elsewhere, by IPv4 or IPv6. */
static void send_udp(int family, uint16_t port, size_t len)
{
    static const char bytes[2000];
    struct sockaddr_in to4 = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 to6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(family == 4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    sendto(fd, bytes, len, 0, family == 4 ? (void *)&to4 : (void *)&to6,
           family == 4 ? sizeof(to4) : sizeof(to6));
    close(fd);
}

/* --- what is heard --- */

struct heard {
    unsigned packets, gaps, events, wrong;
    char order[64]; /* a letter for each of the first: packet, gap */
    uint64_t lost;
    struct packet last;
    bool has_payload;
};

static void note(struct heard *heard, char letter)
{
    size_t len = strlen(heard->order);
    if (len < sizeof(heard->order) - 1)
        heard->order[len] = letter;
}

static void on_packet(void *arg, struct packet_event *event)
{
    struct heard *heard = arg;
    note(heard, 'p');
    heard->packets++;
    heard->wrong +=
        event->verdict != LINE_PACKET || event->in != if_nametoindex("lo") || event->prefix != NULL;
    heard->last = event->ip.packet;
    heard->has_payload = event->ip.payload != NULL;
}

static void on_gap(void *arg)
{
    note(arg, 'g');
    ((struct heard *)arg)->gaps++;
}

static void on_event(void *arg, enum event_kind kind, uint64_t number)
{
    struct heard *heard = arg;
    heard->events++;
    heard->wrong += kind != EVENT_GAP;
    heard->lost += number;
}

static void make_stream(struct packet_stream *stream, const int fds[PACKET_SOCKETS],
                        struct heard *heard)
{
    packet_stream_init(stream, SOURCE_PCAP, NULL,
                       (struct packet_stream_calls){
                           .packet = on_packet, .gap = on_gap, .event = on_event, .arg = heard});
    for (int i = 0; i < PACKET_SOCKETS; i++)
        assert_true(packet_stream_add(stream, fds[i]));
    assert_false(packet_stream_add(stream, -1));
}

static void hears_what_may_be_a_knock(void **state)
{
    (void)state;
    need_namespace();
    int fds[PACKET_SOCKETS];
    struct packet_stream stream;
    struct heard heard = {0};
    open_sockets(fds);
    make_stream(&stream, fds, &heard);
    send_udp(4, STEP, 1);
    send_udp(6, STEP, 1);
    packet_stream_read(&stream, 1);
    assert_int_equal(heard.packets, 0); /* not before it begins */
    assert_int_equal(packet_sockets_begin(fds), 0);
    for (int family = 4; family <= 6; family += 2) {
        const unsigned before = heard.packets;
        send_udp(family, STEP, 32);
        send_udp(family, SERVED, 32);
        send_udp(family, STEP + SEQUENCE_DECOYS + 1, 32);
        packet_stream_read(&stream, 2);
        /* Once, though it went out by the same interface. */
        assert_int_equal(heard.packets, before + 1);
        assert_int_equal(heard.last.dpt, STEP);
        assert_int_equal(heard.last.proto, IPPROTO_UDP);
        assert_int_equal(heard.last.src.family, family);
        assert_true(heard.has_payload);
    }
    send_udp(4, STEP, 1200);
    packet_stream_read(&stream, 3);
    assert_int_equal(heard.last.dpt, STEP);
    assert_false(heard.has_payload); /* it is cut */
    assert_int_equal(heard.wrong + heard.gaps + heard.events, 0);
    packet_stream_free(&stream);
}

static void counts_what_is_lost(void **state)
{
    (void)state;
    need_namespace();
    const int64_t second = INT64_C(1000000000);
    int fds[PACKET_SOCKETS], small = 4096;
    struct packet_stream stream;
    struct heard heard = {0};
    open_sockets(fds);
    /* That of IPv4 is the second. */
    assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(packet_sockets_begin(fds), 0);
    make_stream(&stream, fds, &heard);
    int64_t now = 5 * second;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 1000; i++)
            send_udp(4, STEP, 1);
        while (packet_stream_read(&stream, now))
            ;
        /* The next one tells of it. */
        send_udp(4, STEP, 1);
        packet_stream_read(&stream, now);
    }
    assert_true(heard.gaps >= 3);
    assert_int_equal(heard.events, 1); /* within a second */
    /* The rest when that is over, though no packet comes. */
    assert_int_equal(packet_stream_due(&stream), now + second);
    packet_stream_report(&stream, now + second - 1);
    assert_int_equal(heard.events, 1);
    packet_stream_report(&stream, now + second);
    assert_int_equal(heard.events, 2);
    assert_int_equal(packet_stream_due(&stream), INT64_MAX);
    send_udp(4, STEP, 1);
    packet_stream_read(&stream, now + second);
    assert_int_equal(heard.events, 2);
    assert_int_equal(heard.packets + heard.lost, 3 * 1001 + 1);
    assert_int_equal(heard.wrong, 0);
    packet_stream_free(&stream);
}

/* Attempts learn of it before the packets that waited meanwhile, and before those that come next.
 */
static void losses_come_between_packets(void **state)
{
    (void)state;
    need_namespace();
    int fds[PACKET_SOCKETS], small = 4096;
    struct packet_stream stream;
    struct heard heard = {0};
    open_sockets(fds);
    assert_int_equal(setsockopt(fds[1], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    assert_int_equal(packet_sockets_begin(fds), 0);
    make_stream(&stream, fds, &heard);
    send_udp(4, STEP, 1);
    packet_stream_read(&stream, 1);
    assert_string_equal(heard.order, "p");
    for (unsigned i = 0; i < 200; i++)
        send_udp(4, STEP, 1);
    memset(heard.order, 0, sizeof(heard.order));
    packet_stream_read(&stream, 2);
    size_t heard_of = strlen(heard.order);
    assert_in_range(heard_of, 3, sizeof(heard.order) - 2);
    assert_int_equal(heard.order[0], 'g');
    assert_int_equal(heard.order[heard_of - 1], 'g');
    assert_int_equal(strspn(heard.order + 1, "p"), heard_of - 2);
    assert_int_equal(heard.lost, 200 - (heard_of - 2));
    memset(heard.order, 0, sizeof(heard.order));
    send_udp(4, STEP, 1);
    packet_stream_read(&stream, 3);
    assert_string_equal(heard.order, "p");
    packet_stream_free(&stream);
}

/* --- what can't be done with them --- */

static int set_option(int fd, int name)
{
    static struct sock_filter all = {BPF_RET | BPF_K, 0, 0, 0xffff};
    struct sock_fprog program = {1, &all};
    int off = 0;
    if (name == SO_ATTACH_FILTER)
        return setsockopt(fd, SOL_SOCKET, name, &program, sizeof(program));
    return setsockopt(fd, SOL_SOCKET, name, &off, sizeof(off));
}

/* The kernel itself refuses, even the keeper. */
static void the_filter_is_locked(void **state)
{
    (void)state;
    need_namespace();
    static const int options[] = {SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER};
    int fds[PACKET_SOCKETS];
    open_sockets(fds);
    for (int i = 0; i < PACKET_SOCKETS; i++) {
        for (size_t j = 0; j < sizeof(options) / sizeof(*options); j++) {
            assert_int_equal(set_option(fds[i], options[j]), -1);
            assert_int_equal(errno, EPERM);
        }
        close(fds[i]);
    }
}

struct attempt {
    const char *name;
    long (*make)(int fd);
};

static struct sockaddr_ll everything(void)
{
    return (struct sockaddr_ll){.sll_family = AF_PACKET,
                                .sll_protocol = htons(ETH_P_ALL),
                                .sll_ifindex = (int)if_nametoindex("lo"),
                                .sll_halen = 6};
}

static struct sockaddr_ll to;

static long detaches(int fd)
{
    return set_option(fd, SO_DETACH_FILTER);
}

static long binds(int fd)
{
    return bind(fd, (void *)&to, sizeof(to));
}

static long sends(int fd)
{
    char bytes[20] = {0x45};
    return sendto(fd, bytes, sizeof(bytes), 0, (void *)&to, sizeof(to));
}

static long sends_message(int fd)
{
    char bytes[20] = {0x45};
    struct iovec iov = {bytes, sizeof(bytes)};
    struct msghdr message = {
        .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1};
    return sendmsg(fd, &message, 0);
}

static long writes(int fd)
{
    char bytes[20] = {0x45};
    return write(fd, bytes, sizeof(bytes));
}

static long connects(int fd)
{
    return connect(fd, (void *)&to, sizeof(to));
}

static long goes_promiscuous(int fd)
{
    struct packet_mreq all = {.mr_ifindex = to.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all));
}

static long asks_its_peer(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size);
}

static long asks_its_ring(int fd)
{
    int version = 0;
    socklen_t size = sizeof(version);
    return getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &version, &size);
}

/* What it may ask, and loses by it: the count begins anew. */
static long asks_what_was_dropped(int fd)
{
    struct tpacket_stats stats;
    socklen_t size = sizeof(stats);
    return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size);
}

static long takes_its_number(int fd)
{
    return dup2(fd, LISTENER_SOCKET);
}

static const struct attempt attempts[] = {
    {"lift the filter", detaches},
    {"bind", binds},
    {"sendto", sends},
    {"sendmsg", sends_message},
    {"write", writes},
    {"connect", connects},
    {"promiscuous", goes_promiscuous},
    {"its peer", asks_its_peer},
    {"another option", asks_its_ring},
    {"the keeper's number", takes_its_number},
};

/* Runs it as a listener, and returns the child's wait status. `number`: of the descriptor. */
static int attempt_in_child(const struct attempt *attempt, int fd, int number)
{
    fflush(NULL);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (number >= 0)
            fd = dup2(fd, number);
        if (sandbox_enter(nobody_uid, nobody_gid, UINT64_C(1) << 30) != SANDBOX_DONE)
            _exit(NO_SANDBOX);
        _exit(attempt->make(fd) < 0 ? REFUSED : 0);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return status;
}

static void a_listener_can_only_read_them(void **state)
{
    (void)state;
    need_namespace();
    int fds[PACKET_SOCKETS];
    open_sockets(fds);
    assert_int_equal(packet_sockets_begin(fds), 0);
    to = everything();
    /* Above the keeper's number, as all that a listener is sent. */
    int fd = fcntl(fds[0], F_DUPFD_CLOEXEC, 10);
    for (size_t i = 0; i < sizeof(attempts) / sizeof(*attempts); i++) {
        int status = attempt_in_child(&attempts[i], fd, -1);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGSYS)
            fail_msg("%s: wait status 0x%x", attempts[i].name, status);
    }
    /* Without an address there is no interface to send by, had it the number of standard error. */
    const struct attempt write_error = {"write to standard error", writes};
    int status = attempt_in_child(&write_error, fd, STDERR_FILENO);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), REFUSED);
    const struct attempt ask = {"ask for losses", asks_what_was_dropped};
    status = attempt_in_child(&ask, fd, -1);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    close(fd);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hears_what_may_be_a_knock),     cmocka_unit_test(counts_what_is_lost),
        cmocka_unit_test(losses_come_between_packets),   cmocka_unit_test(the_filter_is_locked),
        cmocka_unit_test(a_listener_can_only_read_them),
    };
    /* A build with sanitizers confines its listener less. */
    const struct CMUnitTest unconfined[] = {tests[0], tests[1], tests[2], tests[3]};
    return filter_is_strict() ? cmocka_run_group_tests(tests, set_up, NULL)
                              : cmocka_run_group_tests(unconfined, set_up, NULL);
}
