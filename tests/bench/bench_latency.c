/*
 * bench_latency: the time from the last packet of a knock to the rule in the
 * kernel, one knock after the other, each from an address of its own. For
 * knockd by turns with the floor below which it can't be: a bare reader of the
 * same kind of source that, for one packet, writes and syncs one block of a
 * file and executes the same command. Of a log the time begins when this
 * process can read the line, too: until then the kernel takes, or who writes
 * the log. Both meet whatever else the machine does. Runs in a network
 * namespace that scripts/bench-latency.sh makes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/nflog.h"

enum { WARM_UP = 5, HOPELESS = 10, FLOOR_GROUP = 6, FLOOR_PORT = 9, BLOCK = 4096, PAYLOAD = 2048 };

#define FLOOR_PREFIX "[FLOOR] "

struct side {
    const char *title;
    int64_t *times;
    int count, lost;
};

/* How one knocks: a packet to each of the ports; or one packet that this
 * command prints, who is given the address. */
struct way {
    int ports;
    uint16_t port[8];
    char **command;  /* or NULL */
    const char *log; /* that is read: /dev/kmsg, or a file to which lines are
                      * written in place of packets; NULL: NFLOG */
    bool writes;
};

/* One who reads a log from its end on. */
struct log {
    int fd, changes; /* changes: inotify, -1 of /dev/kmsg */
    char text[16384];
    size_t used;
};

struct bench {
    int rounds;
    int patience;    /* ms until a knock counts as lost */
    int rules;       /* tells of each change of the rules */
    pid_t reader;    /* the floor, or 0 */
    const char *dir; /* of the state */
    unsigned next;   /* number of the address that knocks next */
    struct way way;
    struct log log; /* of the way, if it has one */
    struct side floor, knock;
};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench_latency: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The command of the door in bench-latency.sh, for this address. */
static void run_command(const uint8_t ip[4])
{
    char text[INET_ADDRSTRLEN];
    char program[] = "/usr/sbin/iptables";
    char *argv[] = {"iptables", "-w",      "-I", "knock", "-s",     text, "-p",
                    "tcp",      "--dport", "22", "-j",    "ACCEPT", NULL};
    char *environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
    inet_ntop(AF_INET, ip, text, sizeof(text));
    pid_t pid = vfork();
    if (pid == 0) {
        execve(program, argv, environment);
        _exit(127);
    }
    waitpid(pid, NULL, 0);
}

static void open_log(struct log *log, const char *path)
{
    *log = (struct log){.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), .changes = -1};
    if (log->fd < 0 || lseek(log->fd, 0, SEEK_END) < 0)
        give_up(path);
    if (strcmp(path, "/dev/kmsg") == 0)
        return;
    log->changes = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (log->changes < 0 || inotify_add_watch(log->changes, path, IN_MODIFY) < 0)
        give_up(path);
}

/* Reads what there is. Returns where in the text the part `wanted` is, which is
 * whole with its line, or NULL; what was read is gone with that, or once it is
 * much. */
static const char *find_in_log(struct log *log, const char *wanted)
{
    char changes[4096];
    ssize_t got;
    while (log->changes >= 0 && read(log->changes, changes, sizeof(changes)) > 0)
        ;
    do {
        if (log->used > sizeof(log->text) / 2)
            log->used = 0;
        got = read(log->fd, log->text + log->used, sizeof(log->text) - log->used - 1);
        log->used += got > 0 ? (size_t)got : 0;
        log->text[log->used] = '\0';
        const char *found = strstr(log->text, wanted);
        if (found && strchr(found, '\n')) {
            log->used = 0;
            return found;
        }
    } while (got > 0 || (got < 0 && errno == EPIPE));
    return NULL;
}

static void wait_for_log(const struct log *log, int ms)
{
    struct pollfd ready = {.fd = log->changes >= 0 ? log->changes : log->fd, .events = POLLIN};
    poll(&ready, 1, ms);
}

