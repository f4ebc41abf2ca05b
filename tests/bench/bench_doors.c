/*
 * bench_doors: the time from a record on the keeper's socket to the first instruction of the start
 * command's program, one knock after the other; with and without the store, by turns, so that
 * whatever else the machine does meets both.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/doors.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/message.h"

enum { ROUNDS = 1000, WARM_UP = 20 };

/* One keeper in small. */
struct side {
    const char *title;
    char dir[40];
    struct loop *loop;
    struct runner *runner;
    struct store *store;
    struct doors *doors;
    struct watch *on_record;
    int sockets[2];
    int64_t times[ROUNDS];
};

struct bench {
    struct config_door door;
    struct plan plan;
    struct plan_command start;
    char timestamp[64]; /* a pipe with a name: the command writes the time into it */
    int timestamps;
    struct side sides[2];
    struct side *current;
    int64_t sent, started;
};

static _Noreturn void give_up(const char *what)
{
    fprintf(stderr, "bench_doors: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* The start command: this program again. */
static int be_command(const char *pipe)
{
    int64_t now = clock_now();
    int fd = open(pipe, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, &now, sizeof(now)) == sizeof(now) ? 0 : 1;
}

static void on_record(void *arg)
{
    struct bench *b = arg;
    struct message message;
    int fd;
    if (message_receive(b->current->sockets[1], &message, &fd) != MESSAGE_GOT)
        return;
    struct knock knock = knock_plain(&b->door, &b->plan, &message.u.open.address, "sequence");
    doors_knock(b->current->doors, &knock);
}

static void on_stamp(void *arg)
{
    struct bench *b = arg;
    if (read(b->timestamps, &b->started, sizeof(b->started)) == sizeof(b->started))
        loop_stop(b->current->loop);
}

static void open_side(struct bench *b, struct side *side, const char *title, bool keep)
{
    char why[512];
    struct store_found found;
    side->title = title;
    strcpy(side->dir, "bench-doors-XXXXXX");
    side->loop = loop_new();
    if (!side->loop || !mkdtemp(side->dir) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, side->sockets) < 0)
        give_up("can't begin");
    if (keep && !(side->store = store_open(side->dir, "bench", 0, &found, why, sizeof(why)))) {
        fprintf(stderr, "bench_doors: %s\n", why);
        exit(1);
    }
    side->runner = runner_new(side->loop, 10 * CLOCK_SECOND, -1);
    side->doors = doors_new(side->loop, side->runner, side->store);
    side->on_record = loop_watch(side->loop, side->sockets[1], LOOP_READ, on_record, b);
    if (!side->runner || !side->doors || !side->on_record)
        give_up("can't begin");
}

static void close_side(struct side *side)
{
    static const char *const files[] = {"state.db", "state.db-wal", "state.db-journal",
                                        "state.mark"};
    char path[80];
    loop_unwatch(side->on_record);
    runner_free(side->runner);
    doors_free(side->doors);
    store_close(side->store);
    loop_free(side->loop);
    close(side->sockets[0]);
    close(side->sockets[1]);
    for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(path, sizeof(path), "%s/%s", side->dir, files[i]);
        unlink(path);
    }
    rmdir(side->dir);
}

/* One knock, by an address of its own; the time from its record to its command, in ns. */
static int64_t knock(struct bench *b, struct side *side, unsigned number)
{
    struct message message = {.type = MESSAGE_OPEN, .generation = 1};
    message.u.open.address = (struct addr){4, {10, 0, (uint8_t)(number >> 8), (uint8_t)number}};
    b->current = side;
    struct watch *watch = loop_watch(side->loop, b->timestamps, LOOP_READ, on_stamp, b);
    b->sent = clock_now();
    if (!watch || message_send(side->sockets[0], &message, -1, true) != MESSAGE_GOT)
        give_up("can't knock");
    loop_run(side->loop);
    loop_unwatch(watch);
    return b->started - b->sent;
}

static int earlier(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void report(struct side *side)
{
    qsort(side->times, ROUNDS, sizeof(*side->times), earlier);
    printf("doors: record to command start, %-17s median %6.2f ms, p99 %6.2f ms, %d knocks\n",
           side->title, (double)side->times[ROUNDS / 2] / 1e6,
           (double)side->times[ROUNDS * 99 / 100] / 1e6, ROUNDS);
}

static void set_up(struct bench *b)
{
    static char name[] = "bench", program[] = "/proc/self/exe";
    static char path[512], template[640];
    char dir[256];
    ssize_t len = readlink(program, path, sizeof(path) - 1);
    snprintf(b->timestamp, sizeof(b->timestamp), "bench-doors-%d", (int)getpid());
    if (len < 0 || !getcwd(dir, sizeof(dir)) || mkfifo(b->timestamp, 0600) < 0)
        give_up("can't begin");
    b->timestamps = open(b->timestamp, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (b->timestamps < 0)
        give_up(b->timestamp);
    snprintf(template, sizeof(template), "bench stamp '%s/%s'", dir, b->timestamp);
    b->start = (struct plan_command){.program = path, .template = template};
    b->plan = (struct plan){.usable = true, .start = {.count = 1, .items = &b->start}};
    b->plan.stop = b->plan.start;
    b->door =
        (struct config_door){.name = name, .cmd_timeout = 3600 * CLOCK_SECOND, .stop_ok = {1}};
    open_side(b, &b->sides[0], "with the store:", true);
    open_side(b, &b->sides[1], "without the store:", false);
}

/* Works in the current folder, whose file system the store is on. */
int main(int argc, char **argv)
{
    static struct bench b;
    if (argc == 3 && strcmp(argv[1], "stamp") == 0)
        return be_command(argv[2]);
    log_open("bench", 0, false, false);
    set_up(&b);
    for (unsigned i = 0; i < ROUNDS + WARM_UP; i++)
        for (int s = 0; s < 2; s++) {
            int64_t time = knock(&b, &b.sides[s], i);
            if (i >= WARM_UP)
                b.sides[s].times[i - WARM_UP] = time;
        }
    for (int s = 0; s < 2; s++) {
        report(&b.sides[s]);
        close_side(&b.sides[s]);
    }
    close(b.timestamps);
    unlink(b.timestamp);
    return 0;
}
