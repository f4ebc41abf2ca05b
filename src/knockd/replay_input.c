/* Opens what a replay reads, and tells a log from a capture. */
#include "knockd/replay_input.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* How files begin that are no logs. */
static const struct magic {
    enum input_kind kind;
    size_t len;
    const char *bytes;
    const char *program;
} magics[] = {
    /* pcap: microseconds, nanoseconds, and a variant of old Linux, in both byte orders. */
    {INPUT_CAPTURE, 4, "\xa1\xb2\xc3\xd4", NULL},
    {INPUT_CAPTURE, 4, "\xd4\xc3\xb2\xa1", NULL},
    {INPUT_CAPTURE, 4, "\xa1\xb2\x3c\x4d", NULL},
    {INPUT_CAPTURE, 4, "\x4d\x3c\xb2\xa1", NULL},
    {INPUT_CAPTURE, 4, "\xa1\xb2\xcd\x34", NULL},
    {INPUT_CAPTURE, 4, "\x34\xcd\xb2\xa1", NULL},
    /* pcapng. */
    {INPUT_CAPTURE, 4, "\n\r\r\n", NULL},
    {INPUT_COMPRESSED, 2, "\x1f\x8b", "zcat"},
    {INPUT_COMPRESSED, 6, "\xfd\x37zXZ\0", "xzcat"},
    {INPUT_COMPRESSED, 4, "\x28\xb5\x2f\xfd", "zstdcat"},
    {INPUT_COMPRESSED, 10, "BZh9\x31\x41\x59\x26\x53\x59", "bzcat"},
    {INPUT_COMPRESSED, 4, "\x04\x22\x4d\x18", "lz4cat"},
    /* snoop(1), Microsoft's Network Monitor. */
    {INPUT_OTHER, 8, "snoop\0\0\0", NULL},
    {INPUT_OTHER, 4, "GMBU", NULL},
};

enum { MAGICS = sizeof(magics) / sizeof(*magics) };

/* --- SIGINT --- */

static sigset_t interrupt_set(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    return set;
}

/* A shell's background job has it ignored, and keeps that. */
static void watch_interrupt(struct replay_input *input)
{
    struct sigaction action;
    sigset_t set = interrupt_set();
    if (sigaction(SIGINT, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
        return;
    input->interrupt = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (input->interrupt >= 0)
        sigprocmask(SIG_BLOCK, &set, NULL);
}

/* Takes the signal that came, if one did; the next has its usual effect. */
static void unwatch_interrupt(struct replay_input *input)
{
    struct signalfd_siginfo info;
    sigset_t set = interrupt_set();
    if (input->interrupt < 0)
        return;
    input->interrupted |= read(input->interrupt, &info, sizeof(info)) == sizeof(info);
    close(input->interrupt);
    input->interrupt = -1;
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* Waits for input, at most `ms` unless that is negative. */
static int wait_for_input(const struct replay_input *input, int ms, struct pollfd fds[2])
{
    int count;
    do {
        fds[0] = (struct pollfd){.fd = input->fd, .events = POLLIN};
        fds[1] = (struct pollfd){.fd = input->interrupt, .events = POLLIN};
        count = poll(fds, 2, ms);
    } while (count < 0 && errno == EINTR);
    return count;
}

bool replay_input_is_quiet(const struct replay_input *input, int ms)
{
    struct pollfd fds[2];
    return wait_for_input(input, ms, fds) == 0;
}

static bool is_interrupted(struct replay_input *input)
{
    struct pollfd fds[2];
    if (input->interrupt >= 0 && wait_for_input(input, -1, fds) > 0 && fds[1].revents)
        unwatch_interrupt(input);
    return input->interrupted;
}

/* --- the bytes --- */

static long read_bytes(struct replay_input *input, char *out, size_t size)
{
    for (;;) {
        if (is_interrupted(input))
            return 0;
        ssize_t got = read(input->fd, out, size);
        if (got >= 0 || errno != EINTR)
            return got;
    }
}

long replay_input_read(void *arg, char *out, size_t size)
{
    struct replay_input *input = arg;
    if (input->head_len > 0) {
        size_t len = input->head_len < size ? input->head_len : size;
        memcpy(out, input->head, len);
        memmove(input->head, input->head + len, input->head_len - len);
        input->head_len -= len;
        return (long)len;
    }
    return read_bytes(input, out, size);
}

/* The magic that the head has, whole; else NULL, and whether it may become one. */
static const struct magic *find_magic(const struct replay_input *input, bool *may_be)
{
    *may_be = false;
    for (int i = 0; i < MAGICS; i++) {
        const struct magic *magic = &magics[i];
        if (input->head_len >= magic->len && memcmp(input->head, magic->bytes, magic->len) == 0)
            return magic;
        *may_be |=
            input->head_len < magic->len && memcmp(input->head, magic->bytes, input->head_len) == 0;
    }
    return NULL;
}

/* The first one that begins with what there is of the head. */
static const struct magic *first_magic(const struct replay_input *input)
{
    const struct magic *magic = magics;
    while (memcmp(input->head, magic->bytes, input->head_len) != 0)
        magic++;
    return magic;
}

/* Reads no further than it takes: of a pipe, more may be long in coming. */
static int recognise(struct replay_input *input)
{
    bool may_be = true;
    const struct magic *magic = NULL;
    while (!magic && may_be && input->head_len < INPUT_HEAD) {
        long got = read_bytes(input, input->head + input->head_len, 1);
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        input->head_len++;
        magic = find_magic(input, &may_be);
    }
    /* A capture that was cut already there. No text begins so. */
    if (!magic && may_be && input->head_len > 0 && input->head[0] & 0x80)
        magic = first_magic(input);
    if (magic) {
        input->kind = magic->kind;
        input->program = magic->program;
    }
    return 0;
}

static bool is_named_capture(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcmp(dot, ".pcap") == 0 || strcmp(dot, ".pcapng") == 0);
}

int replay_input_open(struct replay_input *input, const char *path)
{
    struct stat st;
    *input = (struct replay_input){.standard = strcmp(path, "-") == 0, .interrupt = -1};
    input->fd = input->standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (input->fd < 0)
        return errno;
    watch_interrupt(input);
    input->live = fstat(input->fd, &st) != 0 || !S_ISREG(st.st_mode);
    int error = recognise(input);
    if (input->kind == INPUT_LOG && is_named_capture(path))
        input->kind = INPUT_OTHER;
    return error;
}

void replay_input_close(struct replay_input *input)
{
    unwatch_interrupt(input);
    if (input->fd >= 0 && !input->standard)
        close(input->fd);
}