static int open_block(const char *dir, const uint8_t block[BLOCK])
{
    char path[256];
    snprintf(path, sizeof(path), "%s/floor", dir);
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || write(file, block, BLOCK) != BLOCK || fsync(file) < 0)
        give_up("can't begin");
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    return file;
}

/* The floor of a log: reads a line, syncs a block, executes the command. */
static _Noreturn void read_log_barely(const char *dir, const char *path)
{
    static uint8_t block[BLOCK];
    static struct log log;
    int file = open_block(dir, block);
    open_log(&log, path);
    for (;;) {
        const char *line = find_in_log(&log, FLOOR_PREFIX);
        const char *source = line ? strstr(line, "SRC=") : NULL;
        unsigned ip[4];
        if (!source || sscanf(source, "SRC=%u.%u.%u.%u", ip, ip + 1, ip + 2, ip + 3) != 4) {
            wait_for_log(&log, -1);
            continue;
        }
        block[0]++;
        if (pwrite(file, block, BLOCK, 0) != BLOCK || fsync(file) < 0)
            give_up(dir);
        run_command(
            (const uint8_t[4]){(uint8_t)ip[0], (uint8_t)ip[1], (uint8_t)ip[2], (uint8_t)ip[3]});
    }
}

/* The floor: reads a packet, syncs a block, executes the command. */
static _Noreturn void read_barely(const char *dir)
{
    static uint8_t datagram[NFLOG_DATAGRAM], block[BLOCK];
    int file = open_block(dir, block), group = nflog_group_open(FLOOR_GROUP);
    if (group < 0)
        give_up("can't begin");
    for (;;) {
        struct pollfd ready = {.fd = group, .events = POLLIN};
        struct nflog_packet packet;
        size_t at = 0;
        poll(&ready, 1, -1);
        ssize_t got = recv(group, datagram, sizeof(datagram), 0);
        if (got <= 0 || !nflog_next(datagram, (size_t)got, &at, &packet) || packet.len < 20)
            continue;
        block[0]++;
        if (pwrite(file, block, BLOCK, 0) != BLOCK || fsync(file) < 0)
            give_up(dir);
        run_command(packet.bytes + 12);
    }
}

static int watch_rules(void)
{
    struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1U << (NFNLGRP_NFTABLES - 1)};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0 || bind(fd, (struct sockaddr *)&all, sizeof(all)) < 0)
        give_up("can't watch the rules");
    return fd;
}

static bool is_rule_of(const struct nlmsghdr *head, const struct in_addr *address)
{
    return head->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE) &&
           memmem(head, head->nlmsg_len, address, sizeof(*address));
}

/* Waits for a new rule of this address; returns when it was told, or 0 if none
 * came. */
static int64_t wait_rule(const struct bench *b, const struct in_addr *address)
{
    static char buffer[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
    int64_t now = clock_now(), end = now + b->patience * (CLOCK_SECOND / 1000);
    while (now < end) {
        struct pollfd ready = {.fd = b->rules, .events = POLLIN};
        poll(&ready, 1, (int)((end - now) / (CLOCK_SECOND / 1000)) + 1);
        now = clock_now();
        ssize_t got = recv(b->rules, buffer, sizeof(buffer), MSG_DONTWAIT);
        struct nlmsghdr *head = (struct nlmsghdr *)buffer;
        for (size_t left = got < 0 ? 0 : (size_t)got; NLMSG_OK(head, left);
             head = NLMSG_NEXT(head, left))
            if (is_rule_of(head, address))
                return now;
    }
    return 0;
}

/* A packet with this payload. */
static void send_to(int fd, uint16_t port, const void *payload, size_t len)
{
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(0x0a01fffe)};
    if (sendto(fd, payload, len, 0, (struct sockaddr *)&to, sizeof(to)) != (ssize_t)len)
        give_up("can't send");
}

