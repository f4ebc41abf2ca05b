/*
 * Requests over a real control socket: a good one is answered whole, whatever the pieces that it
 * comes in; half of one, or anything else, is not answered. The first byte is the pieces' size.
 */
#include "fuzz.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/control.h"
#include "lib/clock.h"

/* Who asks. */
struct asker {
    int fd;
    const char *p, *end;
    size_t piece;
    struct timer again;
    struct watch *on_answer;
    size_t len;
    char answer[1 << 16];
};

static struct loop *loop;
static struct asker asker;
static char dir[] = "/tmp/knockd-fuzz-XXXXXX";
static char path[sizeof(dir) + 16];

static void echo(void *arg, struct answer *answer, char *const *words)
{
    struct row row;
    (void)arg;
    answer_begin(answer, ANSWER_LIST);
    for (; *words; words++) {
        CLAIM(**words && !strpbrk(*words, " \n"));
        row_begin(&row, 1, "word");
        row_text(&row, "is", *words);
        answer_row(answer, &row);
    }
    answer_end(answer);
}

static void refuse(void *arg, struct answer *answer, char *const *words)
{
    (void)arg;
    answer_error(answer, "\"%s\": %s", words[0], words[1]);
}

static const struct control_request requests[] = {
    {"any", 0, 4, echo}, {"two", 2, 2, echo}, {"no", 1, 1, refuse}};

static void on_gone(void *arg, struct answer *answer)
{
    (void)arg;
    (void)answer;
}

static void on_answer(void *arg)
{
    struct asker *a = arg;
    ssize_t got = recv(a->fd, a->answer + a->len, sizeof(a->answer) - 1 - a->len, MSG_DONTWAIT);
    if (got > 0)
        a->len += (size_t)got;
    else if (got == 0 || errno != EAGAIN)
        loop_stop(loop);
}

/* One piece, and the next one when the socket had its turn. */
static void on_turn(void *arg)
{
    struct asker *a = arg;
    size_t left = (size_t)(a->end - a->p), len = left < a->piece ? left : a->piece;
    if (send(a->fd, a->p, len, MSG_NOSIGNAL) < 0)
        return;
    a->p += len;
    if (a->p == a->end)
        shutdown(a->fd, SHUT_WR);
    else
        loop_timer_set(loop, &a->again, clock_now());
}

static void clean_up(void)
{
    unlink(path);
    rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    char why[256];
    struct control_calls calls = {requests, 3, on_gone, NULL};
    (void)argc;
    (void)argv;
    CLAIM(mkdtemp(dir));
    atexit(clean_up);
    snprintf(path, sizeof(path), "%s/control", dir);
    loop = loop_new();
    CLAIM(loop && loop_timer_register(loop, &asker.again, on_turn, &asker) == 0);
    CLAIM(control_open(loop, path, calls, why, sizeof(why)));
    return 0;
}

static void ask(struct input in)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, path, strlen(path));
    asker.piece = 1 + (size_t)input_byte(&in);
    asker.p = in.p;
    asker.end = in.end;
    asker.len = 0;
    asker.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CLAIM(connect(asker.fd, (struct sockaddr *)&name, sizeof(name)) == 0);
    asker.on_answer = loop_watch(loop, asker.fd, LOOP_READ, on_answer, &asker);
    CLAIM(asker.on_answer);
    loop_timer_set(loop, &asker.again, clock_now());
    loop_run(loop);
    loop_timer_cancel(loop, &asker.again);
    loop_unwatch(asker.on_answer);
    close(asker.fd);
    asker.answer[asker.len] = '\0';
}

/* "ok list", rows and "end", or one row that is an error, or says that arguments are wrong. */
static void claim_whole(char *answer)
{
    struct row_fields fields;
    char *rest = NULL, *line = strtok_r(answer, "\n", &rest), *last = NULL;
    CLAIM(line);
    bool good = strcmp(line, "ok list") == 0;
    if (!good)
        CLAIM(row_parse(line, &fields) &&
              (strcmp(fields.kind, "error") == 0 || strcmp(fields.kind, "usage") == 0));
    while ((line = strtok_r(NULL, "\n", &rest))) {
        last = line;
        CLAIM(good && (strcmp(line, "end") == 0 ||
                       (row_parse(line, &fields) && strcmp(fields.kind, "word") == 0)));
    }
    CLAIM(!good || (last && strcmp(last, "end") == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct input in = input_of(data, size);
    const char *text = in.p + 1;
    size_t len = size - 1, printable = 0;
    while (printable < len && text[printable] >= ' ' && text[printable] <= '~')
        printable++;
    bool begun = printable <= CONTROL_REQUEST_MAX && printable < len && text[printable] == '\n';
    /* Where the piece ends that brings the newline. */
    size_t piece = 1 + (size_t)data[0], end = (printable / piece + 1) * piece;
    bool more = printable + 1 < len && end > printable + 1;
    ask(in);
    CLAIM((begun && !more) || asker.len == 0);
    /* Who goes on after the newline may be cut off in the middle of the answer. */
    if (begun && printable + 1 == len)
        claim_whole(asker.answer);
    return 0;
}
