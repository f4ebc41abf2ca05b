/*
 * Groups of NFLOG by the kernel: who has one, who may have one, and that a process without
 * capabilities can't change one by a socket that it was handed. In a user namespace with a network
 * of its own, so it needs no privilege.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/nflog.h"

enum { GROUP = 4711, NO_NAMESPACE = 77, TIMEOUT_MS = 2000 };

/* Changes a group by its own socket. The kernel's error, 0 for none. */
static int configure(int fd, uint8_t command)
{
    struct {
        struct nlmsghdr header;
        struct nfgenmsg family;
        struct nlattr attribute;
        uint8_t command, padding[3];
    } request = {
        .header = {.nlmsg_len = sizeof(request),
                   .nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
        .family = {.res_id = htons(GROUP)},
        .attribute = {.nla_len = sizeof(struct nlattr) + 1, .nla_type = NFULA_CFG_CMD},
        .command = command,
    };
    struct {
        struct nlmsghdr header;
        struct nlmsgerr error;
        uint8_t rest[1024];
    } answer;
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    if (sendto(fd, &request, sizeof(request), 0, (void *)&kernel, sizeof(kernel)) < 0)
        return errno;
    if (poll(&ready, 1, TIMEOUT_MS) != 1 || recv(fd, &answer, sizeof(answer), 0) < 0 ||
        answer.header.nlmsg_type != NLMSG_ERROR)
        return -1;
    return -answer.error.error;
}

static bool give_up_capabilities(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    static const struct __user_cap_data_struct none[2];
    return syscall(SYS_capset, &header, none) == 0;
}

static bool has_buffer(int fd)
{
    int size = 0;
    socklen_t len = sizeof(size);
    return getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, &len) == 0 && size > 0;
}

/* In the child: 0, or the number of what is wrong. */
static int look(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        return NO_NAMESPACE;
    int fd = nflog_group_open(GROUP);
    if (fd < 0)
        return errno == EPROTONOSUPPORT || errno == EINVAL ? NO_NAMESPACE : 1;
    if (!has_buffer(fd))
        return 2;
    if (nflog_group_open(GROUP) >= 0 || errno != EBUSY)
        return 3;
    int other = nflog_group_open(GROUP + 1);
    if (other < 0)
        return 4;
    /* Closed, it is free. */
    close(other);
    if ((other = nflog_group_open(GROUP + 1)) < 0)
        return 5;
    /* The socket alone suffices for who has the capability, so that what follows proves something.
     */
    if (configure(fd, NFULNL_CFG_CMD_UNBIND) != 0 || configure(fd, NFULNL_CFG_CMD_BIND) != 0)
        return 6;
    if (!give_up_capabilities())
        return 7;
    if (configure(fd, NFULNL_CFG_CMD_UNBIND) != EPERM)
        return 8;
    if (configure(fd, NFULNL_CFG_CMD_BIND) != EPERM)
        return 9;
    if (nflog_group_open(GROUP + 2) >= 0 || errno != EPERM)
        return 10;
    return nflog_group_open(GROUP) < 0 && errno == EPERM ? 0 : 11;
}

static void groups(void **state)
{
    (void)state;
    int status;
    if (!nflog_is_built())
        skip();
    pid_t pid = fork();
    if (pid == 0)
        _exit(look());
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_NAMESPACE)
        skip();
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