/* As a firewall's rule with that prefix logs a packet. */
static void write_line(const struct bench *b, const char *prefix, const struct in_addr *address,
                       uint16_t port)
{
    char text[INET_ADDRSTRLEN], stamp[32], line[400];
    time_t now = time(NULL);
    struct tm tm;
    inet_ntop(AF_INET, address, text, sizeof(text));
    strftime(stamp, sizeof(stamp), "%b %e %H:%M:%S", localtime_r(&now, &tm));
    int len = snprintf(line, sizeof(line),
                       "%s gate kernel: [ 4711.123456] %sIN=lo OUT= MAC= SRC=%s "
                       "DST=10.1.255.254 "
                       "LEN=29 TOS=0x00 PREC=0x00 TTL=64 ID=1 DF PROTO=UDP "
                       "SPT=4711 DPT=%u LEN=9 \n",
                       stamp, prefix, text, port);
    int fd = open(b->way.log, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0 || write(fd, line, (size_t)len) != len)
        give_up(b->way.log);
    close(fd);
}

/* Sends a packet to the port, or writes the line of one. Returns when that was
 * to be seen. */
static int64_t knock_once(struct bench *b, int fd, const char *prefix,
                          const struct in_addr *address, uint16_t port, const char *payload,
                          size_t len)
{
    char wanted[32];
    int64_t sent = clock_now();
    snprintf(wanted, sizeof(wanted), "DPT=%u ", port);
    if (b->way.writes)
        write_line(b, prefix, address, port);
    else
        send_to(fd, port, payload, len);
    while (b->way.log && !find_in_log(&b->log, wanted)) {
        if (clock_now() - sent > CLOCK_SECOND)
            give_up("no such line in the log");
        wait_for_log(&b->log, 100);
    }
    return b->way.log ? clock_now() : sent;
}

/* A socket of an address that hasn't knocked yet, 10.1.0.0/16. */
static int next_client(struct bench *b, struct in_addr *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(0x0a010001 + b->next++)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&from, sizeof(from)) < 0)
        give_up("can't knock");
    *address = from.sin_addr;
    return fd;
}

static void rest(long ms)
{
    nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

/* Counts the time from SENT to the rule of this address. */
static void time_rule(const struct bench *b, struct side *side, int64_t sent,
                      const struct in_addr *address)
{
    int64_t came = wait_rule(b, address);
    if (came)
        side->times[side->count++] = came - sent;
    else
        side->lost++;
    rest(20);
}

static void time_floor(struct bench *b)
{
    struct in_addr address;
    int fd = next_client(b, &address);
    rest(2);
    int64_t sent = knock_once(b, fd, FLOOR_PREFIX, &address, FLOOR_PORT, "x", 1);
    close(fd);
    time_rule(b, &b->floor, sent, &address);
}

/* What the command prints for this address. */
static size_t make_payload(char **command, const struct in_addr *address, char payload[PAYLOAD])
{
    char text[INET_ADDRSTRLEN], *argv[16] = {NULL};
    int out[2], status;
    size_t len = 0;
    inet_ntop(AF_INET, address, text, sizeof(text));
    for (int i = 0; i < 14 && command[i]; i++) {
        argv[i] = command[i];
        argv[i + 1] = text;
    }
    if (pipe(out) < 0)
        give_up("no pipe");
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        execvp(argv[0], argv);
        _exit(127);
    }
    close(out[1]);
    for (ssize_t got; (got = read(out[0], payload + len, PAYLOAD - len)) > 0;)
        len += (size_t)got;
    close(out[0]);
    if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0 || len == 0)
        give_up(command[0]);
    return len;
}

static void time_knock(struct bench *b)
{
    const struct way *way = &b->way;
    struct in_addr address;
    char payload[PAYLOAD] = "x";
    int fd = next_client(b, &address);
    size_t len = way->command ? make_payload(way->command, &address, payload) : 1;
    for (int i = 0; i < way->ports - 1; i++)
        knock_once(b, fd, "[DENY] ", &address, way->port[i], payload, len);
    rest(2);
    int64_t sent = knock_once(b, fd, "[DENY] ", &address, way->port[way->ports - 1], payload, len);
    close(fd);
    time_rule(b, &b->knock, sent, &address);
}

