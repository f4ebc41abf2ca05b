/* Messages between the two processes: what is sent whole is received whole, the rest is refused. */
#include "keeper_help.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include "lib/message.h"

static void make_pair(int ends[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
}

static void end_pair(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void every_type_goes_round(void **state)
{
    (void)state;
    int ends[2];
    make_pair(ends);
    for (uint32_t type = 1; type < MESSAGE_TYPES; type++) {
        struct message out, in;
        int fd = 99;
        memset(&out, (int)(0xa0 + type), sizeof(out));
        memset(&in, 0, sizeof(in));
        out.type = type;
        assert_true(message_size(type) >= 8 && message_size(type) <= sizeof(out));
        assert_int_equal(message_send(ends[0], &out, -1, false), MESSAGE_GOT);
        assert_int_equal(message_receive(ends[1], &in, &fd), MESSAGE_GOT);
        assert_int_equal(fd, -1);
        assert_memory_equal(&in, &out, message_size(type));
        assert_int_equal(message_receive(ends[1], &in, &fd), MESSAGE_NONE);
        assert_int_equal(fd, -1);
    }
    end_pair(ends);
}

static void carries_a_descriptor(void **state)
{
    (void)state;
    int ends[2], pipes[2], fd;
    char byte = 0;
    struct message out = {.type = MESSAGE_FD, .generation = 7, .u.fd = {.kind = FD_LOG}}, in;
    make_pair(ends);
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    assert_int_equal(message_send(ends[0], &out, pipes[1], false), MESSAGE_GOT);
    assert_true(is_open(pipes[1]));
    assert_int_equal(message_receive(ends[1], &in, &fd), MESSAGE_GOT);
    assert_int_equal(in.generation, 7);
    assert_true(fd >= 0 && fd != pipes[1]);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write(fd, "x", 1), 1);
    assert_int_equal(read(pipes[0], &byte, 1), 1);
    assert_int_equal(byte, 'x');
    close(fd);
    end_pair(pipes);
    end_pair(ends);
}

static void unknown_types_have_no_size(void **state)
{
    (void)state;
    static const uint32_t types[] = {0, MESSAGE_TYPES, MESSAGE_TYPES + 1, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        assert_int_equal(message_size(types[i]), 0);
}

/* Sends `len` bytes that begin as a message of `type`, with `count` descriptors of /dev/null. */
static void send_raw(int socket, uint32_t type, size_t len, int count)
{
    static char bytes[2 * sizeof(struct message)];
    union {
        char bytes[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    int fds[4];
    memcpy(bytes, &type, sizeof(type));
    struct iovec iov = {.iov_base = bytes, .iov_len = len};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    for (int i = 0; i < count; i++)
        assert_true((fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    if (count) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, (size_t)count * sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &message, MSG_NOSIGNAL), len);
    for (int i = 0; i < count; i++)
        close(fds[i]);
}

/* Nothing that isn't a message is received, and none of its descriptors stays open. */
static void refuses_what_is_no_message(void **state)
{
    (void)state;
    const size_t open_size = message_size(MESSAGE_OPEN);
    const struct {
        uint32_t type;
        size_t len;
        int fds;
    } rows[] = {
        {MESSAGE_OPEN, open_size - 1, 0},
        {MESSAGE_OPEN, open_size + 1, 0},
        {MESSAGE_OPEN, 8, 0},
        {MESSAGE_OPEN, 4, 0},
        {MESSAGE_OPEN, 3, 0},
        {MESSAGE_OPEN, 1, 0},
        {MESSAGE_OPEN, sizeof(struct message), 0},
        {MESSAGE_DOOR, sizeof(struct message) + 1, 0},
        {MESSAGE_OPEN, 2 * sizeof(struct message), 0},
        {0, 8, 0},
        {MESSAGE_TYPES, 8, 0},
        {UINT32_MAX, 8, 0},
        {MESSAGE_OPEN, open_size - 1, 1},
        {MESSAGE_OPEN, open_size - 1, 2},
        {MESSAGE_FD, 2 * sizeof(struct message), 1},
        {MESSAGE_TYPES, 8, 1},
    };
    int ends[2];
    make_pair(ends);
    int before = open_count();
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct message in;
        int fd = 99;
        send_raw(ends[0], rows[i].type, rows[i].len, rows[i].fds);
        assert_int_equal(message_receive(ends[1], &in, &fd), MESSAGE_BAD);
        assert_int_equal(fd, -1);
        if (open_count() != before)
            fail_msg("row %zu leaves a descriptor open", i);
    }
    end_pair(ends);
}

/* A message brings one descriptor at most; a good size doesn't excuse more, nor does it leak them.
 */
static void refuses_many_descriptors(void **state)
{
    (void)state;
    int ends[2];
    make_pair(ends);
    int before = open_count();
    for (int count = 2; count <= 4; count++) {
        struct message in;
        int fd = 99;
        send_raw(ends[0], MESSAGE_FD, message_size(MESSAGE_FD), count);
        assert_int_equal(message_receive(ends[1], &in, &fd), MESSAGE_BAD);
        assert_int_equal(fd, -1);
        if (open_count() != before)
            fail_msg("%d descriptors: %d stay open", count, open_count() - before);
    }
    end_pair(ends);
}

/* What was sent before the end is still heard; then it is the end, both to read and to write. */
static void the_other_end_is_gone(void **state)
{
    (void)state;
    int ends[2], fd;
    struct message msg = {.type = MESSAGE_REPLY}, in;
    make_pair(ends);
    assert_int_equal(message_send(ends[0], &msg, -1, false), MESSAGE_GOT);
    close(ends[0]);
    assert_int_equal(message_receive(ends[1], &in, &fd), MESSAGE_GOT);
    assert_int_equal(message_receive(ends[1], &in, &fd), MESSAGE_END);
    assert_int_equal(fd, -1);
    assert_int_equal(message_send(ends[1], &msg, -1, false), MESSAGE_END);
    assert_int_equal(message_send(ends[1], &msg, -1, true), MESSAGE_END);
    close(ends[1]);
}

static void a_full_socket_takes_none(void **state)
{
    (void)state;
    int ends[2], fd, sent = 0, got = 0;
    struct message out = {.type = MESSAGE_REPLY}, in;
    make_pair(ends);
    while (sent < 100000 && message_send(ends[0], &out, -1, false) == MESSAGE_GOT)
        out.generation = (uint32_t)++sent;
    assert_true(sent > 0 && sent < 100000);
    assert_int_equal(message_send(ends[0], &out, -1, false), MESSAGE_NONE);
    for (; message_receive(ends[1], &in, &fd) == MESSAGE_GOT; got++)
        assert_int_equal(in.generation, got);
    assert_int_equal(got, sent);
    assert_int_equal(message_send(ends[0], &out, -1, true), MESSAGE_GOT);
    end_pair(ends);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_goes_round),      cmocka_unit_test(carries_a_descriptor),
        cmocka_unit_test(unknown_types_have_no_size), cmocka_unit_test(refuses_what_is_no_message),
        cmocka_unit_test(refuses_many_descriptors),   cmocka_unit_test(the_other_end_is_gone),
        cmocka_unit_test(a_full_socket_takes_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