static int earlier(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(FILE *file, struct side *side)
{
    for (int i = 0; i < side->count; i++)
        fprintf(file, "%s %.3f\n", side->title, (double)side->times[i] / 1e6);
    fprintf(file, "%s-lost %d\n", side->title, side->lost);
    qsort(side->times, (size_t)side->count, sizeof(*side->times), earlier);
    printf("latency: %s: median %.2f ms, %d of %d opened nothing\n", side->title,
           side->count ? (double)side->times[side->count / 2] / 1e6 : 0.0, side->lost,
           side->count + side->lost);
}

/* If nothing opens by so many knocks, no more are tried. */
static void run(struct bench *b)
{
    for (int i = -WARM_UP; i < b->rounds && (b->knock.count > 0 || b->knock.lost < HOPELESS); i++) {
        if (i == 0)
            b->floor.count = b->floor.lost = b->knock.count = b->knock.lost = 0;
        if (b->reader)
            time_floor(b);
        time_knock(b);
    }
}

static void read_way(struct way *way, char **argv)
{
    way->writes = strcmp(*argv, "file") == 0;
    if ((way->writes || strcmp(*argv, "log") == 0) && argv[1] && argv[2]) {
        way->log = argv[1];
        argv += 2;
    }
    if (strcmp(*argv, "payload") == 0 && argv[1] && argv[2]) {
        way->port[way->ports++] = (uint16_t)atoi(argv[1]);
        way->command = argv + 2;
    } else if (strcmp(*argv, "ports") == 0) {
        for (argv++; *argv && way->ports < 8; argv++)
            way->port[way->ports++] = (uint16_t)atoi(*argv);
    }
}

/*
 * bench_latency FIRST ROUNDS PATIENCE STATE_DIR
 *     [log PATH | file PATH] ports PORT... | payload PORT COMMAND [ARGUMENT...]
 * With a log, that is read; with a file, the lines are written to it in place
 * of packets. FIRST is the number of the first address, PATIENCE how many ms a
 * knock may take. With a STATE_DIR, not "-", by turns with the floor. The file
 * "times" gets each time in ms, and how many knocks opened nothing.
 */
int main(int argc, char **argv)
{
    struct bench b = {.floor.title = "floor", .knock.title = "knock"};
    if (argc < 7 || (b.rounds = atoi(argv[2])) <= 0)
        return 2;
    b.next = (unsigned)atoi(argv[1]);
    b.patience = atoi(argv[3]);
    b.dir = argv[4];
    read_way(&b.way, argv + 5);
    b.floor.times = calloc((size_t)b.rounds + WARM_UP, sizeof(int64_t));
    b.knock.times = calloc((size_t)b.rounds + WARM_UP, sizeof(int64_t));
    if (!b.floor.times || !b.knock.times || b.way.ports == 0)
        give_up("can't begin");
    b.rules = watch_rules();
    b.reader = strcmp(b.dir, "-") == 0 ? 0 : fork();
    if (b.reader == 0 && strcmp(b.dir, "-") != 0 && b.way.log)
        read_log_barely(b.dir, b.way.log);
    if (b.reader == 0 && strcmp(b.dir, "-") != 0)
        read_barely(b.dir);
    if (b.way.log)
        open_log(&b.log, b.way.log);
    rest(300);
    run(&b);
    if (b.reader) {
        kill(b.reader, SIGKILL);
        waitpid(b.reader, NULL, 0);
    }
    FILE *file = fopen("times", "we");
    if (!file)
        give_up("times");
    if (b.reader)
        report(file, &b.floor);
    report(file, &b.knock);
    free(b.floor.times);
    free(b.knock.times);
    return fclose(file) == 0 ? 0 : 1;
}
